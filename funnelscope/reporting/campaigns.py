"""The campaigns of the calendar: each time that a promotion takes place, with the days of its phases.

Entries of one name make one campaign, until a phase comes again after a day without any of it, or until a month has
passed without it: then the promotion takes place another time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from funnelscope.diagnosis.comparable_days import find_promotion_day
from funnelscope.messages.message_types import PeriodKind
from funnelscope.quality.gate import list_days
from funnelscope.reporting.periods import AROUND_DAYS, Period
from funnelscope.reporting.published_days import convert_to_date
from funnelscope.settings import Promotion

REVIEW_AGES = (0, AROUND_DAYS, 30)
"""Days after the end of a campaign up to which its editions count: its end, the week after it, mature refunds."""
FINAL_AGE = REVIEW_AGES[-1]
_LONGEST_GAP_DAYS = 31


@dataclass(frozen=True)
class Campaign:
    """One time that a promotion takes place."""

    name: str
    entries: tuple[Promotion, ...]

    @cached_property
    def phases(self) -> dict[str, list[date]]:
        """The days of each phase, in order; a day of several phases is of the one that covers most of it."""
        days = list_days(convert_to_date(self.entries[0].starts), max(map(_end, self.entries)))
        phases: dict[str, list[date]] = {}
        for day in days:
            if placed := find_promotion_day(self.entries, day):
                phases.setdefault(placed.phase, []).append(day)
        return phases

    @property
    def phases_without_day(self) -> list[str]:
        """Phases that the calendar declares, and that cover most of no day."""
        return [phase for phase in dict.fromkeys(entry.phase for entry in self.entries) if phase not in self.phases]

    @cached_property
    def days(self) -> list[date]:
        """All its days, in order; between its phases some may be missing."""
        return sorted(day for days in self.phases.values() for day in days)

    @property
    def period(self) -> Period:
        """From its first day to its last one."""
        return Period(PeriodKind.CAMPAIGN, self.days[0], self.days[-1], self.name)

    def list_review_dates(self) -> list[date]:
        """The days whose runs review it."""
        return [self.days[-1] + timedelta(days=age) for age in REVIEW_AGES]

    def find_last_review_date(self, last_run: date) -> date | None:
        """The latest of them up to the last day that was run; None while the campaign lasts."""
        return max((day for day in self.list_review_dates() if day <= last_run), default=None)


def _end(entry: Promotion) -> date:
    return convert_to_date(entry.ends)


def find_campaigns(calendar: Sequence[Promotion]) -> list[Campaign]:
    """The campaigns of the calendar by their first day."""
    campaigns: list[Campaign] = []
    for name in dict.fromkeys(entry.name for entry in calendar):
        entries: list[Promotion] = []
        for entry in sorted(
            (entry for entry in calendar if entry.name == name), key=lambda each: (str(each.starts), str(each.ends))
        ):
            if entries and _begins_anew(entries, entry):
                campaigns.append(Campaign(name, tuple(entries)))
                entries = []
            entries.append(entry)
        campaigns.append(Campaign(name, tuple(entries)))
    return sorted((each for each in campaigns if each.days), key=lambda each: (each.days[0], each.name))


def _begins_anew(entries: Sequence[Promotion], entry: Promotion) -> bool:
    between = (convert_to_date(entry.starts) - max(map(_end, entries))).days - 1
    is_again = any(before.phase == entry.phase for before in entries)
    return between > _LONGEST_GAP_DAYS or (is_again and between > 0)


def get_campaign(calendar: Sequence[Promotion], period: Period) -> Campaign:
    """The campaign of the period. Raises ValueError if the calendar no longer has it."""
    for campaign in find_campaigns(calendar):
        if campaign.period == period:
            return campaign
    raise ValueError(f"the calendar has no {period.title} from {period.from_date} to {period.to_date}")


def find_last_time(calendar: Sequence[Promotion], campaign: Campaign, step: int = -1) -> Campaign | None:
    """The campaign of the same name before it, or with `step` 1 the one after it."""
    same = [each for each in find_campaigns(calendar) if each.name == campaign.name]
    place = same.index(campaign) + step
    return same[place] if 0 <= place < len(same) else None


def parse_campaign(calendar: Sequence[Promotion], name: str, last_run: date, day: date | None = None) -> Period:
    """The last campaign of the name that has ended; with `day`, the one that had begun last by that day.

    Raises ValueError if there is none.
    """
    campaigns = find_campaigns(calendar)
    same = [each for each in campaigns if each.name == name]
    if not same:
        names = ", ".join(dict.fromkeys(each.name for each in campaigns))
        known = f"it has {names}" if names else "it has no promotion"
        raise ValueError(f"the calendar has no promotion '{name}'; {known}. Declare it under calendar: in the settings")
    begun = [each for each in same if each.days[0] <= (day or last_run)]
    if not begun:
        raise ValueError(f"'{name}' first begins on {same[0].days[0]}; give a later --date, or wait for its end")
    ended = [each for each in begun if each.days[-1] <= last_run]
    chosen = begun[-1] if day else (ended or begun)[-1]
    if chosen.days[-1] > last_run:
        raise ValueError(
            f"'{name}' ends on {chosen.days[-1]} and is reviewed once it is over; days have been run up to {last_run}"
        )
    return chosen.period


def find_campaigns_to_review(calendar: Sequence[Promotion], from_date: date, to_date: date) -> list[Campaign]:
    """Of each name the last campaign that is reviewed by the run of one of the days."""
    due = {
        campaign.name: campaign
        for campaign in find_campaigns(calendar)
        if any(from_date <= day <= to_date for day in campaign.list_review_dates())
    }
    return list(due.values())


def list_touched_campaigns(calendar: Sequence[Promotion], from_date: date, to_date: date) -> list[Campaign]:
    """The campaigns whose reviews count any of the days."""
    around, later = timedelta(days=AROUND_DAYS), timedelta(days=FINAL_AGE)
    return [
        campaign
        for campaign in find_campaigns(calendar)
        if campaign.days[0] - around <= to_date and from_date <= campaign.days[-1] + later
    ]
