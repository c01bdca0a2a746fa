"""The curve of a day over its 24 hours, judged by the days before: is the clock off, does the day end too early?

A shifted clock is found by likelihood: the hours of the usual curve, moved by so many, fit the day better than where
they are. Only the hours from the first to the last event are compared, for a day that ends at noon fits its usual
morning, and a day whose clock is off has lost those of its hours that fell on its neighbours. An early end is judged by
what the usual curve expects after it, at the size of the day so far.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

CURVE_DAYS = 28
FEWEST_DAYS = 7  # with any event, before a curve is judged
FEWEST_OF_A_WEEKDAY = 3  # then the curve of the weekday has to agree, if it is more than chance
FEWEST_IN_A_CURVE = 500
FEWEST_TODAY = 8  # to say that a clock is off
LEAST_EVIDENCE = 6.0  # log of the likelihoods' ratio
NEAR_HOURS = 1  # people get up an hour later on a holiday; a clock is off by two or more
LEAST_EXPLAINED = 0.5  # of what sets the day apart from the usual curve, beyond what chance does to 24 hours
CHANCE = 23 / 2  # by how much a curve of its own fits a usual day better, on average (Wilks 1938)
LEAST_WITHIN = 0.3  # of the moved curve, between the first and the last event
FLOOR = 0.002  # of a day's events in any hour of a usual curve
MOST_EARLY_DAYS = 1  # days that ended so early before, and nobody minded

Curve = Sequence[float]


@dataclass(frozen=True)
class DailyCurve:
    """What the hours of a day say.

    Attributes:
        shift_hours: how many hours later than usual the day's curve lies, if the evidence is clear; else 0.
        last_hour: the hour of the last event.
        usual_last_hour: the median of the days before.
        missing: how many are expected after the last hour, and are not there.
    """

    shift_hours: float
    last_hour: float
    usual_last_hour: float
    missing: float


def judge_curve(day: date, curves: Mapping[date, Curve]) -> DailyCurve | None:
    """The day against the four weeks before it; None without events or with too few days.

    Args:
        curves: 24 counts of each day that has any.
    """
    known = {other: curve for other, curve in curves.items() if 0 < (day - other).days <= CURVE_DAYS and any(curve)}
    today = curves.get(day, ())
    if len(known) < FEWEST_DAYS or not any(today):
        return None
    same = [curve for other, curve in known.items() if other.weekday() == day.weekday()]
    usual = [_sum_curves(list(known.values()))]
    if len(same) >= FEWEST_OF_A_WEEKDAY and sum(map(sum, same)) >= FEWEST_IN_A_CURVE:
        usual.append(_sum_curves(same))
    lasts = sorted(_find_last(curve) for curve in known.values())
    last = _find_last(today)
    shifts = [_find_shift(today, each) for each in usual]
    shift = shifts[0] if all(each * shifts[0] > 0 for each in shifts) else 0
    is_early = shift == 0 and sum(each <= last for each in lasts) <= MOST_EARLY_DAYS
    missing = min(_count_missing(today, each, last) for each in usual) if is_early else 0.0
    return DailyCurve(float(shift), float(last), float(lasts[len(lasts) // 2]), missing)


def _sum_curves(curves: Sequence[Curve]) -> list[float]:
    return [sum(curve[hour] for curve in curves) for hour in range(24)]


def _find_last(curve: Curve) -> int:
    return max(hour for hour in range(24) if curve[hour])


def _find_shift(today: Curve, usual: Curve) -> int:
    """By how many hours the usual curve has to be moved to fit the day, from two on; 0 without clear evidence."""
    floor = FLOOR * sum(usual)
    first, last = min(hour for hour in range(24) if today[hour]), _find_last(today)
    hours = range(first, last + 1)

    def fit(shift: int) -> float:
        moved = [usual[(hour - shift) % 24] + floor for hour in hours]
        whole = sum(moved)
        if shift and whole < LEAST_WITHIN * sum(usual):
            return -math.inf
        return sum(today[hour] * math.log(each / whole) for hour, each in zip(hours, moved, strict=True))

    fits = {shift: fit(shift) for shift in range(-12, 12)}
    best = max(fits, key=lambda shift: (fits[shift], -abs(shift)))
    gain = fits[best] - fits[0]
    own = sum(today[hour] * math.log(today[hour] / sum(today)) for hour in hours if today[hour])
    is_explained = gain >= LEAST_EXPLAINED * (own - CHANCE - fits[0])
    is_clear = sum(today) >= FEWEST_TODAY and gain >= LEAST_EVIDENCE and is_explained
    return best if abs(best) > NEAR_HOURS and is_clear else 0


def _count_missing(today: Curve, usual: Curve, last: int) -> float:
    """What is expected after the last hour, as so many came until then as did."""
    until = sum(usual[: last + 1])
    return sum(today) * sum(usual[last + 1 :]) / until if until else 0.0
