"""The workbook holds the report's numbers as numbers, every slice of them, and no text that a spreadsheet would run."""

import io
import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from report_example import BUSY, LONG_NAME

from funnelscope.messages.wording import list_languages, load_words
from reports import Report, SliceRow, SliceTable, write_spreadsheet


def opened(report: Report) -> Workbook:
    return load_workbook(io.BytesIO(write_spreadsheet(report)))


def rows_of(book: Workbook, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in book[sheet].iter_rows()]


def row_named(book: Workbook, sheet: str, name: str) -> list[Any]:
    return next(row for row in rows_of(book, sheet) if row[0] == name)


@pytest.fixture(scope="module")
def book() -> Workbook:
    return opened(replace(BUSY, language="en"))


@pytest.mark.parametrize("language", list_languages())
def test_there_is_a_sheet_for_the_day_each_stage_and_the_data(language: str) -> None:
    words = load_words(language)
    stages = [words.text("stages", stage.key) for stage in BUSY.stages]
    wanted = [words.text("spreadsheet", "day"), *stages, words.text("spreadsheet", "data")]
    assert opened(replace(BUSY, language=language)).sheetnames == wanted


def test_numbers_are_numbers_to_the_cent_and_the_last_digit(book: Workbook) -> None:
    paid = row_named(book, "Day", "Paid amount")
    assert Decimal(str(paid[1])) == BUSY.headline[0].figure.value
    rate = row_named(book, "Landing", "Landing rate")
    assert rate[1:4] == [471_333 / 812_644, 471_333, 812_644]


def test_each_step_stands_with_its_count_and_rate(book: Workbook) -> None:
    for stage in BUSY.stages:
        sheet = load_words("en").text("stages", stage.key)
        for step in stage.steps:
            row = row_named(book, sheet, load_words("en").text("steps", step.key))
            assert row[1:3] == [step.count, step.rate_from_previous], step.key


def test_every_slice_is_there_not_only_the_largest(book: Workbook) -> None:
    names = [row[0] for row in rows_of(book, "Traffic")]
    assert LONG_NAME in names
    assert {f"campaign {number:03}" for number in range(199)} <= set(names)


def test_an_absent_number_is_an_empty_cell(book: Workbook) -> None:
    assert row_named(book, "Landing", "Average stay")[1] is None


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2",
    "@SUM(A1)",
    "\t=1",
    '=HYPERLINK("http://x","y")',
    "=cmd|'/C calc'!A1",  # dynamic data exchange
    '=DDE("cmd";"/C calc";"x")',
    "-1+1+cmd|' /C calc'!A0",
    "@import",
]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_that_looks_like_a_formula_stays_a_text(name: str) -> None:
    hostile = SliceTable("campaign", "click", "arrival", (SliceRow(name, 2, 1),))
    stage = replace(BUSY.stages[0], slices=(hostile,))
    content = write_spreadsheet(replace(BUSY, language="en", stages=(stage,)))
    (cell,) = [row[0] for row in load_workbook(io.BytesIO(content))["Traffic"].iter_rows() if str(row[0].value) == name]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in b"".join(archive.read(file) for file in archive.namelist())


def test_the_same_report_gives_the_same_bytes_and_another_gives_others() -> None:
    assert write_spreadsheet(BUSY) == write_spreadsheet(BUSY)
    assert write_spreadsheet(BUSY) != write_spreadsheet(replace(BUSY, edition=BUSY.edition + 1))


def test_a_workbook_is_dated_by_its_day_and_not_by_the_clock(book: Workbook) -> None:
    assert book.properties.created.date() == BUSY.business_date != date.today()
