"""Counts only the units that reach each step, which is faster than the full answer.

For each event of a step, the latest opening that leads to it is enough: whatever a unit can reach from an earlier one
it can reach from the latest, with more of the window left. So there is one row per event of the step instead of one per
attempt, and their number falls from step to step. The idea is that of `windowFunnel` of ClickHouse, as a chain of ASOF
joins.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import duckdb

from funnelscope.funnels.engine.answer import compute_answer
from funnelscope.funnels.engine.plan import FunnelPlan, Semantics
from funnelscope.funnels.engine.step_matches import FunnelWork, create_step_matches


def count_units(
    connection: duckdb.DuckDBPyConnection, plan: FunnelPlan, columns: Mapping[str, str], data_end: int
) -> tuple[int, ...]:
    """Units at each step, equal to those of `compute_answer`, with the same arguments."""
    if is_latest_opening_enough(plan):
        work = create_step_matches(connection, plan, columns, by_slice=False)
        if not work.has_patterns:
            return _count_by_latest_opening(work)
    without_slices = replace(plan, breakdown=None)
    return tuple(step.units for step in compute_answer(connection, without_slices, columns, data_end).steps)


def is_latest_opening_enough(plan: FunnelPlan) -> bool:
    """Whether units may be counted without the full answer, as far as the plan tells."""
    has_limits = any(step.within is not None or step.is_optional for step in plan.steps)
    return plan.semantics is Semantics.ORDERED and not has_limits and not plan.exclusions


def _count_by_latest_opening(work: FunnelWork) -> tuple[int, ...]:
    counts = [_count_distinct_units(work, f"funnel_matches where step = 1 and {work.opening_condition}")]
    has_next = "and unit in (select unit from funnel_matches where step = 2)" if len(work.plan.steps) > 1 else ""
    work.create(
        "funnel_latest_1",
        f"select {work.list_keys()}, t, t as t_1 from funnel_matches "
        f"where step = 1 and {work.opening_condition} {has_next}",
    )
    before = "<" if work.plan.is_strictly_later else "<="
    for previous, step in pairwise(work.plan.numbers):
        work.create(
            f"funnel_latest_{step}",
            f"select {work.list_keys('event')}, event.t, latest.t_1 "
            f"from (select {work.list_keys()}, t from funnel_matches where step = {step}) event "
            f"asof join funnel_latest_{previous} latest "
            f"on {work.match_keys('event', 'latest')} and latest.t {before} event.t "
            f"where event.t <= latest.t_1 + {work.plan.window}",
        )
        counts.append(_count_distinct_units(work, f"funnel_latest_{step}"))
    return tuple(counts)


def _count_distinct_units(work: FunnelWork, source: str) -> int:
    ((count,),) = work.rows(f"select count(distinct unit) from {source}")
    return int(str(count))
