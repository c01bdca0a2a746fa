"""Creatives on landing pages: where a match does better or worse than both alone predict."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funnelscope.messages.wording import Words, format_signed
from reports.model import RelevanceCell
from reports.pictures.canvas import ALARM, GOOD_FILL, PAGE_WIDTH_MM, QUIET, SMALL_POINTS, add_text_sheet, create_canvas
from reports.pictures.heat_map import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LABEL_MM, CELL_MM, HEAD_MM = 40.0, 5.2, 6.0
ROWS_SHOWN, COLUMNS_SHOWN = 10, 8
FULL_COLOUR_AT = 0.8  # log odds: rates differ by a factor of about two


def draw_relevance(cells: Sequence[RelevanceCell], words: Words) -> "Canvas":
    """Failing combinations of creative and page first, then by sessions; each cell has the log odds."""
    creatives = _select_largest(cells, "creative", ROWS_SHOWN)
    pages = _select_largest(cells, "landing_page", COLUMNS_SHOWN)
    found = {(cell.creative, cell.landing_page): cell for cell in cells}
    height = HEAD_MM + CELL_MM * len(creatives)
    canvas = create_canvas(height)
    sheet = add_text_sheet(canvas, 0, height)
    width = min(22.0, (PAGE_WIDTH_MM - LABEL_MM) / max(len(pages), 1))
    for column, page in enumerate(pages):
        label = shorten(page, int(width / 1.5))
        x = LABEL_MM + width * (column + 0.5)
        sheet.text(x, HEAD_MM / 2, label, ha="center", va="center", color=QUIET, fontsize=SMALL_POINTS)
    for row, creative in enumerate(creatives):
        centre = HEAD_MM + CELL_MM * (row + 0.5)
        sheet.text(0, centre, shorten(creative, 24), va="center")
        for column, page in enumerate(pages):
            cell = found.get((creative, page))
            left = LABEL_MM + width * column
            if cell is None:
                continue
            strength = min(abs(cell.log_odds) / FULL_COLOUR_AT, 1.0) * 0.6
            colour = ALARM if cell.log_odds < 0 else GOOD_FILL
            sheet.barh(
                centre, width - 0.6, left=left + 0.3, height=CELL_MM - 0.6, color=colour, alpha=strength, linewidth=0
            )
            sign = "below_bad" if cell.log_odds < 0 else "above_good"
            mark = words.text("labels", sign) if cell.is_notable else ""
            text = f"{mark} {format_signed(cell.log_odds, 2)}".strip()
            sheet.text(left + width / 2, centre, text, ha="center", va="center", fontsize=SMALL_POINTS)
    return canvas


def _select_largest(cells: Sequence[RelevanceCell], field: str, count: int) -> list[str]:
    sizes: dict[str, int] = {}
    failing = {getattr(cell, field) for cell in cells if cell.is_failing}
    for cell in cells:
        name = getattr(cell, field)
        sizes[name] = sizes.get(name, 0) + cell.sessions
    return sorted(sizes, key=lambda name: (name not in failing, -sizes[name], name))[:count]
