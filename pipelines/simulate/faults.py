"""Faults that are planted in the simulated shop, and how each one bends a day.

A fault kind is one row of `FAULT_KINDS`: the dimensions that name its slice, its usual strength, and a function
that turns the levers of a day. Levers are arrays with one number a session. A fault draws no random numbers and
takes away what would have happened, so that a run with a fault equals the run without it but for the loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.simulate.streams import Array
from pipelines.simulate.world import COUPONS, DEVICES, LANDING_PAGES


@dataclass
class Levers:
    """What faults may turn on one day. Each is an array over the day's sessions.

    Attributes:
        landing_page, device, coupon: codes of the session, coupon being the one it would use at a checkout (-1 none);
            these are read, never changed.
        first_screen: factor on the time to the first screen.
        abandon: chance to leave before the landing page is of any use.
        order: factor on the chance that a checkout becomes an order.
        coupon_error: chance of a coupon error at a checkout.
    """

    landing_page: Array
    device: Array
    coupon: Array
    first_screen: Array
    abandon: Array
    order: Array
    coupon_error: Array


Turn = Callable[[Levers, Array, float], None]


def _break_coupon(levers: Levers, mask: Array, strength: float) -> None:
    levers.order[mask] *= 1 - strength
    levers.coupon_error[mask] = np.maximum(levers.coupon_error[mask], strength)


def _slow_first_screen(levers: Levers, mask: Array, strength: float) -> None:
    levers.first_screen[mask] *= 1 + 12 * strength
    levers.abandon[mask] = np.maximum(levers.abandon[mask], strength)


@dataclass(frozen=True)
class FaultKind:
    dimensions: tuple[str, ...]  # names of levers to be read, and of keys in the fault's slice
    strength: float
    turn: Turn


FAULT_KINDS: dict[str, FaultKind] = {
    "broken_coupon": FaultKind(("coupon",), 0.60, _break_coupon),
    "slow_first_screen": FaultKind(("landing_page", "device"), 0.25, _slow_first_screen),
}
WORDS: dict[str, tuple[str, ...]] = {
    "coupon": COUPONS,
    "landing_page": tuple(page.name for page in LANDING_PAGES),
    "device": DEVICES,
}


class Fault(BaseModel):
    """One planted fault: from `from_date` to `to_date` (included; open where empty), in one slice.

    Attributes:
        strength: share that is lost, above 0 and at most 1; the kind's usual strength where empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    slice: Mapping[str, str]
    from_date: date
    to_date: date | None = None
    strength: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Fault":
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"kind: {self.kind!r} is not a fault; accepted: {', '.join(FAULT_KINDS)}")
        kind = FAULT_KINDS[self.kind]
        if set(self.slice) != set(kind.dimensions):
            raise ValueError(
                f"slice: {self.kind} needs exactly {', '.join(kind.dimensions)}; got {', '.join(self.slice)}"
            )
        for dimension, word in self.slice.items():
            if word not in WORDS[dimension]:
                raise ValueError(f"slice.{dimension}: {word!r} is unknown; accepted: {', '.join(WORDS[dimension])}")
        if self.to_date is not None and self.to_date < self.from_date:
            raise ValueError(f"to_date: {self.to_date} lies before from_date {self.from_date}")
        return self

    @property
    def effective_strength(self) -> float:
        return self.strength or FAULT_KINDS[self.kind].strength

    def is_on(self, day: date) -> bool:
        return self.from_date <= day and (self.to_date is None or day <= self.to_date)

    def turn(self, levers: Levers) -> None:
        """Bends the levers of the sessions in the slice."""
        kind = FAULT_KINDS[self.kind]
        mask = np.ones(len(levers.order), bool)
        for dimension in kind.dimensions:
            mask &= getattr(levers, dimension) == WORDS[dimension].index(self.slice[dimension])
        kind.turn(levers, mask, self.effective_strength)


class _FaultFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]


def load_faults(path: Path) -> list[Fault]:
    """The faults of a YAML file, for example:

        faults:
          - kind: broken_coupon
            slice: {coupon: WELCOME10}
            from_date: 2026-06-08
            to_date: 2026-06-10      # included; without it the fault lasts to the end
            strength: 0.6            # share of the coupon's orders that is lost; the kind's usual one if left out
          - kind: slow_first_screen
            slice: {landing_page: item_0001, device: android}
            from_date: 2026-06-12    # strength 0.25: share of the slice's product views that is lost

    Raises:
        ValueError: the file cannot be read as faults; names the file, the key and what is accepted.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    try:
        return _FaultFile.model_validate(content).faults
    except ValidationError as error:
        mistakes = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        accepted = f"keys of a fault: {', '.join(Fault.model_fields)}; kinds: {', '.join(FAULT_KINDS)}"
        raise ValueError("\n".join([f"{path}: {mistake}" for mistake in mistakes] + [accepted])) from error
