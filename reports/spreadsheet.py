"""The report's numbers as a workbook: a table a sheet, all numbers in one tidy sheet, and a dictionary of the columns.

Numbers are unrounded and formatted, and every slice is included, not only the largest. Texts never become formulas,
whatever they begin with, because campaign names come from outside.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words
from reports.campaign_review import CampaignReview, name_part
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
    count_days_so_far,
    has_events,
    load_report_words,
)
from reports.pages.data_page import list_printed_figures, write_check_row
from reports.pages.finding_blocks import name_owner
from reports.pages.platform_pages import name_platform
from reports.pages.table_blocks import EARLIER_DAYS, find_earlier
from reports.tones import write_mark

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
LONGEST_NAME = 31  # of a sheet
NARROWEST, WIDEST = 11, 44  # characters of a column
ROWS_MEASURED = 200


@dataclass(frozen=True)
class Cell:
    """A number and its format."""

    value: Number | None
    format: str


Value = Cell | str | date | time | None
Rows = Iterable[Sequence[Value]]


def write_spreadsheet(report: Report) -> bytes:
    """The report as XLSX, a table a sheet. The same report gives the same bytes.

    Raises UnknownWordError for a key or language without words.
    """
    from xlsxwriter import Workbook

    words = load_report_words(report)
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as workbook:
        midnight = datetime.combine(report.business_date, time(), UTC).replace(tzinfo=None)
        title = words.text("report", "document", shop=report.shop, date=report.label)
        workbook.set_properties({"title": title, "author": report.shop, "created": midnight})
        book = _Book(workbook, words)
        _write_report(book, report, words)
        if report.campaign is not None:
            _write_review(book, report, report.campaign, words)
        else:
            _write_stages(book, report, words)
            book.add("tidy", TIDY_COLUMNS, _list_tidy_rows(report, words))
            if report.platforms:
                _write_platforms(book, report, words)
            _write_data(book, report, words)
        _write_dictionary(book, report, words)
    return file.getvalue()


class _Book:
    """A workbook with a table a sheet: the names of its columns stay in sight, and its rows can be filtered.

    Attributes:
        columns: the sheets so far with the keys of their columns.
    """

    def __init__(self, workbook: "Workbook", words: Words) -> None:
        self.workbook = workbook
        self.words = words
        self.columns: dict[str, Sequence[str]] = {}
        self.formats: dict[str, Format] = {}

    def add(self, key: str, columns: Sequence[str], rows: Rows, more_columns: Sequence[str] = ()) -> None:
        """Adds the sheet `key` unless there are no rows.

        `columns` are keys of the section `spreadsheet`; `more_columns`, right of them, are finished texts.
        """
        rows = [list(row) for row in rows]
        if not rows:
            return
        self.columns[key] = columns
        sheet = self.workbook.add_worksheet(self.words.text("sheets", key)[:LONGEST_NAME])
        names = [*(self.words.text("spreadsheet", column) for column in columns), *more_columns]
        heading: dict[str, object] = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}
        for column, name in enumerate(names):
            self._write(sheet, 0, column, name, heading)
            texts = [row[column] for row in rows[:ROWS_MEASURED] if column < len(row)]
            sheet.set_column(column, column, _measure_width(name, texts))
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                self._write(sheet, number, column, value, {})
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(rows), len(names) - 1)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)

    def _write(self, sheet: "Worksheet", row: int, column: int, value: Value, style: Mapping[str, object]) -> None:
        if isinstance(value, Cell):
            if value.value is not None:
                shown = self._format(num_format=value.format, **style)
                sheet.write_number(row, column, float(value.value), shown)
        elif isinstance(value, str) and value:
            # Marks the cell as text, so that it stays one when somebody edits it.
            marked = {"quote_prefix": True} if value.startswith(FORMULA_SIGNS) else {}
            sheet.write_string(row, column, value[:LONGEST_TEXT], self._format(**style, **marked))
        elif isinstance(value, date):
            sheet.write_datetime(row, column, value, self._format(num_format="yyyy-mm-dd", **style))
        elif isinstance(value, time):
            sheet.write_datetime(row, column, value, self._format(num_format="hh:mm", **style))

    def _format(self, **style: object) -> "Format":
        key = repr(sorted(style.items()))
        if key not in self.formats:
            self.formats[key] = self.workbook.add_format(style)
        return self.formats[key]


def _measure_width(name: str, values: Iterable[Value]) -> int:
    """Wide enough for the texts of a column, within bounds. A Chinese character is as wide as two others."""
    texts = [value for value in values if isinstance(value, str)]
    wide = max([sum(2 if ord(letter) > 0x2E7F else 1 for letter in text) for text in texts] + [0])
    return min(max(wide + 2, NARROWEST, len(name)), WIDEST)


FIGURE_COLUMNS = (
    *("figure", "value", "unit", "section", "numerator", "denominator", "usual", "usual_low", "usual_high"),
    *("day_before", "week_before", "coverage", "mark"),
)


def _write_report(book: _Book, report: Report, words: Words) -> None:
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
    book.add("report", ("what", "value"), about)
    book.add("findings", FINDING_COLUMNS, [_write_finding_row(each, report, words) for each in report.findings])
    sections: list[tuple[str, Sequence[Figure]]] = [
        (words.text("headings", "headline"), _list_headline_figures(report))
    ]
    sections += [(words.text("stages", each.key), _list_stage_figures(each)) for each in report.stages]
    sections += [(words.text("headings", "factors"), report.money.factors)] if report.money else []
    rows = (row for section, figures in sections for row in _write_figure_rows(section, figures, report, words))
    book.add("figures", FIGURE_COLUMNS, rows)
    if report.days:
        _write_days(book, report, words)
    if report.bridge is not None:
        _write_bridge(book, report.bridge, words)
    if report.money is not None:
        parts = {**report.money.parts, "excluded": report.money.excluded}
        book.add("money", ("part", "amount", "payments", "usual"), [
            (words.text("money_parts", key), _format_money(part.amount), _format_count(part.payments),
             _format_money(part.baseline))
            for key, part in parts.items()
        ])  # fmt: skip


def _list_stage_figures(stage: Stage) -> list[Figure]:
    return ([stage.rate] if stage.rate else []) + list(stage.indicators)


COMPARED_COLUMNS = (
    *("figure", "value", "unit", "platform", "before_that", "earlier_that", "usual", "usual_low", "usual_high"),
    *("peers", "target", "mark", "rule"),
)


def _list_platform_figures(report: Report, words: Words) -> list[tuple[str, Sequence[ComparedFigure]]]:
    """The amounts of all platforms together, and the figures of each, under their names."""
    total = [(words.text("headings", "platform_total"), report.platform_total)] if report.platform_total else []
    of_each = [(name_platform(each, words), (*each.figures, *each.others)) for each in report.platforms]
    return [*total, *((title, figures) for title, figures in of_each if figures)]


def _write_compared_row(whose: str, each: ComparedFigure, currency: str, words: Words) -> Sequence[Value]:
    figure = each.figure
    shown = FORMATS[figure.unit]
    usual = MEAN_FORMAT if figure.unit is Unit.COUNT else shown
    return (
        words.name_figure(figure.key),
        Cell(figure.value, shown),
        name_unit(figure.unit, currency, words),
        whose,
        Cell(each.before, shown),
        Cell(each.earlier, shown),
        *(Cell(value, usual) for value in (figure.baseline, figure.usual_low, figure.usual_high)),
        Cell(each.peers, shown),
        Cell(each.target, shown),
        write_mark(figure.mark, figure.key, words),
        words.text("several_days", figure.rule) if figure.rule else "",
    )


OBJECT_COLUMNS = (
    *("business_date", "platform", "shop", "level", "object", "name", "parent", "device", "is_rollup"),
    *("figure", "value", "unit", "usual", "mark"),
)


def _write_platforms(book: _Book, report: Report, words: Words) -> None:
    """The platforms' figures, and a row for each figure of each object that was read, not only those on the pages."""
    currency = report.currency
    compared = [(whose, each) for whose, figures in _list_platform_figures(report, words) for each in figures]
    rows_of_figures = [_write_compared_row(whose, each, currency, words) for whose, each in compared]
    book.add("platform_figures", COMPARED_COLUMNS, rows_of_figures)
    rows: list[Sequence[Value]] = []
    for platform in report.platforms:
        name = words.translate_or_keep("platforms", platform.name)
        at = (report.name or report.business_date, name, platform.shop or report.shop)
        level = words.text("levels", platform.level)
        whole = ("", "" if platform.level == "shop" else words.text("labels", f"all_{platform.level}s"), "", "", "")
        for each in (*platform.figures, *platform.others):
            rows.append((*at, level, *whole, *_write_object_figure(each.figure, currency, words)))
        for each_day in platform.days:
            at_day = (each_day.day, *at[1:], level, *whole)
            rows += [(*at_day, *_write_object_figure(figure, currency, words)) for figure in each_day.figures]
        for table in platform.tables:
            level = words.text("levels", table.level)
            for stated in table.objects:
                is_rollup = words.text("labels", "rollup") if stated.is_rollup else ""
                place = (*at, level, stated.object, stated.name, stated.parent, stated.device, is_rollup)
                rows += [
                    (*place, *_write_object_figure(figure, currency, words))
                    for figure in stated.figures
                    if figure.value is not None
                ]
    book.add("platforms", OBJECT_COLUMNS, rows)


def _write_object_figure(figure: Figure, currency: str, words: Words) -> Sequence[Value]:
    shown = FORMATS[figure.unit]
    return (
        words.name_figure(figure.key),
        Cell(figure.value, shown),
        name_unit(figure.unit, currency, words),
        Cell(figure.baseline, MEAN_FORMAT if figure.unit is Unit.COUNT else shown),
        write_mark(figure.mark, figure.key, words),
    )


CAMPAIGN_COLUMNS = (
    *("phase", "from_date", "to_date", "day_count", "figure", "value", "unit", "last_time", "last_days"),
    *("last_alike", "plain_days"),
)
CAMPAIGN_DAY_COLUMNS = ("business_date", "phase", "paid_amount", "last_time", "plain_days")
AROUND_COLUMNS = (
    *("around_days", "from_date", "to_date", "day_count", "paid_amount", "plain_days", "usual_low", "usual_high"),
    *("paid_orders", "plain_orders"),
)
REFUND_COLUMNS = ("within_days", "refunded_amount", "refund_rate", "last_time", "plain_days", "mature_on")
MOVE_COLUMNS = ("dimension", "slice_value", "figure", "value", "unit", "last_alike", "plain_days")


def _write_review(book: _Book, report: Report, review: CampaignReview, words: Words) -> None:
    """The figures of the campaign and its phases, its days, the days around it, its refunds, and what moved."""
    rows: list[Sequence[Value]] = [
        (
            name_part(part.key, words),
            part.from_date,
            part.to_date,
            _format_count(len(part.counted)),
            words.name_figure(figure.key),
            Cell(figure.value, FORMATS[figure.unit]),
            name_unit(figure.unit, report.currency, words),
            Cell(figure.last, FORMATS[figure.unit]),
            _format_count(len(part.last_days)),
            *(Cell(value, _format_mean(figure.unit)) for value in (figure.last_alike, figure.plain)),
        )
        for part in (review.whole, *review.phases)
        for figure in part.figures
    ]
    book.add("campaign", CAMPAIGN_COLUMNS, rows)
    book.add("campaign_days", CAMPAIGN_DAY_COLUMNS, [
        (each.day, name_part(each.part, words), *map(_format_money, (each.paid_amount, each.last, each.plain)))
        for each in review.days
    ])  # fmt: skip
    book.add("around", AROUND_COLUMNS, [
        (words.text("campaign", f"around_{side.key}"), side.from_date, side.to_date, _format_count(len(side.counted)),
         *map(_format_money, (side.paid_amount, side.plain, side.low, side.high)),
         Cell(side.paid_orders, FORMATS[Unit.COUNT]), Cell(side.plain_orders, MEAN_FORMAT))
        for side in review.around
    ])  # fmt: skip
    book.add("refund_ages", REFUND_COLUMNS, [
        (_format_count(each.days), _format_money(each.refunded),
         *map(_format_rate, (each.rate, each.last_rate, each.plain_rate)), each.mature_on)
        for each in review.refunds
    ])  # fmt: skip
    book.add("campaign_moves", MOVE_COLUMNS, [
        (words.text("dimensions", moves.dimension), words.translate_dimension_value(moves.dimension, each.value),
         words.name_figure(moves.measure), Cell(each.now, FORMATS[moves.unit]),
         name_unit(moves.unit, report.currency, words),
         *(Cell(value, _format_mean(moves.unit)) for value in (each.last_alike, each.plain)))
        for moves in review.moves
        for each in moves.moves
    ])  # fmt: skip


def _format_mean(unit: Unit) -> str:
    """How what other days would have given is written: of a count, with a decimal."""
    return MEAN_FORMAT if unit is Unit.COUNT else FORMATS[unit]


def _write_days(book: _Book, report: Report, words: Words) -> None:
    """One row per day of a longer period. Columns of numbers have the names of the metrics."""
    keys = [figure.key for figure in report.days[0].figures] if has_events(report) else []
    book.add(
        "days",
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


def _write_bridge(book: _Book, bridge: Bridge, words: Words) -> None:
    book.add(
        "bridge",
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
    *("finding", "finding_id", "stage", "slice", "state", "owner", "since", "day_number", "found_days"),
    *("observed_rate", "expected_rate", "lost_orders", "lost_orders_low", "lost_orders_high", "lost_amount"),
    *("lost_amount_low", "lost_amount_high", "lost_net_amount", "lost_orders_so_far", "lost_amount_so_far"),
    *("next_step", "link"),
)


def _write_finding_row(finding: Finding, report: Report, words: Words) -> Sequence[Value]:
    return (
        finding.title,
        finding.finding_id,
        words.text("stages", finding.stage),
        words.format_slice(finding.slice),
        words.text("finding_states", finding.status.value),
        name_owner(finding, words),
        finding.since,
        _format_count(None if finding.found_on else count_days_so_far(finding, report.business_date)),
        _format_count(finding.days),
        _format_rate(finding.observed),
        _format_rate(finding.expected),
        *_write_interval(finding.lost_orders, MEAN_FORMAT),
        *_write_interval(finding.lost_amount, FORMATS[Unit.MONEY]),
        _format_money(finding.lost_net_amount.value if finding.lost_net_amount else None),
        Cell(finding.lost_orders_so_far, MEAN_FORMAT),
        _format_money(finding.lost_amount_so_far),
        finding.next_step,
        finding.link,
    )


def _write_interval(estimate: Estimate | None, shown: str) -> tuple[Cell, Cell, Cell]:
    if estimate is None:
        return (Cell(None, shown),) * 3
    return Cell(estimate.value, shown), Cell(estimate.low, shown), Cell(estimate.high, shown)


def _write_stages(book: _Book, report: Report, words: Words) -> None:
    """Steps, slices and later outcomes of all stages, each stage by its name."""
    stages = [(words.text("stages", stage.key), stage) for stage in report.stages]
    book.add(
        "steps",
        ("step", "count", "rate", "stage", "usual_count", "usual_rate", "usual_low", "usual_high", "mark"),
        [_write_step_row(name, step, words) for name, stage in stages for step in stage.steps],
    )
    book.add(
        "slices",
        (
            *("name", "dimension", "stage", "entered_step", "passed_step", "entered", "passed", "rate"),
            *("usual_entered_sum", "usual_passed_sum", "usual_rate"),
        ),
        [row for name, stage in stages for table in stage.slices for row in _write_slice_rows(name, table, words)],
    )
    book.add(
        "windows",
        ("stage", "kind", "window_days", "first_day", "last_day", "converted", "lost", "pending", "rate"),
        [
            (name, words.text("headings", part), *_write_window_row(window))
            for name, stage in stages
            for part, windows in (("windows", stage.windows), ("inquiry_windows", stage.inquiry_windows))
            for window in windows
        ],
    )
    book.add(
        "response_windows",
        ("stage", "window_days", "first_day", "last_day", "answered", "unanswered", "pending", "rate", "median_wait"),
        [(name, *_write_response_row(window)) for name, stage in stages for window in stage.response_windows],
    )
    missing = [(name, words.message(stage.no_data)) for name, stage in stages if stage.no_data]
    book.add("no_data", ("stage", "note"), missing)


def _write_slice_rows(stage: str, table: SliceTable, words: Words) -> Rows:
    for row in table.rows:
        yield (
            words.text("labels", "not_named") if row.value is None else row.value,
            words.text("dimensions", table.dimension),
            stage,
            words.text("steps", table.entered),
            words.text("steps", table.passed),
            _format_count(row.entered),
            _format_count(row.passed),
            _format_rate(row.rate),
            _format_count(row.baseline_entered),
            _format_count(row.baseline_passed),
            _format_rate(row.baseline_rate),
        )


TIDY_COLUMNS = ("business_date", "stage", "dimension", "name", "metric", "unit", "value", "usual")


def _list_tidy_rows(report: Report, words: Words) -> Rows:
    """Every number of the stages in one column: what a pivot table or a script wants."""
    at: Value = report.name or report.business_date

    def write_row(
        place: Sequence[str], metric: str, unit: Unit, value: Number | None, usual: Number | None
    ) -> Sequence[Value]:
        shown = FORMATS[unit]
        usual_cell = Cell(usual, MEAN_FORMAT if unit is Unit.COUNT else shown)
        return (at, *place, metric, name_unit(unit, report.currency, words), Cell(value, shown), usual_cell)

    for figure in _list_headline_figures(report):
        yield write_row(("", "", ""), words.name_figure(figure.key), figure.unit, figure.value, figure.baseline)
    for stage in report.stages:
        name = words.text("stages", stage.key)
        for figure in _list_stage_figures(stage):
            yield write_row((name, "", ""), words.name_figure(figure.key), figure.unit, figure.value, figure.baseline)
        for step in stage.steps:
            step_name = words.text("steps", step.key)
            rate_name = words.text("labels", "part_of", whole=step_name, name=words.text("columns", "from_previous"))
            yield write_row((name, "", ""), step_name, Unit.COUNT, step.count, step.baseline_count)
            if step.rate_from_previous is not None:
                yield write_row((name, "", ""), rate_name, Unit.RATE, step.rate_from_previous, step.baseline_rate)
        for table in stage.slices:
            for row in table.rows:
                value = words.text("labels", "not_named") if row.value is None else row.value
                place = (name, words.text("dimensions", table.dimension), value)
                passed = words.text("steps", table.passed)
                yield write_row(place, words.text("steps", table.entered), Unit.COUNT, row.entered, None)
                yield write_row(place, passed, Unit.COUNT, row.passed, None)
                rate_name = words.text("labels", "part_of", whole=passed, name=words.text("columns", "rate"))
                yield write_row(place, rate_name, Unit.RATE, row.rate, row.baseline_rate)


def name_unit(unit: Unit, currency: str, words: Words) -> str:
    """The unit for readers: the currency of money, % of rates, which are formatted so."""
    return currency if unit is Unit.MONEY else words.text("units", unit.value)


def _write_data(book: _Book, report: Report, words: Words) -> None:
    book.add(
        "deliveries",
        (
            *("family", "state", "rows_read", "rows_accepted", "rows_duplicate", "rows_quarantined"),
            *("latest_event", "rows_excluded"),
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
    checks = [tuple(write_check_row(check, words)) for check in report.checks]
    book.add("checks", ("check", "state", "tables", "observed", "expected"), checks)
    book.add(
        "quarantine",
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


def _write_dictionary(book: _Book, report: Report, words: Words) -> None:
    """What each column of each sheet means, and how each figure of the report is defined."""
    columns = [
        (words.text("sheets", sheet), words.text("spreadsheet", key), words.text("column_meanings", key))
        for sheet, keys in book.columns.items()
        for key in keys
    ]
    figures = dict.fromkeys(figure.key for figure in list_printed_figures(report))
    if report.campaign is not None:
        figures |= dict.fromkeys(figure.key for figure in report.campaign.whole.figures)
    defined = [(words.text("sheets", "figures"), words.name_figure(key), words.define_figure(key)) for key in figures]
    book.add("dictionary", ("sheet", "what", "meaning"), [*columns, *(each for each in defined if each[2])])


def _write_figure_rows(section: str, figures: Iterable[Figure], report: Report, words: Words) -> Rows:
    for figure in figures:
        shown = FORMATS[figure.unit]
        usual = MEAN_FORMAT if figure.unit is Unit.COUNT else shown
        earlier = find_earlier(figure)
        yield (
            words.name_figure(figure.key),
            Cell(figure.value, shown),
            name_unit(figure.unit, report.currency, words),
            section,
            Cell(figure.numerator, _format_plain(figure.numerator)),
            Cell(figure.denominator, _format_plain(figure.denominator)),
            *(Cell(value, usual) for value in (figure.baseline, figure.usual_low, figure.usual_high)),
            *(Cell(earlier.get(key), shown) for key in EARLIER_DAYS),
            _format_rate(figure.coverage),
            write_mark(figure.mark, figure.key, words),
        )


def _write_step_row(stage: str, step: StageStep, words: Words) -> Sequence[Value]:
    rates = (step.baseline_rate, step.usual_low, step.usual_high)
    return (
        words.text("steps", step.key),
        _format_count(step.count),
        _format_rate(step.rate_from_previous),
        stage,
        Cell(step.baseline_count, MEAN_FORMAT),
        *map(_format_rate, rates),
        write_mark(step.mark, step.key, words),
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
