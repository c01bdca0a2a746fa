"""The steps that are diagnosed: where their counts lie, by what they are sliced, and what lies downstream."""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = ("channel", "campaign", "creative", "landing_page", "audience", "device", "region")
VISIT = (*SOURCE, "entry_type", "is_returning", "entry_hour_block")
DETERMINED: Mapping[str, tuple[str, ...]] = {
    "creative": ("campaign", "channel"),
    "campaign": ("channel",),
    "product_id": ("category",),
    "agent": ("team",),
}
"""Dimension → those that it determines, nearest first. Others are found in the data."""


@dataclass(frozen=True)
class FunnelStep:
    """One transition of the funnel as one cube shows it.

    Attributes:
        segment: the transition. Cubes that show the same one are different views of the same loss: only the view that
            explains most of it is booked, so nothing is counted twice.
        entered, passed: columns, or SQL over the columns, of `marts.<cube>`.
        dimensions: what slices it. Never a consequence of the stage itself, such as how fast a question was answered:
            the fault would look like a change of mix.
        paid: column of the same cube that counts those who paid in the end; empty where it does not know them.
    """

    stage: str
    cube: str
    name: str
    segment: str
    entered: str
    passed: str
    dimensions: tuple[str, ...]
    paid: str = ""

    @property
    def key(self) -> str:
        """`cube.step`, which no two steps share."""
        return f"{self.cube}.{self.name}"


_DECISION = (*VISIT, "first_category")

STEPS: tuple[FunnelStep, ...] = (
    FunnelStep("traffic", "arrival_cube", "arrival", "arrival", "identified_clicks", "arrived_clicks", SOURCE),
    FunnelStep(
        "landing",
        "landing_cube",
        "qualified_product_view",
        "qualified_product_view",
        "sessions",
        "reached_qualified_product_view",
        VISIT,
    ),
    FunnelStep(
        "decision",
        "decision_cube",
        "favorite_or_cart",
        "favorite_or_cart",
        "sessions",
        "reached_favorite_or_cart",
        _DECISION,
        "reached_paid",
    ),
    FunnelStep(
        "decision",
        "product_cube",
        "cart",
        "favorite_or_cart",
        "viewed",
        "carted",
        ("product_id", "category", "channel", "device"),
    ),
    FunnelStep(
        "decision",
        "decision_cube",
        "checkout",
        "checkout",
        "reached_favorite_or_cart",
        "reached_checkout",
        _DECISION,
        "reached_paid",
    ),
    FunnelStep(
        "decision", "inquiry_cube", "paid_inquiry", "checkout", "inquiries", "paid", ("team", "agent", "shift"), "paid"
    ),
    FunnelStep(
        "decision",
        "decision_cube",
        "order",
        "order",
        "reached_checkout",
        "reached_order",
        _DECISION,
        "reached_paid",
    ),
    FunnelStep(
        "decision",
        "checkout_cube",
        "order",
        "order",
        "checkouts",
        "ordered",
        ("coupon", "promotion", "channel", "device"),
        "paid",
    ),
    FunnelStep("decision", "decision_cube", "paid", "paid", "reached_order", "reached_paid", _DECISION, "reached_paid"),
    FunnelStep(
        "decision",
        "payment_cube",
        "paid",
        "paid",
        "(orders - presale_orders)",
        "paid",
        ("payment_provider", "device", "region"),
        "paid",
    ),
    FunnelStep(
        "repurchase",
        "repurchase_cube",
        "purchased",
        "purchased",
        "active_customers",
        "purchased",
        ("first_channel", "is_member", "last_category", "recency", "is_cared_for"),
        "purchased",
    ),
)
SEGMENTS = tuple(dict.fromkeys(step.segment for step in STEPS))
"""In the order of the funnel: upstream first."""
CUBES = tuple(dict.fromkeys(step.cube for step in STEPS))


def get_steps(cube: str) -> tuple[FunnelStep, ...]:
    """The steps that the cube shows, upstream first."""
    return tuple(step for step in STEPS if step.cube == cube)


def get_dimensions(cube: str) -> tuple[str, ...]:
    """The dimensions that slice every step of the cube."""
    return get_steps(cube)[0].dimensions
