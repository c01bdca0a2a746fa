"""The metrics registry: every metric's key, unit and rule over several days, once for SQL, report and documentation.

`marts.daily_metrics` computes them per day under these keys; messages/texts names and defines them for readers.
"""

from dataclasses import dataclass
from enum import StrEnum

from funnelscope.messages.values import Unit


class SeveralDays(StrEnum):
    """How days make a period."""

    SUM = "sum"
    POOLED = "pooled"  # add numerators and denominators, then divide
    DISTINCT = "distinct"  # count again over the period; days must not be added
    PERIOD = "period"  # take the measured values of the whole period


@dataclass(frozen=True)
class Metric:
    """One metric. `platform_mean` marks those that marketplaces show as the mean of the daily values."""

    key: str
    unit: Unit
    several_days: SeveralDays
    formula: str
    platform_mean: bool = False


def _count(key: str, formula: str, several_days: SeveralDays = SeveralDays.SUM) -> Metric:
    return Metric(key, Unit.COUNT, several_days, formula)


def _money(key: str, formula: str) -> Metric:
    return Metric(key, Unit.MONEY, SeveralDays.SUM, formula)


def _rate(key: str, formula: str, platform_mean: bool = False) -> Metric:
    return Metric(key, Unit.RATE, SeveralDays.POOLED, formula, platform_mean)


def _mean(key: str, unit: Unit, formula: str, platform_mean: bool = False) -> Metric:
    return Metric(key, unit, SeveralDays.POOLED, formula, platform_mean)


def _duration(key: str, unit: Unit, formula: str) -> Metric:
    return Metric(key, unit, SeveralDays.PERIOD, formula)


METRICS = {
    metric.key: metric
    for metric in (
        _count("human_sessions", "sessions that entered, without robots"),
        _count("bot_sessions", "sessions that entered, robots only"),
        _count("visitors", "distinct visitors of human sessions", SeveralDays.DISTINCT),
        _count("buyers", "distinct buyers who paid", SeveralDays.DISTINCT),
        _count("page_views", "pages opened in human sessions, refreshes in"),
        _count("orders", "orders created, excluded ones out"),
        _money("paid_amount", "same_day + carried_over + presale_balance + no_session"),
        _money("refund_amount", "refunds of the day, for payments of any day"),
        _rate("landing_rate", "sessions reaching a qualified product view / human sessions"),
        _rate("decision_rate", "paying sessions / sessions with a qualified product view"),
        _rate("deposit_rate", "sessions with a presale order that day / sessions with a qualified product view"),
        _rate("same_day_session_pay_rate", "paying sessions / human sessions, both of one entry day"),
        _rate("visitor_pay_rate", "buyers / visitors", platform_mean=True),
        _rate("visitor_order_rate", "buyers who ordered / visitors"),
        _mean("visitor_value", Unit.MONEY, "paid amount / visitors"),
        _mean("average_stay_seconds", Unit.SECONDS, "measured stay / visitors", platform_mean=True),
        _mean("orders_per_paying_session", Unit.RATIO, "same-day orders / paying sessions"),
        _mean("amount_per_order", Unit.MONEY, "paid amount / paid orders"),
        _mean("amount_per_buyer", Unit.MONEY, "paid amount / buyers"),
        _mean("amount_per_unit", Unit.MONEY, "paid amount / units paid for"),
        _mean("units_per_order", Unit.RATIO, "units paid for / paid orders"),
        _rate("returning_buyer_share", "customers with a payment in the 365 days before / buyers"),
        _rate("visitor_cart_rate", "visitors who put something into the cart / visitors"),
        _rate("visitor_favorite_rate", "visitors who kept something / visitors"),
        _count("impressions", "times shown, robots out"),
        _count("clicks", "ad clicks, robots out"),
        _money("cost", "advertising cost"),
        _rate("click_rate", "clicks / impressions"),
        _rate("arrival_rate", "clicks followed by a human session of the day / clicks with a click_id"),
        _mean("visits_per_click", Unit.RATIO, "human sessions / clicks, where clicks carry no id"),
        _mean("cost_per_engaged_session", Unit.MONEY, "cost / sessions past 3 s with a second interaction"),
        _mean("return_on_ad_spend", Unit.RATIO, "same-day paid amount of sessions from an ad click / cost"),
        _mean("acquisition_cost", Unit.MONEY, "cost / first-time buyers"),
        _rate("three_second_rate", "sessions past 3 s or interacting / sessions whose stay is measured"),
        _rate("measured_stay_share", "sessions whose stay is measured / human sessions"),
        _rate("session_bounce_rate", "sessions without a second interaction / human sessions", platform_mean=True),
        _rate("deep_read_rate", "sessions with a deep read / sessions that opened a product"),
        _rate("private_domain_share", "human sessions from the private domain / human sessions"),
        _count("coupon_claims", "coupons claimed"),
        _count("coupon_uses", "orders created with a coupon"),
        _count("coupon_errors", "coupons refused"),
        _rate("coupon_use_rate", "coupons used / coupons claimed"),
        _rate("coupon_error_rate", "coupons refused / refused and used"),
        _count("payment_failures", "failed payments"),
        _count("presale_conversations", "presale conversations with a question"),
        _count("unanswered_conversations", "of them not answered by a human that day"),
        _rate("reply_within_30s_rate", "answered by a human within 30 s / presale conversations"),
        _rate("reply_within_3min_rate", "answered by a human within 3 min / presale conversations"),
        _rate("inquiry_pay_rate", "inquirers who paid later that day / inquirers not left to a robot"),
        _mean("response_seconds", Unit.SECONDS, "waits of answered customer turns / answered customer turns"),
        _count("care_sent", "care messages sent"),
        _count("care_opened", "care messages opened"),
        _rate("care_open_rate", "care messages opened / sent"),
        _count("members_joined", "new members"),
        _count("contacts_added", "contacts and community members added"),
        _count("contacts_lost", "contacts lost and opt-outs"),
        _mean("service_rating", Unit.RATIO, "stars for the service / ratings"),
        _mean("product_rating", Unit.RATIO, "stars for products / reviews"),
        _rate("negative_review_rate", "reviews of at most 3 stars / reviews"),
        _rate("answered_24h_rate", "answered within 24 h / questions and reviews of at most 3 stars of the day before"),
        _money("refund_amount_same_day", "refunded of payments of the same day"),
        _money("refund_amount_1_to_7_days", "refunded of payments 1 to 7 days old"),
        _money("refund_amount_8_to_15_days", "refunded of payments 8 to 15 days old"),
        _money("refund_amount_16_to_30_days", "refunded of payments 16 to 30 days old"),
        _money("refund_amount_over_30_days", "refunded of payments over 30 days old"),
        _money("refund_amount_unlinked", "refunded with no known payment"),
        _count("active_customers", "customers with a purchase day in the 180 days before", SeveralDays.DISTINCT),
        _rate("daily_repurchase_rate", "active past customers who purchased / active past customers"),
        _duration("first_screen_ms", Unit.MILLISECONDS, "until the first page's first screen stood, per session"),
        _duration("first_response_seconds", Unit.SECONDS, "first human answer - first customer message"),
        _duration("repurchase_interval_days", Unit.DAYS, "purchase day - the customer's purchase day before"),
    )
}
