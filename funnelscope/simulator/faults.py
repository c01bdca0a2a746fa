"""The faults that can be planted in the simulated shop, and how each one changes a day.

A fault kind is one row of `FAULT_KINDS`: the dimensions that name its slice, its default strength, the diagnosis it
should get, and a function that sets the levers of a day. A fault draws no random numbers and only removes what would
have happened, so that a run with a fault equals the run without it except for the loss. Three kinds remove nothing:
`bot_flood` adds robots to the day's people; `promotion_moved` and `mix_shift` make it a different day. Those of
`delivery_faults` change no event of the day at all, but the files that tell of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.simulator import delivery_faults
from funnelscope.simulator.promotions import Phase, PromotionCalendar, Pull, SimulatedPromotion, build_phases
from funnelscope.simulator.streams import Array, Clock
from funnelscope.simulator.world import (
    CAMPAIGNS,
    CHANNEL_NAMES,
    COUPONS,
    DEVICES,
    LANDING_PAGES,
    PRODUCTS,
    PROVIDERS,
    REGIONS,
    SHIFT_OF_TEAM,
    TEAMS,
)

CARED_SHARE = 0.55  # of delivered orders, followed by a care message
BOUNCING_SHARE = 1 / 3  # of those misled by a creative: they leave at once; the others browse and want nothing
LATE_ANSWER_FACTOR = 180 / 25
MOVED_SALE = (1.6, 0.65)  # factors on carts and orders


class Loss:
    """The chance of a loss, and the position of the fault that causes it; -1 for none.

    If two faults overlap, the stronger one causes the loss: every loss has one cause.
    """

    def __init__(self, *shape: int) -> None:
        self.chance = np.zeros(shape, np.float32)
        self.cause = np.full(shape, -1, np.int8)

    def raise_to(self, where: Any, chance: float, cause: int) -> None:
        """Raises the chance at the positions `where` to `chance`, unless it is higher, and attributes it to `cause`."""
        stronger = np.zeros(self.chance.shape, bool)
        stronger[where] = True
        stronger &= self.chance < chance
        self.chance[stronger] = chance
        self.cause[stronger] = cause


class Levers:
    """What faults can change on one day; arrays over the day's sessions unless stated otherwise.

    Attributes:
        traits: by dimension, the code of each session; read, never changed.
        missed_care: the customer did not get a due care message in the last 30 days; read, never changed.
        coupon_error: chance of a coupon error at a checkout.
        first_screen, response: factors on the time to the first screen and to the first human answer.
        stay_away: the session does not take place.
        leave: it leaves before the landing page is of any use.
        lose_interest: it favourites nothing, puts nothing into the cart and starts no checkout.
        disappointed_chat: if it chats, it starts no checkout.
        order: its checkout does not become an order.
        untracked: its favourites and carts happen but are not reported.
        cart: over products: a view that puts nothing into the cart.
        payment: over providers and devices: an order that cannot be paid.
    """

    def __init__(self, traits: Mapping[str, Array], missed_care: Array, coupon_error: Array) -> None:
        self.traits = traits
        self.missed_care = missed_care
        self.coupon_error = coupon_error
        size = len(missed_care)
        self.first_screen = np.ones(size, np.float32)
        self.response = np.ones(size, np.float32)
        self.stay_away = Loss(size)
        self.leave = Loss(size)
        self.lose_interest = Loss(size)
        self.disappointed_chat = Loss(size)
        self.order = Loss(size)
        self.untracked = Loss(size)
        self.cart = Loss(len(PRODUCTS))
        self.payment = Loss(len(PROVIDERS), len(DEVICES))


def _mislead(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.leave.raise_to(fault.sessions(levers), BOUNCING_SHARE * fault.share, cause)
    levers.lose_interest.raise_to(fault.sessions(levers), fault.share, cause)


def _slow_down(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.first_screen[fault.sessions(levers)] *= 1 + 12 * fault.share
    levers.leave.raise_to(fault.sessions(levers), fault.share, cause)


def _warn_slowly(fault: "Fault", levers: Levers) -> None:
    levers.first_screen[fault.sessions(levers)] *= 1 + 4 * fault.share


def _break_coupon(fault: "Fault", levers: Levers, cause: int) -> None:
    sessions = fault.sessions(levers)
    levers.order.raise_to(sessions, fault.share, cause)
    levers.coupon_error[sessions] = np.maximum(levers.coupon_error[sessions], fault.share)


def _answer_late(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.response[fault.sessions(levers)] *= LATE_ANSWER_FACTOR
    levers.disappointed_chat.raise_to(fault.sessions(levers), fault.share, cause)


def _put_off(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.cart.raise_to(fault.codes["product_id"], fault.share, cause)


def _refuse_payment(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.payment.raise_to((fault.codes["payment_provider"], fault.codes["device"]), fault.share, cause)


def _lose_tracking(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.untracked.raise_to(fault.sessions(levers), fault.share, cause)


def _miss_care(fault: "Fault", levers: Levers, cause: int) -> None:
    levers.stay_away.raise_to(levers.missed_care, fault.share / CARED_SHARE, cause)


def _change_nothing(fault: "Fault", levers: Levers, cause: int) -> None:
    """These kinds take effect where people are drawn."""


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        dimensions: the keys of its slice, named like those of the cubes.
        strength: the default, in the sense of `meaning`; `strongest` is its upper limit.
        stage: the cube that shows it first; empty if no rate of any slice changes.
        expected: the diagnosis it should get: `business`, `data`, `bots`, or `none` if there should be no finding.
        lead_days: for so many days before the loss, `warn` sets the levers that announce it.
        echo_days: for so many days after its end, the loss continues.
        bend: what the export makes of the day's files, of the family in the slice, or of orders without one.
    """

    meaning: str
    dimensions: tuple[str, ...]
    strength: float
    stage: str
    apply: Callable[["Fault", Levers, int], None] = _change_nothing
    expected: str = "business"
    strongest: float = 1.0
    lead_days: int = 0
    echo_days: int = 0
    warn: Callable[["Fault", Levers], None] | None = None
    bend: delivery_faults.Bend | None = None


def _bend_files(
    meaning: str, bend: delivery_faults.Bend, strength: float, dimensions: tuple[str, ...] = ("family",), **options: Any
) -> FaultKind:
    return FaultKind(meaning, dimensions, strength, "", expected="data", bend=bend, **options)


FAULT_KINDS: dict[str, FaultKind] = {
    "creative_mismatch": FaultKind(
        "share of a campaign's carts lost to a creative that promises another page",
        ("campaign",),
        0.45,
        "decision",
        _mislead,
    ),
    "slow_first_screen": FaultKind(
        "share of product views lost on a page that gets slow, a day after it began to",
        ("landing_page", "device"),
        0.25,
        "landing",
        _slow_down,
        lead_days=1,
        warn=_warn_slowly,
    ),
    "broken_coupon": FaultKind(
        "share of the orders with a coupon lost because it is refused", ("coupon",), 0.60, "checkout", _break_coupon
    ),
    "late_answers": FaultKind(
        "share of the orders after a chat lost by a service team that answers late",
        ("team",),
        0.35,
        "inquiry",
        _answer_late,
    ),
    "bad_reviews": FaultKind(
        "share of a product's carts lost, three days after bad reviews set in",
        ("product_id",),
        0.40,
        "product",
        _put_off,
        lead_days=3,
    ),
    "bot_flood": FaultKind(
        "robots that nobody flags, per session of a channel",
        ("channel",),
        1.5,
        "landing",
        expected="bots",
        strongest=20,
    ),
    "payment_outage": FaultKind(
        "share of the orders with a payment provider on a device that cannot be paid",
        ("payment_provider", "device"),
        0.30,
        "payment",
        _refuse_payment,
    ),
    "tracking_lost": FaultKind(
        "share of a region's sessions whose favourites and carts are not reported",
        ("region",),
        0.90,
        "decision",
        _lose_tracking,
        expected="data",
    ),
    "care_stopped": FaultKind(
        "share of the purchases within 30 days lost because no care messages are sent",
        (),
        0.20,
        "repurchase",
        _miss_care,
        echo_days=30,
    ),
    "promotion_moved": FaultKind(
        "sessions that a sale on the calendar adds, per ordinary one; carts rise by 60 %, orders fall by 35 %",
        (),
        2.0,
        "",
        expected="none",
        strongest=5,
    ),
    "mix_shift": FaultKind(
        "sessions that a channel gains, per ordinary one", ("channel",), 1.0, "", expected="none", strongest=20
    ),
    "rows_multiplied": _bend_files(
        "events that an export has for each that happened, of people of their own",
        delivery_faults.multiply_rows,
        100,
        strongest=1000,
    ),
    "day_without_rows": _bend_files("1: the file of the day is there and empty", delivery_faults.empty_file, 1),
    "day_ends_at_noon": _bend_files(
        "1: the file of the day holds nothing from noon on", delivery_faults.stop_at_noon, 1
    ),
    "cents_for_units": _bend_files(
        "factor on all amounts of orders", delivery_faults.scale_amounts, 100, (), strongest=10_000
    ),
    "currency_changed": _bend_files(
        "factor on all amounts of orders", delivery_faults.scale_amounts, 7.2, (), strongest=10_000
    ),
    "one_customer": _bend_files("1: all orders name the same customer", delivery_faults.name_one_customer, 1, ()),
    "clock_ahead": _bend_files(
        "hours by which all times of an export are late", delivery_faults.delay_clock, 8, strongest=23
    ),
    "clock_behind": _bend_files(
        "hours by which all times of an export are early", delivery_faults.advance_clock, 8, strongest=23
    ),
}
WORDS: dict[str, tuple[str, ...]] = {
    "campaign": CAMPAIGNS,
    "channel": CHANNEL_NAMES,
    "coupon": COUPONS,
    "landing_page": tuple(page.name for page in LANDING_PAGES),
    "device": DEVICES,
    "family": tuple(EVENT_FAMILIES),
    "payment_provider": PROVIDERS,
    "product_id": PRODUCTS,
    "region": REGIONS,
    "team": TEAMS,
}


class Fault(BaseModel):
    """One planted fault in one slice, from `from_date` to `to_date` (included; without end if empty).

    Attributes:
        strength: in the sense of the kind's `meaning`, above 0; the kind's default if empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    slice: Mapping[str, str]
    from_date: date
    to_date: date | None = None
    strength: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Fault":
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"kind: {self.kind!r} is not a fault; accepted: {', '.join(FAULT_KINDS)}")
        kind = FAULT_KINDS[self.kind]
        if set(self.slice) != set(kind.dimensions):
            wanted = f"exactly {', '.join(kind.dimensions)}" if kind.dimensions else "an empty slice, {}"
            raise ValueError(f"slice: {self.kind} needs {wanted}; got {', '.join(self.slice) or '{}'}")
        for dimension, word in self.slice.items():
            if word not in WORDS[dimension]:
                raise ValueError(f"slice.{dimension}: {word!r} is unknown; accepted: {', '.join(WORDS[dimension])}")
        if self.to_date is not None and self.to_date < self.from_date:
            raise ValueError(f"to_date: {self.to_date} is before from_date {self.from_date}")
        if self.share > kind.strongest:
            raise ValueError(f"strength: {self.share} is above {kind.strongest}: {self.kind} is the {kind.meaning}")
        return self

    @property
    def rules(self) -> FaultKind:
        """The kind of the fault."""
        return FAULT_KINDS[self.kind]

    @property
    def share(self) -> float:
        """The strength, or the kind's default."""
        return self.strength or self.rules.strength

    @property
    def codes(self) -> dict[str, int]:
        """The slice in the simulator's codes."""
        return {dimension: WORDS[dimension].index(word) for dimension, word in self.slice.items()}

    @property
    def equal_slices(self) -> list[dict[str, str]]:
        """All equivalent slices: with implied dimensions added, or replaced by a dimension that means the same."""
        names = [dict(self.slice)]
        if "campaign" in self.slice:
            names.append({"channel": self.slice["campaign"].rpartition("_")[0], **self.slice})
        if "landing_page" in self.slice:
            page = LANDING_PAGES[self.codes["landing_page"]]
            names.append({**self.slice, "entry_type": page.entry_type})
        if "team" in self.slice:
            shift = SHIFT_OF_TEAM[self.slice["team"]]
            names += [{"shift": shift}, {**self.slice, "shift": shift}]
        return names

    def is_on(self, day: date) -> bool:
        """Whether the fault is active on this day."""
        return self.from_date <= day and (self.to_date is None or day <= self.to_date)

    def is_felt(self, day: date) -> bool:
        """Whether it removes anything on this day: while it is active, and during its echo."""
        last = self.to_date and self.to_date + timedelta(days=self.rules.echo_days)
        return self.from_date <= day and (last is None or day <= last)

    def is_foretold(self, day: date) -> bool:
        """Whether its early signs show on this day, from its lead on."""
        return self.is_on(day) or timedelta(0) < self.from_date - day <= timedelta(days=self.rules.lead_days)

    def sessions(self, levers: Levers) -> Array:
        """Whether each session is in the slice."""
        mask = np.ones(len(levers.missed_care), bool)
        for dimension, code in self.codes.items():
            mask &= levers.traits[dimension] == code
        return mask


def apply_faults(faults: Sequence[Fault], day: date, levers: Levers) -> None:
    """Applies the faults of the day to its levers."""
    for cause, fault in enumerate(faults):
        if fault.is_felt(day):
            fault.rules.apply(fault, levers, cause)
        elif fault.rules.warn and fault.is_foretold(day):
            fault.rules.warn(fault, levers)


def select_faults(faults: Sequence[Fault], kind: str, day: date) -> list[Fault]:
    """The active faults of one kind."""
    return [fault for fault in faults if fault.kind == kind and fault.is_on(day)]


def select_bends(faults: Sequence[Fault], family: str, day: date) -> list[tuple[delivery_faults.Bend, float]]:
    """What the faults of the day make of the files of a family, with their strengths."""
    return [
        (fault.rules.bend, fault.share)
        for fault in faults
        if fault.rules.bend and fault.is_on(day) and fault.slice.get("family", "order") == family
    ]


def build_calendar(
    promotions: Sequence[SimulatedPromotion], faults: Sequence[Fault], clock: Clock
) -> PromotionCalendar:
    """All sales, including those planted as a fault."""
    phases = [phase for promotion in promotions for phase in build_phases(promotion, clock)]
    for fault in faults:
        if fault.kind == "promotion_moved":
            first, last = ((day - clock.first_date).days for day in (fault.from_date, fault.to_date or fault.from_date))
            pull = Pull(1 + fault.share, *MOVED_SALE)
            phases.append(Phase("flash_sale", "preheat", clock.start(first), clock.start(last + 1), pull))
    return PromotionCalendar(phases)


class FaultFile(BaseModel):
    """The content of a fault file: faults, and the shop's sales (by default one member week)."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]
    promotions: list[SimulatedPromotion] = [SimulatedPromotion()]


def load_faults(path: Path) -> FaultFile:
    """The faults of a YAML file, for example:

        faults:
          - kind: broken_coupon
            slice: {coupon: WELCOME10}
            from_date: 2026-06-08
            to_date: 2026-06-10      # included; without it the fault lasts to the end
            strength: 0.6            # share of the coupon's orders that is lost; by default that of the kind
          - kind: slow_first_screen
            slice: {landing_page: item_0001, device: android}
            from_date: 2026-06-12    # strength 0.25: share of the slice's product views that is lost
        promotions:                  # optional; by default one member_week from the seventh day on
          - {name: member_week, day: 6}
          - {name: member_week, day: 36, shift_hours: -4}    # every phase begins at 20:00 of the day before

    Raises:
        ValueError: the file cannot be read as faults; names the file, the key and what is accepted.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    try:
        return FaultFile.model_validate(content)
    except ValidationError as error:
        mistakes = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        accepted = f"keys of a fault: {', '.join(Fault.model_fields)}; kinds: {', '.join(FAULT_KINDS)}"
        raise ValueError("\n".join([f"{path}: {mistake}" for mistake in mistakes] + [accepted])) from error
