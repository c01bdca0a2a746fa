"""The deviation of each finding's rate from the expected rate, with its interval, on one scale from zero."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funnelscope.messages.wording import Words, format_signed
from reports.model import Finding, FindingStatus
from reports.pictures.canvas import (
    ALARM,
    GOOD_FILL,
    INK,
    PAGE_WIDTH_MM,
    PALE,
    QUIET,
    ROW_MM,
    add_text_sheet,
    create_canvas,
)
from reports.pictures.heat_map import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LEFT_MM, WIDTH_MM = 70.0, 66.0
LONGEST_NAME = 44


def draw_effects(findings: Sequence[Finding], words: Words) -> "Canvas":
    """A dot and a line for each finding with an effect: the estimate and its 90 % interval."""
    shown = [finding for finding in findings if finding.effect is not None]
    height = ROW_MM * len(shown)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    ends = [0.0]
    for finding in shown:
        effect = finding.effect
        assert effect is not None
        ends += [float(end) for end in (effect.value, effect.low, effect.high) if end is not None]
    low, high = min(ends), max(ends)
    scale = WIDTH_MM / ((high - low) or 1.0)
    zero = LEFT_MM - low * scale
    sheet.plot([zero] * 2, [0, height], color=PALE, linewidth=0.9)
    for number, finding in enumerate(shown):
        effect = finding.effect
        assert effect is not None
        y = ROW_MM * (number + 0.5)
        colour = ALARM if effect.value < 0 else GOOD_FILL
        is_sure = finding.status is FindingStatus.CONFIRMED
        if effect.low is not None and effect.high is not None:
            ends_mm = [LEFT_MM + (float(end) - low) * scale for end in (effect.low, effect.high)]
            sheet.plot(ends_mm, [y, y], color=colour, linewidth=1.4)
        at = LEFT_MM + (float(effect.value) - low) * scale
        sheet.plot(at, y, marker="o", markersize=4.5, color=colour, markerfacecolor=colour if is_sure else "white")
        sheet.text(0, y, shorten(words.format_slice(finding.slice), LONGEST_NAME), va="center", color=INK)
        label = format_signed(float(effect.value) * 100, 0) + "%"
        if effect.low is not None and effect.high is not None:
            bounds = [format_signed(float(end) * 100, 0) + "%" for end in (effect.low, effect.high)]
            label = words.text("labels", "between", value=label, low=bounds[0], high=bounds[1])
        sheet.text(PAGE_WIDTH_MM, y, label, ha="right", va="center", color=QUIET)
    return canvas
