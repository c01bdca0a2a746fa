"""Only how many units reach each step: faster than the whole answer.

For each event of a step the latest opening that leads to it is enough: whatever a unit can reach from an earlier one it
can reach from the latest, with more of the window left. So there is a row an event of the step, not a row an attempt,
and there are fewer from step to step. This is the idea of `windowFunnel` of ClickHouse, as a chain of ASOF joins.
"""

from collections.abc import Mapping
from itertools import pairwise

import duckdb

from funnelscope.funnels.engine.answer import compute
from funnelscope.funnels.engine.plan import Plan, Semantics
from funnelscope.funnels.engine.step_matches import Work, mark


def count_units(
    connection: duckdb.DuckDBPyConnection, plan: Plan, columns: Mapping[str, str], data_end: int
) -> tuple[int, ...]:
    """Units at each step, as `compute` counts them; arguments as there."""
    if _latest_opening_is_enough(plan):
        work = mark(connection, plan, columns, by_slice=False)
        if not work.has_patterns:
            return _counts(work)
    return tuple(step.units for step in compute(connection, plan, columns, data_end).steps)


def _latest_opening_is_enough(plan: Plan) -> bool:
    has_limits = any(step.within is not None or step.is_optional for step in plan.steps)
    return plan.semantics is Semantics.ORDERED and not has_limits and not plan.exclusions


def _counts(work: Work) -> tuple[int, ...]:
    counts = [_units(work, f"funnel_matches where step = 1 and {work.opens}")]
    has_next = "and unit in (select unit from funnel_matches where step = 2)" if len(work.plan.steps) > 1 else ""
    work.create(
        "funnel_latest_1",
        f"select {work.key_list()}, t, t as t_1 from funnel_matches where step = 1 and {work.opens} {has_next}",
    )
    before = "<" if work.plan.is_strictly_later else "<="
    for previous, step in pairwise(work.plan.numbers):
        work.create(
            f"funnel_latest_{step}",
            f"select {work.key_list('event')}, event.t, latest.t_1 "
            f"from (select {work.key_list()}, t from funnel_matches where step = {step}) event "
            f"asof join funnel_latest_{previous} latest "
            f"on {work.same_keys('event', 'latest')} and latest.t {before} event.t "
            f"where event.t <= latest.t_1 + {work.plan.window}",
        )
        counts.append(_units(work, f"funnel_latest_{step}"))
    return tuple(counts)


def _units(work: Work, source: str) -> int:
    ((count,),) = work.rows(f"select count(distinct unit) from {source}")
    return int(str(count))
