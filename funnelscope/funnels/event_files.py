"""A funnel's events from a file: Parquet, CSV or JSON lines."""

import csv
from pathlib import Path

import duckdb

from funnelscope.funnels.engine.conditions import quote_text
from funnelscope.funnels.engine.plan import FunnelPlan
from funnelscope.funnels.funnel_events import (
    EventsError,
    FunnelEvents,
    build_unit_sql,
    check_columns,
    describe_database_error,
    read_first_number,
)
from funnelscope.funnels.specification import FunnelFile
from funnelscope.settings.yaml_source import suggest_nearest

# A number as a time is in seconds, or in the unit that its size requires.
LARGEST_SECONDS, LARGEST_MILLISECONDS, LARGEST_MICROSECONDS = 1e11, 1e14, 1e17
FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
TIMES = ("TIMESTAMP", "DATE")
NO_COLUMN = ("null", "VARCHAR")
JSON_TEXT = "json_extract_string("
MAXIMUM_NOTES = 5  # about event types that never occur


def load_file(connection: duckdb.DuckDBPyConnection, file: FunnelFile, path: Path) -> FunnelEvents:
    """Reads a Parquet, CSV or JSON lines file with the unit's column, `event_type`, `event_time` and properties.

    Raises:
        EventsError: the file is missing, damaged or of another format, or holds an invalid time.
        SettingsError: the specification names a column that the file does not have; with its line.
    """
    if not path.is_file():
        raise EventsError(f"{path}: no such file of events")
    if path.suffix not in FORMATS:
        raise EventsError(f"{path}: '{path.suffix}' is not a format of events; accepted: {', '.join(FORMATS)}")
    try:
        return _load_file(connection, file, path)
    except duckdb.Error as problem:
        raise EventsError(f"{path}: cannot be read: {describe_database_error(problem)}") from None


def _load_file(connection: duckdb.DuckDBPyConnection, file: FunnelFile, path: Path) -> FunnelEvents:
    plan = file.spec.plan
    relation, known = _read_relation(connection, path)
    if known or path.suffix not in (".jsonl", ".ndjson"):  # an empty JSON lines file has no columns
        check_columns(file, plan, list(known), str(path))
    time, kind = known.get("event_time", NO_COLUMN)
    unit, event_type = (known.get(name, NO_COLUMN) for name in (file.spec.unit, "event_type"))
    expressions = [_build_property_sql(connection, relation, *known.get(name, NO_COLUMN)) for name in plan.columns]
    selected = "".join(f", {expression} as p{number}" for number, expression in enumerate(expressions))
    query = (
        f"select {build_unit_sql(*unit)} as unit, {_build_microseconds_sql(time, kind)} as t, "
        f"{event_type[0]}::varchar as event_type"
        f"{selected}, {time} as given_time from {relation}"
    )
    # Parquet is read by column as often as needed; text is parsed once.
    stored = "view" if path.suffix == ".parquet" and kind != "VARCHAR" else "table"
    connection.execute(f"create or replace temp {stored} funnel_given as {query}")
    # For an unchanged column, Parquet's statistics give the number of nulls and the last value.
    are_finite = "coalesce(isfinite(min(given_time)) and isfinite(max(given_time)), true)"
    is_time = kind.startswith(TIMES) and bool(read_first_number(connection, f"select {are_finite} from funnel_given"))
    _check_times(connection, path, "given_time" if is_time else "t")
    dropped = read_first_number(connection, "select count(*) from funnel_given where unit is null")
    named = "where unit is not null" if dropped else ""
    connection.execute(
        f"create or replace temp view funnel_events as select * exclude (given_time) from funnel_given {named}"
    )
    last = _build_microseconds_sql("max(given_time)", kind) if is_time else "max(t)"
    data_end = read_first_number(connection, f"select coalesce({last}, 0) from funnel_given {named}")
    notes = [f"{dropped} events without {file.spec.unit} are left out"] if dropped else []
    notes += _list_notes(connection, plan)
    return FunnelEvents(plan, {name: f"p{number}" for number, name in enumerate(plan.columns)}, data_end, tuple(notes))


def _build_property_sql(connection: duckdb.DuckDBPyConnection, relation: str, column: str, kind: str) -> str:
    """SQL of a property: of a list in Parquet, or where a file of JSON holds any, the list of its members as text."""
    members = column
    if column.startswith(JSON_TEXT):
        value = column.replace(JSON_TEXT, "json_extract(", 1)
        is_list = f"json_type({value}) = 'ARRAY'"
        if not read_first_number(connection, f"select coalesce(bool_or({is_list}), false) from {relation}"):
            return column
        members = f"case when {is_list} then json_extract_string({value}, '$[*]') else [{column}] end"
    elif not kind.endswith("]"):
        return column
    named = f"list_filter(list_transform({members}, lambda member: member::varchar), lambda member: member is not null)"
    return f"case when len({named}) > 0 then {named} end"


def _read_relation(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, dict[str, tuple[str, str]]]:
    """The relation to read, and (SQL, type) of each column, including those inside `properties`."""
    if path.suffix in (".jsonl", ".ndjson"):
        relation = f"(select json from read_ndjson_objects({quote_text(path)}))"
        return relation, _read_json_columns(connection, relation, "json", ("properties",))
    if path.suffix == ".csv":
        if path.stat().st_size == 0:
            raise EventsError(f"{path}: is empty; if there are no events, give a header without rows")
        relation = _build_csv_relation(path)
    else:
        relation = f"read_parquet({quote_text(path)})"
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    columns = {str(name): (_quote_identifier(str(name)), str(kind)) for name, kind, *_ in rows}
    if "properties" in columns:
        is_text = columns["properties"][1] in ("VARCHAR", "JSON")
        as_json = "properties::json" if is_text else "to_json(properties)"
        columns = _read_json_columns(connection, relation, as_json, ()) | columns
    return relation, columns


def _build_csv_relation(path: Path) -> str:
    """The file with the columns of its first line. A line with more or fewer fields is an error, not left out."""
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t|", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter))
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise EventsError(f"{path}, line 1: names the column {repeated[0]!r} twice; keep one")
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({quote_text(path)}, auto_detect = false, header = true, "
        f"delim = {quote_text(delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}})"
    )


def _read_json_columns(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, nested: tuple[str, ...]
) -> dict[str, tuple[str, str]]:
    """The keys of JSON objects, as text. Those of a nested object come after the others."""
    found: dict[str, tuple[str, str]] = {}
    for prefix in (*nested, ""):
        path = f"{column}->'/{prefix}'" if prefix else column
        objects = f"from {relation} where json_type({path}) = 'OBJECT'"
        if prefix and not read_first_number(connection, f"select count(*) {objects}"):
            continue
        keys = connection.execute(f"select distinct unnest(json_keys({path})) as key {objects} order by key").fetchall()
        for (key,) in keys:
            pointer = f"/{prefix}/" if prefix else "/"
            pointer += str(key).replace("~", "~0").replace("/", "~1")
            found[str(key)] = (f"json_extract_string({column}, {quote_text(pointer)})", "VARCHAR")
    return found


def _quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _build_microseconds_sql(time: str, kind: str) -> str:
    if kind.startswith(TIMES):
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


def _check_times(connection: duckdb.DuckDBPyConnection, path: Path, time: str) -> None:
    count = read_first_number(connection, f"select count(*) from funnel_given where {time} is null")
    if not count:
        return
    row = connection.execute(
        "select number, given_time::varchar from (select t, given_time, row_number() over () as number "
        "from funnel_given) where t is null order by number limit 1"
    ).fetchone()
    assert row
    number = row[0] + (path.suffix == ".csv")
    word = "row" if path.suffix == ".parquet" else "line"
    found = "event_time is empty" if row[1] is None else f"event_time '{row[1]}' is not a time"
    more = f", and so {'is' if count == 2 else 'are'} {count - 1:,} more" if count > 1 else ""
    raise EventsError(
        f"{path}, {word} {number}: {found}{more}; write ISO 8601 (without an offset it is UTC) or seconds since 1970"
    )


def _list_notes(connection: duckdb.DuckDBPyConnection, plan: FunnelPlan) -> list[str]:
    """Notes about event types that never occur, perhaps because they are misspelt."""
    names = [str(name) for (name,) in connection.execute("select distinct event_type from funnel_events").fetchall()]
    if not names:
        return ["there are no events"]
    wanted = [*(filter.event for filter in plan.filters), *plan.ignored]
    absent = list(dict.fromkeys(name for name in wanted if name not in (None, *names)))
    notes = [
        f"no event is a '{name}'; {suggest_nearest(str(name), sorted(names))}".rstrip("; ")
        for name in absent[:MAXIMUM_NOTES]
    ]
    return [
        *notes,
        *([f"{len(absent) - MAXIMUM_NOTES} other event types do not occur either"] if absent[MAXIMUM_NOTES:] else []),
    ]
