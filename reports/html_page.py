"""The HTML edition: one file that needs nothing else, with the words and numbers of the printed pages.

It fetches nothing, and its policy forbids that it does. Its script only sorts, switches, copies tables into CSV and
shows definitions; without it, everything can be read.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib import resources

from funnelscope.messages.wording import Words
from reports.html_blocks import BlockWriter, name_finding_anchor, write_anchor
from reports.html_charts import draw_charts
from reports.machine_readable import write_findings_json, write_review_json
from reports.model import PageLink, PageLinks, Report
from reports.pages.table_blocks import Content

COMPARISONS = ("usual", "day_before", "week_before")


@dataclass(frozen=True)
class _Chapter:
    """A chapter: its anchor, its name, and its HTML."""

    anchor: str
    name: str
    body: str


def write_html(
    report: Report, words: Words, content: Content, pictures: Mapping[str, bytes], links: PageLinks
) -> bytes:
    """The edition as one HTML document in UTF-8. The same report and links give the same bytes.

    Args:
        content: the pages as `build_content` gives them.
        pictures: the printed pictures as SVG by their names; used where the page has no chart of its own.
    """
    labels = {key: words.text("page", key) for key in words.sections["page"]}
    definitions: Sequence[Mapping[str, str]] = next(
        (each["terms"] for each in content["chapters"] if "terms" in each), []
    )
    findings = {each.finding_id for each in report.findings if each.finding_id}
    writer = BlockWriter(
        draw_charts(report, words), pictures, _list_terms(definitions, report, words), labels, findings
    )
    summary = writer.write("summary", content["summary"], 1)
    chapters = list(_write_chapters(content, writer))
    style, script = _read("page.css"), _read("page.js")
    document = content["document"]
    compared = [name for name in COMPARISONS if f"data-against='{name}'" in summary + "".join(c.body for c in chapters)]
    kind = "review" if report.campaign else "findings"
    parts = [
        "<!DOCTYPE html>",
        f"<html lang='{'zh-CN' if words.language == 'zh' else words.language}'>",
        "<head>",
        "<meta charset='utf-8'>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{_write_policy(style, script)}\">",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        "<meta name='color-scheme' content='light dark'>",
        "<meta name='referrer' content='no-referrer'>",
        f"<title>{escape(document['title'])}</title>",
        f"<style>{style}</style>",
        "</head>",
        f"<body data-csv='{escape(labels['csv'])}' data-sort='{escape(labels['sort'])}' "
        f"data-close='{escape(labels['close'])}'>",
        f"<a class='skip' href='#page'>{escape(labels['skip'])}</a>",
        "<header>",
        f"<p class='alarm'>{escape(document['header'])}</p>" if document["header"] else "",
        _write_navigation(chapters, links, labels),
        _write_switch(compared, labels),
        "</header>",
        f"<main id='page'>{summary}",
        *(
            f"<section class='chapter' id='{each.anchor}'><h2>{escape(each.name)}</h2>\n{each.body}</section>"
            for each in chapters
        ),
        "</main>",
        f"<footer><p>{escape(document['footer'])}</p>{_write_files(links, labels)}</footer>",
        f"<script type='application/json' id='{kind}'>{_write_json(report)}</script>",
        f"<script>{script}</script>",
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part).encode()


def _list_terms(definitions: Sequence[Mapping[str, str]], report: Report, words: Words) -> dict[str, str]:
    """The names that are defined, alone and with the currency, with the anchors of their definitions."""
    terms = {}
    for number, each in enumerate(definitions, start=1):
        name = each["term"]
        for written in (name, words.with_currency(name, report.currency)):
            terms[written] = f"term-{number}"
    return terms


def _write_chapters(content: Content, writer: BlockWriter) -> Iterable[_Chapter]:
    money = content["money"]
    if money is not None:
        yield _Chapter("money", money["heading"], _write_body(money, writer, ("heading",)))
    for number, platform in enumerate(content["platforms"], start=1):
        yield _Chapter(f"platform-{number}", platform["name"], _write_body(platform, writer, ("name",)))
    for stage in content["stages"]:
        yield _Chapter(stage["anchor"], stage["name"], _write_body(stage, writer, ("name",)))
    for chapter in content["chapters"]:
        body = (
            _write_definitions(chapter["terms"]) if "terms" in chapter else _write_body(chapter, writer, ("heading",))
        )
        yield _Chapter(chapter["anchor"], chapter["heading"], body)


def _write_body(chapter: Content, writer: BlockWriter, left_out: Sequence[str]) -> str:
    """The parts of a chapter below its name."""
    rest = {key: value for key, value in chapter.items() if key not in (*left_out, "anchor")}
    return "".join(writer.write(key, value, 3) for key, value in rest.items())


def _write_definitions(terms: Sequence[Mapping[str, str]]) -> str:
    items = "".join(
        f"<div id='term-{number}'><dt>{escape(each['term'])}</dt><dd>{escape(each['meaning'])}</dd></div>\n"
        for number, each in enumerate(terms, start=1)
    )
    return f"<dl>{items}</dl>"


def _write_navigation(chapters: Sequence[_Chapter], links: PageLinks, labels: Mapping[str, str]) -> str:
    items = "".join(f"<li><a href='#{each.anchor}'>{escape(each.name)}</a></li>" for each in chapters)
    days = "".join(_write_neighbour(way, link) for way, link in (("prev", links.before), ("next", links.after)) if link)
    return (
        f"<nav class='days' aria-label='{escape(labels['days'])}'>{days}</nav>"
        f"<details class='contents'><summary>{escape(labels['contents'])}</summary>"
        f"<nav aria-label='{escape(labels['contents'])}'><ul>{items}</ul></nav></details>"
    )


HIDDEN = " hidden"


def _write_neighbour(way: str, link: PageLink) -> str:
    """The link to the report before or after; hidden until that page is there."""
    shown = "" if link.is_there else HIDDEN
    name = f"← {link.name}" if way == "prev" else f"{link.name} →"
    return f"<a rel='{way}' href='{escape(link.address)}'{shown}>{escape(name)}</a>"


def show_neighbour(page: str, way: str) -> str:
    """The HTML edition with its link to the report before (`prev`) or after (`next`) no longer hidden."""
    start = page.find(f"<a rel='{way}'")
    end = page.find(">", start)
    return page if start < 0 else page[:start] + page[start:end].removesuffix(HIDDEN) + page[end:]


def _write_switch(compared: Sequence[str], labels: Mapping[str, str]) -> str:
    """The choice of what figures are held against; empty where there is only one."""
    if len(compared) < 2:
        return ""
    choices = "".join(
        f"<label><input type='radio' name='against' value='{name}'{' checked' if name == 'usual' else ''}>"
        f"{escape(labels[name])}</label>"
        for name in compared
    )
    return f"<fieldset class='against'><legend>{escape(labels['against'])}</legend>{choices}</fieldset>"


def _write_files(links: PageLinks, labels: Mapping[str, str]) -> str:
    addresses = {name: name for name in links.files} | ({labels["ui"]: links.ui} if links.ui else {})
    if not addresses:
        return ""
    items = "".join(f"<li><a href='{escape(address)}'>{escape(name)}</a></li>" for name, address in addresses.items())
    return f"<nav aria-label='{escape(labels['files'])}'><p>{escape(labels['files'])}</p><ul>{items}</ul></nav>"


def _write_json(report: Report) -> str:
    """The findings, or the review of a campaign, as JSON that cannot end its element."""
    written = write_review_json(report) if report.campaign else write_findings_json(report)
    return written.decode().replace("<", "\\u003c")


def _read(name: str) -> str:
    return (resources.files("reports") / name).read_text(encoding="utf-8")


def _write_policy(style: str, script: str) -> str:
    """Nothing is fetched; only this style and this script count."""
    hashes = (f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script))
    style_hash, script_hash = hashes
    return (
        f"default-src 'none'; img-src data:; style-src {style_hash}; script-src {script_hash}; "
        "base-uri 'none'; form-action 'none'"
    )


__all__ = ["name_finding_anchor", "show_neighbour", "write_anchor", "write_html"]
