"""A stage's rate by two dimensions: each cell has its rate and the deviation from its baseline."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words, format_signed
from reports.model import HeatCell, HeatMap
from reports.pictures.canvas import (
    ALARM,
    GOOD_FILL,
    INK,
    PAGE_WIDTH_MM,
    QUIET,
    SMALL_POINTS,
    add_text_sheet,
    create_canvas,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LABEL_MM = 40.0
CELL_HEIGHT_MM = 6.6
WIDEST_CELL_MM = 26.0
HEAD_MM = 6.0
FULL_COLOUR_AT = 0.30  # relative change with the full colour
NOTABLE_STANDARD_ERRORS = 3.0
LONGEST_LABEL = 24


def draw_heat_map(heat_map: HeatMap, words: Words) -> "Canvas":
    """Rows and columns in the given order. Colour is the deviation from the baseline; a sign marks notable ones."""
    height = HEAD_MM + CELL_HEIGHT_MM * len(heat_map.rows)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    width = min(WIDEST_CELL_MM, (PAGE_WIDTH_MM - LABEL_MM) / max(len(heat_map.columns), 1))
    for number, name in enumerate(heat_map.columns):
        x = LABEL_MM + width * (number + 0.5)
        label = shorten(words.translate_dimension_value(heat_map.column_dimension, name), int(width / 1.5))
        sheet.text(x, HEAD_MM / 2, label, ha="center", va="center", color=QUIET, fontsize=SMALL_POINTS)
    for row, (name, cells) in enumerate(zip(heat_map.rows, heat_map.cells, strict=True)):
        top = HEAD_MM + CELL_HEIGHT_MM * row
        label = shorten(words.translate_dimension_value(heat_map.row_dimension, name), LONGEST_LABEL)
        sheet.text(0, top + CELL_HEIGHT_MM / 2, label, va="center")
        for column, cell in enumerate(cells):
            _draw_cell(sheet, LABEL_MM + width * column, top, width, cell, words)
    return canvas


def shorten(text: str, longest: int) -> str:
    """The text with its middle left out if it is longer than `longest`; names often differ at their ends."""
    if len(text) <= longest:
        return text
    kept = max(longest - 1, 2)
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


def measure_notability(cell: HeatCell) -> float:
    """Standard errors between the cell's rate and its baseline rate; 0 without a comparison.

    The variance is that of the difference of two independent binomial rates with the pooled rate.
    """
    if not cell.entered or not cell.baseline_entered:
        return 0.0
    pooled = (cell.passed + cell.baseline_passed) / (cell.entered + cell.baseline_entered)
    variance = pooled * (1 - pooled) * (1 / cell.entered + 1 / cell.baseline_entered)
    difference = cell.passed / cell.entered - cell.baseline_passed / cell.baseline_entered
    return difference / variance**0.5 if variance > 0 else 0.0


@dataclass(frozen=True)
class JudgedCell:
    """A cell as it is told: its rate, its deviation in words, and how strongly it is coloured, below zero if worse."""

    rate: str
    deviation: str
    strength: float


def judge_cell(cell: HeatCell | None, words: Words) -> JudgedCell | None:
    """The cell's texts and colour, of which 1 is the strongest; None without entries."""
    if cell is None or not cell.entered:
        return None
    rate = cell.passed / cell.entered
    written = words.value(rate, Unit.RATE)
    usual = cell.baseline_passed / cell.baseline_entered if cell.baseline_entered else None
    if not usual:
        return JudgedCell(written, "", 0.0)
    change = (rate - usual) / usual
    z = measure_notability(cell)
    sureness = min(abs(z) / NOTABLE_STANDARD_ERRORS, 1.0)  # deviations within chance stay pale
    strength = min(max(change / FULL_COLOUR_AT, -1.0), 1.0) * sureness
    sign = "below_bad" if z < 0 else "above_good"
    mark = "" if abs(z) < NOTABLE_STANDARD_ERRORS else words.text("labels", sign)
    return JudgedCell(written, f"{mark} {format_signed((rate - usual) * 100, 1)}".strip(), strength)


def _draw_cell(sheet: "Axes", left: float, top: float, width: float, cell: HeatCell | None, words: Words) -> None:
    middle, centre = left + width / 2, top + CELL_HEIGHT_MM / 2
    judged = judge_cell(cell, words)
    if judged is None:
        sheet.text(middle, centre, words.text("labels", "no_comparison"), ha="center", va="center", color=QUIET)
        return
    if judged.deviation:
        sheet.barh(
            centre, width - 0.6, left=left + 0.3, height=CELL_HEIGHT_MM - 0.6, linewidth=0,
            color=ALARM if judged.strength < 0 else GOOD_FILL, alpha=abs(judged.strength) * 0.6,
        )  # fmt: skip
        small = SMALL_POINTS - 0.5
        sheet.text(middle, centre + 1.6, judged.deviation, ha="center", va="center", color=INK, fontsize=small)
    sheet.text(middle, centre - (1.5 if judged.deviation else 0), judged.rate, ha="center", va="center")
