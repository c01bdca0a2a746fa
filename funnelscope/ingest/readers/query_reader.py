"""Sources that are a query on an attached DuckDB, SQLite or Parquet file instead of plain deliveries."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.secrets import hide_secrets
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_literal

BATCH_ROWS = 50_000
STAGED = "temp.staged_query"


def read_query(warehouse: Warehouse, path: Path, query: str) -> tuple[DeliveryRows, int]:
    """Stages the result of the query in a temporary table, with its row order and types. Returns it and its row count.

    The query names the tables of the attached file directly. A Parquet file is the table `delivery`. No other file can
    be read or written, and no setting changed.

    Raises:
        DeliveryError: the query fails.
    """
    warehouse.execute(f"drop table if exists {STAGED}")
    row_count = 0
    try:
        for position, batch in enumerate(_read_batches(path, query)):
            numbers = pa.array(range(row_count + 1, row_count + len(batch) + 1), pa.int64())
            chunk = pa.Table.from_batches([batch]).append_column("row_number_", numbers)
            warehouse.connection.register("funnelscope_chunk", chunk)
            if position == 0:
                warehouse.execute(f"create temp table {STAGED.removeprefix('temp.')} as from funnelscope_chunk")
            else:
                warehouse.execute(f"insert into {STAGED} from funnelscope_chunk")
            warehouse.connection.unregister("funnelscope_chunk")
            row_count += len(batch)
    except (duckdb.Error, sqlite3.Error) as error:
        first_line = hide_secrets(str(error)).splitlines()[0]
        raise DeliveryError(
            QuarantineReason.FAILED_QUERY, LocalizedMessage("query_fails", file=path.name, error=first_line)
        ) from None
    columns = {
        name: kind for name, kind, *_ in warehouse.rows(f"describe select * exclude (row_number_) from {STAGED}")
    }
    return DeliveryRows(STAGED, "row_number_", columns), row_count


def _read_batches(path: Path, query: str) -> Iterator[pa.RecordBatch]:
    """The result in batches; at least one, possibly empty, which carries the columns."""
    with path.open("rb") as stream:
        start = stream.read(16)
    if not start:
        raise DeliveryError(QuarantineReason.FAILED_QUERY, LocalizedMessage("holds_no_database", file=path.name))
    if start == b"SQLite format 3\0":
        yield from _read_sqlite_batches(path, query)
        return
    is_parquet = start.startswith(b"PAR1")
    with duckdb.connect(":memory:" if is_parquet else str(path), read_only=not is_parquet) as connection:
        connection.execute("set TimeZone = 'UTC'")
        if is_parquet:
            connection.execute(f"create view delivery as from read_parquet({quote_literal(str(path))})")
        connection.execute(f"set allowed_paths = [{quote_literal(str(path))}]")
        connection.execute("set enable_external_access = false; set lock_configuration = true")
        reader: Any = connection.sql(query).to_arrow_reader(BATCH_ROWS)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def _allow_reading(action: int, *_: object) -> int:
    """SQLite asks for each action of a statement: reading is allowed; attaching another file and the like is not."""
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def _read_sqlite_batches(path: Path, query: str) -> Iterator[pa.RecordBatch]:
    """SQLite columns have no fixed type: every value is read as text."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.set_authorizer(_allow_reading)
        cursor = connection.execute(query)
        schema = pa.schema([(column[0], pa.string()) for column in cursor.description or ()])
        yield pa.RecordBatch.from_pylist([], schema=schema)
        while rows := cursor.fetchmany(BATCH_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [pa.array([None if value is None else str(value) for value in column]) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
