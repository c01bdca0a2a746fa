"""Recognised files -> a commented funnelscope.yaml, and what was sure, guessed or has to be told."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from funnelscope.events.schema import FAMILIES, Kind
from funnelscope.ingest.mapping.time_formats import find_likely_formats
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.wording import load_words
from funnelscope.recognition.export_files import find_days, read_day
from funnelscope.recognition.file_patterns import (
    build_delivery_pattern,
    build_glob,
    build_template,
    find_period,
    has_day,
    is_copy,
    read_delivery_day,
)
from funnelscope.recognition.header_names import (
    compile_pattern,
    find_name,
    is_pattern,
    list_alternatives,
    match_pattern,
)
from funnelscope.recognition.layouts_read import Layout, list_expression_columns
from funnelscope.recognition.recognize import Match, Recognition
from funnelscope.recognition.source_drafts import SourceDraft, draft_sources, list_common_header
from funnelscope.settings import MODIFIED, Format, Source

SHOWN_AT_MOST = 3
LINE_WIDTH = 110
NAMES_IN_COMMON = 2  # at least, for a layout to be called near
NAMES_OF_ANYTHING = {"id", "name", "type", "status", "date", "email", "created_at", "updated_at", "user_id"}
DAYS_APART = 60  # between files, for those before to be no part of the bulk of the data
ISO_TIME = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?!\d)(?!\s*[~至])")
NOTHING = Source.model_fields["empty_values"].default
TIMES_LOOKED_AT = 400
DECIMAL_SIGN = re.compile(r"\D{0,4}(?:\d{1,3}(?:[.,\s]\d{3})+|\d+)([.,])\d{1,2}\s?\D{0,3}")  # and not thousands
NUMBERS = (Kind.MONEY, Kind.NUMBER, Kind.WHOLE_NUMBER)
CHINA = "Asia/Shanghai"
EXCEL_DAYS = "Excel's day numbers"
SHOP_LINE = re.compile(r"店铺(?:名称)?\s*[:：]\s*(\S[^,，;；]*)")
SHOP_IN_NAME = re.compile(r"([^\s_\-【】]+?(?:旗舰店|专卖店|专营店))")
CURRENCY_IN_JSON = re.compile(r'"currency(?:Code)?"[^{}]{0,40}?(?:\{[^{}]*?"string_value":\s*)?"([A-Za-z]{3})"')
TYPES_DATED_BY_OTHERS = ("refunded", "cancelled")  # of which few reports have the time
OFFSET = re.compile(r"\d{2}:\d{2}\s?([+-]\d{2}):?(\d{2})$")
ZONES = {  # offset in hours, winter or summer, to the most likely zone of a shop; a guess that is told
    -8: "America/Los_Angeles",
    -7: "America/Los_Angeles",
    -6: "America/Chicago",
    -5: "America/New_York",
    -4: "America/New_York",
    1: "Europe/Berlin",
    2: "Europe/Berlin",
    8: "Asia/Shanghai",
    9: "Asia/Tokyo",
    10: "Australia/Sydney",
    11: "Australia/Sydney",
}
KEY_ORDER = (
    "family",
    "name",
    "files",
    "attach",
    "delivery_date",
    "format",
    "encoding",
    "delimiter",
    "sheet",
    "records",
    "header_row",
    "skip_lines",
    "timezone",
    "time_format",
    "decimal",
    "required",
    "where",
    "query",
)


class Sureness(StrEnum):
    """How sure a statement about the files is."""

    SURE = "sure"
    GUESSED = "guessed"
    ASKED = "asked"  # a person has to say it


@dataclass
class SettingsDraft:
    """The text of a funnelscope.yaml, empty if no file was recognised; and what there is to say about it."""

    text: str = ""
    language: str = "en"
    statements: list[tuple[Sureness, LocalizedMessage]] = field(default_factory=list)
    left_aside: list[Path] = field(default_factory=list)
    source_count: int = 0

    def say(self, sureness: Sureness, message: LocalizedMessage) -> None:
        """Adds a statement, once."""
        if (sureness, message) not in self.statements:
            self.statements.append((sureness, message))

    def list_said(self, sureness: Sureness) -> list[LocalizedMessage]:
        """The statements of one kind."""
        return [message for kind, message in self.statements if kind is sureness]


@dataclass
class FileFacts:
    """What one recognised file says, kept after its rows are let go."""

    path: Path
    layout: Layout
    format: Format
    is_named_otherwise: bool
    encoding: str
    delimiter: str
    sheet: str  # where the workbook has several; the list of a JSON file
    sheet_name: str
    header: tuple[str, ...]
    header_row: int
    constants: tuple[tuple[str, str], ...]
    content_hash: str
    days: tuple[date, date] | None = None  # first and last of the rows
    shops: Counter[str] = field(default_factory=Counter)
    currencies: Counter[str] = field(default_factory=Counter)
    offsets: Counter[int] = field(default_factory=Counter)
    odd_times: list[tuple[int, str]] = field(default_factory=list)  # row and text that is no ISO 8601
    has_iso_times: bool = False
    odd_days: set[str] = field(default_factory=set)  # of them, each day once
    decimals: set[str] = field(default_factory=set)  # signs that cannot but separate decimals
    is_linked: bool = True  # a value leads to a visit, where the layout says which do

    @property
    def skipped(self) -> set[str]:
        """The patterns of rows that the layout leaves out."""
        return {source["skip_lines"] for source in self.layout.sources if source.get("skip_lines")}

    @property
    def group(self) -> tuple[Any, ...]:
        """Files of one group are read by the same sources."""
        row = self.header_row if self.format is Format.CSV else 0
        form = (self.format, self.is_named_otherwise, self.encoding, self.delimiter, self.sheet, row)
        return (self.layout.name, *form, self.constants)


# -- what a file says


def collect_facts(recognition: Recognition, draft: SettingsDraft, folder: Path) -> FileFacts | None:
    """The facts of a recognised file; None for another."""
    file = recognition.file
    shown = _show_path(file.path, folder)
    for sheet in recognition.hidden_sheets:
        draft.say(Sureness.ASKED, LocalizedMessage("sheet_is_hidden", file=shown, sheet=sheet))
    match = recognition.match
    if not match:
        return None
    facts = FileFacts(
        file.path,
        match.layout,
        file.format or Format.CSV,
        file.is_named_otherwise,
        file.encoding,
        file.delimiter,
        match.table.sheet if _is_one_of_several(match) else "",
        match.table.sheet or "-",
        match.header,
        match.header_row,
        tuple(_read_file_name(match)),
        file.content_hash,
    )
    _read_values(match, facts, draft, shown)
    if match.second_header_row:
        values = {"file": shown, "sheet": match.table.sheet or "-", "row": str(match.second_header_row)}
        is_same = list(match.table.rows[match.second_header_row - 1]) == list(match.header)
        draft.say(Sureness.ASKED, LocalizedMessage("header_stands_again" if is_same else "second_table", **values))
    for name, count in Counter(name.lower() for name in match.header if name).items():
        if count > 1 and _is_mapped(match.layout, name):
            values = {"file": shown, "sheet": match.table.sheet or "-", "row": str(match.header_row)}
            draft.say(Sureness.ASKED, LocalizedMessage("column_stands_twice", column=name, **values))
    return facts


def _is_one_of_several(match: Match) -> bool:
    """Whether the table has to be named; a list of a JSON file always, because on another day it may be empty."""
    file = match.file
    return file.format is Format.JSON_LINES or sum(table.is_visible for table in file.tables) > 1


def tell_unrecognized(recognition: Recognition, draft: SettingsDraft, folder: Path) -> None:
    """Says what is the matter with a file that is not recognised."""
    file, language = recognition.file, draft.language
    shown = _show_path(file.path, folder)
    if file.problem:
        draft.say(Sureness.ASKED, LocalizedMessage("file_cannot_be_read", file=shown, problem=file.problem))
    elif recognition.rivals:
        rivals = ", ".join(f"{layout.name} ({layout.title.say(language)})" for layout in recognition.rivals)
        first = recognition.rivals[0].name
        draft.say(Sureness.ASKED, LocalizedMessage("layouts_fit_equally", file=shown, layouts=rivals, first=first))
    elif recognition.sheets:
        draft.say(Sureness.ASKED, LocalizedMessage("sheets_fit", file=shown, sheets=", ".join(recognition.sheets)))
    else:
        nearest = recognition.nearest
        telling = {*map(str.lower, nearest.found)} - NAMES_OF_ANYTHING if nearest else set()
        if nearest and telling and len(nearest.found) >= NAMES_IN_COMMON:
            hints = [
                LocalizedMessage("nearest_layout", layout=nearest.layout.title.say(language), why=why)
                for why in [describe_difference(nearest)]
            ]
        else:
            hints = [LocalizedMessage("no_layout_is_near")]
        draft.say(Sureness.ASKED, LocalizedMessage("file_not_recognized", file=shown, hints=hints))


def describe_difference(nearest: Any) -> LocalizedMessage:
    """Why a table is not of a layout, in one sentence."""
    if nearest.missing:
        names = ", ".join(" / ".join([one] if isinstance(one, str) else one) for one in nearest.missing)
        likely = [
            LocalizedMessage("renamed_column", wanted=wanted, found=found) for wanted, found in nearest.nearest.items()
        ]
        return LocalizedMessage("names_are_missing", names=names, row=str(nearest.header_row), hints=likely)
    if nearest.foreign:
        return LocalizedMessage("names_are_foreign", names=", ".join(nearest.foreign))
    if nearest.bad_values:
        column, value = nearest.bad_values[0]
        return LocalizedMessage("values_are_foreign", column=column, value=value)
    return LocalizedMessage("format_is_foreign", formats=", ".join(nearest.layout.formats))


def _read_file_name(match: Match) -> Iterator[tuple[str, str]]:
    for constant, pattern in match.layout.from_file_name.items():
        if found := compile_pattern(pattern).search(match.file.path.name):
            yield constant, found[1]


def _is_mapped(layout: Layout, name: str) -> bool:
    return any(
        bool(find_name(layout.resolve_alias(one), [name]))
        for source in layout.sources
        for wanted in source.get("columns", {}).values()
        for one in list_alternatives(wanted)
    )


def _read_values(match: Match, facts: FileFacts, draft: SettingsDraft, shown: str) -> None:
    header, layout = list(match.header), match.layout

    def read_column(wanted: Any) -> Iterator[tuple[int, str]]:
        name = find_name(layout.resolve_alias(wanted), header)
        if name:
            place = header.index(name)
            for number, row in enumerate(match.records, start=match.header_row + 1):
                if len(row) > place and row[place]:
                    yield number, row[place]

    days: set[str] = set()
    for column in _list_day_columns(layout):
        for number, text in read_column(column):
            if ISO_TIME.match(text):
                days.add(text[:10])
                if offset := OFFSET.search(text):
                    facts.offsets[int(offset[1])] += 1
                continue
            if text in NOTHING:
                continue
            row = match.table.rows[number - 1]
            if number == match.second_header_row:
                break
            if any(compile_pattern(pattern).search("\t".join(row)) for pattern in facts.skipped):
                continue
            values = {"file": shown, "sheet": match.table.sheet or "-", "row": str(number), "value": text}
            if len({day for day, _, _ in find_days(text)}) > 1:
                draft.say(Sureness.ASKED, LocalizedMessage("period_in_rows", **values))
                break
            days.add(text)
            if (
                column not in layout.dates
                and text[:10] not in facts.odd_days
                and len(facts.odd_times) < TIMES_LOOKED_AT
            ):
                facts.odd_days.add(text[:10])
                facts.odd_times.append((number, text))
    facts.has_iso_times = any(ISO_TIME.match(text) for text in days)
    zone = ZoneInfo(CHINA if layout.language == "zh" else "UTC")
    read = sorted(day for text in days if (day := read_day(text, zone)))
    forms = [] if read else [form for form in find_likely_formats(sorted(days)) if form.startswith("%")]
    if forms:
        read = sorted(datetime.strptime(text, forms[0]).date() for text in days)
    if read:
        facts.days = (read[0], read[-1])
    for column in _list_amount_columns(layout):
        facts.decimals.update(found[1] for _, text in read_column(column) if (found := DECIMAL_SIGN.fullmatch(text)))
    facts.is_linked = not layout.link or any(
        compile_pattern(pattern).search(text)
        for column, pattern in layout.link.items()
        for _, text in read_column(column)
    )
    for wanted in layout.shop:
        facts.shops.update(text for _, text in read_column(wanted))
    for row in match.table.rows[: match.header_row - 1]:
        for cell in row:
            if found := SHOP_LINE.search(cell):
                facts.shops[found[1].strip()] += 1
    if layout.language == "zh" and not facts.shops and (found := SHOP_IN_NAME.search(match.file.path.name)):
        facts.shops[found[1]] += 1
    if layout.language == "zh":
        facts.currencies["CNY"] += 1  # reports of Chinese platforms name none
    for wanted in layout.currency:
        for _, text in read_column(wanted):
            named = re.fullmatch("([A-Za-z]{3})", text) or CURRENCY_IN_JSON.search(text)
            facts.currencies.update([named[1].upper()] if named else [])
        pattern = layout.resolve_alias(wanted)
        for one in (pattern,) if isinstance(pattern, str) else pattern:
            name = find_name(one, header) if is_pattern(one) else ""
            if name and (found := match_pattern(one, name)) and found.groups() and found[1]:
                facts.currencies[found[1].upper()] += 1


def _list_day_columns(layout: Layout) -> list[Any]:
    mapped = [source.get("columns", {}).get("event_time") for source in layout.sources]
    found: list[Any] = list(layout.dates)
    for one in mapped:
        for name in [one] if isinstance(one, str) else one or []:
            if name not in found:
                found.append(name)
    return found


def _list_amount_columns(layout: Layout) -> list[Any]:
    """The columns of which money and numbers are made."""
    found: list[Any] = []
    for source in layout.sources:
        numbers = {one.name for one in FAMILIES[source["family"]].columns if one.kind in NUMBERS}
        for name, wanted in source.get("columns", {}).items():
            found += [wanted] if name in numbers else []
        for name, wanted in source.get("expressions", {}).items():
            if name in numbers:
                found += [one for each in list_alternatives(wanted) for one in list_expression_columns(each)]
    return found


def _show_path(path: Path, folder: Path) -> str:
    shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
    return shown if len(shown) <= 120 else f"{shown[:60]}…{shown[-50:]}"


# -- the settings


def draft_settings(
    facts: Sequence[FileFacts],
    draft: SettingsDraft,
    folder: Path,
    home: Path,
    every_file: Sequence[Path],
    unopened: Sequence[Path] = (),
) -> None:
    """Writes the settings into the draft, with what there is to say about them.

    Args:
        every_file: the files that were opened, recognised or not, which no other source's glob may match.
        unopened: files that are taken for the same reports as those of like names.
    """
    groups: dict[tuple[Any, ...], list[FileFacts]] = {}
    _tell_copies(facts, draft, folder)
    facts = list(_leave_out_copies(facts))
    for one in facts:
        groups.setdefault(one.group, []).append(one)
    groups = dict(_split_by_name(groups, every_file))
    present = {
        name: [one for one in facts if one.layout.name == name] for name in sorted({one.layout.name for one in facts})
    }
    blocks: list[tuple[str, list[dict[str, Any]]]] = []
    names: Counter[str] = Counter()
    taken: dict[str, list[list[FileFacts]]] = {}
    declared: list[tuple[Sequence[FileFacts], Mapping[str, Any]]] = []
    for group in sorted(groups.values(), key=_rank):
        group.sort(key=lambda one: (_find_last_day(one), one.path.as_posix()))
        layout = group[0].layout
        report = layout.report or layout.name
        rival = next((other for other in taken.get(report, []) if _overlap(other, group)), None)
        if rival:
            values = {"file": _show_path(group[-1].path, folder), "other": _show_path(rival[-1].path, folder)}
            draft.say(Sureness.ASKED, LocalizedMessage("same_report_otherwise", count=len(group), **values))
            continue
        taken.setdefault(report, []).append(group)
        declarations = _declare(group, draft, folder, home, every_file, present)
        for declaration in declarations:
            name = declaration["name"]
            names[name] += 1
            declaration["name"] = name if names[name] == 1 else f"{name}_{names[name]}"
        if declarations:
            blocks.append((_describe_group(group, draft.language), declarations))
            declared += [(group, declaration) for declaration in declarations]
    _tell_missing_links(declared, draft)
    if blocks:
        draft.source_count = sum(len(declarations) for _, declarations in blocks)
        draft.text = _write_settings(facts, draft, folder, blocks, unopened)


def _rank(group: Sequence[FileFacts]) -> tuple[Any, ...]:
    """What comes first is declared, where two groups tell of the same: names that lead to the next download."""
    is_dated = all(has_day(one.path) for one in group)
    return group[0].layout.name, not is_dated, -len(group), is_copy(group[0].path.name), group[0].path


def _leave_out_copies(facts: Sequence[FileFacts]) -> Iterator[FileFacts]:
    """The files without copies whose names do not lead to the next download as well as the other's does."""
    best: dict[str, FileFacts] = {}
    for one in sorted(facts, key=lambda one: (not has_day(one.path), is_copy(one.path.name), one.path)):
        best.setdefault(one.content_hash, one)
    for one in facts:
        other = best[one.content_hash]
        if one is other or (has_day(one.path) and build_template(one.path.name) == build_template(other.path.name)):
            yield one


def _split_by_name(
    groups: Mapping[tuple[Any, ...], list[FileFacts]], every_file: Sequence[Path]
) -> Iterator[tuple[tuple[Any, ...], list[FileFacts]]]:
    """The groups, with and without a day in the name apart, and each in parts of like names where no one glob would
    match all of its files and no other.
    """
    apart: dict[tuple[Any, ...], list[FileFacts]] = {}
    for key, group in groups.items():
        for one in group:
            apart.setdefault((*key, has_day(one.path)), []).append(one)
    for key, group in apart.items():
        files = [one.path for one in group]
        templates = {build_template(path.name) for path in files}
        if len(templates) == 1 or not build_glob(files, [path for path in every_file if path not in files])[1]:
            yield key, group
            continue
        for template in sorted(templates):
            yield (*key, template), [one for one in group if build_template(one.path.name) == template]


def _find_last_day(one: FileFacts) -> date:
    named = [day for day, _, _ in find_days(one.path.name)]
    return named[-1] if named else one.days[1] if one.days else date.min


def _list_days(group: Sequence[FileFacts]) -> tuple[date, date] | None:
    first = [one.days[0] for one in group if one.days] or [
        _find_last_day(one) for one in group if _find_last_day(one) > date.min
    ]
    last = [one.days[1] for one in group if one.days] or first
    return (min(first), max(last)) if first else None


def _overlap(one: Sequence[FileFacts], other: Sequence[FileFacts]) -> bool:
    """Whether two groups of one report tell of the same days, so that rows would be there twice.

    Events of one layout with ids of their own are known again: a second delivery is a duplicate.
    """
    are_known_again = one[0].layout == other[0].layout and all(
        "event_id" in {**source.get("columns", {}), **source.get("expressions", {})} for source in one[0].layout.sources
    )
    if are_known_again or one[0].constants != other[0].constants:
        return False
    days, others = _list_days(one), _list_days(other)
    return not (days and others) or (days[0] <= others[1] and others[0] <= days[1])


def _tell_copies(facts: Sequence[FileFacts], draft: SettingsDraft, folder: Path) -> None:
    by_content: dict[str, list[FileFacts]] = {}
    for one in facts:
        by_content.setdefault(one.content_hash, []).append(one)
    for copies in by_content.values():
        if len(copies) > 1:
            first, second = (_show_path(one.path, folder) for one in copies[:2])
            draft.say(Sureness.SURE, LocalizedMessage("same_file_twice", file=first, other=second))


def _tell_missing_links(
    declared: Sequence[tuple[Sequence[FileFacts], Mapping[str, Any]]], draft: SettingsDraft
) -> None:
    """Says which families no key joins: what one made of the other will be no data."""

    of_visit, of_person = ("session_id", "visitor_id"), ("customer_id", "visitor_id")

    def list_titles(families: tuple[str, ...], keys: tuple[str, ...]) -> dict[str, str]:
        """Title to the column of its key, for layouts of the families that map one."""
        found: dict[str, str] = {}
        for group, source in declared:
            mapped = {**source.get("expressions", {}), **source.get("columns", {})}
            key = next((mapped[key] for key in keys if key in mapped), "")
            if source["family"] in families and (key or not keys):
                is_linked = keys != of_visit or any(one.is_linked for one in group)
                found.update({group[0].layout.title.say(draft.language): key} if is_linked else {})
        return found

    orders, visits = list_titles(("order",), ()), list_titles(("page", "traffic"), of_visit)
    if orders and visits and not list_titles(("order",), of_visit):
        values = {"orders": ", ".join(orders), "visits": ", ".join(visits)}
        draft.say(Sureness.ASKED, LocalizedMessage("orders_lead_to_no_visit", **values))
    buyers, inquirers = list_titles(("order",), of_person), list_titles(("service",), of_person)
    for inquiries, key in inquirers.items():
        other = next(((title, column) for title, column in buyers.items() if column != key), None)
        if other and key not in buyers.values():
            values = {"inquiries": inquiries, "key": key, "orders": other[0], "other": other[1]}
            draft.say(Sureness.GUESSED, LocalizedMessage("inquirers_may_be_unknown", **values))


def _declare(
    group: Sequence[FileFacts],
    draft: SettingsDraft,
    folder: Path,
    home: Path,
    every_file: Sequence[Path],
    present: Mapping[str, Sequence[FileFacts]],
) -> list[dict[str, Any]]:
    """The declarations of a group's sources; tells what they are made of and what is left out."""
    layout, files = group[0].layout, [one.path for one in group]
    shown = _show_path(files[-1], folder)
    title = layout.title.say(draft.language)
    header, partial = list_common_header([one.header for one in group])
    headers = {name: list_common_header([one.header for one in others])[0] for name, others in present.items()}
    drafts, missing, told_elsewhere = draft_sources(layout, header, partial, dict(group[0].constants), headers)
    if layout.note and not layout.sources:
        note = layout.note.say(draft.language)
        draft.say(Sureness.SURE, LocalizedMessage("recognized_not_read", layout=title, file=shown, note=note))
        return []
    if layout.note:
        draft.say(Sureness.GUESSED, LocalizedMessage("layout_note", layout=title, note=layout.note.say(draft.language)))
    if told_elsewhere:
        sources = ", ".join(told_elsewhere)
        draft.say(Sureness.GUESSED, LocalizedMessage("sources_told_elsewhere", layout=title, sources=sources))
    _tell_times_of_others(drafts, title, draft)
    if not drafts:
        draft.say(Sureness.ASKED, LocalizedMessage("nothing_is_mapped", file=shown, layout=title))
        return []
    pattern, caught = build_glob(files, [path for path in every_file if path not in files])
    written = _write_pattern(pattern, home)
    days = _list_days(group)
    values: dict[str, Any] = {"layout": title, "count": len(files), "files": Path(pattern).name}
    if days:
        draft.say(Sureness.SURE, LocalizedMessage("recognized", first=str(days[0]), last=str(days[1]), **values))
    else:
        draft.say(Sureness.SURE, LocalizedMessage("recognized_without_days", **values))
    if caught:
        other = ", ".join(_show_path(path, folder) for path in caught[:SHOWN_AT_MOST])
        draft.say(Sureness.ASKED, LocalizedMessage("glob_catches_others", files=Path(pattern).name, other=other))
    if missing:
        draft.say(Sureness.GUESSED, LocalizedMessage("sources_left_out", layout=title, sources=", ".join(missing)))
    lacking = [name for name in partial if _is_mapped(layout, name)]
    for name in lacking:
        without = next(one for one in reversed(group) if not find_name(name, one.header))
        free = [each for each in without.header if each and not _is_mapped(layout, each)]
        renamed = difflib.get_close_matches(name, free, n=1, cutoff=0.5)
        hints = [LocalizedMessage("renamed_column", wanted=name, found=renamed[0])] if renamed else []
        values = {"layout": title, "column": name, "file": _show_path(without.path, folder)}
        draft.say(Sureness.ASKED, LocalizedMessage("column_of_some", hints=hints, **values))
    return [
        _order_keys(
            {
                **one.declaration,
                "name": one.declaration.get("name") or layout.name,
                "attach" if "query" in one.declaration else "files": written,
                **(reading := _describe_reading(group, one, draft, folder)),
                **_describe_join(one, reading, present, draft, folder, home, every_file),
            }
        )
        for one in drafts
    ]


def _tell_times_of_others(drafts: Sequence[SourceDraft], title: str, draft: SettingsDraft) -> None:
    """Says which events have no time of their own in the report, and by which they are dated."""
    dated: dict[tuple[str, ...], list[str]] = {}
    declared = [one.declaration for one in drafts]
    first = {one.get("columns", {}).get("event_time"): one.get("event_types") for one in reversed(declared)}
    for source in declared:
        type_, column = source.get("event_types"), source.get("columns", {}).get("event_time")
        if type_ not in TYPES_DATED_BY_OTHERS:
            continue
        expression = source.get("expressions", {}).get("event_time", "")
        others = [column] if column and first[column] != type_ else re.findall(r'"([^"]+)"', expression)
        if others:
            dated.setdefault(tuple(dict.fromkeys(others)), []).append(str(type_))
    for columns, types in dated.items():
        values = {"layout": title, "types": ", ".join(types), "columns": ", ".join(columns)}
        draft.say(Sureness.GUESSED, LocalizedMessage("times_of_others", **values))


def _write_pattern(pattern: str, home: Path) -> str:
    return Path(pattern).relative_to(home).as_posix() if Path(pattern).is_relative_to(home) else pattern


def _describe_join(
    source: SourceDraft,
    reading: Mapping[str, Any],
    present: Mapping[str, Sequence[FileFacts]],
    draft: SettingsDraft,
    folder: Path,
    home: Path,
    every_file: Sequence[Path],
) -> dict[str, Any]:
    """The files that a source is joined to, and how they are read where that differs from its own."""
    join = source.declaration.get("join")
    if not join:
        return {}
    group = present[join["layout"]]
    files = [one.path for one in group]
    pattern, _ = build_glob(files, [path for path in every_file if path not in files])
    of_other = _describe_reading(group, SourceDraft({}), draft, folder)
    differing = {key: value for key, value in of_other.items() if reading.get(key) != value}
    return {"join": {"files": _write_pattern(pattern, home), "on": join["on"], **differing}}


def _describe_reading(
    group: Sequence[FileFacts], source: SourceDraft, draft: SettingsDraft, folder: Path
) -> dict[str, Any]:
    """How the files of the group are read: day of delivery, format, encoding, header."""
    files = [one.path for one in group]
    title = group[0].layout.title.say(draft.language)
    reading: dict[str, Any] = {}
    pattern = build_delivery_pattern(files, source.is_day_in_name)
    reading["delivery_date"] = pattern or MODIFIED
    if not pattern:
        draft.say(Sureness.GUESSED, LocalizedMessage("day_of_file", layout=title, file=_show_path(files[-1], folder)))
        if source.is_day_in_name:
            draft.say(Sureness.ASKED, LocalizedMessage("no_day_anywhere", file=_show_path(files[-1], folder)))
    elif source.is_day_in_name:
        draft.say(Sureness.GUESSED, LocalizedMessage("day_of_name", layout=title))
        for path in files:
            period = find_period(path.name)
            if period and read_delivery_day(pattern, path) is None:
                values = {"file": _show_path(path, folder), "first": str(period[0]), "last": str(period[1])}
                draft.say(Sureness.ASKED, LocalizedMessage("period_in_name", **values))
    declared = source.declaration
    if not {"time_format", "query"} & {*declared} and "event_time" in declared.get("columns", {}):
        reading |= _describe_times(group, draft, folder)
    one = group[-1]
    if {sign for each in group for sign in each.decimals} == {","}:
        reading["decimal"] = ","
    if one.is_named_otherwise:
        reading["format"] = one.format.value
    if one.encoding:
        reading["encoding"] = one.encoding
    if one.format is Format.CSV:
        if one.delimiter != "," and one.path.suffix.lower() != ".tsv":
            reading["delimiter"] = one.delimiter
        if one.header_row > 1:
            reading["header_row"] = one.header_row
    if one.sheet:
        reading["records" if one.format is Format.JSON_LINES else "sheet"] = one.sheet
    return reading


def _describe_times(group: Sequence[FileFacts], draft: SettingsDraft, folder: Path) -> dict[str, Any]:
    """The format of times that are not written as ISO 8601, if one reads them all; tells what it does not read."""
    readable: list[str] = []
    for one in group:
        for number, text in one.odd_times:
            forms = find_likely_formats([text])
            values = {"file": _show_path(one.path, folder), "sheet": one.sheet_name, "row": str(number), "value": text}
            if not forms or forms == [EXCEL_DAYS]:
                draft.say(Sureness.ASKED, LocalizedMessage("number_of_excel" if forms else "no_day_in_row", **values))
                break
            if one.has_iso_times or any(other.has_iso_times for other in group):
                draft.say(Sureness.ASKED, LocalizedMessage("other_form_of_time", **values))
                break
            readable.append(text)
    common = find_likely_formats(readable)
    if readable and not common:
        one = next(one for one in group if one.odd_times)
        values = {"file": _show_path(one.path, folder), "sheet": one.sheet_name, "row": str(one.odd_times[0][0])}
        draft.say(Sureness.ASKED, LocalizedMessage("other_form_of_time", value=one.odd_times[0][1], **values))
    if len(common) > 1:
        draft.say(Sureness.GUESSED, LocalizedMessage("time_format_guessed", form=common[0], other=common[1]))
    return {"time_format": common[0]} if common else {}


def _order_keys(declaration: Mapping[str, Any]) -> dict[str, Any]:
    first = {key: declaration[key] for key in KEY_ORDER if key in declaration}
    return {**first, **{key: value for key, value in declaration.items() if key not in first}}


def _describe_group(group: Sequence[FileFacts], language: str) -> str:
    words = load_words(language)
    names = [one.path.name for one in group]
    shown = ", ".join(names[-SHOWN_AT_MOST:])
    return words.text("init", "group", layout=group[0].layout.title.say(language), count=str(len(group)), files=shown)


# -- the text


class _Dumper(yaml.SafeDumper):
    """Keeps texts with several lines readable, and repeats nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_block = "\n" in text.strip()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _represent_text)


def _dump(content: Any) -> str:
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=LINE_WIDTH)


def _write_comment(text: str) -> str:
    """A line of comment, whatever a file is called."""
    return f"# {' '.join(text.split())}".rstrip() + "\n"


def _write_settings(
    facts: Sequence[FileFacts],
    draft: SettingsDraft,
    folder: Path,
    blocks: Sequence[tuple[str, list[dict[str, Any]]]],
    unopened: Sequence[Path],
) -> str:
    words = load_words(draft.language)

    shop_lines = [
        f"{_dump({key: value}).rstrip()}{'  # ' + remark if remark else ''}\n"
        for key, value, remark in _guess_shop_keys(facts, draft, folder, unopened)
    ]
    comments = [words.text("init", key, folder=folder.as_posix()) for key in ("head", "head_next", "head_docs")]
    for sureness, title in ((Sureness.GUESSED, "guessed_here"), (Sureness.ASKED, "asked")):
        if said := draft.list_said(sureness):
            comments += ["", words.text("init", title), *(f"- {one.say_in(draft.language)}" for one in said)]
    parts = [*map(_write_comment, comments), "\n", *shop_lines]
    parts.append("\nsources:\n")
    for title, declarations in blocks:
        parts.append(f"  {_write_comment(title)}")
        for declaration in declarations:
            lines = _dump([declaration]).splitlines()
            parts.extend(f"  {line}\n" if line else "\n" for line in lines)
            parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _join_names(names: Counter[str]) -> Counter[str]:
    """Without names that only add something to another, such as 兰亭 and 兰亭旗舰店: the most frequent form stays."""
    kept: Counter[str] = Counter()
    for name, count in names.most_common():
        like = next((other for other in kept if name in other or other in name), name)
        kept[like] += count
    return kept


def _guess_shop_keys(
    facts: Sequence[FileFacts], draft: SettingsDraft, folder: Path, unopened: Sequence[Path]
) -> Iterator[tuple[str, Any, str]]:
    """Key, value and remark of the settings of the shop as a whole; tells what is guessed."""
    words = load_words(draft.language)
    guessed = words.text("init", "guessed")
    is_chinese = any(one.layout.language == "zh" for one in facts)
    shops = _join_names(sum((one.shops for one in facts), Counter()))
    shop = shops.most_common(1)[0][0] if shops else folder.name or "shop"
    yield "shop", shop, "" if len(shops) == 1 else guessed
    if len(shops) > 1:
        names = ", ".join(name for name, _ in shops.most_common(SHOWN_AT_MOST + 2))
        draft.say(Sureness.ASKED, LocalizedMessage("several_shops", shops=names))
    elif not shops:
        draft.say(Sureness.GUESSED, LocalizedMessage("shop_of_folder", name=shop))
    currencies: Counter[str] = sum((one.currencies for one in facts), Counter())
    currency = currencies.most_common(1)[0][0] if currencies else "CNY" if is_chinese else "USD"
    if is_chinese:
        zone = CHINA
    else:
        offsets: Counter[int] = sum((one.offsets for one in facts), Counter())
        zone = ZONES.get(offsets.most_common(1)[0][0], "UTC") if offsets else "UTC"
        if zone == "Europe/Berlin" and currency == "GBP":
            zone = "Europe/London"
    yield "timezone", zone, guessed
    draft.say(Sureness.GUESSED, LocalizedMessage("timezone_guessed", zone=zone))
    yield "currency", currency, "" if len(currencies) == 1 else guessed
    if len(currencies) > 1:
        names = ", ".join(f"{name} ({count})" for name, count in currencies.most_common())
        draft.say(Sureness.ASKED, LocalizedMessage("several_currencies", currencies=names, currency=currency))
    elif not currencies:
        draft.say(Sureness.GUESSED, LocalizedMessage("currency_guessed", currency=currency))
    yield "language", draft.language, ""
    first = _find_start(facts, draft, folder, unopened)
    yield "start_date", first, words.text("init", "first_day")
    draft.say(Sureness.GUESSED, LocalizedMessage("start_of_data", day=str(first)))


def _find_start(facts: Sequence[FileFacts], draft: SettingsDraft, folder: Path, unopened: Sequence[Path]) -> date:
    """The first day of the bulk of the data; tells which files lie long before it."""
    layouts = {(one.path.parent, build_template(one.path.name)): one.layout.name for one in facts}
    spans = [(*one.days, one.layout.name, one.path) for one in facts if one.days] or [
        (_find_last_day(one), _find_last_day(one), one.layout.name, one.path)
        for one in facts
        if _find_last_day(one) > date.min
    ]
    for path in unopened:
        layout = layouts.get((path.parent, build_template(path.name)), "")
        if layout and (named := [day for day, _, _ in find_days(path.name)]):
            spans.append((min(named), max(named), layout, path))
    if not spans:
        return date.today().replace(day=1)
    stretches: list[list[tuple[date, date, str, Path]]] = []
    end = date.min
    for span in sorted(spans, key=lambda span: (span[0], span[3])):
        if not stretches or (span[0] - end).days > DAYS_APART:
            stretches.append([])
        stretches[-1].append(span)
        end = max(end, span[1])

    def weigh(stretch: list[tuple[date, date, str, Path]]) -> tuple[int, int, int]:
        days = (max(last for _, last, _, _ in stretch) - stretch[0][0]).days
        return len({layout for _, _, layout, _ in stretch}), len(stretch), days

    bulk = max(stretches, key=weigh)
    start = bulk[0][0]
    for first, last, _, path in (span for stretch in stretches[: stretches.index(bulk)] for span in stretch):
        values = {"file": _show_path(path, folder), "first": str(first), "last": str(last), "day": str(start)}
        draft.say(Sureness.ASKED, LocalizedMessage("file_lies_apart", **values))
    return start
