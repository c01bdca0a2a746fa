"""The report in a few lines, for a mail or a chat group."""

from dataclasses import dataclass

from reports.model import Report, load_report_words
from reports.pages.finding_blocks import write_day_sentence
from reports.pages.platform_pages import write_platform_line
from reports.pages.summary_page import build_verdict


@dataclass(frozen=True)
class Announcement:
    """A message: a title of one line, and a text without markup."""

    title: str
    text: str


def write_announcement(report: Report, where: str, finding: str = "") -> Announcement:
    """Title, verdict with its reasons, the top finding if there is one, and the address of the report.

    Raises UnknownWordError for a key or language without words.
    """
    words = load_report_words(report)
    title = words.text("report", "document", shop=report.shop, date=report.label)
    if report.edition > 1:
        title = words.text("delivery", "restated", title=title, edition=words.plain(report.edition))
    judged = build_verdict(report, words)
    data = [judged["data"]] if judged["data"] else []
    sentence = write_day_sentence(report, words) if judged["data"] else judged["sentence"]
    lines = [sentence, *data, *(f"- {reason}" for reason in judged["reasons"])]
    lines += [write_platform_line(each, report, words) for each in report.platforms if each.figures]
    if finding:
        lines.append(words.text("delivery", "finding", finding=finding))
    lines.append(words.text("delivery", "report", where=where))
    return Announcement(title, "\n".join(lines))
