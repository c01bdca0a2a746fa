"""JSON that is not one object a line: which of its lists is read, what is refused, and what memory it takes."""

import gzip
import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from intake_helpers import Shop, Told

from funnelscope.ingest.readers.json_documents import JsonError, find_lists, read_records
from funnelscope.warehouse.connection import open_in_memory_warehouse

LONGEST = 16 * 2**20
ORDERS = [
    {
        "id": 9007199254740993 + number,
        "created_at": f"2026-01-06T1{number}:00:00+08:00",
        "total_price": "12.50",
        "line_items": [{"id": 1, "price": "12.50"}],
        "customer": {"id": 7},
    }
    for number in range(3)
]
SOURCE: dict[str, Any] = {
    "family": "order",
    "columns": {"order_id": "id", "event_time": "created_at", "amount": "total_price", "customer_id": "customer.id"},
    "event_types": "paid",
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    warehouse = open_in_memory_warehouse()
    yield Shop(warehouse, tmp_path)
    warehouse.connection.close()


def write_spread(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


FORMS = {
    "lines": "".join(json.dumps(order) + "\n" for order in ORDERS),
    "an array": json.dumps(ORDERS),
    "an array over lines": write_spread(ORDERS),
    "an array with an object a line": "[\n" + ",\n".join(map(json.dumps, ORDERS)) + "\n]\n",
    "within an object": json.dumps({"orders": ORDERS}),
    "within an object over lines": write_spread({"count": 3, "orders": ORDERS, "next": None}),
    "deep within": write_spread({"ok": True, "data": {"page": {"size": 3}, "orders": ORDERS}, "errors": []}),
    "pages": "".join(json.dumps({"orders": [order]}) + "\n" for order in ORDERS),
    "pages over lines": "\n".join(write_spread({"orders": [order]}) for order in ORDERS),
    "objects over lines": "\n".join(map(write_spread, ORDERS)),
    "the first in brackets": json.dumps(ORDERS[:1]) + "\n" + "".join(json.dumps(each) + "\n" for each in ORDERS[1:]),
    "with a byte-order mark": "\ufeff" + write_spread({"orders": ORDERS}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_orders_gives_the_same_rows(form: str, shop: Shop) -> None:
    assert shop.deliver(FORMS[form], SOURCE, "orders.json") == Told("loaded", 3, "columns not read: line_items", [])
    rows = shop.warehouse.rows(
        "select strftime(event_time, '%H'), amount::VARCHAR, count(distinct order_id), count(customer_id) "
        "from raw.order_events group by all order by all"
    )
    assert rows == [(f"0{hour}", "12.50", 1, 1) for hour in (2, 3, 4)]


def test_a_compressed_document_is_read(shop: Shop) -> None:
    packed = gzip.compress(FORMS["within an object over lines"].encode())
    assert shop.deliver(packed, SOURCE, "orders.json.gz").rows_loaded == 3


def test_lines_within_records_of_a_list_are_rows(shop: Shop) -> None:
    source = {**SOURCE, "lines": "line_items"}
    source["columns"] = {**SOURCE["columns"], "amount": "line_items.price", "product_id": "line_items.id"}
    orders = [{**ORDERS[0], "line_items": [{"id": 1, "price": "1.10"}, {"id": 2, "price": 2.2}]}, *ORDERS[1:]]
    told = shop.deliver(write_spread({"orders": orders}), source, "orders.json")
    assert (told.status, told.rows_loaded) == ("loaded", 4)


def test_bad_records_of_a_list_wait_under_their_number(shop: Shop) -> None:
    first = json.dumps(ORDERS[0])
    twice = first[:-1] + ', "id": 5}'
    text = (
        f'{{"orders": [{first}, null, [1], {{}}, {twice}, {first[:-1]}, "note": "\\u0000"}}, {json.dumps(ORDERS[1])}]}}'
    )
    told = shop.deliver(text, SOURCE, "orders.json")
    assert (told.status, told.rows_loaded) == ("loaded", 2)
    assert told.quarantine == [
        (2, "bad_record", "not a JSON object"),
        (3, "bad_record", "not a JSON object"),
        (4, "bad_record", "an object without any key"),
        (5, "bad_record", "not JSON: key 'id' appears twice"),
        (6, "bad_record", "holds zero bytes; it was damaged, or is no text"),
    ]


DOUBTFUL = {
    "cut off": (
        FORMS["within an object over lines"][:-60],
        "is damaged JSON from line 42 on: Unterminated string starting at; download it again",
    ),
    "cut off behind an object on a line": (
        "[\n" + ",\n".join(map(json.dumps, ORDERS)),
        "is damaged JSON from line 4 on: Expecting ',' or ']'; download it again",
    ),
    "two lists": (
        write_spread({"orders": ORDERS, "cancelled": ORDERS}),
        "has several lists that may be meant: orders, cancelled; declare one of them as records",
    ),
    "an error of the platform": (
        '{"errors": "invalid token", "orders": []}',
        "column 'id' (for order_id) is missing; found: errors, orders",
    ),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_what_is_not_certain_is_refused_as_a_whole(case: str, shop: Shop) -> None:
    text, message = DOUBTFUL[case]
    told = shop.deliver(text, SOURCE, "orders.json")
    assert (told.status, told.rows_loaded, told.message) == ("quarantined", 0, message)


@pytest.mark.parametrize("text", ["[]", '{"orders": []}', '{\n"orders": [\n]\n}\n', ""])
def test_a_list_without_records_is_an_empty_delivery(text: str, shop: Shop) -> None:
    assert shop.deliver(text, SOURCE, "orders.json") == Told("loaded", 0, "", [])


def test_a_declared_list_is_read_and_no_other(shop: Shop) -> None:
    text = write_spread({"errors": [], "data": {"orders": ORDERS[:1], "cancelled": ORDERS}})
    declared = {**SOURCE, "records": "data.cancelled"}
    assert shop.deliver(text, declared, "orders.json").rows_loaded == 3
    empty = write_spread({"errors": [], "data": {"orders": ORDERS, "cancelled": []}})
    assert shop.deliver(empty, declared, "orders.json") == Told("loaded", 0, "", [])
    told = shop.deliver(write_spread({"orders": ORDERS}), declared, "orders.json")
    assert told.status == "quarantined"
    assert told.message == "has no list data.cancelled; it has: $, orders"


def test_a_damaged_line_does_not_make_lines_a_document(shop: Shop) -> None:
    lines = FORMS["lines"].splitlines()
    told = shop.deliver("\n".join([lines[0][:40], *lines[1:]]), SOURCE, "orders.json")
    assert (told.status, told.rows_loaded, [number for number, *_ in told.quarantine]) == ("loaded", 2, [1])


def test_records_with_lists_of_their_own_stay_records(shop: Shop) -> None:
    """A line item has an id too: one order alone in a file is still the order."""
    assert shop.deliver(json.dumps(ORDERS[0]), SOURCE, "orders.json").rows_loaded == 1
    assert shop.deliver(write_spread(ORDERS[0]), SOURCE, "orders.json").rows_loaded == 1


def test_pieces_of_any_size_give_the_same_records() -> None:
    class Pieces(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            return super().read(min(size or 1, dice.randint(1, 7)))

    dice = random.Random(3)
    texts = [FORMS[form] for form in FORMS if form != "with a byte-order mark"]
    for text in [*texts, '[1, 23, -4.5e6, "a\\"b", true, null, [], {}] 12 {"a": [[1, 2], {"b": [3]}]} ']:
        whole = find_lists(io.StringIO(text), LONGEST)
        assert find_lists(Pieces(text), LONGEST) == whole
        for name in whole:
            expected = list(read_records(io.StringIO(text), name, LONGEST))
            assert list(read_records(Pieces(text), name, LONGEST)) == expected
            assert len(expected) == whole[name].count
            assert all(json.loads(each.text) is not ... for each in expected)


@pytest.mark.parametrize("text", ["[", "[1", '{"a"', '{"a": [1,]}', "[1 2]", '{"a" 1}', "{1: 2}", "[" * 100_000, "nul"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(JsonError):
        find_lists(io.StringIO(text), LONGEST)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_list() -> None:
    def measure(count: int) -> int:
        content = '{"orders": [' + ", ".join(json.dumps(ORDERS[0]) for _ in range(count)) + "]}"
        first, second = io.StringIO(content), io.StringIO(content)
        tracemalloc.start()
        assert find_lists(first, LONGEST)["orders"].count == count
        assert sum(1 for _ in read_records(second, "orders", LONGEST)) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert measure(40_000) < measure(20_000) + 1_000_000
