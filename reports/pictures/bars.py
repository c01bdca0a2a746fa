"""The bar that divides the paid amount."""

from typing import TYPE_CHECKING

from reports.model import MoneySplit
from reports.pictures.canvas import INK, PAGE_WIDTH_MM, SHADES, add_axes, create_canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


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
