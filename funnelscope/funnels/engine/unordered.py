"""Unordered funnels: distinct events for distinct steps, all within the window from the first of them.

Every event that can be a step opens an attempt. t_k is the time at which the k-th distinct step was there.
"""

from funnelscope.funnels.engine.matching import find_growth
from funnelscope.funnels.engine.step_matches import FunnelWork


def create_paths(work: FunnelWork) -> None:
    """Makes `funnel_attempts`: (keys, t_1, t_2, …)."""
    work.create(
        "funnel_openings",
        f"select distinct {work.list_keys()}, t as t_1 from funnel_matches where {work.opening_condition}",
    )
    if work.has_patterns:
        _grow_sequences(work)
    else:
        _find_each_step(work)
    times = ", ".join(f"times[{number}] as t_{number}" for number in work.plan.numbers[1:])
    # An opening that is on no track of constant properties has only itself.
    times = ", ".join(["t_1", *([times] if times else [])])
    work.create("funnel_attempts", f"select {work.list_keys()}, {times} from funnel_reached")


def _find_each_step(work: FunnelWork) -> None:
    """The first event of each step from the opening on; in order of time they are the distinct steps."""
    window = work.plan.window
    source, found = "funnel_openings", []
    for number in work.plan.numbers:
        found.append(f"case when first_{number} <= t_1 + {window} then first_{number} end")
        work.create(
            f"funnel_first_{number}",
            f"select attempt.*, next.t as first_{number} from {source} attempt asof left join "
            f"(select {work.list_keys()}, t from funnel_matches where step = {number}) next "
            f"on {work.match_keys('attempt', 'next')} and attempt.t_1 <= next.t",
        )
        source = f"funnel_first_{number}"
    times = f"list_sort(list_filter([{', '.join(found)}], lambda time: time is not null))"
    work.create("funnel_reached", f"select {work.list_keys()}, t_1, {times} as times from {source}")


def _grow_sequences(work: FunnelWork) -> None:
    """Where an event could be several steps: the events of each attempt in order, and those that add a step."""
    steps = len(work.plan.steps)
    work.create(
        "funnel_sequences",
        f"select {work.list_keys('attempt')}, attempt.t_1, string_agg(mask, '|' order by t, mask) as pattern, "
        f"list(t order by t, mask) as all_times from ("
        f"select attempt.*, event.t, array_to_string(event.steps, '.') as mask from funnel_openings attempt "
        f"join funnel_marked event on {work.match_keys('attempt', 'event')} "
        f"and event.t between attempt.t_1 and attempt.t_1 + {work.plan.window} "
        f"qualify row_number() over (partition by {work.list_keys('attempt')}, attempt.t_1, mask "
        f"order by event.t) <= {steps}"
        f") attempt group by all",
    )
    values = [
        f"('{pattern}', {find_growth(str(pattern), steps)})"
        for (pattern,) in work.rows("select distinct pattern from funnel_sequences")
    ]
    listed = f"values {', '.join(values)}" if values else "select '', [0] where false"
    work.create("funnel_growth", f"select * from ({listed}) as growth(pattern, positions)")
    at = f"{work.match_keys('attempt', 'known')} and attempt.t_1 = known.t_1"
    work.create(
        "funnel_reached",
        f"select {work.list_keys('attempt')}, attempt.t_1, "
        "list_transform(positions, lambda place: all_times[place]) as times "
        f"from funnel_openings attempt left join (funnel_sequences join funnel_growth using (pattern)) known on {at}",
    )
