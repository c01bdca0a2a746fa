"""What each day was built from, and which days are stale. This makes runs repeatable after a crash at any point.

Each day of `quality.built` has three recorded versions: of the deliveries with its own events, of the few days before
it that most models read, and of all days before it, which the models of the whole history read. A day whose record
differs from the current versions is built again. So a crash between two runs loses nothing, whatever arrives in the
meantime. A fourth version is of all deliveries: if it alone differs, they repeat what was known, and rows are counted
again.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import date, timedelta

from funnelscope.ingest import create_tables, read_versions
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import compute_downstream_history_days, load_models

_BUILT_TABLE = (
    "create table if not exists quality.built "
    "(business_date DATE, input_version VARCHAR, near_version VARCHAR, past_version VARCHAR)",
    "alter table quality.built add column if not exists delivery_version VARCHAR",
)
REBUILDING = "rebuilding "
_NOTHING = ("", "")  # the versions of a day that no delivery touches


@dataclass(frozen=True)
class BuildState:
    """The built days, and which of them are stale.

    Attributes:
        built: every day that a finished run has built.
        changed: days of which the deliveries say something else since.
        near_stale: days of which one of the few days before them was rebuilt since.
        past_stale: days of which any day before them was rebuilt since.
        repeated: days that were delivered again since, with nothing new, and the families of which; they are not stale.
    """

    built: frozenset[date] = frozenset()
    changed: frozenset[date] = frozenset()
    near_stale: frozenset[date] = frozenset()
    past_stale: frozenset[date] = frozenset()
    repeated: Mapping[date, frozenset[str]] = field(default_factory=dict)

    @property
    def stale_days(self) -> frozenset[date]:
        """Every built day that a run must rebuild or restate."""
        return self.changed | self.near_stale | self.past_stale


@dataclass(frozen=True)
class _Versions:
    input: str
    near: str
    past: str
    delivery: str | None


def list_far_reaching_models() -> list[str]:
    """The models that read the whole history, directly or not: a changed day changes all their later days."""
    return [table for table, days in compute_downstream_history_days(load_models()).items() if days is None]


def compute_near_reach_days() -> int:
    """How many days after a changed day the other models change."""
    return max(days for days in compute_downstream_history_days(load_models()).values() if days is not None)


def create_built_table(warehouse: Warehouse) -> None:
    """Creates, if absent, the table that records what each day was built from."""
    for statement in _BUILT_TABLE:
        warehouse.execute(statement)


def read_build_state(warehouse: Warehouse) -> BuildState:
    """The build state of the warehouse, compared with the deliveries that it holds now."""
    create_tables(warehouse)
    notes = _read_versions(warehouse)
    delivered = read_versions(warehouse)
    now = {day: delivered.get(day, _NOTHING) for day in notes}
    expected = _compute_expected({day: versions.input for day, versions in notes.items()})
    return BuildState(
        built=frozenset(notes),
        changed=frozenset(day for day, versions in notes.items() if versions.input != now[day][0]),
        repeated={
            day: _find_other_families(versions.delivery or "", now[day][1])
            for day, versions in notes.items()
            if versions.input == now[day][0] and versions.delivery != now[day][1]
        },
        near_stale=frozenset(day for day, versions in notes.items() if versions.near != expected[day].near),
        past_stale=frozenset(day for day, versions in notes.items() if versions.past != expected[day].past),
    )


def _find_other_families(noted: str, now: str) -> frozenset[str]:
    """The families of which two versions of the deliveries differ; all that are delivered if one is of an old home."""
    before, after = ({part for part in text.split() if ":" in part} for text in (noted, now))
    return frozenset(part.partition(":")[0] for part in before ^ after)


def record_built(warehouse: Warehouse, from_date: date, to_date: date, tables: Collection[str]) -> None:
    """Records what the days of a run were built from, as far as the run has completed.

    Args:
        tables: the `schema.table` names that the run has built for the whole range. With every model, the days are up
            to date. With only the models of the whole history, they are up to date with the days before them. Otherwise
            nothing is recorded.
    """
    notes = _read_versions(warehouse)
    days = [from_date + timedelta(days=offset) for offset in range((to_date - from_date).days + 1)]
    if set(load_models()) <= set(tables):
        delivered = read_versions(warehouse)
        inputs = {day: versions.input for day, versions in notes.items()}
        inputs |= {day: delivered.get(day, _NOTHING)[0] for day in days}
        expected = _compute_expected(inputs)
        notes |= {day: replace(expected[day], delivery=delivered.get(day, _NOTHING)[1]) for day in days}
    elif set(list_far_reaching_models()) <= set(tables):
        expected = _compute_expected({day: versions.input for day, versions in notes.items()})
        days = [day for day in days if day in notes]
        notes |= {day: replace(notes[day], past=expected[day].past) for day in days}
    else:
        return
    with warehouse.transaction():
        warehouse.execute("delete from quality.built where list_contains($days::DATE[], business_date)", days=days)
        insert_rows(warehouse, "quality.built", [(day, *astuple(notes[day])) for day in days])


def record_repeated(warehouse: Warehouse, days: Collection[date]) -> None:
    """Records that the rows of these built days, which were delivered again with nothing new, are counted again."""
    delivered = read_versions(warehouse)
    for day in days:
        warehouse.execute(
            "update quality.built set delivery_version = $version where business_date = $day",
            version=delivered.get(day, _NOTHING)[1],
            day=day,
        )


def begin_rebuilding(warehouse: Warehouse) -> None:
    """Marks every day as stale until `end_rebuilding`, so that the next run completes a rebuild that crashed."""
    create_built_table(warehouse)
    warehouse.execute("update quality.built set near_version = $mark || near_version", mark=REBUILDING)


def end_rebuilding(warehouse: Warehouse) -> None:
    """Removes the mark. Days that were stale before the rebuild stay stale."""
    warehouse.execute(
        "update quality.built set near_version = substr(near_version, $length + 1) "
        "where starts_with(near_version, $mark)",
        mark=REBUILDING,
        length=len(REBUILDING),
    )


def _read_versions(warehouse: Warehouse) -> dict[date, _Versions]:
    create_built_table(warehouse)
    rows = warehouse.rows(
        "select business_date, input_version, near_version, past_version, delivery_version from quality.built"
    )
    return {day: _Versions(*versions) for day, *versions in rows}


def _compute_expected(inputs: Mapping[date, str]) -> dict[date, _Versions]:
    """The record that each built day would get if it were built now from the other days as they are."""
    reach = compute_near_reach_days()
    expected: dict[date, _Versions] = {}
    past = ""
    for day in sorted(inputs):
        before = [day - timedelta(days=offset) for offset in range(reach, 0, -1)]
        near = _digest([f"{near_day} {inputs[near_day]}" for near_day in before if near_day in inputs])
        expected[day] = _Versions(inputs[day], near, past, None)
        past = _digest([past, f"{day} {inputs[day]}"])
    return expected


def _digest(parts: list[str]) -> str:
    return hashlib.md5("\n".join(parts).encode()).hexdigest()
