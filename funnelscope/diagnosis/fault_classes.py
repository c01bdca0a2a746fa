"""What a finding looks like: the key of the playbook, and the one object to open."""

from collections.abc import Mapping, Set

FAULT_CLASSES = (
    "arrival_loss",
    "landing_loss",
    "creative_mismatch",
    "slow_first_screen",
    "product_loss",
    "bad_reviews",
    "out_of_stock",
    "decision_loss",
    "late_answers",
    "service_loss",
    "broken_coupon",
    "checkout_loss",
    "payment_outage",
    "payment_loss",
    "repurchase_loss",
    "care_stopped",
    "bot_flood",
    "tracking_lost",
    "slow_drift",
    "figure_traffic_loss",
    "figure_click_loss",
    "figure_product_visit_loss",
    "figure_cart_loss",
    "figure_order_loss",
    "figure_payment_loss",
    "figure_conversion_loss",
    "figure_search_loss",
    "figure_service_loss",
    "figure_room_loss",
)
_FIGURE_CLASSES: Mapping[str, str] = {
    "clicks": "figure_click_loss",
    "product_click_users": "figure_click_loss",
    "product_impression_users": "figure_product_visit_loss",
    "product_visitors": "figure_product_visit_loss",
    "cart_users": "figure_cart_loss",
    "order_buyers": "figure_order_loss",
    "paying_buyers": "figure_conversion_loss",
    "search_paying_buyers": "figure_search_loss",
    "inquirers_paid": "figure_service_loss",
}
"""Figure of a platform that fewer reach → class."""

_OBJECTS = (
    "coupon",
    "payment_provider",
    "product_id",
    "agent",
    "creative",
    "campaign",
    "landing_page",
    "team",
    "shift",
    "promotion",
    "channel",
    "first_category",
    "category",
)
"""What a person can open, the most particular first."""


def classify_fault(segment: str, slice_: Mapping[str, str], moved: Set[str]) -> str:
    """The class of a business fault, from the step, the dimensions of the slice and the series that moved with it."""
    named = {name for name, value in slice_.items() if value not in ("none", "unknown")}
    if segment == "purchased":
        return "care_stopped" if "care_sent" in moved else "repurchase_loss"
    if segment == "arrival":
        return "arrival_loss"
    if "product_id" in named:
        if "out_of_stock_rate" in moved:
            return "out_of_stock"
        return "bad_reviews" if "product_rating" in moved else "product_loss"
    if named & {"team", "agent", "shift"}:
        return "late_answers" if moved & {"first_response_seconds", "reply_within_3min_rate"} else "service_loss"
    if segment in ("qualified_product_view", "favorite_or_cart"):
        if "first_screen_ms" in moved:
            return "slow_first_screen"
        if named & {"creative", "campaign"}:
            return "creative_mismatch"
        return "landing_loss" if segment == "qualified_product_view" else "decision_loss"
    if segment == "order":
        return "broken_coupon" if "coupon" in named else "checkout_loss"
    if segment == "paid":
        return "payment_outage" if "payment_provider" in named or "payment_failure_rate" in moved else "payment_loss"
    return "decision_loss"


def classify_figure_fault(level: str, entered_metric: str, passed_metric: str) -> str:
    """The class of a fault in the figures that a platform states, from its level and the two figures of its step.

    Args:
        entered_metric: empty where a figure fell as such.
    """
    if not entered_metric:
        return "figure_traffic_loss"
    if level == "room":
        return "figure_room_loss"
    if (entered_metric, passed_metric) == ("order_buyers", "paying_buyers"):
        return "figure_payment_loss"
    return _FIGURE_CLASSES.get(passed_metric, "figure_traffic_loss")


def find_object_to_open(stage: str, slice_: Mapping[str, str]) -> tuple[str, str]:
    """(kind, name) of the most particular object of the slice; the stage itself where the slice names none."""
    for kind in _OBJECTS:
        if slice_.get(kind, "none") not in ("none", "unknown"):
            return kind, slice_[kind]
    return next(iter(slice_.items()), ("stage", stage))
