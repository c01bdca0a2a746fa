"""Reads of a downloaded file what tells which report it is: its tables with their first rows, encoding, delimiter.

Large files are read at their beginning and end only. Nothing is decided here about columns or values.
"""

import csv
import hashlib
import io
import json
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import PasswordError, SheetVisibleEnum

from funnelscope.events.schema import BLANKS
from funnelscope.ingest.landing_zone import COMPRESSIONS, FORMATS, UNFINISHED
from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers import encoding_detection
from funnelscope.ingest.readers.json_documents import TOP, JsonError, find_lists, read_records
from funnelscope.ingest.readers.record_stage import MAXIMUM_COLUMNS
from funnelscope.ingest.readers.text_reader import EXPANDED_IN_ANY_CASE, LARGEST_EXPANSION, LONGEST_LINE, open_text
from funnelscope.ingest.readers.workbook_size import open_workbook, refuse_giant_workbook, set_panics_aside
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Format

FILES_AT_MOST = 2_000
FOLDERS_DEEP = 6
HEAD_BYTES, TAIL_BYTES = 8_000_000, 1_000_000
RECORDS_AT_MOST = 2_000  # of JSON lines and Parquet, at the beginning and at the end
LISTS_AT_MOST = 10  # of a JSON file
RECORDS_AT_ONCE = 20  # of Parquet, which may repeat a giant value in a few bytes
DELIMITERS = ",\t;|"
HEADER_SOUGHT_IN_ROWS = 30
WRAPPED_LIST = re.compile(r'(?:\{"\w+": )*\[\{')
KEYS_OF_WRAPPERS = 6  # at most; a record has more
WORKBOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True)
class Table:
    """A sheet, a list of a JSON file, or the content of a text file: rows of text from the first line on.

    `is_keyed` tables (JSON, Parquet) have their names in the first row.
    """

    rows: Sequence[Sequence[str]]
    sheet: str = ""
    is_visible: bool = True
    is_keyed: bool = False


@dataclass(frozen=True)
class ExportFile:
    """A file as far as it was read. `problem` says why it cannot be."""

    path: Path
    format: Format | None = None
    is_named_otherwise: bool = False  # its ending says another format
    encoding: str = ""  # empty for UTF-8 and what needs none
    delimiter: str = ","
    tables: tuple[Table, ...] = ()
    problem: LocalizedMessage | None = None
    content_hash: str = ""


@dataclass
class FoundExports:
    """The files below a folder, and those that are no exports."""

    files: list[Path] = field(default_factory=list)
    left_aside: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    is_cut_off: bool = False


# -- the folder


def find_exports(folder: Path, excluded: Sequence[Path] = ()) -> FoundExports:
    """Every file below the folder that may be an export, in order of its path.

    Hidden and unfinished files, locks of open workbooks and links are left aside.
    """
    found = FoundExports()
    for name, folders, files in os.walk(folder):
        here = Path(name)
        depth = len(here.relative_to(folder).parts)
        if folders and depth >= FOLDERS_DEEP:
            found.is_cut_off = True
        kept = [one for one in folders if not one.startswith((".", "_", "~")) and here / one not in excluded]
        found.links += [here / one for one in kept if (here / one).is_symlink()]
        folders[:] = sorted(one for one in kept if not (here / one).is_symlink()) if depth < FOLDERS_DEEP else []
        for one in sorted(files):
            path = here / one
            if one.startswith((".", "_", "~$")) or one.lower().endswith(UNFINISHED):
                continue
            if path.is_symlink():
                found.links.append(path)
            elif not path.is_file() or _find_format(path)[0] is None:
                found.left_aside.append(path)
            elif len(found.files) < FILES_AT_MOST:
                found.files.append(path)
            else:
                found.is_cut_off = True
    return found


def _find_format(path: Path) -> tuple[Format | None, str]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    inner = suffixes[:-1] if compression else suffixes
    return (FORMATS.get(inner[-1]) if inner else None), compression


# -- one file


def read_export(path: Path) -> ExportFile:
    """What the file holds, or why it cannot be read. Never raises for what is in it."""
    named, compression = _find_format(path)
    try:
        if path.stat().st_size == 0:
            return ExportFile(path, problem=LocalizedMessage("file_is_empty"))
        with _open_plain(path, compression) as stream:
            start = stream.read(encoding_detection.SAMPLE_BYTES)
        hashed = _hash(path)
        if named is Format.PARQUET:
            _refuse_wide_table(table := _read_parquet(path))
            return ExportFile(path, named, tables=(table,), content_hash=hashed)
        if start.startswith(WORKBOOK_MARKS) and named is Format.WORKBOOK:
            return ExportFile(path, named, tables=tuple(_read_workbook(path)), content_hash=hashed)
        if other := encoding_detection.detect_other_format(start):
            return ExportFile(path, problem=LocalizedMessage(other))
        marked = encoding_detection.detect_marked_encoding(start)
        encoding = marked or encoding_detection.guess_encoding(start)
        text = _read_text(path, compression, encoding or "utf-8")
        read_as: Format
        tables: tuple[Table, ...]
        if named is Format.JSON_LINES:
            is_of_lines = _has_json_lines(text)
            lines = _read_json_lines(text) if is_of_lines else None
            tables = (lines,) if lines and not _wraps_lists(lines) else _read_json_lists(path, compression, encoding)
            delimiter, read_as = ",", named
        else:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else _detect_delimiter(text)
            tables, read_as = (Table(_read_rows(text, delimiter)),), Format.CSV
        for table in tables:
            _refuse_wide_table(table)
        if not any(table.rows for table in tables):
            return ExportFile(path, problem=LocalizedMessage("file_has_no_rows"))
        declared = "" if marked or encoding in ("", "utf-8") else encoding
        return ExportFile(path, read_as, read_as is not named, declared, delimiter, tables, content_hash=hashed)
    except PasswordError:
        return ExportFile(path, problem=LocalizedMessage("workbook_locked"))
    except DeliveryError as error:
        return ExportFile(path, problem=error.localized_message)
    except Exception as error:  # of whatever kind: one file never keeps the others from being recognised
        words = str(error).splitlines() or [type(error).__name__]
        return ExportFile(path, problem=LocalizedMessage("damaged", error=words[0][:200]))


def _refuse_wide_table(table: Table) -> None:
    """Raises DeliveryError for a table of more columns than can be taken: each is compared with every layout."""
    for row in table.rows[:HEADER_SOUGHT_IN_ROWS]:
        if len(row) > MAXIMUM_COLUMNS and any(row[MAXIMUM_COLUMNS:]):
            column = repr(row[MAXIMUM_COLUMNS][:80])
            message = LocalizedMessage("too_many_columns", most=MAXIMUM_COLUMNS, column=column)
            raise DeliveryError(QuarantineReason.UNREADABLE, message)


def _open_plain(path: Path, compression: str) -> Any:
    return pa.input_stream(str(path), compression=compression) if compression else path.open("rb")


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_text(path: Path, compression: str, encoding: str) -> str:
    """The text of the file; of a large one its beginning and its end, cut at lines."""
    with _open_plain(path, compression) as stream:
        content = stream.read(HEAD_BYTES)
        rest = b""
        if len(content) == HEAD_BYTES:
            rest = _read_compressed_end(path, stream) if compression else _read_end(path)
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    if rest:
        text = text.rpartition("\n")[0] + "\n" + rest.decode(encoding, "replace").partition("\n")[2]
    return text


def _read_end(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(HEAD_BYTES, path.stat().st_size - TAIL_BYTES))
        return stream.read()


def _read_compressed_end(path: Path, stream: Any) -> bytes:
    most = max(path.stat().st_size * LARGEST_EXPANSION, EXPANDED_IN_ANY_CASE)
    end, length = b"", HEAD_BYTES
    while part := stream.read(TAIL_BYTES):
        end, length = (end + part)[-TAIL_BYTES:], length + len(part)
        if length > most:
            message = LocalizedMessage("expands_too_far", megabytes=f"{most >> 20:,}")
            raise DeliveryError(QuarantineReason.UNREADABLE, message)
    return end


def _detect_delimiter(text: str) -> str:
    """The delimiter that gives a row of the first ones the most names. Some exports put a tab behind each value."""
    lines = "\n".join(text[:200_000].splitlines()[:HEADER_SOUGHT_IN_ROWS])

    def count_names(delimiter: str) -> int:
        others = tuple(DELIMITERS.replace(delimiter, "").strip())
        rows = _read_rows(lines, delimiter)
        return max((sum(bool(cell) and not cell.startswith(others) for cell in row) for row in rows), default=0)

    return max(DELIMITERS, key=count_names)


def _read_rows(text: str, delimiter: str) -> list[list[str]]:
    """The rows at their line: an empty one where a record spans lines."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            rows.append([cell.strip(BLANKS) for cell in row])
            rows.extend([] for _ in range(reader.line_num - len(rows)))
    except csv.Error:
        pass  # what could be read tells the report
    return rows


def _read_json_lines(text: str) -> Table:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 2 * RECORDS_AT_MOST:
        lines = lines[:RECORDS_AT_MOST] + lines[-RECORDS_AT_MOST:]
    records = [record for line in lines if isinstance(record := _parse(line), dict)]
    return _make_keyed_table(records)


def _has_json_lines(text: str) -> bool:
    """Whether each line is an object of its own: several lines, of which one of the first two is one."""
    lines = list(islice((line for line in text.splitlines() if line.strip()), 2))
    return len(lines) == 2 and any(isinstance(_parse(line), dict) for line in lines)


def _wraps_lists(table: Table) -> bool:
    """Whether each line is no record but an answer around a list of them, such as `{"orders": […], "next": null}`."""
    if not table.rows or len(table.rows[0]) > KEYS_OF_WRAPPERS:
        return False
    return any(WRAPPED_LIST.match(cell) for row in table.rows[1:] for cell in row)


def _read_json_lists(path: Path, compression: str, encoding: str) -> tuple[Table, ...]:
    """A table of each list that has records, the values themselves first, without a name."""
    open_again = partial(open_text, path, compression, "utf-8-sig" if encoding in ("", "utf-8") else encoding)
    try:
        with open_again() as text:
            found = find_lists(text, LONGEST_LINE)
        filled = [name for name, each in found.items() if each.names]
        tables = []
        for name in sorted(filled, key=lambda name: name != TOP)[:LISTS_AT_MOST]:
            with open_again() as text:
                records = read_records(text, name, LONGEST_LINE)
                first = list(islice(records, RECORDS_AT_MOST))
                last = deque(records, RECORDS_AT_MOST)
            values = [value for record in (*first, *last) if isinstance(value := _parse(record.text), dict)]
            tables.append(replace(_make_keyed_table(values), sheet="" if name == TOP else name))
    except JsonError as error:
        message = LocalizedMessage("json_is_damaged", line=str(error.line), error=str(error))
        raise DeliveryError(QuarantineReason.UNREADABLE, message) from None
    return tuple(tables)


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _read_parquet(path: Path) -> Table:
    file = pq.ParquetFile(path)
    records: list[dict[str, Any]] = []
    size = 0
    for batch in file.iter_batches(RECORDS_AT_ONCE):
        part = batch.to_pylist()
        records += part
        size += sum(len(value) for record in part for value in record.values() if isinstance(value, str | bytes))
        if len(records) >= RECORDS_AT_MOST or size > HEAD_BYTES:
            break
    return _make_keyed_table(records, file.schema_arrow.names)


def _make_keyed_table(records: Sequence[dict[str, Any]], names: Sequence[str] = ()) -> Table:
    keys = list(dict.fromkeys([*names, *(key for record in records for key in record)]))
    rows = [keys, *([_write_cell(record.get(key, "")) for key in keys] for record in records)]
    return Table(rows if keys else [], is_keyed=True)


def _read_workbook(path: Path) -> Iterator[Table]:
    refuse_giant_workbook(path)
    with set_panics_aside():
        workbook = open_workbook(path)
        sheets = workbook.sheets_metadata
    for each in sheets:
        with set_panics_aside():
            cells = workbook.get_sheet_by_name(each.name).to_python(skip_empty_area=False)
        rows = [[_write_cell(cell) for cell in row] for row in cells]
        _refuse_wide_table(Table(rows))
        if any(any(row) for row in rows):
            yield Table(rows, each.name, each.visible is SheetVisibleEnum.Visible)


def _write_cell(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip(BLANKS)
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell == int(cell) and abs(cell) < 10**15 else f"{cell:.15g}"
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)


DAY = re.compile(r"(?<!\d)(20\d{2})(?:([-/.年])(\d{1,2})(?:\2|月)(\d{1,2})(?!\d)|(\d{2})(\d{2}))")
EPOCH = re.compile(r"(1[5-9]\d{8})(\d{3}){0,2}")


def find_days(text: str) -> list[tuple[date, int, int]]:
    """The days written in a text such as 2026-06-03 10:00, 2026/6/3 or 20260603093000, with begin and end of each."""
    found = []
    for match in DAY.finditer(text):
        year, _, month, day, compact_month, compact_day = match.groups()
        try:
            written = date(int(year), int(month or compact_month), int(day or compact_day))
        except ValueError:
            continue
        found.append((written, *match.span()))
    return found


def read_day(text: str, zone: tzinfo) -> date | None:
    """The day of a time as text or, in the zone, of a number since 1970; None for a period and for no time."""
    if epoch := EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(epoch[1]), zone).date()
    days = {day for day, _, _ in find_days(text)}
    return days.pop() if len(days) == 1 else None
