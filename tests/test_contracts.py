"""Every contract reports what breaks its rule, on the day it happens, and is silent on a sound warehouse."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest import create_tables as create_ledger
from funnelscope.messages.check_observations import CheckObservation
from funnelscope.messages.wording import translate_message
from funnelscope.warehouse.checks import Contract, load_contracts
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import derive_schemas, load_models

DAY = date(2026, 6, 10)
YESTERDAY = DAY - timedelta(days=1)
TOMORROW = DAY + timedelta(days=1)
SIXTY_DAYS_BEFORE = DAY - timedelta(days=60)
SIXTY_ONE_DAYS_BEFORE = DAY - timedelta(days=61)
COMPLETENESS = "events_are_complete"
CONTRACTS = {
    f"{contract.table} {contract.name}" if contract.name == COMPLETENESS else contract.name: contract
    for contract in load_contracts()
    if contract.name != "grain_is_unique"
}
GRAINS = [contract for contract in load_contracts() if contract.name == "grain_is_unique"]

Row = dict[str, Any]


def insert(warehouse: Warehouse, table: str, row: Row) -> None:
    places = ", ".join(f"${name}" for name in row)
    warehouse.execute(f"insert into {table} ({', '.join(row)}) values ({places})", **row)


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    """Every table that ingest and the models write, empty."""
    made = open_in_memory_warehouse(["set threads = 1"])
    create_ledger(made)
    for table, columns in derive_schemas().items():
        made.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
    yield made
    made.connection.close()


@pytest.fixture
def warehouse(empty: Warehouse) -> Iterator[Warehouse]:
    """The same; what a test writes is taken back."""
    empty.execute("begin transaction")
    yield empty
    empty.execute("rollback")


def cases(warehouse: Warehouse, contract: Contract, from_date: date = DAY, to_date: date = DAY) -> list[Row]:
    return warehouse.records(contract.query, from_date=from_date, to_date=to_date)


@dataclass(frozen=True)
class Rule:
    """A sound warehouse, statements that make the contract report DAY, and others that stay just inside its limits.

    `odd_one` is a statement that breaks the rule once, which of some rules is no fault; what breaks them comes on top.
    """

    contract: str
    sound: tuple[tuple[str, Row], ...]
    broken_by: tuple[str, ...] = field(default=())
    kept_by: tuple[str, ...] = field(default=())
    odd_one: str = ""


def rows(table: str, *given: Row) -> tuple[tuple[str, Row], ...]:
    return tuple((table, row) for row in given)


def step(stage: str, step_number: int, name: str, observed: int, reached: int, entry_type: str = "home") -> Row:
    return {
        "business_date": DAY,
        "stage": stage,
        "step_number": step_number,
        "step": name,
        "entry_type": entry_type,
        "observed": observed,
        "reached": reached,
    }


def delivery(**columns: Any) -> Row:
    return {"delivery_id": 1, "family": "order", "dt": DAY, "file": "a.csv", "status": "loaded"} | columns


def taken(delivery_id: int, family: str, count: int) -> Row:
    return {"delivery_id": delivery_id, "family": family, "dt": DAY, "business_date": DAY, "rows": count}


def refused(delivery_id: int, row_number: int, **columns: Any) -> Row:
    known = {"delivery_id": delivery_id, "family": "order", "dt": DAY, "row_number": row_number}
    return known | {"reason": "bad_time", "counted_date": DAY} | columns


def event(number: int, event_type: str, order: int, amount: str | None, day: date = DAY) -> Row:
    return {"event_id": number, "business_date": day, "event_type": event_type, "order_id": order, "amount": amount}


def more_orders_of_the_till(count: int) -> str:
    """A statement: so many orders of DAY which nobody creates."""
    values = ", ".join(f"({n}, '2026-06-10', 'paid', {n}, 'till')" for n in range(2000, 2000 + count))
    return f"insert into staging.order_events (event_id, business_date, event_type, order_id, shop) values {values}"


def payment(order: int, money_class: str, amount: str | None, day: date = DAY) -> Row:
    return {"order_id": order, "business_date": day, "money_class": money_class, "amount": amount}


def at(hour: int, row: Row) -> Row:
    return row | {"event_time": f"2026-06-10 {hour:02}:00:00"}


def refund(order: int, lines: int, amount: str, refunded: str, paid: str | None) -> Row:
    return {
        "order_id": order,
        "business_date": DAY,
        "refund_count": lines,
        "amount": amount,
        "refunded_to_date": refunded,
        "paid_to_date": paid,
        "is_excluded": False,
    }


def odd_refund(day: date) -> str:
    """A statement: an order that is given back twice what was paid for it."""
    return (
        "insert into intermediate.refunds (order_id, business_date, refund_count, amount, refunded_to_date, "
        f"paid_to_date, is_excluded) values (90, '{day}', 1, 20, 20, 10, false)"
    )


def figures(level: str, name: str, day: date = DAY, **values: float) -> tuple[tuple[str, Row], ...]:
    """The figures of an object, as the marts hold them."""
    key = {"platform": "taobao", "shop": "s", "level": level, "object": name, "parent": "", "device": ""}
    return rows(
        "marts.figures",
        *(key | {"business_date": day, "metric": metric, "figure_value": value} for metric, value in values.items()),
    )


def set_figure(name: str, metric: str, value: float) -> str:
    return f"update marts.figures set figure_value = {value} where object = '{name}' and metric = '{metric}'"


def figure_row(number: int, **columns: Any) -> Row:
    return {"event_id": number, "business_date": DAY, "event_type": "shop", "shop": "s", "platform": "taobao"} | columns


def loaded(delivery_id: int, hour: int, **columns: Any) -> Row:
    return delivery(delivery_id=delivery_id, family="figure", loaded_at=f"2026-06-11 {hour:02}:00:00") | columns


def ratio(back: int, metric: str, ours: float, stated: float, platform: str = "taobao") -> tuple[str, Row]:
    """Ours and the platform's, so many days before DAY."""
    day = DAY - timedelta(days=back)
    values = {"business_date": day, "platform": platform, "metric": metric, "ours": ours, "stated": stated}
    return ("marts.trust_ratios", values)


CORRECTED = (
    "update quality.deliveries set loaded_at = '2026-06-11 07:00:00', modified_at = '2026-06-11 06:30:00' "
    "where delivery_id = 1"
)


def set_ratio(metric: str, ours: float) -> str:
    where = f"metric = '{metric}' and platform = 'taobao' and business_date = '{DAY}'"
    return f"update marts.trust_ratios set ours = {ours} where {where}"


ninety_six_others = (
    f"select 100 + number as order_id, date '{DAY}' as business_date, 1 as refund_count, 1 as amount, "
    "1 as refunded_to_date, 1 as paid_to_date, false as is_excluded from generate_series(1, 96) as others (number)"
)
eighty_seven_more_orders = (
    f"insert into intermediate.payments by name select 100 + number as order_id, date '{DAY}' as business_date, "
    "'same_day' as money_class from generate_series(1, 87) as others (number); "
    "insert into staging.order_events by name select 100 + number as order_id, 100 + number as event_id, 'paid' as "
    f"event_type, date '{DAY}' as business_date, 100 as amount, "
    "timestamp '2026-06-10 06:00:00' as event_time from generate_series(1, 87) as others (number)"
)


order_paid_twice = (
    f"insert into intermediate.payments (order_id, business_date, money_class) values (90, '{DAY}', 'same_day'); "
    "insert into staging.order_events (order_id, event_id, event_type, business_date, amount, event_time) "
    f"values (90, 901, 'created', '{DAY}', 9, '{DAY} 05:00:00'), (90, 902, 'paid', '{DAY}', 9, '{DAY} 06:00:00'), "
    f"(90, 903, 'paid', '{DAY}', 9, '{DAY} 07:00:00')"
)
ninety_three_more_orders = (
    "insert into raw.order_events by name select 1 as delivery_id, 900 + number as row_number, 900 + number as "
    f"order_id, 'paid' as event_type, date '{DAY}' as business_date from generate_series(1, 93) as a (number)"
)
order_created_twice = (
    "insert into raw.order_events (delivery_id, row_number, order_id, event_type, business_date, event_time, amount) "
    f"values (1, 90, 90, 'created', '{DAY}', '{DAY} 05:00:00', 3), (2, 90, 90, 'created', '{DAY}', '{DAY} 05:00:00', 3)"
)


def came(delivery_id: int, row_number: int, order: int | None, event_type: str, hour: int, **columns: Any) -> Row:
    place = {"delivery_id": delivery_id, "row_number": row_number, "business_date": DAY}
    return place | at(hour, {"order_id": order, "event_type": event_type}) | columns


def completeness(family: str) -> Rule:
    """Four rows came for today: one counts, 2 is its duplicate, 4 is of somebody excluded, 5 of one and a duplicate.

    An order of somebody excluded stays. Two more of today were let go after staging; yesterday has one of each kind.
    """
    raw, staged = (f"{schema}.{FAMILIES[family].table}" for schema in ("raw", "staging"))
    duplicate = {"family": family, "business_date": DAY, "delivery_id": 1, "row_number": 2}
    excluded = duplicate | {"row_number": 4, "reason": "staff"}
    return Rule(
        f"{staged} {COMPLETENESS}",
        (
            *rows(raw, *({"business_date": DAY, "delivery_id": 1, "row_number": number} for number in (1, 2, 4, 5))),
            *rows(raw, *({"business_date": YESTERDAY, "delivery_id": 2, "row_number": number} for number in (2, 3, 4))),
            *rows(
                "quality.duplicate_events",
                *(duplicate, duplicate | {"family": "other"}, duplicate | {"row_number": 5}),
                duplicate | {"business_date": YESTERDAY, "delivery_id": 2},
            ),
            *rows(
                "quality.excluded_events",
                *(excluded, excluded | {"family": "other"}, excluded | {"row_number": 5}),
                excluded | {"business_date": YESTERDAY, "delivery_id": 2},
            ),
            *rows(
                "quality.pruned_days",
                *({"family": name, "business_date": DAY, "rows": count} for name, count in ((family, 2), ("other", 9))),
                {"family": family, "business_date": YESTERDAY, "rows": 1},
            ),
            *rows(staged, *({"business_date": DAY, "event_id": number} for number in (1, 21, 22))),
            *rows(staged, *({"business_date": YESTERDAY, "event_id": number} for number in (3, 23))),
            *(
                rows(staged, *({"business_date": day, "event_id": 4} for day in (YESTERDAY, DAY)))
                if family == "order"
                else ()
            ),
        ),
        (
            f"delete from {staged} where event_id = 1",
            f"insert into {staged} (business_date, event_id) values ('2026-06-10', 2)",
            "update quality.duplicate_events set business_date = '2026-06-09'",
            f"delete from {raw} where row_number < 3",
            f"update quality.pruned_days set rows = 3 where family = '{family}' and business_date = '2026-06-10'",
            f"delete from {staged} where event_id = 4"
            if family == "order"
            else f"delete from quality.excluded_events where family = '{family}' and row_number = 4",
        ),
        (f"delete from quality.excluded_events where family = '{family}' and row_number = 5",),
    )


BEFORE = f"date '{DAY}' - 1"


def line_of(back: int, number: int) -> Row:
    """A line of product `number`, which costs 10 times that, of an order of its own."""
    return {
        **{"business_date": DAY - timedelta(days=back), "event_id": 100 * back + number, "order_id": number},
        **{"event_type": "created", "product_id": f"p{number}", "amount": 10 * number, "customer_id": number},
    }


RULES = (
    *(completeness(family) for family in FAMILIES),
    Rule(
        "reconciliation",
        (
            *rows("quality.deliveries", delivery(rows_read=3)),
            *rows("quality.delivery_dates", {"delivery_id": 1, "family": "order", "dt": DAY, "business_date": DAY}),
            *rows("raw.order_events", *({"delivery_id": 1, "business_date": DAY, "row_number": n} for n in (1, 2))),
            *rows("quality.quarantine", {"delivery_id": 1, "family": "order", "row_number": 3}),
        ),
        (
            "delete from raw.order_events where row_number = 1",
            "delete from quality.quarantine",
            "update quality.deliveries set rows_read = 4",
            # A delivery whose rows are all lost has no business date: it shows on its own day.
            "delete from raw.order_events; delete from quality.delivery_dates",
            "update quality.deliveries set rows_read = 4, dt = '2026-06-11'",
        ),
    ),
    Rule(
        "whole_files_are_readable",
        (
            *rows("quality.deliveries", delivery(rows_read=9), delivery(status="quarantined", rows_read=9)),
            *rows(
                "quality.deliveries",
                delivery(delivery_id=2, status="quarantined", rows_read=0, message="given up"),
                delivery(delivery_id=3, rows_read=0),
            ),
            *rows(
                "quality.quarantine",
                {"delivery_id": 2, "family": "order", "row_number": 0, "dropped_at": "2026-06-11 09:00:00"},
            ),
        ),
        (
            "update quality.deliveries set rows_read = 0, message = 'damaged' where delivery_id = 1",
            "update quality.quarantine set dropped_at = null",
            "update quality.quarantine set row_number = 1",
        ),
    ),
    Rule(
        "own_funnels_are_answered",
        (),
        (f"insert into quality.own_funnel_faults values ('{DAY}', 'own.yaml', 'line 1: misspelt')",),
    ),
    # Of 200 rows of orders two wait, one of them a conflict among the 199 of raw, and one is dropped.
    Rule(
        "little_is_in_quarantine",
        (
            *rows("quality.deliveries", delivery(rows_read=150), delivery(delivery_id=2, rows_read=50)),
            *rows("quality.delivery_dates", taken(1, "order", 150), taken(2, "order", 48), taken(3, "page", 99)),
            *rows(
                "quality.quarantine",
                refused(2, 1),
                refused(2, 2, reason="conflicting_duplicate"),
                refused(2, 3, dropped_at="2026-06-11 09:00:00"),
                refused(2, 0, reason="unreadable"),
                refused(2, 4, counted_date=YESTERDAY, dt=YESTERDAY, reason="day_is_pruned"),
                refused(3, 1, family="page", dt=YESTERDAY),
            ),
        ),
        (
            "update quality.quarantine set dropped_at = null where row_number = 3",
            "update quality.quarantine set reason = 'bad_time', row_number = 5 where row_number = 0",
            "update quality.quarantine set reason = 'bad_time', counted_date = '2026-06-10' where row_number = 4",
            "update quality.delivery_dates set rows = 147 where delivery_id = 1",
            "delete from quality.delivery_dates where family = 'page'",
            # A day also answers for what is delivered on it, of whatever day it is.
            "insert into quality.deliveries (delivery_id, family, dt, rows_read) "
            "values (4, 'service', '2026-06-10', 99); "
            "insert into quality.quarantine (delivery_id, family, dt, row_number, reason, counted_date) "
            "values (4, 'service', '2026-06-10', 1, 'conflicting_duplicate', '2026-05-01')",
        ),
        (
            "update quality.quarantine set dropped_at = '2026-06-11 09:00:00' where family = 'page'",
            "insert into quality.deliveries (delivery_id, family, dt, rows_read) "
            "values (4, 'service', '2026-06-10', 100); "
            "insert into quality.quarantine (delivery_id, family, dt, row_number, reason, counted_date) "
            "values (4, 'service', '2026-06-10', 1, 'conflicting_duplicate', '2026-05-01')",
        ),
    ),
    # Whenever the file is delivered: here on the next day.
    Rule(
        "most_rows_are_taken",
        (
            *rows("quality.deliveries", delivery(dt=TOMORROW, rows_read=2)),
            *rows("quality.delivery_dates", taken(1, "order", 2), taken(2, "page", 0)),
            *rows(
                "quality.quarantine",
                refused(1, 1, reason="conflicting_duplicate", dt=TOMORROW),
                refused(2, 1, family="page", dropped_at="2026-06-11 09:00:00"),
            ),
        ),
        (
            "update quality.quarantine set dropped_at = null",
            "insert into quality.quarantine (delivery_id, family, dt, row_number, reason, counted_date) "
            "values (1, 'order', '2026-06-11', 2, 'bad_type', '2026-06-10')",
            "update quality.delivery_dates set rows = 1 where family = 'order'",
        ),
        ("update quality.quarantine set reason = 'bad_type' where family = 'order'",),
    ),
    Rule(
        "money_adds_up",
        (
            # A payment in two lines, a test order, and a presale whose two balances share one deposit.
            *rows(
                "staging.order_events",
                event(1, "created", 1, "99.00"),
                event(2, "paid", 1, "10.00") | {"shipping_amount": "3.00"},
                event(3, "paid", 1, "5.05"),
                event(4, "paid", 2, "70.00"),
                event(5, "deposit_paid", 3, "2.00", DAY - timedelta(days=5)),
                event(6, "balance_paid", 3, "20.00", YESTERDAY),
                event(7, "balance_paid", 3, "8.00"),
                event(8, "deposit_paid", 4, "1.00", DAY - timedelta(days=5)),
                event(9, "balance_paid", 4, "9.00"),
                event(10, "deposit_paid", 5, "4.00"),
                # A deposit of 60 days ago is the balance's, one of 61 is not; nor is one that an earlier balance took.
                event(11, "deposit_paid", 6, "1.00", SIXTY_DAYS_BEFORE) | {"shipping_amount": "0.50"},
                event(12, "balance_paid", 6, "10.00"),
                event(13, "deposit_paid", 7, "1.00", SIXTY_ONE_DAYS_BEFORE),
                event(14, "balance_paid", 7, "10.00"),
                event(15, "deposit_paid", 8, "5.00", SIXTY_DAYS_BEFORE),
                event(16, "balance_paid", 8, "5.00", SIXTY_DAYS_BEFORE),
                event(17, "balance_paid", 8, "7.00"),
                event(18, "deposit_paid", 9, "1.00"),
                event(19, "balance_paid", 9, "5.00"),
                event(20, "deposit_paid", 10, "3.00", YESTERDAY),
                event(21, "balance_paid", 10, "4.00", TOMORROW),
                {"event_id": 22, "business_date": DAY, "event_type": "paid", "order_id": 1, "shipping_amount": "2.00"},
                event(23, "deposit_paid", 11, "1.00", YESTERDAY) | {"amount": None, "shipping_amount": "0.25"},
                event(24, "balance_paid", 11, "4.00"),
                # A `paid` that counts as a balance takes the deposit, one that does not leaves it out.
                *(event(25, "deposit_paid", 12, "1.00", YESTERDAY), event(26, "paid", 12, "9.00")),
                *(event(27, "deposit_paid", 13, "1.00", YESTERDAY), event(28, "paid", 13, "10.00")),
            ),
            *rows(
                "intermediate.payments",
                payment(1, "same_day", "20.05"),
                payment(2, "excluded", "70.00"),
                payment(3, "presale_balance", "22.00", YESTERDAY),
                payment(3, "presale_balance", "8.00"),
                payment(4, "presale_balance", "10.00"),
                payment(6, "presale_balance", "11.50"),
                payment(7, "presale_balance", "10.00"),
                payment(8, "presale_balance", "7.00"),
                payment(9, "presale_balance", "6.00"),
                payment(10, "presale_balance", "7.00", TOMORROW),
                payment(11, "presale_balance", "4.25"),
                payment(12, "presale_balance", "10.00"),
                payment(13, "same_day", "10.00"),
            ),
            *rows(
                "marts.daily_money",
                {"business_date": DAY, "money_class": "same_day", "amount": "30.05"},
                {"business_date": DAY, "money_class": "presale_balance", "amount": "66.75"},
                {"business_date": TOMORROW, "money_class": "presale_balance", "amount": "7.00"},
                {"business_date": DAY, "money_class": "excluded", "amount": "70.00"},
                {"business_date": YESTERDAY, "money_class": "presale_balance", "amount": "22.00"},
            ),
        ),
        (
            "update marts.daily_money set amount = amount + 0.01 where money_class = 'same_day'",
            "update marts.daily_money set money_class = 'no_session' where money_class = 'excluded'",
            "delete from marts.daily_money where business_date = '2026-06-10'",
            "update staging.order_events set amount = amount + 1 where event_id = 8",
            "delete from staging.order_events where business_date = '2026-06-10'",
        ),
    ),
    Rule(
        "cubes_agree_with_the_summary",
        (
            *rows(
                "marts.daily_summary",
                {
                    "business_date": DAY,
                    "human_sessions": 4,
                    "qualified_sessions": 2,
                    "paying_sessions": 1,
                    "same_day_orders": 2,
                    "same_day_amount": "10.50",
                },
            ),
            *rows(
                "marts.landing_cube",
                {"business_date": DAY, "channel": "a", "sessions": 3, "reached_qualified_product_view": 2},
                {"business_date": DAY, "channel": "b", "sessions": 1, "reached_qualified_product_view": 0},
            ),
            *rows("marts.arrival_cube", {"business_date": DAY, "sessions": 4}),
            *rows(
                "marts.decision_cube",
                {"business_date": DAY, "sessions": 2, "reached_paid": 1, "paid_orders": 2, "paid_amount": "10.50"},
            ),
            *rows(
                "marts.funnel_steps",
                step("landing", 1, "arrival", 4, 4),
                step("decision", 1, "qualified_product_view", 2, 2),
                step("decision", 5, "paid", 1, 1),
                # Steps of the same name in other stages.
                step("traffic", 3, "arrival", 7, 7),
                step("landing", 2, "three_seconds", 7, 7),
                step("landing", 4, "qualified_product_view", 7, 7),
                step("repurchase", 5, "paid", 7, 7),
            ),
        ),
        (
            "update marts.landing_cube set sessions = 2 where channel = 'b'",
            "update marts.arrival_cube set sessions = 3",
            "update marts.decision_cube set sessions = 3",
            "update marts.decision_cube set reached_paid = 2",
            "update marts.decision_cube set paid_orders = 1",
            "update marts.decision_cube set paid_amount = 10.51",
            "update marts.funnel_steps set reached = 5 where step = 'arrival' and stage = 'landing'",
            "update marts.funnel_steps set reached = 2 where step = 'paid' and stage = 'decision'",
            "delete from marts.decision_cube",
            "delete from marts.landing_cube",
            "delete from marts.arrival_cube",
            "delete from marts.funnel_steps",
        ),
        (
            # A day without a session, or of a shop without pages.
            "delete from marts.landing_cube; delete from marts.arrival_cube; delete from marts.decision_cube; "
            "delete from marts.funnel_steps; update marts.daily_summary set human_sessions = null, "
            "qualified_sessions = null, paying_sessions = null, same_day_orders = null, same_day_amount = null",
        ),
    ),
    Rule(
        "steps_never_rise",
        rows(
            "marts.funnel_steps",
            # Entry types stand beside each other, and clicks may well be fewer than arrivals.
            step("landing", 1, "arrival", 9, 9),
            step("landing", 2, "three_seconds", 9, 9),
            step("landing", 1, "arrival", 2, 2, "live"),
            step("landing", 2, "three_seconds", 1, 1, "live"),
            step("traffic", 2, "click", 1, 1),
            step("traffic", 3, "arrival", 11, 11),
            step("decision", 4, "order", 5, 5),
            step("decision", 5, "paid", 5, 5),
            step("repurchase", 4, "member", 5, 5),
            step("repurchase", 5, "purchased", 5, 5),
        ),
        (
            "update marts.funnel_steps set reached = 6 where step = 'paid'",
            "update marts.funnel_steps set reached = 6 where step = 'purchased'",
            "update marts.funnel_steps set reached = 10 where step = 'three_seconds' and entry_type = 'home'",
            "update marts.funnel_steps set reached = 3 where step = 'three_seconds' and entry_type = 'live'",
        ),
    ),
    Rule(
        "steps_are_observed",
        rows(
            "marts.funnel_steps",
            # Deep reads are a branch, and of few sessions nothing can be said.
            step("decision", 2, "favorite_or_cart", 50, 60),
            step("decision", 2, "favorite_or_cart", 10, 60, "live"),
            step("decision", 3, "checkout", 0, 99),
            step("landing", 5, "deep_read", 0, 500),
            step("landing", 2, "three_seconds", 50, 100),
            step("repurchase", 2, "delivered", 0, 500),
        ),
        (
            "update marts.funnel_steps set observed = 49 where step = 'three_seconds'",
            "update marts.funnel_steps set observed = 9 where entry_type = 'live'",
            "update marts.funnel_steps set reached = 100 where step = 'checkout'",
        ),
    ),
    Rule(
        "payments_follow_orders",
        (
            # 2 was paid before anything of it was created. 3's payment is of an earlier life of its number.
            *rows(
                "intermediate.orders",
                {"order_id": 1, "business_date": DAY, "created_at": "2026-06-10 05:00:00"},
                {"order_id": 3, "business_date": DAY, "created_at": "2026-06-10 05:00:00"},
                {"order_id": 3, "business_date": "2026-04-01", "created_at": "2026-04-01 05:00:00"},
            ),
            *rows(
                "intermediate.payments",
                {"order_id": 1, "business_date": DAY, "created_date": DAY, "paid_at": "2026-06-10 05:00:00"},
                {"order_id": 2, "business_date": DAY, "created_date": DAY, "paid_at": "2026-06-10 04:00:00"},
                {"order_id": 2, "business_date": YESTERDAY, "created_date": None, "paid_at": "2026-06-09 04:00:00"},
                {"order_id": 3, "business_date": DAY, "created_date": "2026-04-01", "paid_at": "2026-06-10 04:00:00"},
            ),
        ),
        (
            "update intermediate.payments set paid_at = '2026-06-10 04:59:59' where order_id = 1",
            *(
                f"update intermediate.payments set business_date = '{day}', created_date = '{day}' where order_id = 1"
                for day in (YESTERDAY, SIXTY_DAYS_BEFORE)
            ),
        ),
        (
            f"update intermediate.payments set business_date = '{SIXTY_ONE_DAYS_BEFORE}', "
            f"created_date = '{SIXTY_ONE_DAYS_BEFORE}' where order_id = 1",
        ),
    ),
    Rule(
        "payments_have_orders",
        rows(
            "staging.order_events",
            # A till reports payments only; of the web shop's 40 orders, two are created by their payment.
            *(event(n, "created", n, "5.00", YESTERDAY) | {"shop": "web"} for n in range(1, 39)),
            *(event(n + 200, "paid", n, "5.00") | {"shop": "web"} for n in range(1, 41)),
            *(event(n, "paid", n, "5.00") | {"shop": "till"} for n in range(900, 905)),
            *(event(n, "paid", n, "5.00") | {"shop": "web", "sales_channel": "telephone"} for n in range(910, 915)),
        ),
        (
            "update staging.order_events set order_id = null where event_id = 201",
            "delete from staging.order_events where event_id = 1",
            "update staging.order_events set business_date = '2026-06-11' where event_id = 1",
            "update staging.order_events set business_date = '2026-04-01' where event_id = 1",
            "update staging.order_events set shop = 'web', sales_channel = null where event_id > 899",
            f"update staging.order_events set business_date = '{SIXTY_ONE_DAYS_BEFORE}' where event_id = 1",
            "update staging.order_events set order_id = null, event_type = 'deposit_paid' where event_id = 201",
            "update staging.order_events set order_id = null, event_type = 'balance_paid' where event_id = 201",
            # Eight of 59, which is more than one in twenty and three standard deviations of it; of 60 it is not.
            f"delete from staging.order_events where event_id = 1; {more_orders_of_the_till(9)}",
            # One creation in 60 days, or of the day itself, is enough to expect them of all.
            "delete from staging.order_events where event_id between 2 and 38; "
            f"update staging.order_events set business_date = '{SIXTY_DAYS_BEFORE}' where event_id = 1",
            "delete from staging.order_events where event_id between 2 and 38; "
            "update staging.order_events set business_date = '2026-06-10' where event_id = 1",
        ),
        (
            f"update staging.order_events set business_date = '{SIXTY_DAYS_BEFORE}' where event_id = 1",
            "update staging.order_events set business_date = '2026-06-10' where event_id = 1",
            "delete from staging.order_events where event_id = 1 or event_id between 34 and 38; "
            f"{more_orders_of_the_till(10)}",
            "delete from staging.order_events where order_id between 3 and 38 or order_id > 899",
            *(
                f"insert into staging.order_events (event_id, business_date, event_type, shop) "
                f"values (1, '2026-06-10', '{event_type}', 'web')"
                for event_type in ("created", "shipped")
            ),
            *(
                "delete from staging.order_events where event_id between 2 and 38; "
                f"update staging.order_events set business_date = '{day}' where event_id = 1"
                for day in (SIXTY_ONE_DAYS_BEFORE, TOMORROW)
            ),
        ),
        # Five orders more, which make seven of fifty.
        odd_one="delete from staging.order_events where event_id between 34 and 38",
    ),
    Rule(
        "refunds_have_orders",
        rows(
            "intermediate.refunds",
            {"order_id": 1, "business_date": DAY, "refund_count": 27, "paid_date": YESTERDAY},
            {"order_id": 2, "business_date": DAY, "refund_count": 8, "is_deposit": False},
            {"order_id": 3, "business_date": DAY, "refund_count": 1, "is_deposit": True},
        ),
        (
            "update intermediate.refunds set order_id = null, refund_count = 1 where order_id = 2",
            "update intermediate.refunds set refund_count = 10 where order_id = 2",
            "delete from intermediate.refunds where order_id = 1; "
            "update intermediate.refunds set refund_count = 3 where order_id = 2",
        ),
        (
            # A tenth of 36 and three standard deviations are 9; two are too few to say anything.
            "update intermediate.refunds set refund_count = 9 where order_id = 2",
            "delete from intermediate.refunds where order_id = 1; "
            "update intermediate.refunds set refund_count = 2 where order_id = 2",
            "update intermediate.refunds set business_date = '2026-06-08'",
        ),
    ),
    Rule(
        "refunds_are_within_payments",
        rows(
            "intermediate.refunds",
            refund(1, 1, "10.00", "10.00", "10.00"),
            # More than was paid, in one refund: the return's postage. In two: but for rounding. A staff order; unpaid.
            refund(2, 1, "15.00", "15.00", "10.00"),
            refund(3, 2, "10.10", "10.10", "10.00"),
            refund(4, 1, "90.00", "90.00", "10.00") | {"is_excluded": True},
            refund(5, 1, "90.00", "90.00", None),
        ),
        (
            "update intermediate.refunds set refunded_to_date = 15.01, amount = 15.01 where order_id = 2",
            "update intermediate.refunds set refunded_to_date = 10.11 where order_id = 3",
            # The second part of it comes on another day.
            "update intermediate.refunds set amount = 5, refund_count = 1, refunded_to_date = 10.11 where order_id = 3",
            "update intermediate.refunds set is_excluded = false where order_id = 4",
            # Four of a hundred.
            f"insert into intermediate.refunds by name {ninety_six_others}; "
            "update intermediate.refunds set refunded_to_date = 20 where order_id in (1, 2, 3)",
        ),
        (
            # Three of a hundred are chance.
            f"{odd_refund(DAY)}; insert into intermediate.refunds by name {ninety_six_others}; "
            "update intermediate.refunds set refunded_to_date = 20 where order_id in (1, 2)",
        ),
        odd_one=odd_refund(DAY),
    ),
    Rule(
        "payments_have_amounts",
        rows(
            "intermediate.payments",
            *(payment(n, "same_day", "1.00") for n in range(1, 100)),
            payment(100, "no_session", None),
            payment(101, "excluded", None),
        ),
        (
            # Four of a hundred; two of ten; the only one.
            "update intermediate.payments set amount = null where order_id < 4",
            "update intermediate.payments set amount = null, money_class = 'same_day' where order_id < 3; "
            "delete from intermediate.payments where order_id between 11 and 100",
            "delete from intermediate.payments where amount is not null",
            "update intermediate.payments set amount = null where order_id < 3; "
            "update intermediate.payments set money_class = 'same_day'; "
            "delete from intermediate.payments where order_id = 99",
        ),
        (
            "update intermediate.payments set amount = null where order_id < 3",
            "delete from intermediate.payments where order_id between 2 and 99",
        ),
    ),
    Rule(
        "orders_are_paid_once",
        (
            *rows("intermediate.payments", *(payment(n, "same_day", "1.00") for n in (*range(2, 12), 14))),
            *rows("intermediate.payments", payment(1, "presale_balance", "100.00")),
            *rows("intermediate.payments", payment(12, "excluded", "1.00"), payment(13, "same_day", "1.00", YESTERDAY)),
            *rows(
                "staging.order_events",
                # 1: a deposit and a balance. 2: in parts, rounded up. 3: its payment carries the postage. 4: and taxes.
                *(event(1, "created", 1, "100.00", YESTERDAY), at(5, event(2, "deposit_paid", 1, "10.00", YESTERDAY))),
                at(7, event(3, "balance_paid", 1, "90.00")),
                *(at(5, event(11, "created", 2, "50.00")), at(6, event(12, "paid", 2, "25.25"))),
                at(7, event(13, "paid", 2, "25.25")),
                event(21, "created", 3, "20.00"),
                at(6, event(22, "paid", 3, "20.00")) | {"shipping_amount": "15.00"},
                *(event(31, "created", 4, "20.00"), at(6, event(32, "paid", 4, "30.00"))),
                # 5: given back and paid again. 6: nobody says for how much it was created; two units, another product.
                *(event(41, "created", 5, "20.00"), at(6, event(42, "paid", 5, "20.00"))),
                *(at(7, event(43, "refunded", 5, "20.00")), at(8, event(44, "paid", 5, "20.00"))),
                *(event(51, "created", 6, None), at(6, event(52, "paid", 6, "9.00") | {"product_id": "a"})),
                at(6, event(53, "paid", 6, "9.00") | {"product_id": "a"}),
                at(7, event(54, "paid", 6, "9.00") | {"product_id": "b"}),
                # 7: created for nothing that is known yet. 8: instalments of other amounts. 9: two units scanned.
                *(event(61, "created", 7, "0.00"), at(6, event(62, "paid", 7, "9.00"))),
                *(at(6, event(71, "paid", 8, "9.00")), at(7, event(72, "paid", 8, "8.00"))),
                *(at(6, event(81, "paid", 9, "9.00")), at(6, event(82, "paid", 9, "9.00"))),
                # 10: a payment without an amount. 11: a deduction of a till. 12: a test. 13: yesterday's.
                # 14: its payment includes the deposit.
                *(event(101, "created", 14, "100.00"), at(5, event(102, "deposit_paid", 14, "10.00"))),
                at(6, event(103, "paid", 14, "100.00")),
                *(event(91, "created", 10, "20.00"), at(6, event(92, "paid", 10, None))),
                at(6, event(93, "paid", 11, "-5.00")),
                *(event(94, "created", 12, "1.00"), at(6, event(95, "paid", 12, "9.00"))),
            ),
        ),
        (
            # Twice, at another time or at the same one; the balance alone; a deposit; too much at once.
            "insert into staging.order_events by name select * replace (21 as event_id) from staging.order_events "
            "where order_id = 2 and event_type = 'paid'",
            "insert into staging.order_events by name select * replace (99 as event_id) from staging.order_events "
            "where event_id = 32",
            "update staging.order_events set amount = 100 where event_id = 3",
            "update staging.order_events set amount = 11.01 where event_id = 2",
            "update intermediate.payments set money_class = 'presale_balance' where order_id = 14",
            f"update staging.order_events set business_date = '{SIXTY_DAYS_BEFORE}', amount = 50 where event_id = 2",
            "update staging.order_events set amount = 30.01 where event_id = 32",
            "delete from staging.order_events where event_type = 'refunded'",
            f"update staging.order_events set business_date = '{TOMORROW}' where event_type = 'refunded'",
            "update staging.order_events set amount = amount - 1 where event_id = 43",
            # Where no creation says how much.
            "update staging.order_events set event_time = '2026-06-10 07:00:00' where event_id = 53",
            "update staging.order_events set product_id = 'a', amount = 18 where event_id = 54",
            "update staging.order_events set product_id = null, sku = 'c' where event_id in (53, 54)",
            "update staging.order_events set line = '1' where order_id = 6",
            "update staging.order_events set line = '1' where order_id = 9",
            "update staging.order_events set amount = 8 where event_id = 71",
            "update intermediate.payments set money_class = 'same_day' where order_id = 12",
            # Four of a hundred; two that come to more than a twentieth of the money.
            f"{eighty_seven_more_orders}; update staging.order_events set amount = 25.26 where event_id = 13; "
            "update staging.order_events set amount = 30.01 where event_id = 32; "
            "update staging.order_events set amount = 11.01 where event_id = 2",
            f"{eighty_seven_more_orders}; update staging.order_events set amount = 900 where event_id = 32",
        ),
        (
            f"update staging.order_events set business_date = '{SIXTY_ONE_DAYS_BEFORE}', amount = 9 where event_id = 2",
            "update staging.order_events set line = event_id::VARCHAR where order_id = 6",
            "update staging.order_events set product_id = 'a' where event_id = 54",
            "update staging.order_events set amount = 8 where event_id = 53; "
            "update staging.order_events set product_id = 'a' where event_id = 54",
            f"update staging.order_events set business_date = '{TOMORROW}', amount = 50 where event_id = 2",
            # One payment of two products carries postage and taxes like one of a single product.
            "update staging.order_events set amount = 30 where event_id = 22; "
            "insert into staging.order_events by name select * replace (100 + event_id as event_id, 'b' as product_id, "
            "0 as amount, null as shipping_amount) from staging.order_events where event_id in (22, 32)",
            # Three of a hundred are indeed paid twice; of one day's money they are little.
            f"{eighty_seven_more_orders}; {order_paid_twice}; update staging.order_events set amount = 25.26 "
            "where event_id = 13; update staging.order_events set amount = 30.01 where event_id = 32",
        ),
        odd_one=order_paid_twice,
    ),
    Rule(
        "balances_are_known",
        (
            # 1: a balance. 2: includes its deposit, but for rounding. 3: without a deposit. 4: a test. 5: of yesterday.
            *rows(
                "intermediate.payments",
                payment(1, "presale_balance", "100.00"),
                *(payment(n, "same_day", "100.00") for n in (2, 3)),
                payment(4, "excluded", "100.00"),
                payment(5, "same_day", "100.00", YESTERDAY),
            ),
            *rows(
                "staging.order_events",
                *(event(11, "deposit_paid", 1, "10.00", YESTERDAY), event(12, "balance_paid", 1, "90.00")),
                *(event(20, "created", 2, "95.00", YESTERDAY) | {"shipping_amount": "5.00"},),
                *(event(21, "deposit_paid", 2, "10.00", YESTERDAY), event(22, "paid", 2, "99.00")),
                event(31, "paid", 3, "100.00"),
                *(event(41, "deposit_paid", 4, "10.00"), event(42, "paid", 4, "90.00")),
                *(event(51, "created", 5, "90.00", YESTERDAY), event(52, "paid", 5, "90.00", YESTERDAY)),
                event(53, "deposit_paid", 5, "10.00"),
            ),
        ),
        (
            "update intermediate.payments set money_class = 'same_day'",
            "delete from staging.order_events where event_type = 'created'",
            "update staging.order_events set amount = 0, shipping_amount = null where event_type = 'created'",
            "update staging.order_events set amount = 98.9 where event_id = 22",
            f"update staging.order_events set business_date = '{SIXTY_DAYS_BEFORE}', amount = 999 where event_id = 20; "
            f"update staging.order_events set business_date = '{SIXTY_DAYS_BEFORE}' where event_id = 21",
        ),
        (
            "delete from staging.order_events where event_type != 'paid'",
            f"update staging.order_events set business_date = '{SIXTY_ONE_DAYS_BEFORE}' where order_id = 2 and "
            "event_type != 'paid'",
        ),
    ),
    Rule(
        "order_events_come_once",
        (
            *rows(
                "raw.order_events",
                # Two deliveries bring two lines of an order; parts of a payment; a till counts two units of a product.
                came(1, 1, 1, "created", 5, line="1"),
                came(2, 1, 1, "created", 5, line="2"),
                came(1, 2, 1, "paid", 6),
                came(2, 2, 1, "paid", 7),
                came(1, 3, 2, "created", 5, product_id="a"),
                came(1, 4, 2, "created", 5, product_id="a"),
                came(1, 14, 2, "created", 6, product_id="b"),
                came(1, 5, 3, "created", 5),
                came(1, 6, 3, "created", 5),
                came(1, 7, 3, "shipped", 8),
                came(2, 7, 3, "shipped", 8),
                came(1, 8, 4, "created", 5),
                came(2, 8, 4, "created", 5),
                came(1, 9, 5, "created", 5, excluded_reason="test"),
                came(2, 9, 5, "created", 5, excluded_reason="test"),
                came(1, 10, None, "paid", 5),
                came(2, 10, None, "paid", 5),
                came(1, 11, 6, "refunded", 5, refund_id=1),
                came(2, 11, 6, "refunded", 5, refund_id=2),
                came(1, 12, 7, "created", 5, business_date=SIXTY_ONE_DAYS_BEFORE),
                came(1, 13, 7, "created", 5),
            ),
            *rows(
                "staging.refused_events", {"family": "order", "business_date": DAY, "delivery_id": 2, "row_number": 8}
            ),
        ),
        (
            "delete from staging.refused_events",
            "update staging.refused_events set family = 'page'",
            *(
                f"update raw.order_events set event_type = '{event_type}' where event_type = 'shipped'"
                for event_type in ("created", "paid", "deposit_paid", "balance_paid", "refunded")
            ),
            "update raw.order_events set line = '1' where line = '2'",
            "update raw.order_events set product_id = null where order_id = 2",
            "update raw.order_events set product_id = 'a' where order_id = 2",
            "update raw.order_events set product_id = null, sku = 'c' where order_id = 2",
            "update raw.order_events set refund_id = 1 where refund_id = 2",
            "update raw.order_events set line = '1' where order_id = 3 and event_type = 'created'",
            f"update raw.order_events set business_date = '{SIXTY_DAYS_BEFORE}', event_time = event_time "
            f"- interval 60 day where business_date = '{SIXTY_ONE_DAYS_BEFORE}'",
            "update raw.order_events set excluded_reason = null where order_id = 5",
            # Four of a hundred.
            f"{ninety_three_more_orders}; update raw.order_events set line = '1' where line = '2'; "
            "update raw.order_events set product_id = 'a' where order_id = 2; "
            "update raw.order_events set event_type = 'created' where event_type = 'shipped'",
        ),
        (
            "update raw.order_events set product_id = 'a' where order_id = 7",
            # Three of a hundred.
            f"{ninety_three_more_orders}; {order_created_twice}; "
            "update raw.order_events set line = '1' where line = '2'; "
            "update raw.order_events set product_id = 'a' where order_id = 2",
        ),
        odd_one=order_created_twice,
    ),
    Rule(
        "deliveries_read_as_meant",
        (
            *rows("quality.deliveries", delivery(dt=YESTERDAY), delivery(delivery_id=2, dt=YESTERDAY)),
            *rows("quality.delivery_dates", {"delivery_id": 1, "family": "order", "dt": DAY, "business_date": DAY}),
        ),
        (
            "update quality.deliveries set warning = 'day and month swapped' where delivery_id = 1",
            "update quality.deliveries set warning = 'of decimals', dt = '2026-06-10' where delivery_id = 2",
        ),
    ),
    Rule(
        "visitors_are_named",
        rows(
            "intermediate.session_days",
            *({"business_date": DAY, "session_id": n, "visitor_id": n, "is_human": True} for n in range(9)),
            {"business_date": DAY, "session_id": 9, "is_human": True},
            {"business_date": DAY, "session_id": 10, "is_human": False},
        ),
        (
            "update intermediate.session_days set visitor_id = null where session_id = 1",
            "update intermediate.session_days set visitor_id = null where session_id > 1",
        ),
        ("update intermediate.session_days set visitor_id = null",),
    ),
    Rule(
        "days_between_have_events",
        (
            *rows("quality.deliveries", delivery(dt=YESTERDAY), delivery(delivery_id=2)),
            *rows("quality.delivery_dates", taken(1, "order", 5) | {"business_date": YESTERDAY, "file": "a.csv"}),
            *rows("staging.order_events", *(line_of(back, number) for back in range(15) for number in range(1, 9))),
        ),
        (
            f"delete from staging.order_events where business_date = '{DAY}'",
            # One more empty day, or a Sunday that was open a week ago, is no habit.
            f"delete from staging.order_events where business_date in ('{DAY}', date '{DAY}' - 3)",
            f"delete from staging.order_events where business_date in ('{DAY}', date '{DAY}' - 14)",
        ),
        (
            f"delete from staging.order_events where business_date in ('{DAY}', date '{DAY}' - 7, date '{DAY}' - 14)",
            f"delete from staging.order_events where business_date in ('{DAY}', {BEFORE}, date '{DAY}' - 3)",
            f"delete from staging.order_events where business_date = '{DAY}' or business_date < date '{DAY}' - 6",
            f"delete from staging.order_events where business_date = '{DAY}'; delete from quality.deliveries "
            f"where dt = '{DAY}'",
            f"delete from staging.order_events where business_date in ('{DAY}', {BEFORE}) or event_id % 100 > 1",
            # Six a day come to none once in 400 days; ten that mostly come in two crowds a week come to none as well.
            f"delete from staging.order_events where business_date = '{DAY}' or event_id % 100 > 6",
            f"delete from staging.order_events where business_date = '{DAY}' "
            f"or (date_diff('day', business_date, date '{DAY}') % 3 > 0 and event_id % 100 > 1)",
        ),
    ),
    Rule(
        "amounts_are_usual",
        rows("staging.order_events", *(line_of(back, number) for back in range(8) for number in range(1, 7))),
        (
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}'",
            f"update staging.order_events set amount = amount / 2 where business_date = '{DAY}'",
            "update staging.order_events set product_id = null; "
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}'",
            f"update staging.order_events set amount = 100 * amount, product_id = 'new' where business_date = '{DAY}'",
            "update staging.order_events set event_type = 'paid'; "
            f"update staging.order_events set amount = 2 * amount where business_date = '{DAY}'",
        ),
        (
            f"update staging.order_events set amount = 1.75 * amount where business_date = '{DAY}'",
            f"update staging.order_events set quantity = 12, amount = 12 * amount where business_date = '{DAY}'",
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}' and order_id < 3",
            f"update staging.order_events set amount = 2 * amount where business_date = '{DAY}'; "
            "update staging.order_events set product_id = null",
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}'; "
            f"delete from staging.order_events where business_date < date '{DAY}' - 4",
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}'; "
            "delete from staging.order_events where order_id > 4",
            f"update staging.order_events set amount = 100 * amount, event_type = 'refunded' "
            f"where business_date = '{DAY}'",
            "update staging.order_events set excluded_reason = 'test', amount = 100 * amount "
            f"where business_date = '{DAY}'",
        ),
    ),
    Rule(
        "orders_have_many_customers",
        rows("staging.order_events", *(line_of(0, number) for number in range(1, 11))),
        (
            "update staging.order_events set customer_id = 1",
            "update staging.order_events set customer_id = 1 where order_id < 10",
            "update staging.order_events set customer_id = null, visitor_id = 1, event_type = 'paid'",
            "update staging.order_events set customer_id = 1; delete from staging.order_events where order_id > 8",
        ),
        (
            "update staging.order_events set customer_id = 1 where order_id < 9",
            "update staging.order_events set customer_id = 1; delete from staging.order_events where order_id > 7",
            "update staging.order_events set customer_id = 1, order_id = 1",
            "update staging.order_events set customer_id = 1, excluded_reason = 'brushing'",
            "update staging.order_events set customer_id = 1, event_type = 'shipped'",
            "update staging.order_events set customer_id = null",
        ),
    ),
    Rule(
        "visitors_have_sessions",
        (
            *rows(
                "staging.page_events",
                *({"business_date": DAY, "event_id": number, "visitor_id": number % 4} for number in range(8)),
                {"business_date": DAY, "event_id": 9},
            ),
            *rows("staging.traffic_events", {"business_date": DAY, "event_id": 1, "event_type": "visit"}),
            *rows(
                "intermediate.session_days",
                *({"business_date": DAY, "session_id": number, "visitor_id": number} for number in range(4)),
                {"business_date": DAY, "session_id": 5},
            ),
        ),
        (
            "update intermediate.session_days set visitor_id = 0; "
            "delete from intermediate.session_days where session_id > 2",
            "update intermediate.session_days set visitor_id = 0",
            "insert into staging.traffic_events (business_date, event_id, event_type, visitor_id) "
            "select '2026-06-10', number, 'visit', number from unnest(generate_series(10, 12)) as numbers (number)",
        ),
        (
            "update intermediate.session_days set visitor_id = 0 where session_id < 3",
            "delete from intermediate.session_days where session_id in (1, 2, 5)",
            "insert into staging.traffic_events (business_date, event_id, event_type, visitor_id) "
            "values ('2026-06-10', 10, 'click', 10)",
        ),
    ),
    Rule(
        "paid_orders_have_sessions",
        rows(
            "marts.daily_summary", {"business_date": DAY, "orders": 20, "orders_with_session": 10, "human_sessions": 9}
        ),
        (
            "update marts.daily_summary set orders_with_session = 9",
            "update marts.daily_summary set orders_with_session = 9, human_sessions = 1",
        ),
        (
            "update marts.daily_summary set orders = 19, orders_with_session = 0",
            "update marts.daily_summary set human_sessions = 0, orders_with_session = 0",
        ),
    ),
    Rule(
        "figures_match_their_rates",
        (
            *figures("shop", "", visitors=1269, product_visitors=900, paying_buyers=68, pay_rate=0.0536),
            *figures("shop", "", order_buyers=80, order_rate=0.063, paid_amount=15217, amount_per_buyer=223.78),
            # 1.2万 visitors are 11,500 to 12,499; a rate of those who opened the page will do.
            *figures("product", "a", visitors=12000, paying_buyers=617, pay_rate=0.0494),
            *figures("product", "b", visitors=900, product_visitors=400, paying_buyers=20, pay_rate=0.05),
            *figures("product", "c", visitors=0, paying_buyers=0, pay_rate=0),
            *figures("agent", "d", inquirers=40, inquirers_paid=21, inquiry_pay_rate=0.525),
            *figures("campaign", "e", cost=10.4, attributed_amount=31.7, return_on_spend=3.05),
            *figures("peers", "", visitors=100, paying_buyers=5, pay_rate=0.5),
            *figures("shop", "", YESTERDAY, visitors=100, paying_buyers=5, pay_rate=0.05),
        ),
        (
            set_figure("", "pay_rate", 0.0537) + " and level = 'shop' and business_date = '2026-06-10'",
            set_figure("", "pay_rate", 0.0535) + " and level = 'shop' and business_date = '2026-06-10'",
            set_figure("", "order_rate", 0.0635),
            set_figure("", "amount_per_buyer", 225),
            set_figure("", "paid_amount", 1521700),
            set_figure("a", "paying_buyers", 900),
            set_figure("b", "pay_rate", 0.06),
            set_figure("d", "inquiry_pay_rate", 0.55),
            set_figure("d", "inquirers", 4000),
            set_figure("e", "return_on_spend", 4.05),
            set_figure("e", "cost", 104),
        ),
        (
            "delete from marts.figures where metric = 'visitors' and level = 'product'",
            # One product of fifty-three.
            "insert into marts.figures by name select 'taobao' as platform, 's' as shop, 'product' as level, "
            "number::VARCHAR as object, '' as parent, '' as device, date '2026-06-10' as business_date, metric, "
            "figure_value from generate_series(1, 50) as n (number) cross join (values ('visitors', 100), "
            "('paying_buyers', 5), ('pay_rate', 0.05)) as v (metric, figure_value); "
            + set_figure("a", "paying_buyers", 900),
        ),
    ),
    Rule(
        "figures_can_be",
        (
            *figures("shop", "", visitors=100, product_visitors=100, cart_users=30, order_buyers=25, paying_buyers=22),
            *figures("shop", "", new_visitors=60, search_visitors=10, new_paying_buyers=22, paid_amount=900),
            *figures("shop", "", returning_paying_buyers=5, search_paying_buyers=5, returning_paid_amount=900),
            # From the cart and from the day before: no visit of the product's page.
            *figures("product", "a", visitors=10, product_visitors=10, paying_buyers=25, cart_users=30),
            *figures("agent", "b", inquirers=4, inquirers_paid=4),
            *figures("campaign", "c", impressions=900, clicks=900),
            *figures("room", "d", product_impressions=9, product_clicks=9),
            *figures("room", "d", product_impression_users=12000, product_click_users=12400),
            *figures("peers", "", visitors=1, product_visitors=9),
        ),
        (
            set_figure("", "product_visitors", 101) + " and level = 'shop'",
            set_figure("", "visitors", 29) + " and level = 'shop'",
            set_figure("", "order_buyers", 101),
            set_figure("", "paying_buyers", 101) + " and level = 'shop'",
            set_figure("", "new_visitors", 101),
            set_figure("", "search_visitors", 101),
            set_figure("", "new_paying_buyers", 23),
            set_figure("", "returning_paying_buyers", 23),
            set_figure("", "search_paying_buyers", 23),
            set_figure("", "returning_paid_amount", 901),
            set_figure("b", "inquirers_paid", 5),
            set_figure("c", "clicks", 901),
            set_figure("d", "product_clicks", 10),
            set_figure("d", "product_click_users", 13100),
        ),
        (
            "update marts.figures set figure_value = 19 where metric = 'paying_buyers' and level = 'shop'; "
            "update marts.figures set figure_value = 5 where level = 'shop' and metric != 'paying_buyers' "
            "and metric not like '%_paying_buyers'; "
            "delete from marts.figures where metric like '%_paying_buyers'",
        ),
    ),
    Rule(
        "figure_deliveries_are_whole",
        (
            *rows("quality.deliveries", loaded(1, 5, rows_read=99_999), loaded(2, 5, rows_read=100_000, family="page")),
            *rows("quality.delivery_dates", taken(1, "figure", 1), taken(2, "page", 1)),
        ),
        (
            "update quality.deliveries set rows_read = 100000 where delivery_id = 1",
            "update quality.deliveries set family = 'figure' where delivery_id = 2",
        ),
    ),
    Rule(
        "figure_sources_agree",
        (
            *rows(
                "staging.figure_rows",
                figure_row(1, delivered_on=DAY, visitors=200, paying_buyers=9, paid_amount=900),
                figure_row(2, delivered_on=DAY, visitors=202, paying_buyers=None, paid_amount=900),
                figure_row(3, delivered_on=YESTERDAY, visitors=999),
                figure_row(4, delivered_on=DAY, visitors=999, object="a"),
                figure_row(5, delivered_on=DAY, visitors=999, device="pc"),
                figure_row(6, delivered_on=DAY, visitors=999, platform="jd"),
                figure_row(7, delivered_on=DAY, visitors=999, event_type="peers"),
                figure_row(8, delivered_on=DAY, visitors=12000, platform="douyin"),
                figure_row(9, delivered_on=DAY, visitors=12499, platform="douyin"),
            ),
            *rows("raw.figure_rows", {"event_id": 1, "business_date": DAY, "delivery_id": 1}),
            *rows("quality.deliveries", loaded(1, 5, source="whole shop")),
        ),
        (
            "update staging.figure_rows set visitors = 203 where event_id = 2",
            "update staging.figure_rows set paying_buyers = 12 where event_id = 2",
            "update staging.figure_rows set paid_amount = 909 where event_id = 2",
            "update staging.figure_rows set object = null where event_id = 4",
            "update staging.figure_rows set device = null where event_id = 5",
            "update staging.figure_rows set platform = 'taobao' where event_id = 6",
            "update staging.figure_rows set delivered_on = '2026-06-10' where event_id = 3",
            "update staging.figure_rows set visitors = 13000 where event_id = 9",
        ),
    ),
    Rule(
        "figures_keep_being_stated",
        (
            *(
                each
                for back in range(-1, 11)
                for each in figures("shop", "", DAY - timedelta(days=back), visitors=9, paying_buyers=back != 5)
            ),
            *(
                each
                for back in range(-1, 11)
                for level in ("room", "peers", "product")
                if back != 0 and (back < 10 or level != "product")
                for each in figures(level, "a", DAY - timedelta(days=back), visitors=9)
            ),
        ),
        (
            "delete from marts.figures where business_date = '2026-06-10' and metric = 'visitors'",
            "delete from marts.figures where business_date = '2026-06-10'",
            "update marts.figures set platform = 'jd' where business_date = '2026-06-10'",
            "update marts.figures set level = 'product' where business_date = '2026-06-10'",
            "update marts.figures set business_date = '2026-05-31' where business_date = '2026-06-09' "
            "and level = 'peers'; update marts.figures set level = 'product' where level = 'peers' "
            "and business_date = '2026-05-31'",
        ),
    ),
    Rule(
        "figures_stay_as_taken",
        (
            *rows(
                "raw.figure_rows",
                *(
                    figure_row(1, delivery_id=number, row_number=1, dt=DAY, visitors=value, paid_amount=9)
                    for number, value in ((1, 900), (2, 945))
                ),
                *(
                    figure_row(event, delivery_id=number, row_number=event, event_type=level, dt=DAY, visitors=value)
                    for event, level in ((2, "campaign"), (3, "peers"))
                    for number, value in ((1, 900), (2, 1945))
                ),
                *(
                    figure_row(4, delivery_id=number, row_number=4, dt=DAY, visitors=value, object="a")
                    for number, value in ((1, 10), (2, 30))
                ),
                # The day itself, and one run that takes two deliveries.
                *(
                    figure_row(5, delivery_id=number, row_number=5, dt=DAY, visitors=value, object="b")
                    for number, value in ((3, 10), (2, 930))
                ),
                *(
                    figure_row(6, delivery_id=number, row_number=6, dt=DAY, visitors=value, object="c")
                    for number, value in ((4, 10), (2, 930))
                ),
            ),
            *rows(
                "quality.deliveries",
                loaded(1, 5),
                loaded(2, 9),
                loaded(3, 5, loaded_at="2026-06-10 23:00:00"),
                loaded(4, 8, loaded_at="2026-06-11 08:00:01"),
            ),
        ),
        (
            "update raw.figure_rows set visitors = 946 where event_id = 1 and delivery_id = 2",
            "update raw.figure_rows set visitors = 854 where event_id = 1 and delivery_id = 2",
            "update raw.figure_rows set paid_amount = 30 where event_id = 1 and delivery_id = 2",
            "update raw.figure_rows set event_type = 'source' where event_type = 'campaign'",
            "update raw.figure_rows set visitors = 31 where event_id = 4 and delivery_id = 2",
            "update quality.deliveries set loaded_at = '2026-06-11 08:00:00' where delivery_id = 4",
            "update quality.deliveries set loaded_at = '2026-06-11 00:00:00' where delivery_id = 3",
        ),
        (
            # A correction of an older file changes nothing.
            "update raw.figure_rows set visitors = 2000, dt = dt - 1 where event_id = 1 and delivery_id = 2",
        ),
    ),
    Rule(
        "corrections_are_newest",
        (
            *rows(
                "quality.duplicate_events",
                *(
                    {"family": "figure", "business_date": DAY, "delivery_id": 1, "row_number": 1, "reason": reason}
                    for reason in ("superseded", "duplicate")
                ),
            ),
            *rows(
                "quality.delivery_dates",
                *({"delivery_id": number, "business_date": DAY} for number in (1, 2)),
            ),
            *rows(
                "quality.deliveries",
                loaded(1, 5, dt=DAY, source="shop", file="b.csv", modified_at="2026-06-11 04:00:00"),
                loaded(2, 6, dt=DAY + timedelta(days=1), source="shop", file="a.csv"),
            ),
        ),
        (
            CORRECTED,
            CORRECTED + "; update quality.deliveries set family = 'order', duplicates = 'latest'",
        ),
        (
            # Taken in one run, in whatever order; only touched; newer itself; of another source; the first one counts.
            "update quality.deliveries set loaded_at = '2026-06-11 07:00:00' where delivery_id = 1",
            "update quality.deliveries set modified_at = '2026-06-11 06:30:00' where delivery_id = 1",
            CORRECTED + "; update quality.deliveries set dt = dt + 1 where delivery_id = 1",
            CORRECTED + "; update quality.deliveries set source = 'other' where delivery_id = 2",
            CORRECTED + "; update quality.deliveries set family = 'order', duplicates = 'first'",
            CORRECTED + "; update quality.delivery_dates set business_date = business_date + 1 where delivery_id = 2",
            CORRECTED + "; delete from quality.duplicate_events where reason = 'superseded'",
        ),
    ),
    Rule(
        "trust_ratios_are_as_usual",
        (
            *(
                ratio(back, metric, 1000 + 40 * (back % 3), 1000)
                for back in range(-1, 15)
                for metric in ("paying_buyers", "paid_amount")
            ),
            # Other orders, too few people, too few days.
            *(ratio(back, "paying_buyers", 4 if back else 9, 1000, platform="jd") for back in range(15)),
            *(ratio(back, "visitors", 15 if back else 5, 19) for back in range(15)),
            *(ratio(back, "refunded_amount", 100 if back else 25, 100) for back in range(14)),
            # Of ten refunds of a day, six are told of on the next day.
            *(ratio(back, "refunded_amount", 100 if back else 60, 100, platform="douyin") for back in range(15)),
            ratio(0, "paying_buyers", 100, 100, platform="douyin"),
            *rows(
                "marts.refund_arrivals",
                *(
                    {"business_date": DAY - timedelta(back), "lag_days": 1, "first_lag_days": 1, "refunds": 6}
                    for back in range(57)
                ),
                *(
                    {"business_date": DAY - timedelta(back), "lag_days": 5, "first_lag_days": 1, "refunds": 4}
                    for back in range(5, 15)
                ),
            ),
        ),
        (
            set_ratio("paying_buyers", 700),
            set_ratio("paying_buyers", 0),
            set_ratio("paying_buyers", 1500),
            set_ratio("paid_amount", 700),
            f"update marts.trust_ratios set ours = 20 where platform = 'douyin' and business_date = '{DAY}'",
            # Older, the day should have all its refunds.
            f"update marts.refund_arrivals set lag_days = 5 where business_date = '{DAY}'",
            "update marts.trust_ratios set stated = 60 where metric = 'visitors'; "
            "update marts.trust_ratios set ours = 50 where metric = 'visitors' and business_date < '2026-06-10'",
            "insert into marts.trust_ratios (business_date, platform, metric, ours, stated) "
            f"values ('{DAY - timedelta(days=56)}', 'taobao', 'refunded_amount', 100, 100)",
        ),
        (
            set_ratio("paying_buyers", 930),
            set_ratio("paying_buyers", 1250),
            "insert into marts.trust_ratios (business_date, platform, metric, ours, stated) "
            f"values ('{DAY - timedelta(days=57)}', 'taobao', 'refunded_amount', 100, 100)",
            # Days that were delivered together do not tell how late refunds are.
            "update marts.refund_arrivals set first_lag_days = 2; "
            f"update marts.trust_ratios set ours = 20 where platform = 'douyin' and business_date = '{DAY}'",
            # Of few people chance alone may do as much.
            "update marts.trust_ratios set ours = ours / 40, stated = 25 where metric = 'paying_buyers' "
            "and platform = 'taobao'; " + set_ratio("paying_buyers", 18),
        ),
    ),
)


def contract_name(case: str) -> str:
    return case.split()[-1]


def fill(warehouse: Warehouse, rule: Rule) -> None:
    for table, row in rule.sound:
        insert(warehouse, table, row)


def test_every_contract_is_tried() -> None:
    assert sorted(rule.contract for rule in RULES) == sorted(CONTRACTS)
    assert all(rule.broken_by for rule in RULES)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_is_silent_on_empty_tables(warehouse: Warehouse, name: str) -> None:
    assert cases(warehouse, CONTRACTS[name]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.contract)
def test_a_contract_is_silent_where_its_rule_holds(warehouse: Warehouse, rule: Rule) -> None:
    fill(warehouse, rule)
    assert cases(warehouse, CONTRACTS[rule.contract]) == []
    assert cases(warehouse, CONTRACTS[rule.contract], YESTERDAY, TOMORROW) == []


@pytest.mark.parametrize(
    ("rule", "statement"),
    [(rule, statement) for rule in RULES for statement in rule.kept_by],
    ids=[f"{rule.contract}-{number}" for rule in RULES for number, _ in enumerate(rule.kept_by, start=1)],
)
def test_a_contract_is_silent_just_inside_its_limits(warehouse: Warehouse, rule: Rule, statement: str) -> None:
    fill(warehouse, rule)
    warehouse.execute(statement)
    assert cases(warehouse, CONTRACTS[rule.contract]) == []


@pytest.mark.parametrize(
    ("rule", "statement"),
    [(rule, statement) for rule in RULES for statement in rule.broken_by],
    ids=[f"{rule.contract}-{number}" for rule in RULES for number, _ in enumerate(rule.broken_by, start=1)],
)
def test_a_contract_reports_the_day_on_which_its_rule_is_broken(
    warehouse: Warehouse, rule: Rule, statement: str
) -> None:
    fill(warehouse, rule)
    if rule.odd_one:
        warehouse.execute(rule.odd_one)
        assert cases(warehouse, CONTRACTS[rule.contract]) == [], "a single one is no fault"
    warehouse.execute(statement)
    found = cases(warehouse, CONTRACTS[rule.contract])
    assert {case["business_date"] for case in found} == {DAY}
    for case in found:
        said = CheckObservation(
            contract_name(rule.contract), {name: case[name] for name in case if name != "business_date"}
        )
        for message in (said.observed, said.expected):
            for language in ("zh", "en"):
                assert translate_message(message, language), case
    assert cases(warehouse, CONTRACTS[rule.contract], TOMORROW, TOMORROW) == []
    before = cases(warehouse, CONTRACTS[rule.contract], YESTERDAY, YESTERDAY)
    assert DAY not in {case["business_date"] for case in before}


@pytest.mark.parametrize(
    ("contract", "statement", "said"),
    [
        (
            "money_adds_up",
            "update marts.daily_money set amount = amount + 0.01 where money_class = 'same_day'",
            {"parts": "96.81", "delivered": "96.80"},
        ),
        ("money_adds_up", "delete from marts.daily_money", {"parts": "0.00", "delivered": "96.80"}),
        (
            "money_adds_up",
            "delete from staging.order_events; update marts.daily_money set amount = 1 where money_class = 'same_day'; "
            "delete from marts.daily_money where money_class != 'same_day'",
            {"parts": "1.00", "delivered": "0.00"},
        ),
        (
            "cubes_agree_with_the_summary",
            "update marts.decision_cube set paid_orders = 1",
            {
                "sessions": "[4, 4, 4, 4]",
                "qualified": "[2, 2, 2, 2]",
                "paying": "[1, 1, 1]",
                "orders": "[2, 1]",
                "amount": "[10.50, 10.50]",
            },
        ),
        (
            "steps_are_observed",
            "update marts.funnel_steps set observed = 49 where step = 'three_seconds'",
            {"stage": "landing", "step": "three_seconds", "seen": 49, "reached": 100},
        ),
        (
            "payments_have_orders",
            "update staging.order_events set order_id = null where event_id = 201",
            {"nameless": 1, "unknown": 7, "orders": 49},
        ),
        (
            "orders_are_paid_once",
            "update staging.order_events set amount = 25.26 where event_id = 13",
            {"orders": 2, "paid_orders": 13, "paid_amount": "68.51", "owed_amount": "59.00"},
        ),
        (
            "balances_are_known",
            "update staging.order_events set amount = 98.9 where event_id = 22; "
            "update staging.order_events set shipping_amount = 0.5 where event_id = 21",
            {"orders": 1, "amount": "10.50"},
        ),
        (
            "payments_have_amounts",
            "update intermediate.payments set amount = null where order_id < 4",
            {"unpriced": 4, "orders": 100},
        ),
        (
            "order_events_come_once",
            "update raw.order_events set line = '1' where line = '2'; "
            "update raw.order_events set amount = 4 + delivery_id where order_id = 1; "
            "update raw.order_events set shipping_amount = 1 where order_id = 1 and delivery_id = 1",
            {"again": 2, "orders": 7, "amount": "18.00", "once_amount": "9.00"},
        ),
        (
            # Two units of a product, and once more the two.
            "order_events_come_once",
            "update raw.order_events set product_id = 'a', amount = 5 where order_id = 2; "
            "update raw.order_events set amount = 10 where row_number = 14",
            {"again": 2, "orders": 7, "amount": "26.00", "once_amount": "13.00"},
        ),
        (
            "refunds_are_within_payments",
            "update intermediate.refunds set refunded_to_date = 20 where order_id in (1, 3)",
            {"orders": 3, "refunded_orders": 4, "refunded_amount": "60.00", "paid_amount": "30.00"},
        ),
        (
            "refunds_have_orders",
            "insert into intermediate.refunds (order_id, business_date, refund_count) values (null, '2026-06-10', 1)",
            {"nameless": 1, "unpaid": 8, "refunds": 37},
        ),
        (
            "reconciliation",
            "insert into quality.duplicate_events (delivery_id, family, row_number, reason) "
            "values (1, 'order', 1, 'duplicate'); update quality.deliveries set rows_read = 5",
            {"rows_read": 5, "accounted_for": 3},
        ),
        (
            "whole_files_are_readable",
            "update quality.deliveries set rows_read = 0, message = 'damaged' where delivery_id = 1 and status = "
            "'quarantined'",
            {"message": '[{"key":"as_told","values":{"text":"damaged"}}]'},
        ),
        (
            "whole_files_are_readable",
            "update quality.deliveries set rows_read = 0, message = 'damaged', told = '[\"a sentence\"]' "
            "where delivery_id = 1 and status = 'quarantined'",
            {"message": '["a sentence"]'},
        ),
        (
            "deliveries_read_as_meant",
            "update quality.deliveries set warning = 'swapped' where delivery_id = 1",
            {"warning": '[{"key":"as_told","values":{"text":"swapped"}}]'},
        ),
        (
            "deliveries_read_as_meant",
            "update quality.deliveries set warning = 'swapped', told = '[\"a sentence\"]' where delivery_id = 1",
            {"warning": '["a sentence"]'},
        ),
        (
            "figures_match_their_rates",
            set_figure("a", "pay_rate", 0.1234) + "; " + set_figure("b", "pay_rate", 0.5),
            {
                **{"platform": "taobao", "level": "product", "figure": "pay_rate", "object": "a"},
                **{"wrong": 2, "stated": 2, "rate": 0.1234, "computed": 617 / 12000},
            },
        ),
        (
            "figures_can_be",
            set_figure("", "new_visitors", 150),
            {
                **{"platform": "taobao", "level": "shop", "object": "", "objects": 1},
                **{"figure": "new_visitors", "whole_figure": "visitors", "part": 150, "whole": 100},
            },
        ),
        (
            "figure_deliveries_are_whole",
            "update quality.deliveries set rows_read = 100000 where delivery_id = 1",
            {"file": "a.csv", "rows_read": 100_000},
        ),
        (
            "figure_sources_agree",
            "update staging.figure_rows set visitors = 210 where event_id = 2; "
            "insert into raw.figure_rows (event_id, business_date, delivery_id) values (2, '2026-06-10', 2); "
            "insert into quality.deliveries (delivery_id, source) values (2, 'by device')",
            {
                **{"platform": "taobao", "level": "shop", "object": "", "figure": "visitors", "objects": 1},
                **{"least": 200, "most": 210, "source": "whole shop", "other_source": "by device"},
            },
        ),
        (
            "figures_keep_being_stated",
            "delete from marts.figures where business_date = '2026-06-10' and metric = 'visitors'",
            {
                **{"platform": "taobao", "level": "shop", "missing": 1, "expected": 2},
                **{"figure": "visitors", "last_date": "2026-06-09"},
            },
        ),
        (
            "corrections_are_newest",
            CORRECTED,
            {"family": "figure", "file": "b.csv", "rows_not_used": 1, "newer_file": "a.csv"},
        ),
        (
            "figures_stay_as_taken",
            "update raw.figure_rows set visitors = 990 where event_id = 1 and delivery_id = 2; "
            "update raw.figure_rows set event_type = 'source', platform = null where event_type = 'campaign'; "
            "delete from raw.figure_rows where event_type = 'source'",
            {
                **{"platform": "taobao", "level": "shop", "object": "", "figure": "visitors", "objects": 1},
                **{"before": 900, "now": 990},
            },
        ),
        (
            "days_between_have_events",
            f"delete from staging.order_events where business_date = '{DAY}'",
            {"family": "order", "usual": 8, "open_days": 14, "known_days": 14},
        ),
        (
            "amounts_are_usual",
            f"update staging.order_events set amount = 100 * amount where business_date = '{DAY}'",
            {"amount": 3464.1, "usual": 34.64, "factor": 100, "lines": 6},
        ),
        ("orders_have_many_customers", "update staging.order_events set customer_id = 1", {"of_one": 10, "orders": 10}),
        (
            "trust_ratios_are_as_usual",
            set_ratio("paying_buyers", 700),
            {
                **{"platform": "taobao", "figure": "paying_buyers", "ours": 700, "stated": 1000},
                **{"ratio": 0.7, "usual": 1.04},
            },
        ),
    ],
)
def test_a_contract_says_how_much_it_found(warehouse: Warehouse, contract: str, statement: str, said: Row) -> None:
    rule = next(rule for rule in RULES if rule.contract == contract)
    fill(warehouse, rule)
    if rule.odd_one:
        warehouse.execute(rule.odd_one)
    warehouse.execute(statement)
    (found,) = cases(warehouse, CONTRACTS[contract])
    assert {name: found[name] for name in said} == said


@pytest.mark.parametrize(
    ("before", "days"),
    [
        (odd_refund(YESTERDAY), {DAY}),
        (odd_refund(DAY - timedelta(days=27)), {DAY}),
        (odd_refund(DAY - timedelta(days=28)), set()),
        (f"{odd_refund(YESTERDAY)}; insert into intermediate.refunds by name {ninety_six_others}", set()),
        ("", set()),
    ],
)
def test_one_order_a_day_given_back_too_much_is_told_once_it_is_the_second_of_few(
    warehouse: Warehouse, before: str, days: set[date]
) -> None:
    warehouse.execute(f"{odd_refund(DAY)}; {before}")
    told = cases(warehouse, CONTRACTS["refunds_are_within_payments"], DAY - timedelta(days=28), TOMORROW)
    assert {case["business_date"] for case in told} == days
    assert all(case["orders"] == 1 for case in told)
    assert cases(warehouse, CONTRACTS["refunds_are_within_payments"], TOMORROW, TOMORROW) == []


def test_a_single_order_is_told_where_it_is_the_only_one_or_outweighs_the_others(warehouse: Warehouse) -> None:
    warehouse.execute(order_created_twice)
    assert len(cases(warehouse, CONTRACTS["order_events_come_once"])) == 1
    warehouse.execute(f"{order_paid_twice}; {eighty_seven_more_orders}")
    assert cases(warehouse, CONTRACTS["orders_are_paid_once"]) == []
    warehouse.execute("update staging.order_events set amount = 4500 where event_id = 903")
    assert len(cases(warehouse, CONTRACTS["orders_are_paid_once"])) == 1


def test_a_source_that_does_not_link_refunds_to_orders_is_told_until_that_is_known_of_it(warehouse: Warehouse) -> None:
    contract = CONTRACTS["refunds_have_orders"]
    unlinked: Row = {"order_id": 2, "business_date": DAY, "refund_count": 8, "is_deposit": False}
    insert(warehouse, "intermediate.refunds", unlinked)
    insert(warehouse, "intermediate.refunds", unlinked | {"business_date": YESTERDAY, "refund_count": 19})
    assert len(cases(warehouse, contract)) == 1
    insert(warehouse, "intermediate.refunds", unlinked | {"order_id": None, "business_date": YESTERDAY})
    assert cases(warehouse, contract) == []
    assert len(cases(warehouse, contract, DAY - timedelta(days=28), DAY)) == 1, "YESTERDAY itself knew of none"
    warehouse.execute(
        "update intermediate.refunds set business_date = business_date - 27 where business_date < $d", d=DAY
    )
    assert cases(warehouse, contract) == [], "28 days are remembered"
    warehouse.execute(
        "update intermediate.refunds set business_date = business_date - 1 where business_date < $d", d=DAY
    )
    assert len(cases(warehouse, contract)) == 1, "29 are not"
    warehouse.execute("update intermediate.refunds set business_date = $y where business_date < $d", d=DAY, y=YESTERDAY)
    warehouse.execute(
        "update intermediate.refunds set refund_count = if(order_id is null, 1, 18) where business_date < $d", d=DAY
    )
    assert len(cases(warehouse, contract)) == 1, "of 19 refunds nothing is known"
    warehouse.execute("update intermediate.refunds set refund_count = 17 where refund_count = 18")
    insert(
        warehouse,
        "intermediate.refunds",
        {"order_id": 4, "business_date": YESTERDAY, "refund_count": 2, "paid_date": YESTERDAY},
    )
    assert cases(warehouse, contract) == [], "18 of 20 are not linked"
    linked = {"order_id": 3, "business_date": YESTERDAY, "refund_count": 1, "paid_date": YESTERDAY}
    insert(warehouse, "intermediate.refunds", linked)
    assert len(cases(warehouse, contract)) == 1


@pytest.mark.parametrize("contract", GRAINS, ids=lambda contract: contract.table)
def test_a_second_row_for_one_key_is_reported(warehouse: Warehouse, contract: Contract) -> None:
    columns = dict(derive_schemas()[contract.table])
    grain = [name for name in load_models()[contract.table].grain if name != "business_date"]
    key: Row = {name: "2026-01-01" if columns[name] == "DATE" else "1" for name in grain} | {"business_date": DAY}
    insert(warehouse, contract.table, key)
    insert(warehouse, contract.table, key | {"business_date": YESTERDAY})
    for name in grain:
        other = {"DATE": "2026-01-02", "BOOLEAN": "0"}.get(columns[name], "2")
        insert(warehouse, contract.table, key | {name: other})
    assert cases(warehouse, contract, YESTERDAY, DAY) == []

    insert(warehouse, contract.table, key)
    found = cases(warehouse, contract, YESTERDAY, DAY)
    assert [case["business_date"] for case in found] == [DAY]
    assert CheckObservation(contract.name, {"rows": found[0]["rows"]}).observed_text == "2 rows for one key"


def test_every_table_with_days_has_its_grain_checked() -> None:
    assert {contract.table for contract in GRAINS} == {
        model.table for model in load_models().values() if not model.is_view
    }
