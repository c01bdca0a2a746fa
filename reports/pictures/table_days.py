"""The last days of a table, a line for each of its measures: for the UI, and kept with every run.

Written as SVG by hand: a quarter of the bytes that Matplotlib makes of the same lines, and nothing to import.
"""

from collections.abc import Sequence
from html import escape

from funnelscope.messages.wording import Words, load_words
from reports.model import Figure
from reports.pictures.canvas import BLUE, INK, PALE, QUIET

WIDTH, HEADER, ROW = 640, 24, 26  # pixels, as all lengths here
LINE_FROM, LINE_TO, VALUE_AT, USUAL_AT = 230, 470, 550, 636


def draw_table_days(figures: Sequence[Figure], language: str) -> bytes:
    """SVG with a row a figure: its key, its trend drawn from zero, the last value, and the mean of the days before.

    The key is a column of the table, so it is not translated. All trends cover the same days.
    """
    words = load_words(language)
    days = [point.day for point in figures[0].trend]
    heading = words.text("pictures", "from_zero", days=str(len(days)), date=days[-1].isoformat())
    parts = [
        _write_text(LINE_FROM, HEADER / 2, heading, QUIET),
        _write_text(USUAL_AT, HEADER / 2, *_name_columns(words)),
    ]
    for row, figure in enumerate(figures):
        parts += _draw_row(figure, HEADER + row * ROW, words)
    height = HEADER + ROW * len(figures)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" dominant-baseline="middle" fill="none" stroke-linejoin="round">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>'
    ).encode()


def _name_columns(words: Words) -> tuple[str, str, str]:
    return words.text("pictures", "mean_before"), QUIET, "end"


def _draw_row(figure: Figure, top: float, words: Words) -> list[str]:
    middle = top + ROW / 2
    return [
        _write_text(0, middle, figure.key, INK),
        *_draw_line([None if point.value is None else float(point.value) for point in figure.trend], top),
        _write_text(VALUE_AT, middle, words.value(figure.value, figure.unit), INK, "end"),
        _write_text(USUAL_AT, middle, words.value(figure.baseline, figure.unit), QUIET, "end"),
    ]


def _draw_line(values: Sequence[float | None], top: float) -> list[str]:
    """The zero line, the days that have a value, and a dot on the last day. A day without a value is a gap."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = (ROW - 6) / (high - low) if high > low else 0.0
    step = (LINE_TO - LINE_FROM) / max(len(values) - 1, 1)
    bottom = top + ROW - 3
    zero = bottom + low * scale
    path, is_drawing = "", False
    for position, value in enumerate(values):
        if value is not None:
            path += f"{'L' if is_drawing else 'M'}{LINE_FROM + position * step:.0f} {zero - value * scale:.1f}"
        is_drawing = value is not None
    parts = [f'<path d="M{LINE_FROM} {zero:.1f}H{LINE_TO}" stroke="{PALE}"/>']
    if path:
        parts.append(f'<path d="{path}" stroke="{BLUE}" stroke-width="1.5"/>')
    if values[-1] is not None:
        parts.append(f'<circle cx="{LINE_TO}" cy="{zero - values[-1] * scale:.1f}" r="3" fill="{BLUE}"/>')
    return parts


def _write_text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
