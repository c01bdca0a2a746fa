"""What all test modules share: shops built once a session, for every worker, and runs without their dear parts.

Nothing of ours is imported before a fixture asks for it: the process that only hands out tests needs none of it.
"""

import fcntl
import gc
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shop_helpers import Home

    from funnelscope.settings import Settings
    from pipelines.planning import Piece


def pytest_collection_finish() -> None:
    """The imported packages stay: without them each search for garbage is several times as quick, and few are needed.

    Cycles are rare: the processor time of tests of diagnosis and report falls by a twentieth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def pytest_unconfigure() -> None:
    """What is still frozen when Python ends is never freed, and DuckDB's binding prints all of it as leaked."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> "Home":
    """Three days delivered, two of them run by the command: deliveries, Dagster, report and all. Read only: clone it.

    The first worker that asks for it builds it, the others wait for it.
    """
    from shop_helpers import Home

    folder = tmp_path_factory.getbasetemp()
    shared = folder if worker_id == "master" else folder.parent  # of all workers of this session
    with (shared / "ran.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_done = shared / "ran.done"
        home = Home(shared / "ran")
        if not is_done.exists():
            _run_two_days(home.folder)
            is_done.touch()
    return home


def _run_two_days(folder: Path) -> None:
    from shop_helpers import one_file_a_day, simulated_shop
    from test_cli import funnelscope  # in this process, which has to import all of it anyway

    home = simulated_shop(folder, days=3, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    done = funnelscope(home, "backfill", "--to", "2026-05-02")
    assert done.code == 0, done.out + done.errors
    assert "Days: 2 pass" in done.out


@pytest.fixture
def quick_printing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages are not the point here: a report is printed as its text."""
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_pictures", lambda *_: {})
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render", lambda report, *_: repr(report).encode())
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_html", lambda report, *_: b"")
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_stage_png", lambda stage, report: b"")


@pytest.fixture
def no_expectations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contracts alone judge the days: Great Expectations, which `ran` runs, is a third of the time of a run."""
    monkeypatch.setattr("funnelscope.quality.expectations.judge_suites", lambda *_: [])


@pytest.fixture
def plain_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands build their days by the plain steps, which build what Dagster builds, as test_cli.py proves."""
    from shop_helpers import bring_up_to_date

    def bring_and_publish(settings: "Settings", requested: Sequence[date]) -> "tuple[Piece, ...]":
        return tuple(bring_up_to_date(settings, requested, is_published=True))

    monkeypatch.setattr("pipelines.runs.bring_up_to_date", bring_and_publish)
