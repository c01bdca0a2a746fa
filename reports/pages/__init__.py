"""From a report to what its pages show: plain dictionaries of finished texts, in the shape that page.typ lays out."""

from reports.model import Report, Verdict
from reports.pages.data import data_chapter, definitions_chapter
from reports.pages.own_funnels import own_funnels_chapter
from reports.pages.stages import stage_chapter
from reports.pages.summary import summary
from reports.pages.tables import Content
from reports.wording import Words


def content(report: Report, words: Words) -> Content:
    """Everything that is printed, as JSON-ready dictionaries; raises UnknownWordError for an unknown key."""
    stages = [stage_chapter(stage, report.currency, words) for stage in report.stages]
    return {
        "document": document(report, words),
        "summary": summary(report, words),
        "stages": stages,
        "chapters": [
            *([own_funnels_chapter(report, words)] if report.own_funnels else []),
            data_chapter(report, words),
            definitions_chapter(report, words),
        ],
    }


def document(report: Report, words: Words) -> Content:
    day = report.business_date.isoformat()
    blocked = report.verdict is Verdict.BLOCKED
    edition = words.plain(report.edition)
    return {
        "title": words.text("report", "document", shop=report.shop, date=day),
        "author": report.shop,
        "subject": words.text("report", "subject", shop=report.shop, date=day, edition=edition),
        "language": words.language,
        "header": words.text("report", "blocked_header") if blocked else None,
        "footer": words.text("report", "footer", shop=report.shop, date=day, edition=edition, snapshot=report.snapshot),
        "page": words.text("report", "page", page="{page}", pages="{pages}"),
    }
