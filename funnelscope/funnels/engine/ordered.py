"""Ordered funnels: each step takes the first event after the step before it.

An attempt is known by its keys and its first time. `funnel_at_<step>` holds the attempts that reach the step with the
times so far, found by one ASOF join a step. Only where the next step has a time limit of its own are all candidates of
a step kept: a later one may be near enough where the first is not.
"""

from itertools import pairwise

from funnelscope.funnels.engine.matching import find_runs, is_fillable, parse_pattern
from funnelscope.funnels.engine.step_matches import FunnelWork


def create_paths(work: FunnelWork) -> None:
    """Makes `funnel_attempts`: (keys, t_1, t_2, …), null for a step that was not matched."""
    plan = work.plan
    reached = advance_attempts(work)
    stopped = [_build_stopped(work, previous, step) for previous, step in pairwise(reached)]
    stopped.append(build_first_candidates(work, reached[-1]))
    times = ", ".join(f"t_{number}" if number in reached else f"null::bigint as t_{number}" for number in plan.required)
    selected = " union all by name ".join(f"({query})" for query in stopped)
    work.create("funnel_attempts", f"select {work.list_keys()}, {times} from ({selected})")
    for number in plan.numbers:
        if plan.step(number).is_optional:
            _add_optional(work, number)


def advance_attempts(work: FunnelWork, only_of_units_that_go_on: bool = False) -> tuple[int, ...]:
    """Makes `funnel_at_<step>` for each required step as far as anybody gets; returns these steps, at least the first.

    Openings of units without any event of the second step can be left out.
    """
    if work.has_patterns:
        _create_runs(work)
    required = work.plan.required
    candidates = _build_candidates(work, 1)
    selected = f"{work.list_keys()}, t as t_1{_build_run_end(work)}"
    openings = f"(select {selected} from {candidates} where {work.opening_condition})"
    if only_of_units_that_go_on and len(required) > 1:
        openings = _keep_units_of(work, openings, f"funnel_matches where step = {required[1]}")
    work.create("funnel_at_1", f"from {openings}")
    reached = [1]
    for previous, step in pairwise(required):
        _advance_step(work, previous, step)
        if not work.rows(f"select 1 from funnel_at_{step} limit 1"):
            break  # nobody gets further
        reached.append(step)
    return tuple(reached)


def _create_runs(work: FunnelWork) -> None:
    """(pattern, step, run_end): entering an instant at a step, the last required step that its events can fill."""
    values = [
        f"('{pattern}', {first}, {last})"
        for (pattern,) in work.rows("select distinct pattern from funnel_instants")
        for first, last in find_runs(str(pattern), work.plan)
    ]
    listed = f"values {', '.join(values)}" if values else "select '', 0, 0 where false"
    work.create("funnel_runs", f"select * from ({listed}) as runs(pattern, step, run_end)")


def _build_candidates(work: FunnelWork, step: int) -> str:
    if work.has_patterns:
        return (
            f"(select {work.list_keys()}, t, run_end from funnel_instants join funnel_runs using (pattern) "
            f"where step = {step})"
        )
    return f"(select {work.list_keys()}, t from funnel_matches where step = {step})"


def _build_run_end(work: FunnelWork) -> str:
    return ", run_end" if work.has_patterns else ""


def _keep_units_of(work: FunnelWork, rows: str, others: str) -> str:
    group = ", ".join(work.group)
    return f"(from {rows} semi join (select distinct {group} from {others}) using ({group}))"


def _is_every_time_kept(work: FunnelWork, step: int) -> bool:
    """Whether the step after this one has a limit that a later event of this step might meet."""
    after = [number for number in work.plan.required if number > step]
    return step > 1 and bool(after) and work.plan.step(after[0]).within is not None


def _list_times(work: FunnelWork, last: int) -> list[str]:
    return [f"t_{number}" for number in work.plan.required if number <= last]


def _advance_step(work: FunnelWork, previous: int, step: int) -> None:
    plan = work.plan
    before = f"attempt.t_{previous}"
    known = f"{work.list_keys('attempt')}, {', '.join(f'attempt.{time}' for time in _list_times(work, previous))}"
    later = "<" if plan.is_strictly_later or work.has_patterns else "<="
    limits = [f"next.t <= attempt.t_1 + {plan.window}"]
    if plan.step(step).within is not None:
        limits.append(f"next.t <= {before} + {plan.step(step).within}")
    run_end = ", next.run_end" if work.has_patterns else ""
    candidates = _keep_units_of(work, _build_candidates(work, step), f"funnel_at_{previous}")
    kind = "join" if _is_every_time_kept(work, step) else "asof join"
    source = f"funnel_at_{previous}"
    reached = []
    if work.has_patterns:
        reached.append(
            f"select {known}, {before} as t_{step}, attempt.run_end from {source} attempt "
            f"where attempt.run_end >= {step}"
        )
        if not _is_every_time_kept(work, step):
            source = f"(from {source} where run_end < {step})"
    reached.append(
        f"select {known}, next.t as t_{step}{run_end} from {source} attempt {kind} {candidates} next "
        f"on {work.match_keys('attempt', 'next')} and {before} {later} next.t where {' and '.join(limits)}"
    )
    query = " union all ".join(reached)
    if _is_every_time_kept(work, step) or _is_every_time_kept(work, previous):
        attempt = [*work.keys, "t_1"]
        if _is_every_time_kept(work, step):
            attempt += [f"t_{step}", *(["run_end"] if work.has_patterns else [])]
        query = f"select * from ({query}) {_build_earliest(work, step, attempt)}"
    work.create(f"funnel_at_{step}", query)


def _build_earliest(work: FunnelWork, step: int, attempt: list[str]) -> str:
    """Keeps one row an attempt: the earliest time of the step, then of the steps before it, from the first."""
    order = [f"t_{step}", *_list_times(work, step)[1:], *(["run_end desc"] if work.has_patterns else [])]
    return f"qualify row_number() over (partition by {', '.join(attempt)} order by {', '.join(order)}) = 1"


def build_first_candidates(work: FunnelWork, step: int) -> str:
    """SQL of the attempts that reach a step, one row each."""
    query = f"select * from funnel_at_{step}"
    return f"{query} {_build_earliest(work, step, [*work.keys, 't_1'])}" if _is_every_time_kept(work, step) else query


def _build_stopped(work: FunnelWork, previous: int, step: int) -> str:
    """Attempts that reached the previous step and not this one."""
    reached = f"{work.match_keys('attempt', 'reached')} and attempt.t_1 = reached.t_1"
    candidates = build_first_candidates(work, previous)
    return f"select attempt.* from ({candidates}) attempt anti join funnel_at_{step} reached on {reached}"


# --- Optional steps ------------------------------------------------------------------------------


def _add_optional(work: FunnelWork, step: int) -> None:
    """Adds the step's time: the first instant after the step before it that leaves an event over for it."""
    plan = work.plan
    required = plan.find_required_before(step)
    before = "coalesce(" + ", ".join(f"t_{number}" for number in range(step - 1, required - 1, -1)) + ")"
    after = [f"t_{number}" for number in plan.required if number > step][:1]
    limits = [f"coalesce({', '.join([*after, f't_1 + {plan.window}'])})"]
    if (within := plan.step(step).within) is not None:
        limits.append(f"t_{required} + {within}")
    work.create(
        "funnel_bounded", f"select *, {before} as t_before, least({', '.join(limits)}) as t_limit from funnel_attempts"
    )
    end = after[0] if after else "null::bigint"
    if work.has_patterns:
        time, helpers = _build_shared_instants(work, step, end), "t_before, t_limit, next_t, fits_before, fits_after"
    else:
        time, helpers = _build_own_instant(work, step, end), "t_before, t_limit, next_t"
    work.create("funnel_attempts", f"select * exclude ({helpers}), {time} as t_{step} from funnel_bounded")


def _build_own_instant(work: FunnelWork, step: int, end: str) -> str:
    """SQL of the step's time where no event could be two steps."""
    if work.plan.is_strictly_later:
        work.create("funnel_bounded", _join_next(work, step, "<"))
        return f"case when next_t <= t_limit and ({end} is null or next_t < {end}) then next_t end"
    work.create("funnel_bounded", _join_next(work, step, "<="))
    return "case when next_t <= t_limit then next_t end"


def _join_next(work: FunnelWork, step: int, later: str) -> str:
    return (
        "select attempt.*, next.t as next_t from funnel_bounded attempt "
        f"asof left join {_build_step_times(work, step)} next "
        f"on {work.match_keys('attempt', 'next')} and attempt.t_before {later} next.t"
    )


def _build_step_times(work: FunnelWork, step: int) -> str:
    return f"(select {work.list_keys()}, t from funnel_matches where step = {step})"


def _build_shared_instants(work: FunnelWork, step: int, end: str) -> str:
    """SQL of the step's time where events of one instant could be several steps.

    At the instants of the steps before and after it, what they leave over counts; in between, any event.
    """
    work.create("funnel_bounded", _join_next(work, step, "<"))
    for name, time in (("fits_before", "t_before"), ("fits_after", end)):
        numbers = [number for number in work.plan.numbers if number == step or _is_known(work, number, step)]
        filled = ", ".join(
            f"case when {'true' if number == step else f't_{number} = {time}'} then {number} end" for number in numbers
        )
        steps = f"array_to_string(list_filter([{filled}], lambda step: step is not null), '.')"
        at_time = (
            f"{work.match_keys('attempt', 'instant')} and instant.t = attempt.{time}"
            if time != "null::bigint"
            else "false"
        )
        work.create(
            "funnel_sharing",
            f"select attempt.*, instant.pattern, {steps} as steps from funnel_bounded attempt "
            f"left join funnel_instants instant on {at_time}",
        )
        _create_fits(work)
        work.create(
            "funnel_bounded",
            f"select sharing.* exclude (pattern, steps), coalesce(is_fillable, false) as {name} "
            "from funnel_sharing sharing left join funnel_fits using (pattern, steps)",
        )
    return (
        f"case when fits_before and t_before <= t_limit then t_before "
        f"when next_t <= t_limit and ({end} is null or next_t < {end}) then next_t "
        f"when fits_after and t_before < {end} and {end} <= t_limit then {end} end"
    )


def _is_known(work: FunnelWork, number: int, step: int) -> bool:
    return not work.plan.step(number).is_optional or number < step


def _is_pattern_fillable(pattern: str, steps: str) -> bool:
    return is_fillable(parse_pattern(pattern), [int(step) for step in steps.split(".")])


def _create_fits(work: FunnelWork) -> None:
    asked = work.rows("select distinct pattern, steps from funnel_sharing where pattern is not null")
    values = [f"('{pattern}', '{steps}', {_is_pattern_fillable(str(pattern), str(steps))})" for pattern, steps in asked]
    listed = f"values {', '.join(values)}" if values else "select '', '', false where false"
    work.create("funnel_fits", f"select * from ({listed}) as fits(pattern, steps, is_fillable)")
