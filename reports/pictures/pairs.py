"""Operational figures beside the rates that they may influence, day by day on the same time axis."""

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
BETWEEN_MM = 10.0
PER_ROW = 3


def draw_pairs(pairs: Sequence[Pair], words: Words) -> "Canvas":
    """A panel for each figure, causes before the rate that they may influence; none is drawn twice."""
    figures = list_figures(pairs)
    per_row = PER_ROW - 1 if len(figures) in (2, 4) else PER_ROW
    row_mm = TITLE_MM + PANEL_MM + DAYS_MM
    height = row_mm * -(-len(figures) // per_row)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    width = (PAGE_WIDTH_MM - (per_row - 1) * BETWEEN_MM) / per_row
    for number, figure in enumerate(figures):
        left, top = (number % per_row) * (width + BETWEEN_MM), (number // per_row) * row_mm
        _write_title(sheet, left, top, width, figure, words)
        _draw_panel(add_axes(canvas, left, top + TITLE_MM, width, PANEL_MM - 1), figure, words)
        _write_days(sheet, left, top + TITLE_MM + PANEL_MM, width, figure)
    return canvas


def list_figures(pairs: Sequence[Pair]) -> list[Figure]:
    """The figures of all pairs, each once: those that influence one rate, then the rate."""
    effects = {pair.effect.key: pair.effect for pair in pairs}
    ordered = [each for key, effect in effects.items() for each in (*_list_causes(pairs, key), effect)]
    return list({figure.key: figure for figure in ordered}.values())


def _list_causes(pairs: Sequence[Pair], effect: str) -> list[Figure]:
    return [pair.cause for pair in pairs if pair.effect.key == effect]


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
