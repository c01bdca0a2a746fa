"""Publication: readers get a complete copy that is never written to.

`published/current` is a link to one of `published/snapshots/<id>`. A snapshot holds funnelscope.duckdb (marts and
verdicts), the same marts as Parquet with one file per table and day, and the staged events as Parquet. A new snapshot
starts as a copy of the last one (Parquet as hard links), gets the days of the run replaced, and becomes current when
the link is renamed: a reader that resolved `current` before keeps the files it opened.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from funnelscope.diagnosis.diagnosis_tables import FINDING_ROWS, PUBLISHED_TABLES
from funnelscope.diagnosis.diagnosis_tables import create_tables as create_diagnosis_tables
from funnelscope.events.schema import FAMILIES
from funnelscope.funnels.answer_table import TABLE as OWN_FUNNELS
from funnelscope.funnels.answer_table import create_table as create_own_funnels_table
from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import Model, derive_schemas, load_models
from funnelscope.warehouse.snapshots import DATABASE, find_current_snapshot

_BUILDING = ".building-"
LARGEST_BIGINT = 2**63 - 1
DAYS_PER_PASS = 90  # below DuckDB's limit of open files


class OlderCopyError(ValueError):
    """A snapshot lacks tables that this version reads. The text names them and says what to do."""


@contextmanager
def open_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens the current snapshot's database read-only and yields a DuckDB connection.

    Raises:
        FileNotFoundError: nothing has been published yet.
        OlderCopyError: the block reads a table or column that this version publishes and the snapshot lacks. Any other
            error of a query is passed on.
    """
    snapshot = find_current_snapshot(published)
    if snapshot is None:
        raise FileNotFoundError(LocalizedMessage("no_snapshot", folder=str(published)))
    connection = duckdb.connect(str(snapshot / DATABASE), read_only=True)
    try:
        yield connection
    except (duckdb.BinderException, duckdb.CatalogException) as problem:
        lacking = _find_lacking(connection, str(problem))
        if not lacking:
            raise
        raise OlderCopyError(
            f"{snapshot} was published by an earlier version and lacks what this version reads ({', '.join(lacking)}). "
            "Publish it again: funnelscope rebuild"
        ) from problem
    finally:
        connection.close()


def _find_lacking(connection: duckdb.DuckDBPyConnection, problem: str) -> list[str]:
    """Full names of tables and columns in DuckDB's error that this version publishes and the snapshot lacks."""
    quoted_or_table = re.findall(r'"([^"]+)"|Table with name (\w+)', problem.splitlines()[0])
    named = {part for found in quoted_or_table for name in found for part in name.split(".") if part}
    present: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where database_name = current_database()"
    ).fetchall():
        present.setdefault(table, set()).add(column)
    lacking = []
    for table, columns in _list_declared_columns().items():
        if table not in present:
            lacking += [table] if table.split(".")[1] in named else []
        else:
            lacking += [f"{table}.{column}" for column in columns if column in named - present[table]]
    return lacking


def _list_declared_columns() -> dict[str, list[str]]:
    """The columns of every table and view that this version publishes, by `schema.table`."""
    warehouse = open_in_memory_warehouse()
    create_ingest_tables(warehouse)
    create_gate_tables(warehouse)
    create_diagnosis_tables(warehouse)
    create_own_funnels_table(warehouse)
    warehouse.execute("attach ':memory:' as published")
    for statement in _PUBLISHED_TABLES:
        warehouse.execute(statement)
    columns = {table: derive_schemas()[table] for table in (model.table for model in _list_marts())}
    present = warehouse.columns_by_table()
    for table in (OWN_FUNNELS, *PUBLISHED_TABLES, *_JUDGED_TABLES):
        columns[table] = present[table]
    for table in _BOOKKEEPING_TABLES:
        columns[table] = present[f"published.{table}"]
    warehouse.execute("detach published")
    return {table: [name for name, _ in types] for table, types in columns.items()}


def publish(warehouse: Warehouse, published: Path, verdicts: Sequence[DayVerdict], snapshots_kept: int) -> Path:
    """Publishes the days that passed the gate, and only the verdict of the others. Returns the new snapshot.

    A day that did not pass keeps its last published version, if there is one.
    """
    snapshots = published / "snapshots"
    snapshots.mkdir(parents=True, exist_ok=True)
    for leftover in snapshots.glob(f"{_BUILDING}*"):
        shutil.rmtree(leftover)
    last = find_current_snapshot(published)
    name = _choose_next_name(snapshots, max(verdict.business_date for verdict in verdicts))
    building = snapshots / f"{_BUILDING}{name}"
    building.mkdir()
    if last:
        shutil.copytree(last, building, copy_function=_link_parquet, dirs_exist_ok=True)
    good_days = sorted(verdict.business_date for verdict in verdicts if verdict.is_publishable)
    changed_days = _replace_days(warehouse, building / DATABASE, verdicts, good_days, name)
    for table, days in changed_days.items():
        _write_parquet(warehouse, table, building, days)
    snapshot = snapshots / name
    building.rename(snapshot)
    _switch_link(published / "current", snapshot)
    _remove_old(snapshots, snapshots_kept)
    return snapshot


def read_published_days(published: Path) -> dict[date, str]:
    """The snapshot in which each published day was last written; empty before the first publication."""
    if find_current_snapshot(published) is None:
        return {}
    with open_published(published) as connection:
        return dict(connection.execute("select business_date, snapshot from quality.published_days").fetchall())


def _choose_next_name(snapshots: Path, last_date: date) -> str:
    numbers = [int(path.name.rsplit("-", 1)[1]) for path in snapshots.iterdir() if not path.name.startswith(".")]
    return f"{last_date}-{max(numbers, default=0) + 1:06d}"


def _link_parquet(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


def _list_marts() -> list[Model]:
    return [model for model in load_models().values() if model.schema == "marts"]


def _replace_days(
    warehouse: Warehouse, database: Path, verdicts: Sequence[DayVerdict], good_days: list[date], snapshot: str
) -> dict[str, list[date]]:
    """Updates the database. Returns the days with new content, by table, staged events included."""
    create_diagnosis_tables(warehouse)
    warehouse.execute(f"attach '{_escape_path(database)}' as published")
    try:
        with warehouse.transaction():
            for statement in _PUBLISHED_TABLES:
                warehouse.execute(statement)
            changed_days: dict[str, list[date]] = {}
            columns = warehouse.columns_by_table()
            for table in _list_mart_tables(warehouse):
                _fit_columns(warehouse, table, columns)
                changed_days[table] = _find_changed_days(warehouse, table, good_days)
                _replace_rows(warehouse, table, changed_days[table])
            for table in _list_event_tables():
                changed_days[table] = _find_changed_days(warehouse, table, good_days)
            # The diagnosis of a blocked day says that it is withheld, and why: readers must see that too.
            diagnosed_days = [each.business_date for each in verdicts if each.verdict != Verdict.HISTORY]
            for table in PUBLISHED_TABLES:
                _fit_columns(warehouse, table, columns)
                pruned = _find_pruned_days(warehouse, table) if table == FINDING_ROWS else []
                changed_days[table] = _find_changed_days(warehouse, table, sorted({*diagnosed_days, *pruned}))
                _replace_rows(warehouse, table, changed_days[table])
            judged_days = [verdict.business_date for verdict in verdicts]
            for table in _JUDGED_TABLES:
                _fit_columns(warehouse, table, columns)
                _replace_rows(warehouse, table, judged_days)
            _replace_counts_of_repeated(warehouse)
            _note_days(warehouse, set().union(*changed_days.values()) & set(good_days), snapshot)
    finally:
        warehouse.execute("detach published")
    _create_views(database)
    return changed_days


# Tables that are published for every judged day, even if the day itself is not published.
_JUDGED_TABLES = (
    "quality.day_verdict",
    "quality.results",
    "quality.slice_warnings",
    "quality.family_days",
    "quality.quarantine_days",
    "quality.delivery_dates",
)
_BOOKKEEPING_TABLES = ("quality.published_days", "quality.published_content")  # kept by publication itself
_PUBLISHED_TABLES = (
    "create schema if not exists published.marts",
    "create schema if not exists published.quality",
    "create schema if not exists published.diagnosis",
    "create table if not exists published.quality.published_days (business_date DATE, snapshot VARCHAR)",
    "create table if not exists published.quality.published_content "
    "(table_name VARCHAR, business_date DATE, row_count BIGINT, content_hash BIGINT)",
)
_DAYS_CONDITION = "business_date between list_min($days::DATE[]) and list_max($days::DATE[]) " + (
    "and list_contains($days::DATE[], business_date)"  # the range lets DuckDB skip data
)


def _list_event_tables() -> list[str]:
    return [f"staging.{family.table}" for family in FAMILIES.values()]


def _list_mart_tables(warehouse: Warehouse) -> list[str]:
    """The tables of the marts, and that of the shop's own funnels if it declares any."""
    own = [OWN_FUNNELS] if warehouse.columns(OWN_FUNNELS) else []
    return [*(model.table for model in _list_marts() if not model.is_view), *own]


def _find_changed_days(warehouse: Warehouse, table: str, days: list[date]) -> list[date]:
    """The days on which the table differs from what is published. Records their new content hash.

    The hash is a sum over the rows, so it does not depend on their order.
    """
    now = dict.fromkeys(days, (0, 0))
    for day, *content in warehouse.rows(
        f"select business_date, count(*), (sum(hash(given)) % {LARGEST_BIGINT})::BIGINT "
        f"from {table} as given where {_DAYS_CONDITION} group by all",
        days=days,
    ):
        now[day] = tuple(content)
    published = {
        day: tuple(content)
        for day, *content in warehouse.rows(
            "select business_date, row_count, content_hash from published.quality.published_content "
            "where table_name = $table",
            table=table,
        )
    }
    changed = [day for day in days if now[day] != published.get(day)]
    if changed:
        warehouse.execute(
            f"delete from published.quality.published_content where table_name = $table and {_DAYS_CONDITION}",
            table=table,
            days=changed,
        )
        noted = [(table, day, *now[day]) for day in changed]
        insert_rows(warehouse, "published.quality.published_content", noted)
    return changed


def _find_pruned_days(warehouse: Warehouse, table: str) -> list[date]:
    """Published days of which the warehouse has no row any more, because retention has taken them."""
    rows = warehouse.rows(
        f"select distinct business_date from published.{table} "
        f"where business_date not in (select business_date from {table})"
    )
    return [day for (day,) in rows]


def _fit_columns(warehouse: Warehouse, table: str, columns: Mapping[str, list[tuple[str, str]]]) -> None:
    """Gives the published table the columns of the warehouse table. If they differ, all its days count as changed.

    Days that are not published again keep the columns that both have. `columns` are those of `columns_by_table`.
    """
    wanted, present = columns[table], columns.get(f"published.{table}")
    if present == wanted:
        return
    if not present:
        warehouse.execute(f"create table published.{table} as from {table} limit 0")
        return
    shared = ", ".join(f'"{name}"' for name, kind in wanted if (name, kind) in present)
    warehouse.execute(f"create temp table kept_rows as select {shared} from published.{table}")
    warehouse.execute(f"create or replace table published.{table} as from {table} limit 0")
    warehouse.execute(f"insert into published.{table} by name from kept_rows")
    warehouse.execute("drop table kept_rows")
    warehouse.execute("delete from published.quality.published_content where table_name = $table", table=table)


def _replace_rows(warehouse: Warehouse, table: str, days: list[date]) -> None:
    if not days:
        return
    warehouse.execute(f"delete from published.{table} where {_DAYS_CONDITION}", days=days)
    warehouse.execute(
        f"insert into published.{table} by name select * from {table} where {_DAYS_CONDITION}",
        days=days,
    )


def _replace_counts_of_repeated(warehouse: Warehouse) -> None:
    """Publishes the counts of days that were judged before and delivered again since, with nothing new."""
    columns = ", ".join(name for name, _ in warehouse.columns_by_table()["quality.family_days"])
    now, told = (f"select {columns} from {schema}quality.family_days" for schema in ("", "published."))
    rows = warehouse.rows(
        f"select distinct business_date from (({now} except {told}) union all ({told} except {now})) "
        "where business_date in (select business_date from published.quality.day_verdict) order by 1"
    )
    for table in ("quality.family_days", "quality.quarantine_days", "quality.delivery_dates"):
        _replace_rows(warehouse, table, [day for (day,) in rows])


def _note_days(warehouse: Warehouse, days: set[date], snapshot: str) -> None:
    """Records the snapshot in which the content of a day last changed. It determines the edition of a report."""
    if not days:
        return
    warehouse.execute(f"delete from published.quality.published_days where {_DAYS_CONDITION}", days=sorted(days))
    warehouse.execute(
        "insert into published.quality.published_days select unnest($days::DATE[]), $snapshot",
        days=sorted(days),
        snapshot=snapshot,
    )


def _create_views(database: Path) -> None:
    """Views read the published tables, so they are created inside the published file."""
    with duckdb.connect(str(database)) as connection:
        for model in _list_marts():
            if model.is_view:
                connection.execute(f"create or replace view {model.table} as {model.query}")


def _write_parquet(warehouse: Warehouse, table: str, building: Path, days: list[date]) -> None:
    """Writes one file per day, also for a day without rows. The last snapshot keeps its own links."""
    folder = building / table.replace(".", "/")
    files = {day: folder / f"business_date={day}" / "part.parquet" for day in days}
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    if table in _list_event_tables():  # many rows a day: reading day by day is faster than partitioning
        for day, file in files.items():
            _copy_query(warehouse, f"select * from {table} where business_date = date '{day}'", file)
    elif days:
        _copy_by_day(warehouse, table, days, folder)
    missing = [file for file in files.values() if not file.exists()]
    for file in missing[:1]:
        _copy_query(warehouse, f"from {table} limit 0", file)
    for file in missing[1:]:
        os.link(missing[0], file)


def _copy_query(warehouse: Warehouse, query: str, file: Path) -> None:
    warehouse.execute(f"copy ({query}) to '{_escape_path(file)}' (format parquet)")


def _copy_by_day(warehouse: Warehouse, table: str, days: list[date], folder: Path) -> None:
    """One pass over a small table of many days. DuckDB keeps one file open for each."""
    for start in range(0, len(days), DAYS_PER_PASS):
        some = days[start : start + DAYS_PER_PASS]
        warehouse.execute(
            f"copy (select * from {table} where {_DAYS_CONDITION}) to '{_escape_path(folder)}' (format parquet, "
            "partition_by (business_date), write_partition_columns true, filename_pattern 'part', "
            "overwrite_or_ignore true)",
            days=some,
        )
        for day in some:
            made = list((folder / f"business_date={day}").glob("part?*.parquet"))
            if len(made) > 1:
                raise RuntimeError(f"{folder}/business_date={day} got {len(made)} files from one pass")
            for file in made:
                file.rename(file.with_name("part.parquet"))


def _switch_link(link: Path, snapshot: Path) -> None:
    fresh = link.with_name(".current")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(snapshot.relative_to(link.parent))
    fresh.replace(link)


def _remove_old(snapshots: Path, kept: int) -> None:
    """Keeps the newest snapshots. A reader with an open file keeps its content."""
    names = sorted((path for path in snapshots.iterdir() if not path.name.startswith(".")), key=_parse_number)
    for path in names[:-kept]:
        shutil.rmtree(path)


def _parse_number(path: Path) -> int:
    return int(path.name.rsplit("-", 1)[1])


def _escape_path(path: Path) -> str:
    return str(path).replace("'", "''")
