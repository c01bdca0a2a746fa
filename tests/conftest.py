"""What all test modules share: shops that are built once a session, for every worker."""

import fcntl
import gc
from pathlib import Path

import pytest
from shop_helpers import Home, one_file_a_day, simulated_shop


def pytest_collection_finish() -> None:
    """The imported packages stay: without them each search for garbage is several times as quick."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """What is still frozen when Python ends is never freed, and DuckDB's binding prints all of it as leaked."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Home:
    """Three days delivered, two of them run by the command: deliveries, Dagster, report and all. Read only: clone it.

    The first worker that asks for it builds it, the others wait for it.
    """
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
    from test_cli import funnelscope  # in this process, which has to import all of it anyway

    home = simulated_shop(folder, days=3, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    done = funnelscope(home, "backfill", "--to", "2026-05-02")
    assert done.code == 0, done.out + done.errors
    assert "Days: 2 pass" in done.out
