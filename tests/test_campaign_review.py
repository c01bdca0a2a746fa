"""The review of a campaign: its figures by hand, what is said where something is not known, and when it is printed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from campaign_shop import END, FIRST, SECOND, WEEK, calendar_of, open_shop
from pypdf import PdfReader
from report_example import FINDING
from test_html_edition import Text
from test_printed_numbers import numbers_in, picture_texts, texts_in

import reports
from funnelscope.messages.message_types import PeriodKind
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.quality.gate import list_days
from funnelscope.reporting import find_due_periods, parse_campaign, print_report, read_report
from funnelscope.reporting.campaigns import find_campaigns
from funnelscope.reporting.delivery import find_periods_to_send
from funnelscope.reporting.periods import Period
from funnelscope.settings import Promotion, Settings
from funnelscope.warehouse.connection import open_in_memory_warehouse
from pipelines.cli.app import main
from reports import Diagnosis
from reports.campaign_review import CampaignFigure, CampaignPart, CampaignReview
from reports.pages import build_content

FAIR = Period(PeriodKind.CAMPAIGN, SECOND, END, "tea_fair")
MATURE = END + timedelta(days=30)


@pytest.fixture(scope="module")
def mature(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop a month after its second fair."""
    return open_shop(tmp_path_factory.mktemp("mature"), MATURE)


@pytest.fixture(scope="module")
def at_its_end(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop on the evening of the fair's last day."""
    return open_shop(tmp_path_factory.mktemp("ended"), END)


def review_of(settings: Settings, period: Period = FAIR) -> CampaignReview:
    review = read_report(settings, period).campaign
    assert review is not None
    return review


def phase_of(review: CampaignReview, key: str) -> CampaignPart:
    return next(part for part in review.phases if part.key == key)


def values(figure: CampaignFigure) -> tuple[object, object, object]:
    return figure.value, figure.last, figure.plain


def unknown_of(review: CampaignReview) -> list[str]:
    return [each.key for each in review.unknown]


def text_of(report: reports.Report) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(reports.render(report))).pages).split())


# --- Figures by hand -----------------------------------------------------------------------------


def test_the_whole_is_held_against_the_last_time_and_as_many_plain_days(mature: Settings) -> None:
    """Factors 1+1+4+5+5+2 now, 1+1+3+4+4+2 then; a fifth of each is refunded; a plain day brings 1,000.00."""
    whole = review_of(mature).whole
    assert values(whole.find("paid_amount")) == (Decimal(18_000), Decimal(15_000), 6_000)
    assert values(whole.find("refunded_amount")) == (Decimal(3_600), Decimal(3_000), 0)
    assert values(whole.find("net_amount")) == (Decimal(14_400), Decimal(12_000), 6_000)
    assert values(whole.find("paid_orders")) == (360, 300, 120)
    assert values(whole.find("visitors_a_day")) == (5_000 / 6, 5_000 / 6, 500)
    assert values(whole.find("visitor_pay_rate")) == (360 / 5_000, 300 / 5_000, pytest.approx(20 / 500))
    assert values(whole.find("amount_per_buyer")) == (50, 50, pytest.approx(50))
    assert values(whole.find("cost")) == (None, None, None)


def test_each_phase_is_held_against_the_same_phase(mature: Settings) -> None:
    review = review_of(mature)
    paid = {part.key: values(part.find("paid_amount")) for part in review.phases}
    assert paid == {
        "deposit": (2_000, 2_000, 2_000),
        "opening": (4_000, 3_000, 1_000),
        "main": (10_000, 8_000, 2_000),
        "after": (2_000, 2_000, 1_000),
    }
    assert [len(part.counted) for part in review.phases] == [2, 1, 2, 1]
    assert phase_of(review, "main").find("net_amount").value == 8_000


def test_what_the_days_around_lack_was_pulled_forward(mature: Settings) -> None:
    before, after, both = review_of(mature).around
    assert (before.paid_amount, before.plain, before.from_date, before.to_date) == (
        6_300, 7_000, SECOND - WEEK, SECOND - timedelta(days=1),
    )  # fmt: skip
    assert (after.paid_amount, after.plain, after.to_date) == (6_300, 7_000, END + WEEK)
    assert (both.shortfall, both.is_usual, both.paid_orders, both.plain_orders) == (1_400, False, 252, 280)
    digest = text_of(read_report(mature, FAIR))
    assert "the 14 plain days around it lack ¥1,400 (−10.0%)" in digest
    assert "11.7% of the gain, and leaves ¥10,600" in digest


def test_days_around_within_the_normal_range_are_no_sign_of_anything(mature: Settings) -> None:
    report = read_report(mature, FAIR)
    assert report.campaign
    sides = tuple(replace(each, low=12_000, high=16_000) for each in report.campaign.around)
    within = replace(report, campaign=replace(report.campaign, around=sides))
    assert "no sign of sales pulled forward" in text_of(within)
    above = replace(report.campaign.around[-1], paid_amount=15_000, low=13_000, high=14_500)
    more = replace(report, campaign=replace(report.campaign, around=(*sides[:2], above)))
    assert "brought ¥1,000 more than usual (+7.1%): nothing was pulled forward" in text_of(more)


def test_refunds_are_told_at_equal_ages(mature: Settings) -> None:
    rows = {
        each.days: (each.refunded, each.rate, each.last_rate, each.plain_rate) for each in review_of(mature).refunds
    }
    assert rows == {
        1: (0, 0, 0, 0),
        7: (1_800, 0.1, 0.1, 0),
        15: (1_800, 0.1, 0.1, 0),
        30: (3_600, 0.2, 0.2, 0),
    }
    assert review_of(mature).is_mature


def test_refunds_that_are_not_mature_are_said_to_be_so(at_its_end: Settings) -> None:
    """By the sixth day the first four have had their first tenth refunded; so had those of the last time by its end."""
    review = review_of(at_its_end)
    assert values(review.whole.find("refunded_amount")) == (1_100, 900, None)
    assert values(review.whole.find("net_amount")) == (16_900, 14_100, None)
    assert [(each.refunded, each.rate, each.mature_on) for each in review.refunds] == [
        (None, None, END + timedelta(days=days)) for days in (1, 7, 15, 30)
    ]
    assert [each.last_rate for each in review.refunds] == [0, 0.1, 0.1, 0.2]
    assert {"refunds_open", "after_open"} <= set(unknown_of(review))
    text = text_of(read_report(at_its_end, FAIR))
    assert "net so far, refunds not mature before 2026-07-20" in text
    assert "not yet mature, known on 2026-07-20" in text
    assert "Whether it pulled sales forward is known on 2026-06-27" in text


def test_moves_are_scaled_and_the_largest_come_first(mature: Settings) -> None:
    channels, products = review_of(mature).moves
    assert [(each.value, each.now, each.last_alike, each.plain) for each in channels.moves] == [
        ("search", 10_800, 9_000, 3_600),
        ("feed", 7_200, 6_000, 2_400),
    ]
    assert [(each.value, each.now, each.last_alike) for each in products.moves] == [
        ("teapot", 720, 600),
        ("cup", 360, 300),
    ]


# --- What is not known -----------------------------------------------------------------------------


def test_without_a_last_time_there_is_none_and_the_page_says_so(tmp_path: Path) -> None:
    settings = open_shop(tmp_path, END, calendar=calendar_of([SECOND]))
    review = review_of(settings)
    assert values(review.whole.find("paid_amount")) == (18_000, None, 6_000)
    assert "no_last_time" in unknown_of(review)
    text = text_of(read_report(settings, FAIR))
    assert "no earlier one to compare with" in text
    assert "none of its name in the calendar" in text


def test_a_promotion_of_dates_alone_is_one_phase(tmp_path: Path) -> None:
    fair = {"name": "tea_fair", "from": SECOND, "to": END}
    settings = open_shop(tmp_path, END, calendar=[fair])
    review = review_of(settings)
    assert [part.key for part in review.phases] == ["main"]
    words = load_words("en", PeriodKind.CAMPAIGN)
    sections = build_content(read_report(settings, FAIR), words)["summary"]["platforms"]
    assert "By phase" not in [each["heading"] for each in sections]
    assert "Whole campaign" in [each["heading"] for each in sections]


def test_a_phase_without_data_is_no_zero(tmp_path: Path) -> None:
    opening = SECOND + timedelta(days=2)
    review = review_of(open_shop(tmp_path, END, blocked=[opening]))
    phase = phase_of(review, "opening")
    assert (phase.counted, phase.left_out) == ((), (opening,))
    assert {values(figure) for figure in phase.figures} == {(None, None, None)}
    assert "phase_left_out" in unknown_of(review)
    # The whole counts the other days, now and then: 18 - 4 and 15 - 3 thousands.
    assert values(review.whole.find("paid_amount")) == (14_000, 12_000, 5_000)
    assert next(each for each in review.days if each.day == opening).paid_amount is None


def test_a_figure_that_one_day_lacks_is_not_known_of_its_phase(tmp_path: Path) -> None:
    second_day = SECOND + timedelta(days=4)
    review = review_of(open_shop(tmp_path, END, without={"visitors": [second_day], "paid_amount": [second_day]}))
    assert phase_of(review, "main").find("visitors_a_day").value is None
    assert phase_of(review, "main").find("paid_amount").value is None
    assert phase_of(review, "main").find("net_amount").value is None
    assert review.whole.find("paid_amount").value is None
    assert phase_of(review, "opening").find("paid_amount").value == 4_000


def test_a_last_time_that_lacks_a_day_is_nothing_to_compare_with(tmp_path: Path) -> None:
    settings = open_shop(tmp_path, END, blocked=[FIRST + timedelta(days=3)])
    review = review_of(settings)
    assert review.whole.find("paid_amount").last is None
    assert phase_of(review, "main").find("paid_amount").last is None
    assert phase_of(review, "opening").find("paid_amount").last == 3_000
    assert "last_time_without_data" in unknown_of(review)


def test_without_refunds_there_is_no_net_amount(tmp_path: Path) -> None:
    settings = open_shop(tmp_path, MATURE, has_refunds=False)
    review = review_of(settings)
    assert values(review.whole.find("net_amount")) == (None, None, None)
    assert [each.rate for each in review.refunds] == [None] * 4
    assert "no_refunds" in unknown_of(review)
    assert "no data on refunds, so no net amount" in text_of(read_report(settings, FAIR))


def test_a_shorter_last_time_is_compared_by_day(tmp_path: Path) -> None:
    calendar = calendar_of()
    calendar[2]["to"] = calendar[2]["from"]  # the main phase of the first fair: one day of 4,000 in place of two
    settings = open_shop(tmp_path, END, calendar=calendar)
    main_phase = phase_of(review_of(settings), "main").find("paid_amount")
    assert (main_phase.value, main_phase.last, main_phase.last_alike) == (10_000, 4_000, 8_000)
    assert "+25.0%" in text_of(read_report(settings, FAIR))


def test_a_week_after_that_is_another_promotion_tells_nothing(tmp_path: Path) -> None:
    next_one = {"name": "summer", "from": END + timedelta(days=1), "to": END + WEEK}
    settings = open_shop(tmp_path, END + WEEK, calendar=[*calendar_of(), next_one])
    review = review_of(settings)
    assert len(review.around) == 2
    assert (review.around[1].paid_amount, len(review.around[1].promoted)) == (None, 7)
    assert "after_without_plain_days" in unknown_of(review)


def test_a_shop_that_opens_with_a_campaign_has_no_plain_days(tmp_path: Path) -> None:
    fair = {"name": "opening_sale", "from": date(2026, 4, 15), "to": date(2026, 4, 18)}
    settings = open_shop(tmp_path, date(2026, 4, 18), calendar=[fair])
    review = review_of(settings, parse_campaign(settings.calendar, "opening_sale", date(2026, 4, 18)))
    assert values(review.whole.find("paid_amount")) == (4_000, None, None)
    assert "no_plain_days" in unknown_of(review)


def test_what_only_a_platform_tells_is_told_as_such(tmp_path: Path) -> None:
    settings = open_shop(tmp_path, END, platforms=["taobao"])
    review = review_of(settings)
    assert values(review.whole.find("paid_amount")) == (18_000, 15_000, 6_000)
    assert values(review.whole.find("visitors_a_day")) == (5_000 / 6, 5_000 / 6, 500)
    assert values(review.whole.find("visitor_pay_rate")) == (360 / 5_000, 300 / 5_000, pytest.approx(20 / 500))
    assert review.whole.find("paid_amount").is_stated
    assert review.whole.find("net_amount").value is None
    (products,) = review.moves  # of the cup, one day is not stated
    assert [(each.value, each.now, each.last_alike, each.plain) for each in products.moves] == [
        ("teapot", 9_000, 7_500, 3_000)
    ]
    text = text_of(read_report(settings, FAIR))
    assert f"{load_words('en', PeriodKind.CAMPAIGN).text('labels', 'as_stated', name='Pay rate')} 7.20%" in text


def test_people_of_two_platforms_are_not_added_up(tmp_path: Path) -> None:
    whole = review_of(open_shop(tmp_path, END, platforms=["taobao", "douyin"])).whole
    assert values(whole.find("paid_amount")) == (36_000, 30_000, 12_000)
    assert {values(whole.find(key)) for key in ("visitors_a_day", "visitor_pay_rate", "amount_per_buyer")} == {
        (None, None, None)
    }


# --- Printed -------------------------------------------------------------------------------------


FOUND = replace(FINDING, found_on=(SECOND + timedelta(days=1), END), since=SECOND + timedelta(days=1))


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["Findings during the campaign: 1.", "All still going on.", "4 of the 6 days could be judged.",
                "2 days (06-16, 06-20)"]),
        ("zh", ["活动期间发现 1 个问题。", "均仍在持续。", "6 天中有 4 天可以判断是否异常。", "2 天（06-16，06-20）"]),
    ],
)  # fmt: skip
def test_what_was_found_during_the_fair_is_told_with_its_days(mature: Settings, language: str, told: list[str]) -> None:
    report = replace(
        read_report(mature, FAIR, language), diagnosis=Diagnosis("found", findings=(FOUND,), judged_days=4)
    )
    text = text_of(report)
    assert all("".join(part.split()) in "".join(text.split()) for part in told)
    page = reports.render_html(report).decode()
    assert f"id='finding-{FOUND.finding_id}'" in page
    assert f"href='#finding-{FOUND.finding_id}'" in page
    (found,) = json.loads(reports.write_review_json(report))["findings"]
    assert found["found_on"] == [day.isoformat() for day in FOUND.found_on]
    sheet = openpyxl.load_workbook(BytesIO(reports.write_spreadsheet(report))).worksheets
    assert [each.cell(2, 9).value for each in sheet if each.title in ("Findings", "问题")] == [2]


def test_a_fair_of_which_no_day_could_be_judged_says_so(mature: Settings) -> None:
    report = replace(
        read_report(mature, FAIR, "en"), diagnosis=Diagnosis("not_comparable", "no like day", judged_days=0)
    )
    text = text_of(report)
    assert "No day of the campaign had days to compare it with: nothing was judged." in text
    assert "could be judged" not in text


@pytest.mark.parametrize("language", list_languages())
def test_pdf_and_html_hold_every_number_once_and_the_same(mature: Settings, language: str) -> None:
    report = read_report(mature, FAIR, language)
    content = build_content(report, load_words(language, PeriodKind.CAMPAIGN))
    document, pictures = content["document"], reports.render_pictures(report)
    pages = [page.extract_text() for page in PdfReader(BytesIO(reports.render(report, pictures=pictures))).pages]
    around = numbers_in(text for text, _ in picture_texts(pictures))
    for number in range(1, len(pages) + 1):
        around += numbers_in([document["footer"], document["page"].format(page=number, pages=len(pages))])
    of_html = numbers_in(Text(reports.render_html(report, pictures=pictures).decode()).body)
    texts = [text for name, part in content.items() if name != "document" for text in texts_in(part)]
    wanted = numbers_in(texts)
    assert numbers_in(pages) - around == wanted
    assert of_html == wanted
    assert {"18,000", "14,400", "3,600", "12,600"} <= set(of_html)
    assert len(pages) == 2


def test_the_files_hold_the_figures_unrounded(mature: Settings, tmp_path: Path) -> None:
    edition = print_report(mature.model_copy(update={"home": copy_home(mature, tmp_path)}), FAIR)
    assert edition.failures == ()
    document = json.loads(edition.review.read_text(encoding="utf-8"))
    assert document["whole"]["figures"]["paid_amount"] == {
        "value": 18_000, "last": 15_000, "last_for_as_many_days": 15_000, "plain": 6_000,
    }  # fmt: skip
    assert [part["phase"] for part in document["phases"]] == ["deposit", "opening", "main", "after"]
    assert document["refunds"][-1] == {
        "within_days": 30, "amount": 3_600, "rate": 0.2, "last_rate": 0.2, "plain_rate": 0, "mature_on": None,
    }  # fmt: skip
    book = openpyxl.load_workbook(edition.spreadsheet)
    rows = [[cell.value for cell in row] for row in book["Campaign and phases"].iter_rows(min_row=2)]
    assert ["Main", 10_000, 8_000, 2_000] in [[row[0], row[5], row[7], row[10]] for row in rows]
    assert {"Campaign days", "Before and after", "Refund ages", "What moved", "Dictionary"} <= set(book.sheetnames)


def copy_home(settings: Settings, folder: Path) -> Path:
    import shutil

    shutil.copytree(settings.home, folder / "home", symlinks=True, ignore=shutil.ignore_patterns("reports"))
    return folder / "home"


def test_a_message_tells_the_verdict(mature: Settings) -> None:
    message = reports.write_announcement(read_report(mature, FAIR, "zh"), "report.pdf")
    assert message.title == "Tea House：tea_fair 2026-06-15 活动复盘"
    assert "支付金额 ¥18,000" in message.text
    assert "透支" in message.text
    assert message.text.endswith("活动复盘：report.pdf")


def test_a_name_of_any_letters_and_a_pause_between_phases(tmp_path: Path) -> None:
    """Days between the phases are no days of the campaign: what they lack is not told."""
    name = "<618> \N{FIRE}/大促"
    first, day = {"name": name, "phase": "preheat"}, {"name": name, "from": SECOND, "to": END}
    start = SECOND - timedelta(days=20)
    calendar = [first | {"from": start, "to": start}, day]
    settings = open_shop(tmp_path, END, calendar=calendar, blocked=[SECOND - timedelta(days=2)])
    edition = print_report(settings, parse_campaign(settings.calendar, name, END))
    assert edition.failures == ()
    assert "&lt;618&gt; \N{FIRE}/大促" in edition.html.read_text(encoding="utf-8")
    report = read_report(settings, edition.period)
    assert (report.verdict, report.verdict_reasons) == (reports.ReportVerdict.PASS, ())
    blocked = open_shop(tmp_path / "blocked", END, calendar=calendar, blocked=[start, *list_days(SECOND, END)])
    report = read_report(blocked, edition.period)
    assert report.verdict is reports.ReportVerdict.BLOCKED
    assert [each.key for each in report.verdict_reasons] == ["day_blocked", "days_blocked"]
    assert "has numbers that may be used" in (text := text_of(report))
    assert "Whole campaign" not in text  # a table without a row


# --- When ----------------------------------------------------------------------------------------


def test_it_is_due_when_it_ends_a_week_later_and_when_refunds_are_mature(tmp_path: Path, quick: None) -> None:
    settings = open_shop(tmp_path, END, period_reports=("campaign",))
    assert find_due_periods(settings, END, END) == [FAIR]
    print_report(settings, FAIR)
    assert find_due_periods(settings, END, END) == []
    for last, number in ((END + timedelta(days=6), 1), (END + WEEK, 2), (MATURE - timedelta(days=1), 2), (MATURE, 3)):
        settings = open_shop(tmp_path, last, period_reports=("campaign",))
        for period in find_due_periods(settings, last, last):
            print_report(settings, period)
        assert print_report(settings, FAIR).number == number, last


def test_each_edition_is_sent_once_it_is_there(mature: Settings) -> None:
    channel = {"name": "team", "url": "json://localhost"}
    settings = Settings.model_validate(mature.model_dump(by_alias=True) | {"delivery": [channel]})
    warehouse = open_in_memory_warehouse([])
    create_gate_tables(warehouse)

    def find(day: date) -> list[Period]:
        periods = find_periods_to_send(warehouse, settings, day, day, day)
        return [each for each in periods if each.kind is PeriodKind.CAMPAIGN]

    assert [find(END + timedelta(days=age)) for age in (-1, 0, 2, 7, 16, 30, 38)] == [
        [], [FAIR], [FAIR], [FAIR], [], [FAIR], [],
    ]  # fmt: skip


def test_the_command_prints_a_campaign_by_its_name(
    mature: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quick: None
) -> None:
    home = copy_home(mature, tmp_path)
    config = tmp_path / "funnelscope.yaml"
    entries = "".join(f"  - {{name: tea_fair, phase: {each['phase']}, from: {each['from']}, to: {each['to']}}}\n"
                      for each in calendar_of())  # fmt: skip
    config.write_text(f"shop: Tea House\nstart_date: 2026-04-13\nopening_date: 2026-04-13\ncalendar:\n{entries}")
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(config))
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(home))
    assert run(monkeypatch, "report", "--campaign", "tea_fair", "--language", "zh") == 0
    assert "tea_fair-2026-06-15 第 1 版" in capsys.readouterr().out
    assert run(monkeypatch, "report", "--campaign", "tea_fair", "--date", "2026-05-01") == 0
    assert "tea_fair-2026-04-20" in capsys.readouterr().out
    assert run(monkeypatch, "report", "--campaign", "coffee_fair") == 1
    assert "no promotion 'coffee_fair'; it has tea_fair" in " ".join(capsys.readouterr().err.split())


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["funnelscope", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_reviews_of_a_backfill_are_those_of_the_last_time(mature: Settings) -> None:
    only = mature.model_copy(update={"period_reports": ("campaign",)})
    assert find_due_periods(only, date(2026, 3, 2), MATURE) == [FAIR]
    weekly = mature.model_copy(update={"period_reports": ("week",)})
    assert PeriodKind.CAMPAIGN not in [each.kind for each in find_due_periods(weekly, date(2026, 3, 2), MATURE)]
    assert find_due_periods(only, END + timedelta(days=1), END + timedelta(days=2)) == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Editions without pages."""
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_pictures", lambda *_: {})
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render", lambda report, *_: repr(report).encode())
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_html", lambda report, *_: b"")


Sale = Callable[..., Promotion]


@pytest.fixture
def sale() -> Sale:
    def make(first: str, last: str, phase: str = "main", name: str = "fair") -> Promotion:
        return Promotion.model_validate({"name": name, "from": first, "to": last, "phase": phase})

    return make


def test_a_phase_that_comes_again_after_a_pause_is_another_time(sale: Sale) -> None:
    weekly = [sale("2026-06-06", "2026-06-06"), sale("2026-06-13", "2026-06-13")]
    assert [each.days for each in find_campaigns(weekly)] == [[date(2026, 6, 6)], [date(2026, 6, 13)]]
    waves = [
        sale("2026-05-20", "2026-05-31", "deposit"),
        sale("2026-06-03", "2026-06-05", "opening"),
        sale("2026-06-16", "2026-06-18"),
    ]
    (one,) = find_campaigns(waves)
    assert (list(one.phases), len(one.days), one.period.name) == (["deposit", "opening", "main"], 18, "fair-2026-05-20")
    assert len(find_campaigns([sale("2026-05-01", "2026-05-01"), sale("2026-07-01", "2026-07-01", "after")])) == 2


def test_a_phase_that_has_no_day_of_its_own_is_named(sale: Sale) -> None:
    day = [
        sale("2026-06-17", "2026-06-18 20:00", "preheat"),
        sale("2026-06-18 20:00", "2026-06-18 23:59", "opening"),
        sale("2026-06-19", "2026-06-19"),
    ]
    (campaign,) = find_campaigns(day)
    assert campaign.phases_without_day == ["opening"]
    assert campaign.phases["preheat"] == [date(2026, 6, 17), date(2026, 6, 18)]


def test_a_campaign_is_chosen_by_name_and_day(mature: Settings) -> None:
    calendar = mature.calendar
    assert parse_campaign(calendar, "tea_fair", MATURE) == FAIR
    assert parse_campaign(calendar, "tea_fair", MATURE, date(2026, 5, 1)).from_date == FIRST
    assert parse_campaign(calendar, "tea_fair", SECOND).from_date == FIRST  # the second one lasts
    with pytest.raises(ValueError, match="has no promotion 'tea_fear'; it has tea_fair"):
        parse_campaign(calendar, "tea_fear", MATURE)
    with pytest.raises(ValueError, match="ends on 2026-06-20 and is reviewed once it is over"):
        parse_campaign(calendar, "tea_fair", SECOND, SECOND)
    with pytest.raises(ValueError, match="first begins on 2026-04-20"):
        parse_campaign(calendar, "tea_fair", MATURE, date(2026, 4, 1))


def test_a_name_that_is_no_file_name_gets_a_folder_all_the_same() -> None:
    assert Period(PeriodKind.CAMPAIGN, SECOND, END, "618 大促/主会场").name == "618_大促_主会场-2026-06-15"
