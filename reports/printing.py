"""Reports as files: the PDF, its pictures, and the HTML edition."""

import json
from collections.abc import Mapping, MutableSequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, time
from enum import Enum
from importlib import resources
from typing import Any, TypeVar

from funnelscope.messages.wording import load_words
from reports.failures import PartFailure, SetAside
from reports.fonts import find_font_file, spell_out
from reports.html_page import write_html
from reports.model import OwnCohort, PageLinks, Platform, Report, Stage, load_report_words
from reports.pages import build_content, require_all_glyphs
from reports.pages.platform_pages import name_platform
from reports.pictures import draw_pictures
from reports.pictures.canvas import apply_drawing_style, save_png
from reports.pictures.funnel_picture import draw_stage_png
from reports.pictures.own_funnel_picture import draw_own_funnel
from reports.pictures.platform_picture import draw_platform_png

Anything = TypeVar("Anything")
NO_LINKS = PageLinks()


class PrintingError(RuntimeError):
    """The typesetter reported a problem, so the pages may be incomplete."""


def render(
    report: Report,
    failures: MutableSequence[PartFailure] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> bytes:
    """The report as a tagged PDF (PDF/UA-1, A4). The same report gives the same bytes.

    Raises UnknownWordError for a key or language without words, MissingGlyphError if a text of the words file cannot be
    drawn, and PrintingError if the typesetter complains. Characters of the shop's own data that the font lacks are
    printed as code points.

    Args:
        failures: takes the parts that fail instead; the other pages are printed, and these say why they are not.
        pictures: those of `render_pictures`, if they are drawn already.
    """
    options: dict[str, Any] = {"format": "pdf", "pdf_standards": ["ua-1"], "timestamp": _compute_timestamp(report)}
    pictures = render_pictures(report, failures) if pictures is None else pictures
    pdf: bytes = _typeset(report, pictures, None if failures is None else SetAside(failures), **options)
    return pdf


def render_html(report: Report, links: PageLinks = NO_LINKS, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """The report as one HTML document with the words and numbers of the PDF, without the parts that fail.

    Browsers have more glyphs than the printed font: nothing is spelled out.
    """
    failures: list[PartFailure] = []
    words = load_report_words(report)
    pictures = render_pictures(report, failures) if pictures is None else pictures
    return write_html(report, words, build_content(report, words, SetAside(failures)), pictures, links)


def render_pages(report: Report, dots_per_inch: int) -> list[bytes]:
    """The same pages as PNG, one image per page. Raises the same errors as `render`."""
    pages = _typeset(report, render_pictures(report), None, format="png", ppi=dots_per_inch)
    return pages if isinstance(pages, list) else [pages]


def _typeset(report: Report, pictures: Mapping[str, bytes], aside: SetAside | None, **options: Any) -> Any:
    """The output of the typesetter for the report."""
    import typst

    report = make_drawable(report)
    words = load_report_words(report)
    page = build_content(report, words, aside)
    drawn = {f"{name}.svg": picture for name, picture in pictures.items()}
    if aside and aside.failures:
        parts = words.text("labels", "separator").join(dict.fromkeys(each.part for each in aside.failures))
        page["summary"]["verdict"]["reasons"].append(spell_out(words.text("report", "parts_missing", parts=parts)))
    require_all_glyphs(page)
    template = (resources.files("reports") / "page.typ").read_bytes()
    files: Any = {"main": template, "report.json": json.dumps(page, ensure_ascii=False).encode(), **drawn}
    fonts = typst.Fonts(False, False, [str(find_font_file().parent)])
    made, warnings = typst.compile_with_warnings(files, font_paths=fonts, ignore_system_fonts=True, **options)
    if warnings:
        raise PrintingError("; ".join(str(warning) for warning in warnings))
    return made


def render_pictures(report: Report, failures: MutableSequence[PartFailure] | None = None) -> dict[str, bytes]:
    """The report's pictures as SVG, by name: `money`, `<stage>`, `<stage>_windows`, `spark_<figure>`.

    A stage without data has no picture. Raises the same errors as `render`, unless `failures` takes them.
    """
    report = make_drawable(report)
    return draw_pictures(report, load_report_words(report), None if failures is None else SetAside(failures))


def render_stage_png(stage: Stage, report: Report) -> bytes:
    """The funnel and trend of one stage of `report` as a PNG with a title; a stage without data says so.

    Raises the same errors as `render`.
    """
    named = replace(report, shop=spell_out(report.shop))  # the picture shows nothing else of the report
    return draw_stage_png(make_drawable(stage), named, load_report_words(report))


def render_platform_png(platform: Platform, report: Report) -> bytes:
    """The platform's own funnel and the trend of its pay rate as a PNG with a title. Raises the errors of `render`."""
    words = load_report_words(report)
    named = replace(report, shop=spell_out(report.shop))
    drawn = make_drawable(platform)
    return draw_platform_png(drawn, name_platform(drawn, words), named, words)


def render_cohort_png(cohort: OwnCohort, name: str, language: str) -> bytes:
    """The picture of one cohort of the shop's own funnel `name` as PNG. Raises the same errors as `render`."""
    words = load_words(language)
    with apply_drawing_style():
        return save_png(draw_own_funnel(make_drawable(cohort), words), name)


def make_drawable(value: Anything) -> Anything:
    """A copy of a report, or of a part of one, in which every text can be drawn."""
    drawable: Anything = _make_drawable(value)
    return drawable


def _make_drawable(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return spell_out(value)
    if isinstance(value, tuple):
        return tuple(map(_make_drawable, value))
    if isinstance(value, Mapping):
        return {key: _make_drawable(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _make_drawable(getattr(value, field.name)) for field in fields(value)})
    return value


def _compute_timestamp(report: Report) -> int:
    """The PDF's creation time: midnight UTC of the business date. The current time would change the bytes."""
    return int(datetime.combine(report.business_date, time(), UTC).timestamp())
