"""What the leaves of a cube should show today, and how far chance may carry them from it.

A ratio is expected leaf by leaf with today's denominators, so a change of mix is no deviation.
"""

from dataclasses import dataclass

import numpy as np

_ROUNDS = 4  # of raking; the margins have settled to a few per cent of their noise by then
_PRIOR_PASSES = 5.0  # what a margin is drawn towards the whole by, in passes
_SPREAD_BOUNDS = (1e-4, 0.5)  # of the squared coefficient of variation of leaf rates around the main effects


@dataclass(frozen=True)
class BaselineRates:
    """A rate for every leaf, 0 to 1, and how many baseline entries it is worth."""

    rate: np.ndarray
    entries: np.ndarray


def shrunk_rates(passed: np.ndarray, entered: np.ndarray, codes: list[np.ndarray]) -> BaselineRates:
    """Leaf rates over the whole baseline, each drawn towards what the main effects of the dimensions predict.

    r̂ = (k₀ + κm) / (n₀ + κ): m is raked to the margins of every dimension in `codes`; κ follows from the spread of the
    leaves around m that chance does not explain (method of moments).
    """
    prior = _main_effects(passed, entered, codes)
    mean = entered * prior
    large = mean > 1
    excess = ((passed - mean)[large] ** 2 - (mean * (1 - prior))[large]).sum()
    squared_spread = np.clip(excess / max((mean[large] ** 2).sum(), 1e-9), *_SPREAD_BOUNDS)
    strength = (1 - prior) / (prior * squared_spread)
    return BaselineRates((passed + strength * prior) / (entered + strength), entered + strength)


def _main_effects(passed: np.ndarray, entered: np.ndarray, codes: list[np.ndarray]) -> np.ndarray:
    rates = np.full(len(passed), passed.sum() / entered.sum())
    for _ in range(_ROUNDS):
        for code in codes:
            seen = np.bincount(code, passed)
            predicted = np.bincount(code, entered * rates)
            rates = np.clip(rates * ((seen + _PRIOR_PASSES) / (predicted + _PRIOR_PASSES))[code], 1e-6, 0.999)
    return rates


def binomial_variance(expected: np.ndarray, entered_now: np.ndarray, baseline: BaselineRates) -> np.ndarray:
    """Variance of the passes of a day around `expected`: of the day itself and of its baseline."""
    return expected * (1 - baseline.rate) * (1 + entered_now / baseline.entries)
