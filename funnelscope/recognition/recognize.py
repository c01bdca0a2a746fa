"""Which layout a file has: its header names, the names that only others have, and where two fit, what tells them apart.

There is no silent choice: where two layouts fit equally, the file is ambiguous.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from funnelscope.ingest.readers.workbook_reader import NAMES_OF_A_HEADER
from funnelscope.recognition.export_files import HEADER_SOUGHT_IN_ROWS, ExportFile, Table
from funnelscope.recognition.header_names import (
    Alternatives,
    compile_pattern,
    find_name,
    list_alternatives,
    normalize_name,
)
from funnelscope.recognition.layouts_read import Layout
from funnelscope.settings import Format

VALUES_LOOKED_AT = 200
NAME_COUNTS = 0.25  # what the file's name adds to the share of the names that are there
FORMAT_NAMES = {Format.CSV: "csv", Format.WORKBOOK: "xlsx", Format.JSON_LINES: "jsonl", Format.PARQUET: "parquet"}


@dataclass(frozen=True)
class Nearness:
    """How a layout compares with a table: what its best row lacks, or what else speaks against it."""

    layout: Layout
    table: Table
    header_row: int  # from 1
    found: tuple[str, ...]  # names as the file writes them
    missing: tuple[Alternatives, ...] = ()
    nearest: Mapping[str, str] = field(default_factory=dict)  # missing name to one of the header that is like it
    foreign: tuple[str, ...] = ()  # names that only other reports have
    bad_values: tuple[tuple[str, str], ...] = ()  # column and a value that is none of this report
    is_of_format: bool = True
    is_named_so: bool = False

    @property
    def fits(self) -> bool:
        """Whether the table is such a report."""
        return self.is_of_format and not (self.missing or self.foreign or self.bad_values)

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the header."""
        return tuple(self.table.rows[self.header_row - 1])

    @property
    def share(self) -> float:
        """How much of the layout is there, for sorting."""
        total = len(self.layout.columns)
        hint = NAME_COUNTS if self.is_named_so and self.found else 0
        return (total - len(self.missing)) / total - 0.1 * (len(self.foreign) + len(self.bad_values)) + hint


@dataclass(frozen=True)
class Match:
    """A table of a file that has a layout."""

    file: ExportFile
    layout: Layout
    table: Table
    header_row: int  # from 1
    second_header_row: int = 0  # of another table below the first

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the header."""
        return tuple(self.table.rows[self.header_row - 1])

    @property
    def records(self) -> Sequence[Sequence[str]]:
        """The rows below the header."""
        return self.table.rows[self.header_row :]


@dataclass(frozen=True)
class Recognition:
    """What a file is. Without a match, `rivals` fit equally, or `nearest` says what is most like it."""

    file: ExportFile
    match: Match | None = None
    rivals: tuple[Layout, ...] = ()
    sheets: tuple[str, ...] = ()  # several that have a known layout
    nearest: Nearness | None = None
    hidden_sheets: tuple[str, ...] = ()  # that have a known layout

    def without_rows(self) -> "Recognition":
        """Without what is only needed while the file is read."""
        nearest = self.nearest
        if nearest:
            table = replace(nearest.table, rows=nearest.table.rows[: nearest.header_row])
            nearest = replace(nearest, table=table)
        return replace(self, file=replace(self.file, tables=()), match=None, nearest=nearest)


def recognize(file: ExportFile, layouts: Mapping[str, Layout], told: str = "") -> Recognition:
    """The layout of a file.

    Args:
        told: the name of the layout, where a user has said it.
    """
    if file.problem:
        return Recognition(file)
    candidates = {told: layouts[told]} if told else layouts
    fits: dict[str, list[Nearness]] = {}
    hidden = []
    near: list[Nearness] = []
    for table in file.tables:
        compared = [_compare(file, layout, table) for layout in candidates.values()]
        fitting = _choose(one for one in compared if one.fits)
        if not table.is_visible:
            hidden += [table.sheet] if fitting else []
            continue
        near += compared
        if fitting:
            fits[table.sheet] = fitting
    nearest = max(near, key=lambda one: one.share, default=None)
    fits = {"": fits[""]} if "" in fits else fits  # records of JSON before the lists that they hold
    if not fits:
        return Recognition(file, nearest=nearest, hidden_sheets=tuple(hidden))
    if len(fits) > 1:
        return Recognition(file, sheets=tuple(fits), nearest=nearest, hidden_sheets=tuple(hidden))
    ((fitting),) = fits.values()
    if len(fitting) > 1:
        return Recognition(file, rivals=tuple(one.layout for one in fitting), hidden_sheets=tuple(hidden))
    one = fitting[0]
    second = _find_second_header(one)
    match = Match(file, one.layout, one.table, one.header_row, second)
    return Recognition(file, match, hidden_sheets=tuple(hidden))


def explain_nearness(file: ExportFile, layouts: Mapping[str, Layout]) -> list[Nearness]:
    """Every layout compared with the file's best visible table, the nearest first."""
    compared = []
    for layout in layouts.values():
        of_tables = [_compare(file, layout, table) for table in file.tables if table.is_visible]
        if of_tables:
            compared.append(max(of_tables, key=lambda one: (one.fits, one.share)))
    return sorted(compared, key=lambda one: (not one.fits, not one.is_of_format, -one.share, one.layout.name))


def _compare(file: ExportFile, layout: Layout, table: Table) -> Nearness:
    rows = table.rows[: 1 if table.is_keyed else HEADER_SOUGHT_IN_ROWS]
    required = layout.required
    best, best_count = 0, -1
    for place, row in enumerate(rows):
        count = sum(bool(find_name(wanted, row)) for wanted in required) if len(row) >= 2 or table.is_keyed else 0
        if count > best_count:
            best, best_count = place, count
    header = tuple(table.rows[best])
    missing = tuple(wanted for wanted in required if not find_name(wanted, header))
    known = layout.known_names if missing else frozenset()
    normal = {normal: name for name in header if name and (normal := normalize_name(name)) not in known}
    nearest = {}
    for wanted in missing:
        for one in list_alternatives(wanted):
            close = difflib.get_close_matches(normalize_name(one), normal, n=1, cutoff=0.6)
            if close:
                nearest[list_alternatives(wanted)[0]] = normal[close[0]]
                break
    return Nearness(
        layout,
        table,
        best + 1,
        tuple(name for wanted in required if (name := find_name(wanted, header))),
        missing,
        nearest,
        tuple(name for one in layout.without if (name := find_name(one, header))),
        () if missing else tuple(_find_bad_values(layout, header, table.rows[best + 1 :])),
        FORMAT_NAMES.get(file.format) in layout.formats if file.format else False,
        bool(layout.file_names and compile_pattern(layout.file_names).search(file.path.name)),
    )


def _find_bad_values(layout: Layout, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """For each column with a hint, a value that does not match it if none of the first ones does."""
    bad = []
    for column, pattern in layout.values.items():
        name = find_name(layout.resolve_alias(column), header)
        if not name:
            continue
        place = list(header).index(name)
        values = [row[place] for row in rows[:VALUES_LOOKED_AT] if len(row) > place and row[place]]
        if values and not any(compile_pattern(pattern).search(value) for value in values):
            bad.append((name, values[0]))
    return bad


def _choose(fitting: Iterable[Nearness]) -> list[Nearness]:
    """Of the layouts that fit, those that none of the others surpasses.

    The name of the file decides before the number of names: a report may have every column of another.
    """
    every = list(fitting)
    rest = [one for one in every if one.is_named_so] or every
    return [
        one
        for one in rest
        if not any({*map(normalize_name, one.found)} < {*map(normalize_name, other.found)} for other in rest)
    ]


def _find_second_header(one: Nearness) -> int:
    """The row of another header below the table: a row with several of the names that the header must have."""
    if one.table.is_keyed:
        return 0
    names = {name for name in one.header if name and not name.replace(".", "").isdigit()}
    for number, row in enumerate(one.table.rows[one.header_row :], start=one.header_row + 1):
        if len(names.intersection(row)) >= NAMES_OF_A_HEADER:
            return number
    return 0
