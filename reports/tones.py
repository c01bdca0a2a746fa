"""Whether a move of a figure is good or bad, and the sign that says so, in colour and without.

A filled triangle is bad, a hollow one good, and an arrow neither; each points where the figure went.
"""

from enum import StrEnum

from funnelscope.messages.wording import STATED, Words
from reports.model import Mark


class Tone(StrEnum):
    """What a move means."""

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"


SIGNS = {Tone.BAD: "▲▼", Tone.GOOD: "△▽", Tone.NEITHER: "↑↓"}
"""Those of the words' labels, by which a finished text is coloured."""

WORSE_ABOVE = frozenset(
    (
        *("acquisition_cost", "average_response_seconds", "bot_sessions", "bounce_rate", "contacts_lost"),
        *("cost_per_click", "cost_per_engaged_session", "cost_share", "coupon_error_rate", "coupon_errors"),
        *("failing_matches", "first_response_mean_seconds", "first_response_median_seconds"),
        *("first_response_p90_seconds", "first_response_seconds", "first_screen_mean_ms", "first_screen_p50_ms"),
        *("first_screen_p75_ms", "lost_contacts", "negative_review_rate", "payment_failures", "refund_amount"),
        *("refund_amount_1_to_7_days", "refund_amount_8_to_15_days", "refund_amount_16_to_30_days"),
        *("refund_amount_deposit", "refund_amount_over_30_days", "refund_amount_same_day", "refund_amount_unlinked"),
        *("refund_rate", "refunded_amount", "refunded_orders", "refunding_buyers", "repurchase_interval_mean_days"),
        *("repurchase_interval_median_days", "response_seconds", "robot_only_conversations", "session_bounce_rate"),
        "unanswered_conversations",
    )
)
"""Figures of which less is better; of the others more is."""
WITHOUT_TONE = frozenset(
    (
        *("amount_per_unit", "average_stay_seconds", "conversations", "cost", "coupon_claims", "coupon_uses"),
        *("consulting_users", "derived_stay_share", "inquirers", "measured_stay_share", "messages"),
        *("presale_conversations", "private_domain_share", "returning_buyer_share", "served_users", "stay_seconds"),
        *("stock_units", "visits_per_click", "watch_seconds"),
    )
)
"""Figures of which neither more nor less is better in itself."""


def is_worse_above(key: str) -> bool:
    """Whether less of the figure is better."""
    return key.removeprefix(STATED) in WORSE_ABOVE


def find_tone(mark: Mark, key: str) -> Tone:
    """What it means that the figure, or the step, is marked."""
    if key.removeprefix(STATED) in WITHOUT_TONE:
        return Tone.NEITHER
    return Tone.GOOD if (mark is Mark.BELOW) is is_worse_above(key) else Tone.BAD


def write_mark(mark: Mark | None, key: str, words: Words) -> str:
    """The sign of a marked figure or step; empty without a mark."""
    return words.text("labels", f"{mark.value}_{find_tone(mark, key).value}") if mark else ""


def find_tone_of_text(text: str) -> Tone | None:
    """The tone of the sign with which a finished text begins."""
    return next((tone for tone, signs in SIGNS.items() if text[:1] and text[0] in signs), None)
