"""Orders as the Admin API of Shopify describes them, one document an order with its lines, as JSON lines."""

import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Goods:
    """An article of the shop."""

    sku: str
    title: str
    category: str
    price: float


GOODS = (
    Goods("TEA-01", "Teapot", "Kitchen", 59.9),
    Goods("CUP-02", "Cup", "Kitchen", 9.5),
    Goods("TRY-03", "Tray", "Kitchen", 24.0),
    Goods("LMP-04", "Lamp", "Living", 79.0),
    Goods("RUG-05", "Rug", "Living", 129.0),
    Goods("VSE-06", "Vase", "Living", 34.5),
)
SHIPPING = 4.9


@dataclass
class OrderDocuments:
    """The orders of a shop. Every day's file holds those that came or changed on that day, as they are then."""

    chance: random.Random
    offset: str  # of the shop's clock from UTC, such as -04:00
    changed: dict[date, dict[int, dict[str, Any]]] = field(default_factory=dict)
    count: int = 0

    def place(self, at: datetime, customer: str, goods: list[tuple[Goods, int]], visitor: str = "") -> str:
        """Adds an order, which most customers pay at once and some get money back for. Returns its name."""
        self.count += 1
        number = 4_100_000 + self.count
        is_paid = self.chance.random() < 0.97
        document: dict[str, Any] = {
            "id": number,
            "name": f"#{1_000 + self.count}",
            "created_at": self._write(at),
            "processed_at": self._write(at + timedelta(seconds=40)) if is_paid else None,
            "financial_status": "paid" if is_paid else "pending",
            "customer": {"id": customer},
            "note_attributes": [{"name": "ga_client_id", "value": visitor}] if visitor else [],
            "line_items": [
                {
                    "id": number * 10 + position,
                    "sku": article.sku,
                    "title": article.title,
                    "product_type": article.category,
                    "quantity": quantity,
                    "price": f"{article.price:.2f}",
                    "total_discount": "0.00",
                }
                for position, (article, quantity) in enumerate(goods, start=1)
            ],
            "shipping_lines": [{"title": "Standard", "price": f"{SHIPPING:.2f}"}],
            "refunds": [],
        }
        self._note(at, document)
        if is_paid and self.chance.random() < 0.06:
            self._refund(document, at + timedelta(days=self.chance.randint(2, 9)))
        return str(document["name"])

    def write_day(self, day: date, file: Path) -> None:
        """Writes the orders that came or changed on the day."""
        documents = self.changed.get(day, {}).values()
        file.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")

    def _refund(self, document: dict[str, Any], at: datetime) -> None:
        line = document["line_items"][0]
        amount = f"{float(line['price']) * line['quantity']:.2f}"
        items = [{"line_item_id": line["id"], "quantity": line["quantity"], "subtotal": amount}]
        refund = {"id": document["id"] + 900_000_000, "created_at": self._write(at), "refund_line_items": items}
        self._note(at, document | {"financial_status": "partially_refunded", "refunds": [refund]})

    def _note(self, at: datetime, document: dict[str, Any]) -> None:
        self.changed.setdefault(at.date(), {})[document["id"]] = document

    def _write(self, at: datetime) -> str:
        return f"{at:%Y-%m-%dT%H:%M:%S}{self.offset}"
