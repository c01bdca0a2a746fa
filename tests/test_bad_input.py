"""Each kind of bad input through the real intake: what the user is told, and where the rows went."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_landing import as_workbook, without_privileges
from intake_helpers import CONTRACT, DAY, GOOD, HEADER, MAPPED, Shop, Told, good, line, read_input_versions, set_aside

from funnelscope.ingest import deliveries, find_family_presence, list_failures
from funnelscope.ingest.identity import hash_identifier
from funnelscope.quality.gate import decide_verdicts
from funnelscope.settings import Settings, Source
from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import derive_schemas


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


# -- encodings

BYTES_OF_GBK = "holds bytes that are not utf-8; the file looks like gb18030: declare encoding: gb18030"

ENCODINGS: dict[str, tuple[bytes, str, Told]] = {
    "GBK, undeclared": (GOOD.encode("gbk"), "utf-8", set_aside("bad_encoding", BYTES_OF_GBK)),
    "GBK, declared": (GOOD.encode("gbk"), "gbk", good()),
    "GB 18030, declared as GBK": (
        GOOD.replace("李雷韩梅梅", "㐀").encode("gb18030"),
        "gbk",
        Told(
            "loaded",
            0,
            "",
            [(n, "bad_encoding", BYTES_OF_GBK.replace("utf-8", "gbk")) for n in (2, 3, 4)],
        ),
    ),
    "UTF-8, declared as GBK": (
        GOOD.encode(),
        "gbk",
        set_aside("bad_encoding", "is utf-8, and would be misread as gbk; declare encoding: utf-8"),
    ),
    "UTF-8 with a mark": (GOOD.encode("utf-8-sig"), "utf-8", good()),
    "UTF-8 with a mark, declared as GB 18030": (
        GOOD.encode("utf-8-sig"),
        "gb18030",
        good("read as utf-8, as its byte-order mark says"),
    ),
    "UTF-16 with a mark, undeclared": (
        GOOD.encode("utf-16"),
        "utf-8",
        good("read as utf-16, as its byte-order mark says"),
    ),
    "UTF-16 without a mark, undeclared": (
        GOOD.encode("utf-16-le"),
        "utf-8",
        set_aside("bad_encoding", "is utf-16-le, and would be misread as utf-8; declare encoding: utf-16-le"),
    ),
    "UTF-16 without a mark, declared as having one": (
        GOOD.encode("utf-16-be"),
        "utf-16",
        set_aside("bad_encoding", "has no byte-order mark, which utf-16 needs; declare encoding: utf-16-be"),
    ),
    "UTF-16 without a mark, declared": (GOOD.encode("utf-16-be"), "utf-16-be", good()),
}


@pytest.mark.parametrize("case", ENCODINGS)
def test_an_encoding_is_never_guessed_only_named(case: str, shop: Shop) -> None:
    content, encoding, told = ENCODINGS[case]
    assert shop.deliver(content, MAPPED | {"encoding": encoding}) == told


def test_western_text_is_not_taken_for_chinese(shop: Shop) -> None:
    header = "order_id,event_time,event_type,customer_id\n"
    content = header + "1,2026-01-06 10:00:00,paid,José Müller\n2,2026-01-06 10:00:00,paid,Ann\n"
    told = shop.deliver(content.encode("cp1252"), CONTRACT)
    words = "holds bytes that are not utf-8; the file looks like windows-1252: declare encoding: windows-1252"
    assert told == Told("loaded", 1, "", [(2, "bad_encoding", words)])


# -- headers

FOUND = "found: 订单编号, 买家, 付款时间, 金额"
HEADERS: dict[str, tuple[str, Told]] = {
    "renamed": (
        GOOD.replace("付款时间", "订单付款时间"),
        set_aside(
            "missing_column",
            "column '付款时间' (for event_time) is missing; did you mean '订单付款时间'?; "
            "found: 订单编号, 买家, 订单付款时间, 金额",
        ),
    ),
    "reordered": ("金额,付款时间,订单编号,买家\n" + "5,2026-01-06 10:00:00,1,李雷\n" * 3, good()),
    "added": (
        "订单编号,买家,付款时间,金额,地址\n" + "1,李雷,2026-01-06 10:00:00,5,路\n" * 3,
        good("columns not read: 地址"),
    ),
    "dropped": (
        "订单编号,买家,付款时间\n1,李雷,2026-01-06 10:00:00\n",
        set_aside("missing_column", "column '金额' (for amount) is missing; found: 订单编号, 买家, 付款时间"),
    ),
    "a column that is read, twice": (
        "订单编号,买家,付款时间,金额,金额\n1,李雷,2026-01-06 10:00:00,5,6\n",
        set_aside("bad_header", f"column '金额' stands twice in the header; {FOUND}, 金额"),
    ),
    "a column that nobody reads, twice": (
        "订单编号,买家,付款时间,金额,备注,备注\n" + "1,李雷,2026-01-06 10:00:00,5,,x\n" * 3,
        good("columns not read: 备注, column_6"),
    ),
    "blanks around the names": (GOOD.replace(HEADER, "订单编号 , 买家,付款时间\t,金额\u3000\n"), good()),
    "characters without width around the names": (
        GOOD.replace(HEADER, "\ufeff\u200b订单编号,买家\u200b,\u2060付款时间,金额\u200e\n"),
        good(),
    ),
    "between semicolons": (
        GOOD.replace(",", ";"),
        set_aside(
            "missing_column",
            "column '订单编号' (for order_id) is missing; another delimiter seems to be between the names: "
            'declare delimiter: ";"; found: 订单编号;买家;付款时间;金额',
        ),
    ),
    "between commas, declared between semicolons": (
        GOOD,
        set_aside(
            "missing_column",
            "column '订单编号' (for order_id) is missing; another delimiter seems to be between the names: "
            'declare delimiter: ","; found: 订单编号,买家,付款时间,金额',
        ),
    ),
    "below Excel's line about the delimiter": (
        "sep=;\n" + GOOD.replace(",", ";"),
        set_aside(
            "missing_column",
            "column '订单编号' (for order_id) is missing; the header seems to be on line 2: declare header_row: 2, "
            'and declare delimiter: ";"; found: sep=;',
        ),
    ),
    "blank lines above": ("\n\n" + GOOD, good()),
    "on line 5, undeclared": (
        "订单报表\n\n店铺：兰亭\n导出：李雷\n" + GOOD,
        set_aside(
            "missing_column",
            "column '订单编号' (for order_id) is missing; "
            "the header seems to be on line 5: declare header_row: 5; found: 订单报表",
        ),
    ),
    "no line but blank ones": ("\n\n", good(rows=0)),
    "nothing below it": (HEADER, good(rows=0)),
    "nothing at all": ("", good(rows=0)),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_drifts_is_read_or_named(case: str, shop: Shop) -> None:
    content, told = HEADERS[case]
    declared = {"delimiter": ";"} if "declared between semicolons" in case else {}
    assert shop.deliver(content, MAPPED | declared) == told


def test_a_misspelt_column_that_may_be_absent_is_named_with_the_nearest(shop: Shop) -> None:
    content = "order_id,event_time,event_type,amout\n1,2026-01-06 10:00:00,paid,5\n"
    assert shop.deliver(content, CONTRACT) == good("columns not read: amout (did you mean amount?)", rows=1)


REPORT = "订单报表\n\n店铺：兰亭\n导出：李雷\n" + GOOD + "合计,,,37.50\n# 导出结束\n"


def test_a_report_with_its_header_on_line_5_and_totals_below_is_read_when_declared(shop: Shop) -> None:
    told = shop.deliver(REPORT, MAPPED | {"header_row": 5, "skip_lines": "^(合计|#)"})
    assert told == good("2 lines left out by skip_lines")
    assert sum(shop.column("amount")) == Decimal("37.50")


def test_totals_that_nobody_declared_are_in_quarantine_and_not_in_the_sum(shop: Shop) -> None:
    told = shop.deliver(REPORT, MAPPED | {"header_row": 5})
    assert told.quarantine == [
        (9, "missing_value", "event_time is empty"),
        (10, "wrong_field_count", "1 fields where the header has 4"),
    ]
    assert sum(shop.column("amount")) == Decimal("37.50")


HEADERLESS = MAPPED | {"header": "none", "names": ["订单编号", "买家", "付款时间", "金额"]}


def test_a_file_without_a_header_is_read_by_the_names_that_are_declared(shop: Shop) -> None:
    assert shop.deliver(line(1) + line(2) + line(3), HEADERLESS) == good()
    told = shop.deliver(line(1) + "2,李雷\n" + line(3), HEADERLESS)
    assert told.rows_loaded == 2
    assert [(number, reason) for number, reason, _ in told.quarantine] == [(2, "wrong_field_count")]


def test_columns_lined_up_by_blanks_are_read(shop: Shop) -> None:
    source = {"family": "order", "header": "none", "names": ["buyer", "day", "pieces", "money"], "delimiter": " "}
    source |= {"time_format": "%Y%m%d", "event_types": "paid"}
    source |= {"columns": {"customer_id": "buyer", "event_time": "day", "quantity": "pieces", "amount": "money"}}
    assert shop.deliver(" 0001 20260105  1   11.50\n 0002 20260106 12  170.00 \n", source, "history.csv") == good(
        rows=2
    )
    assert [str(amount) for amount in shop.column("amount")] == ["11.50", "170.00"]
    assert shop.column("quantity") == [1, 12]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"header": "none"}, "write header: none, and names"),
        ({"names": ["a", "b"]}, "write header: none, and names"),
        ({"header": "none", "names": ["a", "A"]}, "has a name twice"),
        ({"header": "none", "names": ["a"], "header_row": 2}, "is the line of a header"),
    ],
)
def test_names_belong_to_a_file_without_a_header(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Source.model_validate({"family": "order"} | given)


def test_a_header_row_beyond_the_end_is_said(shop: Shop) -> None:
    told = shop.deliver(GOOD, MAPPED | {"header_row": 9})
    assert told == set_aside("bad_header", "ends on line 4, before header_row, 9")


# -- records

OPEN_QUOTE = "a quote is opened and not closed on its line"
ZERO_BYTES = "holds zero bytes; it was damaged, or is no text"

RECORDS: dict[str, tuple[str, int, list[tuple[int, str, str]]]] = {
    "too few and too many fields": (
        HEADER + line(1) + "2,李雷\n" + line(3).replace("\n", ",x\n") + line(4),
        2,
        [
            (3, "wrong_field_count", "2 fields where the header has 4"),
            (4, "wrong_field_count", "5 fields where the header has 4"),
        ],
    ),
    "empty fields at the end, as spreadsheets leave them": (
        HEADER + line(1).replace("\n", ",,\n") + ",,,\n" + line(2) + "\n",
        2,
        [],
    ),
    "a quote that is never closed": (
        HEADER + line(1) + line(2, buyer='"李雷') + line(3) + line(4),
        3,
        [(3, "bad_record", OPEN_QUOTE)],
    ),
    "a quote that the next quote closes": (
        HEADER + line(1) + line(2, buyer='"李雷') + line(3) + line(4, buyer='"韩"') + line(5),
        4,
        [(3, "bad_record", OPEN_QUOTE)],
    ),
    "the rest of a record with a bad quote": (
        HEADER + '1"x\ny"z,李雷,2026-01-06 10:00:00,5\n' + '"1\n2"x,李雷,2026-01-06 10:00:00,5\n' + line(5),
        2,
        [
            (2, "wrong_field_count", "1 fields where the header has 4"),
            (4, "bad_record", OPEN_QUOTE),
            (5, "bad_record", "a quote without its partner"),
        ],
    ),
    "line breaks inside quotes": (HEADER + line(1, buyer='"李\n\n雷"') + line(2), 2, []),
    "a zero byte": (HEADER + line(1) + line(2, buyer="李\0雷"), 1, [(3, "bad_record", ZERO_BYTES)]),
    "zero bytes at the end, as a power failure leaves them": (
        GOOD + "\0" * 512,
        3,
        [(5, "bad_record", ZERO_BYTES)],
    ),
    "an id of 10 kB": (
        HEADER + line(1) + line(2, buyer="x" * 10_240),
        1,
        [
            (
                3,
                "value_out_of_contract",
                f"customer_id: {'x' * 50}… has 10240 characters, more than 1000; "
                "is a quote not closed, or a delimiter lost?",
            )
        ],
    ),
    "every kind of line end in one file": (
        (HEADER + line(1)).replace("\n", "\r\n") + line(2).replace("\n", "\r") + line(3),
        3,
        [],
    ),
    "two files joined, each with its mark and header": (
        GOOD + "\ufeff" + GOOD.replace("2026-01-06", "2026-01-05"),
        6,
        [(5, "bad_record", "is the header again; were two files joined?")],
    ),
    "another sign for quotes": (
        HEADER + line(1) + line(2, buyer="'李,雷'"),
        1,
        [(3, "wrong_field_count", "5 fields where the header has 4")],
    ),
    "quotes after a backslash": (
        HEADER + line(1) + line(2, buyer='"李\\"雷"') + line(3),
        2,
        [(3, "bad_record", "not CSV: ',' expected after '\"'")],
    ),
    "a line of five million characters": (
        HEADER + line(1) + "x" * 5_000_000 + "\n" + line(3),
        2,
        [(3, "bad_record", "not CSV: field larger than field limit (131072)")],
    ),
    "an id that Python has rounded": (
        HEADER + line(1) + line(2).replace("2,", "2.02601e+17,", 1),
        1,
        [(3, "bad_type", "order_id: 2.02601e+17 was rounded by a spreadsheet; export it again as text")],
    ),
    "an id that a spreadsheet has rounded": (
        HEADER + line(1) + line(2).replace("2,", "2.02601E+17,", 1),
        1,
        [(3, "bad_type", "order_id: 2.02601E+17 was rounded by a spreadsheet; export it again as text")],
    ),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_bad_record_goes_to_quarantine_alone(case: str, shop: Shop) -> None:
    content, loaded, quarantine = RECORDS[case]
    assert shop.deliver(content) == Told("loaded", loaded, "", quarantine)


# -- whole files


def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("orders.csv")
        member.size = len(GOOD.encode())
        archive.addfile(member, io.BytesIO(GOOD.encode()))
    return packed.getvalue()


FILES: dict[str, tuple[str, str | bytes, str, str]] = {
    "truncated gzip": (
        "a.csv.gz",
        gzip.compress(GOOD.encode())[:-9],
        "unreadable",
        "cannot be read: Compressed file ended before the end-of-stream marker was reached; deliver it again",
    ),
    "truncated zstd": (
        "a.csv.zst",
        pa.compress((GOOD * 50).encode(), "zstd", asbytes=True)[:-9],
        "unreadable",
        "cannot be read: Truncated compressed stream; deliver it again",
    ),
    "gzip by content only": (
        "a.csv",
        gzip.compress(GOOD.encode()),
        "unreadable",
        "is compressed with gzip; name it .gz",
    ),
    "a workbook": (
        "a.csv",
        b"PK\x03\x04\x14\x00",
        "unreadable",
        "is an Excel workbook or another zip archive; save it as CSV UTF-8",
    ),
    "a login page": (
        "a.csv",
        "<!DOCTYPE html><html>",
        "unreadable",
        "is a web page; export the data as CSV (a login page may have been downloaded instead of the file)",
    ),
    "a table in HTML that is called a workbook": (
        "a.xls",
        "<html><table><tr><td>1</td></tr></table>",
        "unreadable",
        "is a web page or a table in HTML under another name, which Excel opens all the same; open it in Excel and "
        "save it as an Excel workbook (.xlsx) or as CSV UTF-8",
    ),
    "a page with a mark and a table, called a workbook": (
        "a.xls",
        "\ufeff<!DOCTYPE html>\n<html><table><tr><td>1</td></tr></table>",
        "unreadable",
        "is a web page or a table in HTML under another name, which Excel opens all the same; open it in Excel and "
        "save it as an Excel workbook (.xlsx) or as CSV UTF-8",
    ),
    "a workbook under its own name": (
        "a.xlsx",
        b"PK\x03\x04\x14\x00",
        "unreadable",
        "is damaged: invalid Zip archive: Could not find EOCD; deliver it again",
    ),
    "a tar archive in gzip": (
        "a.csv.gz",
        gzip.compress(_archive()),
        "unreadable",
        "is a tar archive; unpack it, and deliver the files in it",
    ),
    "a tar archive under its own name": (
        "a.tar.gz",
        gzip.compress(_archive()),
        "unreadable",
        "is a tar archive; unpack it, and deliver the files in it",
    ),
    "gzip twice": (
        "a.csv.gz",
        gzip.compress(gzip.compress(GOOD.encode())),
        "unreadable",
        "is compressed twice; unpack it once",
    ),
    "something behind the end of gzip": (
        "a.csv.gz",
        gzip.compress(GOOD.encode()) + b"garbage",
        "unreadable",
        "cannot be read: Not a gzipped file (b'ga'); deliver it again",
    ),
    "UTF-8 encoded again as UTF-8": (
        "a.csv",
        GOOD.encode().decode("latin-1").encode(),
        "bad_encoding",
        "was encoded as UTF-8 twice, so that no letter beyond ASCII is what it was; export it anew",
    ),
    "CSV under another name": ("a.jsonl", GOOD, "unreadable", "holds no JSON; if it is CSV, name it .csv"),
    "JSON lines under another name": (
        "a.csv",
        '{"event_time":"2026-01-06 10:00:00","event_type":"paid"}\n',
        "bad_header",
        "line 1 is no header: it looks like JSON lines; name the file .jsonl",
    ),
    "another ending": (
        "a.dat",
        GOOD,
        "unknown_format",
        "landing/order/dt=2026-01-06/a.dat ends in none of .parquet, .pq, .csv, .tsv, .txt, .xlsx, .xlsm, .xls, "
        ".jsonl, .ndjson, .json (.gz, .zst); rename it, or declare format",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_such_file_is_set_aside_with_the_way_out(case: str, shop: Shop) -> None:
    name, content, reason, message = FILES[case]
    assert shop.deliver(content, name=name) == set_aside(reason, message)


JSON_START = '"event_time": "2026-01-06 10:00:00", "event_type": "paid"'
JSON_RECORDS: dict[str, tuple[str, int, list[tuple[int, str, str]]]] = {
    "what is no object": (
        f'{{{JSON_START}}}\n["a", 1]\n"text"\nnull\n5\n{{}}\n',
        1,
        [
            *((number, "bad_record", "not a JSON object") for number in (2, 3, 4, 5)),
            (6, "bad_record", "an object without any key"),
        ],
    ),
    "a key that stands twice": (
        f'{{{JSON_START}, "amount": 5}}\n{{{JSON_START}, "amount": 5, "amount": 6}}\n',
        1,
        [(2, "bad_record", "not JSON: key 'amount' appears twice")],
    ),
    "a value within a value": (
        f'{{{JSON_START}, "amount": {{"value": 5}}}}\n',
        0,
        [(1, "bad_type", 'amount: {"value": "5"} is no money')],
    ),
    "half of a character": (
        f'{{{JSON_START}, "sku": "\\ud83d\\ude00"}}\n{{{JSON_START}, "sku": "\\ud83d"}}\n',
        1,
        [(2, "bad_encoding", "holds bytes that are not utf-8; declare the encoding that it was written in")],
    ),
}


@pytest.mark.parametrize("case", JSON_RECORDS)
def test_a_bad_line_of_json_goes_to_quarantine_alone(case: str, shop: Shop) -> None:
    content, loaded, quarantine = JSON_RECORDS[case]
    assert shop.deliver(content, CONTRACT, "orders.jsonl") == Told("loaded", loaded, "", quarantine)


# -- Parquet files of other types

MOMENT = datetime(2026, 1, 6, 10)


def parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    length = max(len(values) for values in columns.values())
    given = {"event_time": [MOMENT] * length, "event_type": ["paid"] * length} | columns
    pq.write_table(pa.table(given), sink)
    return bytes(sink.getvalue())


PARQUET_ROWS: dict[str, tuple[dict[str, Any], int, list[tuple[int, str, str]]]] = {
    "structures for a number": (
        {"amount": [{"value": 5}]},
        0,
        [(1, "bad_type", "amount: {'value': 5} is no money")],
    ),
    "lists for an id": (
        {"order_id": [["a", "b"]]},
        0,
        [(1, "bad_type", "order_id is of type VARCHAR[], which is no text; take a value out of it with an expression")],
    ),
    "bytes for an id": (
        {"order_id": [b"\xff\x00"]},
        0,
        [(1, "bad_type", "order_id is of type BLOB, which is no text; take a value out of it with an expression")],
    ),
    "zero bytes in a text": (
        {"sku": ["a", "a\0b"]},
        1,
        [(2, "bad_record", "sku holds zero bytes; it was damaged, or is no text")],
    ),
    "amounts that are no numbers": (
        {"amount": [float("nan"), float("inf"), 1e300, 12.5]},
        1,
        [
            (1, "bad_type", "amount: nan is no money"),
            (2, "bad_type", "amount: inf is no money"),
            (3, "bad_type", "amount: 1e+300 is no money"),
        ],
    ),
    "ids that lost digits as decimals": (
        {"order_id": [17850.0, 2.0260106e17]},
        1,
        [(2, "bad_type", "order_id: 2.0260106e+17 has lost digits as a decimal number; deliver whole numbers or text")],
    ),
    "a number of microseconds": (
        {"event_time": pa.array([1_767_664_800_123_456], pa.int64())},
        0,
        [
            (
                0,
                "bad_time",
                "event_time is of type BIGINT; its numbers look like epoch_microseconds, such as 1767664800123456: "
                "declare time_format: epoch_microseconds",
            )
        ],
    ),
    "a time of day without a day": (
        {"event_time": pa.array([36_000], pa.time32("s"))},
        0,
        [
            (
                0,
                "bad_time",
                "event_time is of type TIME; "
                "declare time_format (epoch_seconds, epoch_milliseconds, epoch_microseconds) or an expression",
            )
        ],
    ),
}


@pytest.mark.parametrize("case", PARQUET_ROWS)
def test_a_parquet_column_of_another_type_is_refused_with_its_name(case: str, shop: Shop) -> None:
    columns, loaded, quarantine = PARQUET_ROWS[case]
    told = shop.deliver(parquet(**columns), CONTRACT, "orders.parquet")
    assert (told.rows_loaded, told.quarantine) == (loaded, quarantine)


def test_ids_that_a_data_frame_made_decimals_of_are_the_ids_that_they_were(shop: Shop) -> None:
    shop.deliver(parquet(customer_id=[17850.0, float("nan"), None]), CONTRACT, "orders.parquet")
    assert shop.column("customer_id") == [hash_identifier(shop.settings, "17850"), None, None]


def test_ids_written_as_decimals_are_named_since_they_join_with_nothing(shop: Shop) -> None:
    told = shop.deliver(HEADER + line(1) + line(2, buyer="17850.0"))
    assert told == good("ids are written as decimal numbers (1.0) in customer_id: 1 elsewhere is another id", 2)


def test_a_parquet_column_that_is_read_must_not_stand_twice(shop: Shop) -> None:
    names = ["event_time", "event_type", "Event_Type", "note", "NOTE"]
    values = [[MOMENT], ["paid"], ["created"], ["x"], ["y"]]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table([pa.array(each) for each in values], names=names), sink)
    told = shop.deliver(bytes(sink.getvalue()), CONTRACT, "orders.parquet")
    assert told == set_aside("bad_header", "column 'event_type' stands twice")
    unread = {"columns": {"event_time": "event_time"}, "event_types": "paid"}
    told = shop.deliver(bytes(sink.getvalue()), CONTRACT | unread, "orders.parquet")
    assert (told.status, told.rows_loaded) == ("loaded", 1)  # where neither is read, both are ignored


def test_a_parquet_column_called_as_duckdb_counts_rows_is_refused_by_name(shop: Shop) -> None:
    told = shop.deliver(parquet(file_row_number=[1, 2, 3]), CONTRACT, "orders.parquet")
    assert told == set_aside("bad_header", "no column may be called 'file_row_number'; export it by another name")


def test_a_truncated_parquet_file_is_set_aside(shop: Shop) -> None:
    told = shop.deliver(b"PAR1 and not much more", name="a.parquet")
    assert (told.status, told.quarantine[0][:2]) == ("quarantined", (0, "unreadable"))
    assert told.message.startswith("cannot be read: Invalid Input Error: No magic bytes found at end of file")
    assert told.message.endswith("deliver it again")


def test_a_folder_in_place_of_a_file_is_set_aside(shop: Shop) -> None:
    (shop.home / "landing/order" / f"dt={DAY}" / "orders.csv").mkdir(parents=True)
    words = f"landing/order/dt={DAY}/orders.csv is a folder; its files must lie directly under dt=..."
    assert shop.take() == set_aside("not_a_file", words)


def test_a_link_out_of_the_landing_zone_is_set_aside(shop: Shop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD)
    folder = shop.home / "landing/order" / f"dt={DAY}"
    folder.mkdir(parents=True)
    (folder / "orders.csv").symlink_to(secret)
    words = (
        f"landing/order/dt={DAY}/orders.csv leads to {secret.resolve()}, outside {shop.home / 'landing/order'}; copy it"
    )
    assert shop.take() == set_aside("outside_landing_zone", words)


# -- numbers

NUMBERS: dict[str, str | None] = {
    "1,234.50": "1234.50",
    "￥1,234.50": "1234.50",
    "-0.00": "0.00",
    "¥ 12": "12.00",
    "12.30元": "12.30",
    "12.30 元": "12.30",
    "RMB 7": "7.00",
    '=""12345""': "12345.00",
    "1 234 567.5": "1234567.50",
    "12.50\t": "12.50",
    "1.5e3": "1500.00",
    "-": None,
    "--": None,
    "NULL": None,
    "N/A": None,
    "#N/A": None,
}

UNREADABLE_NUMBERS = [
    *("1.234,50", "12,5", "1,23,456.00", "0,123", "1,2345", "78.15%", "$12.50", "12.50 €", "(12.50)", "-￥-5"),
    *("1.2万", "5元起", "１２", "0x10", "inf", "1e30", "two", "2026-01-06"),
]


def test_amounts_are_read_as_exports_write_them(shop: Shop) -> None:
    told = shop.deliver(HEADER + "".join(line(n, f'"{written}"') for n, written in enumerate(NUMBERS)))
    assert told == good(rows=len(NUMBERS))
    assert shop.column("amount") == [None if wanted is None else Decimal(wanted) for wanted in NUMBERS.values()]


def test_what_is_no_amount_or_could_be_two_is_not_read(shop: Shop) -> None:
    told = shop.deliver(HEADER + "".join(line(n, f'"{written}"') for n, written in enumerate(UNREADABLE_NUMBERS)))
    wanted = [(n, "bad_type", f"amount: {text} is no money") for n, text in enumerate(UNREADABLE_NUMBERS, start=2)]
    assert told == Told("loaded", 0, "", wanted)


def test_a_decimal_comma_is_read_where_it_is_declared_and_only_there(shop: Shop) -> None:
    content = HEADER + "".join(
        line(n, f'"{text}"') for n, text in enumerate(["1.234,50", "12,5", "1.234", "7", "12.50"])
    )
    told = shop.deliver(content, MAPPED | {"decimal": ","})
    assert shop.column("amount") == [Decimal(text) for text in ("1234.50", "12.50", "1234.00", "7.00")]
    assert told.quarantine == [(6, "bad_type", "amount: 12.50 is no money")]


def test_a_share_in_percent_is_read_as_zero_to_one(shop: Shop, tmp_path: Path) -> None:
    path = shop.home / "landing/page" / f"dt={DAY}" / "a.csv"
    path.parent.mkdir(parents=True)
    row = "page_leave,2026-01-06 10:00:00"
    path.write_text(f"event_type,event_time,scroll_ratio\n{row},78.15%\n{row},0.5\n{row},140%\n")
    told = shop.take({"family": "page"})
    shares = shop.warehouse.rows("select scroll_ratio from raw.page_events order by row_number")
    assert shares == [(pytest.approx(0.7815),), (0.5,)]
    assert told.quarantine == [(4, "value_out_of_contract", "scroll_ratio: 1.4 is above 1")]


def test_negative_and_absurd_amounts_are_in_quarantine(shop: Shop) -> None:
    told = shop.deliver(HEADER + line(1, "-1") + line(2, "13800138000") + line(3, "9999999"))
    assert told == Told(
        "loaded",
        1,
        "",
        [
            (2, "negative_amount", "amount: -1.00 is negative; amounts and refunds are positive, see negative_amounts"),
            (3, "value_out_of_contract", "amount: 13800138000.00 is above 10000000000"),
        ],
    )


def test_blanks_that_nobody_sees_are_no_part_of_a_value(shop: Shop) -> None:
    content = HEADER + line(1, amount="5\u200b") + line(1, amount="\u200e5", buyer="\u200b李雷韩梅梅\u2060")
    assert shop.deliver(content).rows_loaded == 2
    assert shop.column("amount") == [Decimal(5), Decimal(5)]
    assert len(set(shop.column("customer_id"))) == 1


def test_words_for_nothing_are_nobodys_id(shop: Shop) -> None:
    shop.deliver(HEADER + line(1, buyer="NULL") + line(2, buyer="-") + line(3, buyer='"=""5"""') + line(4, buyer="5 "))
    buyers = shop.column("customer_id")
    assert buyers[:2] == [None, None]
    assert buyers[2] == buyers[3] is not None


def test_a_shop_may_have_its_own_words_for_nothing(shop: Shop) -> None:
    shop.deliver(HEADER + line(1, buyer="无") + line(2, buyer="-"), MAPPED | {"empty_values": ["无"]})
    assert [buyer is None for buyer in shop.column("customer_id")] == [True, False]


# -- files that are not finished


def test_a_file_that_is_still_being_written_is_not_stored_and_the_day_waits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.home / "landing/order" / f"dt={DAY}" / "orders.csv"
    read = deliveries.read_text

    def read_while_it_is_written_to(*arguments: Any) -> Any:
        rows = read(*arguments)
        with path.open("a") as file:
            file.write(line(4))
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "read_text", read_while_it_is_written_to)
        told = shop.deliver(GOOD)
    assert told == Told("growing", 0, "changed while it was read; tried again next time", [])
    assert find_family_presence(shop.warehouse, shop.settings, DAY)["order"] == "growing"
    assert shop.take() == good(rows=4)


def test_a_line_that_was_cut_off_by_a_copy_is_in_quarantine_and_comes_with_the_whole_file(shop: Shop) -> None:
    told = shop.deliver(GOOD[:-25])
    assert told.rows_loaded == 2
    assert told.quarantine == [(4, "wrong_field_count", "3 fields where the header has 4")]
    assert shop.deliver(GOOD) == good()


# -- identities


def test_an_id_with_two_contents_keeps_one_and_says_so(shop: Shop) -> None:
    header = "event_id,order_id,event_time,event_type,amount\n"
    row: Callable[[str], str] = lambda amount: f"e1,1,2026-01-06 10:00:00,paid,{amount}\n"  # noqa: E731
    told = shop.deliver(header + row("5") + row("6"), CONTRACT)
    assert told.rows_loaded == 2
    ((_, reason, detail),) = told.quarantine
    assert reason == "conflicting_duplicate"
    assert detail.startswith("another row with the same event_id and business date was kept")


# -- sources that are down


def test_a_database_that_is_down_is_named_and_takes_nothing_away(shop: Shop) -> None:
    path = shop.home / "shop.duckdb"
    with duckdb.connect(path) as database:
        database.execute("create table visits as select timestamp '2026-01-06 08:00:00' as seen")
    source = {
        "family": "page",
        "attach": "shop.duckdb",
        "query": "select seen as event_time, 'page_view' as event_type from visits",
        "delivery_date": DAY,
    }
    assert shop.take(source) == good(rows=1)
    before = read_input_versions(shop.warehouse)
    path.rename(shop.home / "elsewhere")
    words = "shop.duckdb is not there; is its disk mounted, and its server up?; tried again next time"
    assert shop.take(source) == Told("unreachable", 1, words, [(0, "not_a_file", words)])
    assert read_input_versions(shop.warehouse) == before
    tomorrow = DAY + timedelta(days=1)
    assert find_family_presence(shop.warehouse, shop.settings, DAY)["page"] == "present"
    assert find_family_presence(shop.warehouse, shop.settings, tomorrow)["page"] == "missing"
    assert list_failures(shop.warehouse, "page", tomorrow) == [f"shop.duckdb: {words}"]
    (shop.home / "elsewhere").rename(path)
    assert shop.take(source) == good(rows=1)


def test_an_empty_file_in_place_of_a_database_is_no_day_without_rows(shop: Shop) -> None:
    (shop.home / "shop.sqlite").touch()
    source = {"family": "page", "attach": "shop.sqlite", "query": "select * from visits", "delivery_date": DAY}
    words = "shop.sqlite is empty: it holds no database; tried again next time"
    assert shop.take(source) == Told("unreachable", 0, words, [(0, "failed_query", words)])
    assert find_family_presence(shop.warehouse, shop.settings, DAY)["page"] == "missing"


def test_a_day_whose_only_file_is_unreadable_says_which_file(shop: Shop) -> None:
    told = shop.deliver(b"PK\x03\x04")
    for table, columns in derive_schemas().items():
        shop.warehouse.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
    (reason,) = [
        reason
        for reason in decide_verdicts(shop.warehouse, shop.settings, DAY, DAY)[0].reasons
        if reason.key == "family_missing"
    ]
    assert reason.observed == f"missing: landing/order/dt={DAY}/orders.csv: {told.message}"


def test_a_chinese_shop_reads_the_reasons_in_chinese(shop: Shop) -> None:
    shop.language = "zh"
    told = shop.deliver(HEADER + line(1) + line(2, time="6 Jan"))
    assert told.quarantine == [(3, "bad_time", "event_time：6 Jan 不是时间")]
    told = shop.deliver(HEADER + line(3) + "4,a\n")
    assert told.quarantine == [(3, "wrong_field_count", "有 2 个字段，而表头有 4 个")]
    told = shop.deliver("订单编号,买家,金额\n1,a,2\n")
    assert [detail.partition("；")[0] for _, _, detail in told.quarantine] == ["缺少列 '付款时间'（对应 event_time）"]


# -- one file never takes the others with it


def take_beside_a_good_file(
    shop: Shop, name: bytes, place: Callable[[Path], Any]
) -> tuple[int, list[tuple[str, int, str]]]:
    """Rows loaded, and (file, row, reason) of the quarantine, where `place` makes a second file of that name."""
    folder = shop.home / "landing/order" / f"dt={DAY}"
    folder.mkdir(parents=True)
    (folder / "good.csv").write_text(GOOD)
    place(folder / os.fsdecode(name))
    settings = Settings.model_validate(
        {"shop": "s", "start_date": "2026-01-01", "sources": [MAPPED], "home": shop.home, "timezone": "Asia/Shanghai"}
    )
    intake = deliveries.take_deliveries(shop.warehouse, settings)
    rows = shop.warehouse.rows("select file, row_number, reason from quality.quarantine order by all")
    return intake.rows_loaded, [(file.rpartition("/")[2], number, reason) for file, number, reason in rows]


def test_a_link_that_leads_to_itself_is_set_aside(shop: Shop) -> None:
    assert take_beside_a_good_file(shop, b"loop.csv", lambda path: path.symlink_to(path)) == (
        3,
        [("loop.csv", 0, "not_a_file")],
    )


def test_a_file_whose_name_is_no_utf_8_is_read_under_an_escaped_name(shop: Shop) -> None:
    name = "订单.csv".encode("gbk")

    def place(path: Path) -> None:
        path.write_text(HEADER + line(7) + line(8, amount="x"))

    escaped = r"\xb6\xa9\xb5\xa5.csv"
    assert take_beside_a_good_file(shop, name, place) == (4, [(escaped, 3, "bad_type")])


@pytest.mark.parametrize("ending", [".parquet", ".xlsx"])
def test_a_parquet_file_or_workbook_of_such_a_name_takes_nothing_with_it(ending: str, shop: Shop) -> None:
    name = "订单".encode("gbk") + ending.encode()
    content = {
        ".parquet": parquet(order_id=["7"]),
        ".xlsx": as_workbook([HEADER.strip().split(","), ["7", "x", "2026-01-06 10:00:00", "1"]]),
    }[ending]
    escaped = r"\xb6\xa9\xb5\xa5" + ending
    told = take_beside_a_good_file(shop, name, lambda path: path.write_bytes(content))
    assert told == ((3, [(escaped, 0, "unreadable")]) if ending == ".parquet" else (4, []))


def test_a_fault_that_nobody_foresaw_sets_one_file_aside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    read = deliveries.read_text

    def read_or_fail(warehouse: Any, path: Path, *arguments: Any) -> Any:
        if path.name == "odd.csv":
            raise KeyError("no such thing")
        return read(warehouse, path, *arguments)

    monkeypatch.setattr(deliveries, "read_text", read_or_fail)

    def place(path: Path) -> None:
        path.write_text(GOOD)

    assert take_beside_a_good_file(shop, b"odd.csv", place) == (3, [("odd.csv", 0, "unreadable")])
    (message,) = shop.warehouse.rows("select message from quality.deliveries where status = 'quarantined'")[0]
    assert "KeyError('no such thing')" in message


@pytest.mark.parametrize("keys", [{"expressions": {"customer_id": 'no_such("买家")'}}, {"where": 'no_such("买家")'}])
def test_a_function_that_there_is_not_is_a_fault_of_its_source(shop: Shop, keys: dict[str, Any]) -> None:
    columns = {name: column for name, column in MAPPED["columns"].items() if name != "customer_id"}
    told = shop.deliver(GOOD, MAPPED | {"columns": columns} | keys)
    assert [(number, reason) for number, reason, _ in told.quarantine] == [(0, "failed_expression")]
    assert "no_such" in told.message


def test_an_object_nested_ever_deeper_is_a_bad_line(shop: Shop) -> None:
    good_line = '{"event_time": "2026-01-06 10:00:00", "event_type": "paid", "order_id": "1"}\n'
    deep = "".join(f'{{"event_time": {"[" * depth}{"]" * depth}}}\n' for depth in (940, 970, 985, 1_000, 20_000))
    told = shop.deliver(good_line + deep, CONTRACT, "orders.jsonl")
    assert told.rows_loaded == 1
    assert {number for number, _, _ in told.quarantine} == {2, 3, 4, 5, 6}


# -- what may not be read, and names that look alike


@pytest.fixture
def landing(shop: Shop) -> Path:
    folder = shop.home / "landing/order" / f"dt={DAY}"
    folder.mkdir(parents=True)
    (folder / "good.csv").write_text(GOOD)
    shop.take()
    return folder


def test_a_folder_that_may_not_be_read_keeps_its_rows_and_is_named(shop: Shop, landing: Path) -> None:
    with without_privileges():
        landing.chmod(0)
        intake = deliveries.take_deliveries(shop.warehouse, shop.settings)
        (later := landing.with_name("dt=2026-01-07")).mkdir()
        (later / "b.csv").write_text(GOOD.replace("2026-01-06", "2026-01-05"))
        assert deliveries.take_deliveries(shop.warehouse, shop.settings).loaded == 1
        assert (intake.removed, intake.quarantined) == (0, 1)
        assert shop.warehouse.value("select count(*) from raw.order_events") == 6
        ((file, message),) = shop.warehouse.rows(
            "select file, message from quality.deliveries where status = 'quarantined'"
        )
        assert message == f"{file} may not be read by this user, so nothing is known of the files in it; chmod u+rx"
        landing.chmod(0o700)
    assert deliveries.take_deliveries(shop.warehouse, shop.settings).removed == 1  # the folder, no longer locked
    assert shop.warehouse.value("select count(*) from quality.quarantine") == 0


def test_a_source_whose_whole_folder_may_not_be_read_stops_as_one_that_is_gone(shop: Shop, landing: Path) -> None:
    with without_privileges():
        landing.parent.chmod(0)
        with pytest.raises(deliveries.IngestError, match=r"may not be read.*chmod u\+rx"):
            deliveries.take_deliveries(shop.warehouse, shop.settings)
        landing.parent.chmod(0o700)


def test_a_name_that_looks_like_another_shown_escaped_is_another(shop: Shop, landing: Path) -> None:
    (landing / os.fsdecode("订单.csv".encode("gbk"))).write_text(GOOD.replace("2026-01-06", "2026-01-05"))
    (landing / r"\xb6\xa9\xb5\xa5.csv").write_text(GOOD.replace("2026-01-06", "2026-01-04") + line(9))
    for _ in range(2):
        deliveries.take_deliveries(shop.warehouse, shop.settings)
        assert shop.warehouse.value("select count(*) from raw.order_events") == 10
        assert shop.warehouse.value("select count(distinct file) from quality.deliveries") == 3


@pytest.mark.parametrize("seconds", [-(2**40), 2**34 - 1, 2**45])
def test_a_file_may_claim_any_time(seconds: int, shop: Shop, landing: Path) -> None:
    os.utime(landing / "good.csv", (seconds, seconds))
    deliveries.take_deliveries(shop.warehouse, shop.settings)
    assert shop.warehouse.value("select count(*) from raw.order_events") == 3
