"""A funnel's events from what the shop has published, or from the staged tables of its warehouse."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import duckdb

from funnelscope.events.schema import EVENT_FAMILIES, Kind
from funnelscope.funnels.engine.answer import compute_answer
from funnelscope.funnels.engine.conditions import quote_text
from funnelscope.funnels.engine.plan import AllOf, AnyOf, Condition, EventFilter, FunnelPlan, Operator, PropertyTest
from funnelscope.funnels.funnel_events import (
    FunnelEvents,
    build_unit_sql,
    check_columns,
    open_events,
    read_first_number,
)
from funnelscope.funnels.specification import FunnelFile
from funnelscope.ingest.identity import hash_identifier
from funnelscope.settings import Settings
from funnelscope.settings.yaml_source import SettingsError, suggest_nearest
from funnelscope.warehouse.snapshots import find_current_snapshot


def load_published(connection: duckdb.DuckDBPyConnection, file: FunnelFile, settings: Settings) -> FunnelEvents:
    """Reads the staged events of all families from the current snapshot.

    Raises:
        FileNotFoundError: nothing has been published yet.
        SettingsError: the specification names an event type or column that the event schema does not have; with its
            line.
    """
    snapshot = find_current_snapshot(settings.published)
    if snapshot is None:
        raise FileNotFoundError(f"{settings.published} holds no snapshot yet. Run: funnelscope run --date YYYY-MM-DD")
    return load_staged(
        connection,
        file,
        settings,
        {
            name: f"read_parquet({quote_text(folder / '*' / '*.parquet')}, union_by_name = true)"
            for name, folder in {
                name: snapshot / "staging" / family.table for name, family in EVENT_FAMILIES.items()
            }.items()
            if any(folder.glob("*/*.parquet"))
        },
    )


def load_staged(
    connection: duckdb.DuckDBPyConnection, file: FunnelFile, settings: Settings, tables: Mapping[str, str]
) -> FunnelEvents:
    """Like `load_published`, from staged tables: `tables` maps each family to its SQL. Their ids are keyed hashes."""
    families = _check_contract(file)
    try:
        plan = _hash_ids(file.spec.plan, settings)
    except ValueError as error:
        raise SettingsError(f"{file.path}: {error}") from None
    start = plan.entered[0]
    needs_all = start is None or is_history_needed(plan)
    since = "" if needs_all else f"where event_time >= make_timestamp({start})"
    selects = [_build_no_events(file, plan)]  # so that the table has its columns without a family as well
    unit = build_unit_sql(file.spec.unit, _find_staged_type(file.spec.unit))
    for name in families:
        if name not in tables:
            continue
        own = {column.name for column in EVENT_FAMILIES[name].columns}
        columns = "".join(
            f", {column if column in own else 'null'}::{_find_staged_type(column)} as p{number}"
            for number, column in enumerate(plan.columns)
        )
        selects.append(
            f"select {unit} as unit, epoch_us(event_time) as t, event_type{columns} from {tables[name]} {since}"
        )
    connection.execute(
        f"create or replace temp table funnel_events as from ({' union all '.join(selects)}) where unit is not null"
    )
    notes = () if read_first_number(connection, "select count(*) from funnel_events") else ("there are no events",)
    data_end = read_first_number(connection, "select coalesce(max(t), 0) from funnel_events")
    return FunnelEvents(plan, {name: f"p{number}" for number, name in enumerate(plan.columns)}, data_end, notes)


def is_history_needed(plan: FunnelPlan) -> bool:
    """Whether events before the first entry matter."""
    return any(step.is_first_time for step in plan.steps)


def _find_staged_type(column: str) -> str:
    return next(
        found.sql_type for family in EVENT_FAMILIES.values() for found in family.columns if found.name == column
    )


def _build_no_events(file: FunnelFile, plan: FunnelPlan) -> str:
    """SQL of no event, with the types of all columns."""
    columns = "".join(f", null::{_find_staged_type(column)} as p{number}" for number, column in enumerate(plan.columns))
    kind = _find_staged_type(file.spec.unit)
    return f"select null::{kind} as unit, null::bigint as t, null::varchar as event_type{columns} where false"


def _check_contract(file: FunnelFile) -> list[str]:
    """The families whose events have the funnel's unit; those of others are left out.

    Raises SettingsError, with its line, for what no published event has.
    """
    known = list(dict.fromkeys(column.name for family in EVENT_FAMILIES.values() for column in family.columns))
    check_columns(file, file.spec.plan, known, "the event contract")
    unit = file.spec.unit
    families = [name for name, family in EVENT_FAMILIES.items() if unit in (column.name for column in family.columns)]
    event_types = [name for family in EVENT_FAMILIES.values() for name in family.event_types]
    counted = [name for family in families for name in EVENT_FAMILIES[family].event_types]
    for number, name in enumerate(file.spec.ignore):
        if name not in event_types:
            text = f"is not an event type of the contract; {suggest_nearest(name, event_types)}"
            raise file.problem(("ignore", number), name, text.rstrip("; "))
    for key, parts in (("steps", file.spec.steps), ("exclude", file.spec.exclude)):
        for number, part in enumerate(parts):
            if part.event is None or part.event in counted:
                continue
            text = f"is not an event type of the contract; {suggest_nearest(part.event, event_types)}"
            if part.event in event_types:
                text = (
                    f"has no {unit}, which only events of {', '.join(families)} have; "
                    "count a unit that the events of every step have, such as visitor_id"
                )
            raise file.problem((key, number, "event"), part.event, text.rstrip("; "))
    return families


def check_published_funnel(file: FunnelFile, settings: Settings) -> None:
    """Answers the funnel over no events, which finds every fault that does not depend on the data.

    Raises:
        SettingsError: as `load_published`.
        duckdb.Error: the funnel cannot be computed.
    """
    with open_events() as connection:
        events = load_staged(connection, file, settings, {})
        compute_answer(connection, events.plan, events.columns, events.data_end)


def _hash_ids(plan: FunnelPlan, settings: Settings) -> FunnelPlan:
    """The plan with the ids in its conditions hashed, as they are stored."""
    return replace(
        plan,
        steps=tuple(replace(step, filter=_hash_filter(step.filter, settings)) for step in plan.steps),
        exclusions=tuple(replace(each, filter=_hash_filter(each.filter, settings)) for each in plan.exclusions),
    )


def _hash_filter(filter: EventFilter, settings: Settings) -> EventFilter:
    return replace(filter, where=_hash_condition(filter.where, settings))


def _hash_condition(condition: Condition, settings: Settings) -> Condition:
    if not isinstance(condition, PropertyTest):
        parts = tuple(_hash_condition(part, settings) for part in condition.parts)
        return AnyOf(parts) if isinstance(condition, AnyOf) else AllOf(parts)
    kinds = {
        column.kind
        for family in EVENT_FAMILIES.values()
        for column in family.columns
        if column.name == condition.column
    }
    if Kind.IDENTIFIER not in kinds or condition.value is None:
        return condition
    if condition.operator not in (Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN):
        raise ValueError(f"{condition.column} is stored as a hash: only equality can be tested")
    values: Iterable[Any] = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    hashed = tuple(str(hash_identifier(settings, str(value))) for value in values)
    return replace(condition, value=hashed if condition.operator is Operator.IN else hashed[0])
