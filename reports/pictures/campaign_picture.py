"""The days of a campaign: what was paid, beside the last time and plain days, with its phases."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words
from reports.campaign_review import AROUND_PARTS, CampaignDay, CampaignReview, name_part
from reports.pictures.canvas import (
    BLUE,
    INK,
    PAGE_WIDTH_MM,
    QUIET,
    SHADES,
    SMALL_POINTS,
    add_axes,
    add_text_sheet,
    create_canvas,
    quieten_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LEGEND_MM, NAMES_MM, BARS_MM, AXIS_MM = 7.0, 9.0, 36.0, 6.0
LEFT_MM, RIGHT_MM = 18.0, 4.0
MOST_DATES = 16


def draw_campaign(review: CampaignReview, words: Words) -> "Canvas":
    """A bar for each day: the campaign dark, the days around it pale; lines for the last time and plain days."""
    canvas = create_canvas(LEGEND_MM + NAMES_MM + BARS_MM + AXIS_MM)
    _draw_legend(canvas, review, words)
    axes = add_axes(canvas, LEFT_MM, LEGEND_MM + NAMES_MM, PAGE_WIDTH_MM - LEFT_MM - RIGHT_MM, BARS_MM)
    axes.set_axis_on()
    days = review.days
    colours = [SHADES[2] if is_outside(each) else BLUE for each in days]
    axes.bar(range(len(days)), [float(each.paid_amount or 0) for each in days], 0.72, color=colours, linewidth=0)
    _draw_plain(axes, [each.plain for each in days])
    axes.plot(range(len(days)), [_number(each.last) for each in days], color=QUIET, marker="D", markersize=3.6,
              markerfacecolor="white", markeredgewidth=1.0, linewidth=0, clip_on=False)  # fmt: skip
    _write_missing(axes, days, words)
    _name_phases(axes, days, words)
    _mark_axes(axes, days, words)
    return canvas


def is_outside(day: CampaignDay) -> bool:
    """Whether the day is around the campaign, or between its phases."""
    return not day.part or day.part in AROUND_PARTS


def _draw_legend(canvas: "Canvas", review: CampaignReview, words: Words) -> None:
    sheet = add_text_sheet(canvas, 0, LEGEND_MM)
    place = 0.0
    has_last = any(each.last is not None for each in review.days)
    has_plain = any(each.plain is not None for each in review.days)
    has_around = any(map(is_outside, review.days))
    kinds = ["this_time", *["around_bars"] * has_around, *["last_time"] * has_last, *["plain_line"] * has_plain]
    for kind in kinds:
        if kind == "last_time":
            sheet.plot([place + 2], [2.5], color=QUIET, marker="D", markersize=3.6, markerfacecolor="white")
        elif kind == "plain_line":
            sheet.plot([place, place + 4.5], [2.5, 2.5], color=INK, linewidth=0.9, dashes=(2, 1.5))
        else:
            colour = BLUE if kind == "this_time" else SHADES[2]
            sheet.fill_between([place, place + 4], 1.2, 3.8, color=colour, linewidth=0)
        text = words.text("campaign", kind)
        sheet.text(place + 6, 2.5, text, va="center")
        place += 11 + sum(2.7 if ord(letter) > 0x2E7F else 1.5 for letter in text)


def _draw_plain(axes: "Axes", values: Sequence[Number | None]) -> None:
    """A level over the width of each day, joined over days that follow each other."""
    if any(value is not None for value in values):
        edges = [place - 0.5 for place in range(len(values) + 1)]
        levels = [_number(value) for value in values]
        axes.step(edges, [*levels, levels[-1]], where="post", color=INK, linewidth=0.9, dashes=(2, 1.5))


def _number(value: Number | None) -> float:
    return float("nan") if value is None else float(value)


def _write_missing(axes: "Axes", days: Sequence[CampaignDay], words: Words) -> None:
    for place, each in enumerate(days):
        if each.paid_amount is None:
            axes.text(place, 0, words.no_data, rotation=90, ha="center", va="bottom", color=QUIET,
                      fontsize=SMALL_POINTS)  # fmt: skip


def _name_phases(axes: "Axes", days: Sequence[CampaignDay], words: Words) -> None:
    """The name of each phase above its days, on two heights by turns, with a line over them."""
    place, turn = 0, 0
    for part, run in groupby(days, key=lambda each: each.part):
        count = len(list(run))
        if part:
            name = name_part(part, words)
            colour = QUIET if part in AROUND_PARTS else INK
            top = 1.03 + 0.09 * (turn % 2)
            transform = axes.get_xaxis_transform()
            axes.plot([place - 0.4, place + count - 0.6], [1.02, 1.02], color=colour, linewidth=1.0,
                      transform=transform, clip_on=False)  # fmt: skip
            axes.text(place + (count - 1) / 2, top, name, ha="center", va="bottom", color=colour,
                      fontsize=SMALL_POINTS, transform=transform)  # fmt: skip
            turn += 1
        place += count


def _mark_axes(axes: "Axes", days: Sequence[CampaignDay], words: Words) -> None:
    from matplotlib.ticker import MaxNLocator

    every = -(-len(days) // MOST_DATES)
    marked = list(range(0, len(days), every))
    axes.set_xlim(-0.6, len(days) - 0.4)
    values = [float(value) for each in days for value in (each.paid_amount, each.last, each.plain) if value is not None]
    axes.set_ylim(min(0.0, *values), 1.06 * max(1.0, *values))
    axes.set_xticks(marked, [f"{days[place].day:%m-%d}" for place in marked])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda value, _: words.value(value, Unit.MONEY, 0))
    quieten_axes(axes)
