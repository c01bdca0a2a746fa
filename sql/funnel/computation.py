"""From a plan and `funnel_events` to what counts: one attempt a unit, and one a unit and day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from sql.funnel import ordered, strict, unordered
from sql.funnel.conditions import event_sql
from sql.funnel.marking import Work, mark
from sql.funnel.plan import Attribution, Plan, Semantics

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
PATHS = {
    Semantics.ORDERED: ordered.create_paths,
    Semantics.STRICT: strict.create_paths,
    Semantics.UNORDERED: unordered.create_paths,
}


@dataclass(frozen=True)
class StepCounts:
    """One step. `units` = `converted` + `lost` + `pending`; seconds are those since the step before."""

    step: int
    units: int
    converted: int
    lost: int
    pending: int
    mean_seconds: float | None
    median_seconds: float | None
    p90_seconds: float | None


@dataclass(frozen=True)
class DayCounts:
    """Units that entered on a day, at each step; mature once every window of the day has closed."""

    entered: str
    units: tuple[int, ...]
    is_mature: bool


@dataclass(frozen=True)
class Answer:
    steps: tuple[StepCounts, ...]
    trend: tuple[DayCounts, ...]
    breakdown: Mapping[str, tuple[StepCounts, ...]] | None
    units_by_step: Mapping[int, tuple[object, ...]] | None


def compute(
    connection: duckdb.DuckDBPyConnection, plan: Plan, columns: Mapping[str, str], with_units: bool = False
) -> Answer:
    """The funnel over the table or view `funnel_events` (unit, t, event_type and the properties).

    Args:
        columns: SQL of each property, over `funnel_events`.
        with_units: whether to name the units of each step.
    """
    data_end = _first(connection, "select coalesce(max(t), 0) from funnel_events")
    work = mark(connection, plan, columns, by_slice=False)
    _create_best(work)
    steps = _step_counts(work, data_end).get(None) or tuple(
        StepCounts(n, 0, 0, 0, 0, None, None, None) for n in plan.numbers
    )
    trend = _trend(work, data_end)
    units = _units(work) if with_units else None
    return Answer(steps, trend, _breakdown(work, data_end), units)


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


# --- Which attempt counts ------------------------------------------------------------------------


def _create_best(work: Work) -> None:
    """Makes `funnel_days` and `funnel_best`: the attempt that counts, by unit and day and by unit."""
    PATHS[work.plan.semantics](work)
    if work.plan.exclusions:
        _drop_void(work)
    numbers = work.plan.numbers
    last = f"greatest({', '.join(f'case when t_{number} is not null then {number} end' for number in numbers)})"
    matched = " + ".join(f"(t_{number} is not null)::int" for number in numbers)
    best = f"last_step desc, matched_steps desc, t_1{''.join(f', t_{number} nulls last' for number in numbers[1:])}"
    group = ", ".join(work.group)
    work.create(
        "funnel_days",
        f"select *, max(t_1) over (partition by entered_day) as latest_t, "
        f"{last} as last_step, {matched} as matched_steps "
        f"from (select *, {_day(work, 't_1')} as entered_day from funnel_attempts) "
        f"qualify row_number() over (partition by {group}, entered_day order by {best}) = 1",
    )
    work.create(
        "funnel_best",
        f"select * from funnel_days qualify row_number() over (partition by {group} order by {best}) = 1",
    )


def _drop_void(work: Work) -> None:
    """Takes out void attempts, and units that a void attempt drops unless another of theirs completes."""
    plan = work.plan
    for number, exclusion in enumerate(plan.exclusions):
        work.create(
            "funnel_excluding",
            f"select distinct unit, t from funnel_events where {event_sql(exclusion.filter, work.columns)}",
        )
        end = (
            f"coalesce({', '.join(f't_{step}' for step in plan.numbers[exclusion.to_step - 1 :])}, t_1 + {plan.window})"
        )
        work.create(
            "funnel_attempts",
            f"select attempt.*, coalesce(void.t < {end}, false) as is_void_{number} "
            f"from funnel_attempts attempt asof left join funnel_excluding void "
            f"on attempt.unit = void.unit and attempt.t_{exclusion.from_step} < void.t",
        )
    everyone = [f"is_void_{number}" for number in range(len(plan.exclusions))]
    dropping = [f"is_void_{number}" for number, exclusion in enumerate(plan.exclusions) if exclusion.drops_unit]
    is_kept = f"not ({' or '.join(everyone)})"
    is_dropped = "false"
    if dropping:
        completes = f"{is_kept} and t_{plan.required[-1]} is not null"
        is_dropped = f"bool_or({' or '.join(dropping)}) over units and not bool_or({completes}) over units"
    work.create(
        "funnel_attempts",
        f"select * exclude (is_dropped) from (select *, {is_dropped} as is_dropped from funnel_attempts "
        f"window units as (partition by {', '.join(work.group)})) where {is_kept} and not is_dropped",
    )


def _day(work: Work, time: str) -> str:
    """SQL of the day number of a time, on the funnel's clock.

    The zone's offset is written out for the time that the data cover: converting every time by its name costs more
    than the funnel does.
    """
    row = work.connection.execute("select min(t_1), max(t_1) from funnel_attempts").fetchone()
    if not row or row[0] is None:
        return "0"
    zone = ZoneInfo(work.plan.time_zone)
    changes = _offsets(zone, *row)
    cases = "".join(f"when {time} < {until} then {offset} " for until, offset in changes[:-1])
    offset = f"case {cases}else {changes[-1][1]} end" if cases else str(changes[-1][1])
    return f"floor(({time} + {offset}) / {DAY})::int"


def _offsets(zone: ZoneInfo, start: int, end: int) -> list[tuple[int, int]]:
    """(until, offset) in microseconds, in order; the last one holds to the end."""
    found: list[tuple[int, int]] = []
    hour = 3600 * MICROSECONDS
    time = start // hour * hour
    offset = _offset(zone, time)
    while time <= end:
        step = DAY if _offset(zone, time + DAY) == offset else hour // 4
        time += step
        if _offset(zone, time) != offset:
            found.append((time, offset))
            offset = _offset(zone, time)
    return [*found, (time, offset)]


def _offset(zone: ZoneInfo, time: int) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    return (zone.utcoffset(moment.astimezone(zone)) or timedelta()) // timedelta(microseconds=1)


# --- What is counted -----------------------------------------------------------------------------


def _step_counts(
    work: Work, data_end: int, table: str = "funnel_best", slice: str = "null"
) -> dict[object, tuple[StepCounts, ...]]:
    """The rows of each slice; of the only one, called None, where there are none."""
    plan = work.plan
    is_open = f"t_1 + {plan.window} > {data_end}"
    if plan.semantics is Semantics.STRICT:
        is_open += " and is_alive"
    found: dict[object, list[StepCounts]] = {}
    for number in plan.numbers:
        before = _time_before(plan, number)
        seconds = f"(t_{number} - {before}) / {MICROSECONDS}"
        converted = f"(last_step > {number} or t_{plan.required[-1]} is not null)"
        rows = work.rows(
            f"select slice, units, converted, units - converted - pending, pending, mean, median, p90 from ("
            f"select {slice} as slice, count(t_{number}) as units, "
            f"count(*) filter (where t_{number} is not null and {converted}) as converted, "
            f"count(*) filter (where t_{number} is not null and not {converted} and {is_open}) as pending, "
            f"avg({seconds}) as mean, quantile_cont({seconds}, 0.5) as median, quantile_cont({seconds}, 0.9) as p90 "
            f"from {table} group by slice)"
        )
        for name, *counts in rows:
            found.setdefault(name, []).append(StepCounts(number, *counts))  # type: ignore[arg-type]
    return {name: tuple(steps) for name, steps in found.items()}


def _time_before(plan: Plan, number: int) -> str:
    """SQL of the time of the matched step before: at the latest that of the last one that is not optional."""
    if number == 1:
        return "null"
    return f"coalesce({', '.join(f't_{other}' for other in range(number - 1, plan.required_before(number) - 1, -1))})"


def _trend(work: Work, data_end: int) -> tuple[DayCounts, ...]:
    counts = ", ".join(f"count(t_{number})" for number in work.plan.numbers)
    rows = work.rows(
        "select (date '1970-01-01' + entered_day)::varchar, "
        f"max(latest_t) + {work.plan.window} <= {data_end}, {counts} "
        "from funnel_days group by entered_day order by entered_day"
    )
    return tuple(DayCounts(str(day), tuple(units), bool(is_mature)) for day, is_mature, *units in rows)  # type: ignore[arg-type]


def _units(work: Work) -> dict[int, tuple[object, ...]]:
    return {
        number: tuple(
            unit for (unit,) in work.rows(f"select unit from funnel_best where t_{number} is not null order by unit")
        )
        for number in work.plan.numbers
    }


# --- By slice ------------------------------------------------------------------------------------


def _breakdown(work: Work, data_end: int) -> dict[str, tuple[StepCounts, ...]] | None:
    by = work.plan.breakdown
    if by is None:
        return None
    if by.attribution in (Attribution.ALL, Attribution.STEP):
        work = mark(work.connection, work.plan, work.columns, by_slice=True)
        _create_best(work)
        found = _step_counts(work, data_end, slice="slice")
    else:
        _create_touched(work, "min" if by.attribution is Attribution.FIRST else "max")
        found = _step_counts(work, data_end, "funnel_touched", "touched")
    return {str(value): found[value] for value in sorted(found, key=str)}


def _create_touched(work: Work, edge: str) -> None:
    """`funnel_best` with the slice of each unit: the first or last value that an event of a step names."""
    start = work.plan.entered[0]
    since = f"and t >= {start}" if start is not None else ""
    work.create(
        "funnel_touched",
        f"select best.*, coalesce(touch.value, '') as touched from funnel_best best left join ("
        f"select unit, min(value) as value from (select unit, value, t, {edge}(t) over (partition by unit) as edge "
        f"from funnel_matches where value != '' {since}) where t = edge group by unit) touch using (unit)",
    )
