"""The review of a campaign as plain frozen data: what it sold, phase by phase, and what it took from the days around.

As in the report of a day, a number that is not known is None and is printed as "no data".
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from funnelscope.messages.message_types import Message, Number, Unit
from funnelscope.messages.wording import Words

AROUND_PARTS = {"days_before": "around_before", "days_after": "around_after"}
"""The days outside of the campaign, and what the words call them."""


@dataclass(frozen=True)
class CampaignFigure:
    """A figure of a campaign or of one of its phases (a key of the words' `metrics`).

    `last` is its value the last time; `last_alike` the same for as many days as this time. `plain` is what plain days
    would have given, weekday by weekday. `is_stated` means that a platform tells it, and the shop's own events do not.
    """

    key: str
    unit: Unit
    value: Number | None
    last: Number | None = None
    last_alike: Number | None = None
    plain: Number | None = None
    is_stated: bool = False


@dataclass(frozen=True)
class CampaignPart:
    """A phase (a key of the words' `phases`), or the campaign as a whole.

    `counted` are the days with usable numbers, `left_out` the others. `last_days` are those of the last time that it is
    held against; empty without one, or if it lacks some of them: `last_left_out`.
    """

    key: str
    from_date: date
    to_date: date
    counted: tuple[date, ...]
    left_out: tuple[date, ...] = ()
    last_days: tuple[date, ...] = ()
    last_left_out: tuple[date, ...] = ()
    figures: tuple[CampaignFigure, ...] = ()

    def find(self, key: str) -> CampaignFigure:
        """The figure. Raises KeyError if there is none."""
        return {figure.key: figure for figure in self.figures}[key]


@dataclass(frozen=True)
class CampaignDay:
    """A day of the campaign or around it: paid amount, that of the last time, and the usual one.

    `part` is the phase; `days_before` and `days_after` are around the campaign, and between phases it is empty.
    """

    day: date
    part: str
    paid_amount: Number | None
    last: Number | None = None
    plain: Number | None = None


@dataclass(frozen=True)
class DaysAround:
    """The plain days before or after a campaign: what was paid, and what is usual, with the range of healthy days.

    `left_out` are days without usable numbers, `promoted` those of another promotion. `known_from` is the day from
    which the amount can be known, if it is not yet.
    """

    key: str  # before, after or both
    from_date: date
    to_date: date
    counted: tuple[date, ...]
    left_out: tuple[date, ...] = ()
    promoted: tuple[date, ...] = ()
    paid_amount: Number | None = None
    plain: Number | None = None
    low: Number | None = None
    high: Number | None = None
    paid_orders: Number | None = None
    plain_orders: Number | None = None
    known_from: date | None = None

    @property
    def shortfall(self) -> Number | None:
        """How much less than usual was paid; negative if more."""
        if self.paid_amount is None or self.plain is None:
            return None
        return float(self.plain) - float(self.paid_amount)

    @property
    def is_usual(self) -> bool | None:
        """Whether healthy days stray as far; None if that is not known."""
        if self.paid_amount is None or self.low is None or self.high is None:
            return None
        return float(self.low) <= float(self.paid_amount) <= float(self.high)


@dataclass(frozen=True)
class RefundAge:
    """What was refunded within `days` days of the payment, as a share of what was paid; None where not known.

    `mature_on` is the day from which it is known of the whole campaign, if that is yet to come.
    """

    days: int
    refunded: Decimal | None
    rate: float | None
    last_rate: float | None = None
    plain_rate: float | None = None
    mature_on: date | None = None


@dataclass(frozen=True)
class CampaignMove:
    """One value of a dimension: this time, for as many days of the last time, and of plain days."""

    value: str
    now: Number
    last_alike: Number | None
    plain: Number | None


@dataclass(frozen=True)
class CampaignMoves:
    """What moved most by one dimension; `measure` is a key of the words' `metrics`."""

    dimension: str
    measure: str
    unit: Unit
    moves: tuple[CampaignMove, ...]


@dataclass(frozen=True)
class CampaignReview:
    """One time that a promotion took place.

    `known_to` is the last day that the edition counts. `last_from` and `last_to` are the days of the last time, None
    without one. `plain_days` are those that say what is usual. `unknown` are sentences on what cannot be said yet.
    """

    name: str
    known_to: date
    mature_on: date
    whole: CampaignPart
    phases: tuple[CampaignPart, ...]
    last_from: date | None = None
    last_to: date | None = None
    plain_days: tuple[date, ...] = ()
    days: tuple[CampaignDay, ...] = ()
    around: tuple[DaysAround, ...] = ()
    refunds: tuple[RefundAge, ...] = ()
    moves: tuple[CampaignMoves, ...] = ()
    unknown: tuple[Message, ...] = ()

    @property
    def is_mature(self) -> bool:
        """Whether every payment of the campaign is so old that its refunds are known."""
        return self.known_to >= self.mature_on

    @property
    def both_sides(self) -> DaysAround | None:
        """The days before and after together."""
        return next((each for each in self.around if each.key == "both"), None)


def name_phase(key: str, words: Words) -> str:
    """The name of a phase: the shop's own, else that of the words."""
    return words.labels.get(key) or words.text("phases", key)


def name_part(key: str, words: Words) -> str:
    """The name of a phase, of the whole, or of the days around; empty between phases."""
    if key in AROUND_PARTS:
        return words.text("campaign", AROUND_PARTS[key])
    return words.text("campaign", "whole") if key == "whole" else name_phase(key, words) if key else ""
