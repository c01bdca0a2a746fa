"""SQL models: one file is one table. The header says what it is; everything else is derived from the query.

A model file opens with a comment header and closes with a select whose columns each carry a comment::

    -- One line that says what a row is for.
    --
    -- grain: session_id, business_date
    -- history: 1
    -- owner: analytics
    select
        session_id, -- the session
        ...

`history` is how many days before its own day a partition reads: a number, or `all`. The folder is
the schema, the file the table. A query reads `$from_date` to `$to_date` (both inside) and yields
the same rows for a range as for its days one by one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from funnelscope.events.metrics import METRICS, SeveralDays
from funnelscope.events.schema import FAMILIES
from funnelscope.project_files import find_project_path
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

ROOT = find_project_path("sql")
LAYERS = ("staging", "intermediate", "marts")
HEADER_KEYS = {"grain", "history", "owner", "kind"}
_TABLE = re.compile(r"\b(?:from|join)\s+((?:raw|staging|intermediate|marts|quality)\.\w+)", re.IGNORECASE)
_PARAMETER = re.compile(r"\$(\w+)")
_COLUMN = re.compile(r"(\w+),?\s+--\s+(.+)$")


class ModelError(ValueError):
    """A model file is malformed. The text names file and line."""


@dataclass(frozen=True)
class Model:
    """One SQL model.

    Attributes:
        schema: the folder: staging, intermediate or marts.
        name: the file's name, which is the table's name.
        description: the first line of the header.
        grain: the columns that identify a row.
        history_days: how many days before its own day a partition reads; None means all of them.
        owner: the responsible team.
        is_view: whether it is a view over other marts instead of a table.
        query: the statement, without the header.
        column_comments: the meaning of each output column, in order.
    """

    schema: str
    name: str
    path: Path
    description: str
    grain: tuple[str, ...]
    history_days: int | None
    owner: str
    is_view: bool
    query: str
    column_comments: Mapping[str, str]

    @property
    def table(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def dependencies(self) -> tuple[str, ...]:
        """The `schema.table` names that the query reads, sorted."""
        return tuple(sorted({match.lower() for match in _TABLE.findall(_strip_comments(self.query))}))

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of the `$parameters` in the query."""
        return frozenset(_PARAMETER.findall(_strip_comments(self.query)))

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `parameters` that the query uses. Raises ModelError if one is missing."""
        missing = self.parameters - parameters.keys()
        if missing:
            raise ModelError(f"{self.path}: no value for ${', $'.join(sorted(missing))}")
        return {name: parameters[name] for name in self.parameters}


def parse_model(path: Path) -> Model:
    """Reads one model file. Raises ModelError with file and line if it is malformed."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header_length = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line.removeprefix("--").strip() for line in lines[:header_length]]
    entries: dict[str, str] = {}
    for number, line in enumerate(header[1:], start=2):
        key, colon, value = line.partition(":")
        if not line or (not entries and key not in HEADER_KEYS):
            continue  # prose between the first line and the entries
        if not colon or key not in HEADER_KEYS:
            raise ModelError(
                f"{path}:{number}: '{line}' is not a header entry; use one of {', '.join(sorted(HEADER_KEYS))}"
            )
        entries[key] = value.strip()
    for key in ("grain", "history", "owner"):
        if key not in entries:
            raise ModelError(f"{path}:1: the header has no '{key}:'")
    history = entries["history"]
    if history != "all" and not history.isdigit():
        raise ModelError(f"{path}: history is '{history}'; write a number of days or 'all'")
    return Model(
        schema=path.parent.name,
        name=path.stem,
        path=path,
        description=header[0],
        grain=tuple(column.strip() for column in entries["grain"].split(",")),
        history_days=None if history == "all" else int(history),
        owner=entries["owner"],
        is_view=entries.get("kind") == "view",
        query="\n".join(lines[header_length:]).strip(),
        column_comments=_parse_column_comments(path, lines),
    )


def _parse_column_comments(path: Path, lines: list[str]) -> dict[str, str]:
    """The comments of the last unindented select, by column."""
    first = max((i for i, line in enumerate(lines) if re.match(r"select\b", line)), default=None)
    if first is None:
        raise ModelError(f"{path}: no final select at the start of a line")
    comments: dict[str, str] = {}
    for number, line in enumerate(lines[first + 1 :], start=first + 2):
        if re.match(r"from\b", line):
            break
        match = _COLUMN.search(line)
        if match:
            if match[1] in comments:
                raise ModelError(f"{path}:{number}: the column {match[1]} is selected twice")
            comments[match[1]] = match[2].strip()
    return comments


def _strip_comments(query: str) -> str:
    return re.sub(r"--.*", "", query)


@cache
def load_models(root: Path = ROOT) -> dict[str, Model]:
    """Every model by `schema.table`, each one after those that it reads."""
    found = [parse_model(path) for layer in LAYERS for path in sorted((root / layer).glob("*.sql"))]
    by_table = {model.table: model for model in found}
    order = TopologicalSorter({table: model.dependencies for table, model in by_table.items()}).static_order()
    return {table: by_table[table] for table in order if table in by_table}


def compute_downstream_history_days(models: Mapping[str, Model]) -> dict[str, int | None]:
    """For each model: for how many days after a changed delivery day its partitions change; None means all of them.

    The reach of a model is its own `history` plus the longest reach of what it reads.
    """
    reach: dict[str, int | None] = {}
    for table, model in models.items():
        days: list[int | None] = [reach[name] for name in model.dependencies if name in reach] or [0]
        longest = None if None in days else max(day for day in days if day is not None)
        reach[table] = None if longest is None or model.history_days is None else longest + model.history_days
    return reach


RAW_LEADING_COLUMNS = (
    ("delivery_id", "INTEGER", "the delivery in quality.deliveries"),
    (
        "row_number",
        "BIGINT",
        "row or line in the delivered file, from 1; plus 10^12 for each line before it in a record with lines",
    ),
    ("dt", "DATE", "day of delivery"),
    ("business_date", "DATE", "the event's day on the shop's clock"),
    ("local_hour", "TINYINT", "the event's hour on the shop's clock, 0 to 23"),
    ("repeat_number", "INTEGER", "1, 2, … for later exact repeats that the shop keeps; else 0"),
)

_EMPTY_INPUTS = (
    *(
        f"create table if not exists raw.{family.table} ("
        + ", ".join(
            f"{name} {kind}"
            for name, kind in (
                *((name, kind) for name, kind, _ in RAW_LEADING_COLUMNS),
                *((column.name, column.sql_type) for column in family.columns),
            )
        )
        + ")"
        for family in FAMILIES.values()
    ),
    *(
        f"create table if not exists quality.{table} "
        "(family VARCHAR, business_date DATE, delivery_id INTEGER, row_number BIGINT, reason VARCHAR)"
        for table in ("duplicate_events", "excluded_events")
    ),
)


def create_inputs(warehouse: Warehouse) -> None:
    """Creates, if absent, the tables that the staging models read: raw events, duplicates, exclusions."""
    present = warehouse.columns_by_table()
    for statement in _EMPTY_INPUTS:
        warehouse.execute(statement)
    for family in FAMILIES.values():
        if table := present.get(f"raw.{family.table}"):
            names = {name for name, _ in table}
            for column in family.columns:  # columns added to the schema after the table was created
                if column.name not in names:
                    warehouse.execute(f'alter table raw.{family.table} add column "{column.name}" {column.sql_type}')


def create_table(warehouse: Warehouse, model: Model, parameters: Mapping[str, Any]) -> None:
    """Creates the model's empty table, or its view, from the query itself.

    Raises:
        ModelError: a table with other columns than those of the query exists.
    """
    if model.is_view:
        warehouse.execute(f"create or replace view {model.table} as {model.query}")
        return
    is_known = load_models().get(model.table) is model
    wanted = derive_schemas()[model.table] if is_known else _describe_query(warehouse, model, parameters)
    _create_if_absent(warehouse, model, wanted)
    present = _describe(warehouse, model.table)
    if present != wanted:
        changed = sorted(
            {name for name, _ in set(present) ^ set(wanted)} or {"the order of columns"},
        )
        raise ModelError(
            f"{model.table} has other columns than {model.path.name} yields ({', '.join(changed)}). "
            f"Run: funnelscope rebuild {model.name}"
        )


def find_outdated_models(warehouse: Warehouse) -> list[Model]:
    """The models whose table is missing, or stands with other columns than the query yields; in building order."""
    present = warehouse.columns_by_table()
    return [
        model
        for model in load_models().values()
        if not model.is_view and present.get(model.table) != derive_schemas()[model.table]
    ]


@cache
def derive_schemas() -> dict[str, list[tuple[str, str]]]:
    """(column, type) lists by `schema.table`, from DESCRIBE on empty tables. Needs no warehouse."""
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    parameters = build_query_parameters(date(2000, 1, 1), date(2000, 1, 1))
    for model in load_models().values():
        if model.is_view:
            create_table(warehouse, model, parameters)
        else:
            _create_if_absent(warehouse, model, _describe_query(warehouse, model, parameters))
    return {table: _describe(warehouse, table) for table in load_models()}


def _describe_query(warehouse: Warehouse, model: Model, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in warehouse.rows(f"describe {model.query}", **model.bind(parameters))]


def _create_if_absent(warehouse: Warehouse, model: Model, wanted: Iterable[tuple[str, str]]) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in wanted)
    warehouse.execute(f"create table if not exists {model.table} ({columns})")


def _describe(warehouse: Warehouse, table: str) -> list[tuple[str, str]]:
    """The columns of a table or view that is there. Takes a quarter of the time of `Warehouse.columns`."""
    return [(row[0], row[1]) for row in warehouse.rows(f"describe {table}")]


ALWAYS = {"opens_at": datetime(1970, 1, 1), "closes_at": datetime(2262, 1, 1)}

DEFAULT_PARAMETERS: dict[str, Any] = {
    "active_customer_days": 180,  # a customer is active so long after the last purchase day
    "attribution_window_days": 7,  # an order belongs to a session at most so old
    "declared_families": list(FAMILIES),
    "longest_silence_minutes": 30,  # a session that is silent for longer is over
    "most_page_events_a_minute": 60,  # a session that sends more is a robot
    "order_lifetime_days": 60,  # events of one order number lie at most so far apart
    # metrics with a denominator
    "rates_and_means": [key for key, metric in METRICS.items() if metric.several_days is SeveralDays.POOLED],
    "rows_of_a_cut_export": 100_000,  # there, platforms cut their exports off
    "service_periods": [ALWAYS],  # UTC, when the service answers; one for each stretch of the days and the week before
    "shortest_stay_ms": 3000,  # a visitor who stays less has not looked
}


def build_query_parameters(from_date: date, to_date: date, **overrides: Any) -> dict[str, Any]:
    """The parameters that every model may use: the range of days, and defaults replaced by the shop's `overrides`.

    An override that depends on the days is a function of the first and the last of them.
    """
    values = {name: value(from_date, to_date) if callable(value) else value for name, value in overrides.items()}
    return {**DEFAULT_PARAMETERS, **values, "from_date": from_date, "to_date": to_date}


def replace_partitions(warehouse: Warehouse, model: Model, parameters: Mapping[str, Any]) -> int:
    """Replaces the model's days from `from_date` to `to_date` in one transaction.

    Returns the number of rows written.
    """
    with warehouse.transaction():
        warehouse.execute(
            f"delete from {model.table} where business_date between $from_date and $to_date",
            from_date=parameters["from_date"],
            to_date=parameters["to_date"],
        )
        written = warehouse.value(f"insert into {model.table} by name {model.query}", **model.bind(parameters))
    return int(written)


def materialize_model(
    warehouse: Warehouse,
    model: Model,
    chunks: Iterable[tuple[date, date]],
    **overrides: Any,
) -> int:
    """Builds the model over consecutive chunks of days. Returns the number of rows written (0 for a view)."""
    chunks = list(chunks)
    create_table(warehouse, model, build_query_parameters(*chunks[0], **overrides))
    if model.is_view:
        return 0
    return sum(replace_partitions(warehouse, model, build_query_parameters(*chunk, **overrides)) for chunk in chunks)


def split_days(
    from_date: date, to_date: date, rows_by_date: Mapping[date, int], most_rows: int = 3_000_000, most_days: int = 31
) -> list[tuple[date, date]]:
    """Splits a range into chunks of at most `most_rows` delivered rows and `most_days` days.

    A single day may hold more rows.
    """
    chunks: list[tuple[date, date]] = []
    start, rows, day = from_date, 0, from_date
    while day <= to_date:
        todays_rows = rows_by_date.get(day, 0)
        if day > start and (rows + todays_rows > most_rows or (day - start).days >= most_days):
            chunks.append((start, day - timedelta(days=1)))
            start, rows = day, 0
        rows += todays_rows
        day += timedelta(days=1)
    return [*chunks, (start, to_date)]
