"""Slow drifts: a Shiryaev–Roberts e-detector on the daily residuals of each whole step.

R_t = (1 + R_{t−1}) · exp(−λz_t − λ²/2). For standard normal residuals the factor has mean 1, so R crosses a threshold A
no sooner than once in A days on average (Shin, Ramdas and Rinaldo 2022), whatever the days look like otherwise.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.warehouse.connection import Warehouse

DAYS_BETWEEN_FALSE_ALARMS = 1000
_TILT = 0.5


def measure_change(warehouse: Warehouse, step: FunnelStep, days: Sequence[date], z_today: float) -> float:
    """R of the step over the threshold that all steps share: 1 and more is an alarm.

    Args:
        days: the comparable days before, oldest first; those that were diagnosed count, each with the z of that day
            (diagnosis.visible_drops), which is against its own baseline and mix.
    """
    residuals = [
        z
        for (z,) in warehouse.rows(
            "select z from diagnosis.visible_drops where cube = $cube and step = $step and dimension = 'all' "
            "and list_contains($days::DATE[], business_date) order by business_date",
            cube=step.cube,
            step=step.name,
            days=list(days),
        )
    ]
    strength = 0.0
    for z in [*residuals, z_today]:
        strength = (1 + strength) * float(np.exp(-_TILT * z - _TILT**2 / 2))
    return strength / (DAYS_BETWEEN_FALSE_ALARMS * len(STEPS))
