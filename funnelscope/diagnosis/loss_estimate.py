"""What a loss costs: passes lost × the slice's own usual rate of paying downstream × the amount of its orders.

An order of which no session is known is in no slice of sessions. Some come from the same sessions and are lost as often
as the others, some have nothing to do with them: any share of them is taken to be as likely, so half on average.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.steps import FunnelStep, get_dimensions
from funnelscope.warehouse.connection import Warehouse

_INTERVAL = 1.645
"""Standard deviations to either end of a 90 % interval."""
_PRIOR_PASSES = 50
"""A slice's own rate and amount are drawn towards the shop's as if by so many passes."""
_DAILY_MOVEMENT = 0.03
"""How far the rate of a slice moves from day to day, as a share of it."""
_FROM_SESSIONS: Mapping[str, frozenset[str]] = {
    "payment_cube": frozenset({"device", "region"}),
    "inquiry_cube": frozenset(),
    "repurchase_cube": frozenset(),
}
"""Dimensions that an order has from its session, in cubes of orders or people; the other cubes count sessions."""
_MOST_UNSEEN = 1.0
"""Orders without a session for each with one: where more have none, sessions say little of orders."""
_REFUND_AGES = ((30, ("00", "01", "07", "15", "30")), (15, ("00", "01", "07", "15")), (7, ("00", "01", "07")))


@dataclass(frozen=True)
class LossPerPass:
    """Of one pass of a step.

    Attributes:
        orders: paid orders that a pass comes to on the same day, half of those without a session in: may be above 1.
        orders_deviation: standard deviation of that on one day: of its estimate, and from day to day.
        amount: of one such order; None where no payment says how much.
        kept: share of the amount that refunds leave, at the greatest age that the shop's own days have reached; None
            where the shop delivers no refunds.
    """

    orders: float
    orders_deviation: float
    amount: float | None
    kept: float | None

    def variance(self, lost_passes: float, variance_of_passes: float) -> float:
        """Of the lost orders: of the lost passes, of what one is worth, and of how many of these would have paid."""
        luck = abs(lost_passes * self.orders * (1 - self.orders))
        return self.orders**2 * variance_of_passes + (lost_passes * self.orders_deviation) ** 2 + luck


@dataclass(frozen=True)
class LossEstimate:
    """Orders of a day that were lost and their amount, each with its 90 % interval.

    Attributes:
        orders, orders_low, orders_high: None where nothing says how many would have paid.
        amount, amount_low, amount_high: None where no payment says how much.
        amount_net: what refunds are expected to leave of the amount.
    """

    orders: float | None = 0.0
    orders_low: float | None = 0.0
    orders_high: float | None = 0.0
    amount: float | None = 0.0
    amount_low: float | None = 0.0
    amount_high: float | None = 0.0
    amount_net: float | None = 0.0


UNKNOWN_LOSS = LossEstimate(None, None, None, None, None, None, None)


def estimate_loss(lost_passes: float, variance_of_passes: float, per_pass: LossPerPass) -> LossEstimate:
    """What so many passes less than expected cost; of a gain, negative.

    Args:
        variance_of_passes: of the passes of the day around those expected.
    """
    orders = lost_passes * per_pass.orders
    margin = float(_INTERVAL * np.sqrt(per_pass.variance(lost_passes, variance_of_passes)))
    low, high = orders - margin, orders + margin
    if per_pass.amount is None:
        return LossEstimate(orders, low, high, None, None, None, None)
    return LossEstimate(
        orders,
        low,
        high,
        orders * per_pass.amount,
        low * per_pass.amount,
        high * per_pass.amount,
        orders * per_pass.amount * per_pass.kept if per_pass.kept is not None else None,
    )


def estimate_loss_per_pass(
    warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], days: Sequence[date], day: date
) -> LossPerPass:
    """What a pass of the slice is usually worth, and how surely."""
    orders, deviation = _estimate_orders_per_pass(warehouse, step, slice_, days)
    unseen = _estimate_unseen_orders(warehouse, step, slice_, days)
    deviation = float(np.hypot(deviation * (1 + unseen / 2), orders * unseen / np.sqrt(12)))
    rate = _estimate_refund_rate(warehouse, day)
    kept = None if rate is None else 1 - rate
    return LossPerPass(orders * (1 + unseen / 2), deviation, _estimate_amount(warehouse, slice_, days), kept)


def _estimate_orders_per_pass(
    warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], days: Sequence[date]
) -> tuple[float, float]:
    """Paid orders of a pass, and the standard deviation of that."""
    if step.paid:
        if step.paid == step.passed:
            return 1.0, 0.0
        return _estimate_rate(warehouse, step.cube, step.paid, step.passed, slice_, days)
    paying, deviation = _estimate_rate(warehouse, "decision_cube", "reached_paid", "sessions", slice_, days)
    if step.segment == "qualified_product_view":
        return paying, deviation
    if step.segment == "arrival":
        landing, _ = _estimate_rate(
            warehouse, "landing_cube", "reached_qualified_product_view", "sessions", slice_, days
        )
        return paying * landing, deviation * landing
    paid, carted = (
        warehouse.value(
            f"select sum({column})::DOUBLE from marts.{cube} where list_contains($days::DATE[], business_date)",
            days=list(days),
        )
        for cube, column in (("decision_cube", "reached_paid"), ("product_cube", "carted"))
    )
    orders = min((paid or 0) / carted, 1.0) if carted else 0.0
    return orders, _DAILY_MOVEMENT * orders


def _estimate_rate(
    warehouse: Warehouse, cube: str, passed: str, entered: str, slice_: Mapping[str, str], days: Sequence[date]
) -> tuple[float, float]:
    """Passed / entered of the slice, as far as the cube knows it, drawn towards the whole; its standard deviation."""
    known = {name: value for name, value in slice_.items() if name in get_dimensions(cube)}
    row = warehouse.rows(
        f"select sum({passed})::DOUBLE, sum({entered})::DOUBLE, "
        f"sum({passed}) filter (where {build_slice_condition(known)})::DOUBLE, "
        f"sum({entered}) filter (where {build_slice_condition(known)})::DOUBLE "
        f"from marts.{cube} where list_contains($days::DATE[], business_date)",
        days=list(days),
    )[0]
    all_passed, all_entered, own_passed, own_entered = (value or 0.0 for value in row)
    overall = all_passed / all_entered if all_entered else 0.0
    entries = own_entered + _PRIOR_PASSES
    rate = (own_passed + _PRIOR_PASSES * overall) / entries
    return rate, float(np.hypot(np.sqrt(max(rate * (1 - rate), 0.0) / entries), _DAILY_MOVEMENT * rate))


def _estimate_unseen_orders(
    warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], days: Sequence[date]
) -> float:
    """Orders without a session for each with one; 0 where the slice needs no session to hold an order."""
    if step.cube in _FROM_SESSIONS and not _FROM_SESSIONS[step.cube] & slice_.keys():
        return 0.0
    orders, with_session = warehouse.rows(
        "select sum(orders)::DOUBLE, sum(orders_with_session)::DOUBLE from marts.daily_summary "
        "where orders_with_session > 0 and list_contains($days::DATE[], business_date)",
        days=list(days),
    )[0]
    return min(orders / with_session - 1, _MOST_UNSEEN) if with_session else 0.0


def _estimate_amount(warehouse: Warehouse, slice_: Mapping[str, str], days: Sequence[date]) -> float | None:
    known = {name: value for name, value in slice_.items() if name in get_dimensions("decision_cube")}
    row = warehouse.rows(
        "select sum(paid_amount)::DOUBLE, sum(reached_paid)::DOUBLE, "
        f"sum(paid_amount) filter (where {build_slice_condition(known)})::DOUBLE, "
        f"sum(reached_paid) filter (where {build_slice_condition(known)})::DOUBLE "
        "from marts.decision_cube where list_contains($days::DATE[], business_date) "
        "and reached_paid > 0 and paid_amount is not null",
        days=list(days),
    )[0]
    if row[0] is None:
        return None
    amount, orders, own_amount, own_orders = (value or 0.0 for value in row)
    overall = amount / orders if orders else 0.0
    return (own_amount + _PRIOR_PASSES * overall) / (own_orders + _PRIOR_PASSES)


def _estimate_refund_rate(warehouse: Warehouse, day: date) -> float | None:
    """Refunded share of the amounts paid 28 days long, at the greatest age that those days have all reached.

    None where the shop delivers no refunds.
    """
    if not warehouse.value(
        "select count(refunded_amount) from marts.daily_summary where business_date between $from and $day",
        **{"from": day - timedelta(days=57), "day": day},
    ):
        return None
    for age, buckets in _REFUND_AGES:
        paid, refunded = warehouse.rows(
            "select (select sum(paid_amount)::DOUBLE from marts.daily_summary "
            "where business_date between $from and $to), "
            "(select sum(amount)::DOUBLE from marts.refund_ages where paid_date between $from and $to "
            "and business_date <= $day and list_contains($buckets, left(age_bucket, 2)))",
            **{"from": day - timedelta(days=age + 27), "to": day - timedelta(days=age), "day": day},
            buckets=list(buckets),
        )[0]
        if paid:
            return float(min((refunded or 0.0) / paid, 1.0))
    return 0.0
