"""Every printed number is read back from the PDF and has its origin; every number of the report is on the page.

Both ways, in both languages: what the PDF's text holds is what was set, number by number and as often; each of those
is a value of the report, or follows from values of one and the same thing; and each value of the report is printed,
but for a short list of those that are only drawn.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, time
from decimal import Decimal
from functools import cache
from io import BytesIO
from itertools import permutations
from typing import Any
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader
from report_example import BLOCKED, BUSY, CALM, EMPTY, WEEK

from funnelscope.messages.wording import list_languages, load_words
from reports import Diagnosis, MoneySplit, Report, SliceRow, SliceTable, render, render_html, render_pictures
from reports.pages import build_content
from reports.pages.stage_pages import SLICE_ROWS_SHOWN
from reports.printing import make_drawable

REPORTS = {"busy": BUSY, "calm": replace(BUSY, diagnosis=CALM), "blocked": BLOCKED, "empty": EMPTY, "week": WEEK}
CASES = [pytest.param(name, language, id=f"{name}-{language}") for name in REPORTS for language in list_languages()]

NUMBER = re.compile(r"\d+(?:[,.:\-]\d+)*")
PLAIN = re.compile(r"[\d,]+(?:\.\d+)?")
UNPRINTED_TEXTS = ("alt", "file", "language", "author", "subject")  # keys of the page that are no text on it
# Keys that the typesetter leaves out.
ONLY_IN_HTML = ("anchor", "behind", "chart", "compared", "finding", "link", "told_first")
FOLDED = re.compile(r"<details class='rows'.*?</details>", re.DOTALL)

# Values of the report that no page prints as numbers, and what becomes of them.
ONLY_DRAWN = {
    r"trend\.(value|usual_low|usual_high)$": "points of a line, or of its band",
    r"steps\.baseline_count$": "the mark in a bar of the funnel",
    r"heat_map\.cells\.": "the rates of a cell are printed, not its counts",
    r"slices\.rows\.baseline_": "the usual rate is printed, not its counts",
    r"slices\.rows\.(entered|passed)$": "small slices are printed as one sum",
    r"headline\.month_target$": "printed as how far the month is from it",
    r"usual_(low|high)$": "a mark says that a figure lies outside",
    r"relevance\.sessions$": "thin pairs stay without a number",
}


def report_of(name: str, language: str) -> Report:
    return make_drawable(replace(REPORTS[name], language=language))


@cache
def pictures_of(name: str, language: str) -> dict[str, bytes]:
    return render_pictures(report_of(name, language))


@cache
def pages_of(name: str, language: str) -> tuple[str, ...]:
    """The text of each page as a reader of the PDF gets it."""
    pdf = render(report_of(name, language), pictures=pictures_of(name, language))
    return tuple(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def texts_in(value: Any, key: str = "") -> Iterator[str]:
    """The texts of the page's content in the order of their keys."""
    if key in ONLY_IN_HTML:
        return
    if isinstance(value, str) and key not in UNPRINTED_TEXTS:
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts_in(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item, key)


def body_texts(report: Report) -> list[str]:
    """What stands on the pages once: everything but head, foot and page number."""
    page = build_content(report, load_words(report.language, report.period))
    return [text for name, part in page.items() if name != "document" for text in texts_in(part)]


@cache
def picture_texts_of(name: str, language: str) -> tuple[tuple[str, bool], ...]:
    """Each text of a picture, and whether it labels an axis."""
    return tuple(picture_texts(pictures_of(name, language)))


def picture_texts(pictures: dict[str, bytes]) -> Iterator[tuple[str, bool]]:
    for svg in pictures.values():
        root = ElementTree.fromstring(svg)
        ticks = {
            id(text)
            for group in root.iter("{http://www.w3.org/2000/svg}g")
            if re.match(r"[xy]tick_", group.get("id", ""))
            for text in group.iter("{http://www.w3.org/2000/svg}text")
        }
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            yield "".join(text.itertext()), id(text) in ticks


def numbers_in(texts: Any) -> Counter[str]:
    return Counter(number for text in texts for number in NUMBER.findall(text))


@pytest.mark.parametrize(("name", "language"), CASES)
def test_the_pdf_holds_every_number_that_was_set_as_often_and_no_other(name: str, language: str) -> None:
    report, pages = report_of(name, language), pages_of(name, language)
    words = build_content(report, load_words(language, report.period))["document"]
    wanted = numbers_in(body_texts(report)) + numbers_in(text for text, _ in picture_texts_of(name, language))
    for number in range(1, len(pages) + 1):
        of_the_page = words["page"].format(page=number, pages=len(pages))
        wanted += numbers_in([words["header"] or "", words["footer"], of_the_page])
    found = numbers_in(pages)
    assert found == wanted, f"only in the PDF: {found - wanted}; lost by the PDF: {wanted - found}"


def parts_of(value: Any) -> Iterator[Any]:
    """The value and all that it holds."""
    yield value
    if is_dataclass(value):
        for field in fields(value):
            yield from parts_of(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from parts_of(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from parts_of(item)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


class Values:
    """Numbers, to be asked for by how they are written."""

    def __init__(self, values: Iterable[float]) -> None:
        sizes = {abs(value) for value in values}
        self.sorted = sorted(sizes | {size * 100 for size in sizes})  # a rate is written as a percentage

    def has(self, text: str) -> bool:
        """Whether one of them, rounded to the decimals of the text, is the text; signs apart."""
        plain = text.replace(",", "")
        number = float(plain)
        half = 0.5 * 10 ** -len(plain.partition(".")[2]) * (1 + 1e-9) + 1e-9 * number
        place = bisect_left(self.sorted, number - half)
        return place < len(self.sorted) and self.sorted[place] <= number + half


def following(thing: Any) -> Iterator[float]:
    """What follows from the numbers of one thing: a rate of its counts, a change against its usual value."""
    names = [field.name for field in fields(thing)]
    names += [name for name in dir(type(thing)) if isinstance(getattr(type(thing), name), property)]
    known = [float(value) for value in (getattr(thing, name) for name in names) if is_number(value)]
    for one, other in permutations(known, 2):
        yield one - other
        if other:
            yield from (one / other, one / other - 1)
    if isinstance(thing, SliceRow) and thing.baseline_rate is not None:
        yield thing.passed - thing.entered * thing.baseline_rate
    if isinstance(thing, MoneySplit) and thing.paid_amount:
        parts = thing.parts.values()
        yield float(sum(part.payments or 0 for part in parts))
        yield from (float(part.amount / thing.paid_amount) for part in parts if part.amount is not None)
    if isinstance(thing, SliceTable) and len(thing.rows) > SLICE_ROWS_SHOWN:
        yield from following_of_the_rest(thing)
    if isinstance(thing, Report):
        values = {each.figure.key: each.figure.value for each in thing.headline}
        if values.get("cost") and values.get("paid_amount"):
            yield float(values["cost"]) / float(values["paid_amount"])  # type: ignore[arg-type]
    if isinstance(thing, Report) and thing.diagnosis is not None:
        yield from following_of_the_findings(thing, thing.diagnosis)


def following_of_the_findings(report: Report, diagnosis: Diagnosis) -> Iterator[float]:
    """What the findings cost together, and what the paid amount is without them, also against what is usual."""
    for name in ("lost_orders", "lost_amount"):
        losses = [float(loss.value) for each in diagnosis.findings if (loss := getattr(each, name))]
        yield sum(losses)
    paid = next((each.figure for each in report.headline if each.figure.key == "paid_amount"), None)
    if paid is not None and paid.value is not None and paid.baseline is not None:
        without = float(paid.value) + sum(losses)
        yield from (without, without - float(paid.baseline))


def following_of_the_rest(table: SliceTable) -> Iterator[float]:
    rows = sorted(table.rows, key=lambda row: (-row.entered, -row.passed, row.value or ""))[SLICE_ROWS_SHOWN:]
    yield len(rows)
    sums = [sum(getattr(row, name) or 0 for row in rows) for name in SliceRow.__dataclass_fields__ if name != "value"]
    rest = SliceRow(None, *sums)
    yield from map(float, sums)
    yield from following(rest)


def numbers_of_sentences(report: Report) -> set[str]:
    """Digits in the words of the language and in names and texts of the shop: "3 seconds", "campaign 017"."""
    of_the_shop = [part for part in parts_of(report) if isinstance(part, str)]
    ours = [part for part in parts_of(load_words(report.language).sections) if isinstance(part, str)]
    return set(numbers_in([*of_the_shop, *ours]))


def dates_of(report: Report) -> set[str]:
    parts = list(parts_of(report))
    days = [part for part in parts if isinstance(part, date)]
    written = {day.isoformat() for day in days} | {f"{day:%m-%d}" for day in days}
    return written | {f"{part:%H:%M}" for part in parts if isinstance(part, time)}


def without_origin(report: Report, texts: list[str]) -> list[str]:
    """The numbers of the texts that are neither of the report nor follow from one thing of it, each with its text."""
    known = numbers_of_sentences(report) | dates_of(report)
    parts = list(parts_of(report))
    values = Values(
        [
            *(float(part) for part in parts if is_number(part)),
            *(value for part in parts if is_dataclass(part) for value in following(part)),
        ]
    )
    strange = []
    for text in texts:
        for number in NUMBER.findall(text):
            if number in known:
                continue
            if not PLAIN.fullmatch(number) or not values.has(number):
                strange.append(f"{number} in {text[:60]!r}")
    return strange


@pytest.mark.parametrize(("name", "language"), CASES)
def test_every_printed_number_is_of_the_report_or_follows_from_it(name: str, language: str) -> None:
    report = report_of(name, language)
    labels = [text for text, is_tick in picture_texts_of(name, language) if not is_tick]
    assert without_origin(report, [*body_texts(report), *labels]) == []


def test_a_number_without_an_origin_would_be_noticed() -> None:
    """Most misprints of a large number hit no value of the report. Exact equality with what was set guards the rest."""
    report = report_of("busy", "en")
    large = [text for text in body_texts(report) if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d\d)?", text)]
    misprinted = [text[:-1] + str((int(text[-1]) + 5) % 10) for text in large]
    assert len(large) > 50
    assert len(without_origin(report, misprinted)) > 0.9 * len(large)


def values_of(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of the report with the names that lead to it."""
    if is_number(value):
        yield path, float(value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from values_of(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple | list):
        for item in value:
            yield from values_of(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from values_of(item, f"{path}.{name}")


def folded_text(report: Report) -> str:
    """What the HTML edition folds away, and print leaves out."""
    return " ".join(re.sub(r"<[^>]*>", " ", block) for block in FOLDED.findall(render_html(report).decode()))


@pytest.mark.parametrize("language", list_languages())
def test_every_value_of_the_report_is_on_a_page_or_folded_away(language: str) -> None:
    report = report_of("busy", language)
    told = numbers_in([*pages_of("busy", language), folded_text(report)])
    printed = [number for number in told if PLAIN.fullmatch(number)]
    lost = [
        f"{path} {value}"
        for path, value in values_of(report)
        if not any(re.search(pattern, path) for pattern in ONLY_DRAWN)
        and not any(Values([value]).has(number) for number in printed)
    ]
    assert lost == []
