"""A funnel's answer in the form in which it is handed out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from assets.funnels.events import FunnelEvents, load_file, load_published, open_events
from assets.funnels.spec import FunnelFile, FunnelSpec
from assets.settings import Settings
from sql.funnel.computation import Answer, StepCounts, compute
from sql.funnel.counting import count_units
from sql.funnel.plan import Semantics


def ask(
    file: FunnelFile,
    events: Path | None,
    settings: Settings | None,
    *,
    with_units: bool = False,
    only_counts: bool = False,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The funnel over a file of events, else over what the shop of `settings` has published.

    Returns:
        The answer in the form that --json prints, and notes on the data.

    Raises:
        EventsError, SettingsError, FileNotFoundError: as `load_file` and `load_published` do.
    """
    with open_events() as connection:
        if events:
            loaded = load_file(connection, file, events)
        else:
            assert settings
            loaded = load_published(connection, file, settings)
        if only_counts:
            return _counts(connection, file.spec, loaded), loaded.notes
        answer = compute(connection, loaded.plan, loaded.columns, with_units)
        return as_json(file.spec, answer), loaded.notes


def _counts(connection: duckdb.DuckDBPyConnection, spec: FunnelSpec, events: FunnelEvents) -> dict[str, Any]:
    units = count_units(connection, events.plan, events.columns)
    labels = step_labels(spec)
    steps = [
        {
            "step": number,
            "event": labels[number - 1],
            "units": units[number - 1],
            "rate_from_previous": _rate(units[number - 1], units[spec.plan.required_before(number) - 1])
            if number > 1
            else None,
            "rate_from_start": _rate(units[number - 1], units[0]),
        }
        for number in spec.plan.numbers
    ]
    return {"name": spec.name, "steps": steps}


def step_labels(spec: FunnelSpec) -> list[str]:
    """What each step is called. Without an order a step is so many distinct ones."""
    if spec.semantics is Semantics.UNORDERED:
        return [f"any {number} of {len(spec.steps)}" for number in range(1, len(spec.steps) + 1)]
    return [step.event or "any event" for step in spec.steps]


def as_json(spec: FunnelSpec, answer: Answer) -> dict[str, Any]:
    """One object: steps, trend, and breakdown and units where they were asked for."""
    found: dict[str, Any] = {"name": spec.name, "steps": step_rows(spec, answer.steps)}
    if answer.units_by_step is not None:
        found["units_by_step"] = {str(step): list(units) for step, units in answer.units_by_step.items()}
    if answer.breakdown is not None:
        found["breakdown"] = {value: step_rows(spec, steps) for value, steps in answer.breakdown.items()}
    found["trend"] = [
        {"entered": day.entered, "units": list(day.units), "mature": day.is_mature} for day in answer.trend
    ]
    return found


def step_rows(spec: FunnelSpec, steps: Sequence[StepCounts]) -> list[dict[str, Any]]:
    """The steps with their rates: from the first, and from the last step before that is not optional."""
    plan = spec.plan
    labels = step_labels(spec)
    return [
        {
            "step": step.step,
            "event": labels[step.step - 1],
            "units": step.units,
            "converted": step.converted,
            "lost": step.lost,
            "pending": step.pending,
            "rate_from_previous": _rate(step.units, steps[plan.required_before(step.step) - 1].units)
            if step.step > 1
            else None,
            "rate_from_start": _rate(step.units, steps[0].units),
            "mean_seconds": step.mean_seconds,
            "median_seconds": step.median_seconds,
            "p90_seconds": step.p90_seconds,
        }
        for step in steps
    ]


def _rate(units: int, of: int) -> float | None:
    return units / of if of else None
