"""The slice of a finding, day by day, as a small picture for the UI."""

import base64
from datetime import date, timedelta
from io import BytesIO

import numpy as np

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.figure_diagnosis import FIGURE_CUBE, read_figure_days
from funnelscope.diagnosis.records import FindingRecord
from funnelscope.diagnosis.steps import STEPS
from funnelscope.messages.markdown import escape_markdown
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Readable, Warehouse
from reports.fonts import spell_out
from reports.pictures.canvas import ALARM, BLUE, QUIET, apply_drawing_style, reduce_colours

_DAYS = 35


def draw_finding_chart(warehouse: Warehouse, settings: Settings, business_date: date, finding: FindingRecord) -> str:
    """Markdown with an embedded picture: the slice's rate over five weeks, its baseline, and the first day."""
    from matplotlib.dates import DateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    days = read_slice_days(warehouse, settings, business_date - timedelta(days=_DAYS), business_date, finding)
    title = f"{finding.step}: {', '.join(f'{name} {value}' for name, value in finding.slice.items()) or 'all'}"
    with apply_drawing_style():
        figure = Figure(figsize=(7, 2.2), layout="constrained")
        axes = figure.subplots()
        axes.set_title(spell_out(title), loc="left")
        axes.plot(
            date2num(list(days)), [np.nan if rate is None else rate for rate in days.values()], marker=".", color=BLUE
        )
        if usual := finding.expected_rate or finding.expected:
            axes.axhline(usual, color=QUIET, linestyle="--")
        axes.axvline(date2num(finding.since_date), color=ALARM, linewidth=1)
        axes.set_ylim(bottom=0)
        if finding.entered is not None:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xticks([date2num(business_date - timedelta(days=back)) for back in range(0, _DAYS, 7)])
        axes.xaxis.set_major_formatter(DateFormatter("%m-%d"))
        axes.spines[["top", "right"]].set_visible(False)
        content = BytesIO()
        figure.savefig(content, format="png", dpi=110)
    picture = base64.b64encode(reduce_colours(content.getvalue())).decode()
    return f"![{escape_markdown(title)}](data:image/png;base64,{picture})"


def read_slice_days(
    tables: Readable, settings: Settings, first: date, last: date, finding: FindingRecord
) -> dict[date, float | None]:
    """The rate of the slice on each day; of a figure that was judged as such, the figure."""
    if finding.cube == FIGURE_CUBE:
        days = read_figure_days(tables, settings, finding, first, last)
        return {day: passed / entered if entered else None for day, (entered, passed) in days.items()}
    step = next(step for step in STEPS if (step.cube, step.name) == (finding.cube, finding.step))
    rows = tables.rows(
        f"select business_date, (sum({step.passed}) / nullif(sum({step.entered}), 0))::DOUBLE from marts.{step.cube} "
        f"where business_date between $first and $day and {build_slice_condition(finding.slice)} "
        "group by business_date order by business_date",
        first=first,
        day=last,
    )
    return dict(rows)
