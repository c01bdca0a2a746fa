"""Strict funnels: each step takes the very next event of the unit, of whatever type.

An attempt goes from instant to instant. Events of one instant may be in any order. Before the first step and after the
last one, an instant may hold other events, but an instant in between must be filled completely by steps.
"""

from funnelscope.funnels.engine.matching import find_fills, find_furthest_step
from funnelscope.funnels.engine.step_matches import FunnelWork


def create_paths(work: FunnelWork) -> None:
    """Creates `funnel_attempts`: (keys, t_1, t_2, …, is_alive)."""
    _create_lines(work)
    _create_fills(work)
    _create_openings(work)
    hops = ["funnel_hop_0"]
    while len(hops) < len(work.plan.steps) and work.rows(f"select 1 from {hops[-1]} limit 1"):
        hops.append(f"funnel_hop_{len(hops)}")
        _create_hop(work, hops[-2], hops[-1])
    _keep_best(work, hops)


def _create_lines(work: FunnelWork) -> None:
    """Creates the instants of each unit in order, with all their events and the steps that these can be."""
    work.create(
        "funnel_line",
        "select unit, t, count(*) as events, row_number() over (partition by unit order by t) as place, "
        f"lead(t) over (partition by unit order by t) is null as is_last from {work.events} group by unit, t",
    )
    work.create("funnel_line_instants", "select * from funnel_instants join funnel_line using (unit, t)")


def _create_fills(work: FunnelWork) -> None:
    """(pattern, entry, last, filled, furthest): the consecutive steps that the events of an instant can fill."""
    plan = work.plan
    values = [
        f"('{pattern}', {steps[0]}, {steps[-1]}, {list(steps)}, {find_furthest_step(plan, steps[-1])})"
        for (pattern,) in work.rows("select distinct pattern from funnel_instants")
        for steps in find_fills(str(pattern), plan)
    ]
    listed = f"values {', '.join(values)}" if values else "select '', 0, 0, [0], 0 where false"
    work.create("funnel_fills", f"select * from ({listed}) as fills(pattern, entry, last, filled, furthest)")


def _create_openings(work: FunnelWork) -> None:
    times = ", ".join(
        f"case when list_contains(filled, {number}) then t end as t_{number}" for number in work.plan.numbers
    )
    work.create(
        "funnel_hop_0",
        f"select {work.list_keys()}, {times}, place, last, furthest, true as is_full, is_last as is_alive "
        f"from funnel_line_instants join funnel_fills using (pattern) where entry = 1 and {work.opening_condition}",
    )


def _create_hop(work: FunnelWork, source: str, target: str) -> None:
    plan = work.plan
    times = ", ".join(
        f"case when list_contains(fills.filled, {number}) then next.t else attempt.t_{number} end as t_{number}"
        for number in plan.numbers
    )
    limits = [f"next.t <= attempt.t_1 + {plan.window}"]
    for number in plan.numbers:
        within = plan.step(number).within
        if within is not None:
            before = plan.find_required_before(number)
            limits.append(
                f"(not list_contains(fills.filled, {number}) or list_contains(fills.filled, {before}) "
                f"or next.t - attempt.t_{before} <= {within})"
            )
    work.create(
        target,
        f"select {work.list_keys('attempt')}, {times}, next.place, fills.last, fills.furthest, "
        f"len(fills.filled) = next.events as is_full, next.is_last and len(fills.filled) = next.events as is_alive "
        f"from {source} attempt join funnel_line_instants next "
        f"on {work.match_keys('attempt', 'next')} and next.place = attempt.place + 1 "
        f"join funnel_fills fills "
        f"on fills.pattern = next.pattern and fills.entry between attempt.last + 1 and attempt.furthest "
        f"where attempt.is_full and {' and '.join(limits)}",
    )


def _keep_best(work: FunnelWork, hops: list[str]) -> None:
    """One row per attempt: the deepest, then the one with most steps, then the earliest."""
    numbers = work.plan.numbers
    matched = " + ".join(f"(t_{number} is not null)::int" for number in numbers)
    order = [f"last desc, {matched} desc", f"greatest({', '.join(f't_{number}' for number in numbers)})"]
    order += [f"t_{number} nulls last" for number in numbers[1:]]
    work.create(
        "funnel_attempts",
        f"select * exclude (place, last, furthest, is_full) from ({' union all '.join(f'from {hop}' for hop in hops)}) "
        f"qualify row_number() over (partition by {work.list_keys()}, t_1 "
        f"order by {', '.join(order)}, is_alive desc) = 1",
    )
