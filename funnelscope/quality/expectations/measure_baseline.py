"""The baseline of a measure on a day, computed from the shop's own earlier days.

An ordinary day is compared with the same weekday of the last eight weeks, a day of a promotion with days of the same
phases. Days of promotions are not used as history for ordinary days. Centre and spread are medians, so that a few bad
days in the history change little. To estimate the spread, each day is compared with the others of its kind: 1.4826 ×
the median of those distances estimates a standard deviation (Rousseeuw & Croux 1993).

The level of a count is judged beside that, over all weekdays and with a few days of history: its factor on the median
day. Weeks that are unlike each other teach a wide spread, but no median of days that a hundredfold day is near.
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
MINIMUM_COMPARABLE_DAYS = 3  # with the same weekday or phases, before anything is judged
FEW = 20  # of rows a day
LEVEL_DAYS = 28  # how far back the days are whose median is the level
FEWEST_LEVEL_DAYS = 5
WEEK = 7
SLICE_DAYS = 21  # how far back the last seven comparable days may be

Phases = frozenset[str]


@dataclass(frozen=True)
class MeasureBaseline:
    """The baseline of a measure on a day.

    Attributes:
        centre: in the unit of the measure.
        spread: a standard deviation: of the logarithm for a ratio, else in the unit of the measure.
        days: number of days of history.
    """

    centre: float
    spread: float
    days: int

    def compute_deviation(self, observed: float, scale: Scale) -> float:
        """The distance of `observed` from the baseline in spreads; negative if below."""
        centre = _raise_level(observed, self.centre) if scale is Scale.RATIO else self.centre
        return (_scale_value(observed, scale) - _scale_value(centre, scale)) / self.spread


class DayCalendar:
    """The phases of promotions on each day."""

    def __init__(self, promotions: tuple[Promotion, ...]) -> None:
        self.promotions = promotions

    def phases(self, day: date) -> Phases:
        """The phases that touch the day; empty for an ordinary day."""
        return frozenset(
            promotion.phase
            for promotion in self.promotions
            if convert_to_day(promotion.starts) <= day <= convert_to_day(promotion.ends)
        )

    def select_comparable_history(self, day: date, history: Mapping[date, float]) -> dict[date, float]:
        """The days of the history that are comparable with `day`, without regard to weekdays."""
        phases = self.phases(day)
        oldest = day - timedelta(days=PROMOTION_DAYS if phases else ORDINARY_DAYS)
        return {
            other: value for other, value in history.items() if oldest <= other < day and self.phases(other) == phases
        }

    def list_last_comparable_days(self, day: date, days: set[date]) -> list[date]:
        """The last seven comparable days before `day`; fewer if there are fewer.

        On a day of a promotion, values present on ordinary days must be present too. An ordinary day need not have
        values that only promotions bring.
        """
        fitting = {frozenset(), self.phases(day)}
        oldest = day - timedelta(days=SLICE_DAYS)
        return [other for other in sorted(days) if oldest <= other < day and self.phases(other) in fitting][-WEEK:]


def compute_baseline(
    day: date, history: Mapping[date, float], measure: Measure, calendar: DayCalendar
) -> MeasureBaseline | None:
    """The baseline of the measure on a day; None if there is too little history."""
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
    spread = max(min(1.4826 * median(distances), measure.most_spread or math.inf), measure.least_spread)
    if measure.scale is Scale.RATIO:  # a small count varies by its root, even after a quiet history
        spread = max(spread, 1 / math.sqrt(max(centre, 0) + 1))
    return MeasureBaseline(centre, spread, len(comparable))


def compute_level(day: date, history: Mapping[date, float]) -> float | None:
    """The median of the days with any in the four weeks before, whatever their weekday; None if they are too few."""
    oldest = day - timedelta(days=LEVEL_DAYS)
    values = [value for other, value in history.items() if oldest <= other < day and value > 0]
    return median(values) if len(values) >= FEWEST_LEVEL_DAYS else None


def compute_level_factor(observed: float, level: float) -> float:
    """How many times the level was observed."""
    return (observed + 1) / (_raise_level(observed, level) + 1)


def _raise_level(observed: float, level: float) -> float:
    """What a count above its level is compared with: from fewer than FEW rows a day, a crowd is no other scale."""
    return min(max(level, FEW), observed) if observed > level else level


def is_weekday_of_rest(day: date, history: Mapping[date, float]) -> bool:
    """Whether none of the four weeks before had any on this weekday: the shop is closed then, or it is not known."""
    return not any(history.get(day - timedelta(weeks=weeks), 0) > 0 for weeks in range(1, LEVEL_DAYS // 7 + 1))


def _scale_value(value: float, scale: Scale) -> float:
    return math.log(max(value, 0) + 1) if scale is Scale.RATIO else value


def convert_to_day(moment: date | datetime) -> date:
    """The date of a date or datetime."""
    return moment.date() if isinstance(moment, datetime) else moment
