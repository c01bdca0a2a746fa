"""What a shop has never delivered is unknown, never zero: from its files to the steps, the metrics and the report."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from shop_helpers import Home, build_days, open_shop

from funnelscope.publication.publish import open_published
from funnelscope.reporting.data_section import read_deliveries
from funnelscope.reporting.periods import get_day
from funnelscope.reporting.published_days import Published
from funnelscope.reporting.stage_sections import read_stage
from funnelscope.warehouse.connection import Warehouse
from pipelines.doctor import examine_shop

FIRST = date(2026, 1, 5)
LAST = FIRST + timedelta(days=2)
CONFIG = """\
shop: Orders only
timezone: Asia/Shanghai
language: en
start_date: 2026-01-05
threads: 2
sources:
  - family: order
"""
# On the first day nobody knows of refunds; on the second one comes; on the third nothing happens.
ORDERS = {
    0: """\
event_time,event_type,order_id,customer_id,amount
2026-01-05 10:00:00,created,1,ann,20.00
2026-01-05 10:01:00,paid,1,ann,20.00
2026-01-05 11:00:00,created,2,bob,30.00
""",
    1: """\
event_time,event_type,order_id,customer_id,amount
2026-01-06 10:00:00,created,3,ann,20.00
2026-01-06 10:01:00,paid,3,ann,20.00
2026-01-06 12:00:00,refunded,1,ann,5.00
""",
    2: "event_time,event_type,order_id,customer_id,amount\n",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(tmp_path_factory.mktemp("orders_only"))
    made.config.write_text(CONFIG)
    for offset, text in ORDERS.items():
        path = made.path / "landing" / "order" / f"dt={FIRST + timedelta(days=offset)}" / "events.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    build_days(made, FIRST, LAST, is_published=True)
    return made


@pytest.fixture
def warehouse(home: Home) -> Iterator[Warehouse]:
    with open_shop(home.settings) as shop:
        yield shop.warehouse


@pytest.fixture
def published(home: Home) -> Iterator[Published]:
    with open_published(home.settings.published) as connection:
        yield Published(connection, home.settings, get_day(LAST), "en")


def read_metric(warehouse: Warehouse, metric: str) -> list[float | None]:
    """Its value on each of the three days; None where it is absent."""
    values = dict(
        warehouse.rows("select business_date, value from marts.daily_metrics where metric = $metric", metric=metric)
    )
    return [values.get(FIRST + timedelta(days=offset)) for offset in range(3)]


def test_a_type_is_unknown_until_it_comes_and_zero_once_it_stops(warehouse: Warehouse) -> None:
    assert read_metric(warehouse, "refund_amount") == [None, 5, 0]
    assert read_metric(warehouse, "paid_amount") == [20, 20, 0]


@pytest.mark.parametrize(
    "metric",
    ["human_sessions", "visitors", "clicks", "care_sent", "coupon_uses", "units_per_order", "visitor_pay_rate"],
)
def test_what_never_comes_is_no_metric(warehouse: Warehouse, metric: str) -> None:
    assert read_metric(warehouse, metric) == [None, None, None]


def test_rates_run_between_the_steps_that_are_there(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select business_date, stage, step, reached from marts.funnel_steps order by business_date, stage, step_number"
    ) == [
        (FIRST, "decision", "order", 2),
        (FIRST, "decision", "paid", 1),
        (FIRST + timedelta(days=1), "decision", "order", 1),
        (FIRST + timedelta(days=1), "decision", "paid", 1),
        (FIRST + timedelta(days=1), "repurchase", "active", 1),
        (FIRST + timedelta(days=1), "repurchase", "purchased", 1),
        (LAST, "repurchase", "active", 1),
        (LAST, "repurchase", "purchased", 0),
    ]


def test_the_report_names_the_types_that_never_came_and_has_the_stages_that_did(published: Published) -> None:
    (order,) = (delivery for delivery in read_deliveries(published) if delivery.family == "order")
    assert {"deposit_paid", "shipped"} <= set(order.missing_types)
    assert not {"created", "paid", "refunded"} & set(order.missing_types)
    assert [step.key for step in read_stage(published, "repurchase").steps] == ["active", "purchased"]
    assert read_stage(published, "landing").no_data


def test_doctor_names_what_comes_and_what_never_came(home: Home) -> None:
    (words,) = (note.words for note in examine_shop(home.settings) if note.subject == "events order")
    assert "created (customer_id, order_id, amount)" in words
    assert "never deposit_paid, balance_paid, cancelled, shipped" in words
    assert "columns never filled: visitor_id" in words
