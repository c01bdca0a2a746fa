"""The warehouse file: what its tables become when the contract grows, and who may write."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from funnelscope.events.schema import ORDER
from funnelscope.warehouse.connection import (
    WarehouseLockedError,
    is_lock_held,
    list_columns,
    open_in_memory_warehouse,
    open_warehouse,
)
from funnelscope.warehouse.models import create_inputs


def test_a_column_that_the_contract_got_is_added_to_raw_and_the_rows_stay() -> None:
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    warehouse.execute("insert into raw.order_events (row_number, line) values (1, 'a')")
    warehouse.execute("alter table raw.order_events drop column coupon")
    create_inputs(warehouse)
    assert {name for name, _ in warehouse.columns("raw.order_events")} >= {column.name for column in ORDER.columns}
    assert warehouse.rows("select row_number, line, coupon from raw.order_events") == [(1, "a", None)]


def test_a_second_writer_waits_and_is_told_whom_for(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    script = (
        "import sys, pathlib\nfrom funnelscope.warehouse.connection import open_warehouse\n"
        "with open_warehouse(pathlib.Path(sys.argv[1])):\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    assert is_lock_held(path.with_suffix(".lock"))
    with pytest.raises(WarehouseLockedError, match=str(writer.pid)), open_warehouse(path, wait_seconds=0.3):
        pass
    writer.kill()
    writer.wait()
    with open_warehouse(path, wait_seconds=5) as warehouse:
        assert warehouse.value("select 1") == 1


def test_a_transaction_is_whole_or_not_at_all() -> None:
    warehouse = open_in_memory_warehouse(["create table numbers (n INTEGER)"])
    with pytest.raises(duckdb.ConversionException), warehouse.transaction():
        warehouse.execute("insert into numbers values (1); insert into numbers values ('two')")
    assert warehouse.value("select count(*) from numbers") == 0


def test_columns_are_those_of_one_table_or_of_all_tables_and_views_of_all_databases() -> None:
    warehouse = open_in_memory_warehouse(
        ["create table raw.numbers (n INTEGER, name VARCHAR)", "attach ':memory:' as x"]
    )
    warehouse.execute("create view marts.names as select name from raw.numbers; create table x.main.numbers (n DATE)")
    columns = [("n", "INTEGER"), ("name", "VARCHAR")]
    assert (warehouse.columns("raw.numbers"), warehouse.columns("raw.none")) == (columns, [])
    assert warehouse.columns_by_table() == {
        "raw.numbers": columns,
        "marts.names": [("name", "VARCHAR")],
        "x.main.numbers": [("n", "DATE")],
    }


def test_columns_of_a_table_that_only_another_database_has_are_none() -> None:
    other = open_in_memory_warehouse(["create table raw.numbers (n INTEGER)"])
    warehouse = open_in_memory_warehouse()
    assert list_columns(other.connection, "raw.numbers") == [("n", "INTEGER")]
    assert list_columns(warehouse.connection, "raw.numbers") == []


def test_the_catalog_is_only_read_of_a_named_database() -> None:
    """A warehouse in memory or an attached file beside the own one has tables of the same names."""
    root = Path(__file__).parent.parent / "funnelscope"
    for file in root.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for found in re.finditer(r"duckdb_(tables|columns)\(\)", text):
            assert "database_name" in text[found.start() : found.start() + 250], f"{file}: {found.start()}"
