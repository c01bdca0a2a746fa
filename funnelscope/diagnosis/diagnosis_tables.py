"""The tables of the schema `diagnosis`: made from their records, and how a day of them is replaced and read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from funnelscope.diagnosis.records import (
    RECORD_TYPES,
    FindingRowRecord,
    R,
    Record,
    TableColumn,
    decode_records,
    encode_record,
    list_columns,
)
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

_DAY = TableColumn("business_date", "DATE", "the day that was diagnosed")


@dataclass(frozen=True)
class DiagnosisTable:
    """A table of the diagnosis, partitioned by `business_date`.

    Attributes:
        is_published: readers get it beside the marts; else it is the diagnosis' own memory.
    """

    name: str
    meaning: str
    columns: tuple[TableColumn, ...]
    is_published: bool = True

    @property
    def full_name(self) -> str:
        """The name with its schema."""
        return f"diagnosis.{self.name}"


TABLES: Mapping[str, DiagnosisTable] = {
    each.table: DiagnosisTable(each.table, each.meaning, (_DAY, *list_columns(each)), each.is_published)
    for each in RECORD_TYPES
}
FINDING_ROWS = f"diagnosis.{FindingRowRecord.table}"
PUBLISHED_TABLES = tuple(table.full_name for table in TABLES.values() if table.is_published)


def create_tables(warehouse: Warehouse) -> None:
    """Creates, where absent or of another form, the tables of the diagnosis, with the meaning of each column.

    A table of an older version that lacks only its last columns keeps its rows.
    """
    all_present = warehouse.columns_by_table()
    for table in TABLES.values():
        wanted = [(column.name, column.sql_type) for column in table.columns]
        present = all_present.get(table.full_name)
        if present == wanted:
            continue
        if present and present == wanted[: len(present)]:
            for name, kind in wanted[len(present) :]:
                warehouse.execute(f"alter table {table.full_name} add column {name} {kind}")
        else:
            columns = ", ".join(f"{name} {kind}" for name, kind in wanted)
            warehouse.execute(f"create or replace table {table.full_name} ({columns})")
        for column in table.columns:
            meaning = column.meaning.replace("'", "''")
            warehouse.execute(f"comment on column {table.full_name}.{column.name} is '{meaning}'")


def replace_day(warehouse: Warehouse, business_date: date, records: Iterable[Record]) -> None:
    """Replaces the day in every published table of the diagnosis, all or nothing; records keep their order."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for record in records:
        rows.setdefault(record.table, []).append((business_date, *encode_record(record)))
    with warehouse.transaction():
        for table in (each for each in TABLES.values() if each.is_published):
            warehouse.execute(f"delete from {table.full_name} where business_date = $day", day=business_date)
            insert_rows(warehouse, table.full_name, rows.get(table.name, []))


def read_records(
    connection: duckdb.DuckDBPyConnection, record_type: type[R], business_date: date, rest: str = ""
) -> list[R]:
    """Records of the day, from the warehouse or from a published copy.

    Args:
        rest: SQL behind the condition on the day: further conditions, an order.
    """
    cursor = connection.execute(
        f"select * from diagnosis.{record_type.table} where business_date = $1 {rest}", [business_date]
    )
    names = [column[0] for column in cursor.description or ()]
    return decode_records(record_type, names, cursor.fetchall())
