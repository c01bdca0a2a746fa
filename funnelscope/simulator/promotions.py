"""The shop's sales: the phase at each instant, and how it attracts people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from funnelscope.simulator.streams import HOUR, MICROSECONDS, Array, Clock

# First and last day of each phase, counted from the first day of the sale.
PHASE_DAYS = {"deposit": (0, 3), "preheat": (4, 5), "opening": (6, 6), "main": (7, 7), "after": (8, 8)}


@dataclass(frozen=True)
class Pull:
    """Factors on the number of sessions, on the chance of a cart, and on that of an order at the checkout."""

    sessions: float = 1.0
    cart: float = 1.0
    order: float = 1.0


PULLS = {
    "deposit": Pull(1.05, 1.05, 1.0),
    "preheat": Pull(1.15, 1.4, 0.75),
    "opening": Pull(1.8, 1.3, 1.2),
    "main": Pull(1.4, 1.15, 1.15),
    "after": Pull(0.9, 0.9, 0.9),
}


class SimulatedPromotion(BaseModel):
    """One sale of the shop, presale included.

    Attributes:
        day: its first day, in days since the shop's first date.
        shift_hours: how much later (negative: earlier) every phase begins and ends; -4 opens at 20:00 the day before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "member_week"
    day: int = Field(default=6, ge=0)
    shift_hours: int = Field(default=0, ge=-23, le=23)


@dataclass(frozen=True)
class Phase:
    """One phase: from `starts` until before `ends`, in microseconds UTC.

    Attributes:
        balance_from: in a deposit phase, the instant from which balances are due.
    """

    promotion: str
    name: str
    starts: int
    ends: int
    pull: Pull
    balance_from: int = 0


def build_phases(promotion: SimulatedPromotion, clock: Clock) -> list[Phase]:
    """All phases of a sale."""

    def starts(day: int) -> int:
        return clock.start(promotion.day + day) + promotion.shift_hours * HOUR

    opening = starts(PHASE_DAYS["opening"][0])
    return [
        Phase(promotion.name, name, starts(first), starts(last + 1), PULLS[name], opening)
        for name, (first, last) in PHASE_DAYS.items()
    ]


@dataclass(frozen=True)
class PromotionCalendar:
    """Every phase of every sale. If two overlap, the later in the list applies."""

    phases: Sequence[Phase]

    @property
    def promotions(self) -> list[str]:
        """The names of all sales, each once."""
        return list(dict.fromkeys(phase.promotion for phase in self.phases))

    def at(self, times: Array) -> Array:
        """The position of the phase at each instant; -1 for none."""
        found = np.full(len(times), -1, np.int16)
        for position, phase in enumerate(self.phases):
            found[(times >= phase.starts) & (times < phase.ends)] = position
        return found

    def factor(self, name: str, times: Array) -> Array:
        """The factor of that name (a field of Pull) at each instant."""
        factors = np.array([*(getattr(phase.pull, name) for phase in self.phases), 1.0], np.float32)
        return factors[self.at(times)]

    def find_promotions(self, times: Array) -> Array:
        """The position of the sale's name in `promotions` at each instant; -1 for none."""
        names = np.array([*(self.promotions.index(phase.promotion) for phase in self.phases), -1], np.int8)
        return names[self.at(times)]

    def find_balance_times(self, times: Array) -> Array:
        """The time from which the balance of a deposit paid at each instant is due; 0 outside deposit phases."""
        due = np.array([*(phase.balance_from * (phase.name == "deposit") for phase in self.phases), 0], np.int64)
        return due[self.at(times)]

    def declared(self, clock: Clock) -> dict[str, Any]:
        """The content of a calendar file: dates if a phase covers whole days, else local times."""
        return {
            "promotions": [
                {"name": phase.promotion, "phase": phase.name, **_format_phase(phase, clock)} for phase in self.phases
            ]
        }


def _format_phase(phase: Phase, clock: Clock) -> dict[str, date | datetime]:
    """`from` and `to`: local times; at midnight the day, the last one included."""
    starts, ends = (
        datetime.fromtimestamp(instant // MICROSECONDS, clock.zone).replace(tzinfo=None)
        for instant in (phase.starts, phase.ends)
    )
    midnight = datetime.min.time()
    return {
        "from": starts.date() if starts.time() == midnight else starts,
        "to": ends.date() - timedelta(days=1) if ends.time() == midnight else ends,
    }
