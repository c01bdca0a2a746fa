"""The minimum detectable effect: of each step and main slice, the smallest drop that would have been a finding."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from funnelscope.diagnosis.records import DetectableDropRecord
from funnelscope.diagnosis.step_scan import DAILY_ERROR, SMALLEST_EFFECT, StepDay
from funnelscope.diagnosis.steps import STEPS
from funnelscope.localization.arrays import Floats

_POWER = 1.282
"""Standard deviations beyond the threshold that make a drop detectable nine times in ten."""
_SHARES_OF_ENTRIES = (0.2, 0.05, 0.01, 0.002)
"""Of a step: for a slice of any dimensions, what could be seen in one of that size."""
_SMALLEST_SHARE = 0.005
"""Of a step's entries: a value with less is left out."""


def find_detectable_drops(step_day: StepDay) -> list[DetectableDropRecord]:
    """Of the whole step, of slices by their share of it, and of each value of each dimension that is not negligible."""
    step, leaves = step_day.step, step_day.leaves
    counts = leaves[["entered", "observed", "expected", "variance"]].to_numpy(float)
    whole = counts.sum(axis=0)
    groups = [("all", "all", whole), *(("entries", f"{share:.1%}", share * whole) for share in _SHARES_OF_ENTRIES)]
    for name in step.dimensions:
        codes, found = pd.factorize(leaves[name])
        values = [str(value) for value in found]
        sums = np.stack([np.bincount(codes, column, len(values)) for column in counts.T], axis=1)
        notable = [number for number, entered in enumerate(sums[:, 0]) if entered >= _SMALLEST_SHARE * whole[0]]
        groups += [(name, values[number], sums[number]) for number in sorted(notable, key=values.__getitem__)]
    threshold = float(norm.isf(DAILY_ERROR / len(STEPS) / 2 / max(len(groups), 1)))
    return [_estimate_drop(step_day, dimension, value, row, threshold) for dimension, value, row in groups]


def _estimate_drop(
    step_day: StepDay, dimension: str, value: str, counts: Floats, threshold: float
) -> DetectableDropRecord:
    """Args: counts: entered, observed, expected and variance of the slice."""
    movement = step_day.whole_overdispersion if dimension == "all" else step_day.slice_overdispersion
    entered, passed, expected, variance = (float(count) for count in counts)
    relative = np.sqrt(variance * step_day.scale**2 / max(expected, 1e-9) ** 2 + movement**2)
    return DetectableDropRecord(
        stage=step_day.step.stage,
        cube=step_day.step.cube,
        step=step_day.step.name,
        dimension=dimension,
        value=value,
        entered=round(entered),
        passed=round(passed),
        expected=expected,
        z=float((passed / max(expected, 1e-9) - 1) / relative),
        smallest_visible_drop=float(np.clip((threshold + _POWER) * relative, SMALLEST_EFFECT, 1.0)),
    )
