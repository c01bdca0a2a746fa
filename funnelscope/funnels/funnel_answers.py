"""The answer of a funnel in its output format."""

from collections.abc import Sequence
from typing import Any

import duckdb

from funnelscope.funnels.engine.answer import AttemptCounts, FunnelAnswer, NamedOpenings, StepCounts, compute_answer
from funnelscope.funnels.engine.unit_counts import count_units
from funnelscope.funnels.funnel_events import FunnelEvents
from funnelscope.funnels.specification import FunnelSpec
from funnelscope.funnels.step_labels import list_step_labels


def answer_funnel(
    connection: duckdb.DuckDBPyConnection, spec: FunnelSpec, events: FunnelEvents, with_units: bool = False
) -> dict[str, Any]:
    """The answer of the funnel over loaded events: one object, as --json prints it."""
    return format_answer(spec, compute_answer(connection, events.plan, events.columns, events.data_end, with_units))


def count_steps(connection: duckdb.DuckDBPyConnection, spec: FunnelSpec, events: FunnelEvents) -> dict[str, Any]:
    """The same object with only `name` and, for each step, its units and rates: less, but faster."""
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


def format_answer(spec: FunnelSpec, answer: FunnelAnswer) -> dict[str, Any]:
    """One object: steps, total time, trend, and, if they were asked for, breakdown and units."""
    found: dict[str, Any] = {"name": spec.name, "steps": build_step_rows(spec, answer.steps)}
    found["total_time"] = vars(answer.total)
    if answer.units_by_step is not None:
        found["units_by_step"] = {str(step): list(units) for step, units in answer.units_by_step.items()}
    if answer.breakdown is not None:
        found["breakdown"] = {value: build_step_rows(spec, steps) for value, steps in answer.breakdown.items()}
        assert answer.breakdown_totals
        found["breakdown_total_time"] = {value: vars(total) for value, total in answer.breakdown_totals.items()}
    if note := describe_unnamed_openings(spec, answer.named_openings):
        found["notes"] = [note]
    found["trend"] = [
        {"entered": day.entered, "units": list(day.units), "mature": day.is_mature} for day in answer.trend
    ]
    return found


def describe_unnamed_openings(spec: FunnelSpec, openings: NamedOpenings | None) -> str:
    """A note if the breakdown's property is known on less than half of the events of step 1; else empty.

    Its values then come from later steps, and so from those who converted.
    """
    if not spec.breakdown or openings is None or 2 * openings.named >= openings.events:
        return ""
    by, missing = spec.breakdown.by, openings.events - openings.named
    few = f"only {openings.named:,} of {openings.events:,} events of step 1 name" if openings.named else ""
    return (
        f"{few or 'no event of step 1 names'} '{by}' ({missing:,} of {openings.events:,} do not): the slices hold only "
        "those who went on to an event that names it, so their rates say little; break down by what step 1 names"
    )


def build_step_rows(spec: FunnelSpec, steps: Sequence[StepCounts]) -> list[dict[str, Any]]:
    """The steps with their rates: from the first step, and from the last step before that is not optional."""
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
            **(_format_attempts(step.attempts) if step.attempts else {}),
        }
        for step in steps
    ]


def _format_attempts(counts: AttemptCounts) -> dict[str, int]:
    return {
        "attempts": counts.attempts,
        "attempts_converted": counts.converted,
        "attempts_lost": counts.lost,
        "attempts_pending": counts.pending,
    }


def _compute_rate(units: int, of: int) -> float | None:
    return units / of if of else None
