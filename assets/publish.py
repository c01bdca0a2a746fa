"""Publication: readers get a finished copy that nobody writes to.

`published/current` is a link to one of `published/snapshots/<id>`. A snapshot holds funnelscope.duckdb (marts and
verdicts), the same marts as Parquet, one file a table and day, and the staged events as Parquet. A new snapshot
starts as a copy of the last one (Parquet as hard links), has the days of the run replaced, and is switched to by
renaming a link: a reader that resolved `current` before keeps the files it opened.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from assets.gate import DayVerdict
from sql.contract import FAMILIES
from sql.models import Model, load_models
from sql.warehouse import Warehouse

DATABASE = "funnelscope.duckdb"
_BUILDING = ".building-"


def current_snapshot(published: Path) -> Path | None:
    """The folder of the snapshot that readers see; None before the first publication."""
    link = published / "current"
    return link.resolve() if link.exists() else None


@contextmanager
def open_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens the current snapshot's database read-only; yields a DuckDB connection.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    snapshot = current_snapshot(published)
    if snapshot is None:
        raise FileNotFoundError(f"{published} holds no snapshot yet. Run: funnelscope run --date YYYY-MM-DD")
    connection = duckdb.connect(str(snapshot / DATABASE), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def publish(warehouse: Warehouse, published: Path, verdicts: Sequence[DayVerdict], snapshots_kept: int) -> Path:
    """Publishes the days that passed the gate and, of the others, only their verdict; returns the new snapshot.

    A day that did not pass keeps the version that was published last, if there was one.
    """
    snapshots = published / "snapshots"
    snapshots.mkdir(parents=True, exist_ok=True)
    for leftover in snapshots.glob(f"{_BUILDING}*"):
        shutil.rmtree(leftover)
    last = current_snapshot(published)
    name = _next_name(snapshots, max(verdict.business_date for verdict in verdicts))
    building = snapshots / f"{_BUILDING}{name}"
    building.mkdir()
    if last:
        shutil.copytree(last, building, copy_function=_link_parquet, dirs_exist_ok=True)
    good_days = [verdict.business_date for verdict in verdicts if verdict.is_publishable]
    _replace_days(warehouse, building / DATABASE, verdicts, good_days, name)
    _write_parquet(warehouse, building, good_days)
    snapshot = snapshots / name
    building.rename(snapshot)
    _switch(published / "current", snapshot)
    _remove_old(snapshots, snapshots_kept)
    return snapshot


def published_days(published: Path) -> dict[date, str]:
    """The snapshot in which each published day was last written; empty before the first publication."""
    if current_snapshot(published) is None:
        return {}
    with open_published(published) as connection:
        return dict(connection.execute("select business_date, snapshot from quality.published_days").fetchall())


def _next_name(snapshots: Path, last_date: date) -> str:
    numbers = [int(path.name.rsplit("-", 1)[1]) for path in snapshots.iterdir() if not path.name.startswith(".")]
    return f"{last_date}-{max(numbers, default=0) + 1:06d}"


def _link_parquet(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


def _marts() -> list[Model]:
    return [model for model in load_models().values() if model.schema == "marts"]


def _replace_days(
    warehouse: Warehouse, database: Path, verdicts: Sequence[DayVerdict], good_days: list[date], snapshot: str
) -> None:
    warehouse.execute(f"attach '{_quoted(database)}' as published")
    try:
        with warehouse.transaction():
            for schema in ("marts", "quality"):
                warehouse.execute(f"create schema if not exists published.{schema}")
            for model in _marts():
                if not model.is_view:
                    _replace_table(warehouse, model.table, good_days)
            for table in ("quality.day_verdict", "quality.results", "quality.family_days", "quality.quarantine_days"):
                _replace_table(warehouse, table, [verdict.business_date for verdict in verdicts])
            warehouse.execute(
                "create table if not exists published.quality.published_days (business_date DATE, snapshot VARCHAR)"
            )
            warehouse.execute(
                "delete from published.quality.published_days where list_contains($days, business_date)",
                days=good_days,
            )
            warehouse.execute(
                "insert into published.quality.published_days select unnest($days::DATE[]), $snapshot",
                days=good_days,
                snapshot=snapshot,
            )
    finally:
        warehouse.execute("detach published")
    _create_views(database)


def _replace_table(warehouse: Warehouse, table: str, days: list[date]) -> None:
    """Replaces the days of a published table; copies it whole where its columns changed."""
    wanted = _column_types(warehouse, table)
    if _column_types(warehouse, f"published.{table}") != wanted:
        warehouse.execute(f"create or replace table published.{table} as from {table} limit 0")
    warehouse.execute(f"delete from published.{table} where list_contains($days, business_date)", days=days)
    warehouse.execute(
        f"insert into published.{table} by name select * from {table} where list_contains($days, business_date)",
        days=days,
    )


def _column_types(warehouse: Warehouse, table: str) -> list[tuple[str, str]]:
    *database, schema, name = table.split(".")
    return [
        (column, kind)
        for column, kind in warehouse.rows(
            "select column_name, data_type from duckdb_columns() where schema_name = $schema and table_name = $name "
            "and database_name = coalesce($database, current_database()) order by column_index",
            schema=schema,
            name=name,
            database=database[0] if database else None,
        )
    ]


def _create_views(database: Path) -> None:
    """Views read the published tables: they are made inside the published file itself."""
    with duckdb.connect(str(database)) as connection:
        for model in _marts():
            if model.is_view:
                connection.execute(f"create or replace view {model.table} as {model.query}")


def _write_parquet(warehouse: Warehouse, building: Path, days: Iterable[date]) -> None:
    events = [f"staging.{family.table}" for family in FAMILIES.values()]
    marts = [model.table for model in _marts() if not model.is_view]
    for table in (*events, *marts):
        for day in days:
            _write_day(warehouse, table, building / table.replace(".", "/"), day)


def _write_day(warehouse: Warehouse, table: str, folder: Path, day: date) -> None:
    target = folder / f"business_date={day}"
    target.mkdir(parents=True, exist_ok=True)
    file = target / "part.parquet"
    file.unlink(missing_ok=True)  # the last snapshot keeps its own link
    warehouse.execute(
        f"copy (select * from {table} where business_date = date '{day}') to '{_quoted(file)}' (format parquet)"
    )


def _switch(link: Path, snapshot: Path) -> None:
    fresh = link.with_name(".current")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(snapshot.relative_to(link.parent))
    fresh.replace(link)


def _remove_old(snapshots: Path, kept: int) -> None:
    """Keeps the newest ones; a reader that still holds an open file keeps its content."""
    names = sorted((path for path in snapshots.iterdir() if not path.name.startswith(".")), key=_number)
    for path in names[:-kept]:
        shutil.rmtree(path)


def _number(path: Path) -> int:
    return int(path.name.rsplit("-", 1)[1])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
