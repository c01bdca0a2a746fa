"""How plainly a fault shows on one day: what its slice would have done, what it lost, and the expected z of that."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from funnelscope.simulator.faults import Fault
from funnelscope.simulator.sessions import Checkouts, DayPlan, Pages
from funnelscope.simulator.shop_state import ShopState
from funnelscope.simulator.streams import NEVER, Array, Chunk

BASELINE_DAYS = 28
DAY_NOISE = 0.02  # of a slice's rate, from day to day
LOOK_MS = 3000


@dataclass(frozen=True)
class Acts:
    """What the sessions of a day do, as if there were no faults."""

    plan: DayPlan
    pages: Pages
    checkouts: Checkouts
    orders: Chunk

    def find_sessions_with(self, pages: Array) -> Array:
        """Whether each session has one of these pages."""
        found = np.zeros(self.plan.size, bool)
        found[self.pages.session[pages]] = True
        return found

    def find_ordering_sessions(self) -> Array:
        found = np.zeros(self.plan.size, bool)
        found[self.checkouts.session[self.checkouts.ordered]] = True
        return found


def estimate_visibility(fault: Fault, cause: int, state: ShopState, acts: Acts) -> dict[str, Any]:
    """Entries of the slice into the fault's stage, passes expected of them, passes lost, and `z_one_day`.

    z = lost / sqrt(V), with V = E (1 - E / n) (1 + 1 / 28) + (0.02 E)²: what a day of n entries with E expected passes
    shows against 28 days like it, where the slice's own rate moves by 2 % from day to day. For faults that lose
    nothing in a stage, nothing.
    """
    if not fault.rules.stage:
        return {}
    entered, passed, lost = STAGES[fault.kind](fault, cause, state, acts)
    variance = passed * (1 - passed / max(entered, 1)) * (1 + 1 / BASELINE_DAYS) + (DAY_NOISE * passed) ** 2
    z = lost / np.sqrt(variance) if variance > 0 else 0.0
    return {
        "entered": round(float(entered)),
        "expected": round(float(passed), 1),
        "lost": round(float(lost), 1),
        "z_one_day": round(float(z), 2),
    }


Counts = tuple[float, float, float]  # entered, expected to pass, lost


def _sum_counts(entered: Array, passed: Array, lost: Array) -> Counts:
    return float(entered.sum()), float((entered & passed).sum()), float((entered & passed & lost).sum())


def _find_humans(fault: Fault, acts: Acts) -> Array:
    return fault.sessions(acts.plan.levers) & acts.plan.acts_human & ~acts.plan.absent


def _find_viewers(acts: Acts) -> Array:
    return acts.find_sessions_with((acts.pages.product >= 0) & (acts.pages.dwell_ms >= LOOK_MS))


def _count_views(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    return _sum_counts(_find_humans(fault, acts), _find_viewers(acts), acts.plan.abandoned_by == cause)


def _count_carts(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    return _sum_counts(
        _find_humans(fault, acts), acts.find_sessions_with(acts.pages.carted), acts.plan.listless_by == cause
    )


def _count_untracked_carts(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    """A cart that goes on to the checkout is known by that."""
    unseen = acts.plan.book.is_untracked.copy()
    unseen[acts.checkouts.session] = False
    return _sum_counts(
        _find_humans(fault, acts) & _find_viewers(acts), acts.find_sessions_with(acts.pages.carted), unseen
    )


def _count_flooded_views(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    """The robots bring entries and no passes."""
    people, passed, _ = _sum_counts(_find_humans(fault, acts), _find_viewers(acts), acts.plan.absent)
    flooded = 1 + fault.share
    return people * flooded, passed * flooded, passed * (flooded - 1)


def _count_checkout_orders(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    checkouts = acts.checkouts
    entered = (checkouts.coupon == fault.codes["coupon"]) & (checkouts.taken_by < 0)
    return _sum_counts(entered, checkouts.ordered, checkouts.lost_by == cause)


def _count_chat_orders(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    asks = acts.plan.chats & acts.find_sessions_with(acts.pages.product >= 0)
    lost = np.zeros(acts.plan.size, bool)
    lost[acts.checkouts.session[acts.checkouts.taken_by == cause]] = True
    return _sum_counts(_find_humans(fault, acts) & asks, acts.find_ordering_sessions(), lost)


def _count_product_carts(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    product = acts.pages.product == fault.codes["product_id"]
    carted = acts.find_sessions_with(product & acts.pages.carted)
    lost = acts.plan.luck < acts.plan.levers.cart.chance[fault.codes["product_id"]]
    return _sum_counts(acts.find_sessions_with(product) & acts.plan.acts_human, carted, lost)


def _count_payments(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    orders = acts.orders
    entered = (orders["provider"] == fault.codes["payment_provider"]) & (orders["device"] == fault.codes["device"])
    entered &= (orders["lost_by"] < 0) & (orders["excluded_reason"] < 0)
    return _sum_counts(entered, orders["paid"] < NEVER, orders.get("unpaid_by", orders["lost_by"]) == cause)


def _count_repurchases(fault: Fault, cause: int, state: ShopState, acts: Acts) -> Counts:
    """Of all customers known: those who order on the day."""
    customer = acts.orders["customer"]
    known = (customer >= 0) & (acts.orders["excluded_reason"] < 0)
    known[known] = state.customers["first_payment"][customer[known]] < acts.orders["time"][known]
    customers = (state.customers["first_payment"] < NEVER).sum()
    return float(customers), float(known.sum()), float((known & (acts.orders["lost_by"] == cause)).sum())


STAGES = {
    "creative_mismatch": _count_carts,
    "slow_first_screen": _count_views,
    "broken_coupon": _count_checkout_orders,
    "late_answers": _count_chat_orders,
    "bad_reviews": _count_product_carts,
    "bot_flood": _count_flooded_views,
    "payment_outage": _count_payments,
    "tracking_lost": _count_untracked_carts,
    "care_stopped": _count_repurchases,
}
