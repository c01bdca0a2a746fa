"""The content of the pages of a report: plain dictionaries of finished texts, in the form that page.typ lays out."""

from funnelscope.messages.wording import Words
from reports.model import DeliveryState, Report, ReportVerdict, has_events, list_told_stages
from reports.pages.data_page import build_changes_chapter, build_data_chapter, build_definitions_chapter
from reports.pages.money_page import build_money_chapter
from reports.pages.own_funnel_page import build_own_funnels_chapter
from reports.pages.platform_pages import build_platform_chapters
from reports.pages.stage_pages import build_stage_chapter
from reports.pages.summary_page import build_summary
from reports.pages.table_blocks import Content


def build_content(report: Report, words: Words) -> Content:
    """Everything that is printed, as JSON-ready dictionaries. Raises UnknownWordError for an unknown key."""
    stages = [build_stage_chapter(stage, report, words) for stage in list_told_stages(report)]
    return {
        "document": build_document(report, words),
        "summary": build_summary(report, words),
        "money": build_money_chapter(report, words) if has_events(report) else None,
        "platforms": build_platform_chapters(report, words),
        "stages": stages,
        "chapters": [
            *([build_own_funnels_chapter(report, words)] if report.own_funnels else []),
            build_data_chapter(report, words),
            *build_changes_chapter(report, words),
            build_definitions_chapter(report, words),
        ],
    }


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
