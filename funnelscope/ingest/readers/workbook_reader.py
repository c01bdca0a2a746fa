"""Workbooks (.xlsx, .xls): one sheet, its header found by the names that the source reads, staged as text.

Cells keep their kind until they are staged: dates stay dates, whole numbers have no decimals, and numbers of more
digits than a spreadsheet keeps are written as it shortens them, so that an id among them is refused. So is an error,
such as #DIV/0!, which calamine reads as an empty cell: in an .xlsx it is staged as its text.
"""

import zipfile
import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from funnelscope.events.schema import BLANKS
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers import encoding_detection
from funnelscope.ingest.readers.record_stage import (
    HEADER_SOUGHT_IN_LINES,
    UNNAMED,
    RecordStage,
    build_problem,
    fit_fields,
    has_wanted_columns,
    name_columns,
)
from funnelscope.ingest.readers.workbook_size import (
    number_column,
    open_workbook,
    refuse_giant_workbook,
    set_panics_aside,
)
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Source
from funnelscope.settings.patterns import Pattern, PatternTooSlowError
from funnelscope.warehouse.connection import Warehouse

Cell = int | float | str | bool | time | date | datetime | timedelta
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
DIGITS_KEPT = 10**15
NAMES_OF_A_HEADER = 3
"""So many names of the header in a row make it a header again, of the same table or of another one."""


def read_workbook(warehouse: Warehouse, path: Path, source: Source) -> tuple[DeliveryRows, int]:
    """Stages the rows of a sheet in a temporary table, numbered as in the sheet. Returns them and their number.

    Raises:
        DeliveryError: no workbook, a password, no such sheet, several that may be meant, or no usable header.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(encoding_detection.SAMPLE_BYTES)
    if not start.startswith(WORKBOOKS):
        other = encoding_detection.detect_other_format(start)
        message = LocalizedMessage(other) if other else LocalizedMessage("no_workbook")
        raise DeliveryError(QuarantineReason.UNREADABLE, message)
    try:
        refuse_giant_workbook(path)
        with set_panics_aside():
            workbook = open_workbook(path)
            name, rows = _choose_sheet(workbook, source)
        _write_errors(path, workbook.sheet_names, name, rows)
    except PasswordError:
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("workbook_locked")) from None
    except (CalamineError, zipfile.BadZipFile, zlib.error) as error:
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("damaged", error=str(error))) from None
    stage = RecordStage(warehouse, LocalizedMessage("not_of_encoding", declared="utf-8"))
    if len(workbook.sheet_names) > 1:
        stage.notes.append(LocalizedMessage("read_sheet", sheet=name))
    try:
        _stage_rows(stage, rows, source)
    except PatternTooSlowError as error:
        message = LocalizedMessage("pattern_too_slow", pattern=str(error))
        raise DeliveryError(QuarantineReason.UNREADABLE, message, ("skip_lines",)) from None
    return stage.finish()


# -- sheet


def _choose_sheet(workbook: CalamineWorkbook, source: Source) -> tuple[str, list[list[Cell]]]:
    """The declared sheet; else the visible one with cells, or the one of several that has the columns."""
    if source.sheet:
        if source.sheet not in workbook.sheet_names:
            names = ", ".join(workbook.sheet_names)
            message = LocalizedMessage("no_such_sheet", sheet=repr(source.sheet), sheets=names)
            raise DeliveryError(QuarantineReason.UNREADABLE, message)
        return source.sheet, _read_cells(workbook.get_sheet_by_name(source.sheet))
    visible = [
        each.name
        for each in workbook.sheets_metadata
        if each.typ is SheetTypeEnum.WorkSheet and each.visible is SheetVisibleEnum.Visible
    ]
    sheets = {name: _read_cells(workbook.get_sheet_by_name(name)) for name in visible}
    filled = {name: rows for name, rows in sheets.items() if any(map(_has_cells, rows))}
    fitting = [name for name, rows in filled.items() if _find_header(rows, source) is not None]
    chosen = fitting if len(filled) > 1 and fitting else list(filled)
    if len(chosen) > 1:
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("several_sheets", sheets=", ".join(chosen)))
    return (chosen[0], filled[chosen[0]]) if chosen else ("", [])


def _read_cells(sheet: CalamineSheet) -> list[list[Cell]]:
    """All rows from the first of the sheet on, so that a row's place is its number."""
    return sheet.to_python(skip_empty_area=False)


def _write_errors(path: Path, sheet_names: Sequence[str], name: str, rows: list[list[Cell]]) -> None:
    """Puts the text of each error cell of an .xlsx into its place among the rows of the sheet."""
    if name not in sheet_names or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= set(archive.namelist()):
            return
        sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).iterfind(".//{*}sheet")
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {link.get("Id"): link.get("Target", "") for link in links}
        target = next(targets[_get_link(sheet)] for sheet in sheets if sheet.get("name") == name)
        content = archive.read(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
    if b't="e"' not in content:
        return
    for _, row in ElementTree.iterparse(BytesIO(content)):
        if row.tag.endswith("}row"):
            for cell in row.iterfind("{*}c[@t='e'][@r]"):
                number, column = _locate_cell(cell.get("r", ""))
                rows[number][column] = cell.findtext("{*}v") or "#ERROR!"
            row.clear()


def _get_link(sheet: ElementTree.Element) -> str:
    return next(value for name, value in sheet.items() if name.endswith("}id"))


def _locate_cell(reference: str) -> tuple[int, int]:
    """The place of a cell such as B7, counted from 0: (6, 1)."""
    letters = reference.rstrip("0123456789")
    return int(reference[len(letters) :]) - 1, number_column(letters)


def _has_cells(row: Sequence[Cell]) -> bool:
    return any(cell != "" for cell in row)


# -- rows


def _find_header(rows: Sequence[Sequence[Cell]], source: Source) -> int | None:
    """The place of the first row that has every column that the source reads; None without one."""
    for place, row in enumerate(rows[:HEADER_SOUGHT_IN_LINES]):
        if has_wanted_columns((name for name in row if isinstance(name, str)), source):
            return place
    return None


def _read_header(rows: Sequence[Sequence[Cell]], source: Source) -> tuple[list[str], int]:
    """The names of the columns, and the place of the first row below them.

    Where no row has every column, the first row with cells is taken: what it lacks is named later on.
    """
    if source.names:
        return list(source.names), 0
    found = _find_header(rows, source) if source.header_row == 1 else source.header_row - 1
    if found is None:
        found = next((place for place, row in enumerate(rows) if _has_cells(row)), 0)
    if found >= len(rows):
        values = {"line": str(len(rows)), "header_row": str(source.header_row)}
        raise DeliveryError(QuarantineReason.BAD_HEADER, LocalizedMessage("ends_before_header", **values))
    return name_columns([_write_cell(cell, "") for cell in rows[found]], source), found + 1


def _stage_rows(stage: RecordStage, rows: Sequence[Sequence[Cell]], source: Source) -> None:
    if not rows:
        return
    header, first = _read_header(rows, source)
    stage.add_columns(header)
    names = tuple(header)
    skipped = Pattern(source.skip_lines) if source.skip_lines else None
    skipped_count, other_table = 0, 0
    known = {name for name in names if name and not UNNAMED.fullmatch(name)}
    for number, row in enumerate(rows[first:], start=first + 1):
        fields = [_write_cell(cell, source.time_format) for cell in row]
        if not any(fields):
            continue
        record = "\t".join(fields)
        if len(known.intersection(fields)) >= NAMES_OF_A_HEADER:
            other_table = 0 if [name.strip(BLANKS) for name in fields] == header else number
        if other_table:  # its columns are others, so its values must not be read as those of the first
            problem = build_problem("other_table", row=str(other_table))
            stage.add_bad(number, QuarantineReason.BAD_RECORD, problem, record)
        elif skipped and skipped.search(record):
            skipped_count += 1
        elif [name.strip(BLANKS) for name in fields] == header:
            stage.add_bad(number, QuarantineReason.BAD_RECORD, build_problem("header_again"), record)
        elif fitted := fit_fields(fields, header):
            stage.add(number, names, fitted, record)
        else:
            problem = build_problem("field_count", fields=str(len(fields)), columns=str(len(header)))
            stage.add_bad(number, QuarantineReason.WRONG_FIELD_COUNT, problem, record)
    if skipped_count:
        stage.notes.append(LocalizedMessage("left_out_by_skip_lines", count=skipped_count))


def _write_cell(cell: Cell, time_format: str) -> str:
    """The cell as text. A date is written in the format that the source declares for its texts."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime | date):
        if "%" in time_format:
            return cell.strftime(time_format)
        return cell.isoformat(" ", "seconds") if isinstance(cell, datetime) else cell.isoformat()
    if isinstance(cell, int | float):
        if abs(cell) >= DIGITS_KEPT:
            return f"{cell:.14E}"
        return f"{cell:.15g}" if cell != int(cell) else str(int(cell))
    return str(cell)
