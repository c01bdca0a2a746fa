"""The picture of a stage: the funnel of the day beside the trend of its main rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import Report, Stage, StageStep
from reports.pictures.canvas import (
    BLUE,
    HEADER_MM,
    INK,
    QUIET,
    ROW_MM,
    SMALL_POINTS,
    TONE_COLOURS,
    add_text_sheet,
    apply_drawing_style,
    create_canvas,
    save_png,
)
from reports.pictures.trend import compute_trend_height, draw_trend
from reports.tones import find_tone, write_mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

FUNNEL_LEFT_MM, FUNNEL_BAR_MM = 31.0, 20.0
RATE_COLUMNS_MM = (77.0, 88.0, 110.0)
TREND_LEFT_MM = 115.0
"""Where the trend begins beside a funnel; without one it has the whole width."""


def draw_stage(stage: Stage, words: Words, title: Sequence[str] = ()) -> "Canvas":
    """The day's funnel with baseline rates, and the main rate's trend beside it, under the lines of `title`."""
    title_mm = ROW_MM * len(title)
    funnel_mm = HEADER_MM + ROW_MM * len(stage.steps) if stage.steps else 0.0
    canvas = create_canvas(title_mm + max(funnel_mm, compute_trend_height(stage.rate)))
    if title:
        sheet = add_text_sheet(canvas, 0, title_mm)
        for number, line in enumerate(title):
            sheet.text(0, ROW_MM * (number + 0.5), line, va="center")
    if stage.steps:
        _draw_funnel(canvas, stage.steps, words, title_mm)
    if stage.rate is not None:
        draw_trend(canvas, stage.rate, words, title_mm, TREND_LEFT_MM if stage.steps else 0.0)
    return canvas


def _draw_funnel(canvas: "Canvas", steps: Sequence[StageStep], words: Words, top: float) -> None:
    height = HEADER_MM + ROW_MM * len(steps)
    sheet = add_text_sheet(canvas, top, height)
    has_usual = any(step.baseline_rate is not None for step in steps)
    has_range = any(step.usual_low is not None for step in steps)
    keys = ["from_previous", *(["usual"] if has_usual else []), *(["usual_range"] if has_range else [])]
    heads = [words.text("pictures", key) for key in keys]
    quiet: dict[str, Any] = {"color": QUIET, "fontsize": SMALL_POINTS, "va": "center"}
    sheet.text(FUNNEL_LEFT_MM, HEADER_MM / 2, words.text("pictures", "count" if has_usual else "count_alone"), **quiet)
    for x, head in zip(RATE_COLUMNS_MM, heads, strict=False):
        sheet.text(x, HEADER_MM / 2, head, ha="right", **quiet)
    largest = max([max(step.count or 0, step.baseline_count or 0) for step in steps] + [1])
    scale = FUNNEL_BAR_MM / largest
    for number, step in enumerate(steps):
        _draw_step(sheet, step, HEADER_MM + ROW_MM * (number + 0.5), scale, words, has_usual)


def _draw_step(sheet: "Axes", step: StageStep, y: float, scale: float, words: Words, has_usual: bool) -> None:
    sheet.text(0, y, words.name_step(step.key), va="center")
    reach = 0.0
    if step.count is not None:
        reach = step.count * scale
        sheet.barh(y, reach, left=FUNNEL_LEFT_MM, height=ROW_MM * 0.62, color=BLUE)
    if step.baseline_count is not None:
        usual = step.baseline_count * scale
        half = ROW_MM * 0.42
        sheet.plot([FUNNEL_LEFT_MM + usual] * 2, [y - half, y + half], color=INK, linewidth=0.9)
        reach = max(reach, usual)
    sheet.text(FUNNEL_LEFT_MM + reach + 1.5, y, words.value(step.count, Unit.COUNT), va="center")
    if step.rate_from_previous is None and step.baseline_rate is None:
        return
    today_x, usual_x, range_x = RATE_COLUMNS_MM
    mark = write_mark(step.mark, step.key, words)
    written = words.value(step.rate_from_previous, Unit.RATE)
    colour = TONE_COLOURS[find_tone(step.mark, step.key)] if step.mark else INK
    sheet.text(today_x, y, f"{mark} {written}".strip(), ha="right", va="center", color=colour)
    if not has_usual:
        return
    sheet.text(usual_x, y, words.value(step.baseline_rate, Unit.RATE), ha="right", va="center", color=QUIET)
    if step.usual_low is not None and step.usual_high is not None:
        bounds = f"{words.value(step.usual_low, Unit.RATE)} – {words.value(step.usual_high, Unit.RATE)}"
        sheet.text(range_x, y, bounds, ha="right", va="center", color=QUIET)


def draw_stage_png(stage: Stage, report: Report, words: Words) -> bytes:
    """The stage's picture as PNG with a title of its own, for a page without the rest of the report."""
    lines = [
        words.text(
            "pictures",
            "title",
            shop=report.shop,
            stage=words.text("stages", stage.key),
            date=report.label,
        )
    ]
    if stage.no_data is not None:
        lines.append(words.text("labels", "no_data_because", reason=words.message(stage.no_data)))
    with apply_drawing_style():
        return save_png(draw_stage(stage, words, lines), stage.key)
