"""The workbook holds the report's numbers as numbers, a table a sheet, and no text that a spreadsheet would run."""

import io
import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from report_example import BUSY, FINDING, LONG_NAME

from funnelscope.messages.wording import list_languages, load_words
from reports import Diagnosis, Report, SliceRow, SliceTable, write_spreadsheet


def opened(report: Report) -> Workbook:
    return load_workbook(io.BytesIO(write_spreadsheet(report)))


def rows_of(book: Workbook, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in book[sheet].iter_rows()]


def row_named(book: Workbook, sheet: str, name: str) -> list[Any]:
    return next(row for row in rows_of(book, sheet) if row[0] == name)


@pytest.fixture(scope="module")
def book() -> Workbook:
    return opened(replace(BUSY, language="en"))


def columns_of(book: Workbook, sheet: str) -> list[str]:
    return rows_of(book, sheet)[0]


@pytest.mark.parametrize("language", list_languages())
def test_every_sheet_is_one_table_with_frozen_names_and_a_filter(language: str) -> None:
    words = load_words(language)
    book = opened(replace(BUSY, language=language))
    keys = ("report", "findings", "figures", "bridge", "money", "steps", "slices", "windows", "tidy", "deliveries")
    keys += ("checks", "quarantine", "dictionary")
    assert book.sheetnames == [words.text("sheets", key) for key in keys]
    for sheet in book:
        rows = rows_of(book, sheet.title)
        assert len(rows) > 1
        assert all(rows[0])
        assert len(set(rows[0])) == len(rows[0]), "a name stands for one column"
        assert all(any(cell is not None for cell in row) for row in rows), "no blank row parts a table in two"
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == sheet.dimensions


@pytest.mark.parametrize("language", list_languages())
def test_the_dictionary_tells_every_column_and_every_defined_figure(language: str) -> None:
    words = load_words(language)
    book = opened(replace(BUSY, language=language))
    told = {(row[0], row[1]): row[2] for row in rows_of(book, words.text("sheets", "dictionary"))[1:]}
    for sheet in book:
        if sheet.title != words.text("sheets", "dictionary"):
            assert all(told[sheet.title, name] for name in columns_of(book, sheet.title))
    landing = words.name_figure("landing_rate")
    assert told[words.text("sheets", "figures"), landing] == words.define_figure("landing_rate")


def test_numbers_are_numbers_to_the_cent_and_the_last_digit(book: Workbook) -> None:
    paid = row_named(book, "Figures", "Paid amount")
    assert Decimal(str(paid[1])) == BUSY.headline[0].figure.value
    assert paid[2] == "CNY"
    rate = row_named(book, "Figures", "Landing rate")
    assert (rate[1], rate[2], *rate[4:6]) == (471_333 / 812_644, "%", 471_333, 812_644)


def test_a_number_is_formatted_by_its_unit(book: Workbook) -> None:
    shown = {row[0].value: row[1].number_format for row in book["Figures"].iter_rows()}
    assert shown["Paid amount"] == "#,##0.00"
    assert shown["Landing rate"] == "0.00%"
    assert shown["First screen, slowest quarter"] == "#,##0"


def test_each_step_stands_with_its_count_and_rate(book: Workbook) -> None:
    words = load_words("en")
    for stage in BUSY.stages:
        of_stage = {row[0]: row for row in rows_of(book, "Steps") if row[3] == words.text("stages", stage.key)}
        for step in stage.steps:
            row = of_stage[words.text("steps", step.key)]
            assert row[1:3] == [step.count, step.rate_from_previous], step.key


def test_every_slice_is_there_not_only_the_largest(book: Workbook) -> None:
    names = {row[0] for row in rows_of(book, "Slices") if row[2] == "Traffic"}
    assert {LONG_NAME, *(f"campaign {number:03}" for number in range(199))} <= names


def test_the_tidy_sheet_has_every_number_of_the_stages_in_one_column(book: Workbook) -> None:
    head, *rows = rows_of(book, "Tidy")
    assert head == ["Business date", "Stage", "Dimension", "Name", "Metric", "Unit", "Value", "Usual"]
    found = {tuple(row[1:5]): (row[5], row[6]) for row in rows}
    assert len(found) == len(rows), "no two rows state the same"
    first = BUSY.stages[1].slices[1].rows[0]
    assert found["Landing", "device", first.value, "Arrival"] == ("count", first.entered)
    assert found["Landing", "device", first.value, "Qualified product view › Rate"] == ("%", first.rate)
    assert found[None, None, None, "Paid amount"] == ("CNY", pytest.approx(12_345_678.90))
    assert {row[0].date() for row in rows} == {BUSY.business_date}


def test_a_finding_has_its_id_its_day_and_its_losses_so_far() -> None:
    finding = replace(FINDING, lost_orders_so_far=4_000.5, lost_amount_so_far=1_400_000.25, link="https://x.example/a")
    book = opened(replace(BUSY, language="en", diagnosis=Diagnosis("found", findings=(finding,))))
    head, row = rows_of(book, "Findings")
    told = dict(zip(head, row, strict=True))
    assert told["Id"] == finding.finding_id
    assert told["Day"] == 4
    assert (told["Lost orders so far"], told["Lost money so far"]) == (4_000.5, 1_400_000.25)
    assert told["Page"] == "https://x.example/a"


def test_an_absent_number_is_an_empty_cell(book: Workbook) -> None:
    assert row_named(book, "Figures", "Average stay")[1] is None


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
    (cell,) = [row[0] for row in load_workbook(io.BytesIO(content))["Slices"].iter_rows() if str(row[0].value) == name]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in b"".join(archive.read(file) for file in archive.namelist())


def test_the_same_report_gives_the_same_bytes_and_another_gives_others() -> None:
    assert write_spreadsheet(BUSY) == write_spreadsheet(BUSY)
    assert write_spreadsheet(BUSY) != write_spreadsheet(replace(BUSY, edition=BUSY.edition + 1))


def test_a_workbook_is_dated_by_its_day_and_not_by_the_clock(book: Workbook) -> None:
    assert book.properties.created.date() == BUSY.business_date != date.today()
