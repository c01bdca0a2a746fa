"""The content of the pages of a report: plain dictionaries of finished texts, in the form that page.typ lays out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from funnelscope.messages.wording import Words
from reports.campaign_review import CampaignReview
from reports.failures import PartFailure, SetAside, describe_error, make_part
from reports.fonts import require_glyphs, spell_out
from reports.model import DeliveryState, Report, ReportVerdict, Stage, group_told_stages, has_events
from reports.pages.campaign_page import build_campaign_definitions, build_campaign_findings, build_campaign_summary
from reports.pages.data_page import build_changes_chapter, build_data_chapter, build_definitions_chapter
from reports.pages.money_page import build_money_chapter
from reports.pages.own_funnel_page import build_own_funnels_chapter
from reports.pages.platform_pages import build_platform_chapters
from reports.pages.stage_pages import build_stage_chapter
from reports.pages.summary_page import build_summary
from reports.pages.table_blocks import Content, name_stages

Anything = TypeVar("Anything")


def build_content(report: Report, words: Words, aside: SetAside | None = None) -> Content:
    """Everything that is printed, as JSON-ready dictionaries.

    Args:
        aside: takes the chapters that fail, in whose place the page says why; without it, UnknownWordError is raised
            for an unknown key.
    """

    if report.campaign is not None:
        return _build_review(report, report.campaign, words)

    def build_chapter(heading: str, build: Callable[[], Content | None]) -> Content | None:
        title = words.text("headings", heading)
        return make_part(aside, title, lambda: require_all_glyphs(build()), lambda why: _explain(title, why, words))

    def build_stages(alike: Sequence[Stage]) -> Content:
        stage, name = alike[0], name_stages(alike, words)
        together = {"name": name} | ({"question": ""} if len(alike) > 1 else {})
        return make_part(
            aside,
            name,
            lambda: require_all_glyphs(build_stage_chapter(stage, report, words) | together),
            lambda why: _explain(name, why, words) | {"no_data": write_failure(why, words), "tables": []},
        )

    chapters = {
        "own_funnels": lambda: build_own_funnels_chapter(report, words) if report.own_funnels else None,
        "data": lambda: build_data_chapter(report, words),
        "changes": lambda: next(iter(build_changes_chapter(report, words)), None),
        "definitions": lambda: build_definitions_chapter(report, words),
    }
    return {
        "document": build_document(report, words),
        "summary": _build_summary(report, words, aside),
        "money": build_chapter("money_chapter", lambda: build_money_chapter(report, words))
        if has_events(report)
        else None,
        "platforms": make_part(
            aside,
            words.text("headings", "platforms"),
            lambda: require_all_glyphs(build_platform_chapters(report, words)),
            lambda why: [_explain(words.text("headings", "platforms"), why, words)],
        ),
        "stages": list(map(build_stages, group_told_stages(report))),
        "chapters": [built for key, build in chapters.items() if (built := build_chapter(key, build))],
    }


def _build_review(report: Report, review: CampaignReview, words: Words) -> Content:
    """The pages of a campaign: one chapter of its own in place of a day's, then changes and definitions."""
    found = build_campaign_findings(report, words)
    changes = next(iter(build_changes_chapter(report, words)), None)
    return {
        "document": build_document(report, words),
        "summary": build_campaign_summary(report, review, words),
        "money": None,
        "platforms": [],
        "stages": [],
        "chapters": [each for each in (found, changes, build_campaign_definitions(review, words)) if each],
    }


def _build_summary(report: Report, words: Words, aside: SetAside | None) -> Content:
    """The first page, without what keeps it from being made."""
    left_out: dict[str, Any] = {
        "platforms": (),
        "diagnosis": None,
        "headline": (),
        "stages": (),
        "days": (),
    }
    fewer = report
    for name, nothing in left_out.items() if aside else ():
        try:
            return require_all_glyphs(build_summary(fewer, words))
        except Exception as error:
            assert aside
            aside.failures.append(PartFailure(words.text("report", "first_page"), describe_error(error)))
            fewer = replace(fewer, **{name: nothing})
    return build_summary(fewer, words)


def write_failure(why: str, words: Words) -> str:
    """The sentence that stands in place of a part."""
    return spell_out(words.text("report", "part_failed", problem=why))


def _explain(title: str, why: str, words: Words) -> Content:
    """A chapter that says why it is not there; it fits the place of every chapter but a stage's."""
    sentence = write_failure(why, words)
    section = {"heading": None, "picture": None, "table": None, "note": sentence}
    return {
        "heading": title,
        "name": title,
        "question": "",
        "no_data": None,
        "sections": [section],
    }


def require_all_glyphs(content: Anything, where: str = "page") -> Anything:
    """The content. Raises MissingGlyphError if one of its texts cannot be drawn."""
    if isinstance(content, str):
        require_glyphs(content, where)
    elif isinstance(content, dict):
        for key, item in content.items():
            require_all_glyphs(item, f"{where}.{key}")
    elif isinstance(content, list):
        for item in content:
            require_all_glyphs(item, where)
    return content


def build_document(report: Report, words: Words) -> Content:
    """Title, author, language, header and footer of the document."""
    day = report.label
    edition = words.plain(report.edition)
    return {
        "title": words.text("report", "document", shop=report.shop, date=day),
        "author": report.shop,
        "subject": words.text("report", "subject", shop=report.shop, date=day, edition=edition),
        "language": words.language,
        "header": write_running_head(report, words),
        "footer": words.text("report", "footer", shop=report.shop, date=day, edition=edition, snapshot=report.snapshot),
        "page": words.text("report", "page", page="{page}", pages="{pages}"),
    }


def write_running_head(report: Report, words: Words) -> str | None:
    """The line above every page, if the day is blocked, or if days or part of the data are missing."""
    if report.verdict is ReportVerdict.BLOCKED:
        return words.text("report", "blocked_header")
    if report.campaign is not None and report.campaign.whole.left_out:
        counted, left_out = len(report.campaign.whole.counted), len(report.campaign.whole.left_out)
        days = {"counted": words.plain(counted), "days": words.plain(counted + left_out)}
        return words.text("report", "partial_period", **days)
    counted = sum(day.is_counted for day in report.days)
    if counted < len(report.days):
        return words.text("report", "partial_period", counted=words.plain(counted), days=words.plain(len(report.days)))
    lacking = [
        words.text("families", delivery.family)
        for delivery in report.deliveries
        if delivery.state in (DeliveryState.MISSING, DeliveryState.GROWING)
    ]
    if lacking:
        return words.text("report", "partial_header", families=words.text("labels", "separator").join(lacking))
    return None
