"""Why something is so, as a key and values; the sentences stand in the playbook, in every language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

DATA_CHECKS = (
    "product_view_without_second_interaction",
    "favorite_or_cart_without_product_view",
    "checkout_without_product_view",
    "checkout_without_favorite_or_cart",
    "order_without_checkout",
    "page_views_are_gone",
)
"""Checks of the diagnosis itself: events of a slice that were lost on their way."""


@dataclass(frozen=True)
class StatedReason:
    """A key of the playbook's section `reasons` or `comparisons`, and the values that fill its sentence."""

    key: str
    values: Mapping[str, str | int | float | None] = field(default_factory=dict)

    def as_record(self) -> dict[str, object]:
        """What is stored of it as JSON."""
        return {"key": self.key, "values": dict(self.values)}


def quote_text(text: str) -> StatedReason:
    """A finished text of an older version, or of an error, which every language shows as it is."""
    return StatedReason("as_told", {"text": text})


def parse_reason(text: str) -> StatedReason:
    """The reason that a table holds as JSON."""
    return StatedReason(**json.loads(text))


def parse_reasons(text: str) -> tuple[StatedReason, ...]:
    """The reasons that a table holds as a JSON list."""
    return tuple(StatedReason(**record) for record in json.loads(text))
