"""Made-up shops run on their exports alone: every count and cent is that of the exports, and what breaks is found."""

import json
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from shop_helpers import Home, build_days

from funnelscope.ingest import reconcile
from funnelscope.reporting import print_report, read_report
from funnelscope.simulator.example_exports import ga4_shopify, helpdesk
from funnelscope.warehouse.connection import Warehouse, open_warehouse
from pipelines.examples import EXAMPLES

BROKEN = {"ga4_shopify": ga4_shopify.BROKEN_DAYS, "helpdesk": helpdesk.BROKEN_DAYS}

pytestmark = pytest.mark.slow


class Built:
    """A shop of which every day is built and published."""

    def __init__(self, name: str, folder: Path) -> None:
        self.example = EXAMPLES[name]
        self.home = Home(folder)
        self.example.lay_out(self.home.path / "exports", None)
        shutil.copy(self.example.config, self.home.config)
        self.last_date = self.example.last_date
        self.broken_from = self.last_date - timedelta(days=BROKEN[name] - 1)
        build_days(self.home, self.example.first_date, self.last_date, is_published=True)
        self.opened = open_warehouse(self.home.settings.warehouse_path)
        self.warehouse: Warehouse = self.opened.__enter__()

    def list_documents(self) -> list[dict[str, Any]]:
        """The orders as they are in the end."""
        files = sorted((self.home.path / "exports").glob("orders_*.jsonl"))
        lines = (line for file in files for line in file.read_text().splitlines())
        return list({document["id"]: document for document in map(json.loads, lines)}.values())

    def list_findings(self, day: date) -> list[tuple[str, str, date]]:
        return self.warehouse.rows(
            "select step, slice, since_date from diagnosis.findings where business_date = $day order by rank", day=day
        )


@pytest.fixture(scope="module", params=list(BROKEN))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    shop = Built(request.param, tmp_path_factory.mktemp(request.param))
    yield shop
    shop.opened.__exit__(None, None, None)


def test_every_row_is_accounted_for(built: Built) -> None:
    counted = reconcile(built.warehouse)
    assert len(counted) > 100
    assert sum(record["difference"] for record in counted) == sum(record["quarantined"] for record in counted) == 0


def test_every_part_of_the_report_of_the_break_is_made(built: Built) -> None:
    assert print_report(built.home.settings, built.last_date).failures == ()


@pytest.mark.parametrize("name", ["taobao", "douyin"])
def test_every_part_of_the_report_of_a_shop_on_a_platform_is_made(name: str, tmp_path: Path) -> None:
    example, home = EXAMPLES[name], Home(tmp_path)
    example.lay_out(home.path / "exports", None)
    shutil.copy(example.config, home.config)
    last = example.last_date
    build_days(home, example.first_date, last, is_published=True)
    report = read_report(home.settings, last)
    assert report.diagnosis
    assert report.diagnosis.findings, "a break was planted"
    assert print_report(home.settings, last).failures == ()


def test_the_money_is_that_of_the_documents(built: Built) -> None:
    def total(lines: list[dict[str, Any]]) -> Decimal:
        return sum((Decimal(line["price"]) * line["quantity"] for line in lines), Decimal(0))

    documents = built.list_documents()
    paid = [document for document in documents if document["processed_at"]]
    refunds = [refund for document in documents for refund in document["refunds"]]
    by_type = (
        "select event_type, count(*), count(distinct order_id), sum(amount), sum(shipping_amount) "
        "from staging.order_events where event_type != 'refunded' group by event_type order by event_type"
    )
    assert built.warehouse.rows(by_type) == [
        (
            event_type,
            sum(len(document["line_items"]) for document in orders),
            len(orders),
            sum((total(document["line_items"]) for document in orders), Decimal(0)),
            len(orders) * Decimal("4.90"),
        )
        for event_type, orders in (("created", documents), ("paid", paid))
    ]
    if built.example.name == "ga4_shopify":
        refunded = "select count(*), sum(amount) from staging.order_events where event_type = 'refunded'"
        subtotals = [Decimal(item["subtotal"]) for refund in refunds for item in refund["refund_line_items"]]
        assert built.warehouse.rows(refunded) == [(len(refunds), sum(subtotals))]


def test_the_steps_are_those_of_the_exports(built: Built) -> None:
    if built.example.name == "helpdesk":
        files = sorted((built.home.path / "exports").glob("gorgias_*.jsonl"))
        tickets = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        presale = sum(ticket["tags"] == [{"name": "presale"}] for ticket in tickets)
        chats = 2 * helpdesk.CHATS_PER_DAY * len(files)  # of Zendesk and Intercom, without a topic
        assert built.warehouse.value("select sum(inquiries) from marts.inquiry_cube") == presale + chats
        return
    sessions: dict[str, set[tuple[str, int]]] = {}
    for file in sorted((built.home.path / "exports").glob("events_*.parquet")):
        for event in pq.read_table(file, columns=["event_name", "user_pseudo_id", "event_params"]).to_pylist():
            (session,) = [p["value"]["int_value"] for p in event["event_params"] if p["key"] == "ga_session_id"]
            sessions.setdefault(event["event_name"], set()).add((event["user_pseudo_id"], session))
    counted = (
        "select event_type, count(distinct session_id) from staging.page_events "
        "where event_type in ('product_view', 'add_to_cart', 'checkout_start') group by event_type"
    )
    assert dict(built.warehouse.rows(counted)) == {
        ours: len(sessions[theirs])
        for ours, theirs in (
            ("product_view", "view_item"),
            ("add_to_cart", "add_to_cart"),
            ("checkout_start", "begin_checkout"),
        )
    }


def test_what_breaks_is_found_with_its_first_day_and_nothing_before(built: Built) -> None:
    named = {
        "ga4_shopify": ("checkout", {"device": "mobile"}),
        "helpdesk": ("paid_inquiry", {"team": helpdesk.BROKEN_TEAM}),
    }
    (step, named_slice, since), *_ = built.list_findings(built.last_date)
    assert (step, json.loads(named_slice), since) == (*named[built.example.name], built.broken_from)
    assert built.list_findings(built.broken_from - timedelta(days=1)) == []


@pytest.mark.parametrize("name", ["taobao", "douyin"])
def test_what_a_platform_states_shows_what_breaks_from_its_first_day_on(name: str, tmp_path: Path) -> None:
    example, home = EXAMPLES[name], Home(tmp_path)
    example.lay_out(home.path / "exports", None)
    shutil.copy(example.config, home.config)
    build_days(home, example.first_date, example.last_date, is_published=True)
    faults = json.loads((home.path / "truth.json").read_text(encoding="utf-8"))["faults"]
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        found = warehouse.rows(
            "select business_date, step, slice::JSON->>'object', since_date from diagnosis.findings "
            "where status != 'recovered'"
        )
    for fault in faults:
        since = date.fromisoformat(fault["from_date"])
        named = {day: each for day, step, thing, each in found if (step, thing) == (fault["step"], fault["object"])}
        assert (min(named), set(named.values())) == (since, {since}), fault
        assert example.last_date in named
    assert {(step, thing) for _, step, thing, _ in found} == {(fault["step"], fault["object"]) for fault in faults}
