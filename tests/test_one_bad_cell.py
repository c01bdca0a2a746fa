"""One bad cell costs its row at most, whichever column of whichever example it stands in."""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest
from intake_helpers import Shop
from test_platform_exports import (
    GOOGLE_HEADER,
    HELPDESK,
    META_HEADER,
    QIANCHUAN_HEADER,
    QIANNIU_HEADER,
    SHOPIFY_HEADER,
    WANXIANGTAI_HEADER,
    qianniu_orders,
    qianniu_row,
    shopify_rows,
    write_csv,
)

from funnelscope.ingest import find_duplicates, reconcile, take_deliveries
from funnelscope.ingest.mapping.source_mapping import list_expressions
from funnelscope.settings import Settings, Source, load_settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from pipelines.examples import FOLDER

BAD_CELLS = ("free", "9" * 40, "1e400", "2026-02-30 25:61:00", "", "{[(", "-1")


def helpdesk_rows(table: str) -> tuple[str, list[dict[str, str]]]:
    header, rows = HELPDESK[table]
    return header, list(csv.DictReader([header, *dedent(rows).strip().splitlines()]))


def google_row() -> dict[str, str]:
    values = {"date": "2026-06-12", "device": "MOBILE", "id": "991", "impressions": "170", "clicks": "35"}
    return values | {"cost_micros": "24570000"}


def meta_row() -> dict[str, str]:
    names = {"Campaign name": "summer", "Ad set name": "25-34", "Ad name": "film", "Impressions": "1200"}
    return names | {"Day": "2026-06-12", "Amount spent (USD)": "12.30", "Link clicks": "31"}


def wanxiangtai_row() -> dict[str, str]:
    return {"日期": "2026-06-15", "主体ID": "1", "主体类型": "商品", "展现量": "598", "点击量": "47", "花费": "6.46"}


# A file of an example to its header, its rows, and its encoding.
FILES: dict[tuple[str, str], Callable[[], tuple[str, list[dict[str, str]], str]]] = {
    ("shopify", "orders_export_2026-06-16.csv"): lambda: (
        SHOPIFY_HEADER,
        [row for row in shopify_rows() if row.get("Total")],
        "utf-8",
    ),
    ("shopify", "google_ads_2026-06-16.csv"): lambda: (GOOGLE_HEADER, [google_row()], "utf-8"),
    ("shopify", "meta_ads_2026-06-16.csv"): lambda: (META_HEADER, [meta_row()], "utf-8"),
    ("qianniu", "ExportOrderList202606160900.csv"): lambda: (
        QIANNIU_HEADER,
        [qianniu_row(order) for order in qianniu_orders()[:12]],
        "gb18030",
    ),
    ("qianniu", "wanxiangtai_20260616.csv"): lambda: (WANXIANGTAI_HEADER, [wanxiangtai_row()], "gb18030"),
    ("qianniu", "qianchuan_20260617.csv"): lambda: (
        QIANCHUAN_HEADER,
        [{"消耗(元)": "1,234.50", "展示次数": "20,000", "点击次数": "310", "点击率(%)": "1.55%"}],
        "utf-8",
    ),
    **{
        ("helpdesk", f"{table}_2026-06-16.csv"): lambda table=table: (*helpdesk_rows(table), "utf-8")  # type: ignore[misc]
        for table in HELPDESK
    },
}


def take(home: Path, example: str) -> tuple[Warehouse, Settings]:
    settings = load_settings(FOLDER / example / "funnelscope.yaml").model_copy(update={"home": home})
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    take_deliveries(warehouse, settings)
    find_duplicates(warehouse, date(2010, 1, 1), date(2026, 12, 31))
    assert all(record["difference"] == 0 for record in reconcile(warehouse))
    return warehouse, settings


def reads(source: Source, column: str) -> bool:
    """Whether anything that the source declares names the column, as a word of it."""
    declared = [*source.columns.values(), source.where, *list_expressions(source).values()]
    types = source.event_types.column if source.event_types else ""
    return any(re.search(rf"(?<!\w){re.escape(column.strip())}(?!\w)", text) for text in [*declared, types or ""])


def list_taken_rows(warehouse: Warehouse, source: Source) -> set[int]:
    return {
        number
        for (number,) in warehouse.rows(
            f"select row_number from raw.{source.family}_events join quality.deliveries using (delivery_id) "
            "where source = $source",
            source=source.name,
        )
    }


@pytest.mark.parametrize(("example", "name"), FILES)
def test_a_bad_cell_of_an_example_costs_its_row_at_most(tmp_path: Path, example: str, name: str) -> None:
    """In each column of each row in turn stands a bad cell; the rows in which nothing read it are all taken."""
    header, rows, encoding = FILES[example, name]()
    columns = header.split(",")
    good = tmp_path / "good"
    write_csv(good / "exports" / name, header, rows, encoding)
    before, settings = take(good, example)
    spoiled = [row | {column: cell} for cell in BAD_CELLS for column in columns for row in rows]
    write_csv(tmp_path / "bad" / "exports" / name, header, [*rows, *spoiled], encoding)
    after, _ = take(tmp_path / "bad", example)
    states = dict(after.rows("select source, status from quality.deliveries"))
    read = [source for source in settings.sources if source.name in states]
    assert read
    assert set(states.values()) == {"loaded"}, after.rows("select source, message from quality.deliveries")
    for source in read:
        taken = list_taken_rows(before, source)
        untouched = {
            2 + number
            for number in range(len(rows) + len(spoiled))
            if 2 + number % len(rows) in taken
            and (number < len(rows) or not reads(source, columns[number // len(rows) % len(columns) - 1]))
        }
        assert untouched <= list_taken_rows(after, source), source.name
    before.connection.close()
    after.connection.close()


def test_a_bad_value_of_a_typed_column_costs_its_row_at_most(tmp_path: Path) -> None:
    """Of a Parquet file: numbers that are none, or too large, and missing values."""
    good = "'C5' as InvoiceNo, 'p' as StockCode, 'd' as Description, 6::bigint as Quantity, "
    good += "timestamp '2011-12-01 10:00:00' as InvoiceDate, 1.5::double as UnitPrice, 7::double as CustomerID, "
    good += "'France' as Country"
    bad = {
        "Quantity": ("9223372036854775807", "-9223372036854775808", "null"),
        "UnitPrice": ("'nan'", "'inf'", "1e300", "null"),
        "CustomerID": ("'nan'", "'-inf'", "1e300", "null"),
        "InvoiceDate": ("'infinity'", "'1677-01-01'", "null"),
        "InvoiceNo": ("null", "'C'", "''"),
        "Country": ("repeat('x', 100000)",),
    }
    cases = [f"select * replace ({value} as {column})" for column, values in bad.items() for value in values]
    query = " union all by name ".join(f"({case} from good)" for case in ["select *", *cases, "select *"])
    (tmp_path / "exports").mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"create table good as select {good}")
        connection.execute(f"create table bad as from good where false; insert into bad by name {query}")
        connection.execute(f"copy bad to '{tmp_path / 'exports' / 'onlineretail.parquet'}' (format parquet)")
    warehouse, settings = take(tmp_path, "online_retail")
    assert warehouse.value("select status from quality.deliveries") == "loaded"
    assert {1, len(cases) + 2} <= list_taken_rows(warehouse, settings.sources[0])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    yield Shop(warehouse, tmp_path, timezone="UTC")
    warehouse.connection.close()


def by_zone(**more: Any) -> dict[str, Any]:
    """The zone of each row stands in a cell; `try` does not catch an unknown one."""
    time = {"event_time": 'timezone("zone", "at"::TIMESTAMP)'}
    return {"family": "order", "columns": {"order_id": "id"}, "expressions": time, "event_types": "paid"} | more


ZONES = "id,at,zone\n1,2026-01-06 10:00:00,Asia/Shanghai\n2,2026-01-06 10:00:00,Mars\n3,2026-01-06 10:00:00,UTC\n"


@pytest.mark.parametrize(
    "source",
    [
        by_zone(),
        by_zone(
            where='timezone("zone", "at"::TIMESTAMP) > \'2026-01-01\'',
            expressions={"event_time": '"at"', "quantity": "day(delivery_date)"},
        ),
    ],
    ids=["expression", "where"],
)
def test_an_error_that_nothing_catches_costs_its_row(shop: Shop, source: dict[str, Any]) -> None:
    told = shop.deliver(ZONES, source)
    assert (told.status, told.rows_loaded) == ("loaded", 2)
    assert [row[:2] for row in told.quarantine] == [(3, "failed_expression")]


def test_many_such_rows_are_in_quarantine_with_their_neighbours(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding each would take too long; still, nothing is lost and the file is not refused."""
    monkeypatch.setattr("funnelscope.ingest.mapping.failing_rows.MAXIMUM_SOUGHT", 4)
    lines = [f"{number},2026-01-06 10:00:00,{'Mars' if number % 2 else 'UTC'}\n" for number in range(64)]
    told = shop.deliver("id,at,zone\n" + "".join(lines), by_zone())
    assert told.status == "loaded"
    assert len(told.quarantine) + told.rows_loaded == 64
    assert 32 <= len(told.quarantine) < 64
