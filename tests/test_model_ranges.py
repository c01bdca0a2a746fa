"""Days are built for good: a range makes what its days make, tomorrow changes nothing of today, row order nothing.

Each example is a handful of small shops at once (no id occurs in two of them), six days of random events that meet
often: ties, silences, changes of campaign, linked visitors, presales, refunds, events of one id in two families.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from funnelscope.events.schema import FAMILIES
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import (
    Model,
    build_query_parameters,
    create_inputs,
    create_table,
    load_models,
    replace_partitions,
)

DAYS = [date(2026, 6, 1) + timedelta(days=offset) for offset in range(6)]
FIRST_INSTANT = datetime(2026, 5, 31, 16)  # midnight of the first day in the shop, eight hours ahead of UTC
TABLES = [model for model in load_models().values() if not model.is_view]
VIEWS = [model for model in load_models().values() if model.is_view]
SHOPS = 15  # of two examples or thirty, what takes the time is the number of statements

EVENT_TYPES = {
    "traffic": ("visit", "visit", "click", "impression"),
    "page": (
        *("page_view", "product_view", "product_view", "page_leave", "section_view", "favorite", "add_to_cart"),
        *("checkout_start", "coupon_claim", "coupon_error"),
    ),
    "service": (
        *("customer_message", "customer_message", "agent_message", "agent_message", "bot_message", "transferred"),
        *("rated", "care_sent", "member_joined", "opted_out"),
    ),
    "order": (
        *("created", "created", "paid", "paid", "paid", "deposit_paid", "balance_paid", "shipped", "delivered"),
        *("refunded", "refunded", "reviewed"),
    ),
}


class Digits:
    """Takes choices off one number, so that a smaller number is a simpler event and a failing example stays short."""

    def __init__(self, number: int) -> None:
        self.number = number

    def below(self, count: int) -> int:
        self.number, digit = divmod(self.number, count)
        return digit

    def one_of(self, *choices: Any) -> Any:
        return choices[self.below(len(choices))]


class Event(NamedTuple):
    family: str
    business_date: date
    columns: dict[str, Any]


def event_of(number: int, shop: int) -> Event:
    """The event that `number` stands for, in the shop whose ids carry `shop`."""
    take = Digits(number)
    family = take.one_of("page", "order", "traffic", "service")
    ten_minutes, day = take.below(144), take.below(len(DAYS))
    time = FIRST_INSTANT + timedelta(days=day, minutes=10 * ten_minutes)

    def identifier(*choices: int | None) -> int | None:
        chosen: int | None = take.one_of(*choices)
        return None if chosen is None else 100 * shop + chosen

    columns: dict[str, Any] = {
        "event_time": time,
        "local_hour": ten_minutes // 6,
        "event_type": take.one_of(*EVENT_TYPES[family]),
        "visitor_id": identifier(1, 2, 3, None),
        "customer_id": identifier(*[None] * 6, 1, 2),
        "session_id": identifier(None, 1, 2, None, 3),
        "is_bot": take.below(12) == 11,
    }
    if family == "traffic":
        columns |= {
            "campaign": take.one_of("a", None, "b"),
            "channel": take.one_of("search", "live"),
            "click_id": identifier(None, 1, 2),
            "cost": take.one_of(None, "1.10"),
            "quantity": take.one_of(1, 3),
        }
    elif family == "page":
        columns |= {
            "page_type": take.one_of("home", "product", None),
            "product_id": take.one_of("p1", "p2", None),
            "module": take.one_of(None, "auto"),
            "coupon": take.one_of(None, "ten"),
            "dwell_ms": take.one_of(None, 1000, 3000, 40000),
            "scroll_ratio": take.one_of(None, 0.8),
            "first_screen_ms": take.one_of(None, 900, 1100),
        }
    elif family == "service":
        columns |= {
            "conversation_id": identifier(1, 2, None),
            "topic": take.one_of("presale", None, "aftersale"),
            "agent": take.one_of(None, "ann", "bob"),
            "rating": take.one_of(5, None, 3),
        }
    else:
        columns |= {
            "order_id": identifier(1, 2, 3, 4, None),
            "line": take.one_of("1", "2"),
            "product_id": take.one_of("p1", "p2"),
            "category": take.one_of(None, "socks", "boots"),
            "quantity": take.one_of(1, 2),
            "amount": take.one_of("10.00", "10.00", "5.05", None),
            "shipping_amount": take.one_of(None, "3.00"),
            "rating": take.one_of(5, 2, None),
            "excluded_reason": take.one_of(*[None] * 9, "test"),
        }
    return Event(family, DAYS[day], columns)


@st.composite
def shops(draw: st.DrawFn) -> list[Event]:
    """The events of all shops; ids count from 1 in each family and day, as in an export that numbers its rows."""
    # Bytes, not integers: those are mostly drawn small, and every event would be much the same.
    numbers = draw(st.lists(st.binary(min_size=8, max_size=8), min_size=500, max_size=800))
    events = [event_of(int.from_bytes(number), position % SHOPS) for position, number in enumerate(numbers)]
    counts: dict[tuple[str, date], int] = {}
    for event in events:
        key = (event.family, event.business_date)
        counts[key] = counts.get(key, 0) + 1
        event.columns["event_id"] = counts[key]
    return events


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    made = open_in_memory_warehouse(["set threads = 1"])
    create_inputs(made)
    for model in load_models().values():
        create_table(made, model, build_query_parameters(DAYS[0], DAYS[0]))
    yield made
    made.connection.close()


def empty(warehouse: Warehouse) -> None:
    for family in FAMILIES.values():
        warehouse.execute(f"delete from raw.{family.table}")
    for model in TABLES:
        warehouse.execute(f"delete from {model.table}")


def deliver(warehouse: Warehouse, events: Iterable[Event]) -> None:
    by_family: dict[str, list[Event]] = {}
    for event in events:
        by_family.setdefault(event.family, []).append(event)
    for family, delivered in by_family.items():
        names = ["business_date", *delivered[0].columns]
        warehouse.connection.executemany(
            f"insert into raw.{family}_events ({', '.join(names)}) values ({', '.join('?' for _ in names)})",
            [[event.business_date, *(event.columns[name] for name in names[1:])] for event in delivered],
        )


def build_all(warehouse: Warehouse, from_date: date, to_date: date, models: Iterable[Model]) -> None:
    for model in models:
        replace_partitions(warehouse, model, build_query_parameters(from_date, to_date))


def contents(warehouse: Warehouse, models: Iterable[Model]) -> dict[str, list[tuple[Any, ...]]]:
    return {model.table: warehouse.rows(f"select * from {model.table} order by all") for model in (*models, *VIEWS)}


def chunks(first_days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """The six days cut before each of `first_days`."""
    starts = sorted({DAYS[0], *first_days})
    for start, following in zip(starts, [*starts[1:], DAYS[-1] + timedelta(days=1)], strict=True):
        yield start, following - timedelta(days=1)


def prove(warehouse: Warehouse, events: list[Event], cuts: Iterable[date], models: Sequence[Model] = TABLES) -> None:
    """Builds the range at once, then cut into pieces that each see no event after their end; compares all tables."""
    empty(warehouse)
    deliver(warehouse, events)
    build_all(warehouse, DAYS[0], DAYS[-1], models)
    at_once = contents(warehouse, models)

    empty(warehouse)
    shuffled = random.Random(len(events)).sample(events, len(events))
    for from_date, to_date in chunks(cuts):
        deliver(warehouse, [event for event in shuffled if from_date <= event.business_date <= to_date])
        build_all(warehouse, from_date, to_date, models)
    piecewise = contents(warehouse, models)

    for table, rows in at_once.items():
        assert piecewise[table] == rows, table


UNHURRIED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[
        *(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
        HealthCheck.function_scoped_fixture,
    ],
)


@given(shops())
@settings(UNHURRIED, max_examples=1)
def test_days_make_the_range_and_see_nothing_of_the_days_after(warehouse: Warehouse, events: list[Event]) -> None:
    prove(warehouse, events, DAYS)


def test_a_visitor_who_never_pauses_has_the_same_sessions_day_by_day(warehouse: Warehouse) -> None:
    """Every 20 minutes for four days, with a new campaign now and then: no silence tells where a day may begin."""
    campaigns = {71: "a", 75: "b", 200: "c"}
    events = []
    for number in range(4 * 72):
        time = FIRST_INSTANT + timedelta(minutes=20 * number)
        columns = {"event_id": number, "event_time": time, "event_type": "visit", "visitor_id": 1, "session_id": None}
        events.append(Event("traffic", DAYS[number // 72], columns | {"campaign": campaigns.get(number)}))
    sessions = ("staging.traffic_events", "intermediate.derived_sessions")
    prove(warehouse, events, DAYS, [model for model in TABLES if model.table in sessions])


@pytest.mark.slow
@given(shops())
@settings(UNHURRIED, max_examples=16, phases=(Phase.generate, Phase.shrink))
def test_days_make_the_range_in_many_more_examples(warehouse: Warehouse, events: list[Event]) -> None:
    prove(warehouse, events, DAYS)
