"""Bars that divide a whole: the paid amount, and what became of earlier entries."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import MoneySplit, Window
from reports.pictures.canvas import (
    BLUE,
    HEADER_MM,
    INK,
    PAGE_WIDTH_MM,
    QUIET,
    ROW_MM,
    SHADES,
    SMALL_POINTS,
    add_axes,
    add_text_sheet,
    create_canvas,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WINDOW_LEFT_MM = 30.0
SMALLEST_LABELLED_SHARE = 0.07  # a label needs about 12 mm of the bar


def draw_money(money: MoneySplit) -> "Canvas":
    """One bar for the paid amount, divided into A, B, C and D."""
    canvas = create_canvas(8)
    axes = add_axes(canvas, 0, 0, PAGE_WIDTH_MM, 8)
    amounts = [max(float(part.amount or 0), 0.0) for part in money.parts.values()]
    whole = sum(amounts) or 1.0
    left = 0.0
    for letter, amount, shade in zip("ABCD", amounts, SHADES, strict=True):
        share = amount / whole
        axes.barh(0, share, left=left, height=1, color=shade, edgecolor="white", linewidth=1)
        if share > 0.012:
            colour = "white" if letter == "A" else INK
            axes.text(left + share / 2, 0, letter, ha="center", va="center", color=colour, fontsize=8)
        left += share
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, 0.5)
    return canvas


def draw_windows(windows: Sequence[Window], words: Words) -> "Canvas":
    """A bar for each window, divided into converted, lost and pending entries."""
    canvas = create_canvas(HEADER_MM + ROW_MM * len(windows))
    sheet = add_text_sheet(canvas, 0, HEADER_MM + ROW_MM * len(windows))
    looks: tuple[dict[str, Any], ...] = (
        {"color": BLUE},
        {"color": "#a6a6a6"},
        {"facecolor": "white", "edgecolor": "#8c8c8c", "hatch": "/////"},
    )
    names = ("converted", "lost", "pending")
    for position, (name, look) in enumerate(zip(names, looks, strict=True)):
        x = WINDOW_LEFT_MM + position * 40
        sheet.barh(HEADER_MM / 2, 3.5, left=x, height=2.6, linewidth=0.5, **look)
        sheet.text(x + 5, HEADER_MM / 2, words.text("columns", name), va="center", color=QUIET, fontsize=SMALL_POINTS)
    for number, window in enumerate(windows):
        y = HEADER_MM + ROW_MM * (number + 0.5)
        sheet.text(0, y, words.text("labels", "window", days=str(window.window_days)), va="center")
        counts = (window.converted, window.lost, window.pending)
        whole, left = sum(counts) or 1, WINDOW_LEFT_MM
        for count, look, colour in zip(counts, looks, ("white", INK, INK), strict=True):
            width = count / whole * (PAGE_WIDTH_MM - WINDOW_LEFT_MM)
            sheet.barh(y, width, left=left, height=ROW_MM * 0.66, linewidth=0.5, **look)
            if count / whole >= SMALLEST_LABELLED_SHARE:
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 1} if "hatch" in look else None
                label = words.value(count, Unit.COUNT)
                sheet.text(left + width / 2, y, label, ha="center", va="center", color=colour, bbox=paper)
            left += width
    return canvas
