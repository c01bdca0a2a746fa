"""The state that the shop carries from day to day, and the columns of each family's rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.simulator.promotions import PromotionCalendar
from funnelscope.simulator.streams import NEVER, Agenda, Array, Chunk, Clock, GrowingTable, create_generator
from funnelscope.simulator.world import DEVICE_SHARES, REGIONS, World

KIND = {name: {event: code for code, event in enumerate(family.event_types)} for name, family in EVENT_FAMILIES.items()}
LONG_AGO = -10_000  # before any simulated day

# Columns of a row inside the simulator, with their dtypes. Texts are codes into World.words, -1 is empty.
TRAFFIC_COLUMNS = {
    "time": "i8",
    "kind": "i1",
    "session": "i8",
    "is_bot": "?",
    "leaf": "i2",
    "device": "i1",
    "region": "i1",
    "click": "i8",
    "quantity": "i8",
    "cost": "i8",
}
PAGE_COLUMNS = {
    "time": "i8",
    "kind": "i1",
    "session": "i8",
    "page_type": "i1",
    "page": "i2",
    "product": "i2",
    "sku": "i2",
    "module": "i1",
    "content": "i1",
    "live_room": "i1",
    "coupon": "i1",
    "error_code": "i1",
    "first_screen_ms": "i4",
    "dwell_ms": "i4",
    "scroll_ratio": "f4",
    "displayed_price": "i4",
    "stock_state": "i1",
}
SERVICE_COLUMNS = {
    "time": "i8",
    "kind": "i1",
    "session": "i8",
    "visitor": "i8",
    "customer": "i8",
    "conversation": "i8",
    "agent": "i1",
    "topic": "i1",
    "product": "i2",
    "order": "i8",
    "rating": "i1",
    "care_type": "i1",
    "message": "i1",
}
ORDER_COLUMNS = {
    "time": "i8",
    "kind": "i1",
    "session": "i8",
    "visitor": "i8",
    "customer": "i8",
    "order": "i8",
    "line": "i1",
    "product": "i2",
    "sku": "i2",
    "quantity": "i2",
    "amount": "i8",
    "shipping_amount": "i8",
    "discount": "i8",
    "coupon": "i1",
    "promotion": "i1",
    "payment_provider": "i1",
    "sales_channel": "i1",
    "source_room": "i1",
    "source_content": "i1",
    "refund": "i8",
    "refund_type": "i1",
    "rating": "i1",
    "excluded_reason": "i1",
}
LOST_COLUMNS = {
    "time": "i8",
    "cause": "i1",
    "cents": "i8",
}  # losses to faults, at the time when they would have happened
COLUMNS = {"traffic": TRAFFIC_COLUMNS, "page": PAGE_COLUMNS, "service": SERVICE_COLUMNS, "order": ORDER_COLUMNS}


@dataclass
class SessionBook:
    """The sessions that started on one day. Session number = base + position.

    Attributes:
        customer: who logs in (-1 for nobody); `login_time`: from when events carry that customer (microseconds).
        is_untracked: a fault keeps its favourites and carts from being reported.
    """

    base: int
    visitor: Array
    customer: Array
    login_time: Array
    is_bot: Array
    start: Array
    leaf: Array
    device: Array
    region: Array
    is_untracked: Array

    @classmethod
    def empty(cls) -> "SessionBook":
        """A book without sessions."""
        none = np.empty(0, np.int64)
        return cls(0, none, none, none, none.astype(bool), none, none, none, none, none.astype(bool))

    @classmethod
    def concatenate_books(cls, books: Sequence["SessionBook"]) -> "SessionBook":
        """Books with consecutive numbers, as one."""
        if len(books) == 1:
            return books[0]
        columns = [column.name for column in fields(cls) if column.name != "base"]
        return cls(books[0].base, *(np.concatenate([getattr(book, name) for book in books]) for name in columns))

    @property
    def end(self) -> int:
        """The number after that of the last session."""
        return self.base + len(self.visitor)


class TwoDays:
    """Sessions of yesterday and today together: no session lasts longer."""

    def __init__(self, yesterday: SessionBook, today: SessionBook) -> None:
        self.base = yesterday.base if len(yesterday.visitor) else today.base
        self.count = today.end - self.base
        books = [yesterday, today] if len(yesterday.visitor) else [today]
        self.visitor = np.concatenate([book.visitor for book in books])
        self.customer = np.concatenate([book.customer for book in books])
        self.login_time = np.concatenate([book.login_time for book in books])
        self.is_bot = np.concatenate([book.is_bot for book in books])
        self.leaf = np.concatenate([book.leaf for book in books])
        self.is_untracked = np.concatenate([book.is_untracked for book in books])

    def position(self, sessions: Array) -> Array:
        """The positions of session numbers in the two days."""
        return sessions - self.base

    def find_customers_seen(self, sessions: Array, times: Array) -> Array:
        """The customer that an event of this session at this time carries."""
        positions = self.position(sessions)
        return np.where(times >= self.login_time[positions], self.customer[positions], -1)


@dataclass
class ShopState:
    """Everything that is carried from day to day.

    Attributes:
        visitors: device, region, owner (the customer who uses it, known to the shop or not), linked (the first customer
            that the shop saw with it).
        customers: visitor (at home), second_visitor, missed_care_day (the last day on which a due care message was not
            sent), and what truth needs to know of them.
        orders: what truth needs to know of them; times are NEVER or -1 and days LONG_AGO if nothing happened.
        next_session and similar: the next free numbers of things without a table.
        recent_visitors: who came on each of the last seven days.
    """

    world: World
    clock: Clock
    calendar: PromotionCalendar
    agenda: Agenda
    visitors: GrowingTable = field(
        default_factory=lambda: GrowingTable(device="i1", region="i1", owner="i8", linked="i8")
    )
    customers: GrowingTable = field(
        default_factory=lambda: GrowingTable(
            visitor="i8",
            second_visitor="i8",
            first_payment="i8",
            first_settled_purchase="i8",
            last_purchase_day="i4",
            last_delivered_day="i4",
            last_care_day="i4",
            last_join="i8",
            last_leave="i8",
            missed_care_day="i4",
        )
    )
    orders: GrowingTable = field(
        default_factory=lambda: GrowingTable(
            visitor="i8",
            customer="i8",
            session="i8",
            created="i8",
            excluded="?",
            has_coupon="?",
            payment_day="i4",
            payment_cents="i8",
            shipped="i8",
            refunded_before_shipment="i8",
            entry_session="i8",
            entry_day="i4",
        )
    )
    next_session: int = 0
    next_conversation: int = 0
    next_click: int = 0
    next_refund: int = 0
    recent_visitors: list[Array] = field(default_factory=list)
    yesterday: SessionBook = field(default_factory=SessionBook.empty)

    def stream(self, day: int, purpose: str) -> np.random.Generator:
        """The random generator of this day for this purpose."""
        return create_generator(self.world.seed, self.clock.date(day), purpose)

    def add_visitors(self, random: np.random.Generator, count: int) -> Array:
        """Adds `count` visitors with random devices and regions. Returns their numbers."""
        device, region = draw_people(random, count)
        return self.visitors.append(count, device=device, region=region)

    def add_customers(self, visitors: Array) -> Array:
        """One new customer for each visitor (-1: without one), who owns it from now on."""
        rows = self.customers.append(
            len(visitors),
            visitor=visitors,
            first_payment=NEVER,
            first_settled_purchase=NEVER,
            last_purchase_day=LONG_AGO,
            last_delivered_day=LONG_AGO,
            last_care_day=LONG_AGO,
            missed_care_day=LONG_AGO,
        )
        known = visitors >= 0
        self.visitors["owner"][visitors[known]] = rows[known]
        return rows

    def add_orders(self, specification: Chunk) -> Array:
        """Adds the orders without payment or shipment. Returns their numbers."""
        count = len(specification["time"])
        return self.orders.append(
            count,
            visitor=specification["visitor"],
            customer=specification["customer"],
            session=specification["session"],
            excluded=specification["excluded_reason"] >= 0,
            payment_day=LONG_AGO,
            payment_cents=0,
            shipped=NEVER,
            refunded_before_shipment=0,
            entry_day=LONG_AGO,
        )


def draw_people(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Device and region codes of new visitors."""
    devices = np.searchsorted(np.cumsum(DEVICE_SHARES), random.random(count)).astype(np.int8).clip(0, 2)
    regions = (len(REGIONS) * random.random(count) ** 1.4).astype(np.int8)
    return devices, regions
