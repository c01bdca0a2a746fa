"""The events of a funnel, as the table or view `funnel_events`: unit, t, event_type and properties.

`event_files` reads them from a file, `published_events` from the published copy or the staged tables. Only the columns
that the funnel reads are loaded. Times become microseconds since 1970-01-01 UTC.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb

from funnelscope.funnels.engine.plan import FunnelPlan, walk_tests
from funnelscope.funnels.specification import FunnelFile
from funnelscope.messages.secrets import hide_secrets
from funnelscope.settings.yaml_source import KeyPath, suggest_nearest


class EventsError(ValueError):
    """A file of events cannot be used. The text names file, row and value, and says what to do."""


@dataclass(frozen=True)
class FunnelEvents:
    """What `funnel_events` holds.

    Attributes:
        plan: the funnel as it applies to these events.
        columns: SQL of each property that the funnel reads.
        data_end: time of the last event in microseconds; 0 without events.
        notes: what an analyst should know before reading the answer.
    """

    plan: FunnelPlan
    columns: Mapping[str, str]
    data_end: int
    notes: tuple[str, ...]


def open_events() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection for funnels: in memory, time zone UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def check_columns(file: FunnelFile, plan: FunnelPlan, known: list[str], where: str) -> None:
    """Raises SettingsError for the first column that the specification names and the events do not have."""
    wanted: list[tuple[KeyPath, str]] = [(("unit",), file.spec.unit), *_list_named_columns(file)]
    for name in ("event_type", "event_time"):
        if name not in known:
            raise EventsError(f"{where}: has no column {name}; {suggest_nearest(name, known)}")
    for path, name in wanted:
        if name not in known:
            raise file.problem(path, name, f"is not a column of {where}; {suggest_nearest(name, known)}")


def _list_named_columns(file: FunnelFile) -> Iterator[tuple[KeyPath, str]]:
    """Every property that the specification names, with the key that names it."""
    spec = file.spec
    for key, parts in (("steps", spec.steps), ("exclude", spec.exclude)):
        for number, part in enumerate(parts):
            for test in walk_tests(part.where):
                yield (key, number, "where", test.column), test.column
    for name in spec.same:
        yield ("same",), name
    if spec.breakdown:
        yield ("breakdown", "by"), spec.breakdown.by


def build_unit_sql(unit: str, kind: str) -> str:
    """SQL of the unit. An empty text is not a unit."""
    return f"nullif({unit}, '')" if kind == "VARCHAR" else unit


def describe_database_error(problem: duckdb.Error) -> str:
    """DuckDB's error without its suggestions and positions, which concern SQL."""
    lines = hide_secrets(str(problem)).splitlines()
    is_told = itertools.takewhile(lambda line: line and not line.startswith(("Possible", "LINE ")), lines)
    return "; ".join(is_told)


def read_first_number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The first value of the first row as an integer; 0 without rows."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
