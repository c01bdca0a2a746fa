"""The charts of the HTML edition: SVG and tables with bars, made of the same figures as the printed pictures.

Their text stays text, their colours are those of the page, and they are as wide as a phone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape
from math import ceil, floor, log10

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words, choose_baseline_digits, format_signed
from reports.model import (
    Bridge,
    DayPoint,
    Figure,
    Finding,
    HeatCell,
    HeatMap,
    MoneySplit,
    OwnCohort,
    Platform,
    Report,
    Stage,
    StageStep,
    select_drawn_parts,
    select_told_findings,
)
from reports.pages.finding_blocks import write_finding_title
from reports.pages.platform_pages import find_amount, name_platform
from reports.pictures.bridge import write_bar_value
from reports.pictures.heat_map import judge_cell
from reports.pictures.platform_picture import convert_to_stage
from reports.pictures.trend import find_promotion_runs, has_trend, select_trends
from reports.tones import Tone, find_tone, write_mark

WIDTH, HEIGHT = 360, 150
TOP, BOTTOM, SIDE = 16, 20, 6
CHARACTER = 6.2
SPARK_HEIGHT, LANE = 40, 12
BAR_WIDTH, BAR_HEIGHT = 100, 12
MOST_TICKS = 4
PARTS_HEIGHT = 22


def draw_charts(report: Report, words: Words) -> dict[str, str]:
    """HTML by the name of the printed picture that it stands for, and `finding_<id>` for each finding's series."""
    charts: dict[str, str] = {}
    for headline in report.headline:
        if has_trend(headline.figure.trend):
            charts[f"spark_{headline.figure.key}"] = draw_spark(headline.figure.trend)
    for figure in select_trends(report):
        charts[f"trend_{figure.key}"] = draw_trend(figure, words)
    if report.daily is not None:
        charts["daily"] = draw_daily(report.daily, select_told_findings(report), words)
    if report.bridge is not None:
        charts["bridge"] = draw_bridge(report.bridge, words)
    for stage in report.stages:
        charts[stage.key] = draw_stage_chart(stage, words)
        drawn = select_drawn_parts(report, stage).pairs
        pairs = {figure.key: figure for pair in drawn for figure in (pair.effect, pair.cause)}
        if stage.heat_map is not None:
            charts[f"{stage.key}_heat_map"] = draw_heat_map(stage.heat_map, words)
        charts[f"{stage.key}_pairs"] = "".join(draw_trend(figure, words) for figure in pairs.values())
    if report.money is not None:
        charts["money"] = draw_money(report.money)
    for number, funnel in enumerate(report.own_funnels, start=1):
        charts[f"own_funnel_{number}"] = draw_own_funnel(funnel.cohorts[0], words)
    for number, platform in enumerate(report.platforms, start=1):
        charts |= _draw_platform(number, platform, words)
    for finding in report.findings:
        if has_trend(finding.trend):
            charts[f"finding_{finding.finding_id}"] = draw_finding(finding, words)
    return charts


def _draw_platform(number: int, platform: Platform, words: Words) -> dict[str, str]:
    charts = {}
    if platform.steps:
        charts[f"platform_{number}"] = draw_stage_chart(convert_to_stage(platform), words)
    if (amount := find_amount(platform)) is not None and has_trend(amount.trend):
        charts[f"platform_{number}_amount"] = draw_trend(amount, words, name_platform(platform, words))
    return charts


def draw_stage_chart(stage: Stage, words: Words) -> str:
    """The funnel of a stage above the trend of its main rate."""
    return draw_steps(stage.steps, words) + (draw_trend(stage.rate, words) if stage.rate else "")


# --- Lines -----------------------------------------------------------------------------------------


def draw_finding(finding: Finding, words: Words) -> str:
    """The series of the finding's slice with what was expected and the day since when it moved."""
    unit = Unit.RATE if finding.observed is not None else Unit.COUNT
    figure = Figure("finding", unit, finding.observed, baseline=finding.expected, trend=finding.trend)
    title = words.text("pictures", "trend", name=write_finding_title(finding, words), days=str(len(finding.trend)))
    return _draw_line(figure, title, words, finding.since)


def draw_trend(figure: Figure, words: Words, name: str = "") -> str:
    """The line of a figure with its usual range, its usual value and the promotion days; a sentence without a line."""
    if not has_trend(figure.trend):
        return f"<p>{escape(words.text('pictures', 'no_trend'))}</p>"
    named = words.name_figure(figure.key)
    named = words.text("labels", "part_of", whole=name, name=named) if name else named
    title = words.text("pictures", "trend", name=named, days=str(len(figure.trend)))
    if any(point.usual_low is not None for point in figure.trend) or figure.usual_low is not None:
        title += words.text("pictures", "grey_band")
    return _draw_line(figure, title, words)


def draw_daily(figure: Figure, findings: Sequence[Finding], words: Words) -> str:
    """A bar for each day of a week or month before its usual range, and a lane with the days of each finding."""
    points = figure.trend
    known = [float(end) for point in points for end in (point.value, point.usual, point.usual_high) if end is not None]
    scale = _Scale([0.0, *known], len(points), HEIGHT, TOP, BOTTOM)
    ticks = _write_ticks(figure.unit, scale, words)
    width = (WIDTH - SIDE) / (len(points) + 1)
    scale.left = max([len(written) for written in ticks.values()] + [0]) * CHARACTER + 2 * SIDE + width / 2
    scale.right = WIDTH - SIDE - width / 2
    parts = [*_draw_axes(points, ticks, scale)]
    for place, point in enumerate(points):
        parts += _draw_day(place, point, figure.unit, scale, words)
    for number, finding in enumerate(findings):
        y = HEIGHT + LANE * number
        parts.append(f'<text class="since" x="{SIDE}" y="{y + 9}">{escape(words.plain(number + 1))}</text>')
        parts += [
            _rectangle("lane", scale.x(place) - scale.step / 2, y + 3, scale.step, 5)
            for place, point in enumerate(points)
            if point.day in finding.found_on
        ]
    return f"<div class='line'>{_frame(HEIGHT + LANE * len(findings), ''.join(parts), 'line')}</div>"


def _draw_day(place: int, point: DayPoint, unit: Unit, scale: "_Scale", words: Words) -> Iterable[str]:
    """A day's usual range, its bar that tells its value under the pointer, and its usual value."""
    middle, zero = scale.x(place), scale.y(0.0)
    if point.promotion:
        yield _rectangle("promotion", middle - scale.step / 2, TOP, scale.step, scale.depth)
    if point.usual_low is not None and point.usual_high is not None:
        top, bottom = scale.y(float(point.usual_high)), scale.y(float(point.usual_low))
        yield _rectangle("band", middle - scale.step * 0.47, top, scale.step * 0.94, bottom - top)
    if point.value is not None:
        told = escape(f"{point.day:%m-%d} {words.value(point.value, unit, 0)}")
        x, width, top = middle - scale.step * 0.3, scale.step * 0.6, scale.y(float(point.value))
        yield (
            f'<rect class="bar" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{zero - top:.1f}">'
            f"<title>{told}</title></rect>"
        )
    if point.usual is not None:
        y, reach = scale.y(float(point.usual)), scale.step * 0.47
        yield f'<line class="mark" x1="{middle - reach:.1f}" x2="{middle + reach:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def draw_spark(points: Sequence[DayPoint]) -> str:
    """The small line without axes."""
    values = [float(point.value) for point in points if point.value is not None]
    scale = _Scale(values, len(points), SPARK_HEIGHT, 4, 4)
    return _frame(SPARK_HEIGHT, _draw_segments(points, scale) + _draw_last(points, scale), "spark")


def _draw_line(figure: Figure, title: str, words: Words, since: date | None = None) -> str:
    points = figure.trend
    band = [float(end) for point in points for end in (point.usual_low, point.usual_high) if end is not None]
    band += [float(end) for end in (figure.usual_low, figure.usual_high, figure.baseline) if end is not None]
    values = [float(point.value) for point in points if point.value is not None]
    scale = _Scale([*values, *band], len(points), HEIGHT, TOP, BOTTOM)
    ticks = _write_ticks(figure.unit, scale, words)
    scale.left = max([len(written) for written in ticks.values()] + [0]) * CHARACTER + 2 * SIDE
    parts = [
        *(
            _rectangle("promotion", scale.x(first) - scale.step / 2, TOP, scale.step * (last - first + 1), scale.depth)
            for first, last in find_promotion_runs(points)
        ),
        *_draw_band(figure, scale),
        *_draw_axes(points, ticks, scale),
    ]
    if figure.baseline is not None:
        y = scale.y(float(figure.baseline))
        parts.append(f'<line class="usual" x1="{scale.left:.1f}" x2="{WIDTH - SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
    place = next((number for number, point in enumerate(points) if since and point.day >= since), None)
    if place is not None and since:
        x = scale.x(place)
        anchor = "end" if x > WIDTH / 2 else "start"
        parts.append(f'<line class="since" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="since" x="{x:.1f}" y="{TOP - 4}" text-anchor="{anchor}">{since:%m-%d}</text>')
    parts += [
        _draw_segments(points, scale),
        *_draw_points(points, figure.unit, scale, words),
        _draw_last(points, scale),
    ]
    drawn = _frame(HEIGHT, "".join(parts), "line")
    ends = [words.value(points[-1].value, figure.unit)] if points[-1].value is not None else []
    if figure.baseline is not None:
        usual = words.value(figure.baseline, figure.unit, choose_baseline_digits(points[-1].value, figure.unit))
        ends.append(words.text("pictures", "usual_line", value=usual))
    told = escape(words.text("labels", "separator").join(ends))
    return f"<div class='line'><p class='chart-title'>{escape(title)}<br>{told}</p>{drawn}</div>"


class _Scale:
    """Places in a chart of this height, in units of its view box."""

    def __init__(
        self, values: Sequence[float], count: int, height: int, top: int, bottom: int, left: float = SIDE
    ) -> None:
        low, high = min(values), max(values)
        spread = (high - low) or abs(high) or 1.0
        self.low, self.high = low - spread * 0.05, high + spread * 0.05
        self.depth, self.bottom = height - top - bottom, height - bottom
        self.count, self.left, self.right = count, left, float(WIDTH - SIDE)

    @property
    def step(self) -> float:
        return (self.right - self.left) / max(self.count - 1, 1)

    def x(self, place: float) -> float:
        return self.left + self.step * place

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * self.depth

    def list_ticks(self) -> list[float]:
        """Round numbers within the range, at most four."""
        least = (self.high - self.low) / MOST_TICKS
        power = 10 ** floor(log10(least))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least)
        first = -floor(-self.low / step)
        return [number * step for number in range(first, floor(self.high / step) + 1)]


def _draw_band(figure: Figure, scale: _Scale) -> Iterable[str]:
    for place, point in enumerate(figure.trend):
        low, high = point.usual_low, point.usual_high
        if low is None or high is None:
            low, high = figure.usual_low, figure.usual_high
        if low is not None and high is not None:
            top, bottom = scale.y(float(high)), scale.y(float(low))
            yield _rectangle("band", scale.x(place) - scale.step / 2, top, scale.step, bottom - top)


def _write_ticks(unit: Unit, scale: _Scale, words: Words) -> dict[float, str]:
    """The round numbers of the axis as texts, with no more decimals than tell them apart."""
    ticks = scale.list_ticks()
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0 if ticks else 1.0
    digits = max(0, -floor(log10(step * (100 if unit is Unit.RATE else 1)) + 1e-9))
    return {tick: words.value(tick, unit, digits) for tick in ticks}


def _draw_axes(points: Sequence[DayPoint], ticks: Mapping[float, str], scale: _Scale) -> Iterable[str]:
    for tick, written in ticks.items():
        y = scale.y(tick)
        yield f'<line class="grid" x1="{scale.left:.1f}" x2="{WIDTH - SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{scale.left - SIDE:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(written)}</text>'
    spacing = (points[-1].day - points[-2].day).days
    for place in sorted({len(points) - 1, *range(len(points) - 1, len(points) // 12, -max(len(points) // 4, 1))}):
        anchor = "end" if place == len(points) - 1 else "middle"
        written = points[place].day.strftime("%Y-%m" if spacing > 7 else "%m-%d")
        yield f'<text x="{scale.x(place):.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{written}</text>'


def _draw_segments(points: Sequence[DayPoint], scale: _Scale) -> str:
    """The line, broken where a day has no value."""
    path, is_open = [], False
    for place, point in enumerate(points):
        if point.value is not None:
            path.append(f"{'L' if is_open else 'M'}{scale.x(place):.1f} {scale.y(float(point.value)):.1f}")
        is_open = point.value is not None
    return f'<path class="series" d="{"".join(path)}"/>'


def _draw_points(points: Sequence[DayPoint], unit: Unit, scale: _Scale, words: Words) -> Iterable[str]:
    """A dot for each day that tells its value under the pointer."""
    for place, point in enumerate(points):
        if point.value is not None:
            told = escape(f"{point.day:%m-%d} {words.value(point.value, unit)}")
            x, y = scale.x(place), scale.y(float(point.value))
            yield f'<circle class="day" cx="{x:.1f}" cy="{y:.1f}" r="1.6"><title>{told}</title></circle>'


def _draw_last(points: Sequence[DayPoint], scale: _Scale) -> str:
    last = points[-1].value
    if last is None:
        return ""
    return f'<circle class="last" cx="{scale.x(len(points) - 1):.1f}" cy="{scale.y(float(last)):.1f}" r="3.5"/>'


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    left, right = max(x, 0.0), min(x + width, float(WIDTH))
    return f'<rect class="{kind}" x="{left:.1f}" y="{y:.1f}" width="{right - left:.1f}" height="{max(height, 1):.1f}"/>'


def _frame(height: int, content: str, kind: str) -> str:
    return f'<svg class="{kind}" viewBox="0 0 {WIDTH} {height}" aria-hidden="true" focusable="false">{content}</svg>'


# --- Bars ------------------------------------------------------------------------------------------


def draw_steps(steps: Sequence[StageStep], words: Words) -> str:
    """A funnel as a table: a bar and the count of each step, its rate, the usual one and its range."""
    if not steps:
        return ""
    has_usual = any(step.baseline_rate is not None for step in steps)
    has_range = any(step.usual_low is not None for step in steps)
    largest = max([max(step.count or 0, step.baseline_count or 0) for step in steps] + [1])
    heads = ["count" if has_usual else "count_alone", "from_previous"]
    heads += ["usual"] * has_usual + ["usual_range"] * has_range
    head = [words.text("columns", "step"), *(words.text("pictures", key) for key in heads)]
    rows = []
    for step in steps:
        bar = _draw_bar(0, step.count or 0, largest, step.baseline_count)
        is_first = step.rate_from_previous is None and step.baseline_rate is None
        rate = "" if is_first else words.value(step.rate_from_previous, Unit.RATE)
        mark = write_mark(step.mark, step.key, words)
        cells = [f"{bar}<span>{escape(words.value(step.count, Unit.COUNT))}</span>", escape(f"{mark} {rate}".strip())]
        if has_usual:
            cells.append("" if is_first else escape(words.value(step.baseline_rate, Unit.RATE)))
        if has_range:
            cells.append(_write_range(step.usual_low, step.usual_high, words))
        rows.append((escape(words.name_step(step.key)), cells, find_tone(step.mark, step.key) if step.mark else None))
    return _write_bar_table(head, rows)


def draw_bridge(bridge: Bridge, words: Words) -> str:
    """The steps from the usual amount to the day's as a table with bars to both sides."""
    reach = max([abs(float(bar.change)) for bar in bridge.bars] + [1.0])
    head = ["", *(words.text("pictures", key) for key in ("bridge_change", "usual", "today"))]
    rows = []
    for bar in (*bridge.bars, bridge.whole, *((bridge.excluded,) if bridge.excluded else ())):
        drawn = _draw_bar(-reach, float(bar.change), 2 * reach, kind="more") if bar in bridge.bars else ""
        change = format_signed(float(bar.change), 0)
        change = words.text("labels", "no_comparison") if bar is bridge.excluded else change
        values = [escape(write_bar_value(value, bar, words)) for value in (bar.usual, bar.today)]
        rows.append((escape(words.text("bridge", bar.key)), [f"{drawn}<span>{escape(change)}</span>", *values], None))
    return _write_bar_table(head, rows)


def draw_money(money: MoneySplit) -> str:
    """One bar for the paid amount, divided as its table is."""
    amounts = [max(float(part.amount or 0), 0.0) for part in money.parts.values()]
    whole, left, parts = sum(amounts) or 1.0, 0.0, []
    for letter, amount in zip("ABCD", amounts, strict=True):
        width = amount / whole * WIDTH
        parts.append(f'<rect class="part-{letter}" x="{left:.1f}" y="0" width="{width:.1f}" height="{PARTS_HEIGHT}"/>')
        if width > 3 * CHARACTER:
            parts.append(f'<text class="part-{letter}" x="{left + SIDE:.1f}" y="{PARTS_HEIGHT - 5}">{letter}</text>')
        left += width
    return f"<div class='line'>{_frame(PARTS_HEIGHT, ''.join(parts), 'line')}</div>"


def draw_own_funnel(cohort: OwnCohort, words: Words) -> str:
    """The steps of a funnel of the shop's own as a table with bars, dark where the units went on."""
    largest = max([step.units for step in cohort.steps] + [1])
    head = [words.text("columns", key) for key in ("step", "units", "from_previous")]
    rows = []
    for step in cohort.steps:
        bar = _draw_bar(0, step.converted, largest, further=step.units - step.converted)
        rate = words.value(step.rate_from_previous, Unit.RATE) if step.rate_from_previous is not None else ""
        name = escape(words.translate_dimension_value("step", step.event))
        cells = [f"{bar}<span>{escape(words.value(step.units, Unit.COUNT))}</span>", escape(rate)]
        rows.append((name, cells, None))
    return _write_bar_table(head, rows)


HEAT_LEVELS = 4


def draw_heat_map(heat_map: HeatMap, words: Words) -> str:
    """A stage's rate by two dimensions as a table whose cells are coloured by their deviation."""
    names = [words.translate_dimension_value(heat_map.column_dimension, name) for name in heat_map.columns]
    heads = "".join(f"<th scope='col' class='right'>{escape(name)}</th>" for name in names)
    rows = []
    for name, cells in zip(heat_map.rows, heat_map.cells, strict=True):
        shown = escape(words.translate_dimension_value(heat_map.row_dimension, name))
        rows.append(f"<tr><th scope='row'>{shown}</th>{''.join(_write_heat(cell, words) for cell in cells)}</tr>")
    table = (
        f"<table class='heat'><thead><tr><td></td>{heads}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"
    )
    return f"<div class='table'>{table}</div>"


def _write_heat(cell: HeatCell | None, words: Words) -> str:
    judged = judge_cell(cell, words)
    if judged is None:
        return f"<td class='number'>{escape(words.text('labels', 'no_comparison'))}</td>"
    level = ceil(abs(judged.strength) * HEAT_LEVELS)
    kind = f" {'worse' if judged.strength < 0 else 'better'}-{level}" if level else ""
    return f"<td class='number{kind}'>{escape(judged.rate)}<br><small>{escape(judged.deviation)}</small></td>"


def _draw_bar(
    low: float, value: float, span: float, usual: float | None = None, kind: str = "", further: float = 0.0
) -> str:
    """A bar from zero to the value on a scale that begins at `low`, with a line at what is usual.

    A positive one is of the kind; it goes on pale for what is `further`.
    """
    zero, end = ((place - low) / span * BAR_WIDTH for place in (0.0, value))
    kind = f"bar {'less' if value < 0 else kind}".strip()
    parts = [f'<rect class="{kind}" x="{min(zero, end):.1f}" y="1" width="{abs(end - zero):.1f}" height="10"/>']
    if further:
        width = further / span * BAR_WIDTH
        parts.append(f'<rect class="bar rest" x="{end:.1f}" y="1" width="{width:.1f}" height="10"/>')
    if usual is not None:
        x = min((usual - low) / span * BAR_WIDTH, BAR_WIDTH - 0.5)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{BAR_HEIGHT}"/>')
    return (
        f'<svg class="bars" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{"".join(parts)}</svg>'
    )


def _write_range(low: Number | None, high: Number | None, words: Words) -> str:
    if low is None or high is None:
        return ""
    return escape(f"{words.value(low, Unit.RATE)} – {words.value(high, Unit.RATE)}")


def _write_bar_table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str], Tone | None]]) -> str:
    """Rows of a name, cells that are HTML already, and what the mark of the row means."""
    heads = "".join(
        f"<th scope='col' class='{'left' if place < 2 else 'right'}'>{escape(name)}</th>" if name else "<td></td>"
        for place, name in enumerate(head)
    )
    body = "\n".join(
        f"<tr class='{tone or 'plain'}'><th scope='row'>{name}</th>"
        + f"<td><div class='drawn'>{cells[0]}</div></td>"
        + "".join(f"<td class='number'>{cell}</td>" for cell in cells[1:])
        + "</tr>"
        for name, cells, tone in rows
    )
    table = f"<table class='steps'><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f"<div class='table'>{table}</div>"
