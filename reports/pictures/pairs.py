"""Operational figures above the rates that they may influence, day by day on the same time axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funnelscope.messages.wording import Words
from reports.model import Figure, Pair
from reports.pictures.canvas import (
    BLUE,
    INK,
    PAGE_WIDTH_MM,
    PALE,
    QUIET,
    SMALL_POINTS,
    add_axes,
    add_text_sheet,
    create_canvas,
)
from reports.pictures.trend import draw_baseline, draw_promotions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PANEL_MM = 10.0
TITLE_MM = 5.0
DAYS_MM = 5.0
BETWEEN_MM = 12.0
PER_ROW = 2


def draw_pairs(pairs: Sequence[Pair], words: Words) -> "Canvas":
    """Two pairs side by side, each with its cause above its effect; of one pair both side by side."""
    is_one = len(pairs) == 1
    row_mm = (1 if is_one else 2) * (TITLE_MM + PANEL_MM) + DAYS_MM
    height = row_mm * -(-len(pairs) // PER_ROW)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    width = (PAGE_WIDTH_MM - BETWEEN_MM) / PER_ROW
    for number, pair in enumerate(pairs):
        left = (number % PER_ROW) * (width + BETWEEN_MM)
        top = (number // PER_ROW) * row_mm
        for position, figure in enumerate((pair.cause, pair.effect)):
            x = left + position * (width + BETWEEN_MM) if is_one else left
            y = top if is_one else top + position * (TITLE_MM + PANEL_MM)
            _write_title(sheet, x, y, width, figure, words)
            axes = add_axes(canvas, x, y + TITLE_MM, width, PANEL_MM - 1)
            _draw_panel(axes, figure, words)
            if is_one or position:
                _write_days(sheet, x, y + TITLE_MM + PANEL_MM, width, figure)
    return canvas


def _write_title(sheet: "Axes", left: float, top: float, width: float, figure: Figure, words: Words) -> None:
    y = top + TITLE_MM / 2
    sheet.text(left, y, words.text("metrics", figure.key), va="center")
    usual = words.text("labels", "usual", value=words.value(figure.baseline, figure.unit))
    value = words.value(figure.value, figure.unit)
    sheet.text(left + width, y, f"{value}  {usual}", ha="right", va="center", fontsize=SMALL_POINTS, color=QUIET)


def _draw_panel(axes: "Axes", figure: Figure, words: Words) -> None:
    draw_promotions(axes, figure.trend, words, is_named=False)
    draw_baseline(axes, figure)
    values = [float("nan") if point.value is None else float(point.value) for point in figure.trend]
    axes.plot(range(len(values)), values, color=BLUE, linewidth=1.1, clip_on=False)
    axes.plot(len(values) - 1, values[-1], color=INK, marker="o", markersize=3, clip_on=False)
    axes.axhline(axes.get_ylim()[0], color=PALE, linewidth=0.6)
    axes.set_xlim(-0.5, len(values) - 0.5)


def _write_days(sheet: "Axes", left: float, top: float, width: float, figure: Figure) -> None:
    days = [point.day for point in figure.trend]
    for x, day, side in ((left, days[0], "left"), (left + width, days[-1], "right")):
        label = day.strftime("%m-%d")
        sheet.text(x, top + 0.5, label, ha=side, va="top", color=QUIET, fontsize=SMALL_POINTS)
