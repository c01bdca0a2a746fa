"""A web shop with the daily export of Google Analytics 4, its orders from Shopify and a report of Google Ads.

For the last five days, three in four of those who have something in the cart on a mobile cannot begin the checkout.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from funnelscope.simulator.example_exports.order_documents import GOODS, SHIPPING, Goods, OrderDocuments

BROKEN_DAYS = 5
SESSIONS_PER_DAY = 1_200
ZONE = ZoneInfo("America/New_York")
SEED = 41

SOURCES = {  # source, medium and campaign to their share of the sessions
    ("google", "cpc", "spring"): 0.3,
    ("google", "organic", None): 0.35,
    ("newsletter", "email", "weekly"): 0.1,
    (None, None, None): 0.25,
}
DEVICES = {"mobile": 0.6, "desktop": 0.35, "tablet": 0.05}
CART_TO_CHECKOUT = 0.56
BROKEN_FACTOR = 0.25

_VALUE = pa.struct(
    [
        ("string_value", pa.string()),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("double_value", pa.float64()),
    ]
)
_ITEM = pa.struct(
    [
        ("item_id", pa.string()),
        ("item_name", pa.string()),
        ("item_category", pa.string()),
        ("price", pa.float64()),
        ("quantity", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("event_date", pa.string()),
        ("event_timestamp", pa.int64()),
        ("event_name", pa.string()),
        ("event_params", pa.list_(pa.struct([("key", pa.string()), ("value", _VALUE)]))),
        ("event_bundle_sequence_id", pa.int64()),
        ("user_id", pa.string()),
        ("user_pseudo_id", pa.string()),
        ("device", pa.struct([("category", pa.string()), ("language", pa.string())])),
        ("geo", pa.struct([("country", pa.string()), ("region", pa.string())])),
        (
            "collected_traffic_source",
            pa.struct([(f"manual_{name}", pa.string()) for name in ("source", "medium", "campaign_name")]),
        ),
        ("ecommerce", pa.struct([("transaction_id", pa.string()), ("purchase_revenue", pa.float64())])),
        ("items", pa.list_(_ITEM)),
        ("batch_event_index", pa.int64()),
    ]
)


def write_exports(folder: Path, first_date: date, last_date: date) -> None:
    """One file a day of events, of orders and of advertising."""
    chance = random.Random(SEED)
    orders = OrderDocuments(chance, "-04:00")
    visitors: list[str] = []
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        is_broken = (last_date - day).days < BROKEN_DAYS
        events = [
            event
            for _ in range(SESSIONS_PER_DAY + chance.randint(-60, 60))
            for event in _Session(chance, orders, day, _choose_visitor(chance, visitors)).run(is_broken)
        ]
        pq.write_table(pa.Table.from_pylist(events, SCHEMA), folder / f"events_{day:%Y%m%d}.parquet")
        orders.write_day(day, folder / f"orders_{day}.jsonl")
        _write_ads(folder / f"google_ads_{day}.csv", day, events, chance)


def _choose_visitor(chance: random.Random, visitors: list[str]) -> str:
    """A browser that came before, or a new one."""
    if visitors and chance.random() < 0.3:
        return chance.choice(visitors)
    visitors.append(f"{chance.randrange(10**9)}.{1_770_000_000 + len(visitors)}")
    return visitors[-1]


@dataclass
class _Session:
    chance: random.Random
    orders: OrderDocuments
    day: date
    visitor: str

    def run(self, is_broken: bool) -> Iterator[dict[str, Any]]:
        """The events of a session in their order."""
        chance = self.chance
        self.at = datetime(self.day.year, self.day.month, self.day.day) + timedelta(
            minutes=1_425 * chance.betavariate(2.4, 1.6), seconds=chance.randrange(60)
        )
        self.number, self.customer = 0, None
        self.session_id = int(self.at.replace(tzinfo=ZONE).timestamp())
        self.source = chance.choices(list(SOURCES), list(SOURCES.values()))[0]
        self.device = chance.choices(list(DEVICES), list(DEVICES.values()))[0]
        yield self._tell("session_start", "/")
        yield self._tell("page_view", "/")
        if chance.random() > 0.72:
            return
        seen = chance.choices(GOODS, (6, 5, 4, 2, 1, 3), k=chance.randint(1, 3))
        for article in seen:
            yield self._tell("view_item", f"/products/{article.sku.lower()}", [(article, 1)])
        yield self._tell("user_engagement", f"/products/{seen[-1].sku.lower()}", engaged=chance.randint(4_000, 90_000))
        if chance.random() > 0.34:
            return
        cart = [(article, chance.choice((1, 1, 1, 2))) for article in dict.fromkeys(seen)]
        yield self._tell("add_to_cart", "/cart", cart)
        if chance.random() > CART_TO_CHECKOUT * (BROKEN_FACTOR if is_broken and self.device == "mobile" else 1):
            return
        self.customer = f"c{self.visitor.partition('.')[0]}"
        yield self._tell("begin_checkout", "/checkout", cart)
        if chance.random() > 0.66:
            return
        name = self.orders.place(self.at + timedelta(seconds=50), self.customer, cart, self.visitor)
        yield self._tell("purchase", "/thank-you", cart, order=name)

    def _tell(
        self,
        name: str,
        page: str,
        goods: list[tuple[Goods, int]] | None = None,
        engaged: int = 0,
        order: str | None = None,
    ) -> dict[str, Any]:
        self.at += timedelta(seconds=self.chance.randint(3, 60), microseconds=self.chance.randrange(10**6))
        self.number += 1
        source, medium, campaign = self.source
        texts, numbers = {"page_location": f"https://shop.example{page}"}, {"ga_session_id": self.session_id}
        if engaged:
            numbers["engagement_time_msec"] = engaged
        revenue = sum(article.price * quantity for article, quantity in goods or ()) + SHIPPING
        return {
            "event_date": f"{self.day:%Y%m%d}",
            "event_timestamp": int(self.at.replace(tzinfo=ZONE).timestamp()) * 1_000_000 + self.at.microsecond,
            "event_name": name,
            "event_params": [
                *({"key": key, "value": {"string_value": text}} for key, text in texts.items()),
                *({"key": key, "value": {"int_value": number}} for key, number in numbers.items()),
            ],
            "event_bundle_sequence_id": self.number,
            "user_id": self.customer,
            "user_pseudo_id": self.visitor,
            "device": {"category": self.device, "language": "en-us"},
            "geo": {"country": "United States", "region": "New York"},
            "collected_traffic_source": {
                "manual_source": source,
                "manual_medium": medium,
                "manual_campaign_name": campaign,
            },
            "ecommerce": {"transaction_id": order, "purchase_revenue": round(revenue, 2)} if order else None,
            "items": [
                {
                    "item_id": article.sku,
                    "item_name": article.title,
                    "item_category": article.category,
                    "price": article.price,
                    "quantity": quantity,
                }
                for article, quantity in goods or ()
            ],
            "batch_event_index": self.number,
        }


def _write_ads(file: Path, day: date, events: list[dict[str, Any]], chance: random.Random) -> None:
    """The campaign's day by device: its clicks are its sessions and a few more."""
    clicks = dict.fromkeys(DEVICES, 0)
    for event in events:
        is_campaign = event["collected_traffic_source"]["manual_campaign_name"] == "spring"
        clicks[event["device"]["category"]] += event["event_name"] == "session_start" and is_campaign
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Day", "Campaign", "Device", "Impr.", "Clicks", "Cost"])
        for device, count in clicks.items():
            clicked = round(count * 1.06)
            shown = clicked * chance.randint(18, 22)
            writer.writerow([day, "spring", device, f"{shown:,}", clicked, f"{clicked * 0.42:.2f}"])
