"""Every row of every delivery is in raw or in quarantine, whatever the file looks like and whatever happens to it."""

import gzip
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from intake_helpers import read_input_versions

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest import (
    IngestError,
    create_tables,
    find_duplicates,
    find_family_presence,
    reconcile,
    take_deliveries,
)
from funnelscope.ingest import deliveries as deliveries_module
from funnelscope.ingest.identity import hash_identifier
from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.readers.query_reader import read_query
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

CONTRACT_PAGE = Path(__file__).parents[1] / "docs" / "contract.md"
DAY = date(2026, 1, 6)
DT = f"dt={DAY}"
EVERY_FAMILY = [{"family": name} for name in EVENT_FAMILIES]

ROWS: list[dict[str, Any]] = [
    {
        "event_id": "e1",
        "event_time": "2026-01-06T02:00:00Z",
        "event_type": "product_view",
        "visitor_id": "v1",
        "session_id": "s1",
        "is_bot": "false",
        "page_type": "product",
        "page": "首页, with comma",
        "dwell_ms": "3000",
        "scroll_ratio": "0.25",
        "displayed_price": "19.90",
    },
    {
        "event_id": "e2",
        "event_time": "2026-01-06T10:30:00+08:00",
        "event_type": "add_to_cart",
        "visitor_id": "v2",
        "customer_id": "c2",
        "page": 'quoted "twice"\nover two lines',
        "product_id": "p1",
    },
    {"event_id": "e3", "event_time": "2026-01-06 23:59:59.5", "event_type": "page_leave", "dwell_ms": "0"},
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    yield (opened := open_in_memory_warehouse())
    opened.connection.close()


def settings_for(home: Path, *sources: dict[str, Any], **others: Any) -> Settings:
    given = {"shop": "demo", "start_date": "2026-01-01", "sources": list(sources or EVERY_FAMILY), "home": home}
    return Settings.model_validate(given | others)


def put(home: Path, name: str, content: str | bytes, family: str = "page", dt: str = DT) -> Path:
    path = home / "landing" / family / dt / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [delimiter.join(names)]
    for row in rows:
        values = (str(row.get(name, "")) for name in names)
        lines.append(delimiter.join('"' + value.replace('"', '""') + '"' for value in values))
    return "\n".join(lines) + "\n"


def as_json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_parquet(rows: list[dict[str, Any]], path: Path) -> bytes:
    """Typed as a shop would write it: an instant, whole numbers, decimals."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    pq.write_table(pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}), path)
    types = {"dwell_ms": "INTEGER", "scroll_ratio": "DOUBLE", "displayed_price": "DECIMAL(18,2)", "is_bot": "BOOLEAN"}
    columns = ", ".join(f"{name}::{types.get(name, 'VARCHAR')} as {name}" for name in names)
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {columns} from '{path}') to '{path}.typed' (format parquet)")
    return Path(f"{path}.typed").read_bytes()


def raw(warehouse: Warehouse, family: str = "page", without: str = "delivery_id, row_number") -> list[dict[str, Any]]:
    return warehouse.records(f"select * exclude ({without}) from raw.{family}_events order by event_id, row_number")


def reasons(warehouse: Warehouse) -> list[tuple[int, str]]:
    return [
        (row, reason)
        for row, reason in warehouse.rows(
            "select row_number, reason from quality.quarantine order by file, row_number, reason"
        )
    ]


def assert_nothing_lost(warehouse: Warehouse) -> None:
    for record in reconcile(warehouse):
        assert record["difference"] == 0, record
        assert record["rows_read"] == record["accepted"] + record["duplicates"] + record["quarantined"]
    off = warehouse.rows(
        "select file, rows_read, rows_loaded, rows_quarantined from quality.deliveries "
        "where rows_read <> rows_loaded + rows_quarantined"
    )
    assert off == []


def packed(kind: str, rows: list[dict[str, Any]], folder: Path) -> tuple[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    name, _, compression = kind.partition(".")
    if name == "parquet":
        return "events.parquet", as_parquet(rows, folder / "events.parquet")
    content = (as_csv(rows) if name == "csv" else as_json_lines(rows)).encode()
    if compression == "gz":
        content = gzip.compress(content)
    elif compression == "zst":
        content = pa.compress(content, "zstd", asbytes=True)
    return f"events.{kind}", content


KINDS = ["parquet", "csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst"]


def test_every_format_and_compression_gives_the_same_raw_rows(tmp_path: Path) -> None:
    results = []
    for kind in KINDS:
        home = tmp_path / kind
        (home).mkdir()
        (home / "identity.key").write_text("k" * 18)
        put(home, *packed(kind, ROWS, tmp_path / "made" / kind))
        warehouse = open_in_memory_warehouse()
        intake = take_deliveries(warehouse, settings_for(home))
        assert (intake.loaded, intake.rows_loaded, intake.rows_quarantined) == (1, 3, 0), kind
        assert_nothing_lost(warehouse)
        results.append(raw(warehouse))
    assert all(result == results[0] for result in results)
    by_type = {row["event_type"]: row for row in results[0]}
    viewed, carted, left = by_type["product_view"], by_type["add_to_cart"], by_type["page_leave"]
    assert viewed["event_time"] == datetime(2026, 1, 6, 2)
    assert viewed["local_hour"] == 10
    assert viewed["displayed_price"] == Decimal("19.90")
    assert viewed["shop"] == "demo"
    assert viewed["is_bot"] is False
    assert carted["event_time"] == datetime(2026, 1, 6, 2, 30)
    assert left["event_time"] == datetime(2026, 1, 6, 15, 59, 59, 500000), "a time without offset is the shop's"
    assert {row["business_date"] for row in results[0]} == {DAY}


def test_ids_are_stored_as_the_number_that_python_gives(home: Path, warehouse: Warehouse) -> None:
    settings = settings_for(home)
    put(home, "a.jsonl", as_json_lines(ROWS))
    take_deliveries(warehouse, settings)
    stored = {(row["event_id"], row["visitor_id"]) for row in raw(warehouse)}
    assert (hash_identifier(settings, "e1"), hash_identifier(settings, "v1")) in stored
    assert (hash_identifier(settings, "e3"), None) in stored


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-16", "utf-8-sig"])
def test_other_encodings_are_read(encoding: str, home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", as_csv(ROWS).encode(encoding))
    take_deliveries(warehouse, settings_for(home, {"family": "page", "encoding": encoding}))
    assert "首页, with comma" in [row["page"] for row in raw(warehouse)]
    assert_nothing_lost(warehouse)


def test_bytes_of_another_encoding_are_quarantined_with_their_line(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", as_csv(ROWS).encode("gbk"))
    intake = take_deliveries(warehouse, settings_for(home))
    assert intake.rows_loaded == 2
    assert reasons(warehouse) == [(2, "bad_encoding")]
    assert "with comma" in warehouse.value("select content from quality.quarantine")


BAD_VALUES = {
    "missing_value": {"event_time": ""},
    "bad_time": {"event_time": "yesterday"},
    "unknown_event_type": {"event_type": "teleport"},
    "bad_type": {"dwell_ms": "3.7"},
    "value_out_of_contract": {"page_type": "cellar"},
    "before_start_date": {"event_time": "2025-12-31 23:59:59"},
    "future_date": {"event_time": "2026-01-08 00:00:00"},
}


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_bad_value_sends_its_row_to_quarantine_and_no_other(kind: str, home: Path, warehouse: Warehouse) -> None:
    rows = [dict(ROWS[0], event_id="good")]
    rows += [dict(ROWS[0], event_id=reason) | wrong for reason, wrong in BAD_VALUES.items()]
    if kind == "parquet":  # a typed column cannot hold it
        rows[4]["dwell_ms"] = "-1"
    put(home, *packed(kind, rows, home / "made"))
    take_deliveries(warehouse, settings_for(home))
    first = 1 if kind != "csv" else 2
    wanted = ["value_out_of_contract" if kind == "parquet" and r == "bad_type" else r for r in BAD_VALUES]
    assert reasons(warehouse) == [(first + 1 + place, reason) for place, reason in enumerate(wanted)]
    assert len(raw(warehouse)) == 1
    assert_nothing_lost(warehouse)
    details = dict(warehouse.rows("select reason, detail from quality.quarantine"))
    assert "teleport" in details["unknown_event_type"]
    assert "yesterday" in details["bad_time"]


def test_a_business_day_ends_where_the_shop_says(home: Path, warehouse: Warehouse) -> None:
    rows = [
        dict(ROWS[0], event_id=str(i), event_time=t)
        for i, t in enumerate(
            ["2026-01-05T15:59:59Z", "2026-01-05T16:00:00Z", "2026-01-06T15:59:59Z", "2026-01-06T16:00:00Z"]
        )
    ]
    put(home, "a.jsonl", as_json_lines(rows))
    intake = take_deliveries(warehouse, settings_for(home))
    counts = dict(warehouse.rows("select business_date, rows from quality.delivery_dates"))
    assert counts == {date(2026, 1, 5): 1, DAY: 2, date(2026, 1, 7): 1}
    assert intake.touched_dates["page"] == set(counts)


def test_broken_records_keep_their_line_and_text(home: Path, warehouse: Warehouse) -> None:
    lines = as_csv(ROWS).splitlines()
    put(home, "a.csv", "\n".join([lines[0], lines[1], "too,few", "", lines[1] + ",many", '"e9"x,y', *lines[2:]]) + "\n")
    put(
        home,
        "b.jsonl",
        '{"event_id": \n[1]\n\n"x"\n' + as_json_lines(ROWS) + '{"A": 1, "a": 2}\n' + "[" * 100_000 + "\n",
    )
    intake = take_deliveries(warehouse, settings_for(home))
    assert intake.rows_loaded == 6
    csv_bad = [(3, "wrong_field_count"), (5, "wrong_field_count"), (6, "bad_record")]
    assert reasons(warehouse) == csv_bad + [(row, "bad_record") for row in (1, 2, 4, 8, 9)]
    contents = [content for (content,) in warehouse.rows("select content from quality.quarantine where row_number = 3")]
    assert contents == ["too,few\n"]
    numbers = warehouse.rows(
        "select row_number from raw.page_events join quality.deliveries using (delivery_id) "
        "where file like '%.csv' order by all"
    )
    assert numbers == [(2,), (7,), (9,)], "a record over two lines counts by the line it starts on"
    assert_nothing_lost(warehouse)


WHOLE_FILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated gzip": (lambda h: put(h, "a.csv.gz", gzip.compress(as_csv(ROWS).encode())[:-20]), "unreadable"),
    "truncated zstd": (
        lambda h: put(h, "a.csv.zst", pa.compress(as_csv(ROWS * 99).encode(), "zstd", asbytes=True)[:-9]),
        "unreadable",
    ),
    "no gzip": (lambda h: put(h, "a.csv.gz", "plain"), "unreadable"),
    "truncated parquet": (lambda h: put(h, "a.parquet", packed("parquet", ROWS, h / "m")[1][:-30]), "unreadable"),
    "no parquet": (lambda h: put(h, "a.parquet", "no parquet at all"), "unreadable"),
    "missing column": (lambda h: put(h, "a.csv", "event_id,event_type\n1,page_view\n"), "missing_column"),
    "header twice": (lambda h: put(h, "a.csv", "event_time,event_type,Event_Type\n"), "bad_header"),
    "folder": (lambda h: (h / "landing/page" / DT / "a.csv").mkdir(parents=True), "not_a_file"),
    "unknown ending": (lambda h: put(h, "a.doc", "PK"), "unknown_format"),
    "no date": (lambda h: put(h, "a.csv", as_csv(ROWS), dt="dt=2026-13-41"), "no_delivery_date"),
    "broken link": (
        lambda h: ((h / "landing/page" / DT).mkdir(parents=True), (h / "landing/page" / DT / "a.csv").symlink_to("b")),
        "not_a_file",
    ),
}


@pytest.mark.parametrize("case", WHOLE_FILE)
def test_a_file_that_cannot_be_read_is_quarantined_whole_and_replayed_when_mended(
    case: str, home: Path, warehouse: Warehouse
) -> None:
    make, reason = WHOLE_FILE[case]
    make(home)
    put(home, "good.jsonl", as_json_lines(ROWS))
    intake = take_deliveries(warehouse, settings_for(home))
    assert (intake.quarantined, intake.loaded, intake.rows_loaded) == (1, 1, 3)
    assert reasons(warehouse) == [(0, reason)]
    message = warehouse.value("select message from quality.deliveries where status = 'quarantined'")
    assert message
    assert "Traceback" not in message
    assert_nothing_lost(warehouse)
    assert take_deliveries(warehouse, settings_for(home)).unchanged == 2
    path = next((home / "landing/page").glob("dt=*/a.*"))
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    intake = take_deliveries(warehouse, settings_for(home))
    assert (intake.removed, intake.unchanged, reasons(warehouse)) == (1, 1, [])


def test_a_link_out_of_the_landing_zone_is_refused(home: Path, warehouse: Warehouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(as_csv(ROWS))
    folder = home / "landing/page" / DT
    folder.mkdir(parents=True)
    (folder / "a.csv").symlink_to(secret)
    (home / "landing/page" / "dt=2026-01-07").symlink_to(tmp_path)
    intake = take_deliveries(warehouse, settings_for(home))
    assert intake.loaded == 0
    assert raw(warehouse) == []
    assert {reason for _, reason in reasons(warehouse)} == {"outside_landing_zone"}


def test_unfinished_and_hidden_files_are_left_alone(home: Path, warehouse: Warehouse) -> None:
    for name in (".a.csv", "_SUCCESS", "a.csv.tmp", "a.csv.part"):
        put(home, name, as_csv(ROWS))
    take_deliveries(warehouse, settings_for(home))
    assert warehouse.rows("from quality.deliveries") == []


def test_an_empty_file_is_a_delivery_of_no_rows(home: Path, warehouse: Warehouse) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.csv.gz"):
        put(home, name, b"")
    put(home, "b.csv.gz", gzip.compress(b""))
    put(home, "header.csv", as_csv(ROWS).splitlines()[0])
    settings = settings_for(home)
    intake = take_deliveries(warehouse, settings)
    assert (intake.loaded, intake.rows_read, intake.quarantined) == (6, 0, 0)
    assert find_family_presence(warehouse, settings, DAY)["page"] == "present"


def test_taking_twice_changes_nothing(home: Path, warehouse: Warehouse) -> None:
    path = put(home, "a.csv", as_csv(ROWS))
    settings = settings_for(home)
    take_deliveries(warehouse, settings)
    before = warehouse.rows("from quality.deliveries"), raw(warehouse), read_input_versions(warehouse)
    intake = take_deliveries(warehouse, settings)
    assert (intake.unchanged, intake.loaded, intake.dates) == (1, 0, set())
    assert (warehouse.rows("from quality.deliveries"), raw(warehouse), read_input_versions(warehouse)) == before
    os.utime(path, (1, 1))
    assert take_deliveries(warehouse, settings).unchanged == 1, "a new time on the same bytes is no new delivery"
    assert read_input_versions(warehouse) == before[2]


def test_a_changed_file_replaces_its_rows_and_a_removed_one_takes_them_along(home: Path, warehouse: Warehouse) -> None:
    settings = settings_for(home)
    put(home, "a.csv", as_csv(ROWS))
    other = put(home, "b.jsonl", as_json_lines([dict(ROWS[0], event_id="b", event_time="2026-01-05T01:00:00Z")]))
    take_deliveries(warehouse, settings)
    versions = read_input_versions(warehouse)
    put(home, "a.csv", as_csv([*ROWS[:2], dict(ROWS[2], event_type="nonsense")]))
    intake = take_deliveries(warehouse, settings)
    assert (intake.loaded, intake.unchanged, intake.touched_dates["page"]) == (1, 1, {DAY})
    assert len(raw(warehouse)) == 3
    assert reasons(warehouse) == [(5, "unknown_event_type")]
    changed = read_input_versions(warehouse)
    assert changed[DAY] != versions[DAY]
    assert changed[date(2026, 1, 5)] == versions[date(2026, 1, 5)]
    other.unlink()
    intake = take_deliveries(warehouse, settings)
    assert (intake.removed, intake.dates) == (1, {date(2026, 1, 5)})
    assert len(raw(warehouse)) == 2
    assert date(2026, 1, 5) not in read_input_versions(warehouse)
    assert_nothing_lost(warehouse)


def test_a_changed_rule_replays_the_quarantine(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.jsonl", as_json_lines([dict(ROWS[0], event_type="浏览")]))
    take_deliveries(warehouse, settings_for(home))
    assert reasons(warehouse) == [(1, "unknown_event_type")]
    mapped = {"family": "page", "event_types": {"column": "event_type", "values": {"浏览": "page_view"}}}
    take_deliveries(warehouse, settings_for(home, mapped))
    assert reasons(warehouse) == []
    assert [row["event_type"] for row in raw(warehouse)] == ["page_view"]


CLICKED = "event_time,act,product_id\n" + "".join(
    f"2026-01-06 10:00:{second:02},{act},p\n"
    for second, act in enumerate(
        ["view", "scroll", "scroll", "", " focus ", "view", "cart", "a", "b", "c", "d", "zoom", "zoom", "2"]
    )
)
CLICKS = {
    "family": "page",
    "columns": {"event_time": "event_time", "product_id": "product_id"},
    "event_types": {"column": "act", "values": {"view": "product_view", "cart": "add_to_cart"}, "others": "leave_out"},
}


def test_event_types_that_nobody_maps_are_left_out_and_counted_if_declared(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", CLICKED)
    take_deliveries(warehouse, settings_for(home, CLICKS))
    assert sorted(row["event_type"] for row in raw(warehouse)) == ["add_to_cart", "product_view", "product_view"]
    assert reasons(warehouse) == [(5, "missing_value")]  # an empty type is a fault, not another type
    (message,) = (text for (text,) in warehouse.rows("select message from quality.deliveries"))
    assert message == "10 rows left out whose event type nobody maps (scroll 2, zoom 2, 2 1, a 1, b 1, … 3)"
    assert warehouse.rows("select rows_read, rows_loaded, warning from quality.deliveries") == [(4, 3, None)]
    assert_nothing_lost(warehouse)
    take_deliveries(
        warehouse, settings_for(home, CLICKS | {"event_types": CLICKS["event_types"] | {"others": "quarantine"}})
    )
    assert {reason for _, reason in reasons(warehouse)} == {"missing_value", "unknown_event_type"}
    assert_nothing_lost(warehouse)


def test_what_is_left_out_is_not_refused_for_other_faults(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", "event_time,act,product_id\n2026-01-06 10:00:00,view,p\nnever,scroll,p\nnever,cart,p\n")
    take_deliveries(warehouse, settings_for(home, CLICKS))
    assert reasons(warehouse) == [(4, "bad_time")]
    assert_nothing_lost(warehouse)


def test_a_file_of_which_every_row_is_left_out_warns(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", "event_time,act,product_id\n2026-01-06 10:00:00,View,p\n")
    take_deliveries(warehouse, settings_for(home, CLICKS))
    warning = warehouse.value("select warning from quality.deliveries")
    assert "all are left out (View 1)" in warning
    assert_nothing_lost(warehouse)


def test_event_types_of_the_family_need_no_values_for_others_to_be_left_out(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.csv", CLICKED.replace("view", "product_view"))
    take_deliveries(warehouse, settings_for(home, CLICKS | {"event_types": {"column": "act", "others": "leave_out"}}))
    assert [row["event_type"] for row in raw(warehouse)] == ["product_view", "product_view"]
    assert_nothing_lost(warehouse)


def test_a_file_that_grows_while_it_is_read_is_tried_again(
    home: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(home)
    path = put(home, "a.csv", as_csv(ROWS[:1]))
    read = deliveries_module._read_rows

    def read_while_it_grows(*arguments: Any) -> Any:
        result = read(*arguments)
        path.write_text(as_csv(ROWS))
        return result

    monkeypatch.setattr(deliveries_module, "_read_rows", read_while_it_grows)
    assert take_deliveries(warehouse, settings).growing == 1
    assert raw(warehouse) == []
    assert find_family_presence(warehouse, settings, DAY)["page"] == "growing"
    monkeypatch.undo()
    assert take_deliveries(warehouse, settings).loaded == 1
    assert len(raw(warehouse)) == 3
    assert find_family_presence(warehouse, settings, DAY)["page"] == "present"


def test_a_crash_in_the_middle_leaves_the_earlier_state(
    home: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(home)
    put(home, "a.csv", as_csv(ROWS))
    take_deliveries(warehouse, settings)
    before = warehouse.rows("from quality.deliveries"), raw(warehouse)
    put(home, "a.csv", as_csv(ROWS[:1]))

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deliveries_module, "_write_ledger", crash)
    with pytest.raises(KeyboardInterrupt):
        take_deliveries(warehouse, settings)
    assert (warehouse.rows("from quality.deliveries"), raw(warehouse)) == before
    monkeypatch.undo()
    take_deliveries(warehouse, settings)
    assert len(raw(warehouse)) == 1
    assert_nothing_lost(warehouse)


def test_a_folder_that_vanished_as_a_whole_does_not_empty_the_warehouse(home: Path, warehouse: Warehouse) -> None:
    settings = settings_for(home)
    put(home, "a.csv", as_csv(ROWS))
    take_deliveries(warehouse, settings)
    (home / "landing").rename(home / "elsewhere")
    with pytest.raises(IngestError, match="Is its disk mounted"):
        take_deliveries(warehouse, settings)
    assert len(raw(warehouse)) == 3


def test_columns_that_the_contract_does_not_know_are_named_and_ignored(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.jsonl", as_json_lines([dict(ROWS[0], address="1 Long Road", phone=5)]))
    take_deliveries(warehouse, settings_for(home))
    assert warehouse.value("select message from quality.deliveries") == "columns not read: address, phone"


# -- identity of rows


def conflict(home: Path) -> None:
    put(home, "a.jsonl", as_json_lines(ROWS))
    put(home, "b.jsonl", as_json_lines([ROWS[0], dict(ROWS[1], page="other content")]))
    put(home, "c.jsonl", as_json_lines([dict(ROWS[2], page="late")]), dt="dt=2026-01-07")


def test_one_row_without_an_id_may_be_an_event_of_two_sources(home: Path, warehouse: Warehouse) -> None:
    order = {"no": "1", "at": "2026-01-06 10:00:00", "paid": "2026-01-06 10:05:00"}
    put(home, "orders.csv", as_csv([order]), family="order")
    created = {"family": "order", "event_types": "created", "columns": {"event_time": "at", "order_id": "no"}}
    paid = {"family": "order", "event_types": "paid", "columns": {"event_time": "paid", "order_id": "no"}}
    take_deliveries(warehouse, settings_for(home, created, paid))
    find_duplicates(warehouse, DAY, DAY)
    assert warehouse.value("select count(distinct event_id) from raw.order_events") == 2
    assert warehouse.value("select count(*) from quality.duplicate_events") == 0


def test_the_same_again_is_a_duplicate_and_another_content_a_conflict(home: Path, warehouse: Warehouse) -> None:
    conflict(home)
    take_deliveries(warehouse, settings_for(home))
    find_duplicates(warehouse, DAY, DAY)
    found = warehouse.rows("select reason, count(*) from quality.duplicate_events group by all order by all")
    assert found == [("conflicting_duplicate", 2), ("duplicate", 1)]
    assert_nothing_lost(warehouse)
    late = warehouse.records("select * from quality.quarantine where dt = DATE '2026-01-07'")
    assert [(r["reason"], r["row_number"], r["business_date"]) for r in late] == [("conflicting_duplicate", 1, DAY)]
    assert "late" in late[0]["content"]
    find_duplicates(warehouse, DAY, DAY)
    assert warehouse.value("select count(*) from quality.duplicate_events") == 3
    assert_nothing_lost(warehouse)


def test_who_wins_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    staged = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        home, warehouse = tmp_path / str(order), open_in_memory_warehouse()
        home.mkdir()
        (home / "identity.key").write_text("k" * 18)
        conflict(tmp_path / "made")
        files = sorted((tmp_path / "made").rglob("*.jsonl"))
        for position in order:
            put(home, files[position].name, files[position].read_bytes(), dt=files[position].parent.name)
            take_deliveries(warehouse, settings_for(home))
        find_duplicates(warehouse, DAY, DAY)
        staged.append(
            warehouse.records(
                "select * exclude (delivery_id) from raw.page_events anti join quality.duplicate_events "
                "using (delivery_id, row_number) order by event_id"
            )
        )
    assert staged[0] == staged[1] == staged[2]
    assert len(staged[0]) == 3


@pytest.mark.parametrize(("policy", "pages"), [("first", ["early", "one"]), ("latest", ["late", "two"])])
def test_the_first_or_the_latest_version_of_an_event_wins_where_declared(
    policy: str, pages: list[str], home: Path, warehouse: Warehouse
) -> None:
    settings = settings_for(home, {"family": "page", "duplicates": policy})
    one, two = dict(ROWS[0], page="one"), dict(ROWS[0], page="two")
    put(home, "a.jsonl", as_json_lines([one, one, two, dict(ROWS[1], page="early")]))
    take_deliveries(warehouse, settings)
    versions = read_input_versions(warehouse)
    put(home, "b.jsonl", as_json_lines([dict(ROWS[1], page="late")]), dt="dt=2026-01-07")
    intake = take_deliveries(warehouse, settings)
    assert DAY in intake.dates, "a restated day is built again"
    assert read_input_versions(warehouse)[DAY] != versions[DAY]
    find_duplicates(warehouse, DAY, DAY)
    left = "select page from raw.page_events anti join quality.duplicate_events using (delivery_id, row_number)"
    assert sorted(page for (page,) in warehouse.rows(left)) == pages
    assert warehouse.value("select count(*) from quality.quarantine") == 0
    assert sum(record["duplicates"] for record in reconcile(warehouse)) == 3
    assert sum(record["superseded"] for record in reconcile(warehouse)) == (2 if policy == "first" else 3)
    assert_nothing_lost(warehouse)
    (home / "landing/page/dt=2026-01-07/b.jsonl").unlink()
    take_deliveries(warehouse, settings)
    find_duplicates(warehouse, DAY, DAY)
    assert sorted(page for (page,) in warehouse.rows(left)) == ["early", pages[1]]


def test_sources_that_do_not_agree_who_wins_leave_a_conflict(home: Path, warehouse: Warehouse) -> None:
    put(home, "a.jsonl", as_json_lines([ROWS[0]]))
    put(home, "b.jsonl", as_json_lines([dict(ROWS[0], page="other")]))
    pattern = f"landing/page/{DT}/"
    sources = [
        {"family": "page", "name": "one", "files": pattern + "a.jsonl", "duplicates": "latest"},
        {"family": "page", "name": "two", "files": pattern + "b.jsonl", "duplicates": "first"},
    ]
    take_deliveries(warehouse, settings_for(home, *sources))
    find_duplicates(warehouse, DAY, DAY)
    assert [reason for _, reason in reasons(warehouse)] == ["conflicting_duplicate"]
    assert_nothing_lost(warehouse)


def test_a_change_of_who_wins_is_seen_as_a_change_of_the_day(home: Path, warehouse: Warehouse) -> None:
    conflict(home)
    take_deliveries(warehouse, settings_for(home))
    find_duplicates(warehouse, DAY, DAY)
    assert len(reasons(warehouse)) == 2
    intake = take_deliveries(warehouse, settings_for(home, {"family": "page", "duplicates": "latest"}))
    assert DAY in intake.dates
    find_duplicates(warehouse, DAY, DAY)
    assert reasons(warehouse) == []
    assert_nothing_lost(warehouse)


def test_the_winner_s_removal_brings_the_loser_back(home: Path, warehouse: Warehouse) -> None:
    conflict(home)
    settings = settings_for(home)
    take_deliveries(warehouse, settings)
    find_duplicates(warehouse, DAY, DAY)
    for path in (home / "landing/page" / DT).iterdir():
        path.unlink()
    intake = take_deliveries(warehouse, settings)
    for day in intake.dates:
        find_duplicates(warehouse, day, day)
    assert [row["page"] for row in raw(warehouse)] == ["late"]
    assert warehouse.rows("from quality.duplicate_events") == []
    assert reasons(warehouse) == []


def test_without_an_id_the_content_is_the_id(home: Path, warehouse: Warehouse) -> None:
    row = {name: value for name, value in ROWS[0].items() if name != "event_id"}
    put(home, "a.jsonl", as_json_lines([row, row, dict(row, page="x")]))
    put(home, "b.csv", as_csv([row]))
    take_deliveries(warehouse, settings_for(home))
    find_duplicates(warehouse, DAY, DAY)
    assert warehouse.rows("select reason, count(*) from quality.duplicate_events group by all") == [("duplicate", 2)]


def test_repeats_are_kept_where_the_shop_says_so(home: Path, warehouse: Warehouse) -> None:
    row = {name: value for name, value in ROWS[0].items() if name != "event_id"}
    put(home, "a.jsonl", as_json_lines([row, row, row]))
    put(home, "b.csv", as_csv([row, row]))
    take_deliveries(warehouse, settings_for(home, {"family": "page", "duplicates": "keep"}))
    assert sorted(r["repeat_number"] for r in raw(warehouse)) == [0, 0, 1, 1, 2]
    assert warehouse.rows("select repeats_kept from quality.deliveries order by file") == [(2,), (1,)]
    find_duplicates(warehouse, DAY, DAY)
    assert warehouse.value("select count(*) from quality.duplicate_events") == 2, "a redelivery is still a duplicate"
    assert_nothing_lost(warehouse)


# -- presence


def test_a_family_is_absent_missing_or_present(home: Path, warehouse: Warehouse) -> None:
    optional = {"family": "service", "required": False}
    settings = settings_for(home, {"family": "page"}, {"family": "order"}, optional)
    put(home, "a.jsonl", as_json_lines(ROWS))
    take_deliveries(warehouse, settings)
    states = {"traffic": "absent", "page": "present", "service": "absent", "order": "missing", "figure": "absent"}
    assert find_family_presence(warehouse, settings, DAY) == states
    assert find_family_presence(warehouse, settings, DAY + timedelta(days=1))["page"] == "missing"


def test_a_family_waits_for_each_of_its_required_sources(home: Path, warehouse: Warehouse) -> None:
    sources = [{"family": "page", "files": f"landing/{name}/dt=*/*"} for name in ("web", "app")]
    settings = settings_for(home, *sources)
    put(home, "a.jsonl", as_json_lines(ROWS), family="web")
    take_deliveries(warehouse, settings)
    assert find_family_presence(warehouse, settings, DAY)["page"] == "missing"
    put(home, "a.jsonl", "", family="app")
    take_deliveries(warehouse, settings)
    assert find_family_presence(warehouse, settings, DAY)["page"] == "present"


def test_a_list_of_orders_is_there_for_each_source_that_reads_it(home: Path, warehouse: Warehouse) -> None:
    """The list of the next morning holds the day's orders; none of them is shipped on the day itself."""
    path = home / "exports" / "list_2026-01-07.csv"
    path.parent.mkdir(parents=True)
    path.write_text("number,created,shipped\n1,2026-01-06 10:00:00,2026-01-07 09:00:00\n2,2026-01-07 08:00:00,\n")
    listed = {"family": "order", "files": "exports/list_*.csv", "delivery_date": r"list_(\d{4}-\d{2}-\d{2})"}
    sources = [
        listed
        | {"event_types": kind, "where": f"{time} is not null", "columns": {"order_id": "number", "event_time": time}}
        for kind, time in (("created", "created"), ("shipped", "shipped"))
    ]
    settings = settings_for(home, *sources)
    take_deliveries(warehouse, settings)
    days = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    states = [find_family_presence(warehouse, settings, day)["order"] for day in days]
    assert states == ["missing", "present", "present", "missing"]


# -- mapping


MARKETPLACE = {
    "family": "order",
    "files": "exports/orders_*.csv",
    "encoding": "gbk",
    "header_row": 2,
    "delivery_date": r"orders_(\d{8})",
    "time_format": "%Y/%m/%d %H:%M",
    "event_types": "paid",
    "where": "\"付款时间\" <> ''",
    "columns": {"order_id": "订单编号", "event_time": "付款时间", "customer_id": "买家"},
    "expressions": {"amount": "replace(replace(\"金额\", ',', ''), '元', '')::DECIMAL(18,2)"},
    "constants": {"sales_channel": "marketplace"},
}


def test_an_export_is_mapped_by_declaration_alone(home: Path, warehouse: Warehouse) -> None:
    path = home / "exports" / "orders_20260107.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(
        (
            "订单报表\n订单编号,买家,创建时间,付款时间 ,金额\n"
            '1,李雷,2026/1/6 9:00,2026/1/6 9:05,"1,234.50元"\n'
            "2,韩梅梅,2026/1/6 9:10,,10元\n"
            "3,韩梅梅,2026/1/6 9:10,2026/1/6 9:15,about ten\n"
        ).encode("gbk")
    )
    settings = settings_for(home, MARKETPLACE)
    take_deliveries(warehouse, settings)
    (row,) = raw(warehouse, "order")
    assert row["amount"] == Decimal("1234.50")
    assert row["event_time"] == datetime(2026, 1, 6, 1, 5)
    assert row["order_id"] == hash_identifier(settings, "1")
    assert row["sales_channel"] == "marketplace"
    assert row["dt"] == date(2026, 1, 7)
    assert reasons(warehouse) == [(5, "failed_expression")]
    assert warehouse.value("select message from quality.deliveries") == "1 rows left out by where"
    assert_nothing_lost(warehouse)


def test_negative_amounts_are_quarantined_unless_allowed(home: Path, warehouse: Warehouse) -> None:
    row = {"event_time": "2026-01-06 10:00:00", "event_type": "paid", "order_id": "o", "amount": "-1.00"}
    put(home, "a.jsonl", as_json_lines([row]), family="order")
    take_deliveries(warehouse, settings_for(home))
    assert reasons(warehouse) == [(1, "negative_amount")]
    take_deliveries(warehouse, settings_for(home, {"family": "order", "negative_amounts": "allow"}))
    assert [row["amount"] for row in raw(warehouse, "order")] == [Decimal("-1.00")]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("epoch_seconds", "1767693600"),
        ("epoch_milliseconds", 1767693600000),
        ("epoch_microseconds", 1767693600000000),
        ("epoch_microseconds", "1767693600000000"),
    ],
)
def test_epoch_times_are_read(unit: str, value: object, home: Path, warehouse: Warehouse) -> None:
    put(home, "a.jsonl", as_json_lines([dict(ROWS[0], event_time=value)]))
    take_deliveries(warehouse, settings_for(home, {"family": "page", "time_format": unit}))
    assert [row["event_time"] for row in raw(warehouse)] == [datetime(2026, 1, 6, 10)]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "parquet"])
def test_a_query_on_an_attached_file_is_a_source(kind: str, home: Path, warehouse: Warehouse) -> None:
    home.mkdir()
    path = home / f"shop.{kind}"
    table = "create table visits as select 'v' as visitor, '2026-01-06 08:00:00' as seen, 'page_view' as what"
    if kind == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute(table)
        database.close()
    else:
        with duckdb.connect(path if kind == "duckdb" else ":memory:") as connection:
            connection.execute(table)
            if kind == "parquet":
                connection.execute(f"copy visits to '{path}'")
    name = "delivery" if kind == "parquet" else "visits"
    query = f"select visitor as visitor_id, seen as event_time, what as event_type from {name}"
    source = {"family": "page", "attach": path.name, "query": query, "delivery_date": DAY}
    settings = settings_for(home, source)
    take_deliveries(warehouse, settings)
    assert [row["visitor_id"] for row in raw(warehouse)] == [hash_identifier(settings, "v")]
    assert_nothing_lost(warehouse)
    take_deliveries(warehouse, settings_for(home, source | {"query": "select nonsense from nowhere"}))
    assert reasons(warehouse) == [(0, "failed_query")]


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("parquet", "from '{secret}'"),
        ("parquet", "from read_text('{secret}')"),
        ("parquet", "select 1; set enable_external_access = true; from '{secret}'"),
        ("duckdb", "from read_csv('{secret}')"),
        ("duckdb", "from glob('{folder}/*')"),
        ("duckdb", "copy (select 1) to '{folder}/written.csv'"),
        ("sqlite", "attach '{folder}/other.sqlite' as other"),
        ("sqlite", "create table visits (seen)"),
        ("sqlite", "pragma database_list"),
    ],
)
def test_a_query_sees_nothing_but_what_is_attached(
    kind: str, query: str, home: Path, warehouse: Warehouse, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("event_time\n2026-01-06\n")
    path = tmp_path / f"shop.{kind}"
    if kind == "parquet":
        duckdb.sql(f"copy (select 1 as x) to '{path}'")
    else:
        with (duckdb if kind == "duckdb" else sqlite3).connect(path) as database:
            database.execute("create table t (x integer)")
    with pytest.raises(DeliveryError, match="fails"):
        read_query(warehouse, path, query.format(secret=secret, folder=tmp_path))
    assert not (tmp_path / "written.csv").exists()


def test_tables_are_created_once(warehouse: Warehouse) -> None:
    create_tables(warehouse)
    create_tables(warehouse)
    for family in EVENT_FAMILIES.values():
        names = [name for name, _ in warehouse.columns(f"raw.{family.table}")]
        assert names[:6] == ["delivery_id", "row_number", "dt", "business_date", "local_hour", "repeat_number"]
        assert names[6:] == [column.name for column in family.columns]


def test_traffic_counts_one_where_the_row_says_nothing(home: Path, warehouse: Warehouse) -> None:
    row = {"event_time": "2026-01-06 10:00:00", "event_type": "click"}
    put(home, "a.jsonl", as_json_lines([row, dict(row, quantity=7)]), family="traffic")
    take_deliveries(warehouse, settings_for(home))
    assert sorted(row["quantity"] for row in raw(warehouse, "traffic")) == [1, 7]


# -- documentation


def test_the_mappings_on_the_contract_page_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", CONTRACT_PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        sources = yaml.safe_load(block if block.startswith("sources:") else f"sources:\n{block}")["sources"]
        assert settings_for(Path(), *sources).sources
