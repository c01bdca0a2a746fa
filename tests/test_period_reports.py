"""Weekly and monthly reports: pooled as the registry says, compared like with like, and honest about missing days."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from statistics import fmean

import duckdb
import openpyxl
import pytest
from diagnosis_world import World
from pypdf import PdfReader

import reports
from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.messages.message_types import PeriodKind
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import open_published, publish
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.reporting import (
    find_due_periods,
    find_restated_days,
    parse_month,
    parse_week,
    print_report,
    read_report,
)
from funnelscope.reporting.diagnosis_section import read_diagnosis_of_days
from funnelscope.reporting.periods import Period, find_ended_periods, get_day, get_month, get_week
from funnelscope.reporting.published_days import Published
from funnelscope.settings import Promotion, Settings
from pipelines.cli.app import main
from reports import Figure, FindingStatus, Report, select_findings_of_stage

DAYS = 35  # five weeks from Monday, 2 March 2026
LAST_WEEK = "2026-W14"
BROKEN_COUPON = range(30, 34)  # Tuesday to Friday of the last week


@pytest.fixture(scope="module")
def world() -> World:
    """Five weeks of a shop that consists of its cubes, with the metrics that the tests look at."""
    world = World()
    create_ingest_tables(world.warehouse)
    for number in range(1, DAYS + 1):
        world.add_days(number, number, coupon_loss=0.6 if number in BROKEN_COUPON else 0)
        add_metrics(world, number)
    world.diagnose(15, DAYS)
    return world


def add_metrics(world: World, number: int) -> None:
    """Rates whose days differ in size, so that their mean is not their pooled value."""
    visitors = 1_000 + 300 * (number % 7)
    buyers = 40 + 5 * (number % 3)
    rows = [
        ("visitors", visitors, None, visitors),
        ("visitor_pay_rate", buyers, visitors, buyers / visitors),
        ("session_bounce_rate", visitors // 3, visitors, visitors // 3 / visitors),
        ("landing_rate", 600, 1_000 + number, 600 / (1_000 + number)),
        ("paid_amount", 100 * number + 0.25, None, 100 * number + 0.25),
        ("cost", 50, None, 50),
        ("first_screen_ms", number, None, 900 + number),
    ]
    day = world.day(number)
    for key, numerator, denominator, value in rows:
        world.warehouse.execute(
            "insert into marts.daily_metrics by name select $day as business_date, $key as metric, "
            "$numerator as numerator, $denominator as denominator, $value as value",
            day=day, key=key, numerator=numerator, denominator=denominator, value=value,
        )  # fmt: skip
    for period, distinct in (("week", 2_000 + number), ("month", 5_000 + number)):
        world.warehouse.execute(
            "insert into marts.people_to_date values ($day, $period, $visitors, 77)",
            day=day, period=period, visitors=distinct,
        )  # fmt: skip
    for step, reached in enumerate((1_000 + number, 600, 200)):
        world.warehouse.execute(
            "insert into marts.funnel_steps by name select $day as business_date, 'landing' as stage, "
            "$step as step_number, $name as step, $reached as reached",
            day=day, step=step, name=("arrival", "three_seconds", "qualified_product_view")[step], reached=reached,
        )  # fmt: skip


@pytest.fixture(scope="module")
def published(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    verdicts = [DayVerdict(world.day(number), Verdict.PASS, ()) for number in range(1, DAYS + 1)]
    publish(world.warehouse, folder / "published", verdicts, 3)
    return folder


@pytest.fixture
def settings(world: World, published: Path, tmp_path: Path) -> Settings:
    """A home of its own with the published copy."""
    import shutil

    shutil.copytree(published, tmp_path / "home", symlinks=True)
    return world.settings.model_copy(update={"home": tmp_path / "home", "language": "en", "targets": {"cost": 60}})


def change_verdict(settings: Settings, day: date, verdict: str) -> None:
    with duckdb.connect(str((settings.published / "current").resolve() / "funnelscope.duckdb")) as connection:
        connection.execute("update quality.day_verdict set verdict = $1 where business_date = $2", [verdict, day])


def headline(report: Report, key: str) -> reports.Headline:
    return next(each for each in report.headline if each.figure.key == key)


def figure_of(report: Report, key: str) -> Figure:
    figures = [figure for stage in report.stages for figure in (stage.rate, *stage.indicators) if figure]
    return next(figure for figure in figures if figure.key == key)


def text_of(report: Report) -> str:
    pages = PdfReader(BytesIO(reports.render(report))).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


# --- Numbers -------------------------------------------------------------------------------------


def test_a_week_is_pooled_and_a_mean_of_its_days_is_another_number(settings: Settings) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    with open_published(settings.published) as connection:
        pooled, mean = connection.execute(
            "select sum(numerator) / sum(denominator), avg(value) from marts.daily_metrics "
            "where metric = 'visitor_pay_rate' and business_date between date '2026-03-30' and date '2026-04-05'"
        ).fetchall()[0]
        (amount,) = connection.execute(
            "select sum(value) from marts.daily_metrics where metric = 'paid_amount' "
            "and business_date between date '2026-03-30' and date '2026-04-05'"
        ).fetchall()[0]
    rate = headline(report, "visitor_pay_rate").figure
    assert rate.value == pytest.approx(pooled, abs=1e-12)
    assert rate.mean_of_days == pytest.approx(mean, abs=1e-12)
    assert rate.value != pytest.approx(mean, rel=0.01), "or the two rules could not be told apart"
    assert rate.rule == "pooled"
    assert float(headline(report, "paid_amount").figure.value or 0) == pytest.approx(float(amount))
    assert figure_of(report, "landing_rate").mean_of_days is None, "platforms pool this one, too"


def test_distinct_people_are_counted_anew_and_never_added(settings: Settings) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    visitors = [figure for day in report.days for figure in day.figures if figure.key == "visitors"]
    assert len(visitors) == 7
    with open_published(settings.published) as connection:
        period = Published(connection, settings, parse_week(LAST_WEEK), "en")
        figure = period.figure("visitors")
    assert (figure.value, figure.rule) == (2_000 + DAYS, "distinct")
    assert figure.value < sum(float(each.value or 0) for each in visitors)


def test_a_duration_is_the_mean_of_all_cases_not_of_the_days(settings: Settings) -> None:
    with open_published(settings.published) as connection:
        figure = Published(connection, settings, parse_week(LAST_WEEK), "en").figure("first_screen_mean_ms")
    numbers = range(29, 36)
    assert figure.value == pytest.approx(sum(n * (900 + n) for n in numbers) / sum(numbers))


def test_steps_and_slices_of_a_week_are_its_days_added(settings: Settings, world: World) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    landing = next(stage for stage in report.stages if stage.key == "landing")
    assert [step.count for step in landing.steps] == [sum(1_000 + n for n in range(29, 36)), 7 * 600, 7 * 200]
    assert landing.steps[0].baseline_count == pytest.approx(fmean(sum(1_000 + n for n in range(w, w + 7))
                                                                  for w in (1, 8, 15, 22)))  # fmt: skip
    channels = next(table for table in landing.slices if table.dimension == "channel")
    (wanted,) = world.warehouse.rows(
        "select sum(sessions)::BIGINT, sum(reached_qualified_product_view)::BIGINT from marts.landing_cube "
        "where channel = 'search' and business_date between date '2026-03-30' and date '2026-04-05'"
    )
    row = next(row for row in channels.rows if row.value == "search")
    assert (row.entered, row.passed) == wanted


def test_a_week_is_held_against_the_one_before_its_target_and_a_quarter(settings: Settings) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    cost = headline(report, "cost")
    assert (float(cost.before or 0), cost.target, cost.year_before) == (350, 420, None)
    amount = headline(report, "paid_amount")
    assert amount.before == pytest.approx(sum(100 * n + 0.25 for n in range(22, 29)))
    assert [point.day for point in amount.figure.trend] == [date(2026, 3, 8) + timedelta(days=7 * n) for n in range(5)]
    assert report.baseline_days == 28


# --- Findings ------------------------------------------------------------------------------------


def test_the_findings_of_a_week_cost_what_its_days_lost_and_say_how_they_stand(
    settings: Settings, world: World
) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    finding = next(
        each for each in select_findings_of_stage(report, "decision") if ("coupon", "WELCOME10") in each.slice
    )
    rows = world.warehouse.rows(
        "select count(*) filter (where status != 'recovered'), sum(lost_orders) from diagnosis.findings "
        "where slice like '%WELCOME10%' and business_date between date '2026-03-30' and date '2026-04-05'"
    )
    assert (finding.days, finding.lost_orders and finding.lost_orders.value) == (rows[0][0], pytest.approx(rows[0][1]))
    assert finding.status is FindingStatus.RECOVERED
    assert not finding.is_ongoing


def test_the_rate_of_a_finding_is_that_of_all_its_days_and_not_of_the_last(settings: Settings, world: World) -> None:
    """Of a week, day by day: what was lost, seen and expected on the days on which it was found."""
    report = read_report(settings, parse_week(LAST_WEEK))
    finding = next(
        each for each in select_findings_of_stage(report, "decision") if ("coupon", "WELCOME10") in each.slice
    )
    rows = world.warehouse.rows(
        "select business_date, entered, passed, expected from diagnosis.findings where slice like '%WELCOME10%' "
        "and business_date between date '2026-03-30' and date '2026-04-05' and status != 'recovered' order by 1"
    )
    days, entered, passed, expected = zip(*rows, strict=True)
    assert finding.found_on == days
    assert finding.entered == sum(entered)
    assert finding.observed == pytest.approx(sum(passed) / sum(entered))
    assert finding.expected == pytest.approx(sum(expected) / sum(entered))
    assert finding.observed != pytest.approx(passed[-1] / entered[-1]), "or the last day could not be told apart"
    assert finding.effect is not None
    assert finding.effect.value == pytest.approx(sum(passed) / sum(expected) - 1)
    assert float(finding.effect.low or 0) < float(finding.effect.value) < float(finding.effect.high or 0)
    assert [point.day for point in finding.trend][-1] == date(2026, 4, 5)


def test_what_ended_before_the_week_is_none_of_its_findings(settings: Settings, world: World) -> None:
    """The day after the last one of a fault holds its recovery, which alone makes no finding of a week."""
    last = max(world.day(number) for number in BROKEN_COUPON)
    after = Period(PeriodKind.WEEK, last + timedelta(days=1), last + timedelta(days=7))
    recovered = world.warehouse.rows(
        "select count(*) from diagnosis.findings where business_date >= $day and status = 'recovered'",
        day=after.from_date,
    )
    assert recovered[0][0] > 0, "or there would be nothing to leave out"
    report = read_report(settings, after)
    assert report.diagnosis is not None
    assert not [each for each in report.diagnosis.findings if ("coupon", "WELCOME10") in each.slice]


def test_a_campaign_has_the_findings_of_its_days_and_of_no_other(settings: Settings, world: World) -> None:
    """The fault stood for four days; the sale is held on the last two of them and the day after."""
    days = [world.day(number) for number in (32, 33, 34)]
    with open_published(settings.published) as connection:
        published = Published(
            connection, settings, Period(PeriodKind.WEEK, days[0], days[-1] + timedelta(days=3)), "en"
        )
        diagnosis = read_diagnosis_of_days(published, days)
    assert diagnosis is not None
    finding = next(each for each in diagnosis.findings if ("coupon", "WELCOME10") in each.slice)
    rows = world.warehouse.rows(
        "select business_date, lost_orders from diagnosis.findings where slice like '%WELCOME10%' "
        "and list_contains($days, business_date) and status != 'recovered' order by 1",
        days=days,
    )
    assert finding.found_on == tuple(day for day, _ in rows)
    assert finding.lost_orders is not None
    assert finding.lost_orders.value == pytest.approx(sum(lost for _, lost in rows))
    assert diagnosis.judged_days == 3


# --- The first page ---


def test_a_week_is_drawn_day_by_day_before_what_is_usual_of_each_weekday(settings: Settings) -> None:
    report = read_report(settings, parse_week(LAST_WEEK))
    assert report.daily is not None
    assert report.daily.key == "paid_amount"
    assert [(point.day, float(point.value or 0)) for point in report.daily.trend] == [
        (date(2026, 3, 30) + timedelta(days=number), 100 * (29 + number) + 0.25) for number in range(7)
    ]
    monday, *_, sunday = report.daily.trend
    assert monday.usual == pytest.approx(fmean(100 * n + 0.25 for n in (1, 8, 15, 22)))
    assert sunday.usual == pytest.approx(fmean(100 * n + 0.25 for n in (7, 14, 21, 28)))
    assert read_report(settings, get_day(date(2026, 4, 5))).daily is None


def test_a_day_that_is_left_out_is_drawn_without_a_bar(settings: Settings) -> None:
    change_verdict(settings, date(2026, 4, 1), "blocked")
    daily = read_report(settings, parse_week(LAST_WEEK)).daily
    assert daily is not None
    assert [point.day for point in daily.trend if point.value is None] == [date(2026, 4, 1)]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            [
                "The week's paid amount: ¥22,402, vs usual",
                "vs last week",
                "All have ended.",
                "4 days (03-31 to 04-03)",
            ],
        ),
        ("zh", ["本周支付金额¥22,402，较平时", "较上周", "均已结束。", "4天（03-31至04-03）"]),
    ],
)
def test_the_first_page_of_a_week_speaks_of_the_week(settings: Settings, language: str, told: list[str]) -> None:
    pages = PdfReader(BytesIO(reports.render(read_report(settings, parse_week(LAST_WEEK), language)))).pages
    first = "".join(pages[0].extract_text().split())
    for part in told:
        assert "".join(part.split()) in first, part
    places = [first.index(f"03-{day}") for day in (30, 31)]
    assert places == sorted(places)


def test_a_month_of_which_few_days_can_be_judged_says_how_many(settings: Settings) -> None:
    words = load_words("en", PeriodKind.MONTH)
    told = reports.write_digest(read_report(settings, parse_month("2026-03"), "en"))
    assert words.text("verdict_sentences", "judged_days", judged="2", days="30") in told, told


def test_promotion_days_stand_beside_the_others_and_close_no_story(settings: Settings) -> None:
    sale = Promotion(name="618", phase="main", starts=date(2026, 4, 4), ends=date(2026, 4, 5))
    report = read_report(settings.model_copy(update={"calendar": (sale,)}), parse_week(LAST_WEEK), "en")
    told = reports.write_digest(report)
    assert "Promotion days (2) had 3,450 each on average, the other 5 days 3,100." in told
    assert "Without" not in told
    assert "Without" in reports.write_digest(read_report(settings, parse_week(LAST_WEEK), "en"))


# --- Missing days --------------------------------------------------------------------------------


def test_a_week_that_lacks_a_day_says_so_on_top_and_is_compared_without_that_day(settings: Settings) -> None:
    change_verdict(settings, date(2026, 4, 1), "blocked")
    report = read_report(settings, parse_week(LAST_WEEK))
    assert report.verdict == "warn"
    assert [day.day for day in report.days if not day.is_counted] == [date(2026, 4, 1)]
    cost = headline(report, "cost")
    assert (float(cost.figure.value or 0), cost.figure.baseline, float(cost.before or 0)) == (300, 300, 300)
    assert cost.target == 360
    text = text_of(report)
    assert "Partial: 6 of 7 days" in text
    assert "2026-04-01 is blocked and left out." in text
    assert "mean of the days (platforms' rule)" in text
    with open_published(settings.published) as connection:
        assert Published(connection, settings, parse_week(LAST_WEEK), "en").figure("visitors").value is None


def test_a_week_that_is_not_over_has_the_people_up_to_its_last_day(settings: Settings) -> None:
    for day in (4, 5):
        change_verdict(settings, date(2026, 4, day), "blocked")
    with open_published(settings.published) as connection:
        week = Published(connection, settings, parse_week(LAST_WEEK), "en")
        assert week.figure("visitors").value == 2_000 + DAYS - 2
        assert week.figure("visitors").baseline == pytest.approx(fmean(2_000 + n for n in (5, 12, 19, 26)))


def test_a_week_without_any_day_is_blocked(settings: Settings) -> None:
    report = read_report(settings, parse_week("2026-W20"))
    assert report.verdict == "blocked"
    assert "No day of 2026-W20 has numbers that may be used." in text_of(report)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "No baseline yet on the last day of the week: 20 comparable days before this one, still needed: 8."),
        ("zh", "本周最后一天尚无基线：此前只有 20 个可比日，还需 8 个。"),
    ],
)
def test_a_week_of_days_without_a_baseline_says_how_many_are_needed(
    settings: Settings, language: str, told: str
) -> None:
    text = text_of(read_report(settings, parse_week("2026-W12"), language))
    assert told.replace(" ", "") in text.replace(" ", "")
    assert load_words(language).text("headings", "pairs") not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_month_prints_in_both_languages_and_names_its_rules(settings: Settings, language: str) -> None:
    report = read_report(settings, parse_month("2026-03"), language)
    assert len(report.days) == 31
    text = text_of(report)
    words = load_words(language, PeriodKind.MONTH)
    assert words.text("report", "heading", shop="World").replace(" ", "") in text.replace(" ", "")
    assert words.text("several_days", "ordinary").replace(" ", "") in text.replace(" ", "")


# --- Editions ------------------------------------------------------------------------------------


def test_a_run_prints_the_week_that_ended_in_it_once_and_again_when_a_day_is_restated(
    settings: Settings, quick_printing: None
) -> None:
    first, last = date(2026, 3, 2), date(2026, 4, 5)
    assert [period.name for period in find_due_periods(settings, first, last)] == [LAST_WEEK, "2026-03"]
    assert find_due_periods(settings, date(2026, 3, 31), date(2026, 4, 4)) == [parse_month("2026-03")]
    edition = print_report(settings, parse_week(LAST_WEEK))
    assert edition.pdf.relative_to(settings.reports) == Path(LAST_WEEK) / f"funnelscope-{LAST_WEEK}-edition-1-en.pdf"
    assert edition.spreadsheet.exists()
    assert edition.picture("landing").exists()
    assert [period.name for period in find_due_periods(settings, first, last)] == ["2026-03"]
    assert print_report(settings, parse_week(LAST_WEEK)).number == 1
    change_verdict(settings, date(2026, 4, 2), "blocked")
    assert [period.name for period in find_due_periods(settings, date(2026, 4, 2), date(2026, 4, 2))] == [LAST_WEEK]
    assert print_report(settings, parse_week(LAST_WEEK)).number == 2
    assert find_restated_days(settings, first, last) == [], "weeks are not taken for days"


def test_no_week_is_printed_where_none_is_wanted(settings: Settings) -> None:
    without = settings.model_copy(update={"period_reports": ("month",)})
    assert [period.name for period in find_due_periods(without, date(2026, 3, 2), date(2026, 4, 5))] == ["2026-03"]


def test_a_month_that_ended_before_the_shop_opened_is_not_printed(settings: Settings) -> None:
    opened = settings.model_copy(update={"opening_date": date(2026, 4, 1)})
    assert find_due_periods(opened, date(2026, 3, 31), date(2026, 4, 4)) == []


def test_the_workbook_of_a_week_lists_its_days(settings: Settings, quick_printing: None) -> None:
    edition = print_report(settings, parse_week(LAST_WEEK))
    sheet = openpyxl.load_workbook(edition.spreadsheet)["Days"]
    rows = {str(row[0])[:10]: row for row in sheet.iter_rows(values_only=True) if row[0]}
    assert rows["2026-03-31"][3] == 3_000.25


# --- Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "name", "days"),
    [
        (get_week(date(2027, 1, 1)), "2026-W53", 7),
        (get_month(date(2028, 2, 29)), "2028-02", 29),
        (get_month(date(2026, 1, 31)).before(), "2025-12", 31),
        (get_month(date(2026, 3, 1)).year_before, "2025-03", 31),
        (get_week(date(2026, 6, 14)).before(2), "2026-W22", 7),
        (get_day(date(2026, 6, 14)), "2026-06-14", 1),
    ],
)
def test_a_period_knows_its_name_and_days(period: Period, name: str, days: int) -> None:
    assert (period.name, len(period.days)) == (name, days)


@pytest.mark.parametrize("parse", [parse_week, parse_month])
@pytest.mark.parametrize("text", ["2026-W60", "2026-13", "last", "2026-02-30"])
def test_a_wrong_name_is_answered_with_a_right_one(parse: Callable[[str], Period], text: str) -> None:
    with pytest.raises(ValueError, match=rf"'{text}' is no (week|month); write 2026-"):
        parse(text)


def test_a_day_of_the_week_names_the_week() -> None:
    assert parse_week("2026-06-12") == parse_week("2026-W24") == parse_week("2026W24")
    assert parse_month("2026-06-12") == parse_month("2026-06")


def test_a_period_ends_with_its_last_day() -> None:
    kinds = (PeriodKind.WEEK, PeriodKind.MONTH)
    assert find_ended_periods(kinds, date(2026, 5, 31), date(2026, 5, 31)) == [
        parse_week("2026-W22"),
        parse_month("2026-05"),
    ]
    assert find_ended_periods(kinds, date(2026, 6, 1), date(2026, 6, 6)) == []


def test_two_periods_at_once_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["funnelscope", "report", "--week", "2026-W24", "--month", "2026-06"])
    with pytest.raises(SystemExit) as ended_with:
        main()
    assert ended_with.value.code == 1
    assert "--date、--week、--month、--campaign 各指一份报告" in capsys.readouterr().err


def test_a_report_of_a_day_has_no_days() -> None:
    from report_example import BUSY

    assert BUSY.label == "2026-06-20"
    assert replace(BUSY, name=LAST_WEEK).label == LAST_WEEK
