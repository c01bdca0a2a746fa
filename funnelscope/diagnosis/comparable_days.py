"""With which days a day is compared."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol

from funnelscope.diagnosis.records import DayState
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.settings import Promotion, Settings

BASELINE_DAYS = 28
DAYS_OF_A_WEEKDAY = BASELINE_DAYS // 7
FEWEST_REGULAR_DAYS = 14
"""Before a past promotion: with fewer it does not tell what that promotion changed."""
_LARGEST_SHIFT_HOURS = 6
_LATEST_PAST_DAYS = 60
_LEAST_HOURS = 12
"""A day of which a phase covers less tells little of it."""
FARTHEST_DAYS = 91
"""How far back a baseline may reach: a quarter, by then a shop has changed."""


Row = tuple[date, str]
"""A day and its verdict."""


class Tables(Protocol):
    """Whatever has the tables: the warehouse, or its published copy."""

    def rows(self, statement: str, **parameters: object) -> "list[Row]":
        """Rows of a query with named parameters."""


@dataclass(frozen=True)
class PastPromotionDay:
    """An earlier day of any promotion.

    Attributes:
        regular_days: those before it, with which it is itself compared.
        is_like: whether it is of the same phase of the same promotion, this time or last time.
    """

    day: date
    promotion: "PromotionDay"
    regular_days: tuple[date, ...]
    is_like: bool


@dataclass(frozen=True)
class ComparableDays:
    """The days that a day is compared with, oldest first.

    Attributes:
        days: what is told; of a promotion day, its twin, or regular days where it has none.
        reason: why the day cannot be diagnosed; None where it can.
        compared_with: regular days, or the promotion's name, phase and day; None where the data were withheld.
        regular_days: of a promotion day, the 28 regular days before it; empty where there are fewer.
        past_promotions: of a promotion day, the latest days of promotions, which show what a promotion does to rates.
    """

    state: DayState
    days: tuple[date, ...]
    reason: StatedReason | None = None
    compared_with: StatedReason | None = None
    regular_days: tuple[date, ...] = ()
    past_promotions: tuple[PastPromotionDay, ...] = ()

    @property
    def rate_days(self) -> tuple[date, ...]:
        """The days that tell the usual rate of each leaf."""
        return self.regular_days or self.days

    @property
    def is_promotion(self) -> bool:
        """Whether the day is one of a promotion."""
        return self.compared_with is not None and self.compared_with.key != "regular"

    @property
    def twins(self) -> tuple[date, ...]:
        """The same day of the same phase the last time; empty without one, and on a regular day."""
        return self.days if self.compared_with is not None and self.compared_with.key == "promotion" else ()


def find_comparable_days(tables: Tables, settings: Settings, business_date: date) -> ComparableDays:
    """28 good days without a promotion; for a day of a promotion, also the same phase and day the last time."""
    verdicts = _read_verdicts(tables, business_date)
    if verdicts.get(business_date) == "blocked":
        return ComparableDays("withheld", (), StatedReason("withheld"))
    promotion = find_promotion_day(settings.calendar, business_date)
    if promotion:
        good = [day for day, verdict in verdicts.items() if verdict != "blocked" and day < business_date]
        return _compare_promotion_day(settings.calendar, promotion, business_date, good)
    days = find_regular_days(tables, settings, business_date)
    if len(days) < BASELINE_DAYS:
        reason = StatedReason("no_baseline", {"days": len(days), "missing": BASELINE_DAYS - len(days)})
        return ComparableDays("no_baseline", days, reason, StatedReason("regular"))
    return ComparableDays("diagnosed", days, compared_with=StatedReason("regular"))


def find_regular_days(
    tables: Tables, settings: Settings, business_date: date, left_out: Collection[date] = ()
) -> tuple[date, ...]:
    """The latest good days without a promotion before the day: at most 28, four of each weekday where there are four.

    Days of `left_out` are used only if fewer than two weeks would remain without them.
    """
    regular = list_regular_days(tables, settings, business_date)
    kept = [day for day in regular if day not in left_out]
    return select_latest(kept if 2 * len(kept) >= BASELINE_DAYS else regular)


def list_regular_days(tables: Tables, settings: Settings, business_date: date) -> list[date]:
    """Every good day without a promotion in the quarter before the day, oldest first."""
    farthest = business_date - timedelta(days=FARTHEST_DAYS)
    return [
        day
        for day, verdict in _read_verdicts(tables, business_date).items()
        if verdict != "blocked" and farthest <= day < business_date and not find_promotion_day(settings.calendar, day)
    ]


def select_latest(days: Sequence[date]) -> tuple[date, ...]:
    """The latest four of each weekday, and the latest others if a weekday has fewer: a shop may rest on Sundays."""
    places = [sum(other.weekday() == day.weekday() for other in days[number:]) for number, day in enumerate(days)]
    latest = [day for place, day in zip(places, days, strict=True) if place <= DAYS_OF_A_WEEKDAY]
    others = [day for place, day in zip(places, days, strict=True) if place > DAYS_OF_A_WEEKDAY]
    missing = BASELINE_DAYS - len(latest)
    return tuple(sorted([*latest, *(others[-missing:] if missing else ())]))


def _read_verdicts(tables: Tables, business_date: date) -> dict[date, str]:
    """The verdicts of two years up to the day, oldest first, without days of mere history."""
    return dict(
        tables.rows(
            "select business_date, verdict from quality.day_verdict "
            "where business_date between $first and $day and verdict != 'history' order by business_date",
            first=business_date - timedelta(days=2 * 366),
            day=business_date,
        )
    )


@dataclass(frozen=True)
class PromotionDay:
    """A day of a promotion's phase, from 1; of an eve on which it has begun by less than half of the day, 0.

    Attributes:
        hours: of the day that the phase covers.
    """

    name: str
    phase: str
    number: int
    hours: float

    def state_as(self, key: str) -> StatedReason:
        """The day as the values of a sentence of the playbook."""
        return StatedReason(key, {"name": self.name, "phase": self.phase, "number": self.number})


def find_promotion_day(calendar: Sequence[Promotion], day: date) -> PromotionDay | None:
    """The phase that covers most of the day, and which day of it that is; None on a regular day.

    A phase that begins or ends within the day makes it a day of the promotion too.
    """
    days = [_place_day(promotion, day) for promotion in calendar]
    return max((each for each in days if each.hours > 0), key=lambda each: each.hours, default=None)


def _place_day(promotion: Promotion, day: date) -> PromotionDay:
    begins, ends = _convert_to_moment(promotion.starts), _convert_to_moment(promotion.ends)
    if not isinstance(promotion.ends, datetime):
        ends += timedelta(days=1)
    midnight = datetime.combine(day, time())
    covered = min(ends, midnight + timedelta(days=1)) - max(begins, midnight)
    first = (begins + timedelta(hours=12)).date()
    return PromotionDay(promotion.name, promotion.phase, (day - first).days + 1, covered / timedelta(hours=1))


def _compare_promotion_day(
    calendar: Sequence[Promotion], promotion: PromotionDay, business_date: date, good: Sequence[date]
) -> ComparableDays:
    """Twins where there are any; rates of regular days, corrected by what past promotions did to them.

    Args:
        good: the days before with usable data, oldest first.
    """
    placed = {day: find_promotion_day(calendar, day) for day in good}
    regular = [day for day in good if placed[day] is None]
    twins = tuple(day for day, other in placed.items() if other and _is_alike(other, promotion))[-1:]
    usual = _select_regular(regular, business_date)
    if len(usual) < BASELINE_DAYS:
        usual = ()
    if not usual and not twins:
        return ComparableDays(
            "not_comparable", (), promotion.state_as("not_comparable"), promotion.state_as("promotion")
        )
    past = [(day, other) for day, other in placed.items() if other and other.hours >= _LEAST_HOURS]
    latest = {day for day, _ in past[-_LATEST_PAST_DAYS:]}
    described = [
        PastPromotionDay(day, other, _select_regular(regular, day), is_like)
        for day, other in past
        if (is_like := (other.name, other.phase) == (promotion.name, promotion.phase)) or day in latest
    ]
    return ComparableDays(
        "diagnosed",
        twins or usual,
        compared_with=promotion.state_as("promotion" if twins else "regular_rates"),
        regular_days=usual,
        past_promotions=tuple(each for each in described if len(each.regular_days) >= FEWEST_REGULAR_DAYS),
    )


def _select_regular(regular: Sequence[date], before: date) -> tuple[date, ...]:
    farthest = before - timedelta(days=FARTHEST_DAYS)
    return select_latest([day for day in regular if farthest <= day < before])


def _is_alike(one: PromotionDay, other: PromotionDay) -> bool:
    """The same day of the same phase of the same sale, which may have been shifted by hours.

    Another sale is no measure: its rates may be others throughout, with nothing wrong in either.
    """
    is_same = (one.name, one.phase, one.number) == (other.name, other.phase, other.number)
    return is_same and abs(one.hours - other.hours) <= _LARGEST_SHIFT_HOURS


def _convert_to_moment(moment: date | datetime) -> datetime:
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())
