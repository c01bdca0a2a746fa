"""CSV and JSON lines: decoded and split in Python, so that every bad record keeps its line, then staged for SQL.

Python, because DuckDB decodes no GBK without a download, knows no line numbers and drops bad JSON silently. All
values stay text; SQL casts them by the same rules as those of a Parquet file.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.ingest.mapping import REQUIRED, DeliveryError, Rows, quoted
from assets.ingest.reasons import Reason
from assets.settings import Format, Source
from sql.warehouse import Warehouse

CHUNK_RECORDS = 50_000
MOST_COLUMNS = 1_000
STAGED = "temp.staged_records"
DETAILS = {"row_": "BIGINT", "problem_": "VARCHAR", "detail_": "VARCHAR", "record_": "VARCHAR"}
UNREADABLE_BYTES = "funnelscope.unreadable"


@dataclass(frozen=True)
class Record:
    """One record: the line it starts on, its values, or what is wrong with it and its own text."""

    line: int
    values: dict[str, str | None]
    reason: Reason | None = None
    detail: str | None = None
    text: str | None = None


def _mark_unreadable_bytes(error: UnicodeError) -> tuple[str, int]:
    """Bytes that the encoding does not know become lone surrogates: the record is found again and keeps its text."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(UNREADABLE_BYTES, _mark_unreadable_bytes)


def read_text(
    warehouse: Warehouse, path: Path, source: Source, file_format: Format, compression: str
) -> tuple[Rows, int]:
    """Stages the records of a text file in a temporary table; returns them and how many they are.

    Raises:
        DeliveryError: the file has no usable header, or too many different keys.
        OSError, EOFError: the file cannot be read, or its compression is damaged.
    """
    encoding = "utf-8-sig" if codecs.lookup(source.encoding).name == "utf-8" else source.encoding
    stage = _Stage(warehouse)
    try:
        with _decompressed(path, compression) as stream:
            text = io.TextIOWrapper(stream, encoding=encoding, errors=UNREADABLE_BYTES, newline="")
            if file_format is Format.CSV:
                header, records = _csv_records(text, source, path)
                stage.add_columns(header)
            else:
                records = _json_records(text)
            for record in records:
                stage.add(record)
    except (zlib.error, UnicodeError) as error:
        raise DeliveryError(Reason.UNREADABLE, f"is damaged or not {source.encoding}: {error}") from None
    return stage.finish()


def _decompressed(path: Path, compression: str) -> Any:
    """The bytes of a file; gzip and zstd both raise where the end is missing."""
    if compression == "gzip":
        return gzip.open(path, "rb")
    if compression == "zstd":
        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


# -- CSV


class _Lines:
    """The lines of a text, keeping those of the record that is being read."""

    def __init__(self, text: io.TextIOBase) -> None:
        self.text = text
        self.kept: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self.text)
        self.kept.append(line)
        return line

    def take(self) -> str:
        text = "".join(self.kept)
        self.kept.clear()
        return text


def _csv_records(text: io.TextIOWrapper, source: Source, path: Path) -> tuple[list[str], Iterator[Record]]:
    delimiter = source.delimiter or ("\t" if ".tsv" in path.suffixes else ",")
    for _ in range(source.header_row - 1):
        text.readline()
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DeliveryError(Reason.BAD_HEADER, f"line {source.header_row} is no header: {error}") from None
    lines.take()
    named = [name or f"column_{position}" for position, name in enumerate(header, start=1)]
    folded = [name.lower() for name in named]
    for name in named:
        if folded.count(name.lower()) > 1:
            raise DeliveryError(
                Reason.BAD_HEADER, f"column {name!r} stands twice in the header; found: {', '.join(header)}"
            )
        if not _is_clean(name):
            raise DeliveryError(
                Reason.BAD_HEADER, f"the header is not {source.encoding}; declare encoding for the source"
            )
    return named, _csv_body(reader, lines, named, source.header_row - 1)


def _csv_body(reader: Any, lines: _Lines, header: list[str], lines_above: int) -> Iterator[Record]:
    while True:
        first_line = lines_above + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(first_line, {}, Reason.BAD_RECORD, f"not CSV: {error}", lines.take())
            continue
        record_text = lines.take()
        if len(fields) == len(header):
            yield Record(first_line, dict(zip(header, fields, strict=True)), text=record_text)
        elif fields:
            words = f"{len(fields)} fields where the header has {len(header)}"
            yield Record(first_line, {}, Reason.WRONG_FIELD_COUNT, words, record_text)


# -- JSON lines


def _json_records(text: io.TextIOWrapper) -> Iterator[Record]:
    for line_number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            # Numbers stay as they are written: 1.10 is the same event as in a CSV file.
            value = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            yield Record(line_number, {}, Reason.BAD_RECORD, f"not JSON: {error}", line)
            continue
        if not isinstance(value, dict):
            yield Record(line_number, {}, Reason.BAD_RECORD, "not a JSON object", line)
            continue
        values = {name or "column_1": _as_text(inner) for name, inner in value.items()}
        if len({name.lower() for name in values}) < len(values):
            yield Record(line_number, {}, Reason.BAD_RECORD, "two keys differ in upper and lower case only", line)
        else:
            yield Record(line_number, values, text=line)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


# -- staging


class _Stage:
    """Collects records and hands them to DuckDB in chunks, so that memory does not grow with the file."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.columns: dict[str, str] = {}  # lower case to the name in the table: DuckDB's names have no case
        self.records: list[Record] = []
        self.row_count = 0
        warehouse.execute(f"create or replace temp table {STAGED.removeprefix('temp.')} ({_declared(DETAILS)})")

    def add_columns(self, names: list[str]) -> None:
        for name in names:
            if name.lower() in self.columns or name.lower() in DETAILS:
                continue
            if len(self.columns) == MOST_COLUMNS:
                raise DeliveryError(Reason.BAD_HEADER, f"more than {MOST_COLUMNS} different columns")
            self.columns[name.lower()] = name
            self.warehouse.execute(f"alter table {STAGED} add column {quoted(name)} VARCHAR")

    def add(self, record: Record) -> None:
        self.records.append(record)
        if len(self.records) == CHUNK_RECORDS:
            self._flush()

    def finish(self) -> tuple[Rows, int]:
        self._flush()
        if not self.columns:  # nothing but bad records, or none: each of them is quarantined by itself
            self.add_columns(list(REQUIRED))
        rows = Rows(STAGED, "row_", dict.fromkeys(self.columns.values(), "VARCHAR"), "problem_", "detail_", "record_")
        return rows, self.row_count

    def _flush(self) -> None:
        if not self.records:
            return
        try:
            chunk = self._chunk(self.records)
        except UnicodeEncodeError:
            self.records = [_cleaned(record) for record in self.records]
            chunk = self._chunk(self.records)
        names = ", ".join(quoted(name) for name in chunk.column_names)
        self.warehouse.connection.register("funnelscope_chunk", chunk)
        self.warehouse.execute(f"insert into {STAGED} ({names}) select {names} from funnelscope_chunk")
        self.warehouse.connection.unregister("funnelscope_chunk")
        self.row_count += len(self.records)
        self.records = []

    def _chunk(self, records: list[Record]) -> pa.Table:
        """A column for each key; the record's own text only where it cannot be rebuilt from its columns."""
        keys = dict.fromkeys(name for record in records for name in record.values)
        for key in keys:
            key.encode()  # raises as the values do below, before a column of that name is made
        self.add_columns(list(keys))
        spellings: dict[str, list[str]] = {}
        for key in keys:
            spellings.setdefault(key.lower(), []).append(key)
        data = {
            "row_": pa.array([record.line for record in records], pa.int64()),
            "problem_": pa.array([record.reason for record in records], pa.string()),
            "detail_": pa.array([record.detail for record in records], pa.string()),
            "record_": pa.array([record.text for record in records], pa.string()),
        }
        for lowered, name in self.columns.items():
            for key in spellings.get(lowered, ()):
                values = pa.array([record.values.get(key) for record in records], pa.string())
                data[name] = pc.coalesce(data[name], values) if name in data else values
        return pa.table(data)


def _declared(columns: dict[str, str]) -> str:
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())


def _is_clean(text: str) -> bool:
    """Whether a text can be written as UTF-8, that is, holds no lone surrogate."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _cleaned(record: Record) -> Record:
    """A record with unreadable bytes becomes a bad one; its text shows them escaped."""
    clean = all(_is_clean(part) for pair in record.values.items() for part in pair if part is not None)
    text = record.text.encode("utf-8", "backslashreplace").decode() if record.text else None
    if clean and record.reason is None:
        return Record(record.line, record.values, text=text)
    if record.reason:
        detail = record.detail.encode("utf-8", "backslashreplace").decode() if record.detail else None
        return Record(record.line, {}, record.reason, detail, text)
    return Record(record.line, {}, Reason.BAD_ENCODING, "holds bytes that are not of the declared encoding", text)
