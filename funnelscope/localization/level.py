"""The level of a cause: whether a slice moved by itself, or as a part of the slice around it.

Of a cause some parts lose more than others, and a few nothing at all. So what each sibling shows is asked of two
populations of effects (random effects): those of the parts of one cause, and those of slices beside it.
"""

from typing import Final

import numpy as np
from scipy.special import logsumexp, xlog1py
from scipy.stats import norm

from funnelscope.localization.arrays import Floats

_EFFECTS: Final = np.arange(-1.0, 2.4, 0.04)
"""Effects that a sibling may have, as shares of the slice's."""
_IMMUNE: Final = 0.05  # share of the parts of a cause that do not move with it
_IMMUNE_SPREAD: Final = 0.06
_PART_EFFECT: Final = 0.8  # of the slice's: the slice was chosen for being the largest
_PART_SPREAD: Final = 0.4
_TOUCHED: Final = 0.01  # share of the slices beside a cause that move for a reason of their own
_TOUCHED_SPREAD: Final = 0.7
_STILL_SPREAD: Final = 0.08
_HIGHEST_RATE: Final = 0.999


def measure_support(
    effect: float, movement: float, entered: Floats, expected: Floats, observed: Floats, certainty: Floats
) -> float:
    """Nats by which siblings speak for one cause of them all, against a cause of the slice alone.

    Args:
        effect: observed over expected of the slice, less 1; not 0.
        movement: standard deviation of the level of a healthy slice, as a share of it.
        entered, expected, observed: counts of each sibling.
        certainty: what a count of each sibling tells, as a share of what a binomial one would; 0 to 1.
    """
    restless = movement / abs(effect)
    part = _IMMUNE * _weigh_effects(0.0, np.hypot(_IMMUNE_SPREAD, restless)) + (1 - _IMMUNE) * _weigh_effects(
        _PART_EFFECT, _PART_SPREAD, least=0.0
    )
    beside = (1 - _TOUCHED) * _weigh_effects(0.0, np.hypot(_STILL_SPREAD, restless)) + _TOUCHED * _weigh_effects(
        0.0, _TOUCHED_SPREAD
    )
    factor = np.maximum(effect * _EFFECTS, -0.999)
    rate = np.minimum((expected / entered)[:, None] * (1 + factor), _HIGHEST_RATE)
    log_rate = np.log(rate)
    likelihood = certainty[:, None] * (observed[:, None] * log_rate + xlog1py((entered - observed)[:, None], -rate))
    support = logsumexp(likelihood, b=part, axis=1) - logsumexp(likelihood, b=beside, axis=1)
    return float(support.sum())


def _weigh_effects(mean: float, spread: float, least: float = -np.inf) -> Floats:
    """Normal weights of the effects that are above `least`; they add up to 1."""
    weights = np.where(least < _EFFECTS, norm.pdf(_EFFECTS, mean, spread), 0.0)
    return np.asarray(weights / weights.sum())
