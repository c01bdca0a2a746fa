"""What each day was built from, and what no longer stands: the memory that makes runs repeatable after any death.

A day of `quality.built` notes three versions: of the deliveries that its events came from, of the few days before it
that most models look back on, and of all days before it, on which models of the whole history stand. A day whose note
differs from what lies there now is built again. So nothing is lost between two runs that belong together, whoever
kills the first one, and whatever arrives in between.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from funnelscope.ingest import create_tables, read_input_versions
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import compute_downstream_history_days, load_models

_BUILT_TABLE = (
    "create table if not exists quality.built "
    "(business_date DATE, input_version VARCHAR, near_version VARCHAR, past_version VARCHAR)"
)
REBUILDING = "rebuilding "


@dataclass(frozen=True)
class BuildState:
    """The days that were built, and those of them that no longer stand.

    Attributes:
        built: every day that a finished run has built.
        changed: their own deliveries have changed since.
        near_behind: one of the few days before them was built again since.
        past_behind: any day before them was built again since.
    """

    built: frozenset[date] = frozenset()
    changed: frozenset[date] = frozenset()
    near_stale: frozenset[date] = frozenset()
    past_stale: frozenset[date] = frozenset()

    @property
    def stale_days(self) -> frozenset[date]:
        """Every built day that a run must touch again."""
        return self.changed | self.near_stale | self.past_stale


@dataclass(frozen=True)
class _Versions:
    input: str
    near: str
    past: str


def list_far_reaching_models() -> list[str]:
    """Models that a changed day changes for ever after: all that read the whole history, directly or not."""
    return [table for table, days in compute_downstream_history_days(load_models()).items() if days is None]


def compute_near_reach_days() -> int:
    """How many days after a changed day the other models change."""
    return max(days for days in compute_downstream_history_days(load_models()).values() if days is not None)


def create_built_table(warehouse: Warehouse) -> None:
    """Creates, where absent, the note of what each day was built from."""
    warehouse.execute(_BUILT_TABLE)


def read_build_state(warehouse: Warehouse) -> BuildState:
    """What stands in the warehouse, measured against the deliveries that it holds now."""
    create_tables(warehouse)
    notes = _read_versions(warehouse)
    delivered = read_input_versions(warehouse)
    expected = _compute_expected({day: versions.input for day, versions in notes.items()})
    return BuildState(
        built=frozenset(notes),
        changed=frozenset(day for day, versions in notes.items() if versions.input != delivered.get(day, "")),
        near_stale=frozenset(day for day, versions in notes.items() if versions.near != expected[day].near),
        past_stale=frozenset(day for day, versions in notes.items() if versions.past != expected[day].past),
    )


def record_built(warehouse: Warehouse, from_date: date, to_date: date, tables: Collection[str]) -> None:
    """Notes what the days of a run were built from, as far as the run went.

    Args:
        tables: the `schema.table` names that the run has built for all of the range. With every model, the days stand
            anew; with those of the whole history only, they have caught up with their past; else nothing is noted.
    """
    notes = _read_versions(warehouse)
    days = [from_date + timedelta(days=offset) for offset in range((to_date - from_date).days + 1)]
    if set(load_models()) <= set(tables):
        delivered = read_input_versions(warehouse)
        inputs = {day: versions.input for day, versions in notes.items()}
        inputs |= {day: delivered.get(day, "") for day in days}
        expected = _compute_expected(inputs)
        notes |= {day: expected[day] for day in days}
    elif set(list_far_reaching_models()) <= set(tables):
        expected = _compute_expected({day: versions.input for day, versions in notes.items()})
        days = [day for day in days if day in notes]
        notes |= {day: _Versions(notes[day].input, notes[day].near, expected[day].past) for day in days}
    else:
        return
    with warehouse.transaction():
        warehouse.execute("delete from quality.built where list_contains($days::DATE[], business_date)", days=days)
        written = [(day, notes[day].input, notes[day].near, notes[day].past) for day in days]
        insert_rows(warehouse, "quality.built", written)


def begin_rebuilding(warehouse: Warehouse) -> None:
    """Marks every day as behind, until `end_rebuilding`: a rebuild that dies is made up for by the next run."""
    create_built_table(warehouse)
    warehouse.execute("update quality.built set near_version = $mark || near_version", mark=REBUILDING)


def end_rebuilding(warehouse: Warehouse) -> None:
    """Takes back the mark; days that were behind before the rebuild still are."""
    warehouse.execute(
        "update quality.built set near_version = substr(near_version, $length + 1) "
        "where starts_with(near_version, $mark)",
        mark=REBUILDING,
        length=len(REBUILDING),
    )


def _read_versions(warehouse: Warehouse) -> dict[date, _Versions]:
    create_built_table(warehouse)
    rows = warehouse.rows("select business_date, input_version, near_version, past_version from quality.built")
    return {day: _Versions(*versions) for day, *versions in rows}


def _compute_expected(inputs: Mapping[date, str]) -> dict[date, _Versions]:
    """What each built day would note if it were built now on the others as they are."""
    reach = compute_near_reach_days()
    expected: dict[date, _Versions] = {}
    past = ""
    for day in sorted(inputs):
        before = [day - timedelta(days=offset) for offset in range(reach, 0, -1)]
        near = _digest([f"{near_day} {inputs[near_day]}" for near_day in before if near_day in inputs])
        expected[day] = _Versions(inputs[day], near, past)
        past = _digest([past, f"{day} {inputs[day]}"])
    return expected


def _digest(parts: list[str]) -> str:
    return hashlib.md5("\n".join(parts).encode()).hexdigest()
