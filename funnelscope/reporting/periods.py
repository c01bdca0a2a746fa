"""The range of days that a report covers: a day, an ISO week, a calendar month, a campaign."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.message_types import PeriodKind
from funnelscope.quality.gate import list_days

AROUND_DAYS = 7
"""On either side of a campaign: the days on which its orders may be missing."""
_WEEK = re.compile(r"(\d{4})-?W(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_NO_FILE_NAME = re.compile(r"[^\w-]+")


@dataclass(frozen=True)
class Period:
    """A range of days, both ends included. A campaign has the name of its promotion as its title."""

    kind: PeriodKind
    from_date: date
    to_date: date
    title: str = ""

    @property
    def name(self) -> str:
        """The name for people and folders: 2026-06-14, 2026-W24, 2026-06, member_week-2026-05-07.

        Sorts by time within a kind, and within the campaigns of one name.
        """
        if self.kind is PeriodKind.CAMPAIGN:
            return f"{_NO_FILE_NAME.sub('_', self.title)}-{self.from_date}"
        if self.kind is PeriodKind.WEEK:
            year, week, _ = self.from_date.isocalendar()
            return f"{year}-W{week:02}"
        return self.from_date.isoformat()[: 7 if self.kind is PeriodKind.MONTH else 10]

    @property
    def days(self) -> list[date]:
        """Every day of the period, in order."""
        return list_days(self.from_date, self.to_date)

    def before(self, count: int = 1) -> "Period":
        """The period of the same kind that is `count` earlier; of a campaign, as many days."""
        if self.kind is PeriodKind.MONTH:
            months = self.from_date.year * 12 + self.from_date.month - 1 - count
            return get_month(date(months // 12, months % 12 + 1, 1))
        step = timedelta(days=len(self.days) * count)
        return Period(self.kind, self.from_date - step, self.to_date - step)

    @property
    def after(self) -> "Period":
        """The next period of the same kind."""
        return self.before(-1)

    def name_page(self, language: str) -> str:
        """The address of its newest HTML edition within the folder of reports."""
        return f"{self.name}/funnelscope-{self.name}-{language}.html"

    @property
    def year_before(self) -> "Period":
        """The corresponding period a year earlier: the same month, or the week 52 weeks before."""
        return self.before(12 if self.kind is PeriodKind.MONTH else 52)


def get_day(day: date) -> Period:
    """The day as a period."""
    return Period(PeriodKind.DAY, day, day)


def get_week(day: date) -> Period:
    """The ISO week, Monday to Sunday, of the day."""
    monday = day - timedelta(days=day.weekday())
    return Period(PeriodKind.WEEK, monday, monday + timedelta(days=6))


def get_month(day: date) -> Period:
    """The calendar month of the day."""
    first = day.replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return Period(PeriodKind.MONTH, first, next_first - timedelta(days=1))


PERIODS_OF = {PeriodKind.WEEK: get_week, PeriodKind.MONTH: get_month}


def parse_week(text: str) -> Period:
    """The week of `2026-W24`, or of any day as YYYY-MM-DD. Raises ValueError for anything else."""
    found = _WEEK.fullmatch(text)
    try:
        return get_week(date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else date.fromisoformat(text))
    except ValueError:
        raise ValueError(LocalizedMessage("no_week", text=text)) from None


def parse_month(text: str) -> Period:
    """The month of `2026-06`, or of any day as YYYY-MM-DD. Raises ValueError for anything else."""
    found = _MONTH.fullmatch(text)
    try:
        return get_month(date(int(found[1]), int(found[2]), 1) if found else date.fromisoformat(text))
    except ValueError:
        raise ValueError(LocalizedMessage("no_month", text=text)) from None


def find_ended_periods(kinds: Sequence[PeriodKind], from_date: date, to_date: date) -> list[Period]:
    """The last week and month, of these kinds, that ends between the two days, both included."""
    periods = []
    for kind in (kind for kind in kinds if kind in PERIODS_OF):
        now = PERIODS_OF[kind](to_date)
        last = now if now.to_date == to_date else now.before()
        if last.to_date >= from_date:
            periods.append(last)
    return periods
