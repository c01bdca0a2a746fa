"""What is usual for a day, learnt from the shop's own days before it.

An ordinary day is compared with the same weekday of the last eight weeks, a day of a promotion with days of the same
phases; days of promotions are no history for ordinary ones. Centre and spread are medians, so that a few bad days in
the history change little. How far days lie apart is learnt by leaving each out and comparing it with the others of its
kind: 1.4826 × the median of those distances estimates a standard deviation (Rousseeuw & Croux 1993).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from funnelscope.quality.expectations.suites import Measure, Scale
from funnelscope.settings import Promotion

ORDINARY_DAYS = 56
PROMOTION_DAYS = 400
MINIMUM_COMPARABLE_DAYS = 3  # days of the same weekday, or of the same phases, before anything is said
WEEK = 7
SLICE_DAYS = 21  # how far back the last seven comparable days may lie

Phases = frozenset[str]


@dataclass(frozen=True)
class MeasureBaseline:
    """What a measure usually is on such a day.

    Attributes:
        centre: in the measure's own unit.
        spread: a standard deviation: of the logarithm for a ratio, else in the measure's unit.
        days: how many days of history it was learnt from.
    """

    centre: float
    spread: float
    days: int

    def compute_deviation(self, observed: float, scale: Scale) -> float:
        """How many spreads `observed` lies above (or, negative, below) the usual."""
        return (_scale_value(observed, scale) - _scale_value(self.centre, scale)) / self.spread


class DayCalendar:
    """Which phases of promotions a day lies in."""

    def __init__(self, promotions: tuple[Promotion, ...]) -> None:
        self.promotions = promotions

    def phases(self, day: date) -> Phases:
        """The phases that touch the day; none for an ordinary day."""
        return frozenset(
            promotion.phase
            for promotion in self.promotions
            if convert_to_day(promotion.starts) <= day <= convert_to_day(promotion.ends)
        )

    def select_comparable_history(self, day: date, history: Mapping[date, float]) -> dict[date, float]:
        """The days of the history that `day` may be compared with, weekdays apart from their order."""
        phases = self.phases(day)
        oldest = day - timedelta(days=PROMOTION_DAYS if phases else ORDINARY_DAYS)
        return {
            other: value for other, value in history.items() if oldest <= other < day and self.phases(other) == phases
        }

    def list_last_comparable_days(self, day: date, days: set[date]) -> list[date]:
        """The last seven days before `day` that it may be compared with; fewer where there were not as many.

        On a promotion's day what was there on ordinary days must be there too; an ordinary day is not asked for what
        only promotions bring.
        """
        fitting = {frozenset(), self.phases(day)}
        oldest = day - timedelta(days=SLICE_DAYS)
        return [other for other in sorted(days) if oldest <= other < day and self.phases(other) in fitting][-WEEK:]


def compute_baseline(
    day: date, history: Mapping[date, float], measure: Measure, calendar: DayCalendar
) -> MeasureBaseline | None:
    """What the measure usually is on such a day; None before there is history enough."""
    comparable = calendar.select_comparable_history(day, history)
    groups: dict[object, list[float]] = {}
    for other, value in comparable.items():
        kind = other.weekday() if not calendar.phases(day) else "promotion"
        groups.setdefault(kind, []).append(value)
    own = groups.get(day.weekday() if not calendar.phases(day) else "promotion", [])
    if len(own) < MINIMUM_COMPARABLE_DAYS:
        return None
    centre = median(own)
    distances = [
        abs(
            _scale_value(value, measure.scale)
            - _scale_value(median(values[:position] + values[position + 1 :]), measure.scale)
        )
        for values in groups.values()
        if len(values) >= MINIMUM_COMPARABLE_DAYS
        for position, value in enumerate(values)
    ]
    spread = max(1.4826 * median(distances), measure.least_spread)
    if measure.scale is Scale.RATIO:  # a small count varies by its root, however quiet its history was
        spread = max(spread, 1 / math.sqrt(max(centre, 0) + 1))
    return MeasureBaseline(centre, spread, len(comparable))


def _scale_value(value: float, scale: Scale) -> float:
    return math.log(max(value, 0) + 1) if scale is Scale.RATIO else value


def convert_to_day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
