"""The steps from the baseline paid amount to the day's, bar by bar on one scale of money from the baseline."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words, choose_baseline_digits, format_signed
from reports.model import Bridge, BridgeBar
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

BAR_ROW_MM = 4.6
BAR_LEFT_MM, BAR_WIDTH_MM = 44.0, 62.0
CHANGE_MM, USUAL_MM = 126.0, 151.0


def draw_bridge(bridge: Bridge, words: Words) -> "Canvas":
    """Bars that each begin where the one above ends; the last one is their sum. Losses point left, gains right."""
    height = BAR_ROW_MM * (len(bridge.bars) + 2 + (bridge.excluded is not None))
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    _draw_heads(sheet, words)
    place = _find_scale(bridge)
    reached = 0.0
    for number, bar in enumerate(bridge.bars, start=1):
        y = BAR_ROW_MM * (number + 0.5)
        _draw_bar(sheet, y, place(reached), place(reached + float(bar.change)), ALARM if bar.change < 0 else GOOD_FILL)
        reached += float(bar.change)
        _write_row(sheet, y, bar, words)
    last = BAR_ROW_MM * (len(bridge.bars) + 1.5)
    whole = bridge.whole
    sheet.plot([0, PAGE_WIDTH_MM], [last - BAR_ROW_MM / 2] * 2, color=INK, linewidth=0.6)
    _draw_bar(sheet, last, place(0), place(float(whole.change)), INK)
    _write_row(sheet, last, whole, words)
    sheet.plot([place(0)] * 2, [BAR_ROW_MM, last + BAR_ROW_MM / 2], color=INK, linewidth=0.6)
    if bridge.excluded is not None:
        _write_row(sheet, last + BAR_ROW_MM, bridge.excluded, words, quiet=True)
    return canvas


def _find_scale(bridge: Bridge) -> Callable[[float], float]:
    """A function from an amount relative to the baseline to millimetres."""
    reached, ends = 0.0, [0.0, float(bridge.today) - float(bridge.usual)]
    for bar in bridge.bars:
        reached += float(bar.change)
        ends.append(reached)
    low, high = min(ends), max(ends)
    width = (high - low) or 1.0
    return lambda amount: BAR_LEFT_MM + (amount - low) / width * BAR_WIDTH_MM


def _draw_heads(sheet: "Axes", words: Words) -> None:
    y = BAR_ROW_MM / 2
    heads = ((CHANGE_MM, "bridge_change"), (USUAL_MM, "usual"), (PAGE_WIDTH_MM, "today"))
    for x, key in heads:
        sheet.text(x, y, words.text("pictures", key), ha="right", va="center", color=QUIET, fontsize=SMALL_POINTS)


def _draw_bar(sheet: "Axes", y: float, start: float, end: float, colour: str) -> None:
    sheet.barh(y, end - start, left=start, height=BAR_ROW_MM * 0.6, color=colour)


def _write_row(sheet: "Axes", y: float, bar: BridgeBar, words: Words, quiet: bool = False) -> None:
    colour = QUIET if quiet else INK
    sheet.text(0, y, words.text("bridge", bar.key), va="center", color=colour)
    change = words.text("labels", "no_comparison") if quiet else format_signed(float(bar.change), 0)
    sheet.text(CHANGE_MM, y, change, ha="right", va="center", color=colour)
    for x, value in ((USUAL_MM, bar.usual), (PAGE_WIDTH_MM, bar.today)):
        sheet.text(
            x, y, write_bar_value(value, bar, words), ha="right", va="center", color=QUIET if x == USUAL_MM else colour
        )


def write_bar_value(value: Number | None, bar: BridgeBar, words: Words) -> str:
    """The baseline or present value of a bar. A factor is formatted as in the table of the factors."""
    if value is None:
        return words.no_data
    if bar.unit is Unit.MONEY and bar.key != "amount_per_order":
        return words.value(value, Unit.MONEY, 0)
    return words.value(value, bar.unit, choose_baseline_digits(bar.today, bar.unit))
