"""What is usual, and how far healthy days stray from it: one yardstick for every figure of a report.

The usual count of a Sunday is the mean of the latest comparable Sundays; that of a week or month is the sum over its
days. A usual rate is the usual numerator over the usual denominator. Hence parts add up to their whole, factors
multiply to their amount, and a rate has the same usual value on every page.

The range is the prediction interval of a new day in a normal model with one mean for each weekday and one variance
(Hahn and Meeker, Statistical Intervals, 1991, chapter 4), on the scale of square roots, where a count varies about as
much on busy days as on quiet ones (Bartlett 1936). A count varies at least as a Poisson number does, a share at least
as a binomial one of its denominator: three conversations are no trend.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from math import sqrt
from statistics import fmean

from funnelscope.messages.message_types import Number

COVERAGE = 0.9
FEWEST_OF_A_WEEKDAY = 2
"""With fewer days of its weekday, a day is compared with all days, and has no range."""
FEWEST_DEGREES_OF_FREEDOM = 7
FALSE_MARKS_PER_PAGE = 0.1
"""On how many pages of healthy days any figure is marked."""
_LARGEST_CORRELATION = 0.8

Counts = tuple[float, float | None]
"""Numerator, and denominator of a rate or mean."""


class Chance(StrEnum):
    """The least that chance does to a figure."""

    NONE = "none"
    COUNT = "count"
    SHARE = "share"


@dataclass(frozen=True)
class Usual:
    """The usual value of a figure.

    Attributes:
        low, high: nine healthy days in ten are between them; None if too few days are known.
        surprise: the probability that a healthy day is as far away as this one; None without a range or a value.
    """

    value: float
    low: float | None = None
    high: float | None = None
    surprise: float | None = None


@dataclass(frozen=True)
class Yardstick:
    """The comparable days of one day, or of the days of a period.

    Attributes:
        days: the comparable ones, oldest first.
        dates: the days that are compared.
        has_range: whether the days before can tell how far healthy days stray.
        is_judged: whether figures outside their range are marked.
    """

    days: tuple[date, ...]
    dates: tuple[date, ...]
    has_range: bool = True
    is_judged: bool = True

    def fit(self, values: Mapping[date, Counts], chance: Chance = Chance.NONE) -> "UsualFigure":
        """The usual of a figure, from its value on each comparable day that has one."""
        return UsualFigure(self, {day: values[day] for day in self.days if day in values}, chance)

    def sum_usual(self, values: Mapping[date, Number]) -> float | None:
        """The usual sum of a count or an amount over the dates; None if no comparable day has one."""
        usual = self.fit({day: (float(value), None) for day, value in values.items()}).estimate(self.dates)
        return usual.value if usual else None


@dataclass(frozen=True)
class UsualFigure:
    """A figure on the comparable days."""

    yardstick: Yardstick
    values: Mapping[date, Counts]
    chance: Chance

    def find_alike(self, day: date) -> Sequence[date]:
        """The comparable days of its weekday; all if these are too few."""
        same = self._weekdays.get(day.weekday(), ())
        return same if len(same) >= FEWEST_OF_A_WEEKDAY else tuple(self.values)

    @cached_property
    def _weekdays(self) -> dict[int, tuple[date, ...]]:
        return {
            weekday: tuple(day for day in self.values if day.weekday() == weekday)
            for weekday in {day.weekday() for day in self.values}
        }

    def estimate(self, dates: Sequence[date], today: Counts | None = None) -> Usual | None:
        """The usual of the dates together, with how surprising `today` is; None if no comparable day has a value."""
        if not self.values or not dates:
            return None
        numerator = sum(fmean(self.values[day][0] for day in self.find_alike(date_)) for date_ in dates)
        if not self._is_rate:
            value = numerator
        else:
            denominator = sum(fmean(self.values[day][1] or 0.0 for day in self.find_alike(date_)) for date_ in dates)
            if not denominator:
                return None
            value = numerator / denominator
        deviation = self._estimate_deviation(dates, value, today)
        if deviation is None:
            return Usual(value)
        from scipy.special import stdtrit  # here, because most commands print no report

        days = 1 if self._is_rate else len(dates)
        centre = self._scale(value / days)
        reach = float(stdtrit(self._degrees_of_freedom, (1 + COVERAGE) / 2)) * deviation
        low, high = (self._unscale(centre + side * reach) * days for side in (-1, 1))
        if self.chance is Chance.SHARE and value <= 1:
            high = min(high, 1.0)
        return Usual(value, low, high, self._measure_surprise(today, days, centre, deviation))

    def _measure_surprise(self, today: Counts | None, days: int, centre: float, deviation: float) -> float | None:
        from scipy.special import stdtr

        if today is None or (self._is_rate and not today[1]):
            return None
        value = today[0] / today[1] if self._is_rate and today[1] else today[0] / days
        distance = abs(self._scale(value) - centre)
        if not deviation:
            return 0.0 if distance > 1e-9 else 1.0
        return 2 * float(stdtr(self._degrees_of_freedom, -distance / deviation))

    # --- Spread ----------------------------------------------------------------------------------

    @property
    def _is_rate(self) -> bool:
        return any(denominator is not None for _, denominator in self.values.values())

    @cached_property
    def _daily(self) -> dict[date, float]:
        """The value of each comparable day that has one."""
        if not self._is_rate:
            return {day: numerator for day, (numerator, _) in self.values.items()}
        return {day: numerator / denominator for day, (numerator, denominator) in self.values.items() if denominator}

    @cached_property
    def _has_roots(self) -> bool:
        return min(self._daily.values(), default=0.0) >= 0

    def _scale(self, value: float) -> float:
        return sqrt(max(value, 0.0)) if self._has_roots else value

    def _unscale(self, value: float) -> float:
        return max(value, 0.0) ** 2 if self._has_roots else value

    @cached_property
    def _residuals(self) -> dict[date, float]:
        """On the scale of square roots, from the mean of the weekday."""
        scaled = {day: self._scale(value) for day, value in self._daily.items()}
        means = {
            weekday: fmean(known)
            for weekday, days in self._weekdays.items()
            if (known := [scaled[day] for day in days if day in scaled])
        }
        return {day: value - means[day.weekday()] for day, value in scaled.items()}

    @cached_property
    def _degrees_of_freedom(self) -> int:
        return len(self._residuals) - len({day.weekday() for day in self._residuals})

    @cached_property
    def _correlation(self) -> float:
        """Of a day's residual with that of the day before, less its standard error: 0 to 0.8."""
        pairs = [
            value * self._residuals[before]
            for day, value in self._residuals.items()
            if (before := day - timedelta(days=1)) in self._residuals
        ]
        variance = fmean(value**2 for value in self._residuals.values())
        known = fmean(pairs) / variance - 1 / sqrt(len(pairs)) if pairs and variance else 0.0
        return min(max(known, 0.0), _LARGEST_CORRELATION)

    def _estimate_deviation(self, dates: Sequence[date], usual: float, today: Counts | None) -> float | None:
        """Standard deviation of a new value from the usual; None if too few days are known."""
        weekdays = Counter(date_.weekday() for date_ in dates)
        sizes = {weekday: len(self._weekdays.get(weekday, ())) for weekday in weekdays}
        if (
            not self.yardstick.has_range
            or min(sizes.values()) < FEWEST_OF_A_WEEKDAY
            or self._degrees_of_freedom < FEWEST_DEGREES_OF_FREEDOM
        ):
            return None
        variance = sum(value**2 for value in self._residuals.values()) / self._degrees_of_freedom
        count = len(dates)
        of_means = sum((days / count) ** 2 / sizes[weekday] for weekday, days in weekdays.items())
        correlated = (1 + self._correlation) / (1 - self._correlation) if count > 1 else 1.0
        if self.chance is Chance.SHARE:
            by_chance = fmean(_binomial(usual, denominator) for _, denominator in self.values.values() if denominator)
            beyond = max(variance - by_chance, 0.0)
            entered = today[1] if today and today[1] else None
            alike = [self.values[day][1] or 0.0 for date_ in dates for day in self.find_alike(date_)]
            of_day = _binomial(usual, entered or max(fmean(alike) * count, 1.0))
            return sqrt(beyond * correlated / count + of_day + (beyond + by_chance) * of_means)
        if self.chance is Chance.COUNT:
            variance = max(variance, 0.25)
        return sqrt(variance * (correlated / count + of_means))


def _binomial(rate: float, entered: float) -> float:
    """Variance of the square root of a share by chance alone (delta method)."""
    return max(1 - rate, 0.0) / (4 * entered)
