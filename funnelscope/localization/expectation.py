"""What the leaves of a cube should show today, and how far chance may carry them from it.

A ratio is expected leaf by leaf with today's denominators, so a change of mix is no deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from funnelscope.localization.arrays import Floats, Integers

_ROUNDS = 4  # of raking; the margins have settled to a few per cent of their noise by then
_PRIOR_PASSES = 5.0  # what a margin is drawn towards the whole by, in passes
_PRIOR_FREEDOM = 4.0  # degrees of freedom of the leaves around the main effects
_SPREAD_BOUNDS = (1e-4, 0.5)  # of the squared coefficient of variation of leaf rates around the main effects


@dataclass(frozen=True)
class BaselineRates:
    """A rate for every leaf, 0 to 1, and how many baseline entries it is worth."""

    rate: Floats
    entries: Floats


def shrink_rates(
    passed: Floats, entered: Floats, codes: Sequence[Integers], *, with_pairs: bool = False
) -> BaselineRates:
    """Leaf rates over the whole baseline, each drawn towards what the dimensions of the leaf predict.

    r̂ = (k₀ + κm) / (n₀ + κ): m is raked to the margins of every dimension in `codes`; κ follows from the spread of the
    leaves around m that chance does not explain (method of moments), and is less for a leaf that is far from m.

    Args:
        with_pairs: m also follows pairs of dimensions as far as they differ from their main effects, and r̂ keeps the
            margins: needed where most leaves are too thin to speak for themselves and today's thin leaves are others.
    """
    prior = _estimate_main_effects(passed, entered, codes)
    if with_pairs:
        prior = _add_pair_effects(passed, entered, codes, prior)
    mean = entered * prior
    if with_pairs:
        spread = _measure_squared_spread(passed, mean, prior)
    else:
        spread = _estimate_squared_spread(passed, mean, prior, codes)
    spread = float(np.clip(spread, *_SPREAD_BOUNDS))
    strength = (1 - prior) / (prior * spread) * _relax_priors(passed, entered, prior, spread)
    rate = (passed + strength * prior) / (entered + strength)
    if with_pairs:
        rate = _rake_rates(passed, entered, codes, rate)
    return BaselineRates(rate, entered + strength)


def _relax_priors(passed: Floats, entered: Floats, prior: Floats, spread: float) -> Floats:
    """How far every leaf is drawn towards its prior, as a share of what the spread asks: 1 near it, less far from it.

    The leaves around the main effects have the tails of Student's t: few are far away, and those speak for themselves.
    Each share is the expected precision of a normal deviate that is mixed so (Lange, Little and Taylor).
    """
    entered = np.maximum(entered, 1e-9)
    variance = prior * (1 - prior) / entered + spread * prior**2
    distance = (passed / entered - prior) ** 2 / variance
    return np.asarray(np.minimum((_PRIOR_FREEDOM + 1) / (_PRIOR_FREEDOM + distance), 1.0))


def _measure_squared_spread(passed: Floats, mean: Floats, rate: Floats) -> float:
    """Squared coefficient of variation of cells around their mean that chance does not explain; may be below 0."""
    large = mean > 1
    excess = ((passed - mean)[large] ** 2 - (mean * (1 - rate))[large]).sum()
    return float(excess / max((mean[large] ** 2).sum(), 1e-9))


def _estimate_squared_spread(passed: Floats, mean: Floats, rate: Floats, codes: Sequence[Integers]) -> float:
    """The same, so that no large leaf, which pulls the main effects to itself, speaks for all (Paule and Mandel)."""
    large = mean > 1
    squares, chance, weight = ((passed - mean)[large] ** 2, (mean * (1 - rate))[large], mean[large] ** 2)
    freedom = large.sum() * (1 - min(0.5, sum(int(code.max()) for code in codes) / len(passed)))

    def measure_excess(spread: float) -> float:
        return float((squares / (chance + spread * weight)).sum() - freedom)

    low, high = _SPREAD_BOUNDS
    if measure_excess(low) <= 0:
        return low
    return high if measure_excess(high) >= 0 else float(brentq(measure_excess, low, high, xtol=1e-5))


def _sum_by_code(codes: Integers, weights: Floats) -> Floats:
    """The sum of the weights over each code, from 0."""
    return np.asarray(np.bincount(codes, weights), np.float64)


def _estimate_main_effects(passed: Floats, entered: Floats, codes: Sequence[Integers]) -> Floats:
    return _rake_rates(passed, entered, codes, np.full(len(passed), passed.sum() / entered.sum()))


def _add_pair_effects(passed: Floats, entered: Floats, codes: Sequence[Integers], rates: Floats) -> Floats:
    """The rates, times what each pair of dimensions adds to them, drawn towards nothing by how much chance explains."""
    for first, second in combinations(codes, 2):
        pair = first.astype(np.int64) * (int(second.max()) + 1) + second
        if int(pair.max()) > 4 * len(pair) + 1000:
            pair = pd.factorize(pair)[0]
        seen, mean = _sum_by_code(pair, passed), _sum_by_code(pair, entered * rates)
        rate = mean / np.maximum(_sum_by_code(pair, entered), 1e-9)
        spread = _measure_squared_spread(seen, mean, rate)
        if spread > _SPREAD_BOUNDS[0]:
            prior_passes = (1 - rate) / spread
            rates = np.clip(rates * ((seen + prior_passes) / (mean + prior_passes))[pair], 1e-6, 0.999)
    return rates


def _rake_rates(passed: Floats, entered: Floats, codes: Sequence[Integers], rates: Floats) -> Floats:
    """The rates with the margins of every dimension: iterative proportional fitting."""
    for _ in range(_ROUNDS):
        for code in codes:
            seen = _sum_by_code(code, passed)
            predicted = _sum_by_code(code, entered * rates)
            rates = np.clip(rates * ((seen + _PRIOR_PASSES) / (predicted + _PRIOR_PASSES))[code], 1e-6, 0.999)
    return rates


def compute_binomial_variance(expected: Floats, entered_now: Floats, baseline: BaselineRates) -> Floats:
    """Variance of the passes of a day around `expected`: of the day itself and of its baseline."""
    return expected * (1 - baseline.rate) * (1 + entered_now / baseline.entries)
