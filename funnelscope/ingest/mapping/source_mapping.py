"""The SQL that maps the columns of a delivery to those of the event schema and finds the faults of each row.

Rows pass through four selects: `computed` (the shop's columns and expressions), `delivered` (each mapped value as
`given_<column>`), `trimmed` (text as `text_<column>`, without the characters that exports put around it), `typed` (adds
the columns of the schema; a failed cast is NULL). A final select inserts the good rows, or, in a second pass that only
files with bad rows need, the bad ones.
"""

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

import duckdb

from funnelscope.events.schema import FAMILIES, REQUIRED, Column, Family, Kind
from funnelscope.ingest.identity import build_identifier_hash_sql
from funnelscope.ingest.ledger_tables import list_raw_columns
from funnelscope.ingest.line_numbers import build_record_number_sql, describe_row_number
from funnelscope.ingest.mapping import empty_texts, time_formats, value_casts
from funnelscope.ingest.mapping.field_names import prepare_expression, reads_line
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.secrets import hide_secrets
from funnelscope.messages.wording import Words, load_words
from funnelscope.settings import EPOCH_UNITS, KeyPath, Settings, Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier, quote_literal

# An event may be dated one day after its delivery: exports cut at midnight UTC hold hours of the shop's next day.
DAYS_AHEAD = 1

# In bytes. Longer ids indicate damage: an unclosed quote or a missing delimiter.
LONGEST_IDENTIFIER = 1_000
LONGEST_TEXT = 10_000
ROUNDED_ID = r"\d(\.\d+)?[Ee]\+\d+"  # a long number as spreadsheets shorten it: 1.23457E+17
LARGEST_EXACT_INTEGER = 2**53  # up to here a DOUBLE represents every integer

OFFSET_PATTERN = r":\d\d([.,]\d+)? ?(Z|z|UTC|GMT|[+-]\d\d(:?\d\d)?)$"
# DuckDB silently ignores what follows the time, such as PM or the name of a zone.
LOCAL_PATTERN = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]+\d{1,2}:\d{2}(:\d{2}([.,]\d*)?)?)?"
FIRST_CREDIBLE_DATE = "DATE '2000-01-01'"  # earlier ones, such as 1970, come from a clock or a number that was not set
UNREAD_TIMES_SHOWN = 1_000
DELIVERY_DATE = "delivery_date"
NOTHING = '"NULL"'  # DuckDB's type of a column of Parquet that is empty in every row
# Of each row, where the files of several deliveries are read as one relation: its delivery, the day of that, and the
# first instant that is too late for it.
PLACES = ("delivery_id_", "dt_", "end_")


class DeliveryError(Exception):
    """A delivery that cannot be read as a whole.

    Attributes:
        reason: the code for the quarantine.
        localized_message: the explanation for people.
        place: the key below the source that declares what fails, if one does.
    """

    def __init__(self, reason: QuarantineReason, message: LocalizedMessage, place: KeyPath = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.localized_message = message
        self.place = place


@dataclass(frozen=True)
class DeliveryRows:
    """The rows of a delivery in DuckDB: a relation, the SQL of its row number, its columns and types."""

    relation: str
    row_number: str
    columns: dict[str, str]
    problem: str = "NULL::VARCHAR"  # SQL of a reason found while reading; NULL for a readable record
    problem_detail: str = "NULL::VARCHAR"
    content: str = "NULL::VARCHAR"  # SQL of the original text; where NULL, the columns as JSON are used
    problems: Mapping[str, LocalizedMessage] = field(default_factory=dict)  # details as stored, by which they are told
    notes: tuple[str, ...] = ()  # remarks for people on how the file was read
    warnings: tuple[LocalizedMessage, ...] = ()  # the same, of what is probably wrong
    remedy: LocalizedMessage | None = None  # what to do if a column is missing
    is_text: bool = False  # read as text, line by line
    has_failing: bool = False  # has a column `failing_`, see `failing_rows`
    fields: dict[str, str] = field(default_factory=dict)  # columns that are read beside the delivered ones, with types
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)  # dotted names that no row has, to those beside
    lines: str = ""  # column of the element of a list that each row is
    line: str = "NULL::BIGINT"  # SQL of the number of the line in its record, from 1; NULL without lines

    @property
    def readable(self) -> dict[str, str]:
        """All columns and fields, with their types."""
        return self.columns | self.fields

    def describe_absent(self, name: str) -> str:
        """A dotted name that no row has, with the nearest that some have."""
        return name + _suggest_column(name, list(self.absent[name]))

    def list_place(self, damages: Sequence[tuple[str, str]] = ()) -> list[str]:
        """SQL of the columns that stage a row's place, with further reasons for which records are bad, and details."""
        problem, detail = self.problem, self.problem_detail
        if damages:
            bad = " or ".join(f"coalesce({condition}, false)" for condition, _ in damages)
            cases = " ".join(f"when {condition} then {text}" for condition, text in damages)
            reason = quote_literal(QuarantineReason.BAD_RECORD)
            detail = f"case when {problem} is not null then {detail} {cases} end"
            problem = f"case when {problem} is not null then {problem} when {bad} then {reason} end"
        return [
            f"{self.row_number} as row_number_",
            f"{problem} as problem_",
            f"{detail} as detail_",
            f"{self.content} as content_",
            f"{self.line} as line_",
        ]

    def place_in(self, relation: str) -> "DeliveryRows":
        """The same rows in a relation that has the columns of `list_place`."""
        return replace(
            self,
            relation=relation,
            row_number="row_number_",
            problem="problem_",
            problem_detail="detail_",
            content="content_",
            line="line_",
        )

    has_places: bool = False  # of several deliveries: has the columns PLACES

    def build_content_sql(self) -> str:
        """SQL of the row as it was delivered."""
        columns = ", ".join(f"{quote_identifier(name)} := {quote_identifier(name)}" for name in self.columns)
        as_json = f"to_json(struct_pack({columns}))::VARCHAR" if columns else "NULL"
        return f"coalesce({self.content}, {as_json})"

    def build_content_key_sql(self) -> str:
        """All delivered values as one text that depends neither on the order of columns nor on empty ones.

        Of the lines of one record, each has its own. The record's part of it is computed beforehand, as `record_key_`.
        """
        if self.lines:
            own = f"{quote_identifier(self.lines)}::VARCHAR"
            return f"concat_ws(chr(31), record_key_, coalesce({self.line}, 0), {own})"
        names = sorted(self.columns, key=str.lower)
        pairs = (f"{quote_literal(name + '=')} || nullif({quote_identifier(name)}::VARCHAR, '')" for name in names)
        return f"concat_ws(chr(31), {', '.join(pairs)})" if names else "''"

    def list_computed_columns(self, expressions: Iterable[str], source: Source) -> list[str]:
        """SQL of the columns that the expressions may name, and of those that guard them."""
        if not expressions:
            return []
        is_own = DELIVERY_DATE in map(str.lower, self.columns)
        columns = self.readable if is_own else {**self.readable, DELIVERY_DATE: "DATE"}
        marks = ["failing_"] if self.has_failing else []
        return [*empty_texts.list_computed_columns(columns, expressions, source.empty_values), *marks]

    def build_guarded_sql(self, name: str, expression: str) -> str:
        """NULL if the expression fails on the row; a struct holding NULL if it returns NULL."""
        guarded = f"try(struct_pack(v := ({expression}\n)))"
        if self.has_failing:
            return f"case when not list_contains(failing_, {quote_literal(name)}) then {guarded} end"
        return guarded


@dataclass(frozen=True)
class ShownRow:
    """A row as it came and as it is mapped: column to value, without empty ones."""

    number: int
    delivered: dict[str, str]
    mapped: dict[str, str]

    @property
    def place(self) -> str:
        """The row in its file, for people."""
        return describe_row_number(self.number)


@dataclass(frozen=True)
class RowCheck:
    """One way in which a value can be bad. `condition` is never NULL."""

    column: str
    reason: QuarantineReason
    condition: str
    detail: str


def _is_time(kind: str) -> bool:
    """Whether a value of the type is a time already, however the source says that its times are written."""
    return kind == "DATE" or kind.startswith("TIMESTAMP")


class SourceMapping:
    """Maps the rows of one delivery to rows of its family.

    Raises:
        DeliveryError: the delivery lacks a declared or required column, or an expression does not fit it.
    """

    def __init__(self, warehouse: Warehouse, settings: Settings, source: Source, dt: date, rows: DeliveryRows) -> None:
        self.settings = settings
        self.source = source
        self.family: Family = FAMILIES[source.family]
        self.dt = dt
        self.rows = add_delivery_date(rows, dt)
        self.guarded = list_expressions(source)
        self.plain = self._plain_columns()
        self.mapped = [column for column in self.family.columns if column.name in {*self.plain, *self.guarded}]
        self.types = self._delivered_types(warehouse)
        self.tidy: frozenset[str] = frozenset()
        self._refuse_untimed(warehouse)
        self.tidy = self._find_tidy(warehouse)
        self.lacks_event_ids = self._lacks_event_ids(warehouse)
        self.typed = {column.name: self._typed(column) for column in self.mapped}
        self.checks = [*self._reading_checks(), *self._value_checks()]

    def narrow(self, dt: date, rows: DeliveryRows) -> "SourceMapping":
        """The mapping of one of the deliveries whose rows are mapped together, which has the same columns and types."""
        narrowed = copy.copy(self)
        narrowed.dt, narrowed.rows = dt, add_delivery_date(rows, dt)
        narrowed.checks = [*narrowed._reading_checks(), *narrowed._value_checks()]
        return narrowed

    def _plain_columns(self) -> dict[str, str]:
        """Column of the schema to the SQL of a source column or a constant."""
        source = self.source
        delivered = {name.lower(): name for name in self.rows.readable}
        if source.lines in self.rows.absent:
            raise self._missing_column(source.lines, "lines")
        wanted = dict(source.columns)
        if source.event_types and source.event_types.column:
            wanted["event_type"] = source.event_types.column
        if not source.columns:
            taken = {*self.guarded, *source.constants, *wanted}
            wanted |= {c.name: c.name for c in self.family.given_columns if c.name in delivered and c.name not in taken}
        plain = {column: quote_literal(value) for column, value in source.constants.items()}
        if source.event_types and source.event_types.constant:
            plain["event_type"] = quote_literal(source.event_types.constant)
        for column, name in wanted.items():
            if name.lower() in delivered and name not in self.rows.absent:
                plain.setdefault(column, quote_identifier(delivered[name.lower()]))
            else:
                raise self._missing_column(name, column)
        for column in REQUIRED:
            if column not in plain and column not in self.guarded:
                raise self._missing_column(column, column)
        if self.rows.lines and "line" in {column.name for column in self.family.columns}.difference(self.guarded):
            plain.setdefault("line", self.rows.line)
        return plain

    def _missing_column(self, name: str, meant: str) -> DeliveryError:
        """The error for the missing delivered column `name`, which is mapped to the column `meant`."""
        found = list(self.rows.absent.get(name) or self.rows.columns)
        nearest = difflib.get_close_matches(name, found, n=1)
        hints = [LocalizedMessage("did_you_mean", nearest=repr(nearest[0]))] if nearest else []
        hints += [self.rows.remedy] if self.rows.remedy else []
        hints.append(
            LocalizedMessage("found_columns", found=", ".join(found)) if found else LocalizedMessage("found_no_columns")
        )
        message = LocalizedMessage("missing_column", column=repr(name), hints=hints)
        if name != meant:
            message = LocalizedMessage("missing_column_for", column=repr(name), meant=meant, hints=hints)
        place: KeyPath = ("columns", meant) if meant in self.source.columns else ()
        if meant == "lines":
            place = ("lines",)
        if meant == "event_type" and self.source.event_types:
            place = ("event_types", "column")
        return DeliveryError(QuarantineReason.MISSING_COLUMN, message, place)

    def _delivered_types(self, warehouse: Warehouse) -> dict[str, str]:
        """DuckDB's type of each mapped value."""
        try:
            described = warehouse.rows(f"describe {self._with_delivered()} select * from delivered limit 0")
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise self._find_misfit(error) from None
        return {str(name).removeprefix("given_"): str(kind) for name, kind, *_ in described}

    def _find_misfit(self, error: duckdb.Error) -> DeliveryError:
        """The error for the expression that does not fit the columns.

        Each is tried in another database, because the error has aborted the warehouse's transaction.
        """
        is_own = DELIVERY_DATE in map(str.lower, self.rows.columns)
        columns = self.rows.readable if is_own else {**self.rows.readable, DELIVERY_DATE: "DATE"}
        with duckdb.connect() as scratch:
            scratch.execute(
                f"create table rows ({', '.join(f'{quote_identifier(n)} {k}' for n, k in columns.items())})"
            )
            for name, expression in self.guarded.items():
                try:
                    scratch.execute(f"describe select ({expression}\n) from rows")
                except duckdb.Error as own_error:
                    fault = {"error": str(own_error).splitlines()[0], "found": ", ".join(self.rows.columns)}
                    message = LocalizedMessage("expression_does_not_fit", column=name, **fault)
                    place = find_expression_key(self.source, name)
                    return DeliveryError(QuarantineReason.FAILED_EXPRESSION, message, place)
        raise error

    def _refuse_untimed(self, warehouse: Warehouse) -> None:
        """Raises DeliveryError if event_time is of a type from which no time follows, such as a number."""
        kind = self.types["event_time"]
        if self.source.time_format in EPOCH_UNITS or kind in ("VARCHAR", NOTHING) or _is_time(kind):
            return
        text = self._text("event_time")
        query = f"{self._with_trimmed_only(['event_time'])} select {text} from trimmed where {text} is not null limit "
        written = [value for (value,) in warehouse.rows(query + str(UNREAD_TIMES_SHOWN))]
        likely = next((form for form in time_formats.find_likely_formats(written) if form in EPOCH_UNITS), None)
        message = LocalizedMessage("no_type_of_time", column="event_time", type=kind, formats=", ".join(EPOCH_UNITS))
        if likely:
            message = LocalizedMessage(
                "number_of_time", column="event_time", type=kind, form=likely, example=written[0]
            )
        raise DeliveryError(QuarantineReason.BAD_TIME, message)

    def _find_tidy(self, warehouse: Warehouse) -> frozenset[str]:
        """The columns whose texts are all as they should be: nothing is to be trimmed, emptied or refused.

        One look at them costs less than cleaning and checking each, and leaves dictionaries of Parquet as they are.
        """
        if self.rows.is_text:
            return frozenset()
        delivered = set(map(quote_identifier, self.rows.columns))
        looked_at = [c for c in self.mapped if self.types[c.name] == "VARCHAR" and self.plain.get(c.name) in delivered]
        if not looked_at:
            return frozenset()
        names = [column.name for column in looked_at]
        tidy = ", ".join(f"bool_and({self._build_tidy_sql(column)})" for column in looked_at)
        (found,) = warehouse.rows(f"{self._delivered(self._given(names), [])} select {tidy} from delivered")
        return frozenset(name for name, is_tidy in zip(names, found, strict=True) if is_tidy is not False)

    def _build_tidy_sql(self, column: Column) -> str:
        given, is_id = f"given_{column.name}", column.kind is Kind.IDENTIFIER
        longest = LONGEST_IDENTIFIER if is_id else LONGEST_TEXT
        bare = value_casts.build_is_bare_sql(given, self.source.empty_values, is_repeated=column.kind is Kind.TEXT)
        rounded = f" and not contains({given}, '+')" if is_id else ""
        return f"{bare} and strlen({given}) <= {longest} and not contains({given}, chr(0)){rounded}"

    def _lacks_event_ids(self, warehouse: Warehouse) -> bool:
        """Whether any row lacks an id of its own.

        Most files have them all, and the substitute is expensive to compute.
        """
        if "event_id" not in self.types:
            return True
        trimmed = self._with_trimmed_only(["event_id"])
        return bool(warehouse.rows(f"{trimmed} select 1 from trimmed where {self._text('event_id')} is null limit 1"))

    @property
    def unused_columns(self) -> list[str]:
        """Delivered columns that nothing reads; empty if expressions might read any of them."""
        if self.guarded:
            return []
        used = {name.lower() for name in (quote_identifier(self.source.lines), *self.plain.values())}
        quoted = {name: quote_identifier(name).lower() for name in self.rows.columns}
        # A column is also used if a field in it is: "a" by "a.b".
        unused = [
            name for name, own in quoted.items() if not any(f"{one[:-1]}.".startswith(f"{own[:-1]}.") for one in used)
        ]
        open_columns = [] if self.source.columns else [c.name for c in self.family.columns if c.name not in self.plain]
        return [name + _suggest_column(name, open_columns) for name in unused]

    # -- the selects

    def _with_delivered(self) -> str:
        return self._delivered([*self._accounted(), *self._given(self.plain)], list(self.guarded))

    def _with_trimmed_only(self, names: list[str]) -> str:
        """The selects up to `trimmed` for a few columns.

        Planning all columns takes longer than reading a small file.
        """
        guarded = [name for name in names if name in self.guarded]
        plain = [name for name in names if name not in self.guarded]
        return self._trimmed(self._delivered([f"{self.rows.problem} as problem_", *self._given(plain)], guarded), names)

    def _accounted(self) -> list[str]:
        """The columns that identify a row and hold its content."""
        return [
            f"{self.rows.row_number} as row_number_",
            f"{self.rows.build_content_key_sql()} as content_key_",
            f"{self.rows.line} as line_",
            f"{self.rows.build_content_sql()} as content_",
            f"{self.rows.problem} as problem_",
            f"{self._build_detail_sql()} as problem_detail_",
            *(f"{name} as {name}" for name in PLACES if self.rows.has_places),
        ]

    def _given(self, names: Iterable[str]) -> list[str]:
        return [f"{self.plain[name]} as given_{name}" for name in names]

    def _delivered(self, given: list[str], guarded: list[str]) -> str:
        """The selects up to `delivered`: what is given as it came, and the expressions without empty texts."""
        computed = "".join(
            f", {self.rows.build_guarded_sql(name, self.guarded[name])} as computed_{name}" for name in guarded
        )
        columns = self.rows.list_computed_columns([self.guarded[name] for name in guarded], self.source)
        kept = ", ".join(one.rpartition(" as ")[2] for one in given)
        opened = "".join(f", computed_{column}.v as given_{column}" for column in guarded)
        return f"""
            with
            filled as (select {", ".join([*given, *columns])} from {self.rows.relation}),
            computed as (select {kept}{computed} from filled),
            delivered as (select *{opened} from computed)
        """

    def _with_trimmed(self) -> str:
        return self._trimmed(self._with_delivered(), [column.name for column in self.mapped])

    def _trimmed(self, delivered: str, mapped: list[str]) -> str:
        varchars = [name for name in mapped if self.types[name] == "VARCHAR"]
        tidy = "".join(f", given_{name} as text_{name}" for name in varchars if name in self.tidy)
        names = [name for name in varchars if name not in self.tidy]
        bare = "".join(f", {value_casts.build_stripped_sql(f'given_{name}')} as bare_{name}" for name in names)
        texts = "".join(
            f", {value_casts.build_filled_sql(f'bare_{name}', self.source.empty_values)} as text_{name}"
            for name in names
        )
        return f"""
            {delivered},
            bared as (select *{tidy}{bare} from delivered),
            trimmed as (select *{texts} from bared)
        """

    def _with_typed(self) -> str:
        typed = "".join(f", {value} as {column}" for column, value in self.typed.items())
        return f"{self._with_trimmed()}, typed as (select *{typed} from trimmed)"

    # -- types

    def _text(self, column: str) -> str:
        """The delivered value as text, NULL if it is empty. Integers in a DOUBLE column have no decimals."""
        given, kind = f"given_{column}", self.types[column]
        if kind in ("DOUBLE", "FLOAT"):
            is_whole = f"{given} = trunc({given}) and abs({given}) <= {LARGEST_EXACT_INTEGER}"
            whole = f"when {is_whole} then {given}::BIGINT::VARCHAR"
            return f"case when isnan({given}) then null {whole} else {given}::VARCHAR end"
        return f"text_{column}" if kind == "VARCHAR" else f"{given}::VARCHAR"

    def _typed(self, column: Column) -> str:
        given, text, kind = f"given_{column.name}", self._text(column.name), self.types[column.name]
        meanings = self.source.event_types.values if self.source.event_types else {}
        match column.kind:
            case Kind.TIME:
                return self._time(column.name)
            case Kind.TEXT if column.name == "event_type" and meanings:
                cases = " ".join(
                    f"when {quote_literal(value)} then {quote_literal(meant)}" for value, meant in meanings.items()
                )
                return f"case {text} {cases} end"
            case Kind.TEXT | Kind.IDENTIFIER:
                return text
            case _ if kind == column.sql_type:
                return given
            case Kind.WHOLE_NUMBER:
                number = self._number(column, "DECIMAL(38, 6)")
                return f"case when {number} = trunc({number}) then try_cast({number} as BIGINT) end"
            case Kind.NUMBER | Kind.MONEY:
                return self._number(column, column.sql_type)
        return f"try_cast({text if kind == 'VARCHAR' else given} as {column.sql_type})"

    def _number(self, column: Column, sql_type: str) -> str:
        if self.types[column.name] != "VARCHAR":
            return f"try_cast(given_{column.name} as {sql_type})"
        currency, decimal = self.settings.currency, self.source.decimal
        return value_casts.build_number_sql(
            f"text_{column.name}",
            column.kind,
            sql_type,
            currency=currency,
            decimal=decimal,
            are_rounded_accepted=bool(self.family.key),
        )

    def _time(self, column: str) -> str:
        """UTC, as TIMESTAMP. A time without an offset is read in the source's time zone."""
        given, text, kind = f"given_{column}", self._text(column), self.types[column]
        form = self.source.time_format
        if form in EPOCH_UNITS and not _is_time(kind):
            microseconds = f"try_cast({text} as DECIMAL(38, 6)) * {EPOCH_UNITS[form]}"
            return f"try(make_timestamp(({microseconds})::BIGINT))"  # beyond the year 294,247 it raises an error
        if form and kind == "VARCHAR" and "%z" in form:
            return f"try_strptime({text}, {quote_literal(form)})::TIMESTAMP"
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"{given}::TIMESTAMP"
        local = _build_from_zone_sql(self._local_time_as_written(column), self.zone)
        if kind != "VARCHAR" or form:
            return local
        return (
            f"case when {_build_has_offset_sql(text)} then try_cast({text} as TIMESTAMPTZ)::TIMESTAMP else {local} end"
        )

    def _local_time_as_written(self, column: str) -> str:
        """The source's local time as TIMESTAMP; NULL for times with an offset and for invalid times."""
        given, text, kind = f"given_{column}", self._text(column), self.types[column]
        form = self.source.time_format
        if kind == "TIMESTAMP":
            return given
        if (form in EPOCH_UNITS and not _is_time(kind)) or "%z" in form or kind == "TIMESTAMP WITH TIME ZONE":
            return "NULL::TIMESTAMP"
        if kind.startswith("TIMESTAMP") or kind == "DATE":
            return f"try_cast({given} as TIMESTAMP)"
        if form:
            return f"try_strptime({text}, {quote_literal(form)})"
        is_local = f"regexp_full_match({text}, {quote_literal(LOCAL_PATTERN)})"
        return f"case when {is_local} then try_cast({text} as TIMESTAMP) end"

    @property
    def zone(self) -> str:
        """The time zone of times without an offset."""
        return self.source.timezone or self.settings.timezone

    # -- checks

    def _reading_checks(self) -> list[RowCheck]:
        """Checks for records that could not be read, and for values that the schema does not accept."""
        checks = []
        for column in self.mapped:
            name, typed, kind = column.name, column.name, self.types[column.name]
            shown = f"left(given_{name}::VARCHAR, 200)"
            present = f"{self._text(name)} is not null" if kind == "VARCHAR" else f"given_{name} is not null"
            if name in self.guarded:
                words = self._tell("expression_fails", column=name)
                checks.append(RowCheck(name, QuarantineReason.FAILED_EXPRESSION, f"computed_{name} is null", words))
            if name in REQUIRED:
                checks.append(
                    RowCheck(
                        name, QuarantineReason.MISSING_VALUE, f"not ({present})", self._tell("is_empty", column=name)
                    )
                )
            if name == "event_type":
                words = self._tell("is_no_event_type", shown, family=self.family.name)
                checks.append(RowCheck(name, QuarantineReason.UNKNOWN_EVENT_TYPE, self._build_is_other_sql(), words))
            elif column.kind in (Kind.TEXT, Kind.IDENTIFIER):
                checks += self._text_checks(column) if kind == "VARCHAR" else self._other_type_checks(column)
            elif kind == column.sql_type != "DOUBLE" and column.kind is not Kind.TIME:
                continue
            else:
                good = f"isfinite({typed})" if column.kind in (Kind.NUMBER, Kind.TIME) else f"{typed} is not null"
                reason = QuarantineReason.BAD_TIME if column.kind is Kind.TIME else QuarantineReason.BAD_TYPE
                condition = f"{present} and not coalesce({good}, false)"
                words = self._tell("is_no_value", shown, column=name, kind=self._words.text("kinds", column.kind.name))
                checks.append(RowCheck(name, reason, condition, words))
        return checks

    def _text_checks(self, column: Column) -> list[RowCheck]:
        """Checks for ids that a spreadsheet has rounded, which makes them equal, and for overlong ids and texts."""
        name, text = column.name, f"text_{column.name}"
        if name in self.tidy:
            return []
        longest = LONGEST_IDENTIFIER if column.kind is Kind.IDENTIFIER else LONGEST_TEXT
        words = self._tell("is_too_long", f"left({text}, 50)", f"length({text})", column=name, longest=str(longest))
        too_long = f"coalesce(strlen({text}) > {longest}, false)"
        checks = [RowCheck(name, QuarantineReason.VALUE_OUT_OF_CONTRACT, too_long, words)]
        if column.kind is Kind.IDENTIFIER:
            words = self._tell("is_rounded_id", f"left({text}, 200)", column=name)
            rounded = (
                f"coalesce(contains({text}, '+') and regexp_full_match({text}, {quote_literal(ROUNDED_ID)}), false)"
            )
            checks.append(RowCheck(name, QuarantineReason.BAD_TYPE, rounded, words))
        if not self.rows.is_text:  # text is checked line by line as it is read
            words = self._tell("holds_zero_bytes", column=name)
            checks.append(
                RowCheck(name, QuarantineReason.BAD_RECORD, f"coalesce(contains(given_{name}, chr(0)), false)", words)
            )
        return checks

    def _other_type_checks(self, column: Column) -> list[RowCheck]:
        """Checks for types from Parquet or a query that cannot become text: rounded numbers, bytes, lists, structs."""
        name, kind = column.name, self.types[column.name]
        given = f"given_{name}"
        if kind in ("DOUBLE", "FLOAT"):
            words = self._tell("lost_digits", f"{given}::VARCHAR", column=name)
            too_large = f"coalesce(abs({given}) > {LARGEST_EXACT_INTEGER} and not isnan({given}), false)"
            return [RowCheck(name, QuarantineReason.BAD_TYPE, too_large, words)]
        if kind in ("BLOB", "BIT") or kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
            words = self._tell("is_of_type", column=name, type=kind)
            return [RowCheck(name, QuarantineReason.BAD_TYPE, f"{given} is not null", words)]
        return []

    def _value_checks(self) -> list[RowCheck]:
        """Checks for values of the right type that the schema, the settings or the calendar exclude."""
        checks = []
        for column in self.mapped:
            name = column.name
            shown = f"left({name}::VARCHAR, 200)"
            if column.values:
                accepted = ", ".join(quote_literal(value) for value in column.values)
                words = self._tell("is_not_accepted", shown, column=name, accepted=", ".join(column.values))
                condition = f"coalesce({name} not in ({accepted}), false)"
                checks.append(RowCheck(name, QuarantineReason.VALUE_OUT_OF_CONTRACT, condition, words))
            for bound, sign, key in ((column.minimum, "<", "is_below"), (column.maximum, ">", "is_above")):
                if bound is not None:
                    words = self._tell(key, shown, column=name, bound=str(bound))
                    condition = f"coalesce({name} {sign} {bound}, false)"
                    checks.append(RowCheck(name, QuarantineReason.VALUE_OUT_OF_CONTRACT, condition, words))
            if name == "amount" and self.source.negative_amounts == "quarantine":
                words = self._tell("is_negative", shown, column=name)
                checks.append(RowCheck(name, QuarantineReason.NEGATIVE_AMOUNT, "coalesce(amount < 0, false)", words))
        first, end = self._accepted_times()
        shown = "event_time::VARCHAR"
        before = self._tell("is_before_start", shown, start=str(self.settings.start_date))
        after = self._tell("is_after_delivery", shown, delivered=str(self.dt))
        early, late = f"coalesce(event_time < {first}, false)", f"coalesce(event_time >= {end}, false)"
        return [
            *checks,
            RowCheck("event_time", QuarantineReason.BEFORE_START_DATE, early, before),
            RowCheck("event_time", QuarantineReason.FUTURE_DATE, late, after),
        ]

    @property
    def _words(self) -> Words:
        return load_words(self.settings.language)

    def _tell(self, key: str, *shown: str, **values: str) -> str:
        """SQL of a sentence on a row, in the shop's language. `shown` are the SQL of a value and of its length."""
        places = [f"\x00{number}\x00" for number in range(len(shown))]
        sentence = self._words.text(
            "refused_rows", key, **values, **dict(zip(("value", "length"), places, strict=False))
        )
        parts = (
            shown[int(part)] if number % 2 else quote_literal(part)
            for number, part in enumerate(sentence.split("\x00"))
        )
        return " || ".join(parts)

    # -- warnings about deliveries that were loaded

    def warnings(self, warehouse: Warehouse, taken: list[date], bad_count: int) -> list[LocalizedMessage]:
        """Signs that the delivery was misread, with a remedy.

        Args:
            taken: the business dates of the loaded rows.
            bad_count: number of rows that went to quarantine. If it is 0 and all dates are expected ones, the times are
                not examined further.
        """
        unread, read_count = self._unread_times(warehouse) if bad_count else ({}, 0)
        is_looked_at = (
            bad_count or not all(time_formats.is_expected_day(day, self.dt) for day in taken) or self._gaps(taken)
        )
        read = self._dates_as_written(warehouse) if is_looked_at else {}
        swapped = time_formats.describe_swapped_days(read, unread, self.dt, self.source.time_format)
        found = [
            swapped or time_formats.describe_unread_times(unread, read_count),
            self._absurd_times(warehouse) if bad_count else None,
            self._skipped_hours(warehouse, list(read)),
            self._decimal_ids(warehouse) if self.rows.is_text else None,
        ]
        return [message for message in found if message]

    def _unread_times(self, warehouse: Warehouse) -> tuple[dict[str, int], int]:
        """(unreadable time to its number of rows, for the most frequent ones; number of rows with a readable time).

        A number whose date is absurd as the declared epoch counts as unreadable.
        """
        is_epoch = self.source.time_format in EPOCH_UNITS and not _is_time(self.types["event_time"])
        if self.types["event_time"] != "VARCHAR" and not is_epoch:
            return {}, 0
        text = self._text("event_time")
        first, end = (f"make_timestamp({seconds * 1_000_000})" for seconds in time_formats.EPOCH_SECONDS)
        is_read = f"event_time >= {first} and event_time < {end}" if is_epoch else "event_time is not null"
        rows = warehouse.rows(
            f"{self._with_trimmed_only(['event_time'])}, "
            f"timed as (select {text} as written, {self.typed['event_time']} as event_time, problem_ from trimmed) "
            f"select case when not coalesce({is_read}, false) then written end as unread, count(*) from timed "
            "where problem_ is null and written is not null "
            f"group by 1 order by unread is null desc, 2 desc, 1 limit {UNREAD_TIMES_SHOWN + 1}"
        )
        unread = {text: count for text, count in rows if text is not None}
        return unread, sum(count for text, count in rows if text is None)

    def _absurd_times(self, warehouse: Warehouse) -> LocalizedMessage | None:
        """The warning that an expression, or the writer of the file, took the numbers of times for another unit."""
        if not self.types["event_time"].startswith("TIMESTAMP"):
            return None
        first, end = (f"make_timestamp({seconds * 1_000_000})" for seconds in time_formats.EPOCH_SECONDS)
        rows = warehouse.rows(
            f"{self._with_trimmed_only(['event_time'])}, "
            "timed as (select try_cast(given_event_time as TIMESTAMP) as event_time, problem_ from trimmed) "
            "select epoch_us(event_time) from timed where problem_ is null "
            f"and isfinite(event_time) and (event_time < {first} or event_time >= {end}) limit {UNREAD_TIMES_SHOWN}"
        )
        return time_formats.describe_absurd_times([microseconds for (microseconds,) in rows])

    def _dates_as_written(self, warehouse: Warehouse) -> dict[date, int]:
        """Day on the source's own clock to its number of rows."""
        written = self._local_time_as_written("event_time")
        rows = warehouse.rows(
            f"{self._with_trimmed_only(['event_time'])}, "
            f"written as (select {written} as local_time_ from trimmed where problem_ is null) "
            "select local_time_::DATE, count(*) from written where isfinite(local_time_) group by 1"
        )
        return {day: count for day, count in rows if isinstance(day, date)}

    def _gaps(self, days: list[date]) -> list[tuple[datetime, datetime]]:
        """The hours of these days that the source's clock skipped."""
        first, last = self.settings.start_date, self.dt + timedelta(days=DAYS_AHEAD)
        return [
            gap
            for day in sorted(days)
            if first <= day <= last
            for gap in time_formats.find_skipped_hours(self.zone, day)
        ]

    def _skipped_hours(self, warehouse: Warehouse, read: list[date]) -> LocalizedMessage | None:
        for begin, end in self._gaps(read):
            written = self._local_time_as_written("event_time")
            count = warehouse.value(
                f"{self._with_trimmed_only(['event_time'])}, "
                f"written as (select {written} as local_time_ from trimmed) "
                f"select count(*) from written where local_time_ >= '{begin}' and local_time_ < '{end}'"
            )
            if count:
                ends = {"begin": f"{begin:%Y-%m-%d %H:%M}", "end": f"{end:%H:%M}"}
                return LocalizedMessage("skipped_hours", count=int(count), zone=self.zone, **ends)
        return None

    def _decimal_ids(self, warehouse: Warehouse) -> LocalizedMessage | None:
        """A warning if ids were exported as decimal numbers: they do not join with correctly written ones."""
        names = [c.name for c in self.mapped if c.kind is Kind.IDENTIFIER and self.types[c.name] == "VARCHAR"]
        if not names:
            return None
        decimal = r"'\d+\.0'"
        found = (
            f"bool_or(ends_with(text_{name}, '.0') and regexp_full_match(text_{name}, {decimal}))" for name in names
        )
        (are_decimal,) = warehouse.rows(f"{self._with_trimmed_only(names)} select {', '.join(found)} from trimmed")
        decimals = [name for name, is_decimal in zip(names, are_decimal, strict=True) if is_decimal]
        return LocalizedMessage("decimal_ids", columns=", ".join(decimals)) if decimals else None

    # -- the two inserts

    def insert_good(self) -> str:
        """Inserts the rows without faults; takes `$delivery_id`."""
        good = ["problem_ is null", *self._required_conditions()]
        good += [f"not ({check.condition})" for check in self.checks if check.column not in REQUIRED]
        columns = ", ".join(self._stored(column) for column in self.family.columns)
        delivery_id, dt = PLACES[:2] if self.rows.has_places else ("$delivery_id", f"DATE '{self.dt}'")
        return f"""
            insert into raw.{self.family.table} ({", ".join(list_raw_columns(self.family))})
            {self._with_typed()},
            numbered as (
                select *, {self._local_time()} as local_time_, ({self._repeat_number()})::INTEGER as repeat_number_
                from typed
                where {" and ".join(good)}
            )
            select
                {delivery_id}, row_number_, {dt}, local_time_::DATE, hour(local_time_)::TINYINT,
                repeat_number_, {columns}
            from numbered
        """

    def count_others(self, warehouse: Warehouse) -> dict[str, int]:
        """Event types that nobody maps to their number of rows, largest first."""
        return dict(
            warehouse.rows(
                f"{self._with_trimmed_only(['event_type'])}, "
                f"typed as (select *, {self.typed['event_type']} as event_type from trimmed) "
                f"select {self._text('event_type')}, count(*) from typed "
                f"where problem_ is null and {self._build_is_other_sql()} group by 1 order by 2 desc, 1"
            )
        )

    @property
    def leaves_others_out(self) -> bool:
        """Whether rows whose event type nobody maps belong to no source, rather than to the quarantine."""
        return bool(self.source.event_types and self.source.event_types.others == "leave_out")

    def _build_is_other_sql(self) -> str:
        """SQL condition: the row has an event type that is none of the family's, nor mapped to one. Never NULL."""
        accepted = ", ".join(quote_literal(event_type) for event_type in self.family.event_types)
        kind = self.types["event_type"]
        present = f"{self._text('event_type')} is not null" if kind == "VARCHAR" else "given_event_type is not null"
        return f"({present} and not coalesce(event_type in ({accepted}), false))"

    def show_rows(self, warehouse: Warehouse, numbers: Sequence[int], columns: Sequence[str]) -> list[ShownRow]:
        """Rows of the delivery as they came and as they are mapped, ids in clear and times on the shop's clock.

        Args:
            columns: the delivered columns to show.
        """
        delivered = ", ".join(f"{quote_identifier(name)}::VARCHAR" for name in columns)
        mapped = [column.name for column in self.mapped]
        times = {"event_time": f"strftime({self._local_time()}, '%Y-%m-%d %H:%M:%S')"}
        typed = ", ".join(f"{times.get(name, name)}::VARCHAR" for name in mapped)
        wanted = f"in ({', '.join(map(str, numbers))})"
        before = warehouse.rows(
            f"select {self.rows.row_number}, [{delivered}]::VARCHAR[] from {self.rows.relation} "
            f"where {self.rows.row_number} {wanted}"
        )
        after = dict(
            warehouse.rows(f"{self._with_typed()} select row_number_, [{typed}] from typed where row_number_ {wanted}")
        )
        return [ShownRow(number, _pair(columns, came), _pair(mapped, after[number])) for number, came in sorted(before)]

    def _build_detail_sql(self) -> str:
        """The detail of a record that could not be read, in the shop's language as far as it is known in it."""
        told = {text: message.say_in(self.settings.language) for text, message in self.rows.problems.items()}
        cases = [
            f"when {quote_literal(text)} then {quote_literal(other)}" for text, other in told.items() if text != other
        ]
        detail = self.rows.problem_detail
        return f"case {detail} {' '.join(cases)} else {detail} end" if cases else detail

    def explain_failure(self, warehouse: Warehouse, name: str, number: int) -> str:
        """Why the expression of that name fails on the row: the first line of the database's error."""
        try:
            columns = ", ".join(self.rows.list_computed_columns([self.guarded[name]], self.source)) or "1"
            place = f"from {self.rows.relation} where {self.rows.row_number} = {number}"
            warehouse.rows(f"select ({self.guarded[name]}\n) from (select {columns} {place})")
        except duckdb.Error as error:
            return hide_secrets(str(error)).splitlines()[0]
        return ""

    def insert_bad(self) -> str:
        """Inserts the rows with faults into the quarantine; takes `$delivery_id` and `$file`."""
        left_out = f"problem_ is null and {self._build_is_other_sql()}" if self.leaves_others_out else "false"
        reasons = " ".join(f"when {check.condition} then {quote_literal(check.reason)}" for check in self.checks)
        details = " ".join(f"when {check.condition} then {check.detail}" for check in self.checks)
        return f"""
            insert into quality.quarantine
                (family, dt, file, row_number, reason, detail, content, business_date, delivery_id, counted_date)
            {self._with_typed()},
            judged as (
                select
                    *,
                    case when problem_ is not null then problem_ {reasons} end as reason_,
                    case when problem_ is not null then problem_detail_ {details} end as detail_
                from typed
            )
            select
                {quote_literal(self.family.name)}, DATE '{self.dt}', $file, row_number_, reason_, detail_, content_,
                case when isfinite(event_time) then {self._local_time()}::DATE end as local_date_, $delivery_id,
                case when reason_ != '{QuarantineReason.FUTURE_DATE}' and local_date_ >= {FIRST_CREDIBLE_DATE}
                    then local_date_ end
            from judged
            where reason_ is not null and not ({left_out})
        """

    def count_undated(self) -> str:
        """Counts refused rows without a credible date to the day of the row above them; takes `$delivery_id`.

        Most files are in order of time. In others the row above is one of the file by chance, and so of a day as often
        as the day's share of the file. Without any dated row, the day of delivery is left.
        """
        return f"""
            update quality.quarantine set counted_date = found.counted_date
            from (
                with
                dated_lines as (
                    select row_number, business_date
                    from raw.{self.family.table}
                    where delivery_id = $delivery_id
                    union all
                    select row_number, counted_date
                    from quality.quarantine
                    where delivery_id = $delivery_id and counted_date is not null
                ),
                dated as (
                    select {build_record_number_sql("row_number")} as record_number, min(business_date) as business_date
                    from dated_lines
                    group by record_number
                ),
                undated as (
                    select row_number, {build_record_number_sql("row_number")} as record_number
                    from quality.quarantine
                    where delivery_id = $delivery_id and counted_date is null
                )
                select
                    undated.row_number,
                    coalesce(above.business_date, below.business_date, DATE '{self.dt}') as counted_date
                from undated
                asof left join dated as above on undated.record_number >= above.record_number
                asof left join dated as below on undated.record_number <= below.record_number
            ) as found
            where quarantine.delivery_id = $delivery_id and quarantine.row_number = found.row_number
        """

    def _required_conditions(self) -> list[str]:
        """The checks of the required columns, negated: shorter, and half the work on millions of good rows."""
        accepted = ", ".join(quote_literal(event_type) for event_type in self.family.event_types)
        first, end = self._accepted_times()
        if self.rows.has_places:
            end = PLACES[2]
        return [
            f"event_type in ({accepted})",
            f"event_time >= {first} and event_time < {end}",
            *(f"computed_{column} is not null" for column in REQUIRED if column in self.guarded),
        ]

    def _accepted_times(self) -> tuple[str, str]:
        """The first accepted instant and the first one that is too late, as UTC timestamps."""
        return build_utc_midnight_sql(self.settings, self.settings.start_date), build_end_sql(self.settings, self.dt)

    def _local_time(self) -> str:
        return f"timezone({quote_literal(self.settings.timezone)}, event_time::TIMESTAMPTZ)"

    def _repeat_number(self) -> str:
        if self.source.duplicates == "drop" or not self.lacks_event_ids:
            return "0"
        delivery = f"{PLACES[0]}, " if self.rows.has_places else ""
        repeat = f"row_number() over (partition by {delivery}content_key_ order by row_number_) - 1"
        return f"case when event_id is null then {repeat} else 0 end" if "event_id" in self.typed else repeat

    def _stored(self, column: Column) -> str:
        """The SQL of a column of the raw table."""
        name, mapped = column.name, column.name in self.typed
        default = {"shop": quote_literal(self.settings.shop), "is_bot": "false"}.get(name)
        if name == "quantity" and self.family.name == "traffic":
            default = "1"
        if name == "event_id":
            return self._event_id(mapped)
        if default is not None:
            return f"coalesce({name}, {default})" if mapped else default
        if not mapped:
            return f"NULL::{column.sql_type}"
        return build_identifier_hash_sql(name) if column.kind is Kind.IDENTIFIER else name

    def _stored_text(self, name: str) -> str:
        return f"coalesce({self._stored(self.family.column(name))}, '')"

    def _event_id(self, mapped: bool) -> str:
        """The event's own id, else a key of everything delivered. Repeats that are kept differ by their number.

        A row of figures is known by its source and what it is about. The key includes the event type, because several
        sources may derive several events from one row. An own id of the whole record gets the line's number.
        """
        if self.family.key:
            parts = [quote_literal(self.source.name), *map(self._stored_text, self.family.key)]
            return build_identifier_hash_sql(f"concat_ws(chr(31), {', '.join(parts)})")
        own = "event_id"
        if mapped and self.rows.lines and not reads_line(self.source, "event_id"):
            own = "event_id || coalesce(chr(31) || line_, '')"
        if not self.lacks_event_ids:
            return build_identifier_hash_sql(f"({own})")
        key = "content_key_ || chr(31) || event_type"
        if self.source.duplicates == "keep":
            key += " || case when repeat_number_ > 0 then chr(31) || repeat_number_ else '' end"
        return build_identifier_hash_sql(f"coalesce({own}, {key})" if mapped else f"({key})")


def build_utc_midnight_sql(settings: Settings, day: date) -> str:
    """SQL of the start of the shop's day, as a UTC timestamp."""
    local = datetime.combine(day, time(), tzinfo=settings.zone)
    return f"TIMESTAMP '{local.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


def build_end_sql(settings: Settings, dt: date) -> str:
    """SQL of the first instant that is too late for a delivery of that day, as a UTC timestamp."""
    return build_utc_midnight_sql(settings, dt + timedelta(days=DAYS_AHEAD + 1))


def list_expressions(source: Source) -> dict[str, str]:
    """Column of the schema to the expression that a source declares for it."""
    types = source.event_types.expression if source.event_types else None
    expressions = {**source.expressions, **({"event_type": types} if types else {})}
    return {name: prepare_expression(expression, source.empty_values) for name, expression in expressions.items()}


def find_expression_key(source: Source, name: str) -> KeyPath:
    """The key below the source that declares the expression of that name."""
    return ("expressions", name) if name in source.expressions else ("event_types", "expression")


def _pair(names: Sequence[str], values: Sequence[str | None]) -> dict[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value}


def add_delivery_date(rows: DeliveryRows, dt: date) -> DeliveryRows:
    """The rows with their day of delivery for expressions. It is not part of the delivered content."""
    if rows.has_places or DELIVERY_DATE in (name.lower() for name in rows.columns):
        return rows
    return replace(rows, relation=f"(select *, DATE '{dt}' as {DELIVERY_DATE} from {rows.relation})")


def _suggest_column(name: str, columns: list[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), columns, n=1, cutoff=0.8)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _build_has_offset_sql(text: str) -> str:
    return f"regexp_matches({text}, {quote_literal(OFFSET_PATTERN)})"


def _build_from_zone_sql(naive: str, zone: str) -> str:
    return naive if zone == "UTC" else f"timezone({quote_literal(zone)}, {naive})::TIMESTAMP"
