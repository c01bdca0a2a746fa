"""Records of text files and workbooks on their way to SQL: names of columns, fields of a row, and the staging table.

Every bad record keeps its line, and all values stay text: SQL casts them by the same rules as those of a Parquet file.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from funnelscope.events.schema import BLANKS, FAMILIES, REQUIRED
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier

CHUNK_RECORDS = 50_000
CHUNK_CHARACTERS = 32_000_000
MAXIMUM_COLUMNS = 1_000
SHOWN_CHARACTERS = 200_000  # of a record that is refused; csv's limit of a field is less
STAGED = "temp.staged_records"
DETAILS = {"row_": "BIGINT", "problem_": "VARCHAR", "detail_": "VARCHAR", "record_": "VARCHAR"}
HEADER_SOUGHT_IN_LINES = 30
UNNAMED = re.compile(r"column_\d+")

# Cached, because thousands of rows may have the same fault and building a message is slow.
PROBLEMS_NOTED = 100
build_problem = lru_cache(maxsize=1_000)(LocalizedMessage)


# -- columns


def name_columns(header: Sequence[str], source: Source) -> list[str]:
    """The names of a header, without surrounding blanks.

    A column without a name is named by its position, and so is a repeated one that is not read.

    Raises:
        DeliveryError: a column that is read is there twice, or there are too many.
    """
    if len(header) > MAXIMUM_COLUMNS:
        message = LocalizedMessage("too_many_columns", most=MAXIMUM_COLUMNS, column=repr(header[MAXIMUM_COLUMNS]))
        raise DeliveryError(QuarantineReason.BAD_HEADER, message)
    named: list[str] = []
    for position, name in enumerate((name.strip(BLANKS) for name in header), start=1):
        is_repeated = name.lower() in (earlier.lower() for earlier in named)
        if is_repeated and is_read(name, source):
            found = ", ".join(name.strip() for name in header)
            message = LocalizedMessage("column_twice_in_header", column=repr(name), found=found)
            raise DeliveryError(QuarantineReason.BAD_HEADER, message)
        named.append(f"column_{position}" if is_repeated or not name else name)
    return named


def has_wanted_columns(header: Iterable[str], source: Source) -> bool:
    """Whether the names have every column that a file of the source must have."""
    names = {name.strip(BLANKS).lower() for name in header}
    # Which of the two exports that are joined has a column, nobody says: only the key is known to be in both.
    wanted = [name.lower() for name in source.join.on] if source.join else _list_wanted_columns(source)
    return all(not names.isdisjoint(_list_beginnings(name)) for name in wanted)


def count_wanted_columns(names: Iterable[str], source: Source) -> int:
    """How many of the columns that a file of the source must have are among the names, or fields below them."""
    known = {name.lower() for name in names}
    wanted = {*_list_wanted_columns(source), *([source.lines.lower()] if source.lines else [])}
    return sum(not known.isdisjoint(_list_beginnings(name)) for name in wanted)


def _list_beginnings(name: str) -> list[str]:
    """The columns that may hold what a name means: `a.b.c`, and the fields `b.c` of `a.b` and `a`."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _list_wanted_columns(source: Source) -> list[str]:
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
    wanted = [part for each in _list_wanted_columns(source) for part in _list_beginnings(each)]
    return name.lower() in (*wanted, *contracted, *_list_beginnings(source.lines.lower())) or name.lower() in in_sql


def fit_fields(fields: list[str], header: Sequence[str]) -> list[str]:
    """The fields, one per column. Empty if the number differs, apart from empty or unnamed fields at the end."""
    surplus = len(fields) - len(header)
    if surplus > 0 and not any(fields[len(header) :]):
        return fields[: len(header)]
    if surplus < 0 and all(UNNAMED.fullmatch(name) for name in header[surplus:]):
        return fields + [""] * -surplus
    return fields if surplus == 0 else []


# -- staging


@dataclass
class Batch:
    """Records with the same keys, one entry each in every list."""

    lines: list[int] = field(default_factory=list)
    fields: list[Sequence[str | None]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class RecordStage:
    """Collects records and passes them to DuckDB in chunks, so that memory does not grow with the file."""

    def __init__(self, warehouse: Warehouse, not_of_encoding: LocalizedMessage) -> None:
        self.warehouse = warehouse
        self.not_of_encoding = not_of_encoding
        self.notes: list[str] = []
        self.remedy: LocalizedMessage | None = None
        self.otherwise: LocalizedMessage | None = None  # what the file is if no record can be read
        self.columns: dict[str, str] = {}  # lower case to the name in the table: DuckDB ignores the case of names
        self.batches: dict[tuple[str, ...], Batch] = {}
        self.bad: list[tuple[int, str, str, str]] = []
        self.problems: dict[str, LocalizedMessage] = {}  # the first ones, by the detail that is stored
        self.first_bad: tuple[int, LocalizedMessage] | None = None
        self.waiting = self.waiting_characters = 0
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
            batch = self.batches[names] = Batch()
        batch.lines.append(line)
        batch.fields.append(fields)
        batch.texts.append(text[:SHOWN_CHARACTERS])
        self._count(text)

    def add_table(self, first_line: int, names: Sequence[str], table: pa.Table, texts: list[str]) -> None:
        """Adds readable records, each on a line of its own, with their values in the columns of `names`."""
        self.row_count += len(table)
        numbers = pa.array(range(first_line, first_line + len(table)), pa.int64())
        values = {self.columns[name.lower()]: column for name, column in zip(names, table.columns, strict=True)}
        self._insert(pa.table({"row_": numbers, "record_": pa.array(texts, pa.string())} | values))

    def add_bad(self, line: int, reason: QuarantineReason, detail: LocalizedMessage, text: str) -> None:
        """Adds a record that goes to quarantine as it is."""
        self.first_bad = self.first_bad or (line, detail)
        self._note_problem(detail)
        self.bad.append((line, reason.value, escape(detail), escape(text[:SHOWN_CHARACTERS])))
        self._count(text)

    def _note_problem(self, detail: LocalizedMessage) -> None:
        if len(self.problems) < PROBLEMS_NOTED:
            self.problems.setdefault(escape(detail), detail)

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
            problems=self.problems,
            remedy=self.remedy,
            is_text=True,
        )
        return rows, self.row_count

    def _count(self, text: str) -> None:
        self.row_count += 1
        self.waiting += 1
        self.waiting_characters += len(text)
        if self.waiting == CHUNK_RECORDS or self.waiting_characters > CHUNK_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        tables = [table for names, batch in self.batches.items() if (table := self._table(names, batch)) is not None]
        if self.bad:
            columns = [pa.array(column) for column in zip(*self.bad, strict=True)]
            tables.append(pa.table(columns, names=list(DETAILS)))
        if tables:
            self._insert(pa.concat_tables(tables, promote_options="default"))
        self.batches, self.bad, self.waiting, self.waiting_characters = {}, [], 0, 0

    def _insert(self, chunk: pa.Table) -> None:
        names = ", ".join(quote_identifier(name) for name in chunk.column_names)
        self.warehouse.connection.register("funnelscope_chunk", chunk)
        self.warehouse.execute(f"insert into {STAGED} ({names}) select {names} from funnelscope_chunk")
        self.warehouse.connection.unregister("funnelscope_chunk")

    def _table(self, names: tuple[str, ...], batch: Batch) -> pa.Table | None:
        """The batch as a table. Records that cannot be stored go to the bad ones instead."""
        reason, detail = QuarantineReason.BAD_ENCODING, self.not_of_encoding
        if len({name.lower() for name in names}) < len(names):
            reason, detail = QuarantineReason.BAD_RECORD, build_problem("keys_differ_in_case")
        elif all(is_clean(name) for name in names):
            try:
                return self._clean_table(names, batch)
            except UnicodeEncodeError:
                batch = self._without_unreadable(batch, detail)
                return self._clean_table(names, batch) if batch.lines else None
        self._note_problem(detail)
        for line, text in zip(batch.lines, batch.texts, strict=True):
            self.bad.append((line, reason.value, detail, escape(text)))
        return None

    def _clean_table(self, names: tuple[str, ...], batch: Batch) -> pa.Table:
        named = [name or "column_1" for name in names]
        data = {"row_": pa.array(batch.lines, pa.int64()), "record_": pa.array(batch.texts, pa.string())}
        columns = [pa.array(values, pa.string()) for values in zip(*batch.fields, strict=True)]
        self.add_columns(named)
        return pa.table(
            data | {self.columns[name.lower()]: values for name, values in zip(named, columns, strict=True)}
        )

    def _without_unreadable(self, batch: Batch, detail: str) -> Batch:
        kept = Batch()
        for line, fields, text in zip(batch.lines, batch.fields, batch.texts, strict=True):
            if is_clean(text) and all(is_clean(value) for value in fields if value is not None):
                kept.lines.append(line)
                kept.fields.append(fields)
                kept.texts.append(text)
            else:
                self.bad.append((line, QuarantineReason.BAD_ENCODING.value, detail, escape(text)))
        return kept


def is_clean(text: str) -> bool:
    """Whether a text can be encoded as UTF-8, that is, holds no lone surrogate."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def escape(text: str) -> str:
    r"""The text with undecodable bytes written as \xd6."""
    shown = re.sub("[\udc00-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return shown.encode("utf-8", "backslashreplace").decode()
