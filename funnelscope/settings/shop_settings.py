"""The content of funnelscope.yaml as checked settings. Each error names its line.

Paths: patterns in `files` and `attach` are relative to the home folder (FUNNELSCOPE_HOME), a calendar file is relative
to funnelscope.yaml. Absolute paths and `~` are accepted.
"""

import codecs
import csv
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from funnelscope.events.metrics import METRICS
from funnelscope.events.schema import FAMILIES, REQUIRED
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings.patterns import Pattern
from funnelscope.settings.service_hours import list_service_periods, read_service_hours
from funnelscope.settings.yaml_source import KeyPath, SettingsError, YamlSource
from funnelscope.settings.yaml_source import check_timezone as _known_timezone
from funnelscope.settings.yaml_source import reject as _reject
from funnelscope.settings.yaml_source import suggest_nearest as _nearest

if TYPE_CHECKING:
    import duckdb

CONFIG_VARIABLE = "FUNNELSCOPE_CONFIG"
HOME_VARIABLE = "FUNNELSCOPE_HOME"
CONFIG_NAME = "funnelscope.yaml"

# What a number counts as a time, by its name in `time_format`, in microseconds.
EPOCH_UNITS = {"epoch_seconds": 1_000_000, "epoch_milliseconds": 1_000, "epoch_microseconds": 1}

# They read or change what does not belong to the row: the key of the ids, the environment, a counter.
FUNCTIONS_OF_THE_CONNECTION = frozenset(
    ("getvariable", "getenv", "current_setting", "nextval", "currval", "write_log", "current_query", "current_database")
)
MODIFIED = "modified"  # as `delivery_date`: the day on which the file was last written

STAGES = ("traffic", "landing", "decision", "repurchase")


class Format(StrEnum):
    """Formats of delivered files."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"
    WORKBOOK = "xlsx"


@cache
def _open_scratch() -> "duckdb.DuckDBPyConnection":
    """An empty database that parses expressions: opening one for each takes a second for the sources of a shop."""
    import duckdb

    return duckdb.connect(config={"threads": 1})


@cache
def _find_expression_problem(expression: str) -> str:
    """What is wrong with a scalar SQL expression; empty if nothing is."""
    import json

    with _open_scratch().cursor() as connection:
        row = connection.execute("select json_serialize_sql($1)", [f"select ({expression}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error"):
        return LocalizedMessage("no_expression", error=tree["error_message"])
    statements = tree["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    if len(node.get("select_list", ())) != 1:
        return LocalizedMessage("one_expression")
    classes = {value for key, value in _walk(node["select_list"]) if key == "class"}
    functions = {str(value).lower() for key, value in _walk(node["select_list"]) if key == "function_name"}
    if unfit := sorted(functions & FUNCTIONS_OF_THE_CONNECTION):
        return LocalizedMessage("looks_beyond_the_row", function=unfit[0])
    forbidden = {
        "SUBQUERY": LocalizedMessage("without_subquery"),
        "WINDOW": LocalizedMessage("without_window"),
        "STAR": LocalizedMessage("without_star"),
        "PARAMETER": LocalizedMessage("without_parameter"),
    }
    found = [what for name, what in forbidden.items() if name in classes]
    return LocalizedMessage("no_scalar", what=found[0]) if found else ""


def find_query_problem(query: str) -> str:
    """Why a query is refused; empty if it is one SELECT, or of a dialect that DuckDB cannot parse."""
    import duckdb

    try:
        kinds = [statement.type for statement in duckdb.extract_statements(query)]
    except duckdb.Error:
        return ""  # SQLite's own words; its reader allows nothing but reading
    return "" if kinds == [duckdb.StatementType.SELECT] else "must be one SELECT, which reads and changes nothing"


def _find_time_format_problem(form: str) -> str:
    """Why no time can be read by a strptime format; empty if nothing is wrong with it."""
    import duckdb

    remedy = f"{_nearest(form, tuple(EPOCH_UNITS))}, or a strptime format such as '%Y-%m-%d %H:%M:%S'"
    if "%" not in form:
        return f"is no format of a time; {remedy}"
    try:
        with _open_scratch().cursor() as connection:
            connection.execute("select try_strptime('', $1)", [form])
    except duckdb.Error as problem:
        return f"is no format of a time: {str(problem).splitlines()[0].partition(': ')[2]}; {remedy}"
    if not re.search("%-?[YyGcx]", form):
        return f"has no year (%Y), without which no day is known; {remedy}"
    return ""


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


class _SettingsModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventTypes(_SettingsModel):
    """How a source determines event types: exactly one of a column (with `values`), an expression, a constant."""

    column: str | None = None
    values: dict[str, str] = {}
    expression: str | None = None
    constant: str | None = None
    others: Literal["quarantine", "leave_out"] = Field(
        "quarantine", description="rows whose value in the column is no event type, and mapped to none"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_word_is_a_constant(cls, given: Any) -> Any:
        return {"constant": given} if isinstance(given, str) else given

    @field_validator("values", mode="before")
    @classmethod
    def _text_keys(cls, given: Any) -> Any:
        return {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _one_way(self) -> "EventTypes":
        ways = [name for name in ("column", "expression", "constant") if getattr(self, name) is not None]
        if len(ways) != 1:
            _reject((), ways, "must have exactly one of: column, expression, constant (or just the event type)")
        if self.values and self.column is None:
            _reject(("values",), self.values, "belongs to a column")
        if self.others == "leave_out" and self.column is None:
            _reject(("others",), self.others, "belongs to a column; choose rows by where")
        return self


class _Export(_SettingsModel):
    """What is checked of the files of an export. The fields are those of the models below."""

    @field_validator("files", "attach", check_fields=False)
    @classmethod
    def _path_of_this_machine(cls, path: str) -> str:
        if "://" in path:
            _reject((), path, LocalizedMessage("is_an_address"))
        return path

    @field_validator("encoding", check_fields=False)
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            _reject((), name, LocalizedMessage("no_encoding"))
        return name

    @field_validator("delimiter", check_fields=False)
    @classmethod
    def _one_character(cls, delimiter: str) -> str:
        if len(delimiter) > 1:
            _reject((), delimiter, 'must be one character, such as ";" or "\\t"')
        return delimiter

    @field_validator("skip_lines", check_fields=False)
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        try:
            found_in_nothing = Pattern(pattern).search("")
        except ValueError as problem:
            _reject((), pattern, f"is not a regular expression: {problem}")
        if pattern and found_in_nothing:
            _reject((), pattern, "matches every line; begin with ^ and words, such as '^(合计|总计)'")
        return pattern

    @field_validator("delivery_date", check_fields=False)
    @classmethod
    def _date_or_pattern(cls, given: date | str | None) -> date | str | None:
        if not isinstance(given, str) or given == MODIFIED:
            return given
        try:
            groups = Pattern(given).groups
        except ValueError as problem:
            _reject((), given, f"is neither a date (YYYY-MM-DD) nor a regular expression: {problem}")
        if groups != 1:
            _reject((), given, r"must be a date, modified, or have one group, such as 'export_(\d{4}-\d{2}-\d{2})'")
        return given


class Join(_Export):
    """Another export whose columns the rows of a source get, by a key that both have.

    How it is read is as in the source, but for what is given here.
    """

    files: str = Field(min_length=1, description="glob of the other export; files of the same day, or one for all days")
    on: dict[str, str] = Field(description="key column of the source to that of the other export, or the name of both")
    format: Format | None = None
    encoding: str = "utf-8"
    delimiter: str = ""
    sheet: str = ""
    header_row: int = Field(1, ge=1)
    skip_lines: str = ""
    delivery_date: date | str | None = None

    @model_validator(mode="before")
    @classmethod
    def _yaml_reads_on_as_true(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {"on" if key is True else key: value for key, value in given.items()}

    @field_validator("on", mode="before")
    @classmethod
    def _one_name_is_of_both(cls, given: Any) -> Any:
        return {given: given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _key_has_columns(self) -> "Join":
        if not self.on:
            _reject(("on",), "", "names no column; write the name of the key that both exports have")
        return self


class Source(_Export):
    """One declaration of where a family's events come from and how they are read."""

    family: Literal["traffic", "page", "service", "order", "figure"]
    name: str = Field("", description="the source's name in the ledger; the family (and a number) by default")
    files: str = Field("", description="glob relative to the home folder; landing/<family>/dt=*/* by default")
    query: str = Field("", description="SQL on the attached database instead of files")
    attach: str = Field("", description="DuckDB, SQLite or Parquet file that the query reads")
    join: Join | None = None
    records: str = Field(
        "",
        description="list of a JSON file that holds the records, such as data.orders; found by its columns by default",
    )
    lines: str = Field("", description="a list in each record; every element of it is a row, readable as lines.field")
    where: str = Field("", description="SQL condition over the source columns; rows that do not meet it are left out")
    format: Format | None = None
    encoding: str = "utf-8"
    delimiter: str = ""
    sheet: str = Field("", description="the sheet of a workbook; the one that has the columns by default")
    header_row: int = Field(1, ge=1, description="line of the header in a CSV file; lines above it are skipped")
    header: Literal["none"] | None = Field(None, description="`none` for a CSV file without a header; see `names`")
    names: tuple[str, ...] = Field((), description="names of the columns of a CSV file without a header, in order")
    timezone: str = Field("", description="time zone of times without an offset; the shop's by default")
    time_format: str = Field("", description=f"strptime format, or {', '.join(EPOCH_UNITS)}")
    skip_lines: str = Field(
        "", description="regular expression; matching lines of a CSV file below its header are left out"
    )
    decimal: Literal[".", ","] = Field(".", description="decimal separator in text: 1,234.50 or 1.234,50")
    empty_values: tuple[str, ...] = Field(
        ("-", "--", "—", "NULL", "null", "N/A", "n/a", "#N/A", "NaN", "nan", "None", r"\N"),
        description="texts that mean no value, in every column; a list given here replaces the default",
    )
    duplicates: Literal["drop", "keep", "first", "latest"] = Field(
        "drop", description="first, latest: which of several rows with one event_id wins; keep: equal rows without one"
    )
    negative_amounts: Literal["quarantine", "allow"] = "quarantine"
    required: bool = True
    delivery_date: date | str | None = Field(
        None, description="a date, a regular expression with one group, or modified: the day the file was last written"
    )
    columns: dict[str, str] = {}
    expressions: dict[str, str] = {}
    constants: dict[str, str] = {}
    event_types: EventTypes | None = None

    @model_validator(mode="before")
    @classmethod
    def _latest_figures_count(cls, given: Any) -> Any:
        """Platforms state figures again and again, and the last statement holds."""
        family = FAMILIES.get(str(given.get("family"))) if isinstance(given, dict) else None
        return {"duplicates": "latest", **given} if family and family.key else given

    @model_validator(mode="after")
    def _names_stand_for_a_header(self) -> "Source":
        if bool(self.names) != (self.header == "none"):
            _reject(
                ("names",), ", ".join(self.names), "belongs to a file without a header: write header: none, and names"
            )
        if len({name.lower() for name in self.names}) < len(self.names):
            _reject(("names",), ", ".join(self.names), "has a name twice")
        if self.header and self.header_row > 1:
            _reject(("header_row",), self.header_row, "is the line of a header, and header is none")
        return self

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return _known_timezone(name) if name else name

    @field_validator("time_format")
    @classmethod
    def _time_can_be_read(cls, form: str) -> str:
        if form and form not in EPOCH_UNITS and (problem := _find_time_format_problem(form)):
            _reject((), form, problem)
        return form

    @field_validator("constants", mode="before")
    @classmethod
    def _constants_are_text(cls, given: Any) -> Any:
        return {key: str(value) for key, value in given.items()} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _fits_the_contract(self) -> "Source":
        family = FAMILIES[self.family]
        names = [column.name for column in family.given_columns]
        seen: set[str] = set()
        for field in ("columns", "expressions", "constants"):
            for column in getattr(self, field):
                if column not in names:
                    text: str = LocalizedMessage("no_column_of", family_name=self.family, near=_nearest(column, names))
                    if field == "columns" and (meant := self.columns[column]) in names:
                        told = {"family_name": self.family, "meant": meant, "column": column}
                        text = LocalizedMessage("column_is_the_other_way_round", **told)
                    _reject((field, column), column, text)
                if column in seen:
                    _reject((field, column), column, LocalizedMessage("mapped_twice"))
                seen.add(column)
        if self.event_types and "event_type" in seen:
            _reject(("event_types",), "event_type", LocalizedMessage("types_mapped_twice"))
        for path, event_type in self._declared_event_types():
            if event_type not in family.event_types:
                near = _nearest(event_type, family.event_types)
                text = LocalizedMessage("no_event_type_of", family_name=self.family, near=near)
                _reject(path, event_type, text)
        for path, expression in self._declared_expressions():
            if problem := _find_expression_problem(expression):
                _reject(path, expression, problem)
        if family.key and self.duplicates not in ("first", "latest"):
            _reject(("duplicates",), self.duplicates, LocalizedMessage("duplicates_of_figures"))
        if self.duplicates == "keep" and "event_id" in seen:
            _reject(("duplicates",), "keep", LocalizedMessage("keep_with_ids"))
        if not family.key and self.duplicates in ("first", "latest") and self.columns and "event_id" not in seen:
            _reject(("duplicates",), self.duplicates, LocalizedMessage("duplicates_need_ids"))
        if self.query and (problem := find_query_problem(self.query)):
            _reject(("query",), self.query, problem)
        if self.join and self.query:
            _reject(("join",), self.join.files, "belongs to files; a query can join tables itself")
        if bool(self.query) != bool(self.attach) or (self.query and self.files):
            _reject((), self.query or self.attach, "must have either files, or query together with attach")
        if self.columns:  # the only columns read, so the required ones must be among them
            for column in REQUIRED:
                if column not in seen and not (column == "event_type" and self.event_types):
                    key = "lacks_event_type" if column == "event_type" else "lacks_column"
                    text = LocalizedMessage(key, column=column)
                    _reject(("columns",), ", ".join(self.columns), text)
        return self

    def _declared_event_types(self) -> Iterator[tuple[KeyPath, str]]:
        if self.event_types is None:
            return
        if self.event_types.constant is not None:
            yield ("event_types", "constant"), self.event_types.constant
        for value, event_type in self.event_types.values.items():
            yield ("event_types", "values", value), event_type

    def _declared_expressions(self) -> Iterator[tuple[KeyPath, str]]:
        if self.where:
            yield ("where",), self.where
        for column, expression in self.expressions.items():
            yield ("expressions", column), expression
        if self.event_types and self.event_types.expression is not None:
            yield ("event_types", "expression"), self.event_types.expression

    @property
    def pattern(self) -> str:
        """The glob of the source's files, or the path of the attached file."""
        return self.attach or self.files or f"landing/{self.family}/dt=*/*"


class Promotion(_SettingsModel):
    """A phase of a promotion, in the shop's local time.

    A plain date as `to` includes that whole day, a time ends it. Midnight may mean either, and is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    starts: date | datetime = Field(alias="from")
    ends: date | datetime = Field(alias="to")
    phase: Literal["preheat", "deposit", "balance", "opening", "main", "after"] = "main"

    @field_validator("ends", mode="before")
    @classmethod
    def _ends_on_a_day_or_within_it(cls, given: Any) -> Any:
        try:
            moment = given if isinstance(given, datetime) else datetime.fromisoformat(given.strip())
        except (AttributeError, ValueError):
            return given
        is_day = isinstance(given, str) and len(given.strip()) <= len("2026-06-18")
        if moment.time() == time() and not is_day:
            before = moment.date() - timedelta(days=1)
            _reject((), str(given), LocalizedMessage("ends_at_midnight", before=str(before), day=str(moment.date())))
        return given

    @model_validator(mode="after")
    def _in_order(self) -> "Promotion":
        if str(self.ends)[:10] < str(self.starts)[:10]:
            _reject(("to",), str(self.ends), LocalizedMessage("before_its_start", start=str(self.starts)))
        return self


class Channel(_SettingsModel):
    """A destination of the report.

    `link` is the address at which its readers find the folder `reports`, for `attach: link`; that of the settings by
    default.
    """

    name: str = Field(min_length=1)
    url: str = Field(min_length=1, description="Apprise URL; ${NAME} is replaced by the environment variable")
    language: Literal["zh", "en"] | None = None
    attach: Literal["pdf", "link", "nothing"] = "pdf"
    link: str = ""
    only: Literal["all", "warned", "blocked"] = "all"
    reports: tuple[Literal["day", "week", "month", "campaign"], ...] = ("day", "week", "month", "campaign")
    alerts: bool = Field(False, description="whether it is told of a run that did not start, hangs or was blocked")

    @model_validator(mode="after")
    def _link_has_an_address(self) -> "Channel":
        if self.link and self.attach != "link":
            _reject(("link",), self.link, "belongs to attach: link; it is the address where readers find the reports")
        return self

    def wants(self, verdict: str, period: str = "day") -> bool:
        """Whether the channel gets such a report.

        Args:
            verdict: pass, warn, blocked or unjudged.
            period: day, week, month or campaign.
        """
        wanted = {"all": {"pass", "warn", "blocked", "unjudged"}, "warned": {"warn", "blocked"}, "blocked": {"blocked"}}
        return period in self.reports and verdict in wanted[self.only]


class Change(_SettingsModel):
    """An entry of the change log: what the shop itself changed, and on which object."""

    date: date
    kind: Literal["price", "page", "campaign", "roster", "other"]
    object: str = Field(description="its name as written in the events: a product, page, campaign, agent")
    note: str = ""


class Exclusion(_SettingsModel):
    """People whom the shop does not count, by their ids as delivered, and the reason."""

    reason: str = Field(pattern=r"^\w+$", description="one word, such as staff, test, partner")
    customers: tuple[str, ...] = ()
    visitors: tuple[str, ...] = ()

    @field_validator("customers", "visitors", mode="before")
    @classmethod
    def _ids_are_text(cls, given: Any) -> Any:
        return [str(each) for each in given] if isinstance(given, list) else given

    @model_validator(mode="after")
    def _names_somebody(self) -> "Exclusion":
        if not all(text.strip() for text in (*self.customers, *self.visitors)):
            _reject((), "", "an empty id identifies nobody")
        if not self.customers and not self.visitors:
            _reject((), self.reason, "names nobody; give customers or visitors")
        return self


class Retention(_SettingsModel):
    """How many days each kind of data is kept; null: for ever, as the shop's own data are unless it says otherwise."""

    raw_days: int | None = Field(default=None, ge=14, description="raw rows; late rows of older days are refused")
    quarantine_days: int | None = Field(default=None, ge=1, description="content of refused rows; their count is kept")
    editions_days: int | None = Field(
        default=90, ge=1, description="files of report editions that a newer one replaces"
    )
    runs_days: int | None = Field(default=60, ge=14, description="Dagster's own events")


_ADDRESS = r"^(https?://[^\s#?'\"<>]+)?$"


class Settings(_SettingsModel):
    """All settings of a shop. Dates are business dates in `timezone`."""

    shop: str = Field(min_length=1)
    timezone: str = "Asia/Shanghai"
    currency: str = Field("CNY", description="ISO 4217, one per shop")
    language: Literal["zh", "en"] = "zh"
    start_date: date
    opening_date: date = Field(default=date.min, validate_default=False)
    memory_limit: str = Field("", pattern=r"^(\d+(\.\d+)? ?([KMGT]i?B))?$", description="for DuckDB, such as 4GB")
    threads: Annotated[int, Field(ge=1)] | None = None
    lock_wait_seconds: float = Field(60, ge=0)
    snapshots_kept: int = Field(14, ge=1)
    attribution_window_days: int = Field(7, ge=1, le=30, description="an order belongs to a session at most this old")
    longest_silence_minutes: int = Field(30, ge=1, le=720, description="a session silent for longer is over")
    service_hours: dict[str, tuple[tuple[int, int], ...]] = Field(
        {}, description="hours on the shop's clock by weekday or date; without them, every hour counts"
    )
    sources: tuple[Source, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    retention: Retention = Retention()
    calendar: tuple[Promotion, ...] = ()
    latest: time = Field(time(10, 30), description="on the shop's clock: when a day runs with the files that are there")
    period_reports: tuple[Literal["week", "month", "campaign"], ...] = Field(
        ("week", "month", "campaign"),
        description="printed by the run of their last day, in addition to the daily report",
    )
    delivery: tuple[Channel, ...] = ()
    link: str = Field("", pattern=_ADDRESS, description="address at which readers find the folder reports")
    ui_link: str = Field("", pattern=_ADDRESS, description="address of the UI, for links from reports to it")
    owners: dict[str, str] = {}
    labels: dict[str, str | dict[Literal["zh", "en"], str]] = Field(
        {}, description="value, or dimension.value, to the shop's own name for it, in one language or both"
    )
    targets: dict[str, float] = {}
    changes: tuple[Change, ...] = Field((), alias="change_log")
    playbook: Path | None = Field(None, description="YAML that extends the playbook")
    expectations: Path | None = Field(None, description="folder of the shop's own expectations")
    home: Path = Field(default_factory=lambda: find_home_folder())
    _folder: Path = PrivateAttr(default_factory=lambda: find_config_path().parent)

    def list_labels(self, language: str) -> dict[str, str]:
        """What the shop calls its values in a language. What has no name in it keeps its own."""
        names = {
            value: name if isinstance(name, str) else {str(key): text for key, text in name.items()}.get(language)
            for value, name in self.labels.items()
        }
        return {value: name for value, name in names.items() if name}

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return _known_timezone(name)

    @field_validator("currency")
    @classmethod
    def _three_letters(cls, code: str) -> str:
        if not re.fullmatch("[A-Z]{3}", code):
            _reject((), code, LocalizedMessage("no_currency"))
        return code

    @field_validator("latest", mode="before")
    @classmethod
    def _time_of_the_day(cls, given: Any) -> Any:
        """YAML reads 10:30 without quotes as 630, minutes since midnight."""
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 24 * 60:
            return time(*divmod(given, 60))
        if isinstance(given, str) and re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", given.strip()):
            hours, minutes = given.split(":")
            return time(int(hours), int(minutes))
        if not isinstance(given, time):
            _reject((), given, LocalizedMessage("no_time_of_day"))
        return given

    @field_validator("service_hours", mode="before")
    @classmethod
    def _hours_can_be_read(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        try:
            return read_service_hours(given)
        except ValueError as problem:
            _reject((), given, str(problem))

    @model_validator(mode="before")
    @classmethod
    def _defaults_that_follow(cls, given: Any) -> Any:
        """Defaults that depend on other keys: the opening day on the start, the name of a source on its family."""
        if not isinstance(given, dict):
            return given
        given = {"opening_date": given.get("start_date", date.min), **given}
        if isinstance(given.get("sources"), list):
            given["sources"] = _name_sources(given["sources"])
        return given

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.opening_date < self.start_date:
            _reject(
                ("opening_date",),
                str(self.opening_date),
                LocalizedMessage("before_start_date", start=str(self.start_date)),
            )
        for stage in self.owners:
            if stage not in STAGES:
                _reject(("owners", stage), stage, LocalizedMessage("no_stage", near=_nearest(stage, STAGES)))
        for key in self.targets:
            if key not in METRICS:
                _reject(("targets", key), key, LocalizedMessage("no_metric", near=_nearest(key, sorted(METRICS))))
        names = [source.name for source in self.sources]
        for position, name in enumerate(names):
            if name in names[:position]:
                _reject(("sources", position, "name"), name, LocalizedMessage("name_of_another_source"))
        channels = [channel.name for channel in self.delivery]
        for position, name in enumerate(channels):
            if name in channels[:position]:
                _reject(("delivery", position, "name"), name, LocalizedMessage("name_of_another_channel"))
        for position, channel in enumerate(self.delivery):
            if channel.attach == "link" and not (channel.link or self.link):
                text = (
                    "is missing, and so is link of the shop: attach: link needs the address where readers find reports"
                )
                _reject(("delivery", position, "link"), "", text)
        return self

    @property
    def landing(self) -> Path:
        """The landing zone: where files are delivered."""
        return self.home / "landing"

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that one process at a time writes to."""
        return self.home / "warehouse.duckdb"

    @property
    def lock_path(self) -> Path:
        """The file that a writer of the warehouse locks."""
        return self.warehouse_path.with_suffix(".lock")

    @property
    def identity_key_path(self) -> Path:
        """The file of the key that hashes ids."""
        return self.home / "identity.key"

    @property
    def published(self) -> Path:
        """The folder of the published copy and its snapshots."""
        return self.home / "published"

    @property
    def funnels(self) -> Path:
        """The folder of the shop's own funnels, next to funnelscope.yaml."""
        return self._folder / "funnels"

    @property
    def reports(self) -> Path:
        """The folder of the report editions."""
        return self.home / "reports"

    @property
    def data_docs(self) -> Path:
        """The folder of the Data Docs pages of Great Expectations."""
        return self.home / "data_docs"

    @property
    def dagster_home(self) -> Path:
        """The folder of Dagster's instance: runs, events, configuration."""
        return self.home / "dagster"

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)

    def list_service_periods(self, from_date: date, to_date: date) -> list[dict[str, datetime]]:
        """When the service answers questions of the days: `opens_at` and `closes_at`, in UTC."""
        return list_service_periods(self.service_hours, self.zone, from_date, to_date)

    def list_family_sources(self, family: str) -> tuple[Source, ...]:
        """The sources of one family; empty if the shop does not declare the family."""
        return tuple(source for source in self.sources if source.family == family)


def _name_sources(sources: list[Any]) -> list[Any]:
    named = []
    counts: dict[str, int] = {}
    for source in sources:
        if isinstance(source, dict) and isinstance(source.get("family"), str):
            family = source["family"]
            counts[family] = counts.get(family, 0) + 1
            default = family if counts[family] == 1 else f"{family}-{counts[family]}"
            source = {**source, "name": source.get("name") or default}
        named.append(source)
    return named


def find_home_folder() -> Path:
    """Absolute path of the folder for everything generated: FUNNELSCOPE_HOME, else var in the current folder."""
    return Path(os.environ.get(HOME_VARIABLE) or "var").expanduser().absolute()


def find_config_path() -> Path:
    """Absolute path of the settings: FUNNELSCOPE_CONFIG, else ./funnelscope.yaml."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_NAME).expanduser().absolute()


def load_settings(path: Path | None = None) -> Settings:
    """The settings in `path`, else in FUNNELSCOPE_CONFIG, else in ./funnelscope.yaml.

    Raises:
        SettingsError: the file is missing or wrong; names every error with its line.
    """
    path = path or Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_NAME).expanduser()
    remedy = LocalizedMessage("start_beside_settings", name=CONFIG_NAME, variable=CONFIG_VARIABLE)
    document = YamlSource(path, Settings, _MODELS_BELOW, remedy)
    content = document.mapping()
    if "home" in content:
        raise SettingsError(
            document.message(("home",), content["home"], LocalizedMessage("home_is_set_by", variable=HOME_VARIABLE))
        )
    calendar = content.get("calendar")
    if isinstance(calendar, str):
        content["calendar"] = _read_calendar(path.parent / Path(calendar).expanduser())
    changes = content.get("change_log")
    if isinstance(changes, str):
        content["change_log"] = _read_change_log(path.parent / Path(changes).expanduser())
    if isinstance(content.get("playbook"), str):
        content["playbook"] = path.absolute().parent / Path(content["playbook"]).expanduser()
    if isinstance(expectations := content.get("expectations"), str):
        content["expectations"] = path.absolute().parent / Path(expectations).expanduser()
        if not content["expectations"].is_dir():
            words = LocalizedMessage("no_folder_for_key")
            raise SettingsError(document.message(("expectations",), expectations, words))
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        # An opening day that defaults to a wrong start_date is not a second error.
        problems = [
            details for details in error.errors() if details["loc"] != ("opening_date",) or "opening_date" in content
        ]
        raise SettingsError(*(document.problem(details) for details in problems)) from None
    settings._folder = path.absolute().parent
    return settings


def find_line(path: KeyPath) -> str:
    """`FILE, line N` of the key at `path` in the settings file that is in force."""
    document = YamlSource(find_config_path(), Settings, _MODELS_BELOW)
    return f"{document.path.name}, line {document.find_line(path)}"


class _CalendarFile(_SettingsModel):
    promotions: tuple[Promotion, ...]


def _read_calendar(path: Path) -> list[dict[str, Any]]:
    document = YamlSource(path, Settings, _MODELS_BELOW)
    content = document.content
    promotions = content.get("promotions") if isinstance(content, dict) and "promotions" in content else content
    try:
        calendar = _CalendarFile.model_validate({"promotions": promotions})
    except ValidationError as error:
        raise SettingsError(*(document.problem(details) for details in error.errors())) from None
    return [promotion.model_dump(by_alias=True) for promotion in calendar.promotions]


def _read_change_log(path: Path) -> list[Change]:
    """The entries of a CSV file with the columns date, kind, object and, optionally, note."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"date", "kind", "object"} - set(reader.fieldnames or ())
            if missing:
                raise SettingsError(
                    LocalizedMessage("change_log_lacks", file=str(path), columns=", ".join(sorted(missing)))
                )
            return [_parse_change(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(LocalizedMessage("no_utf_8", file=str(path), error=str(problem))) from None


def _parse_change(path: Path, line: int, row: Mapping[str, str]) -> Change:
    try:
        return Change.model_validate({name: row[name] for name in Change.model_fields if row.get(name)})
    except ValidationError as error:
        problem = error.errors()[0]
        column = problem["loc"][0] if problem["loc"] else ""
        raise SettingsError(f"{path}, line {line}: {column}: {row.get(str(column))!r}: {problem['msg']}") from None


_MODELS_BELOW: dict[str, type[BaseModel]] = {
    "sources": Source,
    "event_types": EventTypes,
    "join": Join,
    "exclude": Exclusion,
    "retention": Retention,
    "calendar": Promotion,
    "change_log": Change,
    "promotions": Promotion,
}
