"""Workbooks: which sheet and header are read, what becomes of their cells, and which are refused."""

from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from intake_helpers import MAPPED, Shop, Told, good, set_aside

from funnelscope.warehouse.connection import open_in_memory_warehouse

COLUMNS = ["订单编号", "买家", "付款时间", "金额"]
ROWS = [
    ["70001", "李雷", datetime(2026, 1, 6, 10), 12.5],
    ["70002", "韩梅梅", "2026-01-06 10:00:00", "12.50"],
    [70003, "李雷", datetime(2026, 1, 6, 11, 30), 20],
]
OLD_WORKBOOK = Path(__file__).parent / "workbooks" / "orders.xls"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def workbook_of(sheets: dict[str, list[list[Any]]], hidden: tuple[str, ...] = ()) -> bytes:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    content = BytesIO()
    workbook.save(content)
    return content.getvalue()


def deliver(shop: Shop, rows: list[list[Any]], **keys: Any) -> Told:
    return shop.deliver(workbook_of({"数据": rows}), MAPPED | keys, "orders.xlsx")


def test_cells_are_what_they_are_and_rows_are_those_of_the_sheet(shop: Shop) -> None:
    assert deliver(shop, [COLUMNS, *ROWS]) == good()
    assert [str(amount) for amount in shop.column("amount")] == ["12.50", "12.50", "20.00"]
    assert [f"{time:%d %H:%M}" for time in shop.column("event_time")] == ["06 02:00", "06 02:00", "06 03:30"]
    assert shop.column("row_number") == [2, 3, 4]


def test_a_number_that_is_an_id_is_the_id_that_it_looks_like(shop: Shop) -> None:
    deliver(shop, [COLUMNS, [70001, "李雷", datetime(2026, 1, 6, 10), 1]])
    (as_number,) = shop.column("order_id")
    deliver(shop, [COLUMNS, ["70001", "李雷", datetime(2026, 1, 6, 10), 1]])
    assert shop.column("order_id") == [as_number]


@pytest.mark.parametrize("above", [0, 1, 7, 12])
def test_the_header_is_found_by_its_names_below_titles_and_merged_cells(above: int, shop: Shop) -> None:
    titles = [["订单报表 2026-01-06"], ["基础", None, "成交"], [None]] * 4
    told = deliver(shop, [*titles[:above], COLUMNS, *ROWS, [None, None, None, None]])
    assert told == good()
    assert shop.column("row_number") == [above + 2, above + 3, above + 4]


def test_totals_below_the_table_are_refused_or_left_out_as_declared(shop: Shop) -> None:
    rows = [COLUMNS, *ROWS, ["合计", None, None, 45]]
    told = deliver(shop, rows)
    assert [(number, reason) for number, reason, _ in told.quarantine] == [(5, "missing_value")]
    assert deliver(shop, rows, skip_lines="^合计") == good("1 lines left out by skip_lines")


def test_an_error_in_a_cell_is_refused_and_not_taken_as_empty(shop: Shop) -> None:
    errors = ("#DIV/0!", "#NUM!", "#REF!", "#VALUE!")
    rows = [["报表"], [], COLUMNS, *ROWS, *(["9", "李雷", datetime(2026, 1, 6, 10), error] for error in errors)]
    rows.append(["9", "李雷", datetime(2026, 1, 6, 10), "#N/A"])  # one of the texts that say "no value"
    told = shop.deliver(workbook_of({"封面": [["#N/A"]], "数据": rows}), MAPPED, "orders.xlsx")
    assert [(number, reason) for number, reason, _ in told.quarantine] == [(n, "bad_type") for n in (7, 8, 9, 10)]
    assert [error in detail for (_, _, detail), error in zip(told.quarantine, errors, strict=True)] == [True] * 4
    assert shop.column("amount")[3:] == [None]


def test_an_error_in_a_far_column_stands_in_its_place(shop: Shop) -> None:
    wide = [[*range(30), *COLUMNS], [*range(30), *ROWS[0][:3], "#NAME?"]]
    wide[0][:30] = [f"c{number}" for number in range(30)]
    told = deliver(shop, wide)
    assert [(number, reason) for number, reason, _ in told.quarantine] == [(2, "bad_type")]


def test_the_sheet_with_the_columns_is_read_and_hidden_ones_are_not(shop: Shop) -> None:
    sheets = {"口径": [["订单编号：平台的编号"]], "旧": [COLUMNS, ROWS[0]], "数据": [COLUMNS, *ROWS]}
    assert shop.deliver(workbook_of(sheets, hidden=("旧",)), MAPPED, "orders.xlsx") == good("sheet 数据")


def test_of_two_sheets_that_fit_one_is_declared(shop: Shop) -> None:
    content = workbook_of({"一月": [COLUMNS, *ROWS], "二月": [COLUMNS, ROWS[0]]})
    message = "has several sheets that may be meant: 一月, 二月; declare one of them as sheet"
    assert shop.deliver(content, MAPPED, "orders.xlsx") == set_aside("unreadable", message)
    assert shop.deliver(content, MAPPED | {"sheet": "二月"}, "orders.xlsx") == good("sheet 二月", rows=1)
    message = "has no sheet '三月'; it has: 一月, 二月"
    assert shop.deliver(content, MAPPED | {"sheet": "三月"}, "orders.xlsx") == set_aside("unreadable", message)


def test_an_id_that_the_spreadsheet_has_rounded_is_refused(shop: Shop) -> None:
    told = deliver(shop, [COLUMNS, *ROWS, [2026060312345678901, "李雷", datetime(2026, 1, 6, 10), 1]])
    assert told.rows_loaded == 3
    ((number, reason, detail),) = told.quarantine
    assert (number, reason) == (5, "bad_type")
    assert detail.endswith("was rounded by a spreadsheet; export it again as text")


def test_a_date_is_a_date_also_where_texts_have_a_format_of_their_own(shop: Shop) -> None:
    rows = [COLUMNS, ["1", "李雷", "06.01.2026 10:00", 1], ["2", "李雷", datetime(2026, 1, 6, 10), 1],
            ["3", "李雷", date(2026, 1, 6), 1]]  # fmt: skip
    told = deliver(shop, rows, time_format="%d.%m.%Y %H:%M")
    assert told == good()
    assert [f"{time:%d %H:%M}" for time in shop.column("event_time")] == ["06 02:00", "06 02:00", "05 16:00"]


def test_a_column_that_the_platform_has_renamed_is_named_with_the_nearest(shop: Shop) -> None:
    told = deliver(shop, [["订单编号", "买家", "付款时间", "金额（元）"], *ROWS])
    assert told.status == "quarantined"
    assert "金额" in told.message
    assert "金额（元）" in told.message


NO_WORKBOOKS = {
    "text": ("订单编号\t买家\n1\t李雷\n".encode(), "is not a workbook: it looks like plain text"),
    "a page": (b"<html><table><tr><td>1</td></tr></table></html>", "HTML"),
    "damaged": (workbook_of({"数据": [COLUMNS, *ROWS]})[:900], "damaged"),
}


@pytest.mark.parametrize("name", NO_WORKBOOKS)
def test_what_is_no_workbook_is_set_aside_with_the_way_out(name: str, shop: Shop) -> None:
    content, words = NO_WORKBOOKS[name]
    told = shop.deliver(content, MAPPED, "orders.xls")
    assert (told.status, told.rows_loaded) == ("quarantined", 0)
    assert words in told.message


def test_an_empty_sheet_holds_no_rows(shop: Shop) -> None:
    assert deliver(shop, []) == good(rows=0)


def test_an_old_workbook_is_read_alike(shop: Shop) -> None:
    """A title in the first row, the header in the third; texts as platforms export them."""
    assert shop.deliver(OLD_WORKBOOK.read_bytes(), MAPPED, "orders.xls") == good(rows=2)
    assert [str(amount) for amount in shop.column("amount")] == ["1234.50", "8.00"]
    assert shop.column("row_number") == [4, 5]


def test_the_file_that_a_spreadsheet_holds_open_is_no_delivery(shop: Shop) -> None:
    folder = shop.home / "landing" / "order" / "dt=2026-01-06"
    folder.mkdir(parents=True)
    (folder / "~$orders.xlsx").write_bytes(b"owner")
    assert deliver(shop, [COLUMNS, *ROWS]) == good()
