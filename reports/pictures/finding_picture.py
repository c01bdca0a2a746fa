"""The small chart of a finding: the rate of its slice by day, what is usual, and the first day of the fault."""

from typing import TYPE_CHECKING, Any

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import Finding
from reports.pictures.canvas import ALARM, BLUE, QUIET, SMALL_POINTS, add_axes, create_canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WIDTH_MM, HEIGHT_MM = 46.0, 17.0
LABEL_MM = 12.0


def name_picture(finding: Finding, number: int) -> str:
    """The name of the chart: of the finding's id, so that it is the same in every edition."""
    return f"finding_{finding.finding_id or number}"


def draw_finding(finding: Finding, words: Words) -> "Canvas":
    """The chart of a finding with a trend: a line that ends in a dot at the day, its last value beside it."""
    canvas = create_canvas(HEIGHT_MM, WIDTH_MM)
    axes = add_axes(canvas, 1, 2, WIDTH_MM - LABEL_MM - 1, HEIGHT_MM - 6)
    values = [float("nan") if point.value is None else float(point.value) for point in finding.trend]
    days = [point.day for point in finding.trend]
    unit = Unit.COUNT if finding.is_figure else Unit.RATE
    axes.plot(range(len(values)), values, color=BLUE, linewidth=1.1, clip_on=False)
    axes.plot(len(values) - 1, values[-1], color=BLUE, marker="o", markersize=3, clip_on=False)
    known = [value for value in values if value == value]
    axes.set_ylim(min(0.0, *known), max(known) * 1.05 or 1.0)
    axes.set_xlim(0, len(values) - 1)
    labels = [(values[-1], words.value(finding.trend[-1].value, unit, 0 if known[-1] >= 0.1 else None), BLUE)]
    if finding.expected is not None and not finding.is_figure:
        expected = float(finding.expected)
        axes.axhline(expected, color=QUIET, linewidth=0.7, dashes=(4, 3))
        labels.append((expected, words.value(finding.expected, unit, 0 if expected >= 0.1 else None), QUIET))
    if finding.since in days:
        place = days.index(finding.since)
        axes.axvline(place, color=ALARM, linewidth=0.8)
        below: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"{finding.since:%m-%d}", (place, 0), (0, -7), color=ALARM, fontsize=SMALL_POINTS, **below)
    low, high = axes.get_ylim()
    is_close = len(labels) == 2 and abs(labels[0][0] - labels[1][0]) < (high - low) * 0.28
    shift = (high - low) * 0.14 if is_close else 0.0
    labels.sort(key=lambda label: label[0])
    for (height, text, colour), move in zip(labels, (-shift, shift), strict=False):
        beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        axes.annotate(text, (len(values) - 1, height + move), (5, 0), color=colour, **beside)
    return canvas
