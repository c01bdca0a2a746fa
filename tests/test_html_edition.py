"""The HTML edition: the numbers of the PDF, one file that fetches nothing, and no data of the shop runs in it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader
from report_example import BUSINESS_DATE, BUSY, CALM, DIAGNOSIS, FINDING, LANDING
from test_printed_numbers import (
    CASES,
    NUMBER,
    body_texts,
    numbers_in,
    pages_of,
    picture_texts_of,
    pictures_of,
    report_of,
)

from funnelscope.messages.wording import list_languages, load_words
from funnelscope.reporting import Edition, editions
from funnelscope.reporting.periods import get_day
from funnelscope.settings import Settings
from reports import (
    DayPoint,
    FindingRow,
    PageLink,
    PageLinks,
    render,
    render_html,
    show_neighbour,
    write_announcement,
)
from reports.html_blocks import write_breakable
from reports.html_charts import draw_charts, draw_heat_map
from reports.pages import build_content

LINKS = PageLinks(
    PageLink("2026-06-19", "../2026-06-19/page.html", is_there=True),
    PageLink("2026-06-21", "../2026-06-21/page.html"),
    ("report.pdf", "report.xlsx"),
)
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
EMPTY_TAGS = {"meta", "br", "img", "input", "link", "path", "line", "rect", "circle"}
MOST_BYTES = 2_000_000


def points(values: list[float]) -> tuple[DayPoint, ...]:
    days = [BUSINESS_DATE.fromordinal(BUSINESS_DATE.toordinal() - back) for back in range(len(values))][::-1]
    return tuple(map(DayPoint, days, values))


ROWS = tuple(
    FindingRow("session", 7_000_000_000_000_000_001 + number, "06-20 10:00:00", (("channel", "search"),), number == 2)
    for number in range(3)
)
TOLD = replace(FINDING, trend=points([0.55, 0.54, 0.41, 0.412]), rows=ROWS, row_count=812)
REPORT = replace(BUSY, diagnosis=replace(DIAGNOSIS, findings=(TOLD, *DIAGNOSIS.findings[1:])))

CALM_REPORT = replace(BUSY, diagnosis=CALM, stages=())


class Text(HTMLParser):
    """The text of a page by its place: what is printed, what stands in charts, and what only the HTML edition has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.body: list[str] = []
        self.charts: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        self.ids += [given["id"]] if "id" in given else []
        if tag not in EMPTY_TAGS:
            self.open.append((tag, f"{given.get('class', '')}{' hidden' if 'hidden' in given else ''}"))

    def handle_endtag(self, tag: str) -> None:
        if tag in EMPTY_TAGS:
            return
        assert self.open.pop()[0] == tag, "elements are closed in order"

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        kinds = " ".join(kind for _, kind in self.open).split()
        if "main" not in tags or "hidden" in kinds or "details" in tags or "spoken" in kinds:
            return
        (self.charts if "figure" in tags else self.body).append(data)


def page_of(name: str, language: str) -> Text:
    return Text(render_html(report_of(name, language), LINKS, pictures_of(name, language)).decode())


@cache
def page_of_report() -> str:
    return render_html(REPORT, LINKS).decode()


@pytest.mark.parametrize(("name", "language"), CASES)
def test_pdf_and_html_hold_the_same_numbers(name: str, language: str) -> None:
    """What stands in the body of the one stands in that of the other, number by number and as often."""
    page = page_of(name, language)
    report = report_of(name, language)
    document = build_content(report, load_words(language, report.period))["document"]
    pdf = pages_of(name, language)
    around = numbers_in(text for text, _ in picture_texts_of(name, language))
    for number in range(1, len(pdf) + 1):
        around += numbers_in([document["header"] or "", document["footer"]])
        around += numbers_in([document["page"].format(page=number, pages=len(pdf))])
    of_pdf = numbers_in(pdf) - around
    of_html = numbers_in(page.body)
    assert of_html == of_pdf, f"only in HTML: {of_html - of_pdf}; only in the PDF: {of_pdf - of_html}"
    assert of_html == numbers_in(body_texts(report))


@pytest.mark.parametrize("language", list_languages())
def test_charts_tell_the_numbers_of_the_printed_pictures(language: str) -> None:
    """Every label of funnels, trends and the bridge; of axes the ticks may differ."""
    shown = set(numbers_in(page_of("busy", language).charts))
    printed = [text for text, is_tick in picture_texts_of("busy", language) if not is_tick]
    of_pictures = {number for text in printed if "%" in text or "," in text for number in NUMBER.findall(text)}
    drawn_as_picture = set(numbers_in(_labels_of_reused(language)))
    assert of_pictures - drawn_as_picture - shown == set()
    assert len(of_pictures & shown) > 40


def test_charts_of_what_may_have_moved_a_rate_are_those_of_the_pdf() -> None:
    words = load_words("en")
    assert draw_charts(BUSY, words)["landing_pairs"]
    assert draw_charts(replace(BUSY, diagnosis=CALM), words)["landing_pairs"] == "", "nothing moved it"


def test_the_comparison_of_slices_is_a_table_that_a_phone_and_the_dark_can_show() -> None:
    assert LANDING.heat_map is not None
    table = draw_heat_map(LANDING.heat_map, load_words("en"))
    assert "<th scope='row'>Summer_Linen_Retargeting_Lookalike_3pct_v</th><td class='number worse-4'>41.0%" in table
    assert table.count("<tr>") == 1 + len(LANDING.heat_map.rows)


def test_facts_and_dates_are_not_torn_where_a_line_ends() -> None:
    assert write_breakable("补券。 06-17 复查。") == "补券。 <span class='kept'>06-17 复查。</span>"
    assert write_breakable("自 2026-06-09 起") == "自 <span class='kept'>2026-06-09 起</span>"
    assert write_breakable("a  ·  <b>") == "<span class='fact'>a  ·</span>  <span class='fact'>&lt;b&gt;</span>"


def _labels_of_reused(language: str) -> Iterator[str]:
    """The texts of printed pictures that the page shows as they are."""
    for name, svg in pictures_of("busy", language).items():
        if re.search(r"heat_map|effects|relevance|windows|money", name):
            yield from re.findall(r">([^<>]+)</text>", svg.decode())


@pytest.mark.parametrize("language", list_languages())
def test_the_page_is_one_file_that_fetches_nothing(language: str) -> None:
    page = render_html(replace(REPORT, language=language), LINKS)
    assert len(page) < MOST_BYTES
    text = Text(page.decode())
    fetched = [value for tag, name, value in text.attributes if name in ("src", "srcset", "data", "poster")]
    assert all(value.startswith("data:image/svg+xml;base64,") for value in fetched)
    assert not [tag for tag, _, _ in text.attributes if tag in ("link", "iframe", "object", "embed", "base", "form")]
    assert not [name for _, name, _ in text.attributes if name == "style" or name.startswith("on")]
    (policy,) = [value for _, name, value in text.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render_html(REPORT, LINKS) == render_html(REPORT, LINKS)


def test_nothing_of_the_shops_data_becomes_markup() -> None:
    """A product, shop, note, slice and row that are named like an attack are read as they are written."""
    attacked = replace(
        TOLD,
        title=ATTACK,
        slice=(("landing_page", ATTACK),),
        owner=ATTACK,
        next_step=ATTACK,
        question=ATTACK,
        rows=tuple(replace(row, facts=(("channel", ATTACK),)) for row in ROWS),
    )
    report = replace(
        REPORT, shop=ATTACK, diagnosis=replace(DIAGNOSIS, findings=(attacked,)), late_deliveries=(ATTACK,), edition=2
    )
    page = render_html(report, replace(LINKS, files=(ATTACK,))).decode()
    text = Text(page)
    assert page.count("<script") == 2  # ours
    assert page.count("</script>") == 2
    assert not [name for _, name, _ in text.attributes if name.startswith("on")]
    assert ATTACK in "".join(text.body)
    found = re.search(r"<script type='application/json' id='findings'>(.*?)</script>", page, re.DOTALL)
    assert found
    assert json.loads(found[1])["shop"] == ATTACK


def test_a_finding_leads_to_its_chart_its_rows_and_back() -> None:
    page = page_of_report()
    text = Text(page)
    anchor = f"finding-{FINDING.finding_id}"
    assert f"<a href='#{anchor}'>" in page
    assert {anchor, f"rows-{FINDING.finding_id}", "landing", "money", "data"} <= set(text.ids)
    assert len(text.ids) == len(set(text.ids))
    targets = [value[1:] for _, name, value in text.attributes if name == "href" and value.startswith("#")]
    assert set(targets) <= set(text.ids)
    section = page[page.index(f"id='{anchor}'") :]
    assert section.index('<svg class="line"') < section.index("<details class='rows'") < section.index("7000000000")
    assert "3 of 812" in section


def test_every_row_of_a_person_is_a_line_that_can_be_taken_out() -> None:
    page = page_of_report()
    lines = [line for line in page.split("\n") if str(ROWS[1].row_id) in line]
    assert len(lines) == 1
    assert lines[0].startswith("<tr>")
    assert lines[0].endswith("</tr>")


def test_links_to_days_that_are_not_there_are_hidden_until_they_are() -> None:
    page = page_of_report()
    assert "<a rel='prev' href='../2026-06-19/page.html'>" in page
    assert "<a rel='next' href='../2026-06-21/page.html' hidden>" in page
    shown = show_neighbour(page, "next")
    assert "<a rel='next' href='../2026-06-21/page.html'>" in shown
    assert show_neighbour(shown, "next") == shown


def test_figures_can_be_held_against_the_day_before_and_a_week_before() -> None:
    """The trend of a stage's rate holds both; the page has a version for each."""
    rates = [0.3 + 0.01 * day for day in range(8)]
    stage = BUSY.stages[0]
    assert stage.rate
    stage = replace(stage, rate=replace(stage.rate, value=0.37, trend=points(rates)))
    page = render_html(replace(REPORT, stages=(stage,)), LINKS).decode()
    for name, value, change in (("day_before", "yesterday 36.0%", "+1.0 pp"), ("week_before", "30.0%", "+7.0 pp")):
        version = page[page.index(f"<div data-against='{name}' hidden>") :][:900]
        assert value in version
        assert change in version
    assert page.count("name='against'") == 3


def test_titles_of_findings_in_the_pdf_lead_to_the_html_edition() -> None:
    address = f"https://shop.example/reports/2026-06-20/page.html#finding-{FINDING.finding_id}"
    linked = replace(REPORT, diagnosis=replace(DIAGNOSIS, findings=(replace(TOLD, link=address),)))
    pages = PdfReader(BytesIO(render(linked))).pages
    links = [note.get_object()["/A"]["/URI"] for page in pages for note in page.get("/Annots", [])]
    assert set(links) == {address}
    assert len(links) >= 2  # on the first page and in its chapter
    assert not [page for page in PdfReader(BytesIO(render(REPORT))).pages if "/Annots" in page]


@pytest.mark.parametrize("language", list_languages())
def test_a_message_is_the_first_page_with_the_address_of_each_finding(language: str) -> None:
    page = "https://shop.example/reports/2026-06-20/funnelscope-2026-06-20-zh.html"
    report = replace(REPORT, language=language)
    text = write_announcement(report, page, page=page).text
    assert f"{page}#finding-{FINDING.finding_id}" in text.splitlines()
    assert "12,345,679" in text
    assert text.splitlines()[-1].endswith(page)
    assert write_announcement(report, "report.pdf").text.count("http") == 0


def test_a_long_message_keeps_its_verdict_and_its_address() -> None:
    page = "https://shop.example/reports/page.html"
    findings = tuple(replace(TOLD, title="问题" * 200, finding_id=f"{number}") for number in range(3))
    report = replace(REPORT, language="zh", diagnosis=replace(DIAGNOSIS, findings=findings))
    message = write_announcement(report, page, page=page)
    lines = message.text.splitlines()
    assert len(message.text.encode()) < 2_000 + len(lines[0].encode())
    assert "3 件事" in lines[0]
    assert lines[-1].endswith(page)


def test_the_newest_page_keeps_its_name_and_is_linked_from_the_days_beside_it(tmp_path: Path) -> None:
    settings = Settings.model_validate({"shop": "Shop", "start_date": BUSINESS_DATE, "home": tmp_path})
    for day in (date(2026, 6, 20), date(2026, 6, 21)):
        period = get_day(day)
        edition = Edition(period, 1, "snapshot", tmp_path / "reports" / period.name / "edition-1.pdf")
        edition.pdf.parent.mkdir(parents=True)
        links = editions._list_links(settings, edition, "en")
        editions._publish_page(settings, period, "en", render_html(CALM_REPORT, links))
    first, second = (
        (tmp_path / "reports" / get_day(day).name_page("en")).read_text(encoding="utf-8")
        for day in (date(2026, 6, 20), date(2026, 6, 21))
    )
    assert "<a rel='next' href='../2026-06-21/funnelscope-2026-06-21-en.html'>2026-06-21 →</a>" in first
    assert "<a rel='prev' href='../2026-06-20/funnelscope-2026-06-20-en.html'>← 2026-06-20</a>" in second
    assert re.search("rel='prev'[^>]* hidden", first)
    assert re.search("rel='next'[^>]* hidden", second)
