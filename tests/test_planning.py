"""Which days a run builds: what was asked for, what late deliveries change, and no more."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from funnelscope.ingest import create_tables
from funnelscope.ingest.build_state import (
    BuildState,
    begin_rebuilding,
    compute_near_reach_days,
    end_rebuilding,
    list_far_reaching_models,
    read_build_state,
    record_built,
    record_repeated,
)
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import load_models
from pipelines.jobs import DAILY, RESTATE
from pipelines.planning import Piece, plan_runs

OPENING = date(2026, 5, 1)
REACH = 8


def may(number: int) -> date:
    return OPENING + timedelta(days=number - 1)


def days(first: int, last: int) -> frozenset[date]:
    return frozenset(may(number) for number in range(first, last + 1))


@pytest.fixture(autouse=True)
def eight_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases are written for models that look back eight days at most, or on everything."""
    for module in ("pipelines.planning", "funnelscope.ingest.build_state"):
        monkeypatch.setattr(f"{module}.compute_near_reach_days", lambda: REACH)


def test_no_model_of_the_whole_history_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    far = set(list_far_reaching_models())
    assert far
    assert 0 < compute_near_reach_days() < 30
    for table, model in load_models().items():
        if model.history_days is None or far & set(model.dependencies):
            assert table in far


@pytest.mark.parametrize(
    ("case", "requested", "standing", "pieces"),
    [
        ("nothing at all", days(1, 0), BuildState(), []),
        ("the first day", days(1, 1), BuildState(), [(DAILY, 1, 1)]),
        ("a first backfill", days(1, 30), BuildState(), [(DAILY, 1, 30)]),
        ("the next day", days(31, 31), BuildState(days(1, 30)), [(DAILY, 31, 31)]),
        ("a day again", days(5, 5), BuildState(days(1, 30)), [(DAILY, 5, 5)]),
        ("nothing late", days(1, 0), BuildState(days(1, 30)), []),
        ("a late day", days(1, 0), BuildState(days(1, 30), days(3, 3)), [(DAILY, 3, 11), (RESTATE, 12, 30)]),
        ("a late day near the end", days(31, 31), BuildState(days(1, 30), days(28, 28)), [(DAILY, 28, 31)]),
        (
            "two late days with a gap",
            days(31, 31),
            BuildState(days(1, 30), days(2, 2) | days(15, 15)),
            [(DAILY, 2, 10), (RESTATE, 11, 14), (DAILY, 15, 23), (RESTATE, 24, 30), (DAILY, 31, 31)],
        ),
        (
            "a gap that is filled",
            days(10, 10),
            BuildState(days(1, 9) | days(11, 30)),
            [(DAILY, 10, 18), (RESTATE, 19, 30)],
        ),
        (
            "a gap that stays",
            days(1, 0),
            BuildState(days(1, 9) | days(12, 30), days(8, 8)),
            [(DAILY, 8, 9), (DAILY, 12, 16), (RESTATE, 17, 30)],
        ),
        (
            "history before the opening",
            days(1, 0),
            BuildState(days(-20, 12), days(-5, -5)),
            [(DAILY, 1, 9), (RESTATE, 10, 12)],
        ),
        (
            "the second half of a killed run",
            days(1, 0),
            BuildState(days(1, 30), past_stale=days(12, 30)),
            [(RESTATE, 12, 30)],
        ),
        (
            "killed between a day and those near it",
            days(1, 0),
            BuildState(days(1, 30), near_stale=days(4, 11), past_stale=days(4, 30)),
            [(DAILY, 4, 11), (RESTATE, 12, 30)],
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_the_plan(
    case: str, requested: frozenset[date], standing: BuildState, pieces: list[tuple[str, int, int]]
) -> None:
    made = plan_runs(requested, standing, OPENING)
    assert made == [Piece(job, may(first), may(last)) for job, first, last in pieces], case


# --- What stands -----------------------------------------------------------------------------------


@pytest.fixture
def warehouse() -> Warehouse:
    """Thirty days with one delivery each, all of them built."""
    warehouse = open_in_memory_warehouse()
    create_tables(warehouse)
    for number in range(1, 31):
        deliver(warehouse, number, rows=100)
    record_built(warehouse, may(1), may(30), load_models())
    return warehouse


def deliver(warehouse: Warehouse, number: int, rows: int) -> None:
    """A delivery of as many order events of the day; another number of rows is another content."""
    values: dict[str, Any] = {"id": number, "dt": may(number), "file": f"dt={may(number)}/orders.parquet", "rows": rows}
    for table in ("deliveries", "delivery_dates"):
        warehouse.execute(f"delete from quality.{table} where delivery_id = $id", id=number)
    warehouse.execute(
        "insert into quality.deliveries (delivery_id, family, dt, file, source, status, rows_loaded) "
        "values ($id, 'order', $dt, $file, 'order', 'loaded', $rows)",
        **values,
    )
    warehouse.execute(
        "insert into quality.delivery_dates values ($id, 'order', $dt, $file, $dt, $rows, $rows)", **values
    )


def test_what_was_just_built_stands(warehouse: Warehouse) -> None:
    stands = read_build_state(warehouse)
    assert stands.built == days(1, 30)
    assert not stands.stale_days


def test_a_late_delivery_makes_its_day_late_until_it_is_built(warehouse: Warehouse) -> None:
    deliver(warehouse, 3, rows=101)
    assert read_build_state(warehouse) == BuildState(days(1, 30), changed=days(3, 3))


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        (100, BuildState(days(1, 30), repeated={may(3): frozenset({"order"})})),
        (101, BuildState(days(1, 30), changed=days(3, 3))),
    ],
)
def test_a_delivery_that_repeats_a_day_does_not_make_it_late(
    rows: int, stands: BuildState, warehouse: Warehouse
) -> None:
    deliver(warehouse, 31, rows)
    warehouse.execute("update quality.delivery_dates set business_date = $day where delivery_id = 31", day=may(3))
    assert read_build_state(warehouse) == stands
    record_repeated(warehouse, stands.repeated)
    assert read_build_state(warehouse) == replace(stands, repeated={})


def test_a_run_killed_half_way_is_made_up_for(warehouse: Warehouse) -> None:
    """Of the two runs that a late day needs, the second never came: the days it would have restated stay late."""
    deliver(warehouse, 3, rows=101)
    record_built(warehouse, may(3), may(11), load_models())
    assert read_build_state(warehouse) == BuildState(days(1, 30), past_stale=days(12, 30))
    record_built(warehouse, may(12), may(30), list_far_reaching_models())
    assert not read_build_state(warehouse).stale_days


def test_a_day_built_alone_leaves_those_that_look_back_on_it_behind(warehouse: Warehouse) -> None:
    deliver(warehouse, 3, rows=101)
    record_built(warehouse, may(3), may(3), load_models())
    assert read_build_state(warehouse) == BuildState(days(1, 30), near_stale=days(4, 11), past_stale=days(4, 30))


def test_restating_does_not_hide_that_a_day_is_late_itself(warehouse: Warehouse) -> None:
    """Its own events were not read again, whatever was delivered meanwhile."""
    deliver(warehouse, 20, rows=101)
    record_built(warehouse, may(12), may(30), list_far_reaching_models())
    assert read_build_state(warehouse).changed == days(20, 20)


def test_a_part_of_the_models_changes_nothing_of_what_stands(warehouse: Warehouse) -> None:
    deliver(warehouse, 20, rows=101)
    record_built(warehouse, may(1), may(30), ["marts.daily_metrics"])
    assert read_build_state(warehouse) == BuildState(days(1, 30), changed=days(20, 20))


def test_a_rebuild_that_dies_leaves_every_day_late(warehouse: Warehouse) -> None:
    deliver(warehouse, 20, rows=101)
    begin_rebuilding(warehouse)
    assert read_build_state(warehouse).near_stale == days(1, 30)
    record_built(warehouse, may(1), may(30), load_models())
    assert not read_build_state(warehouse).stale_days


def test_a_rebuild_keeps_what_was_late_before_it(warehouse: Warehouse) -> None:
    deliver(warehouse, 20, rows=101)
    record_built(warehouse, may(20), may(20), load_models())
    deliver(warehouse, 5, rows=101)
    before = read_build_state(warehouse)
    begin_rebuilding(warehouse)
    end_rebuilding(warehouse)
    assert read_build_state(warehouse) == before
    assert before.changed == days(5, 5)
    assert before.near_stale == days(21, 28)
