"""Each planted fault does what its kind says, to its own slice and to nothing else, and its loss is known exactly."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from funnelscope.simulator import FAULT_KINDS, Fault, SimulatedPromotion, simulate
from pipelines.cli.app import app

BEGINS = date(2026, 5, 4)
DAYS = 5
SLICES: dict[str, Mapping[str, str]] = {
    "creative_mismatch": {"campaign": "feed_ads_c2"},
    "slow_first_screen": {"landing_page": "item_0001", "device": "android"},
    "broken_coupon": {"coupon": "WELCOME10"},
    "late_answers": {"team": "team_late"},
    "bad_reviews": {"product_id": "P0001"},
    "bot_flood": {"channel": "affiliate"},
    "payment_outage": {"payment_provider": "wechat_pay", "device": "android"},
    "tracking_lost": {"region": "zhejiang"},
    "care_stopped": {},
    "promotion_moved": {},
    "mix_shift": {"channel": "feed_ads"},
    "rows_multiplied": {"family": "service"},
    "day_without_rows": {"family": "traffic"},
    "day_ends_at_noon": {"family": "page"},
    "cents_for_units": {},
    "currency_changed": {},
    "one_customer": {},
    "clock_ahead": {"family": "service"},
    "clock_behind": {"family": "service"},
}
OF_FILES = {kind for kind, rules in FAULT_KINDS.items() if rules.bend}
LOSSLESS = {"bot_flood", "tracking_lost", "promotion_moved", "mix_shift"} | OF_FILES
OTHER_DAYS = {"promotion_moved", "mix_shift"}  # people are drawn anew: nothing can be subtracted


def planted(kind: str, **changes: Any) -> Fault:
    return Fault(kind=kind, slice=SLICES[kind], from_date=BEGINS, **changes)


class Run:
    """A simulated shop: its truth, and SQL over its landing files from the fault's first day on."""

    def __init__(self, folder: Path, faults: list[Fault], **changes: Any) -> None:
        wanted = {"days": DAYS, "sessions_per_day": 5000, "seed": 3, "history_days": 25}
        self.truth = json.loads(simulate(out=folder, faults=faults, **(wanted | changes)).read_text())
        self.days: dict[str, Any] = self.truth["days"]
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        for family in ("traffic", "page", "service", "order"):
            files = f"{folder}/landing/{family}/dt=*/*.parquet"
            read = f"read_parquet('{files}', union_by_name = true, hive_partitioning = true)"
            self.connection.execute(f"create view {family}_events as from {read}")
        self.connection.execute(
            "create view session as select session_id, dt, channel, campaign, landing_page, device, region "
            "from traffic_events where event_type = 'visit' and not is_bot"
        )

    def count(self, query: str) -> float:
        """The one number of `select count(*)` from a query; `{since}` limits it to the days of the fault."""
        rows = self.connection.execute("select count(*) " + query.format(since=f"dt >= '{BEGINS}'")).fetchall()
        return float(rows[0][0])

    def number(self, query: str) -> float:
        return float(self.connection.execute(query.format(since=f"dt >= '{BEGINS}'")).fetchall()[0][0])


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("clean"), [])


@pytest.fixture(scope="module", params=list(FAULT_KINDS))
def faulty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    last = BEGINS if request.param == "promotion_moved" else None
    return Run(tmp_path_factory.mktemp(request.param), [planted(request.param, to_date=last)])


# What must shrink or grow, inside the slice: a query over the days of the fault, and the factor that the kind promises.
IN_CAMPAIGN = "from page_events join session using (session_id, dt) where {since} and campaign = 'feed_ads_c2'"
ON_SLOW_PAGE = (
    "from page_events join session using (session_id, dt) "
    "where {since} and landing_page = 'item_0001' and device = 'android'"
)
IN_REGION = "from page_events join session using (session_id, dt) where {since} and region = 'zhejiang'"
EFFECTS = {
    "creative_mismatch": [
        (f"from (select distinct session_id {IN_CAMPAIGN} and event_type = 'add_to_cart')", 0.55, 0.12),
        (f"from (select distinct session_id {IN_CAMPAIGN})", 1, 0),
        ("from traffic_events where {since} and event_type = 'click' and campaign = 'feed_ads_c2'", 1, 0),
    ],
    "slow_first_screen": [
        (f"from (select distinct session_id {ON_SLOW_PAGE} and (dwell_ms >= 3000 or sku is not null))", 0.75, 0.10),
        (f"from (select distinct session_id {ON_SLOW_PAGE})", 1, 0),
    ],
    "broken_coupon": [
        ("from (select distinct order_id from order_events where {since} and event_type = 'created' and line = '1' "
         "and coupon = 'WELCOME10' and sales_channel != 'phone')", 0.4, 0.12),
        ("from page_events where {since} and event_type = 'coupon_error' and coupon != 'WELCOME10'", 1, 0),
        ("from page_events where {since} and event_type = 'checkout_start'", 1, 0),
    ],
    "late_answers": [
        ("from service_events where {since} and event_type = 'agent_message' and team = 'team_early'", 1, 0.001),
    ],
    "bad_reviews": [
        ("from (select distinct session_id from page_events where {since} and product_id = 'P0001' "
         "and event_type = 'add_to_cart')", 0.6, 0.1),
        ("from page_events where {since} and product_id != 'P0001' and event_type = 'add_to_cart'", 1, 0),
    ],
    "bot_flood": [
        ("from session where {since} and channel = 'affiliate'", 2.5, 0.15),
        ("from session where {since} and channel != 'affiliate'", 1, 0),
        ("from order_events where {since}", 1, 0),
    ],
    "payment_outage": [
        ("from (select distinct order_id from order_events where {since} and event_type = 'created')", 1, 0),
        ("from (select distinct order_id from order_events where {since} and event_type = 'paid' "
         "and payment_provider = 'alipay')", 1, 0),
    ],
    "tracking_lost": [
        (f"{IN_REGION} and event_type in ('add_to_cart', 'favorite')", 0.1, 0.05),
        (f"{IN_REGION} and event_type = 'checkout_start'", 1, 0),
    ],
    "care_stopped": [
        ("from service_events where {since} and event_type in ('care_sent', 'care_opened')", 0, 0),
        ("from service_events where {since} and event_type = 'customer_message' and topic = 'aftersale'", 1, 0.05),
    ],
    "promotion_moved": [
        (f"from session where dt = '{BEGINS}'", 3, 0.1),
        (f"from page_events where dt = '{BEGINS}' and event_type = 'add_to_cart'", 4.8, 0.8),
        (f"from session where dt = '{BEGINS + timedelta(days=1)}'", 1, 0.02),
    ],
    "mix_shift": [
        ("from session where {since} and channel = 'feed_ads'", 2, 0.1),
        ("from session where {since} and channel != 'feed_ads'", 1, 0.05),
    ],
    "rows_multiplied": [
        ("from service_events where {since}", 100, 0),
        ("from (select distinct event_id from service_events where {since})", 100, 0),
        ("from (select distinct conversation_id from service_events where {since} "
         "and conversation_id is not null)", 100, 0),
        ("from order_events where {since}", 1, 0),
    ],
    "day_without_rows": [
        ("from traffic_events where {since}", 0, 0),
        ("from page_events where {since}", 1, 0),
    ],
    "day_ends_at_noon": [
        ("from page_events where {since} and hour(event_time) between 4 and 15", 0, 0),  # at noon it is 4:00 UTC
        ("from page_events where {since} and hour(event_time) not between 4 and 15", 1, 0),
    ],
    "cents_for_units": [
        (f"from range((select sum(amount)::BIGINT from order_events where dt >= '{BEGINS}'))", 100, 0.01),
        (f"from range((select sum(amount)::BIGINT from order_events where dt < '{BEGINS}'))", 1, 0),
    ],
    "currency_changed": [
        (f"from range((select sum(amount)::BIGINT from order_events where dt >= '{BEGINS}'))", 7.2, 0.01),
    ],
    "one_customer": [
        ("from order_events where {since} and event_type = 'created'", 1, 0),
    ],
    "clock_ahead": [
        ("from service_events where {since}", 1, 0),
    ],
    "clock_behind": [
        ("from service_events where {since}", 1, 0),
    ],
}  # fmt: skip


def kind_of(run: Run) -> str:
    return str(run.truth["faults"][0]["kind"])


def test_each_fault_moves_its_own_slice_by_its_strength(clean: Run, faulty: Run) -> None:
    for query, factor, tolerance in EFFECTS[kind_of(faulty)]:
        before, after = clean.count(query), faulty.count(query)
        assert before > 0, query
        assert after / before == pytest.approx(factor, abs=tolerance), f"{query}: {before} became {after}"


def test_what_a_fault_took_is_what_is_missing_every_day(clean: Run, faulty: Run) -> None:
    if kind_of(faulty) in OTHER_DAYS:
        return
    total = 0
    for day, after in faulty.days.items():
        before = clean.days[day]
        if "lost_to_faults" not in after:
            assert after == before
            continue
        lost = after["lost_to_faults"]
        total += lost["paid_cents"]
        assert lost["orders"] == before["orders_created"] - after["orders_created"]
        assert lost["paid_orders"] == before["paid_orders"] - after["paid_orders"]
        assert lost["paid_cents"] == before["money_cents"]["paid_amount"] - after["money_cents"]["paid_amount"]
        told = faulty.truth["faults"][0]["days"].get(day)
        if told:
            assert (told["lost_orders"], told["lost_cents"]) == (lost["orders"], lost["paid_cents"])
    assert (total == 0) == (kind_of(faulty) in LOSSLESS)


def test_each_fault_shows_as_plainly_as_its_strength(faulty: Run) -> None:
    fault = faulty.truth["faults"][0]
    for effect in fault["days"].values():
        if not fault["stage"]:
            assert "z_one_day" not in effect
            continue
        assert 0 <= effect["lost"] <= effect["expected"] <= effect["entered"]
        assert (effect["z_one_day"] > 1) == (effect["lost"] > 3)
    assert next(iter(fault["days"])) == str(BEGINS)


def test_files_of_an_export_whose_clock_is_off_hold_the_same_events_hours_away(clean: Run, tmp_path: Path) -> None:
    for kind, hours in (("clock_ahead", 8), ("clock_behind", -8)):
        run = Run(tmp_path / kind, [planted(kind)])
        run.connection.execute(f"attach ':memory:' as other; create table other.clean as {all_service(clean)}")
        moved = run.connection.execute(
            f"select distinct date_diff('hour', clean.event_time, own.event_time) from ({all_service(run)}) as own "
            "inner join other.clean as clean using (event_id)"
        ).fetchall()
        assert moved == [(hours,)]
        assert run.truth["faults"][0]["expected"] == "data"


def all_service(run: Run) -> str:
    """SQL of every service event since the fault began, as values: a connection knows only its own files."""
    rows = run.connection.execute(
        f"select event_id, event_time::VARCHAR from service_events where dt >= '{BEGINS}'"
    ).fetchall()
    values = ", ".join(f"('{event_id}', '{at}'::TIMESTAMPTZ)" for event_id, at in rows)
    return f"select * from (values {values}) as events (event_id, event_time)"


def test_orders_of_one_customer_are_all_of_one(tmp_path: Path) -> None:
    run = Run(tmp_path, [planted("one_customer")], sessions_per_day=400)
    assert run.count("from (select distinct customer_id, visitor_id from order_events where {since})") == 1
    assert run.count(f"from (select distinct customer_id from order_events where dt < '{BEGINS}')") > 10


def test_a_slow_service_answers_late_in_its_own_shift(clean: Run, tmp_path: Path) -> None:
    late = Run(tmp_path, [planted("late_answers")])
    median = (
        "select median(seconds) from (select date_diff('second', "
        "min(event_time) filter (event_type = 'customer_message'), "
        "min(event_time) filter (event_type = 'agent_message' and message_id like '%3')) as seconds "
        "from service_events where {since} and topic = 'presale' and team = 'team_late' group by conversation_id)"
    )
    assert 15 < clean.number(median) < 40
    assert late.number(median) == pytest.approx(7.2 * clean.number(median), rel=0.1)


def test_bad_stars_come_days_before_the_carts_fall(clean: Run, tmp_path: Path) -> None:
    bad = Run(tmp_path, [planted("bad_reviews")])
    stars = (
        "select avg(rating) from order_events "
        "where event_type = 'reviewed' and product_id = 'P0001' and dt between '{}' and '{}'"
    )
    before = stars.format(BEGINS - timedelta(days=3), BEGINS - timedelta(days=1))
    assert bad.number(before) < clean.number(before) - 1.5
    earlier = stars.format(BEGINS - timedelta(days=20), BEGINS - timedelta(days=4))
    assert bad.number(earlier) == clean.number(earlier)
    day = str(BEGINS - timedelta(days=1))
    assert bad.days[day]["product_views"] == clean.days[day]["product_views"]


def test_a_page_gets_slow_before_it_loses_people(clean: Run, tmp_path: Path) -> None:
    slow = Run(tmp_path, [planted("slow_first_screen")])
    day = str(BEGINS - timedelta(days=1))
    median = f"select median(first_screen_ms) {ON_SLOW_PAGE}".replace("{since}", f"dt = '{day}'")
    assert slow.number(median) > 1.3 * clean.number(median)
    assert slow.days[day]["observed"] == clean.days[day]["observed"]


def test_a_refused_payment_leaves_an_order_and_an_error(clean: Run, tmp_path: Path) -> None:
    broken = Run(tmp_path, [planted("payment_outage")])
    failed = "from page_events where {since} and event_type = 'payment_failed' and error_code = 'PAYMENT_TIMEOUT'"
    lost = sum(day["lost_paid_orders"] for day in broken.truth["faults"][0]["days"].values())
    assert broken.count(failed) - clean.count(failed) >= lost > 10


@pytest.mark.slow
def test_customers_without_care_buy_less_in_the_month_after(tmp_path: Path) -> None:
    size = {"days": 26, "sessions_per_day": 2500, "history_days": 40}
    clean = Run(tmp_path / "clean", [], **size)
    silent = Run(tmp_path / "silent", [planted("care_stopped")], **size)
    last_week = list(clean.days)[-7:]
    bought = [sum(run.days[day]["purchased_customers"] for day in last_week) for run in (clean, silent)]
    assert 0.6 < bought[1] / bought[0] < 0.95
    assert sum(silent.days[day]["care_sent"] for day in last_week) == 0


def test_a_sale_may_open_on_the_evening_before(tmp_path: Path) -> None:
    sales = [SimulatedPromotion(day=0), SimulatedPromotion(day=12, shift_hours=-4)]
    run = Run(tmp_path, [], days=22, sessions_per_day=600, history_days=1, promotions=sales)
    opening = date(2026, 5, 1) + timedelta(days=12 + 6)
    calendar = (tmp_path / "calendar.yaml").read_text()
    assert f"from: {opening - timedelta(days=1)} 20:00:00" in calendar
    evening = (
        "from session join (select session_id, event_time from traffic_events where event_type = 'visit') "
        "using (session_id) where dt = '{}' and hour(event_time) >= 12"
    )
    shares = [
        run.count(evening.format(day)) / run.count(f"from session where dt = '{day}'")
        for day in (opening - timedelta(days=1), opening + timedelta(days=3))
    ]
    assert shares[0] > 1.15 * shares[1]
    assert run.days[str(opening - timedelta(days=1))]["money_cents"]["presale_balance"] > 0


def test_the_help_names_every_kind_and_its_slice() -> None:
    text = CliRunner().invoke(app, ["simulate", "--help"]).output
    for kind, rules in FAULT_KINDS.items():
        assert kind in text
        assert all(dimension in text for dimension in rules.dimensions)


def test_the_documentation_names_every_kind_and_its_slice() -> None:
    lines = (Path(__file__).parents[1] / "docs" / "simulator.md").read_text().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    for kind, rules in FAULT_KINDS.items():
        assert all(f"`{dimension}`" in rows[kind] for dimension in rules.dimensions)
