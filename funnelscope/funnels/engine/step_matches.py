"""Which events can be which steps: the tables that every kind of funnel starts from.

`funnel_events` comes from outside: unit, t (microseconds), event_type and the properties. Here `funnel_matches` is
made of it (keys, t, step), one row an event and step, and, where one event could be several steps, `funnel_instants`
(keys, t, pattern). The keys are the unit, the slice where the breakdown splits a unit, and the track: the value of
the properties that are held constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from funnelscope.funnels.engine.conditions import build_event_sql, quote_text
from funnelscope.funnels.engine.plan import AllOf, Attribution, FunnelPlan, Semantics


@dataclass(frozen=True)
class FunnelWork:
    """One computation.

    Attributes:
        columns: SQL of each property in `funnel_events`.
        is_by_slice: whether each value of the breakdown is a funnel of its own.
        has_patterns: whether `funnel_instants` tells which steps the events of an instant can fill.
    """

    connection: duckdb.DuckDBPyConnection
    plan: FunnelPlan
    columns: Mapping[str, str]
    is_by_slice: bool = False
    has_patterns: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.group, *(["track"] if self.plan.same else []))

    @property
    def group(self) -> tuple[str, ...]:
        """What has one counted attempt."""
        return ("unit", "slice") if self.is_by_slice else ("unit",)

    def list_keys(self, table: str = "") -> str:
        return ", ".join(f"{table}.{key}" if table else key for key in self.keys)

    def match_keys(self, left: str, right: str) -> str:
        return " and ".join(f"{left}.{key} = {right}.{key}" for key in self.keys)

    @property
    def opening_condition(self) -> str:
        """Whether an attempt may open at `t`."""
        start, end = self.plan.entered
        sides = [f"t >= {start}"] if start is not None else []
        sides += [f"t <= {end}"] if end is not None else []
        return " and ".join(sides) or "true"

    def create(self, table: str, query: str) -> None:
        self.connection.execute(f"create or replace temp table {table} as {query}")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.connection.execute(query).fetchall()


def create_step_matches(
    connection: duckdb.DuckDBPyConnection, plan: FunnelPlan, columns: Mapping[str, str], by_slice: bool
) -> FunnelWork:
    """Makes the tables; returns the computation that goes on with them."""
    work = FunnelWork(connection, plan, columns, by_slice)
    if _has_distinct_steps(plan):
        work.create("funnel_matches", _build_distinct_matches(work))
        overlaps = False
    else:
        work.create("funnel_marked", _build_marked(work))
        work.create("funnel_matches", f"select {_list_match_columns(work)}, unnest(steps) as step from funnel_marked")
        overlaps = bool(work.rows("select 1 from funnel_marked where len(steps) > 1 limit 1"))
    if by_slice and plan.breakdown and plan.breakdown.attribution is Attribution.STEP:
        _spread_over_slices(work, plan.breakdown.step)
    has_patterns = plan.semantics is Semantics.STRICT or (overlaps and not plan.is_strictly_later)
    if has_patterns:
        _create_instants(work)
    return FunnelWork(connection, plan, columns, by_slice, has_patterns)


def _has_distinct_steps(plan: FunnelPlan) -> bool:
    """Whether no event can be two steps: their event types differ."""
    names = [step.filter.event for step in plan.steps]
    return None not in names and len(set(names)) == len(names) and plan.semantics is not Semantics.STRICT


def _list_match_columns(work: FunnelWork) -> str:
    value = ["value"] if work.plan.breakdown else []
    return ", ".join([*work.keys, "t", *value])


def _list_row_columns(work: FunnelWork) -> str:
    """The keys, the time and the breakdown's value of an event."""
    plan, columns = work.plan, work.columns
    found = ["unit", "t"]
    if plan.breakdown:
        value = f"coalesce({columns[plan.breakdown.column]}::varchar, '')"
        found += [f"{value} as value", *([f"{value} as slice"] if work.is_by_slice else [])]
    if plan.same:
        # A property that is not set is not held constant: such an event is on no track.
        parts = [f"{columns[name]}::varchar" for name in plan.same]
        known = " and ".join(f"{part} is not null" for part in parts)
        # Text: with a list among its keys, an ASOF join of DuckDB 2.0.0 was seen to lose rows.
        found.append(f"case when {known} then to_json([{', '.join(parts)}])::varchar end as track")
    return ", ".join(found)


def _build_step_conditions(work: FunnelWork) -> list[str]:
    """For each step, whether an event can be it."""
    found = []
    for number in work.plan.numbers:
        step = work.plan.step(number)
        condition = build_event_sql(step.filter, work.columns)
        found.append(f"({condition} and t = first_{number})" if step.is_first_time else condition)
    return found


def _build_events(work: FunnelWork) -> str:
    """The events, with the time of the unit's first one for each step that wants it."""
    firsts = [
        f"min(t) filter (where {build_event_sql(step.filter, work.columns)}) over (partition by unit) as first_{number}"
        for number, step in enumerate(work.plan.steps, start=1)
        if step.is_first_time
    ]
    return f"(select *, {', '.join(firsts)} from funnel_events)" if firsts else "funnel_events"


def _build_distinct_matches(work: FunnelWork) -> str:
    names = ", ".join(quote_text(step.filter.event) for step in work.plan.steps)
    conditions = [
        f"when {number} then {condition}"
        for number, (step, condition) in enumerate(
            zip(work.plan.steps, _build_step_conditions(work), strict=True), start=1
        )
        if step.is_first_time or step.filter.where != AllOf()
    ]
    holds = f"where case step {' '.join(conditions)} else true end" if conditions else ""
    return (
        f"select {_list_match_columns(work)}, step::smallint as step "
        f"from (select {_list_row_columns(work)}, step from ("
        f"select *, list_position([{names}], event_type) as step from {_build_events(work)} "
        f"where event_type in ({names})) {holds})"
    )


def _build_marked(work: FunnelWork) -> str:
    """(keys, t, steps): one row an event that can be a step, with all the steps it can be, in order."""
    cases = ", ".join(
        f"case when {case} then {number} end" for number, case in enumerate(_build_step_conditions(work), start=1)
    )
    steps = "list_filter(steps, lambda step: step is not null)"
    return (
        f"select * from (select * replace ({steps} as steps) from "
        f"(select {_list_row_columns(work)}, [{cases}] as steps from {_build_events(work)})) where len(steps) > 0"
    )


def _spread_over_slices(work: FunnelWork, step: int | None) -> None:
    """For `step:N`: a unit has the slices of its events of step N; all its other steps count for each of them."""
    work.create("funnel_slices", f"select distinct unit, slice from funnel_matches where step = {step}")
    columns = ", ".join(
        "slices.slice" if name == "slice" else f"event.{name}" for name in _list_match_columns(work).split(", ")
    )
    spread = f"select {columns}, {{}} from {{}} event join funnel_slices slices using (unit)"
    query = spread.format("step", "funnel_matches") + f" where step != {step} or event.slice = slices.slice"
    if not _has_distinct_steps(work.plan):
        others = f"list_filter(steps, lambda other: other != {step} or event.slice = slices.slice)"
        work.create(
            "funnel_marked", f"from ({spread.format(f'{others} as steps', 'funnel_marked')}) where len(steps) > 0"
        )
    work.create("funnel_matches", query)


def _create_instants(work: FunnelWork) -> None:
    keys = work.list_keys()
    most = len(work.plan.steps)
    steps = "steps"
    if work.plan.same:  # what is on no track can open an attempt, not go on with one
        steps = "list_filter(steps, lambda step: step = 1 or track is not null)"
    masks = (
        f"select {keys}, t, array_to_string(steps, '.') as mask, count(*) as events "
        f"from (select * replace ({steps} as steps) from funnel_marked) where len(steps) > 0 group by all"
    )
    pattern = f"rtrim(string_agg(repeat(mask || '|', least(events, {most})), '' order by mask), '|')"
    work.create("funnel_instants", f"select {keys}, t, {pattern} as pattern from ({masks}) group by all")
