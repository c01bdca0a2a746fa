"""The printed day: every figure is on the page, absent numbers say so, and nothing in the data can change the page."""

import json
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from PIL import Image
from pypdf import PdfReader
from report_example import (
    BLOCKED,
    BRIDGE,
    BUSINESS_DATE,
    BUSY,
    CALM,
    DIAGNOSIS,
    EMPTY,
    FINDING,
    LANDING,
    LONG_NAME,
    TRAFFIC,
    WEEK,
    WITHHELD,
)
from test_printed_numbers import folded_text

from funnelscope.messages.message_types import Message, Unit
from funnelscope.messages.wording import UnknownWordError, list_languages, load_words
from reports import (
    CheckState,
    ComparedFigure,
    DayPoint,
    Diagnosis,
    Estimate,
    Evidence,
    Figure,
    Finding,
    FindingStatus,
    Headline,
    Mark,
    OtherMove,
    OwnCohort,
    OwnFunnel,
    OwnStep,
    Platform,
    Question,
    QuestionAnswer,
    RelevanceCell,
    Report,
    ReportVerdict,
    SliceRow,
    SliceTable,
    Stage,
    render,
    render_html,
    render_pages,
    render_pictures,
    write_announcement,
    write_digest,
    write_findings_json,
)
from reports.fonts import MissingGlyphError
from reports.model import lacks_comparable_days
from reports.pages.data_page import build_deliveries_section
from reports.pages.finding_blocks import write_cost, write_day_sentence, write_summary_sentence
from reports.pages.platform_pages import write_platform_line
from reports.pages.stage_pages import (
    build_indicators_section,
    pool_rows,
    split_largest,
    write_stage_notes,
)
from reports.pages.summary_page import write_baseline_sentence

HOSTILE = ("$x^2$", '#let x = 1; #read("a")', "<b>bold</b>", "back\\slash \\n", "{date} {0} %s", "*star* _under_ = [x]")


def text_of(pdf: bytes) -> str:
    """The text of every page, with runs of white space made one space, so that line breaks do not matter."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


PRINTED: dict[str, str] = {}
SHORT = replace(BUSY, stages=())  # for what the stages have no part in: they are most of the time of a report


def printed(report: Report) -> str:
    """The text of the report; of the same report, that of the first time."""
    key = repr(report)
    if key not in PRINTED:
        PRINTED[key] = text_of(render(report))
    return PRINTED[key]


def with_campaigns(*names: str | None, entered: int = 1_000, passed: int = 500) -> Report:
    """A report with one table whose rows are `names`."""
    rows = tuple(SliceRow(name, entered, passed, 27_000, 15_000) for name in names)
    stage = Stage("landing", slices=(SliceTable("campaign", "arrival", "qualified_product_view", rows),))
    return replace(EMPTY, stages=(stage,))


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def busy_pdf() -> bytes:
    return render(BUSY)


@pytest.fixture(scope="module")
def busy_text(busy_pdf: bytes) -> str:
    return text_of(busy_pdf)


@pytest.fixture(scope="module")
def both_editions(busy_text: str) -> str:
    """What is printed, and what the HTML edition folds away."""
    return f"{busy_text} {' '.join(folded_text(BUSY).split())}"


def test_every_figure_of_the_report_can_be_read_back(both_editions: str) -> None:
    words = load_words("en")
    figures = [headline.figure for headline in BUSY.headline] + list(BUSY.money.factors if BUSY.money else ())
    for stage in BUSY.stages:
        figures += [stage.rate, *stage.indicators] if stage.rate else []
    for figure in figures:
        assert words.text("metrics", figure.key) in both_editions
        assert words.value(figure.value, figure.unit) in both_editions, figure.key
        assert words.counts(figure) in both_editions, figure.key


def test_every_count_and_amount_can_be_read_back(both_editions: str) -> None:
    assert BUSY.money is not None
    counts = [step.count for stage in BUSY.stages for step in stage.steps]
    counts += [count for stage in BUSY.stages for window in stage.windows for count in (window.converted, window.lost)]
    counts += [part.payments for part in BUSY.money.parts.values()]
    counts += [delivery.rows_read for delivery in BUSY.deliveries] + [count.rows for count in BUSY.quarantine]
    for count in counts:
        assert f"{count:,}" in both_editions
    for part in (*BUSY.money.parts.values(), BUSY.money.excluded):
        assert f"{part.amount:,.2f}" in both_editions
    assert "12,345,678.90" in both_editions, "the parts add up to the paid amount, to the cent"


def test_footer_names_shop_day_edition_and_snapshot_on_every_page(busy_pdf: bytes) -> None:
    pages = PdfReader(BytesIO(busy_pdf)).pages
    for number, page in enumerate(pages, start=1):
        text = page.extract_text()
        for part in (BUSY.shop, "2026-06-20", "edition 2", BUSY.snapshot, f"Page {number} of {len(pages)}"):
            assert part in text


def test_a_blocked_day_says_so_first_with_reasons_and_the_last_good_day() -> None:
    reader = PdfReader(BytesIO(render(BLOCKED)))
    first = reader.pages[0].extract_text()
    assert "2026-06-20 的数字已拦截，请勿据此行动；最近可用的一天是 2026-06-19。" in first
    assert "客服：已声明，但没有收到数据。" in first
    assert "下单为 48,200，多于结算的 48,117" in first
    assert all("已拦截" in page.extract_text() for page in reader.pages), "no page may be read as if it were good"


def test_a_blocked_day_without_an_earlier_good_one_says_that() -> None:
    assert "No earlier day is good yet." in printed(replace(EMPTY, verdict=ReportVerdict.BLOCKED, last_good_date=None))


def test_a_short_history_says_how_many_days_it_has() -> None:
    few = replace(SHORT, baseline_days=12, days_of_weekday=None)
    assert "Only 12 comparable days so far" in printed(few)
    assert "comparable days" not in printed(replace(EMPTY, baseline_days=12)), "there is nothing to compare"
    first = replace(few, baseline_days=0, headline=(Headline(Figure("paid_amount", Unit.MONEY, 5)),))
    assert "No history yet" in printed(first)


def test_a_short_history_says_whether_usual_is_the_weekday_s() -> None:
    of_weekday = replace(BUSY, baseline_days=24, days_of_weekday=3)
    sentence = write_baseline_sentence(of_weekday, load_words("en"))
    assert sentence.startswith("Usual is the mean of the 3 comparable days so far that were a Saturday.")
    assert "24" in sentence
    assert "Saturday" not in write_baseline_sentence(replace(of_weekday, days_of_weekday=None), load_words("en"))


def test_a_day_like_no_other_is_not_said_to_be_without_history() -> None:
    words = load_words("en")
    known = Figure("visitors", Unit.COUNT, 5, trend=(DayPoint(date(2026, 6, 19), 4), DayPoint(date(2026, 6, 20), 5)))
    sale = replace(EMPTY, baseline_days=0, headline=(Headline(known),), diagnosis=Diagnosis("not_comparable", "a sale"))
    assert write_baseline_sentence(sale, words) == words.text("baseline", "nothing_alike")
    first = replace(sale, headline=(Headline(replace(known, trend=known.trend[1:])),))
    assert write_baseline_sentence(first, words) == words.text("baseline", "none")


def test_a_platform_that_states_nothing_of_the_day_is_told_as_no_data() -> None:
    platform = Platform("抖音", figures=(ComparedFigure(Figure("stated_paid_amount", Unit.MONEY, None)),))
    report = replace(EMPTY, platforms=(platform,), language="zh")
    assert write_platform_line(platform, report, load_words("zh")) == "抖音：无数据"
    assert "抖音：无数据" in write_digest(report).splitlines()


def test_no_heading_stands_above_nothing() -> None:
    """A day of which nothing is known defines nothing, and has no deliveries to list."""
    nothing = replace(EMPTY, headline=(), money=None, stages=(), deliveries=())
    text = printed(nothing)
    assert load_words("en").text("headings", "definitions") not in text
    assert "Rows read" not in text
    assert "Rows read" in printed(EMPTY)


def test_a_stage_without_data_says_so_and_why() -> None:
    text = printed(EMPTY)
    assert "No data: this shop delivers no data of Traffic." in text


def test_an_absent_number_is_never_printed_as_zero() -> None:
    text = printed(replace(EMPTY, stages=(), deliveries=(), headline=(Headline(Figure("visitors", Unit.COUNT, None)),)))
    assert "Visitors no data" in text
    assert " 0 " not in text
    assert "0.00" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_printed_as_it_is(text: str) -> None:
    report = replace(
        with_campaigns(text),
        shop=text,
        snapshot=text,
        verdict_reasons=(Message("verbatim", {"text": text}),),
    )
    read = squeezed(printed(report))
    assert read.count(squeezed(text)) >= 4, "in the title, a reason, a table and the footer"


def test_promotion_names_reach_the_page_and_no_picture_needs_them() -> None:
    assert LANDING.rate is not None
    trend = tuple(replace(point, promotion="$618 & <b>" if point.promotion else None) for point in LANDING.rate.trend)
    text = printed(replace(EMPTY, stages=(replace(LANDING, rate=replace(LANDING.rate, trend=trend)),)))
    assert "$618 & <b> (2026-06-16 to 2026-06-18)" in text


def test_a_long_name_without_spaces_is_broken_but_copied_whole() -> None:
    assert LONG_NAME in squeezed(printed(with_campaigns(LONG_NAME, "W" * 60)))
    assert "W" * 60 in squeezed(printed(with_campaigns("W" * 60)))


@pytest.mark.parametrize("name", ["W" * 60, "推广计划" * 20])
def test_a_long_name_stays_inside_its_column(name: str) -> None:
    """Its characters stand on several lines, and none right of where the column ends."""
    places: set[tuple[float, float]] = set()

    def note_place(text: str, current: list[float], matrix: list[float], *_: object) -> None:
        if text.strip() and set(text.strip()) <= set(name):
            places.add((current[4] + matrix[4], current[5] + matrix[5]))

    for page in PdfReader(BytesIO(render(with_campaigns(name)))).pages:
        page.extract_text(visitor_text=note_place)
    millimetre = 72 / 25.4
    assert len({y for _, y in places}) > 1
    assert max(x for x, _ in places) < (18 + 61) * millimetre


def test_two_hundred_slices_are_the_largest_and_one_sum_of_the_rest() -> None:
    rows = [SliceRow(f"value {number:03}", 1_000 - number, 100, 2_000, 300) for number in range(200)]
    shown, other = split_largest(rows)
    assert [row.value for row in shown] == [f"value {number:03}" for number in range(8)]
    assert len(other) == 192
    rest = pool_rows(other)
    assert rest.entered + sum(row.entered for row in shown) == sum(row.entered for row in rows)
    assert rest.baseline_rate == pytest.approx(0.15)
    assert f"Other (192 values) {rest.entered:,} 19,200" in printed(
        replace(EMPTY, stages=(replace(LANDING, slices=(SliceTable("region", "arrival", "paid", tuple(rows)),)),))
    )


def test_a_value_that_no_event_names_is_called_so() -> None:
    assert "(not named)" in printed(with_campaigns(None))


def test_the_same_report_gives_the_same_bytes(busy_pdf: bytes) -> None:
    assert render(BUSY) == busy_pdf


def test_the_pdf_is_tagged_titled_small_and_has_an_outline(busy_pdf: bytes) -> None:
    reader = PdfReader(BytesIO(busy_pdf))
    assert b"pdfuaid:part" in busy_pdf
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert reader.metadata.title == "示例商店 Example Shop: daily funnel report of 2026-06-20"
    titles = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert titles[1:6] == ["The money", "Traffic", "Landing", "Decision", "Repurchase"]
    assert len(busy_pdf) < 2_000_000


def test_the_first_page_says_what_to_do_today(busy_pdf: bytes) -> None:
    page = " ".join(PdfReader(BytesIO(busy_pdf)).pages[0].extract_text().split())
    for part in (
        "To act on today: 2.",
        f"Slow first screen: landing page {LONG_NAME}, device Android",
        "day 4, since 06-17",
        "First screen, slowest quarter: 2,910 ms instead of 1,990 ms since 2026-06-16, before the rate moved.",
        "About 1,204 orders (1,011 to 1,398) and ¥421,118 (353,000 to 489,000) lost",
        "Page team: Open the page on an Android phone and look at the size of its first picture. Re-check on 06-23.",
        "withheld: data problem",
        "recovered",
        "vs target",
        "month to date 241,118,402",
    ):
        assert squeezed(part) in squeezed(page), part


def without_marks(report: Report) -> Report:
    """The same day with every figure within normal variation."""
    stages = tuple(
        replace(stage, indicators=tuple(replace(figure, mark=None) for figure in stage.indicators))
        for stage in report.stages
    )
    return replace(report, stages=stages)


def test_a_moved_figure_without_a_finding_is_named_and_the_day_is_not_called_calm() -> None:
    text = printed(replace(BUSY, diagnosis=CALM))
    assert "Nothing unusual" not in text
    assert "beyond their usual range: First screen, slowest quarter ▲ 2,910 ms" in text


def test_an_amount_that_moved_is_told_with_its_sign_and_without_cents() -> None:
    day = without_marks(replace(BUSY, diagnosis=CALM))
    first, *others = day.headline
    marked = replace(first, figure=replace(first.figure, mark=Mark.BELOW))
    assert "Paid amount ▼ ¥12,345,679" in write_digest(replace(day, headline=(marked, *others)))


def test_a_calm_day_says_so_with_the_smallest_drop_it_could_show() -> None:
    text = printed(without_marks(replace(BUSY, diagnosis=CALM)))
    assert "Nothing unusual" in text
    assert "The smallest drop that one day can show: Landing 1.2%, Decision 3.4%." in text
    assert "What to act on" not in text


@pytest.mark.parametrize(("times", "is_named"), [(0.4, True), (0.6, False), (1.8, False), (3.6, True)])
def test_a_day_with_warnings_and_an_amount_far_from_usual_is_not_called_calm(times: float, is_named: bool) -> None:
    day = without_marks(replace(BUSY, diagnosis=CALM))
    first, *others = day.headline
    figure = replace(first.figure, value=times * 1000, baseline=1000.0)
    warned = replace(day, headline=(replace(first, figure=figure), *others))
    told = write_digest(warned).splitlines()[1]
    assert ("Nothing unusual" not in told) == is_named
    assert (f"{100 * (times - 1):+.0f}%".replace("-", "\N{MINUS SIGN}") in told) == is_named
    assert "Nothing unusual" in write_digest(replace(warned, verdict=ReportVerdict.PASS))


def test_slices_are_printed_by_what_was_found_and_all_where_nobody_looked() -> None:
    found, calm, unjudged = (printed(replace(BUSY, diagnosis=each)) for each in (DIAGNOSIS, CALM, None))
    assert "By landing page" in found
    assert "By entry type" not in found, "the finding is of a landing page and a device"
    assert "By landing page" not in calm
    assert "By entry type" in unjudged


def test_what_may_have_moved_a_stage_is_printed_where_something_moved_or_nobody_looked() -> None:
    found, calm, unjudged = (printed(replace(BUSY, diagnosis=each)) for each in (DIAGNOSIS, CALM, None))
    words = load_words("en")
    for part in (words.text("headings", "pairs"), "Landing rate by landing page and device"):
        assert part in found
        assert part not in calm
        assert part in unjudged
    elsewhere = replace(DIAGNOSIS.findings[0], slice=(("device", "Android"),), evidence=())
    unmoved = printed(replace(without_marks(BUSY), diagnosis=replace(DIAGNOSIS, findings=(elsewhere,))))
    assert words.text("headings", "pairs") not in unmoved
    assert "Landing rate by landing page and device" not in unmoved


def test_a_sale_that_is_judged_by_rates_alone_has_no_usual_figures() -> None:
    rates_alone = replace(BUSY, diagnosis=Diagnosis("calm", comparison="rates of regular days"), baseline_days=0)
    assert lacks_comparable_days(rates_alone)
    assert not lacks_comparable_days(replace(rates_alone, baseline_days=1))
    assert not lacks_comparable_days(replace(rates_alone, diagnosis=Diagnosis("calm")))
    of_sale = replace(rates_alone, promotion="618")
    assert "618 without the same day of a last time" in write_baseline_sentence(of_sale, load_words("en"))
    alone = replace(of_sale, diagnosis=Diagnosis("not_comparable"))
    assert "No earlier day is like this one" in write_baseline_sentence(alone, load_words("en"))


@pytest.mark.parametrize("state", ["no_baseline", "not_comparable"])
def test_a_day_that_no_other_is_like_tells_counts_and_rates_and_compares_no_slices(state: str) -> None:
    text = printed(replace(BUSY, diagnosis=Diagnosis(state, "2 comparable days before this one, 26 more are needed")))
    words = load_words("en")
    assert "26 more are needed. " in text
    assert "not what is unusual" in text
    for part in (words.text("headings", "pairs"), "Landing rate by landing page and device", "By device"):
        assert part not in text
    assert "By entry type" in text
    assert "The workbook also has them by device, landing page." in text
    for part in ("headings", "indicators"), ("steps", "deep_read"), ("headings", "windows"):
        assert words.text(*part) in text


def test_what_is_usual_has_no_column_while_nothing_is() -> None:
    def first_day(figure: Figure) -> Figure:
        return replace(figure, baseline=None, usual_low=None, usual_high=None)

    rows = tuple(SliceRow(name, 1_000, 500) for name in ("home", "product"))
    stage = replace(
        LANDING,
        rate=None,
        pairs=(),
        heat_map=None,
        questions=(),
        indicators=tuple(map(first_day, LANDING.indicators)),
        steps=tuple(
            replace(step, baseline_count=None, baseline_rate=None, usual_low=None, usual_high=None)
            for step in LANDING.steps
        ),
        slices=(SliceTable("entry_type", "arrival", "qualified_product_view", rows),),
    )
    report = replace(EMPTY, headline=(), money=None, stages=(stage,), diagnosis=Diagnosis("no_baseline", "none"))
    words = load_words("en")
    text = printed(report)
    for column in ("usual", "change", "against_usual"):
        assert f" {words.text('columns', column)} " not in text, column
    assert "160,253" in text
    assert "By entry type" in text


def test_a_calm_day_gives_a_shorter_report(busy_pdf: bytes) -> None:
    assert len(PdfReader(BytesIO(render(replace(BUSY, diagnosis=CALM)))).pages) < len(
        PdfReader(BytesIO(busy_pdf)).pages
    )


def in_range(key: str, value: float, mark: Mark | None = None) -> Figure:
    return Figure(key, Unit.COUNT, value, baseline=100.0, usual_low=80, usual_high=120, mark=mark)


def test_only_figures_beyond_their_range_are_printed_and_the_rest_folded_away() -> None:
    """In the HTML edition with its meaning. What a finding names is printed too, and all where nobody looked."""
    figures = (
        in_range("presale_conversations", 111),
        in_range("care_sent", 131),
        in_range("bot_sessions", 99, Mark.ABOVE),
        Figure("members_joined", Unit.COUNT, 77, baseline=80.0),
    )
    calm = replace(BUSY, stages=(Stage("landing", indicators=figures, rate=LANDING.rate),), diagnosis=CALM)
    words = load_words("en")
    (section,) = build_indicators_section(calm.stages[0], calm, words)
    assert [row[2] for row in section["table"]["rows"]] == ["131", "▲ 99", "77"]
    assert [row[2] for row in section["behind"]["table"]["rows"]] == ["111"]
    assert section["note"].startswith("1 more")
    assert words.define_figure("presale_conversations") in section["behind"]["meanings"][0]
    assert words.define_figure("presale_conversations") not in printed(calm)
    (section,) = build_indicators_section(calm.stages[0], replace(calm, diagnosis=DIAGNOSIS), words)
    assert len(section["behind"]["table"]["rows"]) == 1
    moved = replace(FINDING, evidence=(Evidence("series", "presale_conversations"),))
    for diagnosis in (replace(DIAGNOSIS, findings=(moved,)), None):
        (section,) = build_indicators_section(calm.stages[0], replace(calm, diagnosis=diagnosis), words)
        assert len(section["table"]["rows"]) == len(figures)
        assert "behind" not in section


def measure_fill(page: bytes) -> float:
    """How far down a page is printed, of what lies between its margins."""
    picture = Image.open(BytesIO(page)).convert("L")
    margin = round(picture.height * 16 / 297) + 1
    body = picture.crop((0, margin, picture.width, picture.height - margin))
    box = body.point(lambda light: 255 * (light < 245)).getbbox()
    return box[3] / body.height if box else 0.0


NOTHING_ALIKE = replace(BUSY, diagnosis=Diagnosis("not_comparable", reason="the first of its name"), baseline_days=0)
KINDS = {
    "busy": (BUSY, 6),
    "calm": (without_marks(replace(BUSY, diagnosis=CALM)), 5),
    "blocked": (BLOCKED, 5),
    "week": (WEEK, 6),
    "no comparable days": (NOTHING_ALIKE, 6),
    "nothing yet": (EMPTY, 1),
}


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_of_any_kind_is_half_empty(kind: str, language: str) -> None:
    report, most = KINDS[kind]
    fills = [measure_fill(page) for page in render_pages(replace(report, language=language), 40)]
    assert len(fills) <= most, fills
    assert min(fills[:-1], default=1) > 0.49, fills
    assert fills[-1] > 0.4, fills


def test_a_stage_with_a_finding_is_on_one_page() -> None:
    report = replace(BUSY, stages=(LANDING,), money=None, bridge=None)
    pages = [page.extract_text() for page in PdfReader(BytesIO(render(report))).pages]
    (landing,) = [page for page in pages if "Do home page, main image and video" in page]
    assert "By landing page" in landing, "the last of the stage"


@pytest.mark.parametrize("language", list_languages())
def test_on_a_day_without_comparable_days_the_figures_of_a_stage_are_on_its_page_in_two_columns(language: str) -> None:
    report = replace(NOTHING_ALIKE, language=language)
    words = load_words(language)
    pages = [squeezed(page.extract_text()) for page in PdfReader(BytesIO(render(report))).pages]
    for stage in report.stages:
        (page,) = [page for page in pages if squeezed(words.detail("stages", stage.key, "question")) in page]
        for section in build_indicators_section(stage, report, words):
            for name, *_, change in section["table"]["rows"]:
                assert squeezed(name) in page
                assert squeezed(change) in page
    decision = next(stage for stage in report.stages if stage.key == "decision")
    (section,) = build_indicators_section(decision, report, words)
    assert section["table"]["halves"]
    (section,) = build_indicators_section(decision, replace(report, diagnosis=None), words)
    assert "halves" not in section["table"], "nobody looked, so that everything is told"


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ((FINDING,), "In total about 1,204 orders and ¥421,118 lost."),
        ((FINDING, replace(FINDING, lost_orders=None, lost_amount=None)), "at least 1,204 orders and ¥421,118 lost."),
        ((replace(FINDING, is_overlapping=True),), "In total about 1,204 orders and ¥421,118 lost."),
        ((FINDING, replace(FINDING, lost_orders=Estimate(2000), is_overlapping=True)), "at least 2,000 orders"),
        ((replace(FINDING, lost_amount=None),), "In total about 1,204 orders lost."),
        ((WITHHELD,), "To act on today: 1."),
    ],
)
def test_page_1_says_what_is_at_stake_as_far_as_it_is_known(findings: tuple[Finding, ...], told: str) -> None:
    report = replace(BUSY, diagnosis=replace(DIAGNOSIS, findings=findings))
    summary = write_summary_sentence(report, load_words("en"))
    assert told in summary
    assert ("lost" in summary) == any(each.lost_orders for each in findings)


def test_a_finding_that_costs_nothing_has_no_line_of_noughts() -> None:
    costless = replace(FINDING, lost_orders=Estimate(0.0, 0.0, 0.0), lost_amount=Estimate(0.0, 0.0, 0.0))
    assert write_cost(FINDING, "CNY", load_words("en"))
    assert write_cost(costless, "CNY", load_words("en")) == ""


def test_a_week_without_trouble_folds_its_deliveries_away() -> None:
    days = tuple(replace(day, verdict=ReportVerdict.PASS, is_counted=True, editions=1) for day in WEEK.days)
    calm = replace(WEEK, days=days, quarantine=())
    words = load_words("en")
    (section,) = build_deliveries_section(calm, words)
    assert section["table"] is None
    assert section["behind"]["table"]["rows"]
    warned = replace(days[0], verdict=ReportVerdict.WARN)
    (section,) = build_deliveries_section(replace(calm, days=(warned, *days[1:])), words)
    assert section["table"]["rows"]


def test_a_funnel_that_nobody_entered_says_so_instead_of_noughts() -> None:
    cohort = OwnCohort(BUSINESS_DATE, BUSINESS_DATE, True, (OwnStep("view", 0, 0, 0, 0),))
    text = printed(replace(EMPTY, own_funnels=(OwnFunnel("mine", (cohort,)),)))
    assert "Nobody entered from 2026-06-20 to 2026-06-20." in text


def test_a_blocked_day_tells_nothing_to_do() -> None:
    """Whatever was found in data that are blocked: on no page, in no message, in no file."""
    report = replace(BLOCKED, language="en", diagnosis=DIAGNOSIS)
    told = FINDING.next_step
    assert told in printed(BUSY)
    assert told not in printed(report)
    assert "What to act on" not in printed(report)
    for written in (write_digest(report), write_announcement(report, "x").text, render_html(report).decode()):
        assert FINDING.title not in written
    assert json.loads(write_findings_json(report))["findings"] == []


def test_stages_without_data_for_one_reason_say_it_once() -> None:
    reason = Message("not_published", {"day": BUSINESS_DATE})
    stages = tuple(Stage(key, no_data=reason) for key in ("traffic", "landing", "decision"))
    text = printed(replace(BUSY, stages=(*stages, Stage("repurchase", no_data=Message("no_customers")))))
    assert "Do the right people come" not in text, "a question about one of them"
    assert text.count("has not been published") == 2, "on the first page, and in place of the stages"
    assert text.count("Traffic, Landing, Decision") == 2


def test_a_stage_is_no_owner_where_the_settings_name_nobody() -> None:
    finding = replace(FINDING, owner="landing")
    report = replace(SHORT, diagnosis=replace(DIAGNOSIS, findings=(finding,)))
    brief = write_digest(report)
    assert f"   {FINDING.next_step} Re-check on 06-23." in brief
    assert "Owner: nobody named." in write_day_sentence(report, load_words("en"))
    assert "Owner: Page team." in write_day_sentence(replace(report, diagnosis=DIAGNOSIS), load_words("en"))


def test_a_day_whose_findings_have_all_recovered_is_calm() -> None:
    recovered = replace(FINDING, status=FindingStatus.RECOVERED, is_ongoing=False)
    text = printed(without_marks(replace(SHORT, diagnosis=replace(DIAGNOSIS, findings=(recovered,)))))
    assert "Nothing unusual" in text


@pytest.mark.parametrize("state", ["no_baseline", "not_comparable", "withheld", "failed"])
def test_a_diagnosis_that_could_not_be_made_says_why(state: str) -> None:
    text = printed(replace(SHORT, diagnosis=Diagnosis(state, "only 9 days of history")))
    assert "only 9 days of history" in text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            "Gained: Decision, coupon SHOP20 (+40.0%). Landing fell by mix alone (−17.0%), its slices are as usual: "
            "channel feed_ads from 30% to 81% of the traffic. A promotion day, compared with regular days.",
        ),
        (
            "zh",
            "承接端转化率下降只因流量结构变化（−17.0%），各切片如常：渠道 feed_ads 占比由 30% 升至 81%。 "
            "大促日，对比基准：regular days。",
        ),
    ],
)
def test_gains_a_fall_by_mix_and_what_a_sale_is_compared_with_stand_beside_the_judgement(
    language: str, told: str
) -> None:
    diagnosis = Diagnosis(
        "calm",
        comparison="regular days",
        gains=(
            OtherMove("landing", (("device", "ios"),), 0.1),
            OtherMove("decision", (("coupon", "SHOP20"),), 0.4),
        ),
        by_mix=(OtherMove("landing", (("channel", "feed_ads"),), -0.17, 0.3, 0.81),),
    )
    sentence = write_day_sentence(replace(SHORT, diagnosis=diagnosis), load_words(language))
    assert told in sentence
    assert "ios" not in sentence


def test_a_day_that_nobody_diagnosed_is_not_called_calm() -> None:
    text = printed(replace(BUSY, diagnosis=None))
    assert "No diagnosis was made" in text
    assert "Nothing unusual" not in text


def test_the_bars_of_the_bridge_add_up_to_the_change() -> None:
    assert sum(bar.change for bar in BRIDGE.bars) == BRIDGE.today - BRIDGE.usual


def test_a_second_edition_says_what_changed_and_which_files_came(busy_text: str) -> None:
    assert "12,301,002.40 12,345,678.90" in busy_text
    assert "Taken in between: landing/order/dt=2026-06-22/part-0.parquet." in busy_text
    first = printed(replace(SHORT, edition=1, changes=(), late_deliveries=()))
    assert "What changed since the last edition" not in first


def test_days_that_were_restated_since_the_report_before_are_named_as_stretches(busy_text: str) -> None:
    assert "came or changed: 2026-06-18, 2026-06-20 – 2026-06-21." in busy_text
    assert "Restated since the report before" not in printed(replace(SHORT, restated_days=()))


def test_a_family_that_is_not_complete_is_named_above_every_page(busy_pdf: bytes) -> None:
    for page in PdfReader(BytesIO(busy_pdf)).pages:
        assert "Partial: no complete data of Service" in page.extract_text()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("report", [BUSY, replace(BUSY, diagnosis=CALM)], ids=["busy", "calm"])
@pytest.mark.parametrize("checks", [0, 9])
def test_the_definitions_stand_together_on_the_last_page(report: Report, language: str, checks: int) -> None:
    """However much stands before them: a few of them left over would be a page of their own."""
    failed = next(check for check in BUSY.checks if check.state is CheckState.WARN)
    report = replace(report, language=language, checks=(failed,) * checks)
    words = load_words(language)
    *others, last = (squeezed(page.extract_text()) for page in PdfReader(BytesIO(render(report))).pages)
    first_meaning = squeezed(words.detail("metrics", "paid_amount", "definition"))
    last_meaning = squeezed(words.detail("money_parts", "excluded", "definition"))
    heading = squeezed(words.text("headings", "definitions"))
    assert all(each in last for each in (heading, first_meaning, last_meaning))
    assert not any(first_meaning in page or last_meaning in page for page in others)


def test_definitions_longer_than_a_page_go_on_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = [{"term": f"word {number}", "meaning": "what it means " * 40} for number in range(60)]
    monkeypatch.setattr("reports.pages.build_definitions_chapter", lambda *_: {"heading": "Words", "terms": terms})
    pdf = render(EMPTY)
    text = text_of(pdf)
    assert all(f"word {number} what it means" in text for number in range(60))
    assert "what it means" in PdfReader(BytesIO(pdf)).pages[-2].extract_text()


def test_definitions_stand_only_for_what_is_printed(busy_text: str) -> None:
    definition = load_words("en").detail("metrics", "refund_rate", "definition")
    assert definition not in busy_text
    assert load_words("en").detail("metrics", "landing_rate", "definition") in busy_text
    excluded = load_words("en").detail("money_parts", "excluded", "definition")
    assert excluded in busy_text
    assert excluded not in printed(EMPTY), "no part of the money is printed there"


def test_an_unknown_key_names_the_words_file() -> None:
    with pytest.raises(UnknownWordError, match=r"funnelscope/messages/texts/en\.yaml has no metrics\.visitor"):
        render(replace(EMPTY, headline=(Headline(Figure("visitor", Unit.COUNT, 1)),)))
    with pytest.raises(UnknownWordError, match=r"choose one of en, zh"):
        render(replace(EMPTY, language="fr"))


def test_a_character_of_the_data_that_the_font_lacks_is_spelled_out() -> None:
    pages = printed(with_campaigns("sale \U0001f525", "tab\there", "\u0e25\u0e14\u0e23\u0e32\u0e04\u0e32"))
    text = squeezed(pages)
    assert "sale[U+1F525]" in text
    assert "tab[U+0009]here" in text
    assert "[U+0E25][U+0E14][U+0E23][U+0E32][U+0E04][U+0E32]" in text, "two Thai names stay two"
    note = "stands for a character of the shop's data that the font cannot draw"
    assert note in pages
    assert note not in printed(with_campaigns("sale"))


def test_a_missing_glyph_in_our_own_words_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sections = load_words("en").sections
    monkeypatch.setitem(sections["headings"], "data", "The data \U0001f4ca")  # type: ignore[index]
    with pytest.raises(MissingGlyphError, match=r"page.*U\+1F4CA"):
        render(EMPTY)


def test_an_own_funnel_tells_what_is_final_from_what_may_still_come() -> None:
    """The mature week with its picture; the days since are folded away, each with its own days and numbers."""
    mature = OwnCohort(
        date(2026, 6, 7),
        date(2026, 6, 13),
        True,
        (OwnStep("product_view", 4_321, 1_234, 3_087, 0), OwnStep("paid", 1_234, 1_234, 0, 0, 0.286, 0.286, 5_400)),
    )
    since = OwnCohort(date(2026, 6, 14), date(2026, 6, 20), False, (OwnStep("product_view", 987, 65, 0, 922),))
    report = replace(EMPTY, own_funnels=(OwnFunnel("view_to_payment", (mature, since)),))
    assert [name for name in render_pictures(report) if name.startswith("own_funnel")] == ["own_funnel_1"]
    for text, parts in (
        (printed(report), ["last complete week", "4,321", "1,234", "3,087", "2026-06-07 to 2026-06-13"]),
        (folded_text(report), ["who entered since", "987", "922", "2026-06-14 to 2026-06-20"]),
    ):
        places = [text.index(part) for part in parts]
        assert places == sorted(places)
    assert "who entered since" in printed(report), "print names it"


def test_what_a_check_found_is_told_in_the_language_of_the_report() -> None:
    squeezed_text = squeezed(printed(replace(BUSY, language="zh", stages=(), diagnosis=None)))
    assert "承接端，详情深读，home：160,253不多于上一步的160,250" in squeezed_text
    assert "18,200,107行中有17行" in squeezed_text
    assert "marts.funnel_steps" in squeezed_text


def test_a_promotion_day_says_that_usual_days_are_none() -> None:
    text = printed(replace(BUSY, promotion="618 main", stages=()))
    assert "A day of the promotion 618 main: usual is the same day of the same phase the last time." in text


def test_a_question_that_a_finding_answers_names_where() -> None:
    figure = Figure("first_screen_p75_ms", Unit.MILLISECONDS, 1_234, baseline=1_187.0)
    question = Question("fast_enough", QuestionAnswer.NO, figure, (("device", "Android"),))
    text = printed(replace(BUSY, stages=(replace(LANDING, questions=(question,)),)))
    assert "First-screen speed abnormal Found in device Android" in text


def test_the_matrix_of_creatives_and_pages_is_drawn_where_one_fails() -> None:
    heading = load_words("en").text("headings", "relevance")
    assert heading in printed(replace(BUSY, stages=(TRAFFIC,)))
    fitting = tuple(
        RelevanceCell(cell.creative, cell.landing_page, cell.sessions, 0.3, True) for cell in TRAFFIC.relevance
    )
    assert heading not in printed(replace(BUSY, stages=(replace(TRAFFIC, relevance=fitting),)))


def test_promotions_of_a_trend_that_is_not_drawn_are_not_told() -> None:
    assert LANDING.rate is not None
    rate = replace(LANDING.rate, trend=LANDING.rate.trend[-3:])
    alone = tuple(replace(point, promotion="618", value=point.value if place else None)
                  for place, point in enumerate(rate.trend[-2:]))  # fmt: skip
    words = load_words("en")
    report = replace(EMPTY, stages=())
    assert write_stage_notes(replace(LANDING, rate=replace(rate, trend=alone)), report, words)[1:] == []
    assert "618" in write_stage_notes(LANDING, report, words)[1]
