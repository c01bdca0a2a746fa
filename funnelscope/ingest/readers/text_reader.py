"""CSV and JSON lines, decoded and split in Python so that every bad record keeps its line, then staged for SQL.

Python is used because DuckDB decodes no GBK without a download, has no line numbers and drops bad JSON silently. All
values stay text; SQL casts them by the same rules as those of a Parquet file.
"""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from funnelscope.events.schema import BLANKS, FAMILIES, REQUIRED
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers import encoding_detection
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Format, Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier

CHUNK_RECORDS = 50_000
MAXIMUM_COLUMNS = 1_000
STAGED = "temp.staged_records"
DETAILS = {"row_": "BIGINT", "problem_": "VARCHAR", "detail_": "VARCHAR", "record_": "VARCHAR"}
UNREADABLE_BYTES = "funnelscope.unreadable"
HEADER_SOUGHT_IN_LINES = 30
OTHER_DELIMITERS = ",;\t|，"
UNNAMED = re.compile(r"column_\d+")


def _mark_unreadable_bytes(error: UnicodeError) -> tuple[str, int]:
    """Replaces bytes that are invalid in the encoding by lone surrogates, so that the record keeps its text."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(UNREADABLE_BYTES, _mark_unreadable_bytes)


def read_text(
    warehouse: Warehouse, path: Path, source: Source, file_format: Format, compression: str
) -> tuple[DeliveryRows, int]:
    """Stages the records of a text file in a temporary table. Returns them and their number.

    Raises:
        DeliveryError: the file is not text in its encoding, has no usable header, or too many different keys.
        OSError, EOFError: the file cannot be read, or its compressed data are damaged.
    """
    try:
        with _open_decompressed(path, compression) as stream:
            start = stream.read(encoding_detection.SAMPLE_BYTES)
        encoding = _choose_encoding(start, source, compression)
        stage = _Stage(warehouse, _describe_wrong_encoding(start, source))
        if encoding != _get_declared_encoding(source):
            stage.notes.append(f"read as {encoding.removesuffix('-sig')}, as its byte-order mark says")
        with _open_decompressed(path, compression) as stream:
            text = io.TextIOWrapper(stream, encoding=encoding, errors=UNREADABLE_BYTES, newline="")
            if file_format is Format.CSV:
                _stage_csv(stage, text, source, ".tsv" in path.suffixes)
            else:
                _stage_json(stage, text)
    except (zlib.error, UnicodeError) as error:
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("damaged", error=str(error))) from None
    return stage.finish()


def _open_decompressed(path: Path, compression: str) -> Any:
    """The decompressed bytes of a file. Both gzip and zstd raise an error if the end is missing."""
    if compression == "gzip":
        return gzip.open(path, "rb")
    if compression == "zstd":
        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


# -- encoding


def _get_declared_encoding(source: Source) -> str:
    return "utf-8-sig" if codecs.lookup(source.encoding).name == "utf-8" else source.encoding


def _choose_encoding(start: bytes, source: Source, compression: str) -> str:
    """The encoding: that of a byte-order mark, else the declared one, which no guess overrules.

    Raises:
        DeliveryError: the bytes are not text, or would be misread without an error.
    """
    if other := encoding_detection.detect_other_format(start):
        is_twice = compression and other in ("gzip", "zstd")
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("compressed_twice" if is_twice else other))
    if marked := encoding_detection.detect_marked_encoding(start):
        return _get_declared_encoding(source) if marked == source.encoding.lower() else marked
    declared = codecs.lookup(source.encoding).name
    if declared == "utf-16" and start:
        likely = encoding_detection.guess_encoding(start) or "utf-16-le"
        raise DeliveryError(QuarantineReason.BAD_ENCODING, LocalizedMessage("no_byte_order_mark", encoding=likely))
    if certain := encoding_detection.detect_misread_encoding(start, declared):
        message = LocalizedMessage("misread_encoding", encoding=certain, declared=source.encoding)
        raise DeliveryError(QuarantineReason.BAD_ENCODING, message)
    if declared == "utf-8" and encoding_detection.is_encoded_twice(start):
        raise DeliveryError(QuarantineReason.BAD_ENCODING, LocalizedMessage("encoded_twice"))
    return _get_declared_encoding(source)


def _describe_wrong_encoding(start: bytes, source: Source) -> LocalizedMessage:
    """The message about bytes that are invalid in the encoding."""
    like = encoding_detection.guess_encoding(start)
    if not like or codecs.lookup(like).name == codecs.lookup(source.encoding).name:
        return LocalizedMessage("not_of_encoding", declared=source.encoding)
    return LocalizedMessage("looks_like_encoding", declared=source.encoding, like=like)


# Cached, because thousands of rows may have the same fault and building a message is slow.
_build_problem = lru_cache(maxsize=1_000)(LocalizedMessage)


# -- CSV


class _Lines:
    """The numbered lines of a text. Keeps the lines of the current record, which can be given back."""

    def __init__(self, text: Iterable[str]) -> None:
        self.text = iter(text)
        self.number = 0  # number of the last line read
        self.kept: list[str] = []
        self.given_back: deque[str] = deque()
        self.last_given_back = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.given_back.popleft() if self.given_back else next(self.text)
        self.number += 1
        self.kept.append(line)
        return line

    def take(self) -> str:
        """The text of the record."""
        text = "".join(self.kept)
        self.kept.clear()
        return text

    def take_first(self) -> str:
        """The first line of the record. The others will be read again as the start of new records."""
        first, *others = self.kept
        self.given_back.extendleft(reversed(others))
        self.last_given_back = max(self.last_given_back, self.number)
        self.number -= len(others)
        self.kept.clear()
        return first

    def give_back(self) -> None:
        """Undoes the reading of all kept lines."""
        self.given_back.extendleft(reversed(self.kept))
        self.number -= len(self.kept)
        self.kept.clear()


def _stage_csv(stage: "_Stage", text: io.TextIOWrapper, source: Source, is_tabbed: bool) -> None:
    lines = _Lines(text)
    delimiter = source.delimiter or ("\t" if is_tabbed else ",")
    # Columns that are lined up by blanks have several between two values.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " ", strict=True)
    skipped = re.compile(source.skip_lines) if source.skip_lines else None
    header = source.names or _read_header(reader, lines, stage, source)
    if not header:
        return
    stage.add_columns(header)
    skipped_count = 0
    while True:
        first_line = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # One bad quote must not swallow the good lines below it.
            spans_lines = len(lines.kept) > 1
            record = lines.take_first()
            if not (skipped and skipped.search(record)):
                problem = _build_problem("open_quote") if spans_lines else _build_problem("not_csv", error=str(error))
                stage.add_bad(first_line, QuarantineReason.BAD_RECORD, problem, record)
            continue
        record = lines.take()
        if not any(fields):
            continue  # a blank line, or only delimiters, as spreadsheets leave them below a table
        if skipped and skipped.search(record):
            skipped_count += 1
        elif first_line <= lines.last_given_back and record.count('"') % 2:
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, _build_problem("lone_quote"), record)
        elif "\0" in record:
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, _build_problem("zero_bytes"), record)
        elif fields[0].strip(BLANKS) == header[0] and [name.strip(BLANKS) for name in fields] == list(header):
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, _build_problem("header_again"), record)
        elif fitted := _fit_fields(fields, header):
            stage.add(first_line, header, fitted, record)
        else:
            problem = _build_problem("field_count", fields=str(len(fields)), columns=str(len(header)))
            stage.add_bad(first_line, QuarantineReason.WRONG_FIELD_COUNT, problem, record)
    if skipped_count:
        stage.notes.append(f"{skipped_count} lines left out by skip_lines")


def _fit_fields(fields: list[str], header: tuple[str, ...]) -> list[str]:
    """The fields, one per column. Empty if the number differs, apart from empty or unnamed fields at the end."""
    surplus = len(fields) - len(header)
    if surplus > 0 and not any(fields[len(header) :]):
        return fields[: len(header)]
    if surplus < 0 and all(UNNAMED.fullmatch(name) for name in header[surplus:]):
        return fields + [""] * -surplus
    return fields if surplus == 0 else []


def _read_header(reader: Any, lines: _Lines, stage: "_Stage", source: Source) -> tuple[str, ...]:
    """The column names of the header, without surrounding blanks; empty if the file holds no line.

    A column without a name is named by its position, and so is a repeated one that is not read.
    """
    above = [line for _, line in zip(range(source.header_row - 1), lines, strict=False)]
    lines.take()
    try:
        header: list[str] = next((names for names in reader if any(name.strip() for name in names)), [])
    except csv.Error as error:
        is_json = "".join(lines.kept).lstrip().startswith("{")
        problem = LocalizedMessage("looks_like_json_lines") if is_json else LocalizedMessage("as_told", text=str(error))
        message = LocalizedMessage("no_header", line=str(lines.number), problem=problem)
        raise DeliveryError(QuarantineReason.BAD_HEADER, message) from None
    line = lines.take()
    if not header:
        if any(text.strip() for text in above):
            message = LocalizedMessage("ends_before_header", line=str(len(above)), header_row=str(source.header_row))
            raise DeliveryError(QuarantineReason.BAD_HEADER, message)
        return ()
    if not _is_clean(line):
        raise DeliveryError(QuarantineReason.BAD_ENCODING, stage.not_of_encoding)
    if "\0" in line:
        message = LocalizedMessage("no_header", line=str(lines.number), problem=LocalizedMessage("zero_bytes"))
        raise DeliveryError(QuarantineReason.BAD_HEADER, message)
    named: list[str] = []
    for position, name in enumerate((name.strip(BLANKS) for name in header), start=1):
        is_repeated = name.lower() in (earlier.lower() for earlier in named)
        if is_repeated and is_read(name, source):
            found = ", ".join(name.strip() for name in header)
            message = LocalizedMessage("column_twice_in_header", column=repr(name), found=found)
            raise DeliveryError(QuarantineReason.BAD_HEADER, message)
        named.append(f"column_{position}" if is_repeated or not name else name)
    stage.remedy = _find_header_elsewhere(lines, named, reader.dialect, source)
    return tuple(named)


def _list_wanted_columns(source: Source) -> list[str]:
    """The columns that a file of the source must have."""
    wanted = list(source.columns.values()) or [name for name in REQUIRED if name not in source.constants]
    if source.event_types:
        wanted = [name for name in wanted if name != "event_type"]
        wanted += [source.event_types.column] if source.event_types.column else []
    return [name.lower() for name in wanted]


def is_read(name: str, source: Source) -> bool:
    """Whether the source reads the column, as far as can be determined without parsing its SQL."""
    contracted = [] if source.columns else [column.name for column in FAMILIES[source.family].columns]
    types = source.event_types.expression if source.event_types else None
    in_sql = " ".join([source.where, *source.expressions.values(), types or ""]).lower()
    return name.lower() in (*_list_wanted_columns(source), *contracted) or name.lower() in in_sql


def _find_header_elsewhere(lines: _Lines, header: list[str], dialect: Any, source: Source) -> LocalizedMessage | None:
    """The likely place of the header, if the line taken for it lacks columns that the source reads.

    It may be another line, or use another delimiter.
    """
    wanted = set(_list_wanted_columns(source))
    if wanted <= {name.lower() for name in header}:
        return None
    first = lines.number + 1
    ahead = [line for _, line in zip(range(HEADER_SOUGHT_IN_LINES), lines, strict=False)]
    lines.give_back()
    candidates = [(0, dialect.delimiter.join(header)), *enumerate(ahead, start=first)]
    for delimiter in dict.fromkeys(dialect.delimiter + OTHER_DELIMITERS):
        written = delimiter.replace("\t", r"\t")
        for number, line in candidates:
            if wanted <= {name.strip(BLANKS + '"').lower() for name in line.split(delimiter)}:
                if not number:
                    return LocalizedMessage("other_delimiter", delimiter=written)
                if delimiter == dialect.delimiter:
                    return LocalizedMessage("header_on_line", line=str(number))
                return LocalizedMessage("header_on_line_and_delimiter", line=str(number), delimiter=written)
    return None


# -- JSON lines


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. It must not repeat a key: it would be unclear which value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


# Numbers stay as they are written: 1.10 must give the same event as in a CSV file.
_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_build_object)


def _stage_json(stage: "_Stage", text: io.TextIOWrapper) -> None:
    for line_number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        if stage.row_count == 0:
            stage.otherwise = _describe_other_json(line.strip())
        if "\0" in line or "\\u0000" in line:
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, _build_problem("zero_bytes"), line)
            continue
        try:
            value = _JSON.decode(line.strip())
        except (ValueError, RecursionError) as error:
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, _build_problem("not_json", error=str(error)), line)
            continue
        if value == {}:
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, _build_problem("no_key"), line)
        elif isinstance(value, dict):
            fields = [
                inner if inner is None or type(inner) is str else _format_value(inner) for inner in value.values()
            ]
            stage.add(line_number, tuple(value), fields, line)
        else:
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, _build_problem("no_object"), line)


def _describe_other_json(first: str) -> LocalizedMessage | None:
    """What a file without any readable object is, judged by its first line; None if that is unclear.

    Raises:
        DeliveryError: it is an array over several lines. Its last object may be on a line of its own and must not be
            loaded alone.
    """
    array = LocalizedMessage("json_array")
    if first == "[" or (first.startswith("[") and first.endswith(",")):
        raise DeliveryError(QuarantineReason.UNREADABLE, array)
    if first.startswith("["):
        return array  # or one damaged line, with good ones below it
    if first == "{":
        return LocalizedMessage("json_over_lines")
    return LocalizedMessage("no_json") if "," in first and "{" not in first else None


def _format_value(value: object) -> str:
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
    """Collects records and passes them to DuckDB in chunks, so that memory does not grow with the file."""

    def __init__(self, warehouse: Warehouse, not_of_encoding: LocalizedMessage) -> None:
        self.warehouse = warehouse
        self.not_of_encoding = not_of_encoding
        self.notes: list[str] = []
        self.remedy: LocalizedMessage | None = None
        self.otherwise: LocalizedMessage | None = None  # what the file is if no record can be read
        self.columns: dict[str, str] = {}  # lower case to the name in the table: DuckDB ignores the case of names
        self.batches: dict[tuple[str, ...], _Batch] = {}
        self.bad: list[tuple[int, str, str, str]] = []
        self.first_bad: tuple[int, LocalizedMessage] | None = None
        self.waiting = 0
        self.row_count = 0
        columns = ", ".join(f"{name} {kind}" for name, kind in DETAILS.items())
        warehouse.execute(f"create or replace temp table {STAGED.removeprefix('temp.')} ({columns})")

    def add_columns(self, names: Iterable[str]) -> None:
        for name in names:
            if name.lower() in self.columns:
                continue
            if len(self.columns) == MAXIMUM_COLUMNS or name.lower() in DETAILS:
                raise DeliveryError(
                    QuarantineReason.BAD_HEADER,
                    LocalizedMessage("too_many_columns", most=MAXIMUM_COLUMNS, column=repr(name)),
                )
            self.columns[name.lower()] = name
            self.warehouse.execute(f"alter table {STAGED} add column {quote_identifier(name)} VARCHAR")

    def add(self, line: int, names: tuple[str, ...], fields: Sequence[str | None], text: str) -> None:
        """Adds a readable record, with its values in the order of `names`."""
        batch = self.batches.get(names)
        if batch is None:
            batch = self.batches[names] = _Batch()
        batch.lines.append(line)
        batch.fields.append(fields)
        batch.texts.append(text)
        self._count()

    def add_bad(self, line: int, reason: QuarantineReason, detail: LocalizedMessage, text: str) -> None:
        """Adds a record that goes to quarantine as it is."""
        self.first_bad = self.first_bad or (line, detail)
        self.bad.append((line, reason.value, _escape(detail), _escape(text)))
        self._count()

    def finish(self) -> tuple[DeliveryRows, int]:
        """The staged rows and their number. Columns are empty only if there are no rows.

        Raises:
            DeliveryError: no record is readable.
        """
        self._flush()
        if self.row_count and not self.columns:
            line, problem = self.first_bad or (1, self.not_of_encoding)
            message = self.otherwise or LocalizedMessage("no_record", line=str(line), problem=problem)
            raise DeliveryError(QuarantineReason.UNREADABLE, message)
        columns = dict.fromkeys(self.columns.values(), "VARCHAR")
        rows = DeliveryRows(
            STAGED,
            "row_",
            columns,
            "problem_",
            "detail_",
            "record_",
            notes=tuple(self.notes),
            remedy=self.remedy,
            is_text=True,
        )
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
            names = ", ".join(quote_identifier(name) for name in chunk.column_names)
            self.warehouse.connection.register("funnelscope_chunk", chunk)
            self.warehouse.execute(f"insert into {STAGED} ({names}) select {names} from funnelscope_chunk")
            self.warehouse.connection.unregister("funnelscope_chunk")
        self.batches, self.bad, self.waiting = {}, [], 0

    def _table(self, names: tuple[str, ...], batch: _Batch) -> pa.Table | None:
        """The batch as a table. Records that cannot be stored go to the bad ones instead."""
        reason, detail = QuarantineReason.BAD_ENCODING, self.not_of_encoding
        if len({name.lower() for name in names}) < len(names):
            reason, detail = QuarantineReason.BAD_RECORD, _build_problem("keys_differ_in_case")
        elif all(_is_clean(name) for name in names):
            try:
                return self._clean_table(names, batch)
            except UnicodeEncodeError:
                batch = self._without_unreadable(batch, detail)
                return self._clean_table(names, batch) if batch.lines else None
        for line, text in zip(batch.lines, batch.texts, strict=True):
            self.bad.append((line, reason.value, detail, _escape(text)))
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
                self.bad.append((line, QuarantineReason.BAD_ENCODING.value, detail, _escape(text)))
        return kept


def _is_clean(text: str) -> bool:
    """Whether a text can be encoded as UTF-8, that is, holds no lone surrogate."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _escape(text: str) -> str:
    r"""The text with undecodable bytes written as \xd6."""
    shown = re.sub("[\udc00-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return shown.encode("utf-8", "backslashreplace").decode()
