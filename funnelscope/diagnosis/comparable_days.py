"""With which days a day is compared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from funnelscope.settings import Promotion, Settings
from funnelscope.warehouse.connection import Warehouse

BASELINE_DAYS = 28
_LARGEST_SHIFT_HOURS = 6
FARTHEST_DAYS = 91
"""How far back a baseline may reach: a quarter, by then a shop has changed."""


@dataclass(frozen=True)
class ComparableDays:
    """The days that a day is compared with, oldest first.

    Attributes:
        state: diagnosed, no_baseline, not_comparable or withheld.
        why: why the day cannot be diagnosed; empty where it can.
        kind: `regular days`, or the promotion's name, phase and day.
    """

    state: str
    why: str
    kind: str
    days: tuple[date, ...]


def find_comparable_days(warehouse: Warehouse, settings: Settings, business_date: date) -> ComparableDays:
    """The latest 28 good days without a promotion; for a day of a promotion, the same phase and day the last time."""
    verdicts = dict(
        warehouse.rows(
            "select business_date, verdict from quality.day_verdict "
            "where business_date between $first and $day and verdict != 'history' order by business_date",
            first=business_date - timedelta(days=2 * 366),
            day=business_date,
        )
    )
    if verdicts.get(business_date) == "blocked":
        return ComparableDays("withheld", "the gate blocked the day's data", "", ())
    good = [day for day, verdict in verdicts.items() if verdict != "blocked" and day < business_date]
    promotion = find_promotion_day(settings.calendar, business_date)
    if promotion:
        return _same_day_last_time(settings.calendar, promotion, good)
    farthest = business_date - timedelta(days=FARTHEST_DAYS)
    regular = [day for day in good if day >= farthest and not find_promotion_day(settings.calendar, day)]
    days = tuple(regular[-BASELINE_DAYS:])
    if len(days) < BASELINE_DAYS:
        why = f"{len(days)} comparable days before it, of the {BASELINE_DAYS} that a baseline needs"
        return ComparableDays("no_baseline", why, "regular days", days)
    return ComparableDays("diagnosed", "", "regular days", days)


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

    def __str__(self) -> str:
        return f"{self.name}, {self.phase}, day {self.number}"

    @staticmethod
    def parse(text: str) -> tuple[str, str, int] | None:
        """Name, phase and number of a day that is written so; None for any other text."""
        found = re.fullmatch(r"(.+), (.+), day (\d+)", text)
        return (found[1], found[2], int(found[3])) if found else None


def find_promotion_day(calendar: Sequence[Promotion], day: date) -> PromotionDay | None:
    """The phase that covers most of the day, and which day of it that is; None on a regular day.

    A phase that begins or ends within the day makes it a day of the promotion too.
    """
    days = [_day_of(promotion, day) for promotion in calendar]
    return max((each for each in days if each.hours > 0), key=lambda each: each.hours, default=None)


def _day_of(promotion: Promotion, day: date) -> PromotionDay:
    begins, ends = _moment(promotion.starts), _moment(promotion.ends)
    if not isinstance(promotion.ends, datetime):
        ends += timedelta(days=1)
    midnight = datetime.combine(day, time())
    covered = min(ends, midnight + timedelta(days=1)) - max(begins, midnight)
    first = (begins + timedelta(hours=12)).date()
    return PromotionDay(promotion.name, promotion.phase, (day - first).days + 1, covered / timedelta(hours=1))


def _same_day_last_time(calendar: Sequence[Promotion], promotion: PromotionDay, good: Sequence[date]) -> ComparableDays:
    for day in reversed(good):
        other = find_promotion_day(calendar, day)
        if other and _is_alike(other, promotion):
            return ComparableDays("diagnosed", "", str(other), (day,))
    return ComparableDays("not_comparable", f"{promotion}: there is no earlier day like it", str(promotion), ())


def _is_alike(one: PromotionDay, other: PromotionDay) -> bool:
    """The same day of the same phase of the same sale, which may have been shifted by hours.

    Another sale is no measure: its rates may be others throughout, with nothing wrong in either.
    """
    is_same = (one.name, one.phase, one.number) == (other.name, other.phase, other.number)
    return is_same and abs(one.hours - other.hours) <= _LARGEST_SHIFT_HOURS


def _moment(moment: date | datetime) -> datetime:
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())
