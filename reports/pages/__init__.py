"""From a report to what its pages show: plain dictionaries of finished texts, in the shape that page.typ lays out."""

from funnelscope.messages.wording import Words
from reports.model import DeliveryState, Report, Verdict
from reports.pages.data_page import changes_chapter, data_chapter, definitions_chapter
from reports.pages.money_page import money_chapter
from reports.pages.own_funnel_page import own_funnels_chapter
from reports.pages.stage_pages import stage_chapter
from reports.pages.summary_page import summary
from reports.pages.table_blocks import Content


def content(report: Report, words: Words) -> Content:
    """Everything that is printed, as JSON-ready dictionaries; raises UnknownWordError for an unknown key."""
    stages = [stage_chapter(stage, report, words) for stage in report.stages]
    return {
        "document": document(report, words),
        "summary": summary(report, words),
        "money": money_chapter(report, words),
        "stages": stages,
        "chapters": [
            *([own_funnels_chapter(report, words)] if report.own_funnels else []),
            data_chapter(report, words),
            *changes_chapter(report, words),
            definitions_chapter(report, words),
        ],
    }


def document(report: Report, words: Words) -> Content:
    day = report.label
    edition = words.plain(report.edition)
    return {
        "title": words.text("report", "document", shop=report.shop, date=day),
        "author": report.shop,
        "subject": words.text("report", "subject", shop=report.shop, date=day, edition=edition),
        "language": words.language,
        "header": running_head(report, words),
        "footer": words.text("report", "footer", shop=report.shop, date=day, edition=edition, snapshot=report.snapshot),
        "page": words.text("report", "page", page="{page}", pages="{pages}"),
    }


def running_head(report: Report, words: Words) -> str | None:
    """What stands above every page: that it is blocked, or that days or a part of the data are missing."""
    if report.verdict is Verdict.BLOCKED:
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
