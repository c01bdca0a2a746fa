"""Nine in ten intervals of a loss hold what was lost, whether a slice lost it or a whole step.

The settings were chosen after others had been seen. Whole steps with noise .012 of the whole and .03 of slices are held
in 90 % of 199 (82 % of 120 before their noise allowed for how few days it is known from).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from diagnosis_world import CHANNELS, COUPONS, DEVICES, World

BASELINE_DAYS = 28
SHOPS = 40
CHECKOUTS = 4_000
ORDER_RATE, PAY_RATE, LOST_SHARE = 0.55, 0.8, 0.3
VALUES = {"coupon": COUPONS, "channel": CHANNELS, "device": DEVICES}


@dataclass(frozen=True)
class Loss:
    """Of one simulated day: orders that were lost indeed, and the interval that the diagnosis gives."""

    lost: float
    low: float
    high: float


class RestlessWorld(World):
    """A shop of one step, checkout to order, whose level and whose slices move from day to day by more than chance."""

    def day_of(self, number: int, whole_noise: float, slice_noise: float) -> pd.DataFrame:
        """Leaves of a day without a fault; `whole_noise`, `slice_noise`: standard deviations of the log level."""
        leaves = self._leaves(CHECKOUTS, **VALUES)
        level = np.full(len(leaves), self.random.normal(0, whole_noise))
        for name, values in VALUES.items():
            moves = dict(zip(values, self.random.normal(0, slice_noise, len(values)), strict=True))
            level += leaves[name].map(moves).to_numpy(float)
        leaves["ordered"] = self.random.binomial(leaves["n"], np.minimum(ORDER_RATE * np.exp(level), 0.99))
        return leaves.assign(business_date=self.day(number))

    def lose(self, whole_noise: float, slice_noise: float, slice_: dict[str, str]) -> Loss | None:
        """Draws a shop with a fault of its last day in the slice, or in the whole; None where it is not found."""
        for table in ("marts.checkout_cube", "marts.daily_summary", "quality.day_verdict", "diagnosis.findings"):
            self.warehouse.execute(f"delete from {table}")
        days = [self.day_of(number, whole_noise, slice_noise) for number in range(1, BASELINE_DAYS + 2)]
        inside = np.logical_and.reduce([days[-1][name] == value for name, value in slice_.items()] or [True])
        lost = self.random.binomial(np.where(inside, days[-1]["ordered"], 0), LOST_SHARE)
        lost_orders = self.random.binomial(lost, PAY_RATE).sum()
        days[-1]["ordered"] -= lost
        drawn = pd.concat(days)
        drawn["paid"] = self.random.binomial(drawn["ordered"], PAY_RATE)
        self.warehouse.connection.register("drawn", drawn)
        for statement in (
            "insert into marts.checkout_cube by name select business_date, coupon, 'none' as promotion, channel, "
            "device, n as checkouts, ordered, paid from drawn where n > 0",
            "insert into quality.day_verdict select distinct business_date, 'pass', '[]' from drawn",
        ):
            self.warehouse.execute(statement)
        self.diagnose(BASELINE_DAYS + 1, BASELINE_DAYS + 1)
        rows = self.warehouse.rows(
            "select lost_orders_low, lost_orders_high from diagnosis.findings where business_date = $day "
            "and slice = $slice and cube = 'checkout_cube'",
            day=self.day(BASELINE_DAYS + 1),
            slice=str(slice_).replace("'", '"'),
        )
        return Loss(float(lost_orders), *rows[0]) if rows else None


def simulate(shops: int, whole_noise: float, slice_noise: float, slice_: dict[str, str]) -> list[Loss]:
    """The losses that were found, of so many shops."""
    world = RestlessWorld(seed=2026)
    return [found for _ in range(shops) if (found := world.lose(whole_noise, slice_noise, slice_))]


@pytest.mark.parametrize(
    ("slice_", "whole_noise", "slice_noise"),
    [
        pytest.param({"coupon": "WELCOME10"}, 0.012, 0.03, marks=pytest.mark.slow, id="slice"),
        pytest.param({}, 0.03, 0.02, marks=pytest.mark.slow, id="whole step"),
        pytest.param({}, 0.012, 0.03, marks=pytest.mark.slow, id="whole step of restless slices"),
    ],
)
def test_nine_in_ten_intervals_hold_what_was_lost(
    slice_: dict[str, str], whole_noise: float, slice_noise: float
) -> None:
    losses = simulate(SHOPS, whole_noise, slice_noise, slice_)
    assert len(losses) >= 0.9 * SHOPS
    assert 0.85 <= np.mean([each.low <= each.lost <= each.high for each in losses]) <= 0.95
    errors = np.array([each.lost - (each.low + each.high) / 2 for each in losses])
    widths = np.array([(each.high - each.low) / 2 / 1.645 for each in losses])
    assert np.sqrt((errors**2).mean()) == pytest.approx(np.sqrt((widths**2).mean()), rel=0.25)
