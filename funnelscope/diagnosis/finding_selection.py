"""Which of the slices that the scans found are findings: each loss once, and what it also costs in other steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from scipy.stats import norm

from funnelscope.diagnosis.change_detection import measure_change
from funnelscope.diagnosis.comparable_days import ComparableDays
from funnelscope.diagnosis.step_scan import SMALLEST_EFFECT, StepDay, has_bot_flood, measure_slice
from funnelscope.diagnosis.steps import SEGMENTS, STEPS
from funnelscope.localization.scan import LocalizedSlice
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import DEFAULT_PARAMETERS

WHOLE_ERROR = 0.0025
"""Chance that a whole step of a clean day is found."""
_SLOW_CHANGE_ERROR = 0.001
_SECONDARY_Z = 2.33
"""Standard deviations of a slice's loss in a second step, once a first has shown it: one chance in a hundred."""
ACTIVE_DAYS: int = DEFAULT_PARAMETERS["active_customer_days"]
"""With less history before the baseline, the number of active customers still grows by itself and the purchase rate
falls by itself."""


@dataclass(frozen=True)
class SelectedSlice:
    """A slice, or the whole, of a step that is a finding."""

    step_day: StepDay
    found: LocalizedSlice


def overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether one of two slices lies in the other."""
    return one.items() <= other.items() or other.items() <= one.items()


def select_findings(
    step_days: Sequence[StepDay], warehouse: Warehouse, compared: ComparableDays, history_from: date
) -> list[SelectedSlice]:
    """The findings of the day, upstream first. Of several views of a segment, that which explains most.

    Args:
        history_from: the first day of which the shop has orders.
    """
    selected: list[SelectedSlice] = []
    for segment in SEGMENTS:
        views = [each for each in step_days if each.step.segment == segment]
        views.sort(key=lambda each: -max((found.deviance for found in each.found), default=0))
        if views and views[0].found:
            robots = [each.found.slice for each in selected if has_bot_flood(each.step_day, each.found.slice)]
            selected += [
                SelectedSlice(views[0], found)
                for found in views[0].found
                if not _are_known_robots(views[0], found, robots)
            ]
        elif views and (whole := find_whole_step(views[0], warehouse, compared, history_from)):
            selected.append(SelectedSlice(views[0], whole))
    return selected + _find_secondary_steps(selected, step_days)


def _are_known_robots(step_day: StepDay, found: LocalizedSlice, robots: Sequence[Mapping[str, str]]) -> bool:
    """Whether these are robots that a step before has shown, by dimensions that this cube does not know."""
    return has_bot_flood(step_day, found.slice) and any(
        all(found.slice.get(name, value) == value for name, value in slice_.items()) for slice_ in robots
    )


def _find_secondary_steps(selected: Sequence[SelectedSlice], step_days: Sequence[StepDay]) -> list[SelectedSlice]:
    """What the selected slices lose in other steps: one cause may be felt in several, and weakly in some.

    The slice is known by then, so that one test of it is all that is asked.
    """
    secondary: list[SelectedSlice] = []
    for step_day, slice_ in ((each.step_day, each.found.slice) for each in selected):
        if not slice_ or has_bot_flood(step_day, slice_):
            continue
        for segment in SEGMENTS:
            taken = [other.found.slice for other in (*selected, *secondary) if other.step_day.step.segment == segment]
            views = (each for each in step_days if each.step.segment == segment)
            view = next((each for each in views if slice_.keys() <= set(each.step.dimensions)), None)
            if view and not any(overlap(slice_, other) for other in taken):
                part = measure_slice(view, slice_)
                if part and part.z >= _SECONDARY_Z and part.effect <= -SMALLEST_EFFECT:
                    secondary.append(SelectedSlice(view, part))
    return secondary


def find_whole_step(
    step_day: StepDay, warehouse: Warehouse, compared: ComparableDays, history_from: date
) -> LocalizedSlice | None:
    """The whole step as a finding: off today, or falling for long, with no slice that explains it."""
    found = measure_slice(step_day, {})
    if found is None or found.effect > -SMALLEST_EFFECT:
        return None
    p_value = compute_whole_step_p_value(found.z)
    is_filled = step_day.step.stage != "repurchase" or (compared.days[0] - history_from).days >= ACTIVE_DAYS
    is_slow_asked = is_filled and not compared.is_promotion
    change = measure_change(warehouse, step_day.step, compared.days, -found.z) if is_slow_asked else 0.0
    if p_value > WHOLE_ERROR and change < 1:
        return None
    return replace(found, p_value=min(p_value, _SLOW_CHANGE_ERROR / change) if change >= 1 else p_value)


def compute_whole_step_p_value(z: float) -> float:
    """Chance that any whole step is off by so many standard deviations on one day."""
    return min(1.0, float(2 * norm.sf(z)) * len(STEPS))
