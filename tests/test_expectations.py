"""Every expectation fails on the fault that it is for, is silent on a sound shop, and is told by day and by slice."""

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from shop_helpers import HISTORY_DAYS, OPENING, build_days, day, one_file_a_day, open_shop, simulated_shop

from funnelscope.messages.wording import translate_message
from funnelscope.quality import gate
from funnelscope.quality.expectations import load_suites
from funnelscope.quality.expectations.frames import build_slice_frame, read_row_frames
from funnelscope.quality.expectations.judgements import Judge, Judgement, _observe_rows
from funnelscope.quality.expectations.measure_baseline import DayCalendar, compute_baseline
from funnelscope.quality.expectations.suites import Measure, Scale, Suite
from funnelscope.settings import Promotion, Settings
from funnelscope.settings.yaml_source import SettingsError
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

LAST = day(3)
DAY = f"date '{LAST}'"
HERE = f"business_date = {DAY}"
ORDINARY = DayCalendar(())
PAIRS = "expect_column_pair_values_a_to_be_greater_than_b"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shop of three days; what was measured on the last one stands for five weeks before it, too."""
    home = simulated_shop(tmp_path_factory.mktemp("shop"), days=3, history_days=HISTORY_DAYS, sessions_per_day=400)
    one_file_a_day(home)
    build_days(home, OPENING, LAST)
    return home.settings


@pytest.fixture(scope="module")
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    with open_shop(settings) as shop:
        gate.create_tables(shop.warehouse)
        gate.run_expectations(shop.warehouse, settings, LAST, LAST)
        invent_history(shop.warehouse)
        yield shop.warehouse


def invent_history(warehouse: Warehouse) -> None:
    """Five weeks like the last day, but for slices ten times as large: they count from 20 rows on."""
    for table in ("measures", "slice_volumes"):
        warehouse.execute(f"delete from quality.{table} where business_date < {DAY}")
        warehouse.execute(
            f"insert into quality.{table} by name "
            "select (business_date - back)::DATE as business_date, * exclude (business_date, back) "
            f"from quality.{table} cross join (select unnest(range(1, 36))::INTEGER as back) where {HERE}"
        )
    warehouse.execute(f"update quality.slice_volumes set volume = 10 * volume where business_date < {DAY}")


def judge_last_day(warehouse: Warehouse, settings: Settings, only: tuple[str, str]) -> dict[tuple[str, str], bool]:
    """(table, name) → whether it is fulfilled on the last day, of one expectation."""
    suites = [
        replace(suite, expectations=tuple(each for each in suite.expectations if each.name == only[1]))
        for suite in JUDGE.suites_of(settings)
        if suite.table == only[0]
    ]
    judged = JUDGE.of(warehouse, settings, suites)
    return {(each.expectation.table, each.expectation.name): each.is_passed for each in judged}


class _Judge:
    """One Great Expectations for all tests, and one reading of the suites: making them costs seconds."""

    def __init__(self) -> None:
        self.made: Judge | None = None
        self.suites: dict[Path, tuple[Suite, ...]] = {}

    def suites_of(self, settings: Settings) -> tuple[Suite, ...]:
        if settings.home not in self.suites:
            self.suites[settings.home] = load_suites(settings)
        return self.suites[settings.home]

    def of(self, warehouse: Warehouse, settings: Settings, suites: list) -> list[Judgement]:
        from funnelscope.quality.expectations import _build_frames

        self.made = self.made or Judge()
        return [
            judgement
            for suite in suites
            for frame, data in _build_frames(warehouse, suite, [LAST], DayCalendar(settings.calendar))
            for judgement in self.made.judge(suite.of(frame), data)[0]
        ]


JUDGE = _Judge()


def test_configurations_that_are_kept_change_no_judgement(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = [
        suite for suite in JUDGE.suites_of(settings) if suite.table in ("staging.order_events", "marts.landing_cube")
    ]
    kept = JUDGE.of(warehouse, settings, suites)
    monkeypatch.setattr("funnelscope.quality.expectations.judgements.kept_configurations", nullcontext)
    assert JUDGE.of(warehouse, settings, suites) == kept


# --- Every expectation can fail ----------------------------------------------------------------------

EVENTS = ("traffic", "page", "service", "order")
CUBES = ("arrival", "landing", "decision", "product", "checkout", "payment", "inquiry", "repurchase")


def multiplied(table: str, doublings: int) -> str:
    return "; ".join(f"insert into {table} select * from {table} where {HERE}" for _ in range(doublings))


def of_one(table: str, change: str, condition: str = "true") -> str:
    return f"update {table} set {change} where {HERE} and ({condition})"


def step_over(table: str, larger: str, smaller: str) -> str:
    return of_one(table, f"{smaller} = {larger} + 1")


def rate_above_one(table: str, passed: str, entered: str) -> str:
    return of_one(table, f"{passed} = {entered} * 2 + 1")


FAULTS: dict[tuple[str, str], str] = {
    **{
        (f"raw.{family}_events", "rows_are_accounted_for"): f"delete from raw.{family}_events where dt = {DAY}"
        for family in EVENTS
    },
    **{
        (f"raw.{family}_events", "columns_are_still_there"): (
            "update quality.deliveries set delivered_columns = delivered_columns[2:] "
            f"where family = '{family}' and dt = {DAY}"
        )
        for family in EVENTS
    },
    **{
        (f"raw.{family}_events", "no_column_is_new"): (
            "update quality.deliveries set delivered_columns = list_append(delivered_columns, 'colour VARCHAR') "
            f"where family = '{family}' and dt = {DAY}"
        )
        for family in EVENTS
    },
    **{(f"staging.{family}_events", "volume_is_usual"): multiplied(f"staging.{family}_events", 4) for family in EVENTS},
    **{
        (f"staging.{family}_events", "volume_keeps_its_scale"): multiplied(f"staging.{family}_events", 5)
        for family in EVENTS
    },
    **{
        (f"staging.{family}_events", "clocks_are_as_usual"): (
            f"update staging.{family}_events set local_hour = (local_hour + 9) % 24 where {HERE}"
        )
        for family in EVENTS
    },
    **{
        (f"staging.{family}_events", "last_event_is_as_late_as_usual"): (
            # Of a small shop; one order too early is no longer enough.
            f"delete from staging.{family}_events where {HERE} and local_hour > 11; "
            "update quality.slice_volumes set volume = 40 * volume where table_name like '% by hour' "
            f"and business_date < {DAY} and try_cast(value as INTEGER) > 11"
        )
        for family in EVENTS
    },
    **{
        (f"staging.{family}_events", "people_are_named_as_usual"): of_one(
            f"staging.{family}_events", "visitor_id = null, customer_id = null"
        )
        for family in EVENTS
    },
    ("staging.traffic_events", "nothing_is_gone"): f"delete from staging.traffic_events where {HERE} and "
    "region = (select region from staging.traffic_events where region is not null group by all "
    "order by count(*) desc limit 1)",
    ("staging.page_events", "nothing_is_gone"): f"delete from staging.page_events where {HERE} "
    "and event_type = 'page_leave'",
    ("staging.service_events", "nothing_is_gone"): f"delete from staging.service_events where {HERE} "
    "and event_type = 'customer_message'",
    ("staging.order_events", "nothing_is_gone"): f"delete from staging.order_events where {HERE} "
    "and event_type = 'created'",
    ("staging.traffic_events", "channels_are_named_as_usual"): of_one("staging.traffic_events", "channel = null"),
    ("staging.traffic_events", "clicks_carry_ids_as_usual"): of_one("staging.traffic_events", "click_id = null"),
    ("staging.traffic_events", "quantities_are_plausible"): of_one("staging.traffic_events", "quantity = 2000000000"),
    ("staging.traffic_events", "costs_are_plausible"): of_one("staging.traffic_events", "cost = 200000000"),
    ("staging.page_events", "robots_are_as_many_as_usual"): of_one("staging.page_events", "is_bot = true"),
    ("staging.page_events", "stays_are_measured_as_usual"): of_one("staging.page_events", "dwell_ms = null"),
    ("staging.page_events", "scrolls_are_shares"): of_one("staging.page_events", "scroll_ratio = scroll_ratio * 100"),
    ("staging.page_events", "stays_end_within_a_day"): of_one("staging.page_events", "dwell_ms = 86400001"),
    ("staging.page_events", "first_screens_take_less_than_ten_minutes"): of_one(
        "staging.page_events", "first_screen_ms = 600001"
    ),
    ("staging.page_events", "product_views_name_a_product"): of_one("staging.page_events", "product_id = null"),
    ("staging.service_events", "ratings_are_stars"): of_one("staging.service_events", "rating = 6"),
    ("staging.service_events", "messages_belong_to_a_conversation"): of_one(
        "staging.service_events", "conversation_id = null"
    ),
    ("staging.order_events", "payments_have_amounts_as_usual"): of_one("staging.order_events", "amount = null"),
    ("staging.order_events", "orders_are_named"): of_one("staging.order_events", "order_id = null"),
    ("staging.order_events", "ratings_are_stars"): of_one("staging.order_events", "rating = 0"),
    ("staging.order_events", "amounts_are_plausible"): of_one("staging.order_events", "amount = 200000000"),
    ("staging.order_events", "quantities_are_plausible"): of_one("staging.order_events", "quantity = 2000000"),
    **{(f"marts.{cube}_cube", "volume_is_usual"): multiplied(f"marts.{cube}_cube", 4) for cube in CUBES},
    **{(f"marts.{cube}_cube", "volume_keeps_its_scale"): multiplied(f"marts.{cube}_cube", 7) for cube in CUBES},
    ("marts.arrival_cube", "arrival_rate_is_a_share"): rate_above_one(
        "marts.arrival_cube", "arrived_clicks", "identified_clicks"
    ),
    ("marts.landing_cube", "landing_rate_is_a_share"): rate_above_one(
        "marts.landing_cube", "reached_qualified_product_view", "sessions"
    ),
    ("marts.decision_cube", "decision_rate_is_a_share"): rate_above_one(
        "marts.decision_cube", "reached_paid", "sessions"
    ),
    ("marts.product_cube", "qualified_rate_is_a_share"): rate_above_one("marts.product_cube", "qualified", "viewed"),
    ("marts.checkout_cube", "order_rate_is_a_share"): rate_above_one("marts.checkout_cube", "ordered", "checkouts"),
    ("marts.payment_cube", "paid_rate_is_a_share"): rate_above_one("marts.payment_cube", "paid", "orders"),
    ("marts.inquiry_cube", "answer_rate_is_a_share"): rate_above_one("marts.inquiry_cube", "answered", "inquiries"),
    ("marts.repurchase_cube", "repurchase_rate_is_a_share"): rate_above_one(
        "marts.repurchase_cube", "purchased", "active_customers"
    ),
    ("marts.arrival_cube", "channels_are_known_as_usual"): of_one("marts.arrival_cube", "channel = 'unknown'"),
    ("marts.landing_cube", "stays_are_measured_as_usual"): of_one("marts.landing_cube", "measured_sessions = 0"),
    ("marts.landing_cube", "nothing_is_gone"): of_one("marts.landing_cube", "device = 'other'", "device = 'android'"),
    ("marts.decision_cube", "nothing_is_gone"): of_one("marts.decision_cube", "device = 'x'", "device = 'android'"),
    ("marts.product_cube", "nothing_is_gone"): of_one("marts.product_cube", "category = 'other'"),
    ("marts.payment_cube", "nothing_is_gone"): of_one("marts.payment_cube", "payment_provider = 'other'"),
    ("marts.inquiry_cube", "nothing_is_gone"): of_one("marts.inquiry_cube", "team = 'other'"),
    ("marts.repurchase_cube", "nothing_is_gone"): of_one("marts.repurchase_cube", "recency = 'other'"),
    ("marts.funnel_steps", "seen_steps_are_reached"): of_one("marts.funnel_steps", "observed = reached + 1"),
    ("marts.funnel_steps", "counts_are_not_negative"): of_one("marts.funnel_steps", "observed = -1"),
    ("marts.funnel_steps", "nothing_is_gone"): of_one("marts.funnel_steps", "observed = 0", "step = 'three_seconds'"),
    ("marts.daily_summary", "session_rate_is_a_share"): of_one("marts.daily_summary", "same_day_session_rate = 1.1"),
    ("marts.daily_summary", "standardised_rate_is_a_share"): of_one(
        "marts.daily_summary", "standardised_session_rate = -0.1"
    ),
    ("marts.daily_metrics", "rates_are_shares"): of_one("marts.daily_metrics", "value = 1.5"),
    ("marts.daily_metrics", "nothing_is_gone"): f"delete from marts.daily_metrics where {HERE} and metric = 'visitors'",
    ("marts.daily_money", "payments_are_not_negative"): of_one("marts.daily_money", "payments = -1"),
    ("marts.daily_money", "nothing_is_gone"): of_one("marts.daily_money", "money_class = 'excluded'"),
}


def built_in() -> list[tuple[str, str]]:
    everything = Settings.model_validate(
        {"shop": "x", "start_date": OPENING, "sources": [{"family": family} for family in EVENTS]}
    )
    return [(each.table, each.name) for suite in load_suites(everything) for each in suite.expectations]


def steps_in_order() -> dict[tuple[str, str], str]:
    """Expectations that one count is at most another are broken alike: the part is made larger than the whole."""
    everything = Settings.model_validate({"shop": "x", "start_date": OPENING})
    return {
        (each.table, each.name): step_over(each.table, each.arguments["column_A"], each.arguments["column_B"])
        for suite in load_suites(everything)
        for each in suite.expectations
        if each.type == PAIRS and (each.table, each.name) not in FAULTS
    }


ALL_FAULTS = FAULTS | steps_in_order()


def test_there_is_a_fault_for_every_expectation_and_no_other() -> None:
    assert sorted(ALL_FAULTS) == sorted(built_in())


def test_a_sound_day_fulfils_every_expectation(warehouse: Warehouse, settings: Settings) -> None:
    judged = JUDGE.of(warehouse, settings, list(load_suites(settings)))
    assert sorted((each.expectation.table, each.expectation.name) for each in judged) == sorted(built_in())
    assert [each for each in judged if not each.is_passed] == []


@pytest.mark.parametrize("broken", ALL_FAULTS, ids=lambda key: " ".join(key))
def test_every_expectation_fails_on_the_fault_that_it_is_for(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, str]
) -> None:
    monkeypatch.setattr("funnelscope.quality.expectations.frames._replace_days", replace_within_transaction)
    warehouse.execute("begin transaction")
    try:
        for statement in ALL_FAULTS[broken].split("; "):
            warehouse.execute(statement)
        assert judge_last_day(warehouse, settings, broken)[broken] is False
    finally:
        warehouse.execute("rollback")


def test_a_delivery_without_rows_loses_no_columns(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = ("raw.order_events", "columns_are_still_there")
    monkeypatch.setattr("funnelscope.quality.expectations.frames._replace_days", replace_within_transaction)
    warehouse.execute("begin transaction")
    try:
        warehouse.execute(FAULTS[only])
        warehouse.execute(f"update quality.deliveries set rows_read = 0 where family = 'order' and dt = {DAY}")
        assert judge_last_day(warehouse, settings, only) == {only: True}
    finally:
        warehouse.execute("rollback")


def test_a_metric_that_is_gone_is_told_by_its_name_and_derived_stays_may_go(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funnelscope.quality.expectations.frames._replace_days", replace_within_transaction)
    (suite,) = (each for each in JUDGE.suites_of(settings) if each.table == "marts.daily_metrics")
    wanted = replace(suite, expectations=tuple(each for each in suite.expectations if each.name == "nothing_is_gone"))

    def judge_without(metric: str) -> Judgement:
        warehouse.execute(
            f"insert into quality.slice_volumes select * replace ('{metric}' as value) from quality.slice_volumes "
            f"where table_name = 'marts.daily_metrics' and value = 'landing_rate' and business_date < {DAY}"
        )
        (judgement,) = JUDGE.of(warehouse, settings, [wanted])
        return judgement

    warehouse.execute("begin transaction")
    try:
        assert judge_without("derived_stay_share").is_passed
        warehouse.execute(f"delete from marts.daily_metrics where metric = 'return_on_ad_spend' and {HERE}")
        gone = judge_without("return_on_ad_spend")
        assert not gone.is_passed
        assert gone.found.observed_text == "Return on ad spend: no value"
        assert "七个可比日" in translate_message(gone.found.expected, "zh")
        assert "return_on_ad_spend" not in translate_message(gone.found.observed, "zh")
    finally:
        warehouse.execute("rollback")


def test_a_metric_that_rests_on_a_few_may_rest_on_nobody_by_chance(warehouse: Warehouse, settings: Settings) -> None:
    (suite,) = (each for each in JUDGE.suites_of(settings) if each.table == "marts.daily_metrics")
    volumes = dict(
        warehouse.rows(
            f"select metric, {suite.slice_volume} from (values "
            "('rate', 0.5, 30, 60, null), ('rate of few', 0.5, 3, 6, null), ('rate of nobody', null, 0, 0, null), "
            "('count', 12, 12, null, null), ('no count', 0, 0, null, null), ('stay', 2.5, 400, null, 2), "
            "('unknown', null, null, null, null)) as t(metric, value, numerator, denominator, median) group by metric"
        )
    )
    assert volumes == {
        **{"rate": 20, "rate of few": 6, "rate of nobody": 1, "count": 12, "no count": 1, "stay": 20, "unknown": 0}
    }


def test_an_example_names_no_value_that_is_missing(settings: Settings) -> None:
    import pandas

    (names,) = (
        each
        for suite in JUDGE.suites_of(settings)
        for each in suite.expectations
        if each.name == "product_views_name_a_product"
    )
    rows = pandas.DataFrame({"product_id": [None, "p1"], "event_type": "product_view"})
    assert _observe_rows(names, rows, 2, 9).observed_text == "2 of 9 rows"
    assert _observe_rows(names, rows[1:], 1, 9).observed_text == "1 of 9 rows, such as product_id p1"


def replace_within_transaction(warehouse: Warehouse, table: str, name: str, days: list[date], rows: list) -> None:
    from funnelscope.warehouse.bulk_insert import insert_rows

    warehouse.execute(f"delete from {table} where table_name = $name and {HERE}", name=name)
    insert_rows(warehouse, table, rows)


# --- What is written ---------------------------------------------------------------------------------


def test_results_and_slice_warnings_are_kept_by_day_and_data_docs_open_offline(
    warehouse: Warehouse, settings: Settings
) -> None:
    warehouse.execute("create or replace temp table kept as from marts.landing_cube")
    warehouse.execute(of_one("marts.landing_cube", "device = 'other'", "device = 'android'"))
    try:
        gate.run_expectations(warehouse, settings, LAST, LAST, built={"marts.landing_cube"})
    finally:
        warehouse.execute("delete from marts.landing_cube")
        warehouse.execute("insert into marts.landing_cube from kept")
    results = warehouse.rows(
        f"select table_name, check_name, severity, is_passed from quality.results where kind = 'expectation' and {HERE}"
    )
    assert sorted((table, name) for table, name, _, _ in results) == sorted(built_in())
    assert [row for row in results if not row[3]] == [("marts.landing_cube", "nothing_is_gone", "warn", False)]
    assert warehouse.rows(f"select dimension, value, observed from quality.slice_warnings where {HERE}") == [
        ("device", "android", "0")
    ]
    (verdict,) = gate.decide_verdicts(warehouse, settings, LAST, LAST)
    assert verdict.verdict == gate.Verdict.WARN
    assert [(reason.key, reason.subject) for reason in verdict.reasons] == [
        ("expectation", "marts.landing_cube: nothing_is_gone")
    ]
    index = (settings.data_docs / "index.html").read_text(encoding="utf-8")
    assert "nothing_is_gone" in index
    for page in settings.data_docs.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "<link" not in text
        assert page.name == "index.html" or f'href="{page.name}"' in index


def test_a_day_of_too_many_rows_is_sampled_by_its_ids_and_alike_each_time(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funnelscope.quality.expectations.frames.MAXIMUM_ROWS", 500)
    (suite,) = (suite for suite in load_suites(settings) if suite.table == "staging.page_events")
    everything = warehouse.value(f"select count(*) from staging.page_events where {HERE}")
    (first,), (second,) = (list(read_row_frames(warehouse, suite, [LAST])) for _ in range(2))
    assert first.sampled[LAST] == -(-everything // 500)
    assert 250 < len(first.data) < 1_000
    assert sorted(first.data["dwell_ms"].dropna()) == sorted(second.data["dwell_ms"].dropna())


def test_a_store_of_two_orders_a_day_is_not_gone_when_it_has_none_however_many_lines_they_had(
    settings: Settings,
) -> None:
    """A year of a grocer's baskets warned on nine days in ten when lines were counted."""
    (suite,) = (suite for suite in load_suites(settings) if suite.table == "staging.order_events")
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    first = date(2026, 6, 1)
    warehouse.execute(
        f"""
        create table staging.order_events as
        select
            date '{first}' + day::INTEGER as business_date,
            100 * day + line as event_id, 10 * day + line % 2 as order_id,
            'paid' as event_type, 'card' as payment_provider, if(day < 7, 'main street', 'station') as sales_channel
        from range(8) as days(day) cross join range(40) as lines(line)
        """
    )
    days = [first + timedelta(days=number) for number in range(8)]
    frame = build_slice_frame(warehouse, suite, days, DayCalendar(())).set_index("value")
    assert frame.loc["main street", ["volume", "usual_volume"]].tolist() == [0, 2]
    (rule,) = (each for each in suite.expectations if each.name == "nothing_is_gone")
    assert frame.query(rule.arguments["row_condition"]).empty


def test_nothing_is_gone_from_a_shop_that_is_closed_on_sundays_until_a_monday_is_empty(settings: Settings) -> None:
    (suite,) = (suite for suite in load_suites(settings) if suite.table == "staging.order_events")
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    monday = date(2026, 6, 1)
    days = [monday + timedelta(days=number) for number in range(15)]
    closed = [day for day in days if day.weekday() == 6]
    warehouse.execute(
        """
        create table staging.order_events as
        select day as business_date, number as event_id, number as order_id, 'paid' as event_type,
            'card' as payment_provider, 'web' as sales_channel
        from (select unnest($open::DATE[]) as day) cross join range(30) as numbers(number)
        """,
        open=[day for day in days[:-1] if day not in closed],
    )
    frame = build_slice_frame(warehouse, suite, days, DayCalendar(()))
    gone = frame[frame["volume"] == 0]
    assert set(gone["business_date"]) == {days[-1]}
    assert set(gone["value"]) == {"paid", "card", "web"}


# --- The shop's own ----------------------------------------------------------------------------------

OWN = """\
tables: [staging.page_events]
measures:
  searches: {sql: count(*) filter (event_type = 'search'), scale: ratio, least_spread: 0.1}
expectations:
  - {name: scrolls_are_shares, severity: off, reason: Our scrolls are pixels.}
  - {name: stays_end_within_a_day, severity: block, arguments: {mostly: 1}}
  - name: people_search
    frame: days
    type: expect_column_values_to_be_between
    arguments: {column: searches, min_value: 1}
    severity: warn
    reason: A shop without a search has a broken page.
    words: {en: People search, zh: 有人搜索}
  - name: some_screens
    type: expect_column_sum_to_be_between
    arguments: {column: first_screen_ms, min_value: 1}
    severity: warn
    reason: Screens are drawn.
  - name: misspelt
    type: expect_column_values_to_not_be_null
    arguments: {column: no_such_column}
    severity: warn
    reason: Nobody knows this column.
"""


def own(settings: Settings, folder: Path, text: str) -> Settings:
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    return settings.model_copy(update={"expectations": folder})


def test_a_shop_changes_switches_off_and_adds_expectations(
    warehouse: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    changed = own(settings, tmp_path, OWN)
    (suite,) = (suite for suite in load_suites(changed) if suite.table == "staging.page_events")
    by_name = {each.name: each for each in suite.expectations}
    assert "scrolls_are_shares" not in by_name
    assert by_name["stays_end_within_a_day"].severity == "block"
    assert by_name["stays_end_within_a_day"].arguments["max_value"] == 86_400_000
    judged = {each.expectation.name: each for each in JUDGE.of(warehouse, changed, [suite])}
    assert judged["people_search"].is_passed
    assert judged["some_screens"].is_passed
    assert not judged["misspelt"].is_passed
    assert "cannot be judged" in judged["misspelt"].found.observed_text
    assert translate_message(judged["misspelt"].found.observed, "zh").startswith("无法判断")
    words = {check.name: check.words for check in gate.list_checks(changed)}
    assert words["people_search"]["zh"] == "有人搜索"


MISTAKES = {
    "unknown table": ("tables: [staging.page_event]\n", ["line 1", "staging.page_event", "did you mean"]),
    "unknown key": (
        "tables: [staging.page_events]\nexpectations:\n  - {name: volume_is_usual, severty: block}\n",
        ["line 3", "severty", "did you mean 'severity'"],
    ),
    "unknown type": (
        "tables: [staging.page_events]\nexpectations:\n  - {name: volume_is_usual, type: expect_colum_to_exist}\n",
        ["line 3", "expect_colum_to_exist", "did you mean 'expect_column_to_exist'"],
    ),
    "incomplete": (
        "tables: [staging.page_events]\nexpectations:\n  - {name: new_one, severity: warn}\n",
        ["line 3", "new_one", "needs type, arguments, reason"],
    ),
    "off without a reason": (
        "tables: [staging.page_events]\nexpectations:\n  - {name: volume_is_usual, severity: off}\n",
        ["line 3", "without a reason"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_suite_is_told_with_its_line(settings: Settings, tmp_path: Path, name: str) -> None:
    text, wanted = MISTAKES[name]
    with pytest.raises(SettingsError) as caught:
        load_suites(own(settings, tmp_path, text))
    for words in ["own.yaml", *wanted]:
        assert words in str(caught.value)


# --- What is usual -----------------------------------------------------------------------------------

COUNT = Measure(sql="count(*)", scale=Scale.RATIO, least_spread=0.05)
MONDAY = date(2026, 6, 15)


def weeks(number: int, seed: int = 1) -> dict[date, float]:
    """Days before MONDAY of a shop that sells twice as much on weekends, give or take 5 %."""
    chance = random.Random(seed)
    days = [MONDAY - timedelta(days=back) for back in range(1, 7 * number + 1)]
    return {each: (2_000 if each.weekday() > 4 else 1_000) * chance.gauss(1, 0.05) for each in days}


def test_nothing_is_said_before_three_days_of_the_same_kind() -> None:
    assert compute_baseline(MONDAY, weeks(2), COUNT, ORDINARY) is None
    assert compute_baseline(MONDAY, weeks(3), COUNT, ORDINARY) is not None


def test_weekdays_are_compared_with_their_like() -> None:
    learnt = compute_baseline(MONDAY, weeks(4), COUNT, ORDINARY)
    assert learnt is not None
    assert 900 < learnt.centre < 1_100
    assert abs(learnt.compute_deviation(1_050, Scale.RATIO)) < 3
    assert learnt.compute_deviation(2_000, Scale.RATIO) > 6
    assert learnt.compute_deviation(400, Scale.RATIO) < -6


def test_a_promotion_is_no_history_for_ordinary_days_and_waits_for_its_like() -> None:
    history = weeks(4)
    sale = [MONDAY - timedelta(days=back) for back in (7, 14, 21)]
    promotions = tuple(Promotion.model_validate({"name": "sale", "from": each, "to": each}) for each in sale)
    history |= dict.fromkeys(sale, 9_000.0)
    assert compute_baseline(MONDAY, history, COUNT, DayCalendar(promotions)) is None
    today = Promotion.model_validate({"name": "sale", "from": MONDAY, "to": MONDAY})
    learnt = compute_baseline(MONDAY, history, COUNT, DayCalendar((*promotions, today)))
    assert learnt is not None
    assert learnt.centre == 9_000


def test_ordinary_days_hardly_ever_reach_six_spreads() -> None:
    worst = 0.0
    for seed in range(300):
        history = weeks(5, seed)
        learnt = compute_baseline(MONDAY, history, COUNT, ORDINARY)
        assert learnt is not None
        worst = max(worst, abs(learnt.compute_deviation(1_000 * random.Random(-seed - 1).gauss(1, 0.05), Scale.RATIO)))
    assert worst < 6
