"""CSV and JSON, decoded and split in Python so that every bad record keeps its line, then staged for SQL.

Python is used because DuckDB decodes no GBK without a download, has no line numbers and drops bad JSON silently. All
values stay text; SQL casts them by the same rules as those of a Parquet file.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from operator import and_
from pathlib import Path
from typing import Any

import pyarrow as pa

from funnelscope.events.schema import BLANKS
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers import encoding_detection
from funnelscope.ingest.readers.json_documents import DECODER, TOP, JsonError, JsonList, find_lists, read_records
from funnelscope.ingest.readers.plain_csv import split_plain_lines
from funnelscope.ingest.readers.record_stage import (
    CHUNK_CHARACTERS,
    HEADER_SOUGHT_IN_LINES,
    MAXIMUM_COLUMNS,
    SHOWN_CHARACTERS,
    RecordStage,
    build_problem,
    count_wanted_columns,
    fit_fields,
    has_wanted_columns,
    is_clean,
    is_read,
    name_columns,
)
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Format, Source
from funnelscope.settings.patterns import Pattern, PatternTooSlowError
from funnelscope.warehouse.connection import Warehouse

UNREADABLE_BYTES = "funnelscope.unreadable"
OTHER_DELIMITERS = ",;\t|，"
LINES_AT_ONCE = 10_000
LONGEST_LINE = 16 * 2**20  # in characters; what is longer is a bad record, of which the beginning is kept
# Compressed text that expands more is no export: not once in a hundred does one reach a tenth of it.
LARGEST_EXPANSION, EXPANDED_IN_ANY_CASE = 200, 128 * 2**20
LINE_COUNTS_FOR = 16  # characters more, so that blank lines come to an end
LINES_LOOKED_AT = 1_000
PARTS_SPLIT_IN_VAIN = 3  # then the rest of the file is read record by record


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
        stage = RecordStage(warehouse, _describe_wrong_encoding(start, source))
        if encoding != _get_declared_encoding(source):
            stage.notes.append(LocalizedMessage("read_by_mark", encoding=encoding.removesuffix("-sig")))
        open_again = partial(open_text, path, compression, encoding)
        if file_format is Format.CSV:
            with open_again() as text:
                _stage_csv(stage, _read_lines(text), source, ".tsv" in path.suffixes)
        else:
            _stage_json(stage, open_again, source)
    except PatternTooSlowError as error:
        raise DeliveryError(
            QuarantineReason.UNREADABLE, LocalizedMessage("pattern_too_slow", pattern=str(error)), ("skip_lines",)
        ) from None
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


@contextmanager
def open_text(path: Path, compression: str, encoding: str) -> Iterator["BoundedText"]:
    """The text of a file, from its beginning."""
    with _open_decompressed(path, compression) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors=UNREADABLE_BYTES, newline="")
        most = max(path.stat().st_size * LARGEST_EXPANSION, EXPANDED_IN_ANY_CASE) if compression else 0
        yield BoundedText(text, most)


OpenText = Callable[[], AbstractContextManager["BoundedText"]]
"""Opens a text at its beginning."""


class BoundedText:
    """A text that is read piece by piece.

    Raises DeliveryError once it holds more than `most_characters`, which are 0 for what is not compressed.
    """

    def __init__(self, text: io.TextIOWrapper, most_characters: int) -> None:
        self.text = text
        self.most_characters = most_characters
        self.count = 0

    def read(self, size: int = -1) -> str:
        """The next characters; empty at the end."""
        return self._count(self.text.read(size))

    def read_line(self) -> str:
        """The next line, or as much of it as is read at once; empty at the end."""
        line = self.text.readline(LONGEST_LINE)
        self.count += LINE_COUNTS_FOR if line else 0
        return self._count(line)

    def _count(self, part: str) -> str:
        self.count += len(part)
        if 0 < self.most_characters < self.count:
            message = LocalizedMessage("expands_too_far", megabytes=f"{self.most_characters >> 20:,}")
            raise DeliveryError(QuarantineReason.UNREADABLE, message)
        return part


class CutLine(str):
    """The beginning of a line that is longer than LONGEST_LINE; still too long for a field of CSV."""


def _read_lines(text: BoundedText) -> Iterator[str]:
    """The lines of a text, in bounded memory."""
    while line := text.read_line():
        if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            rest, line = line, CutLine(line[:SHOWN_CHARACTERS])
            while rest and not rest.endswith(("\n", "\r")):
                rest = text.read_line()
        yield line


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

    def take_many(self, count: int) -> list[str]:
        """The next lines, where none has been given back: not counted before they are used."""
        taken: list[str] = []
        characters = 0
        while not self.given_back and len(taken) < count and characters < CHUNK_CHARACTERS:
            line = next(self.text, "")
            if not line:
                break
            taken.append(line)
            characters += len(line)
        return taken

    def give_back(self) -> None:
        """Undoes the reading of all kept lines."""
        self.given_back.extendleft(reversed(self.kept))
        self.number -= len(self.kept)
        self.kept.clear()


def _stage_csv(stage: RecordStage, text: Iterable[str], source: Source, is_tabbed: bool) -> None:
    lines = _Lines(text)
    delimiter = source.delimiter or ("\t" if is_tabbed else ",")
    # Columns that are lined up by blanks have several between two values.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " ", strict=True)
    skipped = Pattern(source.skip_lines) if source.skip_lines else None
    header = source.names or _read_header(reader, lines, stage, source)
    if not header:
        return
    stage.add_columns(header)
    skipped_count = 0
    is_named_once = len({name.lower() for name in header}) == len(header)
    may_be_plain = is_named_once and not skipped and delimiter.isascii() and delimiter not in ' "'
    parts_in_vain = 0 if may_be_plain else PARTS_SPLIT_IN_VAIN
    while True:
        if parts_in_vain < PARTS_SPLIT_IN_VAIN:
            parts_in_vain += not _stage_plain_lines(stage, lines, header, delimiter)
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
                problem = build_problem("open_quote") if spans_lines else build_problem("not_csv", error=str(error))
                if isinstance(record, CutLine):
                    problem = _describe_long_line()
                stage.add_bad(first_line, QuarantineReason.BAD_RECORD, problem, record)
            continue
        if isinstance(lines.kept[0], CutLine):
            record = lines.take_first()
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, _describe_long_line(), record)
            continue
        record = lines.take()
        if not any(fields):
            continue  # a blank line, or only delimiters, as spreadsheets leave them below a table
        if skipped and skipped.search(record):
            skipped_count += 1
        elif first_line <= lines.last_given_back and record.count('"') % 2:
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, build_problem("lone_quote"), record)
        elif "\0" in record:
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, build_problem("zero_bytes"), record)
        elif fields[0].strip(BLANKS) == header[0] and [name.strip(BLANKS) for name in fields] == list(header):
            stage.add_bad(first_line, QuarantineReason.BAD_RECORD, build_problem("header_again"), record)
        elif fitted := fit_fields(fields, header):
            stage.add(first_line, header, fitted, record)
        else:
            problem = build_problem("field_count", fields=str(len(fields)), columns=str(len(header)))
            stage.add_bad(first_line, QuarantineReason.WRONG_FIELD_COUNT, problem, record)
    if skipped_count:
        stage.notes.append(LocalizedMessage("left_out_by_skip_lines", count=skipped_count))


def _describe_long_line() -> LocalizedMessage:
    return build_problem("line_too_long", megabytes=str(LONGEST_LINE >> 20))


def _stage_plain_lines(stage: RecordStage, lines: _Lines, header: tuple[str, ...], delimiter: str) -> bool:
    """Stages what comes next as long as every line is a record. False if a part of it was not so, and is given back."""
    while part := lines.take_many(LINES_AT_ONCE):
        table = split_plain_lines(part, header, delimiter)
        if table is None:
            lines.given_back.extend(part)
            return False
        stage.add_table(lines.number + 1, header, table, part)
        lines.number += len(part)
    return True


def _read_header(reader: Any, lines: _Lines, stage: RecordStage, source: Source) -> tuple[str, ...]:
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
    if not is_clean(line):
        raise DeliveryError(QuarantineReason.BAD_ENCODING, stage.not_of_encoding)
    if "\0" in line:
        message = LocalizedMessage("no_header", line=str(lines.number), problem=LocalizedMessage("zero_bytes"))
        raise DeliveryError(QuarantineReason.BAD_HEADER, message)
    named = name_columns(header, source)
    stage.remedy = _find_header_elsewhere(lines, named, reader.dialect, source)
    return tuple(named)


def _find_header_elsewhere(lines: _Lines, header: list[str], dialect: Any, source: Source) -> LocalizedMessage | None:
    """The likely place of the header, if the line taken for it lacks columns that the source reads.

    It may be another line, or use another delimiter.
    """
    if has_wanted_columns(header, source):
        return None
    first = lines.number + 1
    ahead = [line for _, line in zip(range(HEADER_SOUGHT_IN_LINES), lines, strict=False)]
    lines.give_back()
    candidates = [(0, dialect.delimiter.join(header)), *enumerate(ahead, start=first)]
    for delimiter in dict.fromkeys(dialect.delimiter + OTHER_DELIMITERS):
        written = delimiter.replace("\t", r"\t")
        for number, line in candidates:
            if has_wanted_columns((name.strip(BLANKS + '"') for name in line.split(delimiter)), source):
                if not number:
                    return LocalizedMessage("other_delimiter", delimiter=written)
                if delimiter == dialect.delimiter:
                    return LocalizedMessage("header_on_line", line=str(number))
                return LocalizedMessage("header_on_line_and_delimiter", line=str(number), delimiter=written)
    return None


# -- JSON

# One for all values: to make it takes as long as to write one. What was just parsed holds no circle.
_WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, check_circular=False)


def _stage_json(stage: RecordStage, open_again: OpenText, source: Source) -> None:
    """Stages JSON lines, by the numbers of the lines, or the records of a list, which are counted from 1."""
    wanted = _find_record_list(open_again, source)
    with open_again() as text:
        if not wanted:
            _stage_json_lines(stage, _read_lines(text))
            return
        for number, record in enumerate(read_records(text, wanted, LONGEST_LINE), start=1):
            if record.problem:
                problem = build_problem("not_json", error=record.problem)
                stage.add_bad(number, QuarantineReason.BAD_RECORD, problem, record.text)
            else:
                _stage_value(stage, number, record.value, record.text)


def _find_record_list(open_again: OpenText, source: Source) -> str:
    """The name of the list that holds the records; empty for JSON lines.

    Raises:
        DeliveryError: the text is no JSON, lacks the declared list, or has several that may be meant.
    """
    with open_again() as text:
        first = next((line for line in _read_lines(text) if not line.isspace()), "")
    if not source.records and (not first.lstrip().startswith(("{", "[")) or _is_record(first, source)):
        return ""
    try:
        with open_again() as text:
            found = find_lists(text, LONGEST_LINE)
    except JsonError as error:
        if not source.records and _has_objects_on_lines(open_again):
            return ""  # of which the first is damaged
        message = LocalizedMessage("json_is_damaged", line=str(error.line), error=str(error))
        raise DeliveryError(QuarantineReason.UNREADABLE, message) from None
    likely = [source.records] if source.records else _select_likely_lists(found, source)
    lists = ", ".join(sorted(found))
    if len(likely) > 1:
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("several_lists", lists=", ".join(likely)))
    if likely[0] not in found:
        message = LocalizedMessage("no_such_list", list=source.records, lists=lists)
        raise DeliveryError(QuarantineReason.UNREADABLE, message, ("records",))
    return likely[0]


def _has_objects_on_lines(open_again: OpenText) -> bool:
    """Whether two lines that follow each other are objects: between those of a list there is a comma."""
    with open_again() as text:
        filled = (line for line in _read_lines(text) if not line.isspace())
        are_objects = [_parse_object(line) is not None for line in islice(filled, LINES_LOOKED_AT)]
    return any(map(and_, are_objects, are_objects[1:]))


def _parse_object(line: str) -> dict[str, Any] | None:
    try:
        value = DECODER.decode(line.strip())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_record(line: str, source: Source) -> bool:
    """Whether a line is an object that may itself be meant, and not only a list that it holds."""
    if _parse_object(line) is None:
        return False
    return TOP in _select_likely_lists(find_lists(io.StringIO(line), LONGEST_LINE), source)


def _select_likely_lists(found: Mapping[str, JsonList], source: Source) -> list[str]:
    """The lists whose records have most of the columns that the source reads."""
    counts = {name: count_wanted_columns(each.names, source) for name, each in found.items()}
    if not any(counts.values()):  # all is said in SQL
        counts = {name: sum(is_read(column, source) for column in each.names) for name, each in found.items()}
        counts = {TOP: counts[TOP]} if counts[TOP] else counts
    if most := max(counts.values()):
        return [name for name, count in counts.items() if count == most]
    empty = [name for name, each in found.items() if not each.count]
    return empty if len(empty) == 1 and found[TOP].names == {*empty} else [TOP]


def _stage_json_lines(stage: RecordStage, text: Iterable[str]) -> None:
    for line_number, line in enumerate(text, start=1):
        if isinstance(line, CutLine):
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, _describe_long_line(), line)
            continue
        if line.isspace():
            continue
        if stage.row_count == 0 and "," in line and "{" not in line:
            stage.otherwise = LocalizedMessage("no_json")
        try:
            value = DECODER.decode(line.strip())
        except (ValueError, RecursionError) as error:
            problem = build_problem("zero_bytes") if "\0" in line else build_problem("not_json", error=str(error))
            stage.add_bad(line_number, QuarantineReason.BAD_RECORD, problem, line)
            continue
        _stage_value(stage, line_number, value, line)


def _stage_value(stage: RecordStage, number: int, value: Any, text: str) -> None:
    if "\0" in text or "\\u0000" in text:
        stage.add_bad(number, QuarantineReason.BAD_RECORD, build_problem("zero_bytes"), text)
    elif value == {}:
        stage.add_bad(number, QuarantineReason.BAD_RECORD, build_problem("no_key"), text)
    elif isinstance(value, dict) and len(value) > MAXIMUM_COLUMNS:
        problem = build_problem("too_many_keys", keys=f"{len(value):,}", most=f"{MAXIMUM_COLUMNS:,}")
        stage.add_bad(number, QuarantineReason.BAD_RECORD, problem, text)
    elif isinstance(value, dict):
        stage.add(number, tuple(value), _format_values(value), text)
    else:
        stage.add_bad(number, QuarantineReason.BAD_RECORD, build_problem("no_object"), text)


def _format_values(value: dict[str, object]) -> list[str | None]:
    return [inner if inner is None or isinstance(inner, str) else _format_value(inner) for inner in value.values()]


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _WRITER.encode(value)
