"""The report in a few lines, for a mail or a chat group."""

from dataclasses import dataclass

from funnelscope.messages.wording import Words, load_words
from reports.model import Report, list_told_headlines
from reports.pages.finding_blocks import build_finding_briefs
from reports.pages.platform_pages import write_platform_line
from reports.pages.summary_page import build_headline, build_verdict


@dataclass(frozen=True)
class Announcement:
    """A message: a title of one line, and a text without markup."""

    title: str
    text: str


MOST_BYTES = 2000
"""Of a text with addresses: what every chat robot takes."""


def write_announcement(report: Report, where: str, finding: str = "", page: str = "") -> Announcement:
    """Title, verdict with its reasons, the top finding if there is one, and the address of the report.

    With the address of the HTML edition, `page`, the text is that of the first page: its large numbers, and each
    finding with the address where it is told in full.

    Raises UnknownWordError for a key or language without words.
    """
    words = load_words(report.language, report.period)
    title = words.text("report", "document", shop=report.shop, date=report.label)
    if report.edition > 1:
        title = words.text("delivery", "restated", title=title, edition=words.plain(report.edition))
    judged = build_verdict(report, words)
    data = [judged["data"]] if judged["data"] else []
    lines = [judged["sentence"], *data, *(f"- {reason}" for reason in judged["reasons"])]
    lines += [write_platform_line(each, report, words) for each in report.platforms if each.figures]
    if finding:
        lines.append(words.text("delivery", "finding", finding=finding))
    last = words.text("delivery", "report", where=where)
    if page:
        lines += [*write_finding_lines(report, words, page), *write_headline_lines(report, words)]
        while len(lines) > 1 and len("\n".join([title, *lines, last]).encode()) > MOST_BYTES:
            lines.pop()
    return Announcement(title, "\n".join([*lines, last]))


def write_finding_lines(report: Report, words: Words, page: str) -> list[str]:
    """Each finding of the first page with its address."""
    findings = build_finding_briefs(report, words)
    lines = []
    for each in findings["items"] if findings else ():
        lines.append(f"{each['number']}. {each['title']}")
        lines += each["lines"][1:2]
        lines += [f"{page}#finding-{each['finding']}"] if each["finding"] else []
    return lines


def write_headline_lines(report: Report, words: Words) -> list[str]:
    """The large numbers of the first page, each in a line."""
    separator = words.text("labels", "separator")
    lines = []
    for headline in list_told_headlines(report):
        each = build_headline(headline, report, words)
        value = separator.join(part for part in (each["value"], each["usual"], each["change"]) if part)
        lines.append(words.text("labels", "main_rate", name=each["name"], value=value))
    return lines
