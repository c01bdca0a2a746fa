"""The days of a week or month: a bar for each day before its usual range, and below them the days of each finding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import DayPoint, Figure, Finding
from reports.pictures.canvas import (
    ALARM,
    BLUE,
    INK,
    PAGE_WIDTH_MM,
    QUIET,
    SMALL_POINTS,
    add_axes,
    create_canvas,
    quieten_axes,
)
from reports.pictures.trend import draw_promotions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TOP_MM, BARS_MM, AXIS_MM, LANE_MM = 4.0, 27.0, 5.5, 3.6
TALL_BARS_MM = 60.0
"""Of a month without findings, whose first page has the room."""
LEFT_MM, RIGHT_MM = 18.0, 2.0
MOST_VALUES = 10
"""Of more days the values stand on the axis alone."""
MOST_DATES = 16


def draw_daily(figure: Figure, findings: Sequence[Finding], words: Words) -> "Canvas":
    """A bar for each day, and a lane with the days of each finding, in the order of the page."""
    points = figure.trend
    bars = BARS_MM if findings or len(points) <= MOST_VALUES else TALL_BARS_MM
    canvas = create_canvas(TOP_MM + bars + AXIS_MM + LANE_MM * len(findings))
    axes = add_axes(canvas, LEFT_MM, TOP_MM, PAGE_WIDTH_MM - LEFT_MM - RIGHT_MM, bars)
    axes.set_axis_on()
    draw_promotions(axes, points, words)
    for place, point in enumerate(points):
        _draw_day(axes, place, point, words)
    if len(points) <= MOST_VALUES:
        _write_values(axes, figure, words)
    _mark_axes(axes, figure, words)
    for number, finding in enumerate(findings):
        _draw_lane(canvas, number, finding, points, words)
    return canvas


def _draw_day(axes: "Axes", place: int, point: DayPoint, words: Words) -> None:
    """The usual range wide and pale, the bar before it, and the usual value as a line across."""
    if point.usual_low is not None and point.usual_high is not None:
        depth = float(point.usual_high) - float(point.usual_low)
        axes.bar(place, depth, 0.94, bottom=float(point.usual_low), color="#c9c9c9", linewidth=0)
    if point.value is None:
        axes.text(place, 0, words.no_data, rotation=90, ha="center", va="bottom", color=QUIET, fontsize=SMALL_POINTS)
    else:
        axes.bar(place, float(point.value), 0.6, color=BLUE, linewidth=0)
    if point.usual is not None:
        axes.plot([place - 0.47, place + 0.47], [float(point.usual)] * 2, color=INK, linewidth=0.9)


def _write_values(axes: "Axes", figure: Figure, words: Words) -> None:
    for place, point in enumerate(figure.trend):
        if point.value is not None:
            tops = [float(each) for each in (point.value, point.usual, point.usual_high) if each is not None]
            text = words.value(point.value, figure.unit, 0 if figure.unit is Unit.MONEY else None)
            axes.annotate(text, (place, max(tops)), (0, 2), textcoords="offset points", ha="center", va="bottom")


def _mark_axes(axes: "Axes", figure: Figure, words: Words) -> None:
    from matplotlib.ticker import MaxNLocator

    points = figure.trend
    every = -(-len(points) // MOST_DATES)
    marked = range(0, len(points), every)
    axes.set_xlim(-0.6, len(points) - 0.4)
    known = [
        float(each) for point in points for each in (point.value, point.usual_high, point.usual) if each is not None
    ]
    axes.set_ylim(min(0.0, *known), 1.14 * max(1.0, *known))
    axes.set_xticks(list(marked), [f"{points[place].day:%m-%d}" for place in marked])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda value, _: words.value(value, figure.unit, 0))
    quieten_axes(axes)


def _draw_lane(canvas: "Canvas", number: int, finding: Finding, points: Sequence[DayPoint], words: Words) -> None:
    top = TOP_MM + BARS_MM + AXIS_MM + LANE_MM * number
    axes = add_axes(canvas, LEFT_MM, top, PAGE_WIDTH_MM - LEFT_MM - RIGHT_MM, LANE_MM)
    axes.set_xlim(-0.6, len(points) - 0.4)
    axes.set_ylim(-1, 1)
    axes.text(-0.9, 0, words.plain(number + 1), ha="right", va="center", color=ALARM, clip_on=False)
    for place, point in enumerate(points):
        if point.day in finding.found_on:
            axes.fill_between([place - 0.47, place + 0.47], -0.35, 0.35, color=ALARM, linewidth=0)
