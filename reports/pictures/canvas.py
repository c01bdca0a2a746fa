"""Shared by all pictures: paper, ink and font. Colour-blind safe, readable in grey, labelled directly.

matplotlib is imported inside the functions, so that the command line starts without it. Every figure is laid out in
millimetres of the printed page, so that text has the same size in every picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from reports.fonts import FAMILY, find_font_file, require_glyphs
from reports.tones import Tone

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from PIL.Image import Image as PngImage

PAGE_WIDTH_MM = 174.0
HALF_WIDTH_MM = 84.0
"""Of what stands beside another on the page."""
MM_PER_INCH = 25.4
INK = "#1f1f1f"
QUIET = "#6b6b6b"
PALE = "#dcdcdc"
BLUE = "#0072b2"
ALARM = "#b34700"
GOOD, GOOD_FILL = "#00735f", "#5bb5a2"
"""Of what is better than usual, as a text and as a field: lighter than alarm, so that they differ in grey."""
TONE_COLOURS = {Tone.BAD: ALARM, Tone.GOOD: GOOD, Tone.NEITHER: INK}
SHADES = ("#0072b2", "#5aa5d1", "#a9cfe6", "#dfeaf1")  # dark to light, so that order survives printing in grey
COLOURS, BRIGHT_COLOURS = 128, 32  # of a PNG: the few drawn colours, and their blended edges
BRIGHT = 100  # between the strongest and the weakest of red, green and blue
TEXT_POINTS = 7.5
SMALL_POINTS = 6.5
ROW_MM = 5.4
HEADER_MM = 5.4


@contextmanager
def apply_drawing_style() -> Iterator[None]:
    """matplotlib's settings for a picture: selectable text in our font, no mathematics in text, no random ids."""
    import matplotlib

    _register_font()
    settings: Any = {
        "font.family": FAMILY,
        "font.size": TEXT_POINTS,
        "text.color": INK,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "svg.fonttype": "none",
        "svg.hashsalt": "funnelscope",
        "hatch.linewidth": 0.5,
    }
    with matplotlib.rc_context(settings):
        yield


@lru_cache
def _register_font() -> None:
    from matplotlib.font_manager import fontManager

    fontManager.addfont(find_font_file())


def save_svg(canvas: "Canvas", name: str) -> bytes:
    """The canvas as SVG with text kept as text. Call it inside `apply_drawing_style()`. Raises MissingGlyphError."""
    return _save(canvas, name, format="svg", metadata={"Date": None, "Creator": None})


def save_png(canvas: "Canvas", name: str, dots_per_inch: int = 144) -> bytes:
    """The canvas as PNG of few colours. Call it inside `apply_drawing_style()`. Raises MissingGlyphError."""
    drawn = _save(canvas, name, format="png", dpi=dots_per_inch, bbox_inches="tight", metadata={"Software": None})
    return reduce_colours(drawn)


def reduce_colours(picture: bytes) -> bytes:
    """The same PNG with a palette: a fifth of the bytes.

    Bright colours have a part of the palette to themselves: of the few pixels of a mark they would turn into grey.
    """
    import numpy as np
    from PIL import Image

    whole = Image.open(BytesIO(picture)).convert("RGB")
    pixels = np.asarray(whole)
    bright = pixels[np.ptp(pixels, axis=2) >= BRIGHT]
    palette = _choose_colours(whole, COLOURS - BRIGHT_COLOURS)
    if len(bright):
        palette += _choose_colours(Image.fromarray(bright[np.newaxis]), BRIGHT_COLOURS)
    chosen = Image.new("P", (1, 1))
    chosen.putpalette(palette)
    few = whole.quantize(palette=chosen, dither=Image.Dither.NONE)
    buffer = BytesIO()
    few.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _choose_colours(picture: "PngImage", most: int) -> list[int]:
    """At most so many colours that stand for those of the picture: red, green, blue, and so on."""
    from PIL.Image import Quantize

    few = picture.quantize(most, method=Quantize.MAXCOVERAGE)
    return (few.getpalette() or [])[: 3 * most]


def _save(canvas: "Canvas", name: str, **options: Any) -> bytes:
    for text in _list_texts(canvas):
        require_glyphs(text, f"picture {name}")
    buffer = BytesIO()
    canvas.savefig(buffer, **options)
    return buffer.getvalue()


def _list_texts(canvas: "Canvas") -> list[str]:
    """Every text on the canvas. Axes that are switched off are skipped, because asking for tick labels creates them."""
    texts = []
    for axes in canvas.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels()] if axes.axison else []
        texts += [text.get_text() for text in (*axes.texts, *labels)]
    return texts


def create_canvas(height_mm: float, width_mm: float = PAGE_WIDTH_MM) -> "Canvas":
    """An empty canvas of this size."""
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))


def add_axes(canvas: "Canvas", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes without frame and ticks, at a position in millimetres from the canvas's top left corner."""
    whole_width, whole_height = canvas.get_size_inches() * MM_PER_INCH
    place = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    axes = canvas.add_axes(place)
    axes.set_axis_off()
    return axes


def add_text_sheet(canvas: "Canvas", top: float, height: float) -> "Axes":
    """Axes for text over the whole width. Data coordinates are millimetres, y downwards."""
    width = canvas.get_size_inches()[0] * MM_PER_INCH
    axes = add_axes(canvas, 0, top, width, height)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def quieten_axes(axes: "Axes") -> None:
    """Leaves of the frame a pale line below, and pale lines of the grid behind what is drawn."""
    axes.tick_params(length=2, color=PALE, labelcolor=QUIET, labelsize=SMALL_POINTS)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    axes.grid(axis="y", color="#ececec", linewidth=0.5)
    axes.set_axisbelow(True)
