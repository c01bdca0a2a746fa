"""The name of a fault that lasts, from all its days together: chance of one day renames nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from funnelscope.diagnosis.baseline import load_cube_day
from funnelscope.diagnosis.comparable_days import ComparableDays, list_regular_days
from funnelscope.diagnosis.finding_selection import overlap
from funnelscope.diagnosis.follow_up import OpenFinding, measure_likeness
from funnelscope.diagnosis.overdispersion import Overdispersion
from funnelscope.diagnosis.step_scan import StepDay, has_bot_flood, scan_step, select_inside, widen_slice
from funnelscope.localization.scan import LocalizedSlice
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

_MOST_DAYS = 7
_CONTRADICTED_Z = 3.0
"""Standard deviations by which today clearly speaks against the name of all days."""


def name_lasting_slices(
    warehouse: Warehouse,
    settings: Settings,
    day: date,
    compared: ComparableDays,
    overdispersion: Overdispersion,
    step_days: Sequence[StepDay],
    open_findings: Sequence[OpenFinding],
) -> list[StepDay]:
    """The steps, what was found of them under the name that the sums of all days of the fault bear.

    A promotion day is not summed with others. Where today clearly speaks against that name, today's stands.
    """
    if compared.is_promotion or not any(each.found for each in step_days):
        return list(step_days)
    regular = list_regular_days(warehouse, settings, day)
    named = []
    for step_day in step_days:
        scans: dict[date, StepDay] = {}
        found_slices: list[LocalizedSlice] = []
        for found in step_day.found:
            since = _find_known_day(step_day, found, open_findings)
            if since:
                if since not in scans:
                    days = [each for each in regular if max(since, day - timedelta(days=_MOST_DAYS - 1)) <= each]
                    cube_days = load_cube_day(warehouse, step_day.step.cube, day, compared.rate_days, [*days, day])
                    scans[since] = scan_step(step_day.step, cube_days, (), compared, overdispersion)
                found = _rename(step_day, found, scans[since])
            if all(found.slice != other.slice for other in found_slices):
                found_slices.append(found)
        named.append(replace(step_day, found=tuple(found_slices)))
    return named


def _find_known_day(step_day: StepDay, found: LocalizedSlice, open_findings: Sequence[OpenFinding]) -> date | None:
    """The day on which the fault was first found in the step; None where it is new, or robots."""
    if not found.slice or has_bot_flood(step_day, found.slice):
        return None
    step = step_day.step
    return min(
        (
            each.found_date
            for each in open_findings
            if (each.latest.cube, each.latest.step) == (step.cube, step.name)
            and each.latest.slice
            and measure_likeness(step_day.leaves, found.slice, each.latest.slice) is not None
        ),
        default=None,
    )


def _rename(step_day: StepDay, found: LocalizedSlice, of_all_days: StepDay) -> LocalizedSlice:
    """The finding under the name of all days, if one of the two slices lies in the other and today bears it."""
    nested = [each.slice for each in of_all_days.found if overlap(each.slice, found.slice)]
    if not nested or found.slice in nested:
        return found
    name = max(nested, key=lambda slice_: measure_likeness(step_day.leaves, slice_, found.slice) or 0.0)
    return found if _is_contradicted(step_day, found, name) else widen_slice(step_day, found, name)


def _is_contradicted(step_day: StepDay, found: LocalizedSlice, name: Mapping[str, str]) -> bool:
    """Whether what the two slices do not share clearly kept still under the wider name, or moved under the narrower."""
    is_wider = name.items() <= found.slice.items()
    wider, narrower = (name, found.slice) if is_wider else (found.slice, name)
    around = select_inside(step_day.leaves, wider)
    rest = around.drop(select_inside(around, narrower).index)
    expected = float(rest["expected"].sum()) * step_day.reference_level * (found.theta if is_wider else 1.0)
    deviation = step_day.estimate_deviation(wider, float(rest["variance"].sum()), expected)
    if not np.isfinite(deviation):
        return False
    off = float(rest["observed"].sum()) / expected - 1
    return (off if is_wider else -off) > _CONTRADICTED_Z * deviation
