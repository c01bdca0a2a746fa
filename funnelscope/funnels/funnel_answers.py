"""A funnel's answer in the form in which it is handed out."""

from collections.abc import Sequence
from typing import Any

import duckdb

from funnelscope.funnels.engine.answer import FunnelAnswer, StepCounts, compute_answer
from funnelscope.funnels.engine.plan import Semantics
from funnelscope.funnels.engine.unit_counts import count_units
from funnelscope.funnels.funnel_events import FunnelEvents
from funnelscope.funnels.specification import FunnelSpec


def answer_funnel(
    connection: duckdb.DuckDBPyConnection, spec: FunnelSpec, events: FunnelEvents, with_units: bool = False
) -> dict[str, Any]:
    """The funnel over events that are loaded: one object, in the form that --json prints."""
    return format_answer(spec, compute_answer(connection, events.plan, events.columns, events.data_end, with_units))


def count_steps(connection: duckdb.DuckDBPyConnection, spec: FunnelSpec, events: FunnelEvents) -> dict[str, Any]:
    """Of the same object only `name` and, of each step, its units and rates: a faster answer to a smaller question."""
    units = count_units(connection, events.plan, events.columns, events.data_end)
    labels = list_step_labels(spec)
    steps = [
        {
            "step": number,
            "event": labels[number - 1],
            "units": units[number - 1],
            "rate_from_previous": _compute_rate(units[number - 1], units[spec.plan.find_required_before(number) - 1])
            if number > 1
            else None,
            "rate_from_start": _compute_rate(units[number - 1], units[0]),
        }
        for number in spec.plan.numbers
    ]
    return {"name": spec.name, "steps": steps}


def list_step_labels(spec: FunnelSpec) -> list[str]:
    """What each step is called. Without an order a step is so many distinct ones."""
    if spec.semantics is Semantics.UNORDERED:
        return [f"any {number} of {len(spec.steps)}" for number in range(1, len(spec.steps) + 1)]
    return [step.event or "any event" for step in spec.steps]


def format_answer(spec: FunnelSpec, answer: FunnelAnswer) -> dict[str, Any]:
    """One object: steps, trend, and breakdown and units where they were asked for."""
    found: dict[str, Any] = {"name": spec.name, "steps": build_step_rows(spec, answer.steps)}
    if answer.units_by_step is not None:
        found["units_by_step"] = {str(step): list(units) for step, units in answer.units_by_step.items()}
    if answer.breakdown is not None:
        found["breakdown"] = {value: build_step_rows(spec, steps) for value, steps in answer.breakdown.items()}
    found["trend"] = [
        {"entered": day.entered, "units": list(day.units), "mature": day.is_mature} for day in answer.trend
    ]
    return found


def build_step_rows(spec: FunnelSpec, steps: Sequence[StepCounts]) -> list[dict[str, Any]]:
    """The steps with their rates: from the first, and from the last step before that is not optional."""
    plan = spec.plan
    labels = list_step_labels(spec)
    return [
        {
            "step": step.step,
            "event": labels[step.step - 1],
            "units": step.units,
            "converted": step.converted,
            "lost": step.lost,
            "pending": step.pending,
            "rate_from_previous": _compute_rate(step.units, steps[plan.find_required_before(step.step) - 1].units)
            if step.step > 1
            else None,
            "rate_from_start": _compute_rate(step.units, steps[0].units),
            "mean_seconds": step.mean_seconds,
            "median_seconds": step.median_seconds,
            "p90_seconds": step.p90_seconds,
        }
        for step in steps
    ]


def _compute_rate(units: int, of: int) -> float | None:
    return units / of if of else None
