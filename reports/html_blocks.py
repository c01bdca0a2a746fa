"""The blocks of the HTML edition: whatever the pages' content holds, shown by its shape, every text escaped.

A text is a paragraph, a list of texts a list, a dictionary a block under its heading; tables and pictures are known by
their keys. So what the printed pages say anew is here too, in the same words.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from reports.pages.table_blocks import Content
from reports.tones import find_tone_of_text

HEADINGS = ("heading", "title", "name")
SILENT = ("anchor", "compared", "finding", "halves", "is_half", "link", "tones", "widths")
"""Keys that say how a block is laid out or reached, and are no text."""
WITHOUT_HEADINGS = ("families",)
"""Lists of cells whose names are no headings."""
LOWEST_HEADING = 5
BETWEEN_FACTS = "  ·  "
KEPT = re.compile("((?:\\d{4}-)?\\d\\d-\\d\\d [\u4e00-\u9fff]{1,3}。?)")
"""A date with what is to be done on it, such as "06-17 复查"."""


@dataclass
class BlockWriter:
    """Writes blocks.

    Attributes:
        charts: HTML by the name of a printed picture.
        pictures: the printed pictures as SVG by their names, for those that have no chart.
        terms: a name → the anchor of its definition.
        findings: the anchors of findings that the page tells in full.
        labels: the fixed texts of the page.
        heading: that of the block which is being written.
    """

    charts: Mapping[str, str]
    pictures: Mapping[str, bytes]
    terms: Mapping[str, str]
    labels: Mapping[str, str]
    findings: set[str] = field(default_factory=set)
    heading: str = ""

    def write(self, key: str, value: Any, level: int) -> str:
        """The block of a value that stands under `key`; empty for nothing."""
        if value is None or value == "" or value == [] or value == {}:
            return ""
        if isinstance(value, str):
            return f"<p class='{key}'>{self.write_term(value)}</p>"
        if isinstance(value, list):
            return self._write_list(key, value, level)
        if key in ("behind", "told_first"):
            return self._write_rows(value, level)
        if "file" in value:
            return self.write_picture(value)
        return self.write_versions(key, value, level)

    def _write_rows(self, value: Content, level: int) -> str:
        """Rows that are folded away until somebody asks for them; open where they only are not told twice in print."""
        below = {name: each for name, each in value.items() if name not in ("anchor", "summary", "is_open")}
        inner = "".join(self.write(name, each, level) for name, each in below.items())
        summary = escape(value["summary"])
        shown = " open" if value.get("is_open") else ""
        anchor = write_anchor(value["anchor"])
        return f"<details class='rows'{anchor}{shown}><summary>{summary}</summary>{inner}</details>"

    def write_versions(self, key: str, value: Content, level: int) -> str:
        """A block in one version for each comparison that it knows; the switch of the page shows one of them."""
        others: Mapping[str, Content] = value.get("compared") or {}
        usual = self._write_dictionary(key, value, level)
        if not others:
            return usual
        versions = {"usual": value, **{name: {**value, **changed} for name, changed in others.items()}}
        shown = "".join(
            f"<div data-against='{name}'{'' if name == 'usual' else ' hidden'}>"
            f"{self._write_dictionary(key, each | ({} if name == 'usual' else {'anchor': None}), level)}</div>"
            for name, each in versions.items()
        )
        return f"<div class='versions'>{shown}</div>"

    def _write_list(self, key: str, values: Sequence[Any], level: int) -> str:
        if all(isinstance(value, str) for value in values):
            items = "".join(f"<li>{self.write_term(value)}</li>" for value in values if value)
            return f"<ul class='{key}'>{items}</ul>" if items else ""
        item = "cell" if key in WITHOUT_HEADINGS else "item"
        return f"<div class='list {key}'>{''.join(self.write(item, value, level) for value in values)}</div>"

    def _write_dictionary(self, key: str, value: Content, level: int) -> str:
        if "align" in value:
            return self.write_table(value)
        heads = () if key == "cell" else HEADINGS
        head = next((name for name in heads if isinstance(value.get(name), str) and value[name]), None)
        tag = f"h{min(level, LOWEST_HEADING)}"
        kind = f"{key} {escape(value['state'])}" if key == "verdict" else key
        parts = [f"<div class='block {kind}'{write_anchor(value.get('anchor'))}>"]
        if head:
            self.heading = value[head]
            shown = self.write_term(value[head])
            number = value.get("number")
            shown = f"{escape(number)} {shown}" if isinstance(number, str) else shown
            if (finding := value.get("finding")) in self.findings:
                shown = f"<a href='#{name_finding_anchor(finding)}'>{shown}</a>"
            parts.append(f"<{tag} class='{head}'>{shown}</{tag}>")
        below = level + 1 if head else level
        for name, each in value.items():
            if name in (head, *SILENT) or (head and name == "number") or (key == "verdict" and name == "state"):
                continue
            if name.endswith("_heading") and isinstance(each, str):
                if value.get(name.removesuffix("_heading")):
                    parts.append(f"<h{min(below, LOWEST_HEADING)}>{escape(each)}</h{min(below, LOWEST_HEADING)}>")
                continue
            parts.append(self.write(name, each, below + 1 if f"{name}_heading" in value else below))
        return f"{''.join(parts)}</div>\n"

    def write_term(self, text: str) -> str:
        """The text; a link to its definition where it is the name of something defined."""
        anchor = self.terms.get(text)
        return f"<a class='term' href='#{anchor}'>{escape(text)}</a>" if anchor else write_breakable(text)

    def write_table(self, table: Content) -> str:
        """A table. Each row stands on a line of its own: of an erased person the line is taken out."""
        sides = table["align"]
        caption = f"<caption>{escape(table['caption'])}</caption>" if table.get("caption") else ""
        head = ""
        if table["head"]:
            cells = "".join(f"<th scope='col' class='{side}'>{escape(name)}</th>"
                            for name, side in zip(table["head"], sides, strict=True))  # fmt: skip
            head = f"<thead><tr>{cells}</tr></thead>"
        rows = "\n".join(self._write_row(row, sides) for row in table["rows"])
        label = escape(table.get("caption") or self.heading or self.labels["table"])
        return (
            f"<div class='table' tabindex='0' role='group' aria-label='{label}'>"
            f"<table>{caption}{head}<tbody>\n{rows}\n</tbody></table></div>\n"
        )

    def _write_row(self, row: Sequence[str], sides: Sequence[str]) -> str:
        first = f"<th scope='row'>{self.write_term(row[0])}</th>"
        cells = zip(row[1:], sides[1:], strict=True)
        rest = "".join(f"<td class='{side}{_name_tone(cell)}'>{write_breakable(cell)}</td>" for cell, side in cells)
        return f"<tr>{first}{rest}</tr>"

    def write_picture(self, picture: Content) -> str:
        """The chart that stands for a printed picture, else the printed picture itself."""
        name = picture["file"].removesuffix(".svg")
        spoken = escape(picture["alt"])
        if chart := self.charts.get(name):
            return f"<figure class='chart'>{chart}<figcaption class='spoken'>{spoken}</figcaption></figure>\n"
        if name not in self.pictures:
            return ""
        content = b64encode(self.pictures[name]).decode()
        return (
            f"<figure class='paper' tabindex='0' role='group' aria-label='{spoken}'>"
            f"<img alt='{spoken}' src='data:image/svg+xml;base64,{content}'></figure>\n"
        )


def _name_tone(cell: str) -> str:
    """The class of a cell that begins with the sign of a mark."""
    tone = find_tone_of_text(cell)
    return f" {tone.value}" if tone else ""


def name_finding_anchor(finding_id: str) -> str:
    """The anchor of a finding."""
    return f"finding-{finding_id}"


def write_anchor(anchor: str | None) -> str:
    """The attribute of a block that can be linked to; empty without an anchor."""
    return f" id='{escape(anchor)}'" if anchor else ""


def write_breakable(text: str) -> str:
    """The escaped text; lines of several sentences keep their breaks, facts and dates with their verb stay whole."""
    facts = [KEPT.sub(r"<span class='kept'>\1</span>", escape(fact)) for fact in text.split(BETWEEN_FACTS)]
    if len(facts) > 1:
        last = len(facts) - 1
        ends = (BETWEEN_FACTS.rstrip() if place < last else "" for place in range(len(facts)))
        facts = [f"<span class='fact'>{fact}{end}</span>" for fact, end in zip(facts, ends, strict=True)]
    return "  ".join(facts).replace("\n", "<br>")
