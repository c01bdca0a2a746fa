"""The events that a funnel is asked of, as the table `funnel_events`: a file, or what was published.

Only the columns that the funnel reads are taken. Times become microseconds since 1970-01-01 UTC.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from assets.documents import KeyPath, nearest
from assets.funnels.spec import FunnelFile
from assets.identity import hash_identifier
from assets.settings import Settings
from sql.contract import FAMILIES, Kind
from sql.funnel.conditions import text
from sql.funnel.plan import AllOf, AnyOf, Condition, EventFilter, Operator, Plan, Test, tests

# A number as a time: seconds, or what it must be when it is too large for seconds.
LARGEST_SECONDS, LARGEST_MILLISECONDS, LARGEST_MICROSECONDS = 1e11, 1e14, 1e17
FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
MOST_NOTES = 5  # of event types that never occur


class EventsError(ValueError):
    """A file of events cannot be used; the text names file, row, value and the way out."""


@dataclass(frozen=True)
class FunnelEvents:
    """What `funnel_events` holds.

    Attributes:
        plan: the funnel as it is asked of these events.
        columns: SQL of each property that the funnel reads.
        notes: what an analyst should know before reading the answer.
    """

    plan: Plan
    columns: Mapping[str, str]
    notes: tuple[str, ...]


def open_events() -> duckdb.DuckDBPyConnection:
    """A connection for funnels: in memory, its clock UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


# --- A file --------------------------------------------------------------------------------------


def load_file(connection: duckdb.DuckDBPyConnection, file: FunnelFile, path: Path) -> FunnelEvents:
    """Reads a Parquet, CSV or JSON lines file with the unit's column, `event_type`, `event_time` and properties.

    Raises:
        EventsError: the file is missing, of another format or damaged, or holds a time that is none.
        SettingsError: the specification names a column that the file has not; with its line.
    """
    if not path.is_file():
        raise EventsError(f"{path}: no such file of events")
    if path.suffix not in FORMATS:
        raise EventsError(f"{path}: '{path.suffix}' is no format of events; accepted: {', '.join(FORMATS)}")
    try:
        return _load_file(connection, file, path)
    except duckdb.Error as problem:
        raise EventsError(f"{path}: cannot be read: {_in_short(problem)}") from None


def _in_short(problem: duckdb.Error) -> str:
    """What DuckDB says without the ways out, which are options of SQL."""
    lines = str(problem).splitlines()
    return "; ".join(itertools.takewhile(lambda line: line and not line.startswith("Possible"), lines))


def _load_file(connection: duckdb.DuckDBPyConnection, file: FunnelFile, path: Path) -> FunnelEvents:
    plan = file.spec.plan
    relation, known = _relation(connection, path)
    if known or path.suffix not in (".jsonl", ".ndjson"):  # JSON lines without a line have no columns to speak of
        _check_columns(file, plan, list(known), str(path))
    time, kind = known.get("event_time", ("null", "VARCHAR"))
    unit, event_type = (known.get(name, ("null", "VARCHAR")) for name in (file.spec.unit, "event_type"))
    expressions = [known.get(name, ("null", "VARCHAR"))[0] for name in plan.columns]
    selected = "".join(f", {expression} as p{number}" for number, expression in enumerate(expressions))
    query = (
        f"select {_known_unit(*unit)} as unit, {_microseconds(time, kind)} as t, {event_type[0]}::varchar as event_type"
        f"{selected}, {time} as given_time from {relation}"
    )
    # Parquet is read by column as often as need be; text is parsed once.
    stored = "view" if path.suffix == ".parquet" else "table"
    connection.execute(f"create or replace temp {stored} funnel_given as {query}")
    _check_times(connection, path)
    connection.execute(
        "create or replace temp view funnel_events as select * exclude (given_time) from funnel_given "
        "where unit is not null"
    )
    dropped = _count(connection, "select count(*) from funnel_given where unit is null")
    notes = [f"{dropped} events without {file.spec.unit} are left out"] if dropped else []
    notes += _notes(connection, plan)
    return FunnelEvents(plan, {name: f"p{number}" for number, name in enumerate(plan.columns)}, tuple(notes))


def _known_unit(unit: str, kind: str) -> str:
    """The unit's SQL; an empty text is no unit."""
    return f"nullif({unit}, '')" if kind == "VARCHAR" else unit


def _relation(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, dict[str, tuple[str, str]]]:
    """What to read from, and (SQL, type) of each column, those inside `properties` included."""
    if path.suffix in (".jsonl", ".ndjson"):
        relation = f"(select json from read_ndjson_objects({text(path)}))"
        return relation, _json_columns(connection, relation, "json", ("properties",))
    if path.suffix == ".csv":
        if path.stat().st_size == 0:
            raise EventsError(f"{path}: is empty; a header without rows says that there are no events")
        relation = _csv(path)
    else:
        relation = f"read_parquet({text(path)})"
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    columns = {str(name): (_quoted(str(name)), str(kind)) for name, kind, *_ in rows}
    if "properties" in columns:
        is_text = columns["properties"][1] in ("VARCHAR", "JSON")
        as_json = "properties::json" if is_text else "to_json(properties)"
        columns = _json_columns(connection, relation, as_json, ()) | columns
    return relation, columns


def _csv(path: Path) -> str:
    """The file with the columns of its first line: a line that has more or fewer is an error, not left out."""
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t|", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter))
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise EventsError(f"{path}, line 1: names the column {repeated[0]!r} twice; keep one")
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({text(path)}, auto_detect = false, header = true, delim = {text(delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}})"
    )


def _json_columns(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, nested: tuple[str, ...]
) -> dict[str, tuple[str, str]]:
    """The keys of JSON objects, as text; those of a nested object as well, after those beside it."""
    found: dict[str, tuple[str, str]] = {}
    for prefix in (*nested, ""):
        path = f"{column}->'/{prefix}'" if prefix else column
        if prefix and not _count(connection, f"select count(*) from {relation} where json_type({path}) = 'OBJECT'"):
            continue
        keys = connection.execute(
            f"select distinct unnest(json_keys({path})) as key from {relation} "
            f"where json_type({path}) = 'OBJECT' order by key"
        ).fetchall()
        for (key,) in keys:
            pointer = f"/{prefix}/" if prefix else "/"
            pointer += str(key).replace("~", "~0").replace("/", "~1")
            found[str(key)] = (f"json_extract_string({column}, {text(pointer)})", "VARCHAR")
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _microseconds(time: str, kind: str) -> str:
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch_us({time}::{'timestamptz' if 'ZONE' in kind else 'timestamp'})"
    number = f"try_cast({time} as double)"
    scaled = (
        f"case when abs({number}) < {LARGEST_SECONDS} then round({number} * 1000000) "
        f"when abs({number}) < {LARGEST_MILLISECONDS} then {number} * 1000 "
        f"when abs({number}) < {LARGEST_MICROSECONDS} then {number} else {number} / 1000 end::bigint"
    )
    if kind != "VARCHAR":
        return scaled
    return f"case when {number} is null then epoch_us(try_cast({time} as timestamptz)) else {scaled} end"


def _check_columns(file: FunnelFile, plan: Plan, known: list[str], where: str) -> None:
    """Raises SettingsError for the first column that the specification names and the events have not."""
    wanted: list[tuple[KeyPath, str]] = [(("unit",), file.spec.unit), *_named_columns(file)]
    for name in ("event_type", "event_time"):
        if name not in known:
            raise EventsError(f"{where}: has no column {name}; {nearest(name, known)}")
    for path, name in wanted:
        if name not in known:
            raise file.problem(path, name, f"is no column of {where}; {nearest(name, known)}")


def _named_columns(file: FunnelFile) -> Iterator[tuple[KeyPath, str]]:
    """Every property that the specification names, with the key that names it."""
    spec = file.spec
    for key, parts in (("steps", spec.steps), ("exclude", spec.exclude)):
        for number, part in enumerate(parts):
            for test in tests(part.where):
                yield (key, number, "where", test.column), test.column
    for name in spec.same:
        yield ("same",), name
    if spec.breakdown:
        yield ("breakdown", "by"), spec.breakdown.by


def _check_times(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    count = _count(connection, "select count(*) from funnel_given where t is null")
    if not count:
        return
    row = connection.execute(
        "select number, given_time::varchar from (select t, given_time, row_number() over () as number "
        "from funnel_given) where t is null order by number limit 1"
    ).fetchone()
    assert row
    number = row[0] + (path.suffix == ".csv")
    word = "row" if path.suffix == ".parquet" else "line"
    found = "event_time is empty" if row[1] is None else f"event_time '{row[1]}' is no time"
    more = f", and so {'is' if count == 2 else 'are'} {count - 1:,} more" if count > 1 else ""
    raise EventsError(
        f"{path}, {word} {number}: {found}{more}; write ISO 8601 (without an offset it is UTC) or seconds since 1970"
    )


def _notes(connection: duckdb.DuckDBPyConnection, plan: Plan) -> list[str]:
    """Event types that never occur: perhaps misspelt."""
    names = [str(name) for (name,) in connection.execute("select distinct event_type from funnel_events").fetchall()]
    if not names:
        return ["there are no events"]
    absent = list(dict.fromkeys(filter.event for filter in plan.filters if filter.event not in (None, *names)))
    notes = [
        f"no event is a '{name}'; {nearest(str(name), sorted(names))}".rstrip("; ") for name in absent[:MOST_NOTES]
    ]
    return [*notes, *([f"nor are there {len(absent) - MOST_NOTES} other event types"] if absent[MOST_NOTES:] else [])]


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


# --- What was published --------------------------------------------------------------------------


def load_published(connection: duckdb.DuckDBPyConnection, file: FunnelFile, settings: Settings) -> FunnelEvents:
    """Reads the staged events of the current snapshot, of all families.

    Raises:
        FileNotFoundError: nothing has been published yet.
        SettingsError: the specification names an event type or a column that the contract has not; with its line.
    """
    from assets.publish import current_snapshot  # half a second that a file of events need not pay

    snapshot = current_snapshot(settings.published)
    if snapshot is None:
        raise FileNotFoundError(f"{settings.published} holds no snapshot yet. Run: funnelscope run --date YYYY-MM-DD")
    return load_staged(
        connection,
        file,
        settings,
        {
            name: f"read_parquet({text(snapshot / 'staging' / family.table / '*' / '*.parquet')}, union_by_name = true)"
            for name, family in FAMILIES.items()
            if any((snapshot / "staging" / family.table).glob("*/*.parquet"))
        },
    )


def load_staged(
    connection: duckdb.DuckDBPyConnection, file: FunnelFile, settings: Settings, tables: Mapping[str, str]
) -> FunnelEvents:
    """The same of staged tables: the SQL of each family's. Ids stand there as keyed hashes."""
    known = list(dict.fromkeys(column.name for family in FAMILIES.values() for column in family.columns))
    _check_columns(file, file.spec.plan, known, "the event contract")
    _check_event_types(file)
    plan = _with_hashed_ids(file.spec.plan, settings)
    start = plan.entered[0]
    needs_all = start is None or needs_history(plan)
    since = "" if needs_all else f"where event_time >= make_timestamp({start})"
    selects = []
    for name, table in tables.items():
        own = {column.name for column in FAMILIES[name].columns}
        columns = "".join(
            f", {column if column in own else 'null'}::{_staged_type(column)} as p{number}"
            for number, column in enumerate(plan.columns)
        )
        selects.append(
            f"select {file.spec.unit} as unit, epoch_us(event_time) as t, event_type{columns} from {table} {since}"
        )
    connection.execute(
        f"create or replace temp table funnel_events as from ({' union all '.join(selects)}) where unit is not null"
    )
    notes = () if _count(connection, "select count(*) from funnel_events") else ("there are no events",)
    return FunnelEvents(plan, {name: f"p{number}" for number, name in enumerate(plan.columns)}, notes)


def needs_history(plan: Plan) -> bool:
    """Whether events before the first entry matter."""
    return any(step.is_first_time for step in plan.steps)


def _staged_type(column: str) -> str:
    return next(found.sql_type for family in FAMILIES.values() for found in family.columns if found.name == column)


def _check_event_types(file: FunnelFile) -> None:
    known = [name for family in FAMILIES.values() for name in family.event_types]
    for key, parts in (("steps", file.spec.steps), ("exclude", file.spec.exclude)):
        for number, part in enumerate(parts):
            if part.event is not None and part.event not in known:
                text = f"is no event type of the contract; {nearest(part.event, known)}"
                raise file.problem((key, number, "event"), part.event, text.rstrip("; "))


def _with_hashed_ids(plan: Plan, settings: Settings) -> Plan:
    """The plan with the ids that it compares as they are stored."""
    return replace(
        plan,
        steps=tuple(replace(step, filter=_hashed(step.filter, settings)) for step in plan.steps),
        exclusions=tuple(replace(each, filter=_hashed(each.filter, settings)) for each in plan.exclusions),
    )


def _hashed(filter: EventFilter, settings: Settings) -> EventFilter:
    return replace(filter, where=_hashed_condition(filter.where, settings))


def _hashed_condition(condition: Condition, settings: Settings) -> Condition:
    if not isinstance(condition, Test):
        parts = tuple(_hashed_condition(part, settings) for part in condition.parts)
        return AnyOf(parts) if isinstance(condition, AnyOf) else AllOf(parts)
    kinds = {
        column.kind for family in FAMILIES.values() for column in family.columns if column.name == condition.column
    }
    if Kind.IDENTIFIER not in kinds or condition.value is None:
        return condition
    if condition.operator not in (Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN):
        raise ValueError(f"{condition.column} is stored as a hash: it can be equal or not, and nothing else")
    values: Iterable[Any] = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    hashed = tuple(str(hash_identifier(settings, str(value))) for value in values)
    return replace(condition, value=hashed if condition.operator is Operator.IN else hashed[0])
