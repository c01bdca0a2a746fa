"""The pictures of a platform: its own funnel above the trend of its pay rate, and the trend of its paid amount."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from funnelscope.messages.wording import STATED, Words
from reports.model import Platform, Report, Stage
from reports.pictures.canvas import apply_drawing_style, save_png
from reports.pictures.funnel_picture import draw_stage
from reports.pictures.trend import draw_trend_alone, has_trend

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def list_platform_drawings(report: Report, words: Words) -> dict[str, Callable[[], "Canvas"]]:
    """What draws `platform_<number>`, and `platform_<number>_amount` where there is a trend."""
    drawn: dict[str, Callable[[], Canvas]] = {}
    for number, platform in enumerate(report.platforms, 1):
        if platform.steps:
            drawn[f"platform_{number}"] = partial(_draw_platform, platform, words)
        amount = next((each.figure for key in ("paid_amount", "cost") for each in platform.figures
                       if each.figure.key == f"{STATED}{key}"), None)  # fmt: skip
        if amount is not None and has_trend(amount.trend):
            drawn[f"platform_{number}_amount"] = partial(draw_trend_alone, amount, words)
    return drawn


def _draw_platform(platform: Platform, words: Words) -> "Canvas":
    return draw_stage(convert_to_stage(platform), words)


def convert_to_stage(platform: Platform) -> Stage:
    """The platform's funnel with its pay rate, as a stage is drawn."""
    rate = platform.find_figure(f"{STATED}pay_rate")
    return Stage(platform.name, rate=rate if rate and has_trend(rate.trend) else None, steps=platform.steps)


def draw_platform_png(platform: Platform, name: str, report: Report, words: Words) -> bytes:
    """The platform's funnel as PNG with a title of its own."""
    title = words.text("pictures", "title", shop=report.shop, stage=name, date=report.label)
    lines = [title] if platform.steps else [title, words.text("labels", "no_funnel")]
    with apply_drawing_style():
        return save_png(draw_stage(convert_to_stage(platform), words, lines), "platform")
