"""The daily scan: every step of the funnel against its baseline, and which slices of it have lost."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from scipy.stats import norm

from funnelscope.diagnosis.baseline import CubeDay, estimate_leaves, load_cube_day
from funnelscope.diagnosis.comparable_days import BASELINE_DAYS, ComparableDays
from funnelscope.diagnosis.data_faults import is_bot_flood
from funnelscope.diagnosis.overdispersion import Overdispersion
from funnelscope.diagnosis.steps import CUBES, SOURCE, STEPS, FunnelStep, get_steps
from funnelscope.localization.scan import LocalizedSlice, ScanOptions, scan
from funnelscope.warehouse.connection import Warehouse

DAILY_ERROR = 0.005
"""Chance that the scans of a clean day, all together, find anything: half of one alarm in a hundred days. The whole
steps have a quarter of it, the detection of slow changes, at one in a thousand days, the rest."""
SMALLEST_EFFECT = 0.05
INTERVAL = 1.645
"""Standard deviations to either end of a 90 % interval."""
_FEWEST_EXPECTED = 8
_SEGMENTS_OF_ROBOTS = ("arrival", "qualified_product_view", "favorite_or_cart")
_HABITS_OF_ROBOTS = ("is_returning", "first_category", "inquiry_class")
"""They are new, look around and ask nothing: that tells them from people, not where they come from."""
_SAME_VISITS = 0.95
_CONTRADICTION_OF_MOST = 2.0
"""Nats, seven to one: a slice that holds nine tenths of another goes by the shorter name unless the rest clearly kept
still. Most dimensions of a stage cube are habits of visitors, of whom one kind is nearly all."""


@dataclass(frozen=True)
class SliceCounts:
    """Entries and passes of a slice on the day.

    Attributes:
        expected: passes at the level of the unaffected population.
        relative_deviation: standard deviation of passed / expected by chance and from day to day, as a share.
    """

    entered: float
    passed: float
    expected: float
    relative_deviation: float

    @property
    def variance(self) -> float:
        """Of the passes around those expected."""
        return (self.relative_deviation * self.expected) ** 2


@dataclass(frozen=True)
class StepDay:
    """A step on the day: its leaves, how the whole stands, and what the scan found.

    Attributes:
        slice_overdispersion, whole_overdispersion: standard deviations of the daily level of a healthy slice and of
            the whole step beyond chance, as a share of it.
        scale: multiplies every standard deviation by chance: what calibration adds.
        found, gained: the slices that have lost, and those that have gained.
        reference_level, reference_error: observed over expected of the unaffected population, and the standard
            deviation of that.
    """

    step: FunnelStep
    leaves: pd.DataFrame
    slice_overdispersion: float
    whole_overdispersion: float
    scale: float
    reference_level: float
    reference_error: float
    found: tuple[LocalizedSlice, ...]
    gained: tuple[LocalizedSlice, ...] = ()

    def count_slice(self, slice_: Mapping[str, str]) -> SliceCounts:
        """The counts of a slice, measured against the rest of its step; of the whole step for a slice without names."""
        inside = select_inside(self.leaves, slice_)
        expected = float(inside["expected"].sum()) * (self.reference_level if slice_ else 1.0)
        return SliceCounts(
            float(inside["entered"].sum()) if "entered" in inside else 0.0,
            float(inside["observed"].sum()),
            expected,
            self.estimate_deviation(slice_, float(inside["variance"].sum()), expected),
        )

    def estimate_deviation(self, slice_: Mapping[str, str], variance: float, expected: float) -> float:
        """Standard deviation of passed / expected; infinite where nothing is expected.

        A slice is measured against the rest of its step: to its own movement comes the error of that reference. The
        whole step is measured against its usual level, and its movement is learnt from whole steps: that of slices is
        no part of it.

        Args:
            variance: of the passes by chance.
        """
        if expected <= 0:
            return np.inf
        movement = np.hypot(self.slice_overdispersion, self.reference_error) if slice_ else self.whole_overdispersion
        return float(np.sqrt(variance * self.scale**2 / expected**2 + movement**2))


def select_inside(leaves: pd.DataFrame, slice_: Mapping[str, str]) -> pd.DataFrame:
    """The leaves of the slice."""
    mask = np.ones(len(leaves), bool)
    for name, value in slice_.items():
        mask &= (leaves[name] == value).to_numpy()
    return leaves[mask]


def select_outside(leaves: pd.DataFrame, slices: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """The leaves that lie in none of the slices; a slice by a dimension that the leaves lack is passed over."""
    for slice_ in slices:
        if slice_.keys() <= set(leaves.columns):
            leaves = leaves.drop(select_inside(leaves, slice_).index)
    return leaves


# --- Scan ----------------------------------------------------------------------------------------


def scan_steps(
    warehouse: Warehouse, day: date, compared: ComparableDays, overdispersion: Overdispersion
) -> list[StepDay]:
    """Every step, upstream first. Robots that a step has shown are no part of the steps behind it."""
    step_days: list[StepDay] = []
    for cube in CUBES:
        floods = [found.slice for each in step_days for found in each.found if has_bot_flood(each, found.slice)]
        cube_day = load_cube_day(warehouse, cube, day, compared.rate_days)
        for step in get_steps(cube):
            if has_counts(step, cube_day):
                step_day = scan_step(step, cube_day, floods, compared, overdispersion)
                step_days.append(replace(step_day, found=_name_robots_by_source(step_day)))
    return step_days


def has_counts(step: FunnelStep, cube_day: CubeDay) -> bool:
    """Whether anybody entered on the day and in the baseline, and anybody passed in the baseline."""
    columns = (f"{step.entered}_usual", f"{step.entered}_today", f"{step.passed}_usual")
    return all(cube_day.frame[column].sum() > 0 for column in columns)


def scan_step(
    step: FunnelStep,
    cube_day: CubeDay,
    floods: Sequence[Mapping[str, str]],
    compared: ComparableDays,
    overdispersion: Overdispersion,
    error: float = DAILY_ERROR,
) -> StepDay:
    """One step, without the floods that steps before it have shown.

    Args:
        error: chance that the scans of all steps, together, find anything where nothing is wrong.
    """
    learnt, scale = overdispersion.steps[step.key], overdispersion.scale
    leaves = select_outside(estimate_leaves(step, cube_day, learnt.weekday_level, learnt.slice_factors), floods)
    present = leaves[(leaves["entered"] > 0) & (leaves["expected"] > 0)].reset_index(drop=True)
    present["variance"] *= scale**2
    # Few days as the baseline add their own day-to-day movement to that of today.
    is_thin = len(compared.rate_days) < BASELINE_DAYS
    few_days = np.sqrt(1 + 1 / len(compared.rate_days)) if is_thin else 1.0
    of_slices, of_whole = (
        float(each * scale * few_days) for each in (learnt.slice_overdispersion, learnt.whole_overdispersion)
    )
    options = ScanOptions(
        family_wise_error=error / len(STEPS),
        min_effect=SMALLEST_EFFECT,
        slice_overdispersion=of_slices,
        leaf_overdispersion=of_slices,  # learnt from days: in a small cube a fault could pass for noise of the leaves
        level_overdispersion=None if is_thin else of_whole,
        contradiction_of_most=_CONTRADICTION_OF_MOST,
        scale=scale,
    )
    dimensions = [name for name in cube_day.dimensions if present[name].nunique() > 1]
    scanned = scan(present, dimensions, cube_day.hierarchy, options) if dimensions else None
    found = scanned.findings if scanned else ()
    return StepDay(
        step,
        leaves,
        of_slices,
        of_whole,
        scale,
        scanned.reference_level if scanned else _measure_level(present),
        scanned.reference_error if scanned else 0.0,
        tuple(each for each in found if each.lost > 0),
        tuple(each for each in found if each.lost < 0),
    )


def _measure_level(leaves: pd.DataFrame) -> float:
    return float(leaves["observed"].sum() / leaves["expected"].sum())


def measure_slice(step_day: StepDay, slice_: Mapping[str, str]) -> LocalizedSlice | None:
    """A given slice of the step, or the whole of it, against its usual level; None where too few are expected."""
    counts = step_day.count_slice(slice_)
    if counts.expected < _FEWEST_EXPECTED:
        return None
    deviation = counts.relative_deviation
    theta = counts.passed / counts.expected
    z = abs(theta - 1) / deviation
    return LocalizedSlice(
        slice=dict(slice_),
        theta=theta,
        theta_low=max(theta - INTERVAL * deviation, 0.0),
        theta_high=theta + INTERVAL * deviation,
        z=z,
        p_value=float(norm.sf(z)),
        deviance=z**2 / 2,
        observed=counts.passed,
        expected=counts.expected,
        stability=1.0,
        runner_up=None,
        runner_up_gap=0.0,
    )


def widen_slice(step_day: StepDay, found: LocalizedSlice, slice_: Mapping[str, str]) -> LocalizedSlice:
    """The finding under the name of a slice around its own."""
    whole = measure_slice(step_day, slice_)
    return replace(whole, p_value=found.p_value, stability=found.stability, z=found.z) if whole else found


# --- Robots --------------------------------------------------------------------------------------


def has_bot_flood(step_day: StepDay, slice_: Mapping[str, str]) -> bool:
    """Whether robots that nobody flagged came in the slice; asked of the first steps of the funnel only."""
    if not slice_ or step_day.step.segment not in _SEGMENTS_OF_ROBOTS:
        return False
    leaves, inside = step_day.leaves, select_inside(step_day.leaves, slice_)
    size = _measure_rest(leaves, inside)
    usual_entered = float(inside["entered_usual"].sum()) * size
    usual_passed = float(inside["passed_usual"].sum()) * size
    return is_bot_flood(float(inside["entered"].sum()), float(inside["observed"].sum()), usual_entered, usual_passed)


def _measure_rest(leaves: pd.DataFrame, inside: pd.DataFrame) -> float:
    """Today's entries outside the slice over those of the whole baseline."""
    entered = float(leaves["entered"].sum() - inside["entered"].sum())
    usual = float(leaves["entered_usual"].sum() - inside["entered_usual"].sum())
    return entered / usual if usual else 1.0


def _name_robots_by_source(step_day: StepDay) -> tuple[LocalizedSlice, ...]:
    """What was found, robots under the source that they come from: not under what all robots have in common."""
    named: dict[str, LocalizedSlice] = {}
    for found in step_day.found:
        if has_bot_flood(step_day, found.slice):
            source = find_robot_source(step_day.leaves, found.slice)
            if source != found.slice and has_bot_flood(step_day, source):
                found = widen_slice(step_day, found, source)
        named.setdefault(json.dumps(found.slice, sort_keys=True), found)
    return tuple(named.values())


def find_robot_source(leaves: pd.DataFrame, slice_: Mapping[str, str]) -> dict[str, str]:
    """The slice without what robots have in common; where it names no source, one that holds the same visits."""
    named = {name: value for name, value in slice_.items() if name not in _HABITS_OF_ROBOTS}
    if not named or named.keys() & set(SOURCE):
        return named
    inside = select_inside(leaves, named)
    for name in SOURCE:
        if name in leaves:
            value = inside.groupby(name)["entered"].sum().idxmax()
            is_value, entered = leaves[name] == value, leaves["entered"]
            shared = float(inside["entered"][inside[name] == value].sum())
            if shared >= _SAME_VISITS * max(float(entered[is_value].sum()), float(inside["entered"].sum())):
                return {name: str(value)}
    return named
