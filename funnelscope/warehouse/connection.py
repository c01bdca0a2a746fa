"""The DuckDB file: one writer at a time, every write in a transaction."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from funnelscope.warehouse.home_version import check_home_version

SCHEMAS = ("raw", "staging", "intermediate", "marts", "quality", "diagnosis")


class WarehouseLockedError(RuntimeError):
    """Another process writes to the warehouse and did not finish within the wait."""


class Warehouse:
    """An open warehouse. Parameters of a statement are named: `$from_date` takes `from_date=`.

    Attributes:
        connection: the DuckDB connection; its time zone is UTC.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("set TimeZone = 'UTC'")
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists {schema}")

    def execute(self, statement: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(statement, parameters) if parameters else self.connection.execute(statement)

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self.execute(statement, **parameters).fetchall()

    def records(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows as dictionaries, column name to value."""
        cursor = self.execute(statement, **parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, statement: str, **parameters: Any) -> Any:
        """The first column of the first row; None where there is no row."""
        row = self.execute(statement, **parameters).fetchone()
        return row[0] if row else None

    def columns(self, table: str) -> list[tuple[str, str]]:
        """(name, type) of each column of `schema.table`, in order; empty where there is no such table."""
        schema, name = table.split(".")
        return [
            (column, kind)
            for column, kind in self.rows(
                "select column_name, data_type from duckdb_columns() "
                "where schema_name = $schema and table_name = $name and database_name = current_database() "
                "order by column_index",
                schema=schema,
                name=name,
            )
        ]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commits at the end of the block, rolls back when it raises."""
        self.connection.execute("begin transaction")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    @contextmanager
    def without_optimizers(self, *names: str) -> Iterator[None]:
        """Leaves out optimizers of DuckDB in the block, for statements that they make slower."""
        self.connection.execute(f"set disabled_optimizers = '{','.join(names)}'")
        try:
            yield
        finally:
            self.connection.execute("set disabled_optimizers = ''")


@contextmanager
def hold_write_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """Holds the lock file next to the warehouse; the kernel frees it when the process dies, however it dies.

    Raises:
        WarehouseLockedError: another process held it for all of `wait_seconds`; names that process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise WarehouseLockedError(
                        f"{path.parent} is being written by process {file.read().strip() or 'unknown'} "
                        f"(waited {wait_seconds:.0f} s). Let it finish, or stop it, and start again."
                    ) from None
                time.sleep(0.2)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_lock_held(path: Path) -> bool:
    """Whether some process holds the lock file at this moment."""
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def open_warehouse(
    path: Path,
    *,
    memory_limit: str = "",
    threads: int | None = None,
    wait_seconds: float = 60,
    is_upgraded_by_caller: bool = False,
) -> Iterator[Warehouse]:
    """Opens the warehouse for writing and closes it whatever happens.

    Args:
        is_upgraded_by_caller: open it also where its tables are of an earlier version.

    Raises:
        WarehouseLockedError: somebody else is writing.
        HomeVersionError: the tables are of another version; the text names the remedy.
    """
    with hold_write_lock(path.with_suffix(".lock"), wait_seconds):
        connection = duckdb.connect(str(path))
        try:
            connection.execute(f"set temp_directory = '{path.parent / 'spill'}'")
            if memory_limit:
                connection.execute(f"set memory_limit = '{memory_limit}'")
            if threads:
                connection.execute(f"set threads = {threads}")
            warehouse = Warehouse(connection)
            if not is_upgraded_by_caller:
                check_home_version(warehouse, path.parent)
            yield warehouse
        finally:
            connection.close()


def rewrite_database(path: Path) -> None:
    """Writes a DuckDB file anew, so that nothing of deleted rows is left in its free blocks; hold its lock.

    The new file takes the place of the old one at once; who has that open keeps it until closing it.
    """
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:  # brings the write-ahead log in
        connection.execute("checkpoint")
    with duckdb.connect() as connection:
        for name, file, options in (("old", path, " (read_only)"), ("fresh", fresh, "")):
            quoted = str(file).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name}{options}")
        connection.execute("copy from database old to fresh")
        connection.execute("detach fresh")
    fresh.replace(path)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def open_in_memory_warehouse(statements: Sequence[str] = ()) -> Warehouse:
    """A warehouse that lives as long as its process: for tests and for deriving schemas on empty tables."""
    warehouse = Warehouse(duckdb.connect())
    for statement in statements:
        warehouse.execute(statement)
    return warehouse
