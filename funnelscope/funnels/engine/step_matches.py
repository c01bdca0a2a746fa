"""Determines which events can be which steps: the tables from which every kind of funnel starts.

`funnel_events` is given: unit, t (microseconds), event_type and the properties. This module derives `funnel_matches`
(keys, t, step), one row per event and step, and, if one event can be several steps, `funnel_instants` (keys, t,
pattern). The keys are the unit, the slice if the breakdown splits a unit, and the track: the value of the properties
that are held constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from funnelscope.funnels.engine.conditions import ListProperty, build_event_sql, quote_text
from funnelscope.funnels.engine.plan import AllOf, Attribution, Breakdown, FunnelPlan, Semantics


@dataclass(frozen=True)
class FunnelWork:
    """One computation.

    Attributes:
        columns: SQL of each property in `funnel_events`.
        is_by_slice: whether each value of the breakdown is a funnel of its own.
        has_patterns: whether `funnel_instants` holds the steps that the events of an instant can fill.
    """

    connection: duckdb.DuckDBPyConnection
    plan: FunnelPlan
    columns: Mapping[str, str]
    is_by_slice: bool = False
    has_patterns: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that must be equal for all events of an attempt."""
        return (*self.group, *(["track"] if self.plan.same else []))

    @property
    def group(self) -> tuple[str, ...]:
        """The columns for each value of which one attempt is selected."""
        return ("unit", "slice") if self.is_by_slice else ("unit",)

    def list_keys(self, table: str = "") -> str:
        """The keys as a comma-separated list, qualified with `table` if given."""
        return ", ".join(f"{table}.{key}" if table else key for key in self.keys)

    def match_keys(self, left: str, right: str) -> str:
        """SQL condition that the keys of two tables are equal."""
        return " and ".join(f"{left}.{key} = {right}.{key}" for key in self.keys)

    @property
    def opening_condition(self) -> str:
        """SQL condition for the times `t` at which an attempt may open."""
        start, end = self.plan.entered
        sides = [f"t >= {start}"] if start is not None else []
        sides += [f"t <= {end}"] if end is not None else []
        return " and ".join(sides) or "true"

    @property
    def events(self) -> str:
        """SQL of the events, without those that the funnel ignores."""
        if not self.plan.ignored:
            return "funnel_events"
        ignored = ", ".join(quote_text(name) for name in self.plan.ignored)
        return f"(from funnel_events where coalesce(event_type not in ({ignored}), true))"

    def create(self, table: str, query: str) -> None:
        """Creates or replaces a temporary table from a query."""
        self.connection.execute(f"create or replace temp table {table} as {query}")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """All rows of a query."""
        return self.connection.execute(query).fetchall()


def create_step_matches(
    connection: duckdb.DuckDBPyConnection, plan: FunnelPlan, columns: Mapping[str, str], by_slice: bool
) -> FunnelWork:
    """Creates the tables and returns the computation to continue with."""
    columns = _mark_lists(connection, columns)
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


def _mark_lists(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str]) -> dict[str, str]:
    """The SQL of each property, of a ListProperty where it is a list."""
    if not columns:
        return {}
    listed = ", ".join(f"{column} as p{number}" for number, column in enumerate(columns.values()))
    kinds = [row[1] for row in connection.execute(f"describe select {listed} from funnel_events").fetchall()]
    return {
        name: ListProperty(column) if str(kind).endswith("]") else column
        for (name, column), kind in zip(columns.items(), kinds, strict=True)
    }


def _has_distinct_steps(plan: FunnelPlan) -> bool:
    """Whether no event can be two steps, because their event types differ."""
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
        value = _build_value_sql(columns[plan.breakdown.column], plan.breakdown if work.is_by_slice else None)
        found += [f"{value} as value", *([f"{value} as slice"] if work.is_by_slice else [])]
    if plan.same:
        # A property without a value is not held constant: such an event is on no track.
        parts = [f"{columns[name]}::varchar" for name in plan.same]
        known = " and ".join(f"{part} is not null" for part in parts)
        # Text, because ASOF joins of DuckDB 2.0.0 were seen to lose rows with a list among their keys.
        found.append(f"case when {known} then to_json([{', '.join(parts)}])::varchar end as track")
    return ", ".join(found)


def _build_value_sql(column: str, slicing: Breakdown | None) -> str:
    """SQL of the breakdown's value. `slicing`: the breakdown, if each of its values is a funnel of its own.

    Of a list this is each member then (for `step:N` all of them, to be spread later), else the smallest.
    """
    if not isinstance(column, ListProperty):
        return f"coalesce({column}::varchar, '')"
    members = f"list_filter({column}, lambda member: member != '')"
    if slicing is None:
        return f"coalesce(list_min({members}), '')"
    every = f"case when len({members}) > 0 then list_distinct({members}) else [''] end"
    return every if slicing.attribution is Attribution.STEP else f"unnest({every})"


def _build_step_conditions(work: FunnelWork) -> list[str]:
    """For each step, the condition for events that can be it."""
    found = []
    for number in work.plan.numbers:
        step = work.plan.step(number)
        condition = build_event_sql(step.filter, work.columns)
        found.append(f"({condition} and t = first_{number})" if step.is_first_time else condition)
    return found


def _build_events(work: FunnelWork) -> str:
    """The events, with the time of the unit's first one for each step that needs it."""
    firsts = [
        f"min(t) filter (where {build_event_sql(step.filter, work.columns)}) over (partition by unit) as first_{number}"
        for number, step in enumerate(work.plan.steps, start=1)
        if step.is_first_time
    ]
    return f"(select *, {', '.join(firsts)} from {work.events})" if firsts else work.events


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
    """(keys, t, steps): one row per event that can be a step, with all its possible steps, in order."""
    cases = ", ".join(
        f"case when {case} then {number} end" for number, case in enumerate(_build_step_conditions(work), start=1)
    )
    steps = "list_filter(steps, lambda step: step is not null)"
    return (
        f"select * from (select * replace ({steps} as steps) from "
        f"(select {_list_row_columns(work)}, [{cases}] as steps from {_build_events(work)})) where len(steps) > 0"
    )


def _spread_over_slices(work: FunnelWork, step: int | None) -> None:
    """For `step:N`: a unit has the slices of its events of step N. Its events of other steps count in each of them."""
    assert work.plan.breakdown
    is_list = isinstance(work.columns[work.plan.breakdown.column], ListProperty)
    each = "unnest(slice) as slice" if is_list else "slice"
    is_of_slice = "list_contains(event.slice, slices.slice)" if is_list else "event.slice = slices.slice"
    work.create("funnel_slices", f"select distinct unit, {each} from funnel_matches where step = {step}")
    columns = ", ".join(
        "slices.slice" if name == "slice" else f"event.{name}" for name in _list_match_columns(work).split(", ")
    )
    spread = f"select {columns}, {{}} from {{}} event join funnel_slices slices using (unit)"
    query = spread.format("step", "funnel_matches") + f" where step != {step} or {is_of_slice}"
    if not _has_distinct_steps(work.plan):
        others = f"list_filter(steps, lambda other: other != {step} or {is_of_slice})"
        work.create(
            "funnel_marked", f"from ({spread.format(f'{others} as steps', 'funnel_marked')}) where len(steps) > 0"
        )
    work.create("funnel_matches", query)


def _create_instants(work: FunnelWork) -> None:
    keys = work.list_keys()
    most = len(work.plan.steps)
    steps = "steps"
    if work.plan.same:  # an event on no track can open an attempt, not continue one
        steps = "list_filter(steps, lambda step: step = 1 or track is not null)"
    masks = (
        f"select {keys}, t, array_to_string(steps, '.') as mask, count(*) as events "
        f"from (select * replace ({steps} as steps) from funnel_marked) where len(steps) > 0 group by all"
    )
    pattern = f"rtrim(string_agg(repeat(mask || '|', least(events, {most})), '' order by mask), '|')"
    work.create("funnel_instants", f"select {keys}, t, {pattern} as pattern from ({masks}) group by all")
