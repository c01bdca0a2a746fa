"""From a plan and `funnel_events` to the answer: counts and times of the selected attempts at each step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import duckdb

from funnelscope.funnels.engine.plan import Attribution, FunnelPlan, Semantics
from funnelscope.funnels.engine.select_attempts import SelectedAttempts, create_entries, select_attempts
from funnelscope.funnels.engine.step_matches import FunnelWork, create_step_matches

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class StepCounts:
    """The counts of one step. `units` = `converted` + `lost` + `pending`. Seconds are those since the previous step."""

    step: int
    units: int
    converted: int
    lost: int
    pending: int
    mean_seconds: float | None
    median_seconds: float | None
    p90_seconds: float | None
    attempts: "AttemptCounts | None" = None


@dataclass(frozen=True)
class AttemptCounts:
    """Attempts one after another at a step: `attempts` = `converted` + `lost` + `pending`."""

    attempts: int
    converted: int
    lost: int
    pending: int


@dataclass(frozen=True)
class TotalTime:
    """The seconds from the first step to the last one that is not optional, over the attempts that reached it."""

    mean_seconds: float | None
    median_seconds: float | None
    p90_seconds: float | None


@dataclass(frozen=True)
class NamedOpenings:
    """How many of the events that can be step 1 have a value of the breakdown's property, of how many."""

    named: int
    events: int


@dataclass(frozen=True)
class DayCounts:
    """Units that entered on a day, at each step. Mature once every window of the day has closed."""

    entered: str
    units: tuple[int, ...]
    is_mature: bool


@dataclass(frozen=True)
class FunnelAnswer:
    """The answer of a funnel.

    Attributes:
        steps: the counts of all units.
        trend: the counts by day of entry.
        total: the time of the whole funnel.
        breakdown: the steps by slice, if the plan asks for one.
        breakdown_totals: the time of the whole funnel by slice.
        named_openings: whether the slices are known when an attempt opens; None without a breakdown or an order.
        units_by_step: the units of each step, if they were asked for.
    """

    steps: tuple[StepCounts, ...]
    trend: tuple[DayCounts, ...]
    total: TotalTime
    breakdown: Mapping[str, tuple[StepCounts, ...]] | None
    breakdown_totals: Mapping[str, TotalTime] | None
    named_openings: NamedOpenings | None
    units_by_step: Mapping[int, tuple[object, ...]] | None


def compute_answer(
    connection: duckdb.DuckDBPyConnection,
    plan: FunnelPlan,
    columns: Mapping[str, str],
    data_end: int,
    with_units: bool = False,
) -> FunnelAnswer:
    """Computes the funnel over the table or view `funnel_events` (unit, t, event_type and the properties).

    Args:
        columns: SQL of each property, over `funnel_events`.
        data_end: the last instant that the events cover, in microseconds; windows beyond it are still open.
        with_units: whether to list the units of each step.
    """
    work = create_step_matches(connection, plan, columns, by_slice=False)
    counted = select_attempts(work, data_end)
    nobody = tuple(_build_empty_step(number) for number in plan.numbers)
    if plan.counts_attempts:
        nobody = _add_attempts(nobody, nobody)
    entries = create_entries(work, data_end) if plan.counts_attempts else ""
    steps = _count_steps(work, counted.units, entries).get(None, nobody)
    total = _measure_totals(work, counted.units)[None]
    trend = _compute_trend(work, counted, data_end)
    units = _list_units(work, counted) if with_units else None
    named = _count_named_openings(work)
    breakdown, totals = _compute_breakdown(work, counted, data_end)  # replaces the tables
    return FunnelAnswer(steps, trend, total, breakdown, totals, named, units)


def _build_empty_step(step: int) -> StepCounts:
    return StepCounts(step, 0, 0, 0, 0, None, None, None)


def _count_steps(
    work: FunnelWork, attempts: str, entries: str, slice: str = "null"
) -> dict[object, tuple[StepCounts, ...]]:
    """The counts of each slice; under the key None if there are no slices. `entries` is empty if they do not count."""
    plan = work.plan
    entered = _count_steps(work, entries, "", slice) if entries else {}
    found: dict[object, dict[int, StepCounts]] = {}
    for number in plan.numbers:
        seconds = f"(t_{number} - {_build_time_before_sql(plan, number)}) / {MICROSECONDS}"
        converted = f"(last_step > {number} or t_{plan.required[-1]} is not null)"
        rows = work.rows(
            f"select slice, units, converted, units - converted - pending, pending, mean, median, p90 from ("
            f"select {slice} as slice, count(*) as units, count(*) filter (where {converted}) as converted, "
            f"count(*) filter (where not {converted} and is_open) as pending, "
            f"avg({seconds}) as mean, quantile_cont({seconds}, 0.5) as median, quantile_cont({seconds}, 0.9) as p90 "
            f"from {attempts} where t_{number} is not null group by slice)"
        )
        for name, *counts in rows:
            found.setdefault(name, {})[number] = StepCounts(number, *counts)  # type: ignore[arg-type]
    counted = {
        name: tuple(steps.get(number) or _build_empty_step(number) for number in plan.numbers)
        for name, steps in found.items()
    }
    return {name: _add_attempts(steps, entered[name]) for name, steps in counted.items()} if entries else counted


def _add_attempts(steps: tuple[StepCounts, ...], entered: tuple[StepCounts, ...]) -> tuple[StepCounts, ...]:
    return tuple(
        replace(step, attempts=AttemptCounts(entry.units, entry.converted, entry.lost, entry.pending))
        for step, entry in zip(steps, entered, strict=True)
    )


def _measure_totals(work: FunnelWork, attempts: str, slice: str = "null") -> dict[object, TotalTime]:
    """The time of the whole funnel in each slice; under the key None if there are no slices."""
    last = work.plan.required[-1]
    seconds = f"(t_{last} - t_1) / {MICROSECONDS}" if last > 1 else "null::double"
    rows = work.rows(
        f"select slice, avg(seconds), quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.9) from "
        f"(select {slice} as slice, {seconds} as seconds from {attempts}) group by slice"
    )
    found = {name: TotalTime(*times) for name, *times in rows}  # type: ignore[arg-type]
    return found if slice != "null" else {None: TotalTime(None, None, None), **found}


def _count_named_openings(work: FunnelWork) -> NamedOpenings | None:
    if work.plan.breakdown is None or work.plan.semantics is Semantics.UNORDERED:
        return None
    ((named, events),) = work.rows(
        f"select count(*) filter (where value != ''), count(*) from funnel_matches "
        f"where step = 1 and {work.opening_condition}"
    )
    return NamedOpenings(int(str(named)), int(str(events)))


def _build_time_before_sql(plan: FunnelPlan, number: int) -> str:
    """SQL of the time of the previous matched step, at the latest the last one that is not optional."""
    if number == 1:
        return "null"
    return (
        f"coalesce({', '.join(f't_{other}' for other in range(number - 1, plan.find_required_before(number) - 1, -1))})"
    )


def _compute_trend(work: FunnelWork, counted: SelectedAttempts, data_end: int) -> tuple[DayCounts, ...]:
    rows = work.rows(
        f"select (date '1970-01-01' + entered_day)::varchar, latest_t + {work.plan.window} <= {data_end}, step, units "
        f"from {counted.days} join {counted.latest} using (entered_day) order by entered_day, step"
    )
    found = []
    for (day, is_mature), steps in groupby(rows, key=itemgetter(0, 1)):
        units = {step: int(str(count)) for _, _, step, count in steps}
        found.append(DayCounts(str(day), tuple(units.get(number, 0) for number in work.plan.numbers), bool(is_mature)))
    return tuple(found)


def _list_units(work: FunnelWork, counted: SelectedAttempts) -> dict[int, tuple[object, ...]]:
    found = {}
    for number in work.plan.numbers:
        rows = work.rows(f"select unit from {counted.units} where t_{number} is not null order by unit")
        found[number] = tuple(unit for (unit,) in rows)
    return found


def _compute_breakdown(
    work: FunnelWork, counted: SelectedAttempts, data_end: int
) -> tuple[dict[str, tuple[StepCounts, ...]] | None, dict[str, TotalTime] | None]:
    by = work.plan.breakdown
    if by is None:
        return None, None
    if by.attribution in (Attribution.ALL, Attribution.STEP):
        work = create_step_matches(work.connection, work.plan, work.columns, by_slice=True)
        attempts, slice = select_attempts(work, data_end).units, "slice"
        entries = create_entries(work, data_end) if work.plan.counts_attempts else ""
    else:
        edge = "min" if by.attribution is Attribution.FIRST else "max"
        attempts, slice = _create_touched(work, counted.units, "funnel_touched", edge), "touched"
        entries = ""
        if work.plan.counts_attempts:
            entries = _create_touched(work, "funnel_entries", "funnel_touched_entries", edge)
    found, totals = _count_steps(work, attempts, entries, slice), _measure_totals(work, attempts, slice)
    values = sorted(found, key=str)
    return {str(value): found[value] for value in values}, {str(value): totals[value] for value in values}


def _create_touched(work: FunnelWork, attempts: str, table: str, edge: str) -> str:
    """Creates `table`: the attempts with their slice: the first or last value among the events of their steps."""
    start = work.plan.entered[0]
    since = f"and t >= {start}" if start is not None else ""
    work.create(
        table,
        f"select best.*, coalesce(touch.value, '') as touched from {attempts} best left join ("
        f"select unit, min(value) as value from (select unit, value, t, {edge}(t) over (partition by unit) as edge "
        f"from funnel_matches where value != '' {since}) where t = edge group by unit) touch using (unit)",
    )
    return table
