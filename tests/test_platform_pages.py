"""The report of a shop that has only the workbooks of its platforms: every number against SQL over the files."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jsonschema
import openpyxl
import pytest
from figure_shop import (
    FAULTY,
    LAST_DAY,
    LONG_NAME,
    RESTATED_DAY,
    build_figure_shop,
    write_figures,
    write_settings,
)
from pypdf import PdfReader
from shop_helpers import Home, build_days

import reports
from funnelscope.diagnosis.figure_diagnosis import STAGE_OF_METRIC
from funnelscope.events.figures import FIGURES, LEVELS
from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import load_words
from funnelscope.reporting import (
    diagnosis_section,
    parse_week,
    platform_sections,
    print_report,
    read_report,
    table_overview,
)
from funnelscope.reporting.editions import EditionRecord, _find_changes
from funnelscope.reporting.short_stock import read_short_stock
from funnelscope.reporting.stated_figures import QUOTIENTS, Place, StatedObjectDays
from funnelscope.warehouse.connection import open_warehouse
from funnelscope.warehouse.models import load_models
from reports import Mark, Platform, Report, StatedObject, StatedTable
from reports.pages.platform_pages import (
    build_lines_section,
    build_platform_sections,
    build_platform_strip,
    write_claims,
)
from reports.pages.summary_page import write_short_stock

YESTERDAY, WEEK_BEFORE = LAST_DAY - timedelta(days=1), LAST_DAY - timedelta(days=7)
USUAL_DAYS = [LAST_DAY - timedelta(weeks=number) for number in range(1, 5)]
WEEK = parse_week("2026-W22")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build_figure_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def report(home: Home) -> Report:
    return read_report(home.settings, LAST_DAY)


@pytest.fixture(scope="module")
def week(home: Home) -> Report:
    return read_report(home.settings, WEEK, "en")


@pytest.fixture(scope="module")
def pages(report: Report) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(reports.render(report))).pages]


Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(home: Home) -> Iterator[Ask]:
    """The first value of a query over the delivered files, each of which is a table; `$day` is the last day."""
    with duckdb.connect() as connection:
        for name in ("taobao_shop", "peers", "products", "sources", "rooms", "jd_shop", "agents", "keywords"):
            connection.execute(
                f"create view {name} as from read_csv('{home.folder}/figures/{name}_*.csv', header = true)"
            )
        connection.execute(f"create view campaigns as from read_csv('{home.folder}/figures/campaigns_2*.csv')")

        def ask(query: str, day: date = LAST_DAY) -> Any:
            row = connection.execute(query, {"day": day} if "$day" in query else {}).fetchone()
            assert row
            return row[0]

        yield ask


def platform(report: Report, name: str) -> Platform:
    return next(each for each in report.platforms if each.name == name)


def compared(report: Report, name: str, key: str) -> reports.ComparedFigure:
    where = platform(report, name)
    return next(each for each in (*where.figures, *where.others) if each.figure.key == f"stated_{key}")


def table(report: Report, name: str, level: str) -> StatedTable:
    return next(each for each in platform(report, name).tables if each.level == level)


def cell(stated: StatedTable, named: StatedObject, key: str) -> reports.Figure:
    return named.figures[stated.columns.index(f"stated_{key}")]


def whole(pages: list[str]) -> str:
    return re.sub(r"\s+", " ", " ".join(pages))


SHOP_FIGURES = {
    "paid_amount": "sum(支付金额)",
    "visitors": "sum(访客数)",
    "pay_rate": "sum(支付买家数) / sum(访客数)",
    "amount_per_buyer": "sum(支付金额) / sum(支付买家数)",
    "refunded_amount": "sum(成功退款金额)",
    "cart_users": "sum(加购人数)",
}


@pytest.mark.parametrize("key", SHOP_FIGURES)
def test_a_figure_of_the_shop_stands_beside_yesterday_the_week_before_and_usual(
    report: Report, ask: Ask, key: str
) -> None:
    query = f"select {SHOP_FIGURES[key]} from taobao_shop where 日期 "
    found = compared(report, "taobao", key)
    for value, day in ((found.figure.value, LAST_DAY), (found.before, YESTERDAY), (found.earlier, WEEK_BEFORE)):
        assert float(value or 0) == pytest.approx(ask(f"{query} = $day", day), abs=0.005)
    days = ", ".join(f"date '{day}'" for day in USUAL_DAYS)
    usual = ask(f"{query} in ({days})") / (1 if key in ("pay_rate", "amount_per_buyer") else 4)
    assert found.figure.baseline == pytest.approx(usual)
    assert found.figure.usual_low is not None


def test_the_first_page_prints_what_the_platforms_state(report: Report, pages: list[str], ask: Ask) -> None:
    paid = ask("select 支付金额 from taobao_shop where 日期 = $day")
    visitors = ask("select 访客数 from taobao_shop where 日期 = $day")
    rate = ask("select 支付买家数 / 访客数 from taobao_shop where 日期 = $day")
    usual = float(compared(report, "taobao", "paid_amount").figure.baseline or 0)
    change = f"{paid / usual - 1:+.1%}".replace("-", "−")
    for printed in (f"支付金额（元） {paid:,.0f}", f"访客数 {visitors:,}", f"{rate:.2%}", f"{usual:,.0f} {change}"):
        assert printed in whole(pages[:1])
    assert "淘宝/天猫" in pages[0]
    assert "京东" in pages[0]
    assert "直播间合计" in pages[0]
    assert "平台不向店铺提供逐条的页面行为" in pages[0]


def test_amounts_of_platforms_are_added_and_people_never(report: Report, ask: Ask) -> None:
    paid = sum(
        ask(f"select sum({column}) from {name} where 日期 = $day")
        for name, column in (("taobao_shop", "支付金额"), ("jd_shop", "支付金额"), ("rooms", "用户支付金额"))
    )
    total = {each.figure.key: each for each in report.platform_total}
    assert float(total["stated_paid_amount"].figure.value or 0) == pytest.approx(paid)
    assert total["stated_paid_amount"].target == 30_000
    assert total["stated_paid_amount"].figure.baseline is None  # one of them has a day of history
    assert set(total) == {"stated_paid_amount", "stated_refunded_amount"}
    # Of live rooms only amounts are added up.
    assert {each.figure.key for each in platform(report, "douyin").figures} == {
        "stated_paid_amount",
        "stated_refunded_amount",
    }


def test_a_figures_only_shop_has_no_stages_and_no_walls_of_no_data(report: Report, pages: list[str]) -> None:
    assert (report.stages, report.headline, report.money, report.bridge) == ((), (), None, None)
    assert "无数据" not in whole(pages)
    assert len(pages) <= 6
    assert "流量端" not in whole(pages)


def test_cost_is_that_of_the_advertising_platform_with_its_share(report: Report, ask: Ask) -> None:
    cost = ask("select sum(花费) from campaigns where 日期 = $day")
    paid = ask("select 支付金额 from taobao_shop where 日期 = $day")
    assert float(compared(report, "taobao", "cost").figure.value or 0) == pytest.approx(cost)
    assert compared(report, "taobao", "cost_share").figure.value == pytest.approx(cost / paid)
    assert compared(report, "wanxiangtai", "click_rate").figure.value == pytest.approx(
        ask("select sum(点击量) / sum(展现量) from campaigns where 日期 = $day")
    )


def test_peers_stand_beside_and_are_never_counted(report: Report, ask: Ask) -> None:
    assert compared(report, "taobao", "visitors").peers == ask("select 访客数 from peers where 日期 = $day")
    agents = table(report, "taobao", "agent")
    assert {each.name for each in agents.objects} == {"小兰", "小亭", "夜班"}
    assert agents.peers
    assert cell(agents, agents.peers, "inquiry_pay_rate").value == pytest.approx(66 / 150)


def test_the_funnel_is_that_of_the_platform(report: Report, ask: Ask) -> None:
    columns = {
        "visitors": "访客数",
        "product_visitors": "商品访客数",
        "cart_users": "加购人数",
        "order_buyers": "下单买家数",
        "paying_buyers": "支付买家数",
    }
    steps = platform(report, "taobao").steps
    assert [step.key for step in steps] == [f"stated_{key}" for key in columns]
    counts = [ask(f"select {column} from taobao_shop where 日期 = $day") for column in columns.values()]
    assert [step.count for step in steps] == counts
    rates = [step.rate_from_previous for step in steps]
    assert rates[0] is None
    assert rates[1:] == pytest.approx([after / before for before, after in pairwise(counts)])
    assert steps[1].usual_low is not None


def test_products_are_the_largest_first_and_the_one_that_moved_before_them(
    report: Report, pages: list[str], ask: Ask
) -> None:
    products = table(report, "taobao", "product")
    moved = next(each for each in products.objects if each.object == FAULTY)
    rate = cell(products, moved, "pay_rate")
    query = f"select 支付买家数 / 商品访客数 from products where 商品ID = '{FAULTY}' and 日期 = $day"
    assert rate.value == pytest.approx(ask(query))
    assert rate.mark is Mark.BELOW
    assert f"▼ {rate.value:.2%}" in whole(pages[1:])
    assert "茶壶1" in pages[0]  # the verdict does not contradict the page: it names what moved
    amounts = [float(cell(products, each, "paid_amount").value or 0) for each in products.objects]
    assert len(amounts) == 4
    assert LONG_NAME in re.sub(r"\s+", "", whole(pages))
    assert "商品与来源的人数有重叠，不可相加" in whole(pages)


def test_rollups_are_marked_and_stand_under_their_parent(report: Report, pages: list[str], ask: Ask) -> None:
    sources = table(report, "taobao", "source")
    rollups = [(each.parent, each.object) for each in sources.objects if each.is_rollup]
    assert rollups == [("淘内免费", "汇总")]
    assert "淘内免费（汇总）" in whole(pages)
    assert "淘内免费 › 手淘搜索" in whole(pages)


def test_claims_of_advertising_are_compared_at_the_same_age_only(report: Report, pages: list[str], ask: Ask) -> None:
    campaigns = table(report, "wanxiangtai", "campaign")
    assert (campaigns.attribution_days, campaigns.claim_age) == (15, 1)
    first = next(each for each in campaigns.objects if each.object == "c1")
    assert cell(campaigns, first, "return_on_spend").value == pytest.approx(3)
    days = ", ".join(f"date '{day}'" for day in USUAL_DAYS if day != RESTATED_DAY and day >= date(2026, 5, 13))
    usual = ask(f"select avg(总成交金额) from campaigns where 计划ID = 'c1' and 日期 in ({days})")
    assert cell(campaigns, first, "attributed_amount").baseline == pytest.approx(usual)
    assert "点击后 15 天内认领的金额，数据到达时已过 1 天" in whole(pages)


def test_the_first_page_tells_what_advertising_returned_with_its_window(report: Report, pages: list[str]) -> None:
    claims = [(each, each.claim) for each in report.platforms if each.claim is not None]
    assert claims
    words = load_words("zh")
    for each, claim in claims:
        campaigns = table(report, each.name, "campaign")
        summed = {
            key: sum(float(cell(campaigns, row, key).value or 0) for row in campaigns.objects if not row.is_rollup)
            for key in ("cost", "attributed_amount")
        }
        assert (float(claim.cost), float(claim.attributed_amount)) == pytest.approx(tuple(summed.values()))
        assert f"ROI {words.value(claim.return_on_spend, Unit.RATIO)}" in whole(pages[:1])
        assert f"点击后 {claim.days} 天口径，已过 {claim.age} 天，仍会增加" in whole(pages[:1])
    over = replace(claims[0][0], claim=reports.Claim(100, 250, 15, 15))
    (line,) = write_claims(replace(report, platforms=(over,)), words)
    assert "ROI 2.50" in line
    assert "口径，已满" in line
    nothing = replace(over, claim=reports.Claim(0, 0, 15, 1))
    assert write_claims(replace(report, platforms=(nothing,)), words) == []


def test_comparable_shops_stand_in_the_line_of_a_shop_with_events(report: Report) -> None:
    words = load_words("zh")
    figure = platform(report, "taobao").figures[0]
    assert figure.figure.key == "stated_paid_amount"
    for peers, is_told in ((12_345.0, True), (None, False)):
        told = replace(platform(report, "taobao"), figures=(replace(figure, peers=peers),))
        body = build_lines_section(replace(report, platforms=(told,)), words)["table"]
        assert (words.text("columns", "peers") in body["head"]) is is_told
        assert ("12,345" in body["rows"][0]) is is_told


def test_platforms_that_state_nothing_have_no_empty_table(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.pages.platform_pages.is_in_full", lambda report: False)
    words = load_words("zh")
    silent = replace(report, platforms=tuple(replace(each, figures=()) for each in report.platforms))
    headings = [
        [section.get("heading") for section in build_platform_sections(each, words)] for each in (report, silent)
    ]
    assert [words.text("headings", "platforms") in each for each in headings] == [True, False]


STOCK = (  # object, parent, metric, days ago, value
    *(("a", "", "paid_units", ago, 10) for ago in range(7)),
    ("a", "", "stock_units", 1, 900),
    ("a", "", "stock_units", 0, 20),  # two days at the pace of ten a day
    *(("b", "", "paid_units", ago, 10) for ago in range(7)),
    ("b", "", "stock_units", 0, 21),
    ("c", "", "paid_units", 0, 70),
    ("c", "", "stock_units", 0, 0),  # sold out
    ("d", "", "paid_units", 0, 6),  # less than one a day
    ("d", "", "stock_units", 0, 0),
    *(("e", "", "paid_units", ago, 99) for ago in range(7)),  # the stock of the day is not known
    ("e", "", "stock_units", 1, 3),
    *(("f", "", "paid_units", ago, 99) for ago in range(8, 11)),  # before the week
    ("f", "", "stock_units", 0, 3),
    *(("g", "", "paid_units", ago, 30) for ago in range(7)),
    ("g", "", "stock_units", 0, 5),  # the sum of its variants
    *(("g1", "g", "paid_units", ago, 30) for ago in range(7)),
    ("g1", "g", "stock_units", 0, 5),
)


def test_stock_that_ends_within_two_days_is_told_the_best_sellers_first(report: Report) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.figures(platform text, shop text, level text, object text, parent text, device text, "
            "object_name text, metric text, business_date date, figure_value decimal(24, 6))"
        )
        for thing, parent, metric, ago, value in STOCK:
            row = ["taobao", "", "product", thing, parent, "", f"Pot {thing}", metric, LAST_DAY - timedelta(ago), value]
            connection.execute("insert into marts.figures values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        published = SimpleNamespace(
            is_day=True,
            business_date=LAST_DAY,
            has_table=lambda schema, table: True,
            rows=lambda statement, **given: connection.execute(statement, given | {"to_date": LAST_DAY}).fetchall(),
        )
        short = read_short_stock(published)  # type: ignore[arg-type]
    assert [(each.name, each.units, each.units_a_day) for each in short] == [
        ("Pot g1", 5, 30),
        ("Pot a", 20, 10),
        ("Pot c", 0, 10),
    ]
    words = load_words("zh")
    told = write_short_stock(replace(report, short_stock=short), words)
    assert told == "按近 7 天的销量，两天内售完：Pot g1（剩 5 件，日均售 30 件）；Pot a（剩 20 件，日均售 10 件）；" + (
        "Pot c（剩 0 件，日均售 10 件）。"
    )
    assert write_short_stock(replace(report, short_stock=short * 2), words).endswith("；另有 2 款。")
    assert write_short_stock(report, words) is None
    blocked = replace(report, short_stock=short, verdict=reports.ReportVerdict.BLOCKED)
    assert write_short_stock(blocked, words) is None


def test_without_a_window_there_is_no_return() -> None:
    class Days:
        business_date, dates = LAST_DAY, (LAST_DAY,)

    values = {"attributed_amount": {LAST_DAY: 300.0}, "cost": {LAST_DAY: 100.0}}
    unstated = StatedObjectDays(Place("x", "s", "campaign"), "", values, {LAST_DAY: LAST_DAY}, {})
    assert unstated.select_series("return_on_spend", Days()) == {}  # type: ignore[arg-type]
    unstated.attribution_days[LAST_DAY] = 7
    assert unstated.select_series("return_on_spend", Days()) == {LAST_DAY: (300.0, 100.0)}  # type: ignore[arg-type]


def test_a_week_adds_amounts_and_has_the_mean_of_days_of_people(week: Report, ask: Ask) -> None:
    between = f"日期 between date '{WEEK.from_date}' and date '{WEEK.to_date}'"
    paid, visitors = compared(week, "taobao", "paid_amount"), compared(week, "taobao", "visitors")
    assert float(paid.figure.value or 0) == pytest.approx(ask(f"select sum(支付金额) from taobao_shop where {between}"))
    assert visitors.figure.value == pytest.approx(ask(f"select avg(访客数) from taobao_shop where {between}"))
    assert (paid.days, visitors.figure.rule, paid.figure.rule) == (7, "mean_of_days", "sum")
    rate = ask(f"select avg(支付买家数 / 访客数) from taobao_shop where {between}")
    assert compared(week, "taobao", "pay_rate").figure.value == pytest.approx(rate)
    cost = ask(
        f"select sum(花费) / (select sum(支付金额) from taobao_shop where {between}) from campaigns where {between}"
    )
    assert compared(week, "taobao", "cost_share").figure.value == pytest.approx(cost)
    before = between.replace(str(WEEK.to_date), str(WEEK.to_date - timedelta(7))).replace(
        str(WEEK.from_date), str(WEEK.from_date - timedelta(7))
    )
    assert float(paid.before or 0) == pytest.approx(ask(f"select sum(支付金额) from taobao_shop where {before}"))
    days = {each.day: each.figures for each in platform(week, "taobao").days}
    assert list(days) == WEEK.days
    assert float(days[WEEK.to_date][0].value or 0) == ask(
        "select 支付金额 from taobao_shop where 日期 = $day", WEEK.to_date
    )
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(week))).pages])
    assert f"Visitors, mean of days {visitors.figure.value:,.0f} 7 of 7" in text


def test_a_week_of_figures_is_drawn_day_by_day_with_the_amounts_of_all_platforms(week: Report, ask: Ask) -> None:
    """A day is drawn where each platform that states amounts does; people are never drawn."""
    assert week.daily is not None
    assert week.daily.key == "stated_paid_amount"
    stated = [
        [figure.value for day in each.days for figure in day.figures if figure.key == "stated_paid_amount"]
        for each in week.platforms
    ]
    columns = [column for column in stated if any(value is not None for value in column)]
    assert len(columns) > 1
    assert [point.day for point in week.daily.trend] == WEEK.days
    for point, values in zip(week.daily.trend, zip(*columns, strict=True), strict=True):
        known = None if point.value is None else float(point.value)
        assert known == (None if None in values else pytest.approx(sum(map(float, values))))
    assert any(point.value is not None for point in week.daily.trend)
    ranges = [(point.usual_low, point.usual, point.usual_high) for point in week.daily.trend if point.usual is not None]
    assert ranges
    assert all(low is not None and high is not None and low < usual < high for low, usual, high in ranges)
    first = PdfReader(BytesIO(reports.render(week))).pages[0].extract_text()
    assert load_words(week.language).text("headings", "daily", name="").strip() in first


def test_json_workbook_and_message_carry_the_figures(home: Home, report: Report, ask: Ask) -> None:
    edition = print_report(home.settings, LAST_DAY)
    written = json.loads(edition.findings.read_text(encoding="utf-8"))
    jsonschema.validate(written, json.loads(Path("docs/findings.schema.json").read_text(encoding="utf-8")))
    taobao = next(each for each in written["platforms"] if each["platform"] == "taobao")
    paid = next(each for each in taobao["figures"] if each["figure"] == "paid_amount")
    assert paid["value"] == pytest.approx(ask("select 支付金额 from taobao_shop where 日期 = $day"))
    assert taobao["newest_days"]["product"] == LAST_DAY.isoformat()
    sheet = openpyxl.load_workbook(edition.spreadsheet)["平台明细"]
    rows = [[value.value for value in row] for row in sheet.iter_rows(min_row=2)]
    found = {row[4]: row[10] for row in rows if row[3] == "商品" and row[9] == "商品访客数"}
    assert found == {
        f"p{number}": ask(f"select 商品访客数 from products where 商品ID = 'p{number}' and 日期 = $day")
        for number in range(1, 5)
    }
    assert edition.picture("platform-1").exists()
    assert not edition.picture("traffic").exists()
    message = reports.write_announcement(report, "report.pdf").text
    assert f"淘宝/天猫：支付金额（元） {paid['value']:,.0f}（较平时" in message
    assert print_report(home.settings, LAST_DAY).number == 1


def test_the_data_page_says_how_new_each_table_is(home: Home, pages: list[str]) -> None:
    assert "淘宝/天猫 商品 2026-06-03 2026-06-04 4" in whole(pages)
    late = read_report(home.settings, LAST_DAY + timedelta(days=1))
    assert platform(late, "jd").deliveries[0].newest_day == LAST_DAY
    words = load_words("zh")
    strip = build_platform_strip(late, words)
    assert {each["state"] for each in strip} == {"▲ 缺失"}
    assert "全店 06-03" in strip[0]["detail"]
    assert all(each.figure.value is None for each in platform(late, "taobao").figures)
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(late))).pages])
    assert "淘宝/天猫 ▲ 缺失" in text
    assert text.count("无数据") <= 9  # the newest days of the data page, and no walls of it


def test_every_figure_level_and_platform_has_a_name() -> None:
    for language in ("zh", "en"):
        words = load_words(language)
        for key in (*FIGURES, *QUOTIENTS):
            assert words.name_figure(f"stated_{key}") == words.name_step(f"stated_{key}")
        for level in LEVELS:
            assert words.text("levels", level)
        named = words.sections["platforms"]
        assert set(named) == {"taobao", "jd", "douyin", "pinduoduo", "wanxiangtai", "qianchuan", "wecom"}
        assert words.sections["dimension_values"]["platform"] == named


ORDERS = {
    "family": "order",
    "name": "orders",
    "columns": {"order_id": "id", "event_time": "time", "amount": "amount", "customer_id": "buyer"},
    "event_types": "paid",
    "delivery_date": r"_(\d{4}-\d{2}-\d{2})\.csv",
}


def test_a_shop_with_events_keeps_its_page_and_gains_a_line_a_platform(home: Home, tmp_path: Path) -> None:
    mixed = Home(tmp_path)
    write_settings(mixed, more_sources=[ORDERS | {"files": f"{tmp_path}/orders_*.csv"}], names=["taobao_shop"])
    write_figures(mixed.folder / "figures")
    days = [date(2026, 5, 7), date(2026, 5, 8)]
    lines = [f"o{day}{n},{day} 10:00:00,50.00,b{n}" for day in days for n in range(5)]
    (tmp_path / "orders_2026-05-09.csv").write_text("id,time,amount,buyer\n" + "\n".join(lines) + "\n")
    build_days(mixed, days[0] - timedelta(days=1), days[-1], is_published=True)
    report = read_report(mixed.settings, days[-1])
    assert [stage.key for stage in report.stages] == ["traffic", "landing", "decision", "repurchase"]
    assert report.headline
    pages = [page.extract_text() for page in PdfReader(BytesIO(reports.render(report))).pages]
    figure = compared(report, "taobao", "visitors").figure
    assert f"{figure.value:,}" in pages[0]
    assert "各平台" in pages[0]
    assert "人数为各平台每天各自去重" in pages[0]
    assert "访客数（平台口径）" in whole(pages)  # beside the shop's own of the same name
    assert "淘宝/天猫漏斗（平台口径）" in whole(pages)
    # What the shop never delivers has neither a tile nor a chapter; without platforms each stage says why.
    assert "流量端" not in whole(pages)
    assert "本店不提供" not in pages[0]
    plain = whole(
        [page.extract_text() for page in PdfReader(BytesIO(reports.render(replace(report, platforms=())))).pages]
    )
    assert "流量端" in plain
    assert "本店不提供" in plain


def test_a_finding_about_figures_stands_on_the_first_page_and_on_that_of_its_platform(report: Report) -> None:
    finding = reports.Finding(
        stage="decision",
        kind="decision_loss",
        title="访客支付变少",
        slice=(("platform", "taobao"), ("product", "茶壶1")),
        status=reports.FindingStatus.CONFIRMED,
        since=LAST_DAY,
        lost_orders=reports.Estimate(40, 30, 50),
    )
    found = replace(report, diagnosis=reports.Diagnosis("found", findings=(finding,)))
    printed = [page.extract_text() for page in PdfReader(BytesIO(reports.render(found))).pages]
    named = "访客支付变少：淘宝/天猫，商品 茶壶1"
    assert named in whole(printed[:1])
    assert named in whole(printed[1:])
    assert reports.select_findings_of_stage(found, "decision") == ()


class Stub:
    """What a section asks of the published copy: one answer for every query."""

    business_date, is_day = LAST_DAY, True
    known_refunds: float | None = None

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self.found = list(rows)

    def rows(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        return self.found

    def has_table(self, schema: str, table: str) -> bool:
        return True


@pytest.mark.parametrize(("name", "level"), [("wanxiangtai", "campaign"), ("douyin", "product")])
def test_advertising_counts_its_campaigns_where_the_shop_counts_them(name: str, level: str) -> None:
    sums = {(name, "s", each): {"cost": {LAST_DAY: 1.0}} for each in ("product", "campaign")}
    stated: Any = SimpleNamespace(find_whole=lambda *place: None, sums=sums)
    assert platform_sections._find_level(stated, name, "s")[0] == level


def test_a_slice_of_figures_is_named_as_its_platform_names_the_object() -> None:
    given = {"platform": "taobao", "level": "source", "object": "s1", "parent": "淘内免费", "device": "无线"}
    named = diagnosis_section._name_slice(Stub(("手淘搜索",)), given)  # type: ignore[arg-type]
    assert load_words("zh").format_slice(named) == "淘宝/天猫，上级来源 淘内免费，流量来源 手淘搜索，设备 无线"
    shop = diagnosis_section._name_slice(Stub(), {"platform": "kuaishou", "level": "shop"})  # type: ignore[arg-type]
    assert load_words("zh").format_slice(shop) == "平台 kuaishou"


def test_the_trust_line_is_ours_over_the_platforms_beside_its_median() -> None:
    days = [LAST_DAY - timedelta(days=number) for number in (3, 2, 1)]
    rows = [("visitors", day, ours, 100) for day, ours in zip(days, (80, 90, None), strict=True)]
    (line,) = platform_sections._read_trust(Stub(*rows, ("visitors", LAST_DAY, 40, 100)), "taobao")  # type: ignore[arg-type]
    assert (line.ratio, line.usual_ratio) == (0.4, pytest.approx(0.85))
    refunds = Stub(*(("refunded_amount", LAST_DAY - timedelta(days=back), 90 - back, 100) for back in range(3)))
    assert [line.usual_ratio for line in platform_sections._read_trust(refunds, "taobao")] == [0.885]  # type: ignore[arg-type]
    refunds.known_refunds = 0.2
    assert platform_sections._read_trust(refunds, "taobao") == ()  # type: ignore[arg-type]
    unknown = platform_sections._read_trust(Stub(("visitors", LAST_DAY, None, 100)), "taobao")  # type: ignore[arg-type]
    assert unknown == ()  # without events of its own the shop has nothing to compare


def test_the_ui_draws_what_is_stated_of_the_shop_and_adds_no_people(home: Home, ask: Ask) -> None:
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        for name, metric in (("marts.figures", "visitors"), ("marts.figure_steps", "visitors > product_visitors")):
            drawn = table_overview.read_figures(warehouse, load_models()[name], LAST_DAY, home.settings)
            figure = next(each for each in drawn if each.key == f"taobao 兰亭: {metric}")
            column = "访客数" if metric == "visitors" else "商品访客数"
            assert figure.value == ask(f"select {column} from taobao_shop where 日期 = $day")
            assert figure.unit == "count"


def test_a_second_edition_names_the_platform_whose_figure_changed(report: Report) -> None:
    before = EditionRecord({}, {"taobao/兰亭/stated_visitors": "1"}, [])
    changes = _find_changes(report, before)
    named = {(change.platform, change.figure.key): change.before for change in changes}
    assert ("taobao", "stated_visitors") in named
    printed = replace(report, edition=2, changes=changes)
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(printed))).pages])
    assert "淘宝/天猫 › 访客数" in text


@pytest.fixture
def changed(home: Home, tmp_path: Path) -> Callable[[str], Report]:
    """The report of a copy of the shop whose published figures a statement has changed."""
    copy = Home(tmp_path / "copy")
    shutil.copytree(home.folder, copy.folder, symlinks=True)

    def change(statement: str) -> Report:
        with duckdb.connect(copy.settings.published / "current" / "funnelscope.duckdb") as connection:
            connection.execute(statement)
        return read_report(copy.settings, LAST_DAY)

    return change


SAME = "insert into marts.figures select * replace"


def test_devices_stand_beside_each_other_where_nothing_is_stated_of_the_whole(
    changed: Callable[[str], Report], ask: Ask
) -> None:
    where = "from marts.figures where platform = 'jd' and level = 'shop'"
    found = changed(
        f"{SAME} ('kuaishou' as platform, '无线端' as device) {where}; "
        f"{SAME} ('kuaishou' as platform, 'PC端' as device) {where};"
        f"{SAME} ('无线端' as device) {where}"
    )
    parts = platform(found, "kuaishou")
    assert parts.figures == ()  # which of the devices overlap nobody says
    (devices,) = parts.tables
    assert [(each.device, each.is_rollup) for each in devices.objects] == [("PC端", False), ("无线端", False)]
    # Beside a row of the whole a device's is no figure of the shop.
    visitors = ask("select 访客数 from jd_shop where 日期 = $day")
    assert compared(found, "jd", "visitors").figure.value == visitors
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(found))).pages])
    assert "按设备" in text
    assert "kuaishou" in text


def test_shops_of_one_platform_have_a_line_each(changed: Callable[[str], Report]) -> None:
    found = changed(f"{SAME} ('jd' as platform, '兰亭自营' as shop) from marts.figures where platform = 'taobao'")
    assert sorted(each.shop for each in found.platforms if each.name == "jd") == ["兰亭", "兰亭自营"]
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(found))).pages])
    assert "京东（兰亭自营）" in text


def test_a_product_that_is_not_stated_keeps_its_place_without_data(changed: Callable[[str], Report]) -> None:
    found = changed(f"delete from marts.figures where object = 'p2' and business_date = date '{LAST_DAY}'")
    products = table(found, "taobao", "product")
    gone = next(each for each in products.objects if each.object == "p2")
    assert products.objects.index(gone) < 2
    assert cell(products, gone, "paid_amount").value is None
    assert cell(products, gone, "paid_amount").baseline


def test_what_nobody_states_of_a_platform_leaves_the_total_unknown(changed: Callable[[str], Report]) -> None:
    found = changed(f"delete from marts.figures where platform = 'douyin' and business_date = date '{LAST_DAY}'")
    total = {each.figure.key: each.figure.value for each in found.platform_total}
    assert total["stated_paid_amount"] is None
    assert platform(found, "douyin").deliveries[0].newest_day == YESTERDAY


def test_of_a_hundred_thousand_words_the_largest_are_read(changed: Callable[[str], Report]) -> None:
    found = changed(
        "insert into marts.figures select figures.* "
        "replace ('word ' || number as object, figure_value + number as figure_value) from marts.figures, "
        "range(2000) as numbers(number) where level = 'keyword' and object = '茶壶' "
        f"and business_date = date '{LAST_DAY}'"
    )
    words = table(found, "taobao", "keyword")
    assert (len(words.objects), words.object_count) == (300, 2003)
    assert words.objects[0].object == "word 1999"
    text = whole([page.extract_text() for page in PdfReader(BytesIO(reports.render(found))).pages])
    assert "另有 1,993 项；工作簿含最大的 300 项" in text


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("rates", [{"is_figure": True}, {"expected": 0.1, "observed": 0.05}], ids=["count", "rate"])
@pytest.mark.parametrize("step", STAGE_OF_METRIC)
def test_page_1_names_each_figure_that_a_finding_may_be_about(
    step: str, rates: dict[str, Any], language: str, report: Report
) -> None:
    effect = reports.Estimate(-0.5, -0.6, -0.4)
    where = (("platform", "taobao"), ("agent", "夜班"))
    status = reports.FindingStatus.CONFIRMED
    finding = reports.Finding("decision", "decision_loss", "变少", where, status, step=step, effect=effect, **rates)
    told = replace(report, language=language, diagnosis=reports.Diagnosis("found", findings=(finding,)))
    assert load_words(language).text("stated_figures", step) in reports.write_digest(told)
