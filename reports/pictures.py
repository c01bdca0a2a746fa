"""The report's pictures, drawn with matplotlib: colour-blind safe, readable in grey, labelled on the spot.

matplotlib is imported inside the functions, because a command line must start without paying for it. Every figure is
laid out in millimetres of the printed page, so that text has the same size in every picture.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from reports.fonts import FAMILY, font_file, require_glyphs
from reports.model import DayPoint, Figure, MoneySplit, Report, Stage, Step, Unit, Window
from reports.wording import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PAGE_WIDTH_MM = 174.0
MM_PER_INCH = 25.4

INK = "#1f1f1f"
QUIET = "#6b6b6b"
PALE = "#dcdcdc"
BLUE = "#0072b2"
ALARM = "#b34700"
SHADES = ("#0072b2", "#5aa5d1", "#a9cfe6", "#dfeaf1")  # dark to light, so that order survives printing in grey

TEXT_POINTS = 7.5
SMALL_POINTS = 6.5

ROW_MM = 6.5
HEADER_MM = 6.0
TREND_MM = 36.0
AXIS_MM = 5.0
GAP_MM = 9.0
FUNNEL_LEFT_MM, FUNNEL_BAR_MM = 38.0, 58.0
RATE_COLUMNS_MM = (124.0, 142.0, PAGE_WIDTH_MM)
WINDOW_LEFT_MM = 30.0
SMALLEST_LABELLED_SHARE = 0.07  # a label needs about 12 mm of the bar


@contextmanager
def drawing() -> Iterator[None]:
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

    fontManager.addfont(font_file())


def svg(canvas: "Canvas", name: str) -> bytes:
    """The canvas as SVG with text kept as text; call inside `drawing()`. Raises MissingGlyphError."""
    return _written(canvas, name, format="svg", metadata={"Date": None, "Creator": None})


def png(canvas: "Canvas", name: str, dots_per_inch: int = 144) -> bytes:
    """The canvas as PNG; call inside `drawing()`. Raises MissingGlyphError."""
    return _written(canvas, name, format="png", dpi=dots_per_inch, bbox_inches="tight", metadata={"Software": None})


def _written(canvas: "Canvas", name: str, **options: Any) -> bytes:
    for text in _texts(canvas):
        require_glyphs(text, f"picture {name}")
    buffer = BytesIO()
    canvas.savefig(buffer, **options)
    return buffer.getvalue()


def _texts(canvas: "Canvas") -> list[str]:
    """Every text on the canvas. Axes that are switched off are not asked for tick labels, which would create them."""
    texts = []
    for axes in canvas.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels()] if axes.axison else []
        texts += [text.get_text() for text in (*axes.texts, *labels)]
    return texts


def stage_pictures(report: Report, words: Words) -> dict[str, bytes]:
    """SVG by name: `money`, and for each stage with numbers its key and, with windows, `<key>_windows`."""
    result = {}
    with drawing():
        if report.money is not None and report.money.paid_amount is not None:
            result["money"] = svg(money_canvas(report.money), "money")
        for figure in report.headline:
            if has_trend(figure.trend):
                result[f"spark_{figure.key}"] = svg(spark_canvas(figure.trend), figure.key)
        for stage in report.stages:
            if stage.no_data is None and stage.steps:
                result[stage.key] = svg(stage_canvas(stage, words), stage.key)
            if stage.no_data is None and stage.windows:
                result[f"{stage.key}_windows"] = svg(windows_canvas(stage.windows, words), f"{stage.key} windows")
    return result


def stage_png(stage: Stage, report: Report, words: Words) -> bytes:
    """The stage's picture as PNG with a title of its own, for a page that shows nothing else of the report."""
    lines = [
        words.text(
            "pictures",
            "title",
            shop=report.shop,
            stage=words.text("stages", stage.key),
            date=report.business_date.isoformat(),
        )
    ]
    if stage.no_data is not None:
        lines.append(words.text("labels", "no_data_because", reason=words.message(stage.no_data)))
    with drawing():
        return png(stage_canvas(stage, words, lines), stage.key)


def has_trend(points: Sequence[DayPoint]) -> bool:
    """Whether there are two days to draw a line between."""
    return sum(point.value is not None for point in points) >= 2


def _new_canvas(height_mm: float, width_mm: float = PAGE_WIDTH_MM) -> "Canvas":
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))


def _axes(canvas: "Canvas", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes at a place counted in millimetres from the canvas's top left corner, bare of frame and ticks."""
    whole_width, whole_height = canvas.get_size_inches() * MM_PER_INCH
    place = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    axes = canvas.add_axes(place)
    axes.set_axis_off()
    return axes


def _sheet(canvas: "Canvas", top: float, height: float) -> "Axes":
    """Axes over the whole width whose data coordinates are millimetres, y downwards: for text."""
    width = canvas.get_size_inches()[0] * MM_PER_INCH
    axes = _axes(canvas, 0, top, width, height)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


# The picture of a stage: the funnel of the day above its trend


def stage_canvas(stage: Stage, words: Words, title: Sequence[str] = ()) -> "Canvas":
    """The day's funnel with usual rates, and the main rate's trend below it; the lines of `title` head it."""
    title_mm = ROW_MM * len(title)
    funnel_mm = HEADER_MM + ROW_MM * len(stage.steps) if stage.steps else 0.0
    trend_mm = trend_height(stage.rate)
    canvas = _new_canvas(title_mm + funnel_mm + trend_mm)
    if title:
        sheet = _sheet(canvas, 0, title_mm)
        for number, line in enumerate(title):
            sheet.text(0, ROW_MM * (number + 0.5), line, va="center")
    if stage.steps:
        _draw_funnel(canvas, stage.steps, words, title_mm)
    if stage.rate is not None:
        _draw_trend(canvas, stage.rate, words, title_mm + funnel_mm)
    return canvas


def _draw_funnel(canvas: "Canvas", steps: Sequence[Step], words: Words, top: float) -> None:
    height = HEADER_MM + ROW_MM * len(steps)
    sheet = _sheet(canvas, top, height)
    heads = [words.text("pictures", key) for key in ("from_previous", "usual", "usual_range")]
    quiet: dict[str, Any] = {"color": QUIET, "fontsize": SMALL_POINTS, "va": "center"}
    sheet.text(FUNNEL_LEFT_MM, HEADER_MM / 2, words.text("pictures", "count"), **quiet)
    for x, head in zip(RATE_COLUMNS_MM, heads, strict=True):
        sheet.text(x, HEADER_MM / 2, head, ha="right", **quiet)
    largest = max([max(step.count or 0, step.baseline_count or 0) for step in steps] + [1])
    scale = FUNNEL_BAR_MM / largest
    for number, step in enumerate(steps):
        _draw_step(sheet, step, HEADER_MM + ROW_MM * (number + 0.5), scale, words)


def _draw_step(sheet: "Axes", step: Step, y: float, scale: float, words: Words) -> None:
    sheet.text(0, y, words.text("steps", step.key), va="center")
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
    mark = outside_mark(step.rate_from_previous, step.usual_low, step.usual_high, words)
    written = words.value(step.rate_from_previous, Unit.RATE)
    colour = ALARM if mark else INK
    sheet.text(today_x, y, f"{mark} {written}".strip(), ha="right", va="center", color=colour)
    sheet.text(usual_x, y, words.value(step.baseline_rate, Unit.RATE), ha="right", va="center", color=QUIET)
    if step.usual_low is not None and step.usual_high is not None:
        bounds = f"{words.value(step.usual_low, Unit.RATE)} – {words.value(step.usual_high, Unit.RATE)}"
        sheet.text(range_x, y, bounds, ha="right", va="center", color=QUIET)


def outside_mark(value: Any, low: Any, high: Any, words: Words) -> str:
    """The mark of a value below or above its usual range; empty inside it, or where it cannot be told."""
    if value is None:
        return ""
    if low is not None and value < low:
        return words.text("labels", "below")
    if high is not None and value > high:
        return words.text("labels", "above")
    return ""


def trend_height(rate: Figure | None) -> float:
    """Millimetres that the trend needs: the line with its axis, or the one sentence that there is none yet."""
    if rate is None:
        return 0.0
    return GAP_MM + TREND_MM + AXIS_MM if has_trend(rate.trend) else GAP_MM


def _draw_trend(canvas: "Canvas", rate: Figure, words: Words, top: float) -> None:
    sheet = _sheet(canvas, top, GAP_MM)
    if not has_trend(rate.trend):
        sheet.text(0, GAP_MM - 3, words.text("pictures", "no_trend"), va="center", color=QUIET)
        return
    name = words.text("metrics", rate.key)
    sheet.text(0, GAP_MM - 4, words.text("pictures", "trend", name=name, days=str(len(rate.trend))), va="center")
    axes = _axes(canvas, 12, top + GAP_MM, PAGE_WIDTH_MM - 12 - 32, TREND_MM)
    axes.set_axis_on()
    _draw_promotions(axes, rate.trend, words)
    _draw_usual(axes, rate, words)
    _draw_line(axes, rate, words)
    _mark_axes(axes, rate, words)


def _draw_promotions(axes: "Axes", points: Sequence[DayPoint], words: Words) -> None:
    for first, last in promotion_runs(points):
        axes.axvspan(first - 0.5, last + 0.5, color="#efefef", linewidth=0)
        place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        label = words.text("pictures", "promotion")
        axes.text((first + last) / 2, 1.01, label, color=QUIET, fontsize=SMALL_POINTS, **place)


def promotion_runs(points: Sequence[DayPoint]) -> list[tuple[int, int]]:
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


def _draw_usual(axes: "Axes", rate: Figure, words: Words) -> None:
    if rate.usual_low is not None and rate.usual_high is not None:
        axes.axhspan(float(rate.usual_low), float(rate.usual_high), color="#c9c9c9", alpha=0.35, linewidth=0)
    if rate.baseline is not None:
        axes.axhline(float(rate.baseline), color=QUIET, linewidth=0.8, dashes=(4, 3))


def _draw_line(axes: "Axes", rate: Figure, words: Words) -> None:
    values = [float("nan") if point.value is None else float(point.value) for point in rate.trend]
    axes.plot(range(len(values)), values, color=BLUE, linewidth=1.3, marker="o", markersize=2, clip_on=False)
    labels = []
    if rate.trend[-1].value is not None:
        axes.plot(len(values) - 1, values[-1], color=BLUE, marker="o", markersize=4.5, clip_on=False)
        labels.append((values[-1], words.value(rate.trend[-1].value, rate.unit), INK))
    if rate.baseline is not None:
        usual = words.text("pictures", "usual_line", value=words.value(rate.baseline, rate.unit))
        labels.append((float(rate.baseline), usual, QUIET))
    _write_apart(axes, labels, len(values) - 1)


def _write_apart(axes: "Axes", labels: list[tuple[float, str, str]], last: int) -> None:
    """Write labels right of the line at their heights, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    least_gap = (high - low) * 0.12
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
    weekly = list(range(len(days) - 1, -1, -7))[::-1]
    axes.set_xlim(-0.5, len(days) - 0.5)
    axes.set_xticks(weekly, [days[position].strftime("%m-%d") for position in weekly])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    step = min(abs(b - a) for a, b in zip(axes.get_yticks()[:-1], axes.get_yticks()[1:], strict=True))
    digits = next((digits for digits in range(4) if abs(round(step * 100, digits) - step * 100) < 1e-9), 3)
    axes.yaxis.set_major_formatter(
        lambda value, _: words.value(value, rate.unit, digits if rate.unit is Unit.RATE else None)
    )
    axes.tick_params(length=2, color=PALE, labelcolor=QUIET, labelsize=SMALL_POINTS)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    axes.grid(axis="y", color="#ececec", linewidth=0.5)
    axes.set_axisbelow(True)


def spark_canvas(points: Sequence[DayPoint]) -> "Canvas":
    """A small line without axes that ends in a dot at the latest day."""
    canvas = _new_canvas(7, 50)
    axes = _axes(canvas, 1, 1, 47, 5)
    values = [float("nan") if point.value is None else float(point.value) for point in points]
    axes.plot(range(len(values)), values, color=QUIET, linewidth=0.8, clip_on=False)
    axes.plot(len(values) - 1, values[-1], color=BLUE, marker="o", markersize=3, clip_on=False)
    return canvas


# Bars that divide a whole


def money_canvas(money: MoneySplit) -> "Canvas":
    """One bar for the paid amount, divided into A, B, C and D."""
    canvas = _new_canvas(8)
    axes = _axes(canvas, 0, 0, PAGE_WIDTH_MM, 8)
    amounts = [max(float(part.amount or 0), 0.0) for part in money.parts.values()]
    whole = sum(amounts) or 1.0
    left = 0.0
    for letter, amount, shade in zip("ABCD", amounts, SHADES, strict=True):
        share = amount / whole
        axes.barh(0, share, left=left, height=1, color=shade, edgecolor="white", linewidth=1)
        if share > 0.012:
            colour = "white" if letter == "A" else INK
            axes.text(left + share / 2, 0, letter, ha="center", va="center", color=colour, fontsize=8)
        left += share
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, 0.5)
    return canvas


def windows_canvas(windows: Sequence[Window], words: Words) -> "Canvas":
    """A bar for each window, divided into converted, lost and pending entries."""
    canvas = _new_canvas(HEADER_MM + ROW_MM * len(windows))
    sheet = _sheet(canvas, 0, HEADER_MM + ROW_MM * len(windows))
    looks: tuple[dict[str, Any], ...] = (
        {"color": BLUE},
        {"color": "#a6a6a6"},
        {"facecolor": "white", "edgecolor": "#8c8c8c", "hatch": "/////"},
    )
    names = ("converted", "lost", "pending")
    for position, (name, look) in enumerate(zip(names, looks, strict=True)):
        x = WINDOW_LEFT_MM + position * 40
        sheet.barh(HEADER_MM / 2, 3.5, left=x, height=2.6, linewidth=0.5, **look)
        sheet.text(x + 5, HEADER_MM / 2, words.text("columns", name), va="center", color=QUIET, fontsize=SMALL_POINTS)
    for number, window in enumerate(windows):
        y = HEADER_MM + ROW_MM * (number + 0.5)
        sheet.text(0, y, words.text("labels", "window", days=str(window.window_days)), va="center")
        counts = (window.converted, window.lost, window.pending)
        whole, left = sum(counts) or 1, WINDOW_LEFT_MM
        for count, look, colour in zip(counts, looks, ("white", INK, INK), strict=True):
            width = count / whole * (PAGE_WIDTH_MM - WINDOW_LEFT_MM)
            sheet.barh(y, width, left=left, height=ROW_MM * 0.66, linewidth=0.5, **look)
            if count / whole >= SMALLEST_LABELLED_SHARE:
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 1} if "hatch" in look else None
                label = words.value(count, Unit.COUNT)
                sheet.text(left + width / 2, y, label, ha="center", va="center", color=colour, bbox=paper)
            left += width
    return canvas
