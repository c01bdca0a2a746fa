"""Empty text means no value where a source computes, as it does in a plain column."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from intake_helpers import Shop

from funnelscope.ingest.mapping.empty_texts import keep_questions_for_empty
from funnelscope.warehouse.connection import open_in_memory_warehouse

HEADER = "number,paid,cancelled,note\n"
ORDERS = HEADER + (
    "1,2026-01-06 10:00:00,,a\n2,,2026-01-06 11:00:00,b\n3,-,2026-01-06 12:00:00,\n4, ,2026-01-06 13:00:00,-\n"
)
SOURCE: dict[str, Any] = {
    "family": "order",
    "columns": {"order_id": "number"},
    "expressions": {"event_time": "coalesce(paid, cancelled)", "error_code": "note || '!'"},
    "event_types": "created",
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def as_parquet(text: str, folder: Path) -> bytes:
    header, *lines = (line.split(",") for line in text.splitlines())
    columns = {name: [line[place] for line in lines] for place, name in enumerate(header)}
    pq.write_table(pa.table(columns), folder / "written.parquet")
    return (folder / "written.parquet").read_bytes()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_expression_sees_no_value_where_a_text_is_empty_or_means_none(
    ending: str, shop: Shop, tmp_path: Path
) -> None:
    content = ORDERS.encode() if ending == "csv" else as_parquet(ORDERS, tmp_path)
    told = shop.deliver(content, SOURCE, f"orders.{ending}")
    assert (told.rows_loaded, told.quarantine) == (4, [])
    assert [f"{time:%H}" for time in shop.column("event_time")] == ["02", "03", "04", "05"]
    assert shop.column("error_code") == ["a!", "b!", None, None]


def test_the_source_s_own_empty_values_count_and_the_others_do_not(shop: Shop) -> None:
    source = SOURCE | {"empty_values": ["b"], "expressions": SOURCE["expressions"] | {"event_time": "cancelled"}}
    shop.deliver(ORDERS.replace("1,2026-01-06 10:00:00,,", "1,,2026-01-06 10:00:00,"), source)
    assert shop.column("error_code") == ["a!", None, None, "-!"]


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("paid is null", [2, 3, 4]),
        ("paid is not null", [1]),
        ("paid = ''", [2, 3, 4]),
        ("trim(paid) = ''", [2, 3, 4]),
        ("'' = paid", [2, 3, 4]),
        ("paid <> ''", [1]),
        ("not (paid <> '')", [2, 3, 4]),
        ("paid in ('', 'x')", [2, 3, 4]),
        ("paid not in ('x', '')", [1]),
        ("case paid when '' then note is not distinct from 'b' else true end", [1, 2]),
        ("paid <> '-'", [1]),
        ("note = 'a' or cancelled <> ''", [1, 2, 3, 4]),
    ],
)
def test_a_condition_asks_whether_there_is_a_value_by_null_or_by_an_empty_text(
    where: str, chosen: list[int], shop: Shop
) -> None:
    told = shop.deliver(ORDERS, SOURCE | {"where": where})
    assert [number - 1 for number in shop.column("row_number")] == chosen
    assert told.message == (f"{4 - len(chosen)} rows left out by where" if len(chosen) < 4 else "")


def test_rows_that_an_empty_value_leaves_undecided_are_told(shop: Shop) -> None:
    told = shop.deliver(ORDERS, SOURCE | {"where": "note <> 'b'"})
    assert told.rows_loaded == 1
    assert told.message == (
        "3 rows left out by where; 2 of them because an empty value leaves the condition of where open"
    )


def test_the_delivered_content_stays_as_it_came(shop: Shop) -> None:
    source = SOURCE | {"expressions": {"event_time": "paid::TIMESTAMP"}, "where": "note is null or note <> 'x'"}
    told = shop.deliver(HEADER + "1,never,-,-\n", source)
    assert [(row, reason) for row, reason, _ in told.quarantine] == [(2, "failed_expression")]
    assert shop.warehouse.value("select content from quality.quarantine") == "1,never,-,-\n"


def test_an_error_that_escapes_try_costs_only_the_rows_that_have_a_value(shop: Shop) -> None:
    zoned = {"event_time": "timezone(note, '2026-01-06 10:00:00'::TIMESTAMP)"}
    content = HEADER + "1,,,Asia/Shanghai\n2,,,Nowhere/Land\n3,,,\n"
    told = shop.deliver(content, SOURCE | {"expressions": zoned})
    assert [(row, reason) for row, reason, _ in told.quarantine] == [(3, "failed_expression"), (4, "missing_value")]


def test_an_expression_that_asks_nothing_of_an_empty_text_is_left_as_it_was_written() -> None:
    for written in ("replace(a, '-', '')", "nullif(a, '')", "a = 'x'", "a || ''"):
        assert keep_questions_for_empty(written, ("-",)) == written
