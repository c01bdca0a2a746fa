"""The report's numbers as a workbook: one sheet for the day, one per stage, one for the data behind them.

Numbers are unrounded and formatted, and every slice is included, not only the largest. Texts never become formulas,
whatever they begin with, because campaign names come from outside.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words
from reports.model import (
    Bridge,
    ComparedFigure,
    Estimate,
    Figure,
    Finding,
    Report,
    ResponseWindow,
    SliceTable,
    Stage,
    StageStep,
    Window,
    has_events,
    load_report_words,
)
from reports.pages.data_page import write_check_row
from reports.pages.platform_pages import name_platform

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

FORMATS = {
    Unit.MONEY: "#,##0.00",
    Unit.RATE: "0.00%",
    Unit.COUNT: "#,##0",
    Unit.RATIO: "#,##0.000",
    Unit.SECONDS: "#,##0.0",
    Unit.MILLISECONDS: "#,##0",
    Unit.DAYS: "#,##0.0",
}
MEAN_FORMAT = "#,##0.0"  # of counts: an average day may have half an order
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
LONGEST_TEXT = 32_767  # the limit of a cell
FIRST_WIDTH, OTHER_WIDTH = 44, 16


@dataclass(frozen=True)
class Cell:
    """A number and its format."""

    value: Number | None
    format: str


Value = Cell | str | date | time | None
Rows = Iterable[Sequence[Value]]


def write_spreadsheet(report: Report) -> bytes:
    """The report as XLSX. The same report gives the same bytes.

    Raises UnknownWordError for a key or language without words.
    """
    from xlsxwriter import Workbook

    words = load_report_words(report)
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as workbook:
        midnight = datetime.combine(report.business_date, time(), UTC).replace(tzinfo=None)
        title = words.text("report", "document", shop=report.shop, date=report.label)
        workbook.set_properties({"title": title, "author": report.shop, "created": midnight})
        _write_day(_Sheet(workbook, words, words.text("spreadsheet", "day")), report, words)
        for stage in report.stages:
            _write_stage(_Sheet(workbook, words, words.text("stages", stage.key)), stage, words)
        if report.platforms:
            _write_platforms(_Sheet(workbook, words, words.text("spreadsheet", "platforms")), report, words)
        _write_data(_Sheet(workbook, words, words.text("spreadsheet", "data")), report, words)
    return file.getvalue()


class _Sheet:
    """Tables below each other, each with its title and its column names."""

    def __init__(self, workbook: "Workbook", words: Words, name: str) -> None:
        self.workbook = workbook
        self.words = words
        self.sheet: Worksheet = workbook.add_worksheet(name)
        self.sheet.set_column(0, 0, FIRST_WIDTH)
        self.sheet.set_column(1, 12, OTHER_WIDTH)
        self.row = 0
        self.formats: dict[str, Format] = {}

    def table(self, title: str, columns: Sequence[str], rows: Rows, more_columns: Sequence[str] = ()) -> None:
        """Writes a table.

        `columns` are keys of the section `spreadsheet`; `more_columns`, right of them, are finished texts.
        """
        self._write(0, title, {"bold": True, "font_size": 13})
        self.row += 1
        names = [*(self.words.text("spreadsheet", key) for key in columns), *more_columns]
        for column, name in enumerate(names):
            self._write(column, name, {"bold": True, "bottom": 1, "text_wrap": True})
        self.row += 1
        for row in rows:
            for column, value in enumerate(row):
                self._write(column, value, {})
            self.row += 1
        self.row += 1

    def _write(self, column: int, value: Value, style: dict[str, object]) -> None:
        if isinstance(value, Cell):
            if value.value is not None:
                self.sheet.write_number(
                    self.row, column, float(value.value), self._format(num_format=value.format, **style)
                )
        elif isinstance(value, str):
            # Marks the cell as text, so that it stays one when somebody edits it.
            style |= {"quote_prefix": True} if value.startswith(FORMULA_SIGNS) else {}
            self.sheet.write_string(self.row, column, value[:LONGEST_TEXT], self._format(**style))
        elif isinstance(value, date):
            self.sheet.write_datetime(self.row, column, value, self._format(num_format="yyyy-mm-dd", **style))
        elif isinstance(value, time):
            self.sheet.write_datetime(self.row, column, value, self._format(num_format="hh:mm", **style))

    def _format(self, **style: object) -> "Format":
        key = repr(sorted(style.items()))
        if key not in self.formats:
            self.formats[key] = self.workbook.add_format(style)
        return self.formats[key]


FIGURE_COLUMNS = ("figure", "value", "numerator", "denominator", "usual", "usual_low", "usual_high", "coverage")


def _write_day(sheet: _Sheet, report: Report, words: Words) -> None:
    about: list[Sequence[Value]] = [
        (words.text("spreadsheet", "shop"), report.shop),
        (words.text("spreadsheet", "business_date"), report.name or report.business_date),
        (words.text("spreadsheet", "currency"), report.currency),
        (words.text("spreadsheet", "edition"), _format_count(report.edition)),
        (words.text("spreadsheet", "snapshot"), report.snapshot),
        (words.text("spreadsheet", "verdict"), report.verdict.value),
        *((words.text("spreadsheet", "reason"), words.message(reason)) for reason in report.verdict_reasons),
        (words.text("spreadsheet", "baseline_days"), _format_count(report.baseline_days)),
    ]
    sheet.table(words.text("spreadsheet", "report"), ("what", "value"), about)
    if headline := _list_headline_figures(report):
        sheet.table(words.text("headings", "headline"), FIGURE_COLUMNS, _write_figure_rows(headline, words))
    for title, figures in _list_platform_figures(report, words):
        sheet.table(title, COMPARED_COLUMNS, [_write_compared_row(each, words) for each in figures])
    if report.days:
        _write_days(sheet, report, words)
    if report.bridge is not None:
        _write_bridge(sheet, report.bridge, words)
    if report.diagnosis is not None and report.diagnosis.findings:
        _write_findings(sheet, report.diagnosis.findings, words)
    if report.money is None:
        return
    parts = {**report.money.parts, "excluded": report.money.excluded}
    sheet.table(
        words.text("headings", "money"),
        ("part", "amount", "payments", "usual"),
        [
            (
                words.text("money_parts", key),
                _format_money(part.amount),
                _format_count(part.payments),
                _format_money(part.baseline),
            )
            for key, part in parts.items()
        ],
    )
    sheet.table(words.text("headings", "factors"), FIGURE_COLUMNS, _write_figure_rows(report.money.factors, words))


COMPARED_COLUMNS = (
    *("figure", "value", "before_that", "earlier_that", "usual", "usual_low", "usual_high", "peers", "target"),
    *("mark", "rule"),
)


def _list_platform_figures(report: Report, words: Words) -> list[tuple[str, Sequence[ComparedFigure]]]:
    """The amounts of all platforms together, and the figures of each, under their names."""
    total = [(words.text("headings", "platform_total"), report.platform_total)] if report.platform_total else []
    of_each = [(name_platform(each, words), (*each.figures, *each.others)) for each in report.platforms]
    return [*total, *((title, figures) for title, figures in of_each if figures)]


def _write_compared_row(each: ComparedFigure, words: Words) -> Sequence[Value]:
    figure = each.figure
    shown = FORMATS[figure.unit]
    usual = MEAN_FORMAT if figure.unit is Unit.COUNT else shown
    return (
        words.name_figure(figure.key),
        Cell(figure.value, shown),
        Cell(each.before, shown),
        Cell(each.earlier, shown),
        *(Cell(value, usual) for value in (figure.baseline, figure.usual_low, figure.usual_high)),
        Cell(each.peers, shown),
        Cell(each.target, shown),
        words.text("labels", figure.mark.value) if figure.mark else "",
        words.text("several_days", figure.rule) if figure.rule else "",
    )


TIDY_COLUMNS = (
    *("business_date", "platform", "shop", "level", "object", "name", "parent", "device", "is_rollup"),
    *("figure", "value", "unit", "usual", "mark"),
)


def _write_platforms(sheet: _Sheet, report: Report, words: Words) -> None:
    """One row for each figure of each object: every object that was read, not only those on the pages."""
    rows: list[Sequence[Value]] = []
    for platform in report.platforms:
        name = words.translate_or_keep("platforms", platform.name)
        at = (report.name or report.business_date, name, platform.shop or report.shop)
        level = words.text("levels", platform.level)
        whole = ("", "" if platform.level == "shop" else words.text("labels", f"all_{platform.level}s"), "", "", "")
        for compared in (*platform.figures, *platform.others):
            rows.append((*at, level, *whole, *_write_tidy_figure(compared.figure, words)))
        for each_day in platform.days:
            at_day = (each_day.day, *at[1:], level, *whole)
            rows += [(*at_day, *_write_tidy_figure(figure, words)) for figure in each_day.figures]
        for table in platform.tables:
            level = words.text("levels", table.level)
            for each in table.objects:
                is_rollup = words.text("labels", "rollup") if each.is_rollup else ""
                place = (*at, level, each.object, each.name, each.parent, each.device, is_rollup)
                rows += [
                    (*place, *_write_tidy_figure(figure, words)) for figure in each.figures if figure.value is not None
                ]
    sheet.table(words.text("spreadsheet", "platforms"), TIDY_COLUMNS, rows)


def _write_tidy_figure(figure: Figure, words: Words) -> Sequence[Value]:
    shown = FORMATS[figure.unit]
    return (
        words.name_figure(figure.key),
        Cell(figure.value, shown),
        figure.unit.value,
        Cell(figure.baseline, MEAN_FORMAT if figure.unit is Unit.COUNT else shown),
        words.text("labels", figure.mark.value) if figure.mark else "",
    )


def _write_days(sheet: _Sheet, report: Report, words: Words) -> None:
    """One row per day of a longer period. Columns of numbers have the names of the metrics."""
    keys = [figure.key for figure in report.days[0].figures] if has_events(report) else []
    sheet.table(
        words.text("headings", "days"),
        ("business_date", "verdict", "editions"),
        [
            (
                day.day,
                words.text("day_verdicts", day.verdict.value if day.verdict else "unjudged"),
                _format_count(day.editions),
                *(Cell(figure.value, FORMATS[figure.unit]) for figure in day.figures if figure.key in keys),
            )
            for day in report.days
        ],
        [words.text("metrics", key) for key in keys],
    )


def _list_headline_figures(report: Report) -> list[Figure]:
    pairs = [(headline.figure, headline.second) for headline in report.headline]
    return [figure for pair in pairs for figure in pair if figure is not None]


def _write_bridge(sheet: _Sheet, bridge: Bridge, words: Words) -> None:
    sheet.table(
        words.text("spreadsheet", "bridge"),
        ("part", "change", "usual", "today"),
        [
            (
                words.text("bridge", bar.key),
                _format_money(bar.change),
                Cell(bar.usual, FORMATS[bar.unit]),
                Cell(bar.today, FORMATS[bar.unit]),
            )
            for bar in (*bridge.bars, bridge.whole)
        ],
    )


FINDING_COLUMNS = (
    *("finding", "stage", "slice", "state", "owner", "since"),
    *("lost_orders", "lost_low", "lost_high", "lost_amount", "lost_low", "lost_high", "next_step"),
)


def _write_findings(sheet: _Sheet, findings: Sequence[Finding], words: Words) -> None:
    sheet.table(
        words.text("headings", "findings"),
        FINDING_COLUMNS,
        [_write_finding_row(finding, words) for finding in findings],
    )


def _write_finding_row(finding: Finding, words: Words) -> Sequence[Value]:
    return (
        finding.title,
        words.text("stages", finding.stage),
        words.format_slice(finding.slice),
        words.text("finding_states", finding.status.value),
        finding.owner,
        finding.since or "",
        *_write_interval(finding.lost_orders, FORMATS[Unit.RATIO]),
        *_write_interval(finding.lost_net_amount or finding.lost_amount, FORMATS[Unit.MONEY]),
        finding.next_step,
    )


def _write_interval(estimate: Estimate | None, shown: str) -> tuple[Cell, Cell, Cell]:
    if estimate is None:
        return (Cell(None, shown),) * 3
    return Cell(estimate.value, shown), Cell(estimate.low, shown), Cell(estimate.high, shown)


def _write_stage(sheet: _Sheet, stage: Stage, words: Words) -> None:
    if stage.no_data:
        sheet.table(words.text("stages", stage.key), ("note",), [(words.message(stage.no_data),)])
    else:
        sheet.table(
            words.text("stages", stage.key),
            ("step", "count", "rate", "usual_count", "usual_rate", "usual_low", "usual_high"),
            [_write_step_row(step, words) for step in stage.steps],
        )
    figures = ([stage.rate] if stage.rate else []) + list(stage.indicators)
    if figures:
        sheet.table(words.text("headings", "indicators"), FIGURE_COLUMNS, _write_figure_rows(figures, words))
    for table in stage.slices:
        _write_slices(sheet, table, words)
    for part, windows in (("windows", stage.windows), ("inquiry_windows", stage.inquiry_windows)):
        if windows:
            sheet.table(
                words.text("headings", part),
                ("window_days", "first_day", "last_day", "converted", "lost", "pending", "rate"),
                [_write_window_row(window) for window in windows],
            )
    if stage.response_windows:
        sheet.table(
            words.text("headings", "response_windows"),
            ("window_days", "first_day", "last_day", "answered", "unanswered", "pending", "rate", "median_wait"),
            [_write_response_row(window) for window in stage.response_windows],
        )


def _write_slices(sheet: _Sheet, table: SliceTable, words: Words) -> None:
    title = words.text("headings", "slices", dimension=words.text("dimensions", table.dimension))
    passes = f"{words.text('steps', table.entered)} → {words.text('steps', table.passed)}"
    sheet.table(
        f"{title}: {passes}",
        ("name", "entered", "passed", "rate", "usual_entered_sum", "usual_passed_sum", "usual_rate"),
        [
            (
                words.text("labels", "not_named") if row.value is None else row.value,
                _format_count(row.entered),
                _format_count(row.passed),
                _format_rate(row.rate),
                _format_count(row.baseline_entered),
                _format_count(row.baseline_passed),
                _format_rate(row.baseline_rate),
            )
            for row in table.rows
        ],
    )


def _write_data(sheet: _Sheet, report: Report, words: Words) -> None:
    sheet.table(
        words.text("headings", "deliveries"),
        (
            "family",
            "state",
            "rows_read",
            "rows_accepted",
            "rows_duplicate",
            "rows_quarantined",
            "latest_event",
            "rows_excluded",
        ),
        [
            (
                words.text("families", delivery.family),
                words.text("delivery_states", delivery.state.value),
                _format_count(delivery.rows_read),
                _format_count(delivery.rows_accepted),
                _format_count(delivery.rows_duplicate),
                _format_count(delivery.rows_quarantined),
                delivery.latest_event_time,
                _format_count(delivery.rows_excluded),
            )
            for delivery in report.deliveries
        ],
    )
    sheet.table(
        words.text("headings", "checks"),
        ("check", "state", "tables", "observed", "expected"),
        [tuple(write_check_row(check, words)) for check in report.checks],
    )
    sheet.table(
        words.text("headings", "quarantine"),
        ("family", "reason", "rows"),
        [
            (
                words.text("families", count.family),
                words.translate_or_keep("quarantine_reasons", count.reason),
                _format_count(count.rows),
            )
            for count in report.quarantine
        ],
    )


def _write_figure_rows(figures: Iterable[Figure], words: Words) -> Rows:
    for figure in figures:
        shown = FORMATS[figure.unit]
        usual = MEAN_FORMAT if figure.unit is Unit.COUNT else shown
        yield (
            words.name_figure(figure.key),
            Cell(figure.value, shown),
            Cell(figure.numerator, _format_plain(figure.numerator)),
            Cell(figure.denominator, _format_plain(figure.denominator)),
            *(Cell(value, usual) for value in (figure.baseline, figure.usual_low, figure.usual_high)),
            _format_rate(figure.coverage),
        )


def _write_step_row(step: StageStep, words: Words) -> Sequence[Value]:
    rates = (step.baseline_rate, step.usual_low, step.usual_high)
    return (
        words.text("steps", step.key),
        _format_count(step.count),
        _format_rate(step.rate_from_previous),
        Cell(step.baseline_count, MEAN_FORMAT),
        *map(_format_rate, rates),
    )


def _write_window_row(window: Window) -> Sequence[Value]:
    counts = (window.converted, window.lost, window.pending)
    days = (window.entered_from, window.entered_to)
    return (_format_count(window.window_days), *days, *map(_format_count, counts), _format_rate(window.rate))


def _write_response_row(window: ResponseWindow) -> Sequence[Value]:
    counts = (window.answered, window.unanswered, window.pending)
    return (
        _format_count(window.window_days),
        *(window.entered_from, window.entered_to),
        *map(_format_count, counts),
        _format_rate(window.rate),
        Cell(window.median_seconds, FORMATS[Unit.SECONDS]),
    )


def _format_count(value: Number | None) -> Cell:
    return Cell(value, FORMATS[Unit.COUNT])


def _format_rate(value: Number | None) -> Cell:
    return Cell(value, FORMATS[Unit.RATE])


def _format_money(value: Decimal | float | None) -> Cell:
    return Cell(value, FORMATS[Unit.MONEY])


def _format_plain(value: Number | None) -> str:
    is_whole = value is None or value == int(value)
    return FORMATS[Unit.COUNT] if is_whole else FORMATS[Unit.MONEY]
