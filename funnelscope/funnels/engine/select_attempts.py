"""Selects the attempt of a unit that counts: the deepest one, then the one with most steps, then the earliest."""

from collections.abc import Sequence
from dataclasses import dataclass

from funnelscope.funnels.engine import ordered, strict, unordered
from funnelscope.funnels.engine.conditions import build_event_sql
from funnelscope.funnels.engine.entry_days import build_day_sql
from funnelscope.funnels.engine.plan import FunnelPlan, Semantics
from funnelscope.funnels.engine.step_matches import FunnelWork

PATHS = {
    Semantics.ORDERED: ordered.create_paths,
    Semantics.STRICT: strict.create_paths,
    Semantics.UNORDERED: unordered.create_paths,
}


@dataclass(frozen=True)
class SelectedAttempts:
    """The selected attempts, as SQL of relations.

    Attributes:
        units: one row per unit (and slice) with last_step, the times t_1, t_2, … and is_open: whether any of its
            attempts, not only the selected one, can still go on.
        days: (entered_day, step, units), for the attempt selected for each unit (and slice) and day of entry.
        latest: (entered_day, latest_t), the last opening of each day.
    """

    units: str
    days: str
    latest: str


def select_attempts(work: FunnelWork, data_end: int) -> SelectedAttempts:
    """Selects the attempts that count, comparing them only if depth and time do not decide."""
    is_open = f"{{}} + {work.plan.window} > {data_end}"
    if _is_earliest_enough(work.plan):
        selected = _select_earliest(work)
        openings = f"funnel_matches where step = 1 and {work.opening_condition} and {is_open.format('t')}"
    else:
        selected = _select_best(work)
        is_alive = " and is_alive" if work.plan.semantics is Semantics.STRICT else ""
        openings = f"funnel_attempts where {is_open.format('t_1')}{is_alive}"
    group = ", ".join(work.group)
    work.create("funnel_open", f"select distinct {group}, true as is_open from {openings}")
    work.create(
        "funnel_best",
        "select best.*, coalesce(is_open, false) as is_open "
        f"from funnel_best best left join funnel_open using ({group})",
    )
    return selected


def _is_earliest_enough(plan: FunnelPlan) -> bool:
    """Whether only depth and time decide, so that attempts need not be compared."""
    has_optional = any(step.is_optional for step in plan.steps)
    is_compared = has_optional or bool(plan.exclusions) or plan.counts_attempts
    return plan.semantics is Semantics.ORDERED and not is_compared


def _select_earliest(work: FunnelWork) -> SelectedAttempts:
    """Keeps only the earliest attempt of each unit and day that reaches a step.

    Most units never reach the second step. Their openings are aggregated directly, without a join.
    """
    day = build_day_sql(work, "t_1")
    openings = f"(select {work.list_keys()}, t as t_1 from funnel_matches where step = 1 and {work.opening_condition})"
    reached = ordered.advance_attempts(work, only_of_units_that_go_on=True)
    for step in reached:
        attempts = openings if step == 1 else f"({ordered.build_first_candidates(work, step)})"
        dated = f"(select *, {day} as entered_day from {attempts})"
        work.create(f"funnel_first_{step}", f"from {_build_first_paths(dated, (*work.group, 'entered_day'), step)}")
    _create_best(work, reached)
    days = (
        f"select entered_day, {step} as step, count(*) as units from funnel_first_{step} group by all"
        for step in reached
    )
    latest = f"(select {day} as entered_day, max(t_1) as latest_t from {openings} group by all)"
    return SelectedAttempts("funnel_best", f"({' union all '.join(days)})", latest)


def _build_first_paths(attempts: str, keys: Sequence[str], step: int) -> str:
    """The earliest path up to a step, for each value of the keys."""
    listed = ", ".join(keys)
    if step == 1:
        return f"(select {listed}, min(t_1) as t_1 from {attempts} group by all)"
    path = ", ".join(f"t_{number}: t_{number}" for number in range(1, step + 1))
    firsts = f"select {listed}, min({{{path}}}) as path from {attempts} group by all"
    return f"(select {listed}, unnest(path) from ({firsts}))"


def _create_best(work: FunnelWork, reached: Sequence[int]) -> None:
    """Creates `funnel_best`: for each step, the units that got no further.

    One statement per step, because a single one would take long to plan.
    """
    group = ", ".join(work.group)
    for step in reached:
        stopped = f"funnel_first_{step}"
        if step < reached[-1]:
            stopped = f"(from {stopped} anti join funnel_first_{step + 1} using ({group}))"
        times = (f"t_{number}" if number <= step else f"null::bigint as t_{number}" for number in work.plan.numbers)
        paths = _build_first_paths(stopped, work.group, step)
        query = f"select {group}, {step} as last_step, {', '.join(times)} from {paths}"
        if step == 1:
            work.create("funnel_best", query)
        else:
            work.connection.execute(f"insert into funnel_best {query}")


def _select_best(work: FunnelWork) -> SelectedAttempts:
    """Follows every attempt to its end and compares them."""
    PATHS[work.plan.semantics](work)
    if work.plan.exclusions:
        _drop_void(work)
    numbers = work.plan.numbers
    order = _build_order(work.plan)
    group = ", ".join(work.group)
    day = build_day_sql(work, "t_1")
    work.create(
        "funnel_days",
        f"select *, {day} as entered_day from {_build_measured(work.plan)} "
        f"qualify row_number() over (partition by {group}, entered_day order by {order}) = 1",
    )
    work.create(
        "funnel_best",
        f"select * from funnel_days qualify row_number() over (partition by {group} order by {order}) = 1",
    )
    counts = ", ".join(f"count(t_{number})" for number in numbers)
    by_step = f"unnest({list(numbers)}) as step, unnest([{counts}]) as units"
    days = f"(select entered_day, {by_step} from funnel_days group by entered_day)"
    latest = f"(select {day} as entered_day, max(t_1) as latest_t from funnel_attempts group by all)"
    return SelectedAttempts("funnel_best", days, latest)


def _build_measured(plan: FunnelPlan) -> str:
    """SQL of `funnel_attempts` with last_step and matched_steps."""
    last = f"greatest({', '.join(f'case when t_{number} is not null then {number} end' for number in plan.numbers)})"
    matched = " + ".join(f"(t_{number} is not null)::int" for number in plan.numbers)
    return f"(select *, {last} as last_step, {matched} as matched_steps from funnel_attempts)"


def _build_order(plan: FunnelPlan) -> str:
    """The best attempt comes first: the deepest, then the one with most steps, then the earliest."""
    later = "".join(f", t_{number} nulls last" for number in plan.numbers[1:])
    return f"last_step desc, matched_steps desc, t_1{later}"


def create_entries(work: FunnelWork, data_end: int) -> str:
    """Creates `funnel_entries`, like `units` of SelectedAttempts: the attempts of a unit one after another.

    An entry begins with the first opening after the one before has ended. Of the openings within a window from there,
    the best attempt counts. It ends when it completes, or else with that window. So no completed attempt is missed, and
    none counts twice.
    """
    plan, group = work.plan, ", ".join(work.group)
    is_open = f"t_1 + {plan.window} > {data_end}" + (" and is_alive" if plan.semantics is Semantics.STRICT else "")
    work.create("funnel_waiting", f"select *, {is_open} as can_go_on from {_build_measured(plan)}")
    work.create(
        "funnel_entries", "select *, null::bigint as entry_end, false as is_open from funnel_waiting where false"
    )
    while work.rows("select 1 from funnel_waiting limit 1"):
        work.create(
            "funnel_round",
            "select *, bool_or(can_go_on) over units as is_open from ("
            f"select *, min(t_1) over (partition by {group}) + {plan.window} as window_end from funnel_waiting"
            f") where t_1 <= window_end window units as (partition by {group}) "
            f"qualify row_number() over (partition by {group} order by {_build_order(plan)}) = 1",
        )
        work.connection.execute(
            "insert into funnel_entries by name select * exclude (window_end), "
            f"coalesce(t_{plan.required[-1]}, window_end) as entry_end from funnel_round"
        )
        work.create(
            "funnel_waiting",
            f"select waiting.* from funnel_waiting waiting join funnel_round ended using ({group}) "
            f"where waiting.t_1 > coalesce(ended.t_{plan.required[-1]}, ended.window_end)",
        )
    return "funnel_entries"


def _drop_void(work: FunnelWork) -> None:
    """Removes void attempts, and units that a void attempt drops unless another of their attempts completes."""
    plan = work.plan
    for number, exclusion in enumerate(plan.exclusions):
        work.create(
            "funnel_excluding",
            f"select distinct unit, t from funnel_events where {build_event_sql(exclusion.filter, work.columns)}",
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
