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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.ingest.mapping import REQUIRED, DeliveryError, Rows, quoted
from assets.ingest.reasons import Reason
from assets.settings import Format, Source
from sql.warehouse import Warehouse

CHUNK_RECORDS = 50_000
MOST_COLUMNS = 1_000
STAGED = "temp.staged_records"
DETAILS = {"row_": "BIGINT", "problem_": "VARCHAR", "detail_": "VARCHAR", "record_": "VARCHAR"}
UNREADABLE_BYTES = "funnelscope.unreadable"


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
                _stage_csv(stage, text, source, path)
            else:
                _stage_json(stage, text)
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


def _stage_csv(stage: "_Stage", text: io.TextIOWrapper, source: Source, path: Path) -> None:
    delimiter = source.delimiter or ("\t" if ".tsv" in path.suffixes else ",")
    for _ in range(source.header_row - 1):
        text.readline()
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _header(reader, source)
    lines.take()
    stage.add_columns(header)
    lines_above = source.header_row - 1
    while True:
        first_line = lines_above + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            stage.add_bad(first_line, Reason.BAD_RECORD, f"not CSV: {error}", lines.take())
            continue
        record = lines.take()
        if len(fields) == len(header):
            stage.add(first_line, header, fields, record)
        elif fields:
            words = f"{len(fields)} fields where the header has {len(header)}"
            stage.add_bad(first_line, Reason.WRONG_FIELD_COUNT, words, record)


def _header(reader: Any, source: Source) -> tuple[str, ...]:
    """The names of the header, without the blanks around them; a column without a name is called by its place."""
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DeliveryError(Reason.BAD_HEADER, f"line {source.header_row} is no header: {error}") from None
    if not all(_is_clean(name) for name in header):
        message = f"the header is not {source.encoding}; declare encoding for the source"
        raise DeliveryError(Reason.BAD_HEADER, message)
    named = tuple(name or f"column_{position}" for position, name in enumerate(header, start=1))
    folded = [name.lower() for name in named]
    repeated = [name for name in named if folded.count(name.lower()) > 1]
    if repeated:
        message = f"column {repeated[0]!r} stands twice in the header; found: {', '.join(header)}"
        raise DeliveryError(Reason.BAD_HEADER, message)
    return named


# -- JSON lines

# Numbers stay as they are written: 1.10 is the same event as in a CSV file.
_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def _stage_json(stage: "_Stage", text: io.TextIOWrapper) -> None:
    for line_number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            value = _JSON.decode(line.strip())
        except (ValueError, RecursionError) as error:
            stage.add_bad(line_number, Reason.BAD_RECORD, f"not JSON: {error}", line)
            continue
        if isinstance(value, dict):
            fields = [inner if inner is None or type(inner) is str else _as_text(inner) for inner in value.values()]
            stage.add(line_number, tuple(value), fields, line)
        else:
            stage.add_bad(line_number, Reason.BAD_RECORD, "not a JSON object", line)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


# -- staging


@dataclass
class _Batch:
    """Records with the same keys, one entry each in every list."""

    lines: list[int] = field(default_factory=list)
    fields: list[Sequence[str | None]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class _Stage:
    """Collects records and hands them to DuckDB in chunks, so that memory does not grow with the file."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.columns: dict[str, str] = {}  # lower case to the name in the table: DuckDB's names have no case
        self.batches: dict[tuple[str, ...], _Batch] = {}
        self.bad: list[tuple[int, str, str, str]] = []
        self.waiting = 0
        self.row_count = 0
        columns = ", ".join(f"{name} {kind}" for name, kind in DETAILS.items())
        warehouse.execute(f"create or replace temp table {STAGED.removeprefix('temp.')} ({columns})")

    def add_columns(self, names: Iterable[str]) -> None:
        for name in names:
            if name.lower() in self.columns:
                continue
            if len(self.columns) == MOST_COLUMNS or name.lower() in DETAILS:
                raise DeliveryError(Reason.BAD_HEADER, f"more than {MOST_COLUMNS} columns, or one called {name!r}")
            self.columns[name.lower()] = name
            self.warehouse.execute(f"alter table {STAGED} add column {quoted(name)} VARCHAR")

    def add(self, line: int, names: tuple[str, ...], fields: Sequence[str | None], text: str) -> None:
        """A readable record: its values in the order of `names`."""
        batch = self.batches.get(names)
        if batch is None:
            batch = self.batches[names] = _Batch()
        batch.lines.append(line)
        batch.fields.append(fields)
        batch.texts.append(text)
        self._count()

    def add_bad(self, line: int, reason: Reason, detail: str, text: str) -> None:
        """A record that goes to quarantine as it is."""
        self.bad.append((line, reason.value, _escaped(detail), _escaped(text)))
        self._count()

    def finish(self) -> tuple[Rows, int]:
        self._flush()
        if not self.columns:  # nothing but bad records, or none: each of them is quarantined by itself
            self.add_columns(REQUIRED)
        rows = Rows(STAGED, "row_", dict.fromkeys(self.columns.values(), "VARCHAR"), "problem_", "detail_", "record_")
        return rows, self.row_count

    def _count(self) -> None:
        self.row_count += 1
        self.waiting += 1
        if self.waiting == CHUNK_RECORDS:
            self._flush()

    def _flush(self) -> None:
        tables = [table for names, batch in self.batches.items() if (table := self._table(names, batch)) is not None]
        if self.bad:
            columns = [pa.array(column) for column in zip(*self.bad, strict=True)]
            tables.append(pa.table(columns, names=list(DETAILS)))
        if tables:
            chunk = pa.concat_tables(tables, promote_options="default")
            names = ", ".join(quoted(name) for name in chunk.column_names)
            self.warehouse.connection.register("funnelscope_chunk", chunk)
            self.warehouse.execute(f"insert into {STAGED} ({names}) select {names} from funnelscope_chunk")
            self.warehouse.connection.unregister("funnelscope_chunk")
        self.batches, self.bad, self.waiting = {}, [], 0

    def _table(self, names: tuple[str, ...], batch: _Batch) -> pa.Table | None:
        """The batch as a table; what cannot be stored goes to the bad records instead."""
        reason, detail = Reason.BAD_ENCODING, "holds bytes that are not of the declared encoding"
        if len({name.lower() for name in names}) < len(names):
            reason, detail = Reason.BAD_RECORD, "two keys differ in upper and lower case only"
        elif all(_is_clean(name) for name in names):
            try:
                return self._clean_table(names, batch)
            except UnicodeEncodeError:
                batch = self._without_unreadable(batch, detail)
                return self._clean_table(names, batch) if batch.lines else None
        for line, text in zip(batch.lines, batch.texts, strict=True):
            self.bad.append((line, reason.value, detail, _escaped(text)))
        return None

    def _clean_table(self, names: tuple[str, ...], batch: _Batch) -> pa.Table:
        named = [name or "column_1" for name in names]
        data = {"row_": pa.array(batch.lines, pa.int64()), "record_": pa.array(batch.texts, pa.string())}
        columns = [pa.array(values, pa.string()) for values in zip(*batch.fields, strict=True)]
        self.add_columns(named)
        return pa.table(
            data | {self.columns[name.lower()]: values for name, values in zip(named, columns, strict=True)}
        )

    def _without_unreadable(self, batch: _Batch, detail: str) -> _Batch:
        kept = _Batch()
        for line, fields, text in zip(batch.lines, batch.fields, batch.texts, strict=True):
            if _is_clean(text) and all(_is_clean(value) for value in fields if value is not None):
                kept.lines.append(line)
                kept.fields.append(fields)
                kept.texts.append(text)
            else:
                self.bad.append((line, Reason.BAD_ENCODING.value, detail, _escaped(text)))
        return kept


def _is_clean(text: str) -> bool:
    """Whether a text can be written as UTF-8, that is, holds no lone surrogate."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
