"""A figure day by day: the line with its baseline range and promotions, and the small line without axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import STATED, Words
from reports.model import DayPoint, Figure, Report
from reports.pictures.canvas import (
    BLUE,
    HALF_WIDTH_MM,
    INK,
    MM_PER_INCH,
    QUIET,
    SMALL_POINTS,
    add_axes,
    add_text_sheet,
    create_canvas,
    quieten_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TREND_MM = 20.0
AXIS_MM = 5.0
GAP_MM = 12.0
TRENDS = ("paid_amount", "visitor_pay_rate")  # headline figures, drawn large next to the money
NARROW_LEFT_MM, NARROW_RIGHT_MM = 10.0, 18.0  # the same for rates
LEFT_MM, RIGHT_MM = 16.0, 27.0  # space for the axis's numbers, and for the labels at the line's end


def select_trends(report: Report) -> list[Figure]:
    """The headline figures of money and payment that have a trend."""
    figures = [headline.figure for headline in report.headline]
    return [figure for figure in figures if figure.key in TRENDS and has_trend(figure.trend)]


def draw_trend_alone(figure: Figure, words: Words) -> "Canvas":
    """The trend of one figure, half as wide as the page."""
    canvas = create_canvas(compute_trend_height(figure), HALF_WIDTH_MM)
    draw_trend(canvas, figure, words, 0)
    return canvas


def has_trend(points: Sequence[DayPoint]) -> bool:
    """Whether at least two days have a value, so that there is a line to draw."""
    return sum(point.value is not None for point in points) >= 2


def compute_trend_height(rate: Figure | None) -> float:
    """The height of the trend in millimetres: the line with its axis, or the sentence that there is none yet."""
    if rate is None:
        return 0.0
    return GAP_MM + TREND_MM + AXIS_MM if has_trend(rate.trend) else GAP_MM


def draw_trend(canvas: "Canvas", rate: Figure, words: Words, top: float, left: float = 0.0) -> None:
    """Draws the trend with title, baseline range and promotions from `left` on at `top`, in millimetres.

    A sentence without a trend.
    """
    sheet = add_text_sheet(canvas, top, GAP_MM)
    if not has_trend(rate.trend):
        sheet.text(left, GAP_MM - 3, words.text("pictures", "no_trend"), va="center", color=QUIET)
        return
    name = words.name_figure(rate.key)
    title = words.text("pictures", "trend", name=name, days=str(len(rate.trend)))
    sheet.text(left, GAP_MM - 9.4, title, va="center")
    if any(point.usual_low is not None for point in rate.trend) or rate.usual_low is not None:
        band = words.text("pictures", "grey_band").strip()
        sheet.text(left, GAP_MM - 6, band, va="center", color=QUIET, fontsize=SMALL_POINTS)
    width = float(canvas.get_size_inches()[0]) * MM_PER_INCH - left
    inner = LEFT_MM if rate.unit is Unit.MONEY else NARROW_LEFT_MM
    outer = RIGHT_MM if rate.unit is Unit.MONEY else NARROW_RIGHT_MM
    axes = add_axes(canvas, left + inner, top + GAP_MM, width - inner - outer, TREND_MM)
    axes.set_axis_on()
    draw_promotions(axes, rate.trend, words)
    draw_baseline(axes, rate)
    _draw_line(axes, rate, words)
    _mark_axes(axes, rate, words)


def draw_promotions(axes: "Axes", points: Sequence[DayPoint], words: Words, is_named: bool = True) -> None:
    """Shades promotion days. With `is_named`, labels them."""
    for first, last in find_promotion_runs(points):
        axes.axvspan(first - 0.5, last + 0.5, color="#efefef", linewidth=0)
        if is_named:
            place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            label = words.text("pictures", "promotion")
            axes.text((first + last) / 2, 1.01, label, color=QUIET, fontsize=SMALL_POINTS, **place)


def find_promotion_runs(points: Sequence[DayPoint]) -> list[tuple[int, int]]:
    """First and last position of each run of consecutive promotion days."""
    runs: list[tuple[int, int]] = []
    for position, point in enumerate(points):
        if point.promotion is None:
            continue
        if runs and runs[-1][1] == position - 1:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return runs


def draw_baseline(axes: "Axes", figure: Figure) -> None:
    """Draws the baseline range, by weekday if that is known, else one for all days, and the baseline."""
    known = [
        (position, float(point.usual_low), float(point.usual_high))
        for position, point in enumerate(figure.trend)
        if point.usual_low is not None and point.usual_high is not None
    ]
    band: dict[str, Any] = {"color": "#c9c9c9", "alpha": 0.35, "linewidth": 0}
    if known:
        positions, lows, highs = zip(*known, strict=True)
        axes.fill_between(positions, lows, highs, step="mid", **band)
    elif figure.usual_low is not None and figure.usual_high is not None:
        axes.axhspan(float(figure.usual_low), float(figure.usual_high), **band)
    if figure.baseline is not None:
        axes.axhline(float(figure.baseline), color=QUIET, linewidth=0.8, dashes=(4, 3))


def _draw_line(axes: "Axes", rate: Figure, words: Words) -> None:
    values = [float("nan") if point.value is None else float(point.value) for point in rate.trend]
    axes.plot(range(len(values)), values, color=BLUE, linewidth=1.3, marker="o", markersize=2, clip_on=False)
    labels = []
    if rate.trend[-1].value is not None:
        axes.plot(len(values) - 1, values[-1], color=BLUE, marker="o", markersize=4.5, clip_on=False)
        labels.append((values[-1], _write_value(rate.trend[-1].value, rate, words), INK))
    if rate.baseline is not None:
        usual = words.text("pictures", "usual_line", value=_write_value(rate.baseline, rate, words))
        labels.append((float(rate.baseline), usual, QUIET))
    _write_apart(axes, labels, len(values) - 1)


def _write_value(value: Number | None, rate: Figure, words: Words) -> str:
    """The value; amounts of a day, the shop's own and those that a platform states, without cents."""
    is_whole = rate.unit is Unit.MONEY and (rate.key in TRENDS or rate.key.startswith(STATED))
    return words.value(value, rate.unit, 0 if is_whole else None)


def _write_apart(axes: "Axes", labels: list[tuple[float, str, str]], last: int) -> None:
    """Writes labels right of the line at their heights, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    least_gap = (high - low) * 0.16
    labels = sorted(labels)
    heights = [height for height, _, _ in labels]
    if len(heights) == 2 and heights[1] - heights[0] < least_gap:
        middle = sum(heights) / 2
        heights = [middle - least_gap / 2, middle + least_gap / 2]
    for height, (_, text, colour) in zip(heights, labels, strict=True):
        axes.annotate(text, (last, height), (8, 0), textcoords="offset points", va="center", color=colour)


def _mark_axes(axes: "Axes", rate: Figure, words: Words) -> None:
    from matplotlib.ticker import MaxNLocator

    days = [point.day for point in rate.trend]
    spacing = (days[-1] - days[-2]).days
    marked = list(range(len(days) - 1, -1, -14 if spacing == 1 else -3))[::-1]
    margin = len(days) * 0.018  # the labels at the line's end are right of the axes
    axes.set_xlim(-margin, len(days) - 1 + margin)
    axes.set_xticks(marked, [days[position].strftime("%Y-%m" if spacing > 7 else "%m-%d") for position in marked])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    step = min(abs(b - a) for a, b in zip(axes.get_yticks()[:-1], axes.get_yticks()[1:], strict=True))
    step *= 100 if rate.unit is Unit.RATE else 1
    digits = next((digits for digits in range(4) if abs(round(step, digits) - step) < 1e-9), 3)
    axes.yaxis.set_major_formatter(lambda value, _: words.value(value, rate.unit, digits))
    quieten_axes(axes)


def draw_sparkline(points: Sequence[DayPoint]) -> "Canvas":
    """A small line without axes that ends in a dot at the latest day."""
    canvas = create_canvas(7, 50)
    axes = add_axes(canvas, 1, 1, 47, 5)
    values = [float("nan") if point.value is None else float(point.value) for point in points]
    axes.plot(range(len(values)), values, color=QUIET, linewidth=0.8, clip_on=False)
    axes.plot(len(values) - 1, values[-1], color=BLUE, marker="o", markersize=3, clip_on=False)
    return canvas
