"""Exact bookkeeping: parts that always add up to the whole.

A rate's change is split after Kitagawa (1955), symmetrically: over slices s with share w and rate r,
mix_s = Δw_s · (r̄_s − R̄) and rate_s = w̄_s · Δr_s, bars being means of both periods. Money is split by LMDI-I (Ang 2004):
the part of a factor x is L(V₁, V₀) · ln(x₁ / x₀), L being the logarithmic mean of the two amounts.
"""

from dataclasses import dataclass

import numpy as np

from funnelscope.localization.arrays import Floats


@dataclass(frozen=True)
class RateDecomposition:
    """Arrays over slices; `mix` and `rate` add up to `total`."""

    mix: Floats
    rate: Floats
    total: float


def decompose_rate(
    passed_usual: Floats, entered_usual: Floats, passed_today: Floats, entered_today: Floats
) -> RateDecomposition:
    """Splits the change of Σpassed / Σentered over disjoint slices; closes to 1e-12.

    A slice without entries in one period has no rate of its own there: it takes that of the other period, so all of
    its part is mix. Without any entries in a period there is nothing to split.

    Raises:
        ValueError: a period has no entries at all.
    """
    if not entered_usual.sum() > 0 or not entered_today.sum() > 0:
        raise ValueError("a period without entries has no rate")
    weight_usual = entered_usual / entered_usual.sum()
    weight_today = entered_today / entered_today.sum()
    whole_usual = passed_usual.sum() / entered_usual.sum()
    whole_today = passed_today.sum() / entered_today.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        rate_usual = np.where(entered_usual > 0, passed_usual / entered_usual, passed_today / entered_today)
        rate_today = np.where(entered_today > 0, passed_today / entered_today, rate_usual)
    empty = (entered_usual == 0) & (entered_today == 0)
    rate_usual, rate_today = np.where(empty, 0, rate_usual), np.where(empty, 0, rate_today)
    mean_of_both = (whole_usual + whole_today) / 2
    mix = (weight_today - weight_usual) * ((rate_usual + rate_today) / 2 - mean_of_both)
    rate = (weight_usual + weight_today) / 2 * (rate_today - rate_usual)
    return RateDecomposition(mix, rate, float(whole_today - whole_usual))


def decompose_amount(usual: Floats, today: Floats) -> Floats:
    """Splits Πtoday − Πusual over the factors; closes to 1e-9 of the larger amount.

    Where one amount is zero, the factors that are zero in it share the whole change equally: the limit of the formula
    as they go to zero. Where both amounts are zero, so is every part.
    """
    usual, today = np.asarray(usual, float), np.asarray(today, float)
    amount_usual, amount_today = float(np.prod(usual)), float(np.prod(today))
    if amount_usual > 0 and amount_today > 0:
        return _logarithmic_mean(amount_usual, amount_today) * np.log(today / usual)
    is_zero = (usual if amount_today > 0 else today) == 0
    if not is_zero.any():
        return np.zeros(len(usual))
    return np.where(is_zero, (amount_today - amount_usual) / is_zero.sum(), 0.0)


def _logarithmic_mean(first: float, second: float) -> float:
    ratio = float(np.log(second / first))
    if abs(ratio) < 1e-6:  # the quotient below would lose its digits
        return first * (1 + ratio / 2 + ratio**2 / 6)
    return (second - first) / ratio
