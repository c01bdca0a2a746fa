"""Erases a person: determines what belongs to the person, removes it, and searches for remains.

A person is the given ids and whatever belongs to nobody else: the customer that a visitor was seen as, the visitors of
that customer, their sessions, orders, conversations and clicks. What is shared with another person stays with that
person.

There are four steps, and each can be repeated. `begin_erasure` writes a note of the ids and removes the rows from raw,
staging and quarantine. Then the days that this changes are built again, as after a late delivery. Then `scrub` removes
the ids from every other table and file. `end_erasure` rewrites the warehouse, and last of all removes the note.
"""

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest import create_tables
from funnelscope.ingest.erased_people import KINDS, PEOPLE, build_quarantined_words_sql, build_token_sql, list_kinds
from funnelscope.ingest.identity import hash_identifier, use_identity_key
from funnelscope.publication.erasure_note import (
    ErasureNote,
    is_erasure_unfinished,
    read_erasure_note,
    remove_erasure_note,
    write_erasure_note,
)
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, connect_to_file, hold_write_lock, rewrite_database
from funnelscope.warehouse.replacement import FOLDER as RESTORING
from funnelscope.warehouse.snapshots import DATABASE, find_current_snapshot

ERASURE_TABLE = "create table if not exists quality.forgetting (kind VARCHAR, id BIGINT)"
SHORTEST_TEXT = 6  # within a text, a shorter id or one of digits only may mean something else
ERASED = "(erased)"
_NUMBER = re.compile(r"-?\d{10,19}")


class ErasureError(ValueError):
    """The ids cannot be erased as given. The text gives the reason and what to do."""


@dataclass(frozen=True)
class Person:
    """What would be, or was, erased of a person, in numbers.

    Attributes:
        ids: kind (customer, visitor, session, order, conversation, click) to the number of ids.
        rows: family to the number of rows in raw or, if raw no longer has them, in staging.
        quarantined: rows in quarantine.
        days: business dates that change directly; all later days are restated.
        orders, amount: number of orders removed, and the amount paid for them.
        files: the shop's own files that still hold the person and stay as they are.
        shared_visitors: visitors of the person that were also seen as somebody else, and stay.
    """

    ids: Mapping[str, int]
    rows: Mapping[str, int]
    quarantined: int
    days: tuple[date, ...]
    orders: int
    amount: Decimal
    files: tuple[str, ...]
    shared_visitors: int

    @property
    def is_anybody(self) -> bool:
        """Whether any row of the person was found."""
        return bool(self.quarantined or sum(self.rows.values()))


def find_person(warehouse: Warehouse, settings: Settings, ids: Sequence[str]) -> Person:
    """Finds the person with these ids, given as the shop delivers them, and changes nothing.

    Raises:
        ErasureError: an id is empty.
        IdentityKeyError: the key is gone.
    """
    _select_person(warehouse, settings, ids)
    return _describe_person(warehouse)


def begin_erasure(warehouse: Warehouse, settings: Settings, ids: Sequence[str]) -> Person:
    """Removes the person's rows from raw, staging and quarantine in one transaction, and from everything read later.

    An erasure that was interrupted before it came so far begins again, with its ids and those given now.

    Raises:
        ErasureError, IdentityKeyError: as `find_person`.
    """
    note = read_erasure_note(settings)
    texts = tuple({*note.texts, *ids})
    _select_person(warehouse, settings, ids if note.is_begun else texts)
    person = _describe_person(warehouse)
    write_erasure_note(settings, ErasureNote(texts, note.numbers))
    with warehouse.transaction():
        warehouse.execute("insert into quality.forgetting select kind, id from gone except from quality.forgetting")
        now = datetime.now(UTC).replace(tzinfo=None)
        warehouse.execute(
            f"insert into quality.forgotten select kind, {build_token_sql('id')}, $now from gone order by all", now=now
        )
        for family in EVENT_FAMILIES:
            _erase_rows(warehouse, family)
        _erase_quarantined(warehouse)
        _write_ledger(warehouse)
    found = {number for (number,) in warehouse.rows("select distinct id from quality.forgetting")}
    write_erasure_note(settings, ErasureNote(texts, note.numbers | found, is_begun=True))
    return person


def find_unfinished(warehouse: Warehouse, settings: Settings) -> bool:
    """Whether an erasure was begun but not finished, by this version or by one that kept no note."""
    warehouse.execute(ERASURE_TABLE)
    return is_erasure_unfinished(settings) or bool(warehouse.value("select count(*) from quality.forgetting"))


def _select_person(warehouse: Warehouse, settings: Settings, ids: Sequence[str]) -> None:
    """Fills the temporary tables gone (kind, id), gone_rows and gone_quarantine."""
    create_tables(warehouse)
    use_identity_key(warehouse, settings)
    warehouse.execute(ERASURE_TABLE)
    try:
        numbers = [hash_identifier(settings, text) for text in ids]
    except ValueError as error:
        raise ErasureError(str(error)) from None
    # Include ids of which nothing was delivered yet: later rows about the time before the erasure stay out.
    warehouse.execute(
        "create or replace temp table gone as select distinct unnest($kinds::VARCHAR[]) as kind, id "
        "from (select unnest($numbers::BIGINT[]) as id)",
        kinds=list(PEOPLE),
        numbers=numbers,
    )
    _make_events(warehouse)
    _add_relatives(warehouse)
    while _add_traces(warehouse):
        pass
    tests = " or ".join(f"{column} in (select id from gone where kind = '{kind}')" for kind, column in KINDS.items())
    warehouse.execute(f"create or replace temp table gone_rows as from person_events where {tests}")
    warehouse.execute(
        f"""
        create or replace temp table gone_quarantine as
        select distinct delivery_id, row_number
        from ({build_quarantined_words_sql("true")}) as words
        semi join gone using (id)
        union
        select delivery_id, row_number
        from quality.quarantine, (select unnest($texts::VARCHAR[]) as text)
        where row_number > 0 and contains(concat_ws(' ', content, detail), text)
        """,
        texts=select_telling_texts(ids),
    )


def select_telling_texts(ids: Sequence[str]) -> list[str]:
    """Those of the ids that can only mean the person when found within a text."""
    trimmed = [text.strip() for text in ids]
    return [text for text in trimmed if len(text) >= SHORTEST_TEXT and not text.isdigit()]


def _make_events(warehouse: Warehouse) -> None:
    """The ids of every row in raw and, for rows that raw no longer has, in staging."""
    selects = []
    for family in EVENT_FAMILIES.values():
        have = list_kinds(family.name).values()
        columns = ", ".join(column if column in have else f"null::BIGINT as {column}" for column in KINDS.values())
        is_paid = "event_type in ('paid', 'deposit_paid', 'balance_paid')" if family.name == "order" else "false"
        amount = f"case when {is_paid} then coalesce(amount, 0) + coalesce(shipping_amount, 0) else 0 end"
        amount = amount if family.name == "order" else "0"
        rest = f"business_date, event_id, {amount}::DECIMAL(18, 2) as paid, {columns}"
        selects.append(f"select '{family.name}' as family, delivery_id, row_number, {rest} from raw.{family.table}")
        if warehouse.columns(f"staging.{family.table}"):
            # Rows that raw no longer has.
            selects.append(
                f"select '{family.name}', null, null, {rest} from staging.{family.table} where business_date in "
                f"(select business_date from quality.pruned_days where family = '{family.name}')"
            )
    warehouse.execute(f"create or replace temp view person_events as {' union all '.join(selects)}")


def _add_relatives(warehouse: Warehouse) -> None:
    """Adds the only customer of a given visitor, and the visitors seen only as the person's customers."""
    warehouse.execute(
        "create or replace temp table seen_as as select distinct visitor_id, customer_id from person_events "
        "where visitor_id is not null and customer_id is not null"
    )
    warehouse.execute(
        """
        insert into gone
        select distinct 'customer', customer_id
        from seen_as
        where visitor_id in (select id from gone)
            and visitor_id in (select visitor_id from seen_as group by visitor_id having count(*) = 1)
            and customer_id not in (select id from gone where kind = 'customer')
        """
    )
    warehouse.execute(
        """
        insert into gone
        select 'visitor', visitor_id
        from seen_as
        where visitor_id not in (select id from gone where kind = 'visitor')
        group by visitor_id
        having bool_and(customer_id in (select id from gone where kind = 'customer'))
        """
    )


def _add_traces(warehouse: Warehouse) -> int:
    """Adds sessions, orders, conversations and clicks that no row links to anybody else. Returns the number added."""
    is_person = " or ".join(
        f"coalesce({column} in (select id from gone where kind = '{kind}'), false)" for kind, column in KINDS.items()
    )
    is_other = " or ".join(
        f"coalesce({column} not in (select id from gone where kind = '{kind}'), false)"
        for kind, column in PEOPLE.items()
    )
    new = 0
    for kind, column in KINDS.items():
        if kind in PEOPLE:
            continue
        row = warehouse.execute(
            f"""
            insert into gone
            with candidates as (
                select distinct {column} as id
                from person_events
                where {column} is not null and ({is_person})
                    and {column} not in (select id from gone where kind = '{kind}')
            )
            select '{kind}', {column}
            from person_events
            where {column} in (select id from candidates)
            group by {column}
            having not bool_or({is_other})
            """
        ).fetchone()
        new += int(row[0]) if row else 0
    return new


def _describe_person(warehouse: Warehouse) -> Person:
    seen = " union all ".join(
        f"select '{kind}' as kind, {column} as id from gone_rows where {column} is not null"
        for kind, column in KINDS.items()
    )
    ids = dict(
        warehouse.rows(f"select kind, count(distinct id) from ({seen}) semi join gone using (kind, id) group by kind")
    )
    files = warehouse.rows(
        "select distinct file from quality.deliveries semi join (select delivery_id from gone_rows "
        "union select delivery_id from gone_quarantine) using (delivery_id) order by file"
    )
    orders, amount = warehouse.rows("select count(distinct order_id), coalesce(sum(paid), 0) from gone_rows")[0]
    shared = warehouse.value(
        "select count(distinct visitor_id) from seen_as where visitor_id not in (select id from gone "
        "where kind = 'visitor') and customer_id in (select id from gone where kind = 'customer')"
    )
    return Person(
        ids={kind: ids[kind] for kind in KINDS if kind in ids},
        rows=dict(warehouse.rows("select family, count(*) from gone_rows group by family order by family")),
        quarantined=int(warehouse.value("select count(*) from gone_quarantine")),
        days=tuple(day for (day,) in warehouse.rows("select distinct business_date from gone_rows order by 1")),
        orders=int(orders),
        amount=amount,
        files=tuple(file for (file,) in files),
        shared_visitors=int(shared),
    )


def _erase_rows(warehouse: Warehouse, family: str) -> None:
    table = EVENT_FAMILIES[family].table
    of_raw = f"select delivery_id, row_number from gone_rows where family = '{family}' and delivery_id is not null"
    duplicates = f"family = '{family}' and (delivery_id, row_number) in ({of_raw})"
    warehouse.execute(f"delete from quality.duplicate_events where {duplicates}")
    # The quarantined copy of a raw row; the raw row itself is counted.
    warehouse.execute(f"delete from quality.quarantine where reason = 'conflicting_duplicate' and {duplicates}")
    warehouse.execute(f"delete from raw.{table} where (delivery_id, row_number) in ({of_raw})")
    if warehouse.columns(f"staging.{table}"):
        events = f"select event_id, business_date from gone_rows where family = '{family}'"
        warehouse.execute(f"delete from staging.{table} where (event_id, business_date) in ({events})")


def _erase_quarantined(warehouse: Warehouse) -> None:
    warehouse.execute(
        "delete from quality.quarantine where reason != 'conflicting_duplicate' "
        "and (delivery_id, row_number) in (from gone_quarantine)"
    )
    # Of a raw row that is not the person's, in a column that raw does not have. The row is counted with raw.
    warehouse.execute(
        "update quality.quarantine set content = '{}' where reason = 'conflicting_duplicate' "
        "and (delivery_id, row_number) in (from gone_quarantine)"
    )


def _write_ledger(warehouse: Warehouse) -> None:
    """Records in the ledger how many rows of each delivery were erased, and nothing else."""
    warehouse.execute(
        """
        update quality.deliveries
        set rows_loaded = rows_loaded - loaded, rows_erased = coalesce(rows_erased, 0) + loaded
        from (select delivery_id as id, count(*) as loaded from gone_rows where delivery_id is not null group by all)
        where delivery_id = id
        """
    )
    warehouse.execute(
        """
        update quality.deliveries
        set rows_quarantined = rows_quarantined - refused, rows_erased = coalesce(rows_erased, 0) + refused
        from (
            select delivery_id as id, rows_quarantined - count(row_number) as refused
            from quality.deliveries
            left join (
                from quality.quarantine where row_number > 0 and reason != 'conflicting_duplicate'
            ) using (delivery_id)
            where status != 'unreachable' and delivery_id in (select delivery_id from gone_quarantine)
            group by delivery_id, rows_quarantined
        )
        where delivery_id = id
        """
    )
    warehouse.execute(
        """
        update quality.delivery_dates
        set rows = rows - erased
        from (
            select delivery_id as id, business_date as day, count(*) as erased
            from gone_rows
            where delivery_id is not null
            group by all
        )
        where delivery_id = id and business_date = day
        """
    )
    _write_pruned(warehouse)
    warehouse.execute("delete from quality.delivery_dates where rows = 0")


def _write_pruned(warehouse: Warehouse) -> None:
    """Subtracts rows that only staging held. Their delivery is unknown, so the largest one of their day is used."""
    for delivery_id, day, erased in warehouse.rows(
        """
        select arg_max(pruned_days.delivery_id, (rows, pruned_days.delivery_id)), business_date, any_value(erased)
        from quality.pruned_days
        join (
            select family, business_date, count(*) as erased from gone_rows where delivery_id is null group by all
        ) using (family, business_date)
        group by family, business_date
        order by all
        """
    ):
        parameters = {"id": delivery_id, "day": day, "erased": erased}
        for table in ("pruned_days", "delivery_dates"):
            warehouse.execute(
                f"update quality.{table} set rows = rows - $erased where delivery_id = $id and business_date = $day",
                **parameters,
            )
        warehouse.execute(
            "update quality.deliveries set rows_loaded = rows_loaded - $erased, "
            "rows_erased = coalesce(rows_erased, 0) + $erased where delivery_id = $id",
            id=delivery_id,
            erased=erased,
        )


def scrub(settings: Settings) -> list[str]:
    """Removes the ids of the note from everything under the home folder except the landing zone.

    Returns where they still are. Older snapshots are deleted, and the current one is rewritten, so that its free blocks
    hold nothing of deleted rows. Readers with an open file keep reading it until they close it.

    Raises:
        WarehouseLockedError: a run is writing and does not end in time.
    """
    note = read_erasure_note(settings)
    texts, numbers = select_telling_texts(note.texts), note.numbers
    with hold_write_lock(settings.lock_path, settings.lock_wait_seconds):
        with connect_to_file(settings.warehouse_path, settings.lock_wait_seconds) as connection:
            _take_numbers(connection, numbers)
            _scrub_tables(connection)
            _scrub_words(connection, numbers, texts)
            left = _find_in_texts(connection, texts)
        _scrub_published(settings.published, numbers, texts)
        alerts = settings.home / "alerts.log"
        if alerts.exists():
            draft = alerts.with_name(f".{alerts.name}")
            draft.write_text(_remove_ids(alerts.read_text("utf-8"), numbers, texts), encoding="utf-8")
            draft.replace(alerts)
        _scrub_pages(settings.reports, numbers, texts)
        for leftover in ("spill", RESTORING, ".replaced"):  # the last is of an earlier version
            shutil.rmtree(settings.home / leftover, ignore_errors=True)
    return left


def end_erasure(settings: Settings) -> None:
    """Rewrites the warehouse without the deleted rows in its free blocks, then removes the note.

    Raises:
        WarehouseLockedError: a run is writing, or somebody reads the warehouse, and does not end in time.
    """
    with hold_write_lock(settings.lock_path, settings.lock_wait_seconds):
        with connect_to_file(settings.warehouse_path, settings.lock_wait_seconds) as connection:
            connection.execute("drop table if exists quality.forgetting")
        rewrite_database(settings.warehouse_path, settings.lock_wait_seconds)
        remove_erasure_note(settings)


# A temporary table, so that sets of ids are looked up instead of compared one by one.
_NUMBERS = "create or replace temp table gone_numbers as {}"


def _list_columns(connection: duckdb.DuckDBPyConnection, kind: str) -> dict[str, list[str]]:
    """`schema."table"` to its columns of a type, without views."""
    found: dict[str, list[str]] = {}
    for schema, table, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() semi join duckdb_tables() "
        "using (database_name, schema_name, table_name) where data_type = $kind "
        "and database_name = current_database() and table_name != 'forgetting' order by all",
        {"kind": kind},
    ).fetchall():
        found.setdefault(f'{schema}."{table}"', []).append(f'"{column}"')
    return found


def _scrub_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Deletes what remains after the days were built again, such as the last good version of a blocked day."""
    for table, columns in _list_columns(connection, "BIGINT").items():
        connection.execute(f"delete from {table} where {_build_gone_condition(columns)}")


def _build_gone_condition(columns: Sequence[str]) -> str:
    return " or ".join(f"coalesce({column} in (from gone_numbers), false)" for column in columns)


def _scrub_words(connection: duckdb.DuckDBPyConnection, numbers: Collection[int], texts: Sequence[str]) -> None:
    """Redacts the ids in texts: observed values, reasons, messages of the ledger."""
    for table, columns in _list_columns(connection, "VARCHAR").items():
        if not table.startswith(("quality.", "diagnosis.")):
            continue
        for column in columns:
            said_before = connection.execute(
                f"select distinct {column} from {table} "
                f"where {_build_holds_condition(column)} or regexp_matches({column}, '\\d{{10}}')",
                {"texts": list(texts)},
            ).fetchall()
            for (before,) in said_before:
                if (said := _remove_ids(before, numbers, texts)) != before:
                    statement = f"update {table} set {column} = $said where {column} = $before"
                    connection.execute(statement, {"said": said, "before": before})


def _build_holds_condition(column: str) -> str:
    """SQL for whether a column contains any of `$texts`."""
    return f"coalesce(list_bool_or(list_transform($texts::VARCHAR[], lambda text: contains({column}, text))), false)"


def _remove_ids(said: str, numbers: Collection[int], texts: Sequence[str]) -> str:
    said = _NUMBER.sub(lambda found: ERASED if int(found.group()) in numbers else found.group(), said)
    for text in texts:
        said = said.replace(text, ERASED)
    return said


def _find_in_texts(connection: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> list[str]:
    """Columns that are not meant for ids, such as the address of a page, but contain one."""
    found = []
    for table, columns in _list_columns(connection, "VARCHAR").items() if texts else ():
        for column in columns:
            counted = connection.execute(
                f"select count(*) from {table} where {_build_holds_condition(column)}", {"texts": list(texts)}
            ).fetchone()
            if counted and counted[0]:
                found.append(f"{table}, column {column}: {counted[0]} rows".replace('"', ""))
    return found


def _scrub_published(published: Path, numbers: Collection[int], texts: Sequence[str]) -> None:
    current = find_current_snapshot(published)
    for snapshot in (published / "snapshots").glob("*"):
        if current is None or snapshot.name != current.name:
            shutil.rmtree(snapshot)
    if current is None:
        return
    for draft in current.glob("*/*/*/*.fresh"):  # of an erasure that was interrupted
        draft.unlink()
    with duckdb.connect() as connection:
        _take_numbers(connection, numbers)
        for folder in sorted({file.parents[1] for file in current.glob("*/*/*/*.parquet")}):
            _scrub_parquet(connection, folder)
    with duckdb.connect(str(current / DATABASE)) as connection:
        _take_numbers(connection, numbers)
        _scrub_tables(connection)
        _scrub_words(connection, numbers, texts)
    rewrite_database(current / DATABASE)


def _scrub_pages(reports: Path, numbers: Collection[int], texts: Sequence[str]) -> None:
    """Takes the person's rows out of the HTML editions, where each row of a table stands on a line of its own."""
    for page in reports.glob("*/*.html"):
        before = page.read_text(encoding="utf-8")
        after = "\n".join(line for line in before.split("\n") if not _is_row_of(line, numbers, texts))
        if after != before:
            draft = page.with_name(f".{page.name}")
            draft.write_text(after, encoding="utf-8")
            draft.replace(page)


def _is_row_of(line: str, numbers: Collection[int], texts: Sequence[str]) -> bool:
    return line.startswith("<tr>") and _remove_ids(line, numbers, texts) != line


def _take_numbers(connection: duckdb.DuckDBPyConnection, numbers: Collection[int]) -> None:
    connection.execute(_NUMBERS.format("select unnest($numbers::BIGINT[]) as id"), {"numbers": sorted(numbers)})


def _scrub_parquet(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Rewrites those files of a table's folder that hold a row of the person."""
    every = f"read_parquet('{_escape_path(folder)}/*/*.parquet', union_by_name = true, filename = true)"
    columns = _list_number_columns(connection, every)
    found = connection.execute(
        f"select distinct filename from {every} where {_build_gone_condition(columns) or 'false'}"
    ).fetchall()
    for (name,) in found:
        fresh = Path(f"{name}.fresh")
        own = f"read_parquet('{_escape_path(Path(name))}', hive_partitioning = false)"
        kept = f"from {own} where not ({_build_gone_condition(_list_number_columns(connection, own))})"
        connection.execute(f"copy ({kept}) to '{_escape_path(fresh)}' (format parquet)")
        fresh.replace(name)


def _list_number_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    described = connection.execute(f"describe from {relation}").fetchall()
    return [f'"{name}"' for name, kind, *_ in described if kind == "BIGINT"]


def _escape_path(path: Path) -> str:
    return str(path).replace("'", "''")
