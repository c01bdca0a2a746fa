"""The metrics registry: key, unit and aggregation rule of every metric, shared by SQL, report and documentation.

`marts.daily_metrics` computes the metrics per day under these keys. messages/texts holds their names and definitions.
"""

from dataclasses import dataclass
from enum import StrEnum

from funnelscope.messages.message_types import Unit


class SeveralDays(StrEnum):
    """How the daily values of a metric combine into a value for a period."""

    SUM = "sum"
    POOLED = "pooled"  # add numerators and denominators, then divide
    DISTINCT = "distinct"  # count again over the period: daily counts must not be added
    PERIOD = "period"  # take the measured values of the whole period


@dataclass(frozen=True)
class Metric:
    """One metric. `platform_mean` marks metrics that marketplaces show as the mean of the daily values."""

    key: str
    unit: Unit
    several_days: SeveralDays
    formula: str
    platform_mean: bool = False


def _define_count(key: str, formula: str, several_days: SeveralDays = SeveralDays.SUM) -> Metric:
    return Metric(key, Unit.COUNT, several_days, formula)


def _define_money(key: str, formula: str) -> Metric:
    return Metric(key, Unit.MONEY, SeveralDays.SUM, formula)


def _define_rate(key: str, formula: str, platform_mean: bool = False) -> Metric:
    return Metric(key, Unit.RATE, SeveralDays.POOLED, formula, platform_mean)


def _define_mean(key: str, unit: Unit, formula: str, platform_mean: bool = False) -> Metric:
    return Metric(key, unit, SeveralDays.POOLED, formula, platform_mean)


def _define_duration(key: str, unit: Unit, formula: str) -> Metric:
    return Metric(key, unit, SeveralDays.PERIOD, formula)


METRICS = {
    metric.key: metric
    for metric in (
        _define_count("human_sessions", "sessions that entered, without robots"),
        _define_count("bot_sessions", "sessions that entered, robots only"),
        _define_count("visitors", "distinct visitors of human sessions", SeveralDays.DISTINCT),
        _define_count("buyers", "distinct buyers who paid", SeveralDays.DISTINCT),
        _define_count("page_views", "pages opened in human sessions, refreshes in"),
        _define_count("orders", "orders created, excluded ones out"),
        _define_money("paid_amount", "same_day + carried_over + presale_balance + no_session"),
        _define_money("refund_amount", "refunds of the day, for payments of any day, postage in, deposits out"),
        _define_rate("landing_rate", "sessions reaching a qualified product view / human sessions"),
        _define_rate("decision_rate", "paying sessions / sessions with a qualified product view"),
        _define_rate("deposit_rate", "sessions with a presale order that day / sessions with a qualified product view"),
        _define_rate("same_day_session_pay_rate", "paying sessions / human sessions, both of one entry day"),
        _define_rate("visitor_pay_rate", "buyers / visitors", platform_mean=True),
        _define_rate("order_to_pay_rate", "orders paid by the end of the day / orders created on it, presales out"),
        _define_rate("visitor_order_rate", "buyers who ordered / visitors"),
        _define_mean("visitor_value", Unit.MONEY, "paid amount / visitors"),
        _define_mean("average_stay_seconds", Unit.SECONDS, "measured stay / visitors", platform_mean=True),
        _define_mean("orders_per_paying_session", Unit.RATIO, "same-day orders / paying sessions"),
        _define_mean("amount_per_order", Unit.MONEY, "paid amount / paid orders that say how much"),
        _define_mean("amount_per_buyer", Unit.MONEY, "paid amount / buyers, of orders that say both"),
        _define_mean("amount_per_unit", Unit.MONEY, "paid amount / units paid for, of orders that say both"),
        _define_mean("units_per_order", Unit.RATIO, "units paid for / paid orders that say how many"),
        _define_rate("returning_buyer_share", "customers who purchased, and had in the 365 days before / buyers"),
        _define_rate("visitor_cart_rate", "visitors who put something into the cart / visitors"),
        _define_rate("visitor_favorite_rate", "visitors who kept something / visitors"),
        _define_count("impressions", "times shown, robots out"),
        _define_count("clicks", "ad clicks, robots out"),
        _define_money("cost", "advertising cost"),
        _define_rate("click_rate", "clicks / impressions"),
        _define_rate("arrival_rate", "clicks followed by a human session of the day / clicks with a click_id"),
        _define_mean("visits_per_click", Unit.RATIO, "human sessions / clicks, where clicks carry no id"),
        _define_mean("cost_per_engaged_session", Unit.MONEY, "cost / sessions past 3 s with a second interaction"),
        _define_mean("return_on_ad_spend", Unit.RATIO, "same-day paid amount of sessions from an ad click / cost"),
        _define_mean("acquisition_cost", Unit.MONEY, "cost / first-time buyers"),
        _define_rate("three_second_rate", "sessions past 3 s or interacting / sessions whose stay is measured"),
        _define_rate("measured_stay_share", "sessions whose stay is measured / human sessions"),
        _define_rate("derived_stay_share", "views whose stay is the time until the next page event / views"),
        _define_rate(
            "session_bounce_rate", "sessions without a second interaction / human sessions", platform_mean=True
        ),
        _define_rate("deep_read_rate", "sessions with a deep read / sessions that opened a product"),
        _define_rate("private_domain_share", "human sessions from the private domain / human sessions"),
        _define_count("coupon_claims", "coupons claimed"),
        _define_count("coupon_uses", "orders created with a coupon"),
        _define_count("coupon_errors", "coupons refused"),
        _define_rate("coupon_use_rate", "coupons used / coupons claimed"),
        _define_rate("coupon_error_rate", "coupons refused / refused and used"),
        _define_count("payment_failures", "failed payments"),
        _define_count("presale_conversations", "presale conversations with a question"),
        _define_count("unanswered_conversations", "of them not answered by a human that day: open at midnight"),
        _define_count("robot_only_conversations", "of these, those in which only a robot spoke"),
        _define_rate("same_day_answer_rate", "answered by a human that day / presale conversations"),
        _define_rate("reply_within_30s_rate", "answered by a human that day within 30 s / presale conversations"),
        _define_rate("reply_within_3min_rate", "answered by a human that day within 3 min / presale conversations"),
        _define_rate("inquiry_pay_rate", "inquirers who paid later that day / inquirers not left to a robot"),
        _define_mean("response_seconds", Unit.SECONDS, "waits of answered customer turns / answered customer turns"),
        _define_count("care_sent", "care messages sent"),
        _define_count("care_opened", "care messages opened"),
        _define_rate("care_open_rate", "care messages opened / sent"),
        _define_count("members_joined", "new members"),
        _define_count("contacts_added", "contacts and community members added"),
        _define_count("contacts_lost", "contacts lost and opt-outs"),
        _define_mean("service_rating", Unit.RATIO, "stars for the service / ratings"),
        _define_mean("product_rating", Unit.RATIO, "stars for products / reviews"),
        _define_rate("negative_review_rate", "reviews of at most 3 stars / reviews"),
        _define_rate(
            "answered_24h_rate", "answered within 24 h / questions and reviews of at most 3 stars of the day before"
        ),
        _define_money("refund_amount_same_day", "refunded of payments of the same day"),
        _define_money("refund_amount_1_to_7_days", "refunded of payments 1 to 7 days old"),
        _define_money("refund_amount_8_to_15_days", "refunded of payments 8 to 15 days old"),
        _define_money("refund_amount_16_to_30_days", "refunded of payments 16 to 30 days old"),
        _define_money("refund_amount_over_30_days", "refunded of payments over 30 days old"),
        _define_money("refund_amount_unlinked", "refunded with no known payment"),
        _define_money("refund_amount_deposit", "deposits given back, in no paid amount and not in refund_amount"),
        _define_count("active_customers", "customers with a purchase day in the 180 days before", SeveralDays.DISTINCT),
        _define_rate("daily_repurchase_rate", "active past customers who purchased / active past customers"),
        _define_duration(
            "first_screen_ms", Unit.MILLISECONDS, "until the first page's first screen stood, per session"
        ),
        _define_duration(
            "first_response_seconds",
            Unit.SECONDS,
            "first human answer - first customer message, in service hours; of those answered that day",
        ),
        _define_duration("repurchase_interval_days", Unit.DAYS, "purchase day - the customer's purchase day before"),
    )
}
