"""What of a rate's change is mix: other shares of entries among slices of which each has its usual rate.

Kitagawa's decomposition with today's shares: rate is what the findings are measured by, observed less expected, and
mix is all the rest, so that the two add up to the change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

_LEAST_PART: Final = 0.25  # of the mix, that the share of a slice must explain to be told
_MOST_SHARES: Final = 3
_CLEAR: Final = 3.0  # standard deviations by chance from which on a mix is told


@dataclass(frozen=True)
class ShareChange:
    """A slice whose share of the entries grew, 0 to 1, and so moved the whole."""

    slice: dict[str, str]
    usual: float
    today: float


@dataclass(frozen=True)
class RateChange:
    """A whole rate, usual and today; `mix` and `rate` add up to its change.

    `shares` are those that grew and moved the whole the way that the mix did, the largest part of it first.
    `error` is the standard deviation of the mix by chance.
    """

    usual: float
    today: float
    mix: float
    rate: float
    error: float
    shares: tuple[ShareChange, ...]

    def has_mix(self, least: float) -> bool:
        """Whether mix moved the whole by this share of its usual rate, and not by chance."""
        return abs(self.mix) >= max(least * self.usual, _CLEAR * self.error)


def decompose_change(leaves: pd.DataFrame, dimensions: Sequence[str]) -> RateChange:
    """Splits the change of a whole rate; both periods have entries.

    `leaves` has `passed` and `entered` of the day, `usual_passed` and `usual_entered`, and the usual `rate`.
    """
    entered, usual_entered, rate = (leaves[name].to_numpy(float) for name in ("entered", "usual_entered", "rate"))
    today_share, usual_share = entered / entered.sum(), usual_entered / usual_entered.sum()
    usual = float(leaves["usual_passed"].sum() / usual_entered.sum())
    today = float(leaves["passed"].sum() / entered.sum())
    level = float(usual_share @ rate)
    mix = float(today_share @ rate) - level
    error = float(np.sqrt(usual_share @ (rate - level) ** 2 / entered.sum()))
    parts = pd.DataFrame({"usual": usual_share, "today": today_share, "passes": usual_share * rate})
    shares: list[tuple[float, ShareChange]] = []
    if abs(mix) <= 1e-12:
        return RateChange(usual, today, mix, today - usual - mix, error, ())
    for size in (1, 2):
        for names in map(list, combinations(dimensions, size)):
            of_slice = parts.groupby([leaves[name] for name in names], observed=True).sum()
            of_slice["part"] = (of_slice["today"] - of_slice["usual"]) * (
                of_slice["passes"] / of_slice["usual"] - level
            )
            grown = of_slice[(of_slice["today"] > of_slice["usual"]) & (of_slice["part"] / mix >= _LEAST_PART)]
            for value, row in grown.iterrows():
                values = value if isinstance(value, tuple) else (value,)
                named = dict(zip(names, map(str, values), strict=True))
                shares.append((row["part"] / mix, ShareChange(named, float(row["usual"]), float(row["today"]))))
        if shares:
            break
    shares.sort(key=lambda share: -share[0])
    return RateChange(usual, today, mix, today - usual - mix, error, tuple(each for _, each in shares[:_MOST_SHARES]))
