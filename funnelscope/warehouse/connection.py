"""The DuckDB file: one writer at a time, every write in a transaction."""

import fcntl
import os
import re
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import duckdb

from funnelscope.messages.wording import list_languages, load_words
from funnelscope.warehouse.home_version import check_home_version
from funnelscope.warehouse.replacement import finish_replacement

_IN_MEMORY, _NUMBERS = "memory_", count(1)  # names of the databases of warehouses in memory
SCHEMAS = ("raw", "staging", "intermediate", "marts", "quality", "diagnosis")


class WarehouseLockedError(RuntimeError):
    """Another process was still writing to the warehouse when the wait ended."""


class Readable(Protocol):
    """Whatever has the tables: the warehouse, or its published copy."""

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query, as tuples."""


class Warehouse:
    """An open warehouse. Statements take named parameters: `$from_date` takes `from_date=`.

    Attributes:
        connection: the DuckDB connection; its time zone is UTC.
        log: the write-ahead log, which is created before DuckDB would, for its owner only; None in memory.
    """

    log: Path | None = None

    def __init__(self, connection: duckdb.DuckDBPyConnection, log: Path | None = None) -> None:
        self.connection, self.log = connection, log
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        for schema in SCHEMAS:
            self.execute(f"create schema if not exists {schema}")

    def execute(self, statement: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        """Runs a statement and returns DuckDB's cursor."""
        if self.log and not self.log.exists():
            os.close(os.open(self.log, os.O_WRONLY | os.O_CREAT, 0o600))
        return self.connection.execute(statement, parameters) if parameters else self.connection.execute(statement)

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query, as tuples."""
        return self.execute(statement, **parameters).fetchall()

    def records(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows as dictionaries, column name to value."""
        cursor = self.execute(statement, **parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, statement: str, **parameters: Any) -> Any:
        """The first column of the first row; None if there is no row."""
        row = self.execute(statement, **parameters).fetchone()
        return row[0] if row else None

    def columns(self, table: str) -> list[tuple[str, str]]:
        """(name, type) of each column of `schema.table`, in order; empty if the table does not exist."""
        return list_columns(self.connection, table)

    def columns_by_table(self) -> dict[str, list[tuple[str, str]]]:
        """The same of every table and view, in the time that it takes for one: `database.schema.table` if attached.

        Other warehouses in memory, which share the DuckDB of the process, are left out.
        """
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in self.rows(
            "select if(database_name = current_database(), '', database_name || '.') || schema_name || '.' "
            "|| table_name, column_name, data_type from duckdb_columns() where not internal "
            f"and (database_name = current_database() or not starts_with(database_name, '{_IN_MEMORY}')) "
            "order by column_index"
        ):
            found.setdefault(table, []).append((column, kind))
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: commits at the end of the block, rolls back if the block raises."""
        self.connection.execute("begin transaction")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    @contextmanager
    def without_optimizers(self, *names: str) -> Iterator[None]:
        """Disables optimizers of DuckDB within the block, for statements that they slow down."""
        self.connection.execute(f"set disabled_optimizers = '{','.join(names)}'")
        try:
            yield
        finally:
            self.connection.execute("set disabled_optimizers = ''")


def list_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """(name, type) of each column of `schema.table`, in order; empty if the connection's own database lacks it."""
    return connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where schema_name = $1 and table_name = $2 and database_name = current_database() order by column_index",
        table.split("."),
    ).fetchall()


@contextmanager
def hold_write_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """Holds the lock file next to the warehouse. The kernel releases it when the process dies, in whatever way.

    Whoever gets it first completes a restore that was interrupted.

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
                        f"(waited {wait_seconds:.0f} s). Wait until it ends, or stop it; then start again."
                    ) from None
                time.sleep(0.2)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        finish_replacement(path.parent)
        yield


def is_lock_held(path: Path) -> bool:
    """Whether any process holds the lock file now."""
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def locate_log(path: Path) -> Path:
    """The write-ahead log of a DuckDB file."""
    return path.with_name(f"{path.name}.wal")


def remove_database(path: Path) -> None:
    """Deletes a DuckDB file with its log: DuckDB would replay a log that is left into the next file of that name."""
    locate_log(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@contextmanager
def create_privately() -> Iterator[None]:
    """Files that this process creates within the block can be read by their owner only."""
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)


def connect_to_file(path: Path, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    """Connects for writing to a DuckDB file, which only its owner can read. The caller must hold its lock.

    Raises:
        WarehouseLockedError: a program that knows nothing of our lock had it open for all of `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            with create_privately():
                connection = duckdb.connect(str(path))
            break
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            if time.monotonic() >= deadline:
                raise WarehouseLockedError(_name_holder(path, str(error), wait_seconds)) from None
            time.sleep(0.2)
    if path.stat().st_mode & 0o077:  # of an earlier version
        path.chmod(0o600)
    return connection


def _name_holder(path: Path, error: str, wait_seconds: float) -> str:
    """In every language: whoever opens a warehouse does not know that of its shop."""
    found = re.search(r"held in (\S+).*?\(PID (\d+)\)", error)
    program, process = (Path(found[1]).name, found[2]) if found else ("?", "?")
    values = {"path": str(path), "program": program, "process": process, "seconds": f"{wait_seconds:.0f}"}
    values["readers"] = str(path.parent / "published" / "current" / "funnelscope.duckdb")
    return "\n".join(load_words(language).text("home", "held", **values) for language in list_languages())


@contextmanager
def open_warehouse(
    path: Path,
    *,
    memory_limit: str = "",
    threads: int | None = None,
    wait_seconds: float = 60,
    is_upgraded_by_caller: bool = False,
) -> Iterator[Warehouse]:
    """Opens the warehouse for writing and always closes it.

    Args:
        is_upgraded_by_caller: open it also where its tables are of an earlier version.

    Raises:
        WarehouseLockedError: another process is writing, or a reader has the file open.
        HomeVersionError: the tables belong to another version; the message names the remedy.
    """
    begin = time.monotonic()
    with hold_write_lock(path.with_suffix(".lock"), wait_seconds):
        connection, log = connect_to_file(path, max(0, begin + wait_seconds - time.monotonic())), locate_log(path)
        try:
            with create_privately():
                (path.parent / "spill").mkdir(exist_ok=True)
            connection.execute(f"set temp_directory = '{path.parent / 'spill'}'")
            if memory_limit:
                connection.execute(f"set memory_limit = '{memory_limit}'")
            if threads:
                connection.execute(f"set threads = {threads}")
            warehouse = Warehouse(connection, log)
            if not is_upgraded_by_caller:
                check_home_version(warehouse, path.parent)
            yield warehouse
        finally:
            if log.exists() and not log.stat().st_size:
                log.unlink()  # made for writes that did not come; DuckDB does not know of it
            connection.close()


def rewrite_database(path: Path, wait_seconds: float = 0) -> None:
    """Rewrites a DuckDB file, so that its free blocks keep nothing of deleted rows. The caller must hold its lock.

    The new file replaces the old one atomically, with its permissions. Readers that have the old one open keep it until
    they close it.
    """
    fresh = path.with_name(f".{path.name}.fresh")
    remove_database(fresh)
    mode = path.stat().st_mode & 0o777
    with connect_to_file(path, wait_seconds) as connection:  # merges the write-ahead log into the file
        connection.execute("checkpoint")
    with create_privately(), duckdb.connect() as connection:
        for name, file, options in (("old", path, " (read_only)"), ("fresh", fresh, "")):
            quoted = str(file).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name}{options}")
        connection.execute("copy from database old to fresh")
        connection.execute("detach fresh")
    fresh.chmod(mode)
    locate_log(path).unlink(missing_ok=True)
    fresh.replace(path)


@cache
def open_scratch() -> duckdb.DuckDBPyConnection:
    """The DuckDB in memory of this process, for cursors: starting another takes twenty milliseconds."""
    return duckdb.connect()


def open_in_memory_warehouse(statements: Sequence[str] = ()) -> Warehouse:
    """A warehouse in memory, for tests and for deriving schemas from empty tables. It shares DuckDB's settings."""
    connection, name = open_scratch().cursor(), f"{_IN_MEMORY}{next(_NUMBERS)}"
    connection.execute(f"attach ':memory:' as {name}; use {name}")
    warehouse = Warehouse(connection)
    weakref.finalize(connection, open_scratch().execute, f"detach {name}").atexit = False
    for statement in statements:
        warehouse.execute(statement)
    return warehouse
