"""A file that comes late, from the landing zone to the next edition, by the sensor and the jobs that it asks for."""

import shutil
from collections import defaultdict
from pathlib import Path

import dagster as dg
import pytest
from pypdf import PdfReader
from shop_helpers import (
    Home,
    assert_same_export,
    build_days,
    copied,
    day,
    deliver,
    delivery_day,
    one_file_a_day,
    simulated_shop,
)

from funnelscope.ingest.build_state import compute_near_reach_days
from funnelscope.reporting import print_report
from pipelines.instance import open_instance
from pipelines.jobs import DAILY, INGEST, RANGE_END, RANGE_START, RESTATE
from pipelines.planning import Piece
from pipelines.runs import execute_piece, silence_dagster

LATE, LAST = 2, 6  # numbers of days


def is_late(file: Path) -> bool:
    return file.parent.parent.name == "order" and delivery_day(file) == day(LATE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = simulated_shop(tmp_path_factory.mktemp("late"), days=LAST, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    return home


def sensed(
    defs: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[dg.RunRequest], str | None, str]:
    """What the sensor asks for, where it stands then, and why it asks for nothing."""
    result = defs.resolve_sensor_def("late_deliveries")(dg.build_sensor_context(instance, cursor=cursor))
    if isinstance(result, dg.SkipReason):
        return [], cursor, result.skip_message or ""
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or ()), result.cursor, ""


def materialized(instance: dg.DagsterInstance, run_ids: list[str]) -> dict[str, set[str]]:
    """Table to the days that these runs wrote of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for run_id in run_ids:
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.dagster_event
            assert event
            if event.asset_key and event.partition:
                found[".".join(event.asset_key.path)].add(event.partition)
    return found


def days(first: int, last: int) -> set[str]:
    return {str(day(number)) for number in range(first, last + 1)}


@pytest.mark.slow
def test_a_late_file_is_noticed_reruns_the_days_it_reaches_and_no_others_and_is_told_in_the_next_edition(
    shop: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.definitions import build_definitions

    home = copied(shop, tmp_path / "late", lambda file: not is_late(file))
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", "")
    build_days(home, day(1), day(LAST), is_published=True)
    print_report(home.settings, day(LAST))
    defs = build_definitions(home.settings)
    reach = LATE + compute_near_reach_days()
    with open_instance(home.settings) as instance, silence_dagster():
        _, cursor, _ = sensed(defs, instance, "")
        assert sensed(defs, instance, cursor)[2] == "Nothing late."

        deliver(shop, home, is_late)
        (taking,), cursor, _ = sensed(defs, instance, cursor)
        assert taking.job_name == INGEST
        execute_piece(instance, defs, Piece(INGEST, day(LAST), day(LAST)), "taking")
        asked, cursor, _ = sensed(defs, instance, cursor)
        assert [(each.job_name, each.tags[RANGE_START], each.tags[RANGE_END]) for each in asked] == [
            (DAILY, str(day(LATE)), str(day(reach))),
            (RESTATE, str(day(reach + 1)), str(day(LAST))),
        ]
        before = {record.run_id for record in instance.get_runs()}
        for piece in (Piece(DAILY, day(LATE), day(reach)), Piece(RESTATE, day(reach + 1), day(LAST))):
            execute_piece(instance, defs, piece, "building")
        written = materialized(instance, [run.run_id for run in instance.get_runs() if run.run_id not in before])
        assert sensed(defs, instance, cursor)[2] == "Nothing late."

    # Near days whole, later ones only as far as they read the whole history, and nothing of the day before.
    assert written["staging.order_events"] == days(LATE, reach)
    assert written["intermediate.session_days"] == days(LATE, reach)
    assert written["intermediate.orders"] == days(LATE, LAST)
    assert written["marts.daily_summary"] == days(LATE, LAST)
    assert set().union(*written.values()) == days(LATE, LAST)

    punctual = copied(shop, tmp_path / "punctual")
    shutil.copy(home.settings.identity_key_path, punctual.settings.identity_key_path)
    build_days(punctual, day(1), day(LAST))
    assert_same_export(home.export(), punctual.export())

    folder = home.settings.reports / str(day(LAST))
    (pdf,) = folder.glob("*edition-2*.pdf")
    text = " ".join(page.extract_text() for page in PdfReader(pdf).pages)
    words = "because deliveries of earlier days came or changed"
    assert f"Restated since the report before, {words}: {day(LATE)} – {day(LAST - 1)}." in " ".join(text.split())
    (first_pdf,) = folder.glob("*edition-1*.pdf")
    assert words not in " ".join(" ".join(page.extract_text() for page in PdfReader(first_pdf).pages).split())
