"""The report in a few lines, for a mail or a chat group."""

from dataclasses import dataclass

from funnelscope.messages.wording import Words
from reports.model import Report, load_report_words
from reports.pages.campaign_page import build_campaign_verdict
from reports.pages.finding_blocks import build_finding_briefs, write_day_sentence
from reports.pages.platform_pages import write_platform_line
from reports.pages.summary_page import build_headline_table, build_verdict, write_short_stock
from reports.pages.table_blocks import Content


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
    words = load_report_words(report)
    title = words.text("report", "document", shop=report.shop, date=report.label)
    if report.edition > 1:
        title = words.text("delivery", "restated", title=title, edition=words.plain(report.edition))
    judged = _judge(report, words)
    data = [judged["data"]] if judged["data"] else []
    # Without the findings below, the sentence tells the first of them.
    is_short = judged["data"] and not page and report.campaign is None
    sentence = write_day_sentence(report, words) if is_short else judged["sentence"]
    data = [judged["story"], *data] if judged["story"] and (page or report.campaign) else data
    lines = [sentence, *data, *(f"- {reason}" for reason in judged["reasons"])]
    lines += [write_platform_line(each, report, words) for each in report.platforms if each.figures]
    if finding:
        lines.append(words.text("delivery", "finding", finding=finding))
    last = words.text("delivery", "report", where=where)
    if page:
        lines += [*write_finding_lines(report, words, page), *filter(None, [write_short_stock(report, words)])]
        lines += write_headline_lines(report, words)
        while len(lines) > 1 and len("\n".join([title, *lines, last]).encode()) > MOST_BYTES:
            lines.pop()
    return Announcement(title, "\n".join([*lines, last]))


def _judge(report: Report, words: Words) -> Content:
    if report.campaign is not None:
        return build_campaign_verdict(report, report.campaign, words)
    return build_verdict(report, words)


def write_digest(report: Report) -> str:
    """The first page as plain text: the verdict, the findings with what to do, the main figures.

    Raises UnknownWordError for a key or language without words.
    """
    words = load_report_words(report)
    judged = _judge(report, words)
    title = words.text("report", "document", shop=report.shop, date=report.label)
    lines = [title, judged["sentence"], judged["story"], *(f"- {reason}" for reason in judged["reasons"])]
    findings = build_finding_briefs(report, words)
    for each in findings["items"] if findings else ():
        lines += [
            f"{each['number']}. {each['title']}",
            *(f"   {line}" for line in (*each["lines"], each["step"]) if line),
        ]
    lines += [findings["note"]] if findings else []
    lines += [write_short_stock(report, words)]
    lines += [write_platform_line(each, report, words) for each in report.platforms if each.figures]
    return "\n".join(line for line in (*lines, *write_headline_lines(report, words)) if line)


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
    """The main figures of the first page, each in a line: what a value is held against stands by its column's name."""
    table = build_headline_table(report, words)
    if table is None:
        return []
    head = table["head"][3:]
    lines = []
    for name, _, value, *cells in table["rows"]:
        compared = [f"{column} {cell}" for column, cell in zip(head, cells, strict=True) if cell]
        told = words.text("labels", "separator").join([value, *compared])
        lines.append(words.text("labels", "main_rate", name=name, value=told))
    return lines
