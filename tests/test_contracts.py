"""Every contract reports what breaks its rule, on the day it happens, and is silent on a sound warehouse."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from funnelscope.ingest import create_tables as create_ledger
from funnelscope.messages.check_observations import CheckObservation
from funnelscope.messages.wording import translate_message
from funnelscope.warehouse.checks import Contract, load_contracts
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import derive_schemas, load_models

DAY = date(2026, 6, 10)
YESTERDAY = DAY - timedelta(days=1)
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


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    """Every table that ingest and the models write, empty."""
    made = open_in_memory_warehouse(["set threads = 1"])
    create_ledger(made)
    for table, columns in derive_schemas().items():
        made.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
    yield made
    made.connection.close()


def cases(warehouse: Warehouse, contract: Contract, from_date: date = DAY, to_date: date = DAY) -> list[Row]:
    return warehouse.records(contract.query, from_date=from_date, to_date=to_date)


@dataclass(frozen=True)
class Rule:
    """A sound warehouse, and the ways to break it: each a statement that makes the contract report DAY."""

    contract: str
    sound: tuple[tuple[str, Row], ...]
    broken_by: tuple[str, ...] = field(default=())


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


def event(number: int, event_type: str, order: int, amount: str, day: date = DAY) -> Row:
    return {"event_id": number, "business_date": day, "event_type": event_type, "order_id": order, "amount": amount}


def payment(order: int, money_class: str, amount: str, day: date = DAY) -> Row:
    return {"order_id": order, "business_date": day, "money_class": money_class, "amount": amount}


def completeness(family: str) -> Rule:
    """Three rows came: one counts today, one is its duplicate, one is of another day."""
    raw, staged = f"raw.{family}_events", f"staging.{family}_events"
    duplicate = {"family": family, "business_date": DAY, "delivery_id": 1, "row_number": 2}
    return Rule(
        f"{staged} {COMPLETENESS}",
        (
            *rows(raw, *({"business_date": DAY, "delivery_id": 1, "row_number": number} for number in (1, 2))),
            *rows(raw, {"business_date": YESTERDAY, "delivery_id": 1, "row_number": 3}),
            *rows("quality.duplicate_events", duplicate, duplicate | {"family": "other"}),
            *rows(staged, {"business_date": DAY, "event_id": 1}, {"business_date": YESTERDAY, "event_id": 3}),
        ),
        (
            f"delete from {staged} where event_id = 1",
            f"insert into {staged} (business_date, event_id) values ('2026-06-10', 2)",
            "update quality.duplicate_events set business_date = '2026-06-09'",
            f"delete from {raw} where row_number < 3",
        ),
    )


RULES = (
    *(completeness(family) for family in ("traffic", "page", "service", "order")),
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
        ),
    ),
    Rule(
        "whole_files_are_readable",
        (
            *rows("quality.deliveries", delivery(rows_read=9), delivery(status="quarantined", rows_read=9)),
            *rows(
                "quality.deliveries",
                delivery(delivery_id=2, status="quarantined", rows_read=0, message="given up"),
            ),
            *rows(
                "quality.quarantine",
                {"delivery_id": 2, "family": "order", "row_number": 0, "dropped_at": "2026-06-11 09:00:00"},
            ),
        ),
        (
            "update quality.deliveries set rows_read = 0, message = 'damaged' where delivery_id = 1",
            "update quality.quarantine set dropped_at = null",
        ),
    ),
    Rule(
        "little_is_in_quarantine",
        (
            *rows(
                "quality.deliveries",
                delivery(rows_read=150, rows_quarantined=0),
                delivery(delivery_id=2, rows_read=50, rows_quarantined=3),
                delivery(delivery_id=3, family="page", rows_read=100, rows_quarantined=1),
            ),
            *rows(
                "quality.quarantine",
                {"delivery_id": 2, "row_number": 7, "reason": "bad_time", "dropped_at": "2026-06-11 09:00:00"},
            ),
        ),
        (
            "update quality.quarantine set dropped_at = null",
            "update quality.deliveries set rows_quarantined = 4 where rows_read = 50",
            "update quality.deliveries set rows_quarantined = 2 where family = 'page'",
        ),
    ),
    Rule(
        "most_rows_are_taken",
        (
            *rows(
                "quality.deliveries",
                delivery(rows_read=60, rows_quarantined=40),
                delivery(delivery_id=2, rows_read=20, rows_quarantined=1),
                delivery(delivery_id=3, family="page", rows_read=100, rows_quarantined=50),
            ),
            *rows(
                "quality.quarantine",
                {"delivery_id": 2, "row_number": 7, "reason": "bad_time", "dropped_at": "2026-06-11 09:00:00"},
            ),
        ),
        (
            "update quality.quarantine set dropped_at = null",
            "update quality.deliveries set rows_quarantined = 51 where family = 'page'",
        ),
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
            ),
            *rows(
                "intermediate.payments",
                payment(1, "same_day", "18.05"),
                payment(2, "excluded", "70.00"),
                payment(3, "presale_balance", "22.00", YESTERDAY),
                payment(3, "presale_balance", "8.00"),
                payment(4, "presale_balance", "10.00"),
            ),
            *rows(
                "marts.daily_money",
                {"business_date": DAY, "money_class": "same_day", "amount": "18.05"},
                {"business_date": DAY, "money_class": "presale_balance", "amount": "18.00"},
                {"business_date": DAY, "money_class": "excluded", "amount": "70.00"},
                {"business_date": YESTERDAY, "money_class": "presale_balance", "amount": "22.00"},
            ),
        ),
        (
            "update marts.daily_money set amount = amount + 0.01 where money_class = 'same_day'",
            "update marts.daily_money set money_class = 'no_session' where money_class = 'excluded'",
            "delete from marts.daily_money",
            "update staging.order_events set amount = amount + 1 where event_id = 8",
            "delete from staging.order_events",
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
            ),
        ),
        (
            "update marts.landing_cube set sessions = 2 where channel = 'b'",
            "update marts.arrival_cube set sessions = 3",
            "update marts.decision_cube set sessions = 3",
            "update marts.decision_cube set reached_paid = 2",
            "update marts.decision_cube set paid_orders = 1",
            "update marts.decision_cube set paid_amount = 10.51",
            "update marts.funnel_steps set reached = 5 where step = 'arrival'",
            "update marts.funnel_steps set reached = 2 where step = 'paid'",
            "delete from marts.decision_cube",
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
        ),
        (
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
        ),
        (
            "update marts.funnel_steps set observed = 9 where entry_type = 'live'",
            "update marts.funnel_steps set reached = 100 where step = 'checkout'",
        ),
    ),
    Rule(
        "payments_follow_orders",
        (
            *rows("intermediate.orders", {"order_id": 1, "business_date": DAY, "created_at": "2026-06-10 05:00:00"}),
            *rows(
                "intermediate.payments",
                {"order_id": 1, "business_date": DAY, "created_date": DAY, "paid_at": "2026-06-10 05:00:00"},
            ),
        ),
        (
            "update intermediate.payments set paid_at = '2026-06-10 04:59:59'",
            "update intermediate.payments set business_date = '2026-06-09', created_date = '2026-06-09'",
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
        ),
    ),
    Rule(
        "refunds_have_orders",
        rows(
            "intermediate.refunds",
            {"order_id": 1, "business_date": DAY, "refund_count": 27, "paid_date": YESTERDAY},
            {"order_id": 2, "business_date": DAY, "refund_count": 8},
        ),
        (
            "update intermediate.refunds set order_id = null, refund_count = 1 where order_id = 2",
            "update intermediate.refunds set refund_count = 10 where order_id = 2",
        ),
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
        "paid_orders_have_sessions",
        rows(
            "marts.daily_summary", {"business_date": DAY, "orders": 20, "orders_with_session": 10, "human_sessions": 9}
        ),
        ("update marts.daily_summary set orders_with_session = 9",),
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
    assert cases(warehouse, CONTRACTS[rule.contract], YESTERDAY, DAY + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("rule", "statement"),
    [(rule, statement) for rule in RULES for statement in rule.broken_by],
    ids=[f"{rule.contract}-{number}" for rule in RULES for number, _ in enumerate(rule.broken_by, start=1)],
)
def test_a_contract_reports_the_day_on_which_its_rule_is_broken(
    warehouse: Warehouse, rule: Rule, statement: str
) -> None:
    fill(warehouse, rule)
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
    assert cases(warehouse, CONTRACTS[rule.contract], DAY + timedelta(days=1), DAY + timedelta(days=1)) == []


def test_a_source_that_does_not_link_refunds_to_orders_is_told_until_that_is_known_of_it(warehouse: Warehouse) -> None:
    contract = CONTRACTS["refunds_have_orders"]
    unlinked: Row = {"order_id": 2, "business_date": DAY, "refund_count": 8}
    insert(warehouse, "intermediate.refunds", unlinked)
    insert(warehouse, "intermediate.refunds", unlinked | {"business_date": YESTERDAY, "refund_count": 19})
    assert len(cases(warehouse, contract)) == 1
    insert(warehouse, "intermediate.refunds", unlinked | {"order_id": None, "business_date": YESTERDAY})
    assert cases(warehouse, contract) == []
    assert len(cases(warehouse, contract, DAY - timedelta(days=28), DAY)) == 1, "YESTERDAY itself knew of none"
    linked = {"order_id": 3, "business_date": YESTERDAY, "refund_count": 4, "paid_date": YESTERDAY}
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
