"""The picture of a funnel that the shop declared: the outcomes of the units at each step."""

from typing import TYPE_CHECKING, Any

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import OwnCohort
from reports.pictures.canvas import (
    BLUE,
    HEADER_MM,
    PAGE_WIDTH_MM,
    QUIET,
    ROW_MM,
    SMALL_POINTS,
    add_text_sheet,
    create_canvas,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LEFT_MM, BAR_MM = 46.0, 100.0
LONGEST_NAME = 28
LOOKS: dict[str, dict[str, Any]] = {
    "converted": {"color": BLUE},
    "lost": {"color": "#a6a6a6"},
    "pending": {"facecolor": "white", "edgecolor": "#8c8c8c", "hatch": "/////"},
}


def draw_own_funnel(cohort: OwnCohort, words: Words) -> "Canvas":
    """A bar for each step, proportional to its units and divided into converted, lost and pending."""
    height = HEADER_MM + ROW_MM * len(cohort.steps)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    quiet: dict[str, Any] = {"color": QUIET, "fontsize": SMALL_POINTS, "va": "center"}
    for position, (name, look) in enumerate(LOOKS.items()):
        x = LEFT_MM + position * 40
        sheet.barh(HEADER_MM / 2, 3.5, left=x, height=2.6, linewidth=0.5, **look)
        sheet.text(x + 5, HEADER_MM / 2, words.text("columns", name), **quiet)
    scale = BAR_MM / max(*(step.units for step in cohort.steps), 1)
    for number, step in enumerate(cohort.steps):
        y = HEADER_MM + ROW_MM * (number + 0.5)
        shown = words.translate_dimension_value("step", step.event)
        if len(shown) > LONGEST_NAME:  # with its number, because what is cut off may be the difference
            shown = f"{number + 1} {shown}"[: LONGEST_NAME - 1] + "…"
        sheet.text(0, y, shown, va="center")
        left = LEFT_MM
        for name, look in LOOKS.items():
            width = getattr(step, name) * scale
            sheet.barh(y, width, left=left, height=ROW_MM * 0.62, linewidth=0.5, **look)
            left += width
        sheet.text(left + 1.5, y, words.value(step.units, Unit.COUNT), va="center")
        if step.rate_from_previous is not None:
            rate = words.value(step.rate_from_previous, Unit.RATE)
            sheet.text(PAGE_WIDTH_MM, y, rate, ha="right", va="center")
    return canvas
