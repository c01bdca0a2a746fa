"""Which attempt of a unit counts: the deepest; of equally deep ones that with more steps, then the earliest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sql.funnel import ordered, strict, unordered
from sql.funnel.conditions import event_sql
from sql.funnel.days import day_sql
from sql.funnel.marking import Work
from sql.funnel.plan import Plan, Semantics

PATHS = {
    Semantics.ORDERED: ordered.create_paths,
    Semantics.STRICT: strict.create_paths,
    Semantics.UNORDERED: unordered.create_paths,
}


@dataclass(frozen=True)
class Counted:
    """The attempts that count: SQL of relations with last_step and the times t_1, t_2, …

    Attributes:
        units: one row a unit (and slice).
        days: one row a unit (and slice) and `entered_day`, the day on which the attempt opened.
        latest: (entered_day, latest_t), the last opening of each day.
    """

    units: str
    days: str
    latest: str


def count(work: Work) -> Counted:
    return _earliest(work) if _earliest_is_enough(work.plan) else _best(work)


# --- The earliest of the deepest -----------------------------------------------------------------


def _earliest_is_enough(plan: Plan) -> bool:
    """Whether nothing but depth and time decides, so that no two attempts need be compared."""
    has_optional = any(step.is_optional for step in plan.steps)
    return plan.semantics is Semantics.ORDERED and not has_optional and not plan.exclusions


def _earliest(work: Work) -> Counted:
    """Of all attempts that reach a step, only the earliest of each unit and day is kept.

    Most units never reach the second step: their openings are put together at once, and no join ever sees them.
    """
    day = day_sql(work, "t_1")
    openings = f"(select {work.key_list()}, t as t_1 from funnel_matches where step = 1 and {work.opens})"
    reached = ordered.advance(work, only_of_units_that_go_on=True)
    days = (*work.group, "entered_day")
    for step in reached:
        attempts = openings if step == 1 else f"({ordered.first_candidates(work, step)})"
        dated = f"(select *, {day} as entered_day from {attempts})"
        work.create(f"funnel_first_{step}", f"from {_first_paths(dated, days, step)}")
    stopped_on_day = {step: _stopped(step, reached, days) for step in reached}
    stopped = {step: _first_paths(_stopped(step, reached, work.group), work.group, step) for step in reached}
    return Counted(
        _together(work, stopped, work.group),
        _together(work, stopped_on_day, days),
        f"(select {day} as entered_day, max(t_1) as latest_t from {openings} group by all)",
    )


def _first_paths(attempts: str, keys: Sequence[str], step: int) -> str:
    """The earliest path up to a step, for each value of the keys."""
    listed = ", ".join(keys)
    if step == 1:
        return f"(select {listed}, min(t_1) as t_1 from {attempts} group by all)"
    path = ", ".join(f"t_{number}: t_{number}" for number in range(1, step + 1))
    firsts = f"select {listed}, min({{{path}}}) as path from {attempts} group by all"
    return f"(select {listed}, unnest(path) from ({firsts}))"


def _stopped(step: int, reached: Sequence[int], keys: Sequence[str]) -> str:
    """The earliest paths up to a step of those that got no further."""
    if step == reached[-1]:
        return f"funnel_first_{step}"
    return f"(from funnel_first_{step} anti join funnel_first_{step + 1} using ({', '.join(keys)}))"


def _together(work: Work, stopped: Mapping[int, str], keys: Sequence[str]) -> str:
    """Of each step those who stopped there, with no time at the steps beyond."""
    parts = []
    for step, paths in stopped.items():
        times = (f"t_{number}" if number <= step else f"null::bigint as t_{number}" for number in work.plan.numbers)
        parts.append(f"select {', '.join(keys)}, {step} as last_step, {', '.join(times)} from {paths}")
    return f"({' union all '.join(parts)})"


# --- The best of all -----------------------------------------------------------------------------


def _best(work: Work) -> Counted:
    """Every attempt is followed to its end, and they are compared."""
    PATHS[work.plan.semantics](work)
    if work.plan.exclusions:
        _drop_void(work)
    numbers = work.plan.numbers
    last = f"greatest({', '.join(f'case when t_{number} is not null then {number} end' for number in numbers)})"
    matched = " + ".join(f"(t_{number} is not null)::int" for number in numbers)
    order = f"last_step desc, matched_steps desc, t_1{''.join(f', t_{number} nulls last' for number in numbers[1:])}"
    group = ", ".join(work.group)
    day = day_sql(work, "t_1")
    work.create(
        "funnel_days",
        f"select *, {day} as entered_day, {last} as last_step, {matched} as matched_steps from funnel_attempts "
        f"qualify row_number() over (partition by {group}, entered_day order by {order}) = 1",
    )
    work.create(
        "funnel_best",
        f"select * from funnel_days qualify row_number() over (partition by {group} order by {order}) = 1",
    )
    latest = f"(select {day} as entered_day, max(t_1) as latest_t from funnel_attempts group by all)"
    return Counted("funnel_best", "funnel_days", latest)


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
