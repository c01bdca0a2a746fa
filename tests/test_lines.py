"""Fields by dotted names, events with lines, and exports that are joined: every record is accounted for, by line."""

import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_helpers import DAY, Shop, Told, good, set_aside

from funnelscope.ingest import find_duplicates, take_deliveries
from funnelscope.ingest.quarantine import Selection, show_rows
from funnelscope.warehouse.connection import open_in_memory_warehouse

AT = "2026-01-06 10:00:00"
Records = list[dict[str, Any]]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def json_lines(records: Records) -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()


def parquet(records: Records) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), stream)
    return stream.getvalue()


def json_texts(records: Records) -> bytes:
    """A CSV file with a field for every column, in which records and lists are JSON."""
    names = list(dict.fromkeys(name for record in records for name in record))
    texts = [
        [value if isinstance(value, str) else json.dumps(value) if value is not None else "" for value in row]
        for row in ([record.get(name) for name in names] for record in records)
    ]
    quoted = [",".join('"' + text.replace('"', '""') + '"' for text in row) for row in [names, *texts]]
    return "\n".join(quoted).encode()


FORMATS = [("events.jsonl", json_lines), ("events.parquet", parquet), ("events.csv", json_texts)]
EVERY_FORMAT = pytest.mark.parametrize(("name", "write"), FORMATS, ids=[name for name, _ in FORMATS])
Write = Callable[[Records], bytes]


def source(columns: dict[str, str], **others: Any) -> dict[str, Any]:
    return {"family": "order", "event_types": "paid", "columns": {"event_time": "at", **columns}, **others}


# -- fields


@EVERY_FORMAT
def test_a_field_is_read_by_its_dotted_name(shop: Shop, name: str, write: Write) -> None:
    records = [{"at": AT, "page": {"goods": {"sku": "A", "n": 3}}}, {"at": AT, "page": None}, {"at": AT, "page": {}}]
    records[2]["page"] = {"goods": {"sku": None, "n": 4}}
    mapped = source({"product_id": "page.goods.sku"}, expressions={"quantity": "page.goods.n::BIGINT + 1"})
    told = shop.deliver(write(records), mapped, name)
    assert (told.status, told.rows_loaded, told.quarantine) == ("loaded", 3, [])
    assert shop.column("product_id") == ["A", None, None]
    assert shop.column("quantity") == [4, None, 5]


@EVERY_FORMAT
def test_a_list_of_keys_and_values_reads_like_a_map(shop: Shop, name: str, write: Write) -> None:
    def pair(key: str, text: str | None, number: int | None) -> dict[str, Any]:
        return {"key": key, "value": {"string_value": text, "int_value": number}}

    records = [
        {"at": AT, "params": [pair("page", "/tea", None), pair("a.b", None, 7)]},
        {"at": AT, "params": [pair("page", None, 5)]},
        {"at": AT, "params": []},
    ]
    records = [record | {"notes": [{"name": "visitor", "value": "v"}]} for record in records]
    mapped = source({"product_id": "params.page", "sku": "params.a.b", "category": "params.page.int_value"})
    mapped["columns"]["promotion"] = "notes.visitor"
    assert shop.deliver(write(records), mapped, name) == good()
    assert shop.column("promotion") == ["v"] * 3
    assert shop.column("product_id") == ["/tea", "5", None]
    assert shop.column("sku") == ["7", None, None]
    assert shop.column("category") == [None, "5", None]


@EVERY_FORMAT
def test_a_number_takes_one_element_of_a_list(shop: Shop, name: str, write: Write) -> None:
    records = [{"at": AT, "goods": [{"sku": "A"}, {"sku": "B"}]}, {"at": AT, "goods": [{"sku": "C"}]}]
    mapped = source({"product_id": "goods.0.sku", "sku": "goods.1.sku"})
    assert shop.deliver(write(records), mapped, name).quarantine == []
    assert (shop.column("product_id"), shop.column("sku")) == (["A", "C"], ["B", None])


@EVERY_FORMAT
def test_a_column_with_a_dot_in_its_name_wins(shop: Shop, name: str, write: Write) -> None:
    records = [{"at": AT, "user.id": "own", "user": {"id": "inner"}}]
    assert shop.deliver(write(records), source({"product_id": "user.id"}), name).quarantine == []
    assert shop.column("product_id") == ["own"]


@pytest.mark.parametrize(("name", "write"), [FORMATS[0], FORMATS[2]])
def test_a_key_with_a_dot_in_it_wins(shop: Shop, name: str, write: Write) -> None:
    records = [{"at": AT, "p": {"a.b": "whole", "a": {"b": "split"}}}, {"at": AT, "p": {"a": {"b": "split"}}}]
    shop.deliver(write(records), source({"product_id": "p.a.b"}), name)
    assert shop.column("product_id") == ["whole", "split"]


def test_json_within_json_is_opened(shop: Shop) -> None:
    records = [{"at": AT, "message": {"body": json.dumps({"sku": "A"})}}]
    assert shop.deliver(json_lines(records), source({"product_id": "message.body.sku"}), "e.jsonl") == good(rows=1)
    assert shop.column("product_id") == ["A"]


@EVERY_FORMAT
@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [("p.page.ulr", "p.page.url"), ("goods.sku", "goods.0.sku"), ("q.pge", "q.page")],
)
def test_a_field_that_no_row_has_is_a_missing_column_with_the_nearest_name(
    shop: Shop, name: str, write: Write, wanted: str, nearest: str
) -> None:
    records = [{"at": AT, "p": {"page": {"url": "u"}}, "goods": [{"sku": "A"}], "q": [{"key": "page", "value": "u"}]}]
    told = shop.deliver(write(records), source({"product_id": wanted}), name)
    assert told.quarantine[0][1] == "missing_column"
    assert told.message.startswith(f"column '{wanted}' (for product_id) is missing; did you mean '{nearest}'?")


def test_in_an_expression_such_a_field_is_empty_and_the_ledger_names_it(shop: Shop) -> None:
    records = [{"at": AT, "p": {"coupon": "X"}}]
    mapped = source({}, expressions={"coupon": "coalesce(p.cuopon, 'none')"})
    assert shop.deliver(json_lines(records), mapped, "e.jsonl") == good(
        "no row has p.cuopon (did you mean p.coupon?)", 1
    )
    assert shop.column("coupon") == ["none"]


def test_a_field_that_a_type_cannot_have_fits_into_every_expression(shop: Shop) -> None:
    """The export of another year has other fields below its columns."""
    records = [{"at": AT, "id": "1", "item": {"price": 5.0}, "things": [{"price": 5.0}], "sum": 9}]
    expressions = {
        "amount": "coalesce(item.price * item.quantity, sum)",
        "coupon": "nullif(item.coupon, '(none)') || 'x'",
        "sku": '"things.0.variant"',
        "quantity": 'case when "things.0.color" is null then 2 else 3 end',
    }
    told = shop.deliver(parquet(records), source({"order_id": "id"}, expressions=expressions), "events.parquet")
    assert (told.status, told.rows_loaded) == ("loaded", 1)
    assert "item.quantity" in told.message
    assert (shop.column("amount"), shop.column("quantity"), shop.column("sku")) == ([9], [2], [None])


def test_a_day_without_such_events_may_lack_their_fields(shop: Shop) -> None:
    mapped = source({"product_id": "deal.sku"}, where="kind = 'sale'", lines="deal.goods")
    told = shop.deliver(json_lines([{"at": AT, "kind": "view"}]), mapped, "e.jsonl")
    assert told == good("1 rows left out by where", rows=0)


def test_damaged_json_in_a_cell_costs_its_row_and_plain_text_has_no_fields(shop: Shop) -> None:
    texts = ['{"sku":"A"}', '{"sku":"A"', "n/a", "plain", '{"sku":"zero\\u0000"}']
    rows = [f'{AT},"{text.replace(chr(34), chr(34) * 2)}"' for text in texts]
    told = shop.deliver("\n".join(["at,p", *rows]), source({"product_id": "p.sku"}), "e.csv")
    assert told.quarantine == [(3, "bad_record", "p is no valid JSON"), (6, "bad_record", "p.sku holds zero bytes")]
    assert shop.column("product_id") == ["A", None, None]


TWINS: Records = [{"at": AT, "p": [{"ID": "big", "id": "small"}]}]


def test_keys_that_differ_by_case_only_are_not_mixed_up(shop: Shop) -> None:
    shop.deliver(json_lines(TWINS), source({"product_id": "p.0.id"}), "e.jsonl")
    assert shop.column("product_id") == ["small"]


def test_fields_of_a_parquet_file_that_differ_by_case_only_are_refused(shop: Shop) -> None:
    told = shop.deliver(parquet(TWINS), source({"product_id": "p.0.id"}), "e.parquet")
    assert told == set_aside("bad_header", "column 'p.list.element.id' stands twice")


# -- lines

LINED = source(
    {"order_id": "deal.id", "product_id": "goods.sku", "amount": "goods.price"},
    lines="goods",
    expressions={"event_id": "deal.id || ' paid'", "shipping_amount": "case when line_number = 1 then deal.post end"},
)
DEALS: Records = [
    {"at": AT, "deal": {"id": "1", "post": 5}, "goods": [{"sku": "A", "price": "9.90"}, {"sku": "A", "price": "9.90"}]},
    {"at": AT, "deal": {"id": "2", "post": 5}, "goods": []},
    {"at": AT, "deal": {"id": "3", "post": 5}, "goods": [{"sku": "B", "price": "dear"}, {"sku": "C", "price": "3"}]},
    {"at": AT, "deal": {"id": "4", "post": 5}, "goods": None},
]


@EVERY_FORMAT
def test_each_element_is_a_row_and_an_event_without_lines_keeps_one(shop: Shop, name: str, write: Write) -> None:
    told = shop.deliver(write(DEALS), LINED, name)
    assert (told.rows_loaded, told.message) == (5, "6 lines of 4 records")
    rows = shop.warehouse.rows(
        "select row_number % 1000000000000, line, product_id, amount, shipping_amount from raw.order_events "
        "order by row_number % 1000000000000, line"
    )
    first = 1 + (name == "events.csv")
    assert rows == [
        (first, "1", "A", Decimal("9.90"), 5),
        (first, "2", "A", Decimal("9.90"), None),
        (first + 1, None, None, None, None),
        (first + 2, "2", "C", Decimal("3.00"), None),
        (first + 3, None, None, None, None),
    ]


@EVERY_FORMAT
def test_only_the_bad_line_is_refused_with_the_place_of_its_record(shop: Shop, name: str, write: Write) -> None:
    shop.deliver(write(DEALS), LINED, name)
    (row,) = show_rows(shop.warehouse, Selection(), 9)
    assert (row["row_number"], row["line"], row["reason"]) == (3 + (name == "events.csv"), 1, "bad_type")
    assert row["detail"] == "amount: dear is no money"


@EVERY_FORMAT
def test_lines_are_events_of_their_own_and_the_same_ones_when_they_come_again(
    shop: Shop, name: str, write: Write
) -> None:
    for mapped, expected in ((LINED, 5), (source({"product_id": "goods.sku"}, lines="goods"), 6)):
        shop.deliver(write(DEALS), mapped, name)
        assert len(set(shop.column("event_id"))) == len(shop.column("event_id")) == expected
        again = shop.home / f"landing/order/dt={DAY}/again_{name}"
        again.write_bytes(write(DEALS))
        take_deliveries(shop.warehouse, shop.settings)
        find_duplicates(shop.warehouse, DAY, DAY)
        again.unlink()
        assert shop.warehouse.rows("select reason, count(*) from quality.duplicate_events group by reason") == [
            ("duplicate", expected)
        ]


def test_an_event_id_that_names_the_line_stays_as_it_is(shop: Shop) -> None:
    """Else the same lines in another order would be other events."""
    ids = []
    for goods in (["A", "B"], ["B", "A"]):
        record = {"at": AT, "deal": "1", "goods": [{"sku": sku} for sku in goods]}
        mapped = source({"product_id": "goods.sku"}, lines="goods", expressions={"event_id": "deal || goods.sku"})
        shop.deliver(json_lines([record]), mapped, "e.jsonl")
        ids.append(dict(zip(shop.column("product_id"), shop.column("event_id"), strict=True)))
    assert ids[0] == ids[1]


@EVERY_FORMAT
def test_lines_may_lie_below_records(shop: Shop, name: str, write: Write) -> None:
    records = [{"at": AT, "d": {"cart": {"lines": [{"v": {"sku": "A"}}, {"v": {"sku": "B"}}], "n": 2}}}]
    mapped = source({"product_id": "d.cart.lines.v.sku", "quantity": "d.cart.n"}, lines="d.cart.lines")
    assert shop.deliver(write(records), mapped, name) == good("2 lines of 1 records", rows=2)
    assert (shop.column("product_id"), shop.column("quantity")) == (["A", "B"], [2, 2])


def test_elements_may_be_values(shop: Shop) -> None:
    records = [{"at": AT, "skus": ["A", "B"]}]
    for name, write in FORMATS[:2]:
        told = shop.deliver(write(records), source({"product_id": "skus"}, lines="skus"), name)
        assert told.quarantine == []
        assert shop.column("product_id")[:2] == ["A", "B"]
        (shop.home / f"landing/order/dt={DAY}/{name}").unlink()


def test_elements_that_are_no_objects_are_refused_where_fields_of_them_are_read(shop: Shop) -> None:
    goods = [{"sku": "A"}, 5, None, ["B"], "C", {"sku": "D"}]
    told = shop.deliver(
        json_lines([{"at": AT, "goods": goods}]), source({"product_id": "goods.sku"}, lines="goods"), "e.jsonl"
    )
    details = [(reason, detail) for _, reason, detail in told.quarantine]
    assert details == [("bad_record", f"line {number} of goods is no object") for number in (2, 3, 4, 5)]
    assert shop.column("product_id") == ["A", "D"]


def test_what_is_no_list_is_refused(shop: Shop) -> None:
    records = [{"at": AT, "goods": each} for each in ({"sku": "A"}, "A", 5, "", "[]", '[{"sku": "B"}]')]
    told = shop.deliver(json_lines(records), source({"product_id": "goods.sku"}, lines="goods"), "e.jsonl")
    assert told.quarantine == [(number, "bad_record", "goods is no list") for number in (1, 2, 3)]
    assert shop.column("product_id") == [None, None, "B"]


def test_lines_of_a_type_that_is_no_list_are_refused(shop: Shop) -> None:
    mapped = source({"product_id": "goods.sku"}, lines="goods")
    told = shop.deliver(parquet([{"at": AT, "goods": {"sku": "A"}}]), mapped, "e.parquet")
    assert told == set_aside("bad_type", "lines 'goods' is of type STRUCT(sku VARCHAR), and no list")


def test_lines_that_no_record_has_are_a_missing_column(shop: Shop) -> None:
    told = shop.deliver(
        json_lines([{"at": AT, "gods": []}]), source({"product_id": "goods.sku"}, lines="goods"), "e.jsonl"
    )
    assert told == set_aside(
        "missing_column", "column 'goods' (for lines) is missing; did you mean 'gods'?; found: at, gods"
    )


def test_where_chooses_lines(shop: Shop) -> None:
    mapped = source({"product_id": "goods.sku"}, lines="goods", where="goods.sku <> 'A'")
    assert shop.deliver(json_lines(DEALS), mapped, "e.jsonl").rows_loaded == 2
    assert shop.column("product_id") == ["B", "C"]


@pytest.mark.parametrize(("name", "write"), FORMATS[:2])
def test_a_record_with_ten_thousand_lines_and_much_beside_is_read_in_seconds(
    shop: Shop, name: str, write: Write
) -> None:
    record = {"at": AT, "note": "x" * 1_000_000, "goods": [{"sku": f"S{number}"} for number in range(10_000)]}
    assert shop.deliver(write([record]), source({"product_id": "goods.sku"}, lines="goods"), name).rows_loaded == 10_000
    assert len(set(shop.column("event_id"))) == 10_000


TEXTS = st.text('aZ.é中"\\\\/~{[', max_size=3)
GOODS = st.lists(st.fixed_dictionaries({"sku": TEXTS | st.none(), "user.id": TEXTS}), max_size=4)
DRAWN = st.lists(
    st.fixed_dictionaries({"at": st.just(AT), "n": TEXTS, "goods": GOODS | st.none()}), min_size=1, max_size=8
)


@pytest.mark.parametrize(("name", "write"), FORMATS[:2])
@given(records=DRAWN)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_line_is_lost_doubled_or_mixed_up(shop: Shop, name: str, write: Write, records: Records) -> None:
    records = [*records, {"at": AT, "n": "last", "goods": [{"sku": "A", "user.id": "B"}]}]
    columns = {"order_id": "n", "product_id": "goods.sku", "sku": "goods.user.id"}
    expected = [
        (number, position, line.get("sku") or None, line.get("user.id") or None)
        for number, record in enumerate(records, start=1)
        for position, line in enumerate(record["goods"] or [{}], start=1)
    ]
    shop.deliver(write(records), source(columns, lines="goods"), name)
    found = shop.warehouse.rows(
        "select row_number % 1000000000000 as number, row_number // 1000000000000 + 1 as place, product_id, sku "
        "from raw.order_events order by number, place"
    )
    assert found == expected


# -- joins

JOINED = {
    "family": "order",
    "files": "exports/lines_*.csv",
    "delivery_date": r"_(\d{8})",
    "encoding": "gb18030",
    "join": {"files": "exports/orders_*.csv", "on": "订单编号"},
    "columns": {"event_time": "付款时间", "order_id": "订单编号", "product_id": "商家编码", "amount": "价格"},
    "event_types": "paid",
}
ORDER_LINES = '订单编号,商家编码,价格,状态\n="1",A,10,x\n="1",B,20,x\n="2",C,5,x\n'
ORDERS = f"订单编号,付款时间,状态\n1,{AT},y\n2,{AT},z\n"


def lay(shop: Shop, name: str, content: str | bytes) -> None:
    path = shop.home / "exports" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode("gb18030") if isinstance(content, str) else content)


def take_joined(shop: Shop, lines: str | bytes = ORDER_LINES, orders: str | bytes = ORDERS, **changed: Any) -> Told:
    lay(shop, "lines_20260106.csv", lines)
    lay(shop, "orders_20260106.csv", orders)
    return shop.take(JOINED | changed)


def test_rows_get_the_columns_of_the_export_that_they_are_joined_to(shop: Shop) -> None:
    told = take_joined(shop)
    assert (told.rows_loaded, told.quarantine) == (3, [])
    assert shop.column("row_number") == [2, 3, 4]
    assert (shop.column("product_id"), shop.column("amount")) == (["A", "B", "C"], [10, 20, 5])


def test_of_a_name_that_both_have_the_row_s_own_is_meant_and_the_other_is_joined(shop: Shop) -> None:
    take_joined(shop, columns=JOINED["columns"] | {"sku": "状态", "category": "joined.状态"})
    assert (shop.column("sku"), shop.column("category")) == (["x"] * 3, ["y", "y", "z"])


def test_rows_without_a_match_stay_and_are_told(shop: Shop) -> None:
    told = take_joined(
        shop,
        expressions={"event_time": "coalesce(付款时间, '2026-01-06 09:00:00')"},
        orders=ORDERS[:-1].replace("\n2,", "\n3,"),
        columns={"product_id": "商家编码"},
    )
    assert told.rows_loaded == 3
    assert "1 rows found no match in exports/orders_20260106.csv, the first is row 4" in told.message
    assert "1 rows of exports/orders_20260106.csv match no row" in told.message
    assert shop.warehouse.value("select warning from quality.deliveries").startswith("1 rows found no match")


def test_a_file_waits_for_the_one_that_it_is_joined_to_and_is_read_again_when_that_changes(shop: Shop) -> None:
    lay(shop, "lines_20260106.csv", ORDER_LINES)
    lay(shop, "orders_20260105.csv", ORDERS)
    assert shop.take(JOINED).quarantine[0][:2] == (0, "nothing_to_join")
    assert take_joined(shop).rows_loaded == 3
    later = ORDERS.replace(AT, "2026-01-06 11:30:00")
    take_joined(shop, orders=later)
    assert {time.minute for time in shop.column("event_time")} == {30}


def test_of_several_rows_with_one_key_the_last_counts_and_people_are_warned(shop: Shop) -> None:
    told = take_joined(shop, orders=ORDERS + "2,2026-01-06 11:30:00,z\n")
    assert "1 rows of exports/orders_20260106.csv have the key of a later row" in told.message
    assert [time.minute for time in shop.column("event_time")] == [0, 0, 30]


def test_a_file_named_without_a_pattern_is_joined_to_every_delivery(shop: Shop) -> None:
    lay(shop, "goods.csv", "商家编码,类目\nA,tea\nB,cups\nC,tea\n")
    lay(shop, "lines_20260106.csv", f"付款时间,商家编码\n{AT},A\n{AT},B\n")
    columns = {"event_time": "付款时间", "product_id": "商家编码", "category": "类目"}
    shop.take(JOINED | {"columns": columns, "join": {"files": "exports/goods.csv", "on": "商家编码"}})
    assert shop.column("category") == ["tea", "cups"]


@pytest.mark.parametrize(("name", "write"), FORMATS[:2])
def test_exports_of_two_formats_are_joined_by_keys_of_two_names(shop: Shop, name: str, write: Write) -> None:
    """A number in one and a text in the other, the lines of the order below it."""
    lay(shop, "orders_20260106.csv", write([{"id": 1, "who": {"mail": "a@x"}, "goods": [{"sku": "A"}, {"sku": "B"}]}]))
    lay(shop, "pays_20260106.csv", f"order,at\n1,{AT}\n7,{AT}\n")
    mapped = {
        **source({"product_id": "goods.sku", "coupon": "who.mail"}, lines="goods"),
        "files": "exports/pays_*.csv",
        "delivery_date": r"_(\d{8})",
        "join": {"files": "exports/orders_*.csv", "on": {"order": "id"}, "format": name.split(".")[1]},
    }
    told = shop.take(mapped)
    assert (told.rows_loaded, told.quarantine) == (3, [])
    assert shop.column("product_id") == ["A", None, "B"]
    assert shop.column("coupon") == ["a@x", None, "a@x"]


def workbook(rows: list[list[Any]]) -> bytes:
    stream, book = io.BytesIO(), openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(stream)
    return stream.getvalue()


def test_workbooks_are_joined_and_hold_fields_and_lines_as_json_text(shop: Shop) -> None:
    """Titles stand above both headers, and ids are numbers in one and text in the other."""
    goods = json.dumps([{"sku": "A", "n": 2}, {"sku": "B", "n": 1}])
    lay(shop, "lines_20260106.xlsx", workbook([["明细"], ["订单编号", "明细"], [70001, goods], [70002, "[]"]]))
    orders = [["订单"], [], ["订单编号", "付款时间", "买家"], ["70001", AT, '{"id": "李雷"}'], ["70002", AT, "{}"]]
    lay(shop, "orders_20260106.xlsx", workbook(orders))
    columns = {"event_time": "付款时间", "product_id": "明细.sku", "quantity": "明细.n", "coupon": "买家.id"}
    join = {"files": "exports/orders_*.xlsx", "on": "订单编号"}
    mapped = JOINED | {"files": "exports/lines_*.xlsx", "columns": columns, "join": join, "lines": "明细"}
    told = shop.take(mapped)
    assert (told.rows_loaded, told.quarantine) == (3, [])
    rows = "select row_number % 1000000000000, line, product_id, quantity, coupon from raw.order_events order by all"
    assert shop.warehouse.rows(rows) == [
        (3, "1", "A", 2, "李雷"),
        (3, "2", "B", 1, "李雷"),
        (4, None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"orders": "编号,付款时间\n1,x\n"}, "column '订单编号' (for join.on) is missing; did you mean '编号'?"),
        ({"lines": "编号,商家编码\n1,x\n"}, "column '订单编号' (for join.on) is missing; did you mean '编号'?"),
        ({"orders": b"PK\x03\x04"}, "the file to join, exports/orders_20260106.csv: "),
        (
            {"columns": JOINED["columns"] | {"sku": "joined.状太"}},
            "column 'joined.状太' (for sku) is missing; did you mean 'joined.状态'?",
        ),
    ],
)
def test_a_join_that_cannot_be_made_says_why(shop: Shop, changed: dict[str, Any], told: str) -> None:
    assert told in take_joined(shop, **changed).message
    assert shop.column("line") == []


def test_lines_of_the_joined_export_that_cannot_be_read_are_told(shop: Shop) -> None:
    assert "1 rows of exports/orders_20260106.csv cannot be read" in take_joined(shop, orders=ORDERS + "3,x\n").message
