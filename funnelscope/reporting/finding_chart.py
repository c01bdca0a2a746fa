"""A finding's slice, day by day, as a small picture for the UI."""

import base64
from collections.abc import Mapping
from datetime import date, timedelta
from io import BytesIO
from typing import Any

from funnelscope.diagnosis.baseline import slice_condition
from funnelscope.diagnosis.narrative import escaped_for_markdown
from funnelscope.diagnosis.steps import STEPS
from funnelscope.warehouse.connection import Warehouse
from reports.fonts import spell_out
from reports.pictures.canvas import ALARM, BLUE, QUIET, apply_drawing_style, reduce_colours

_DAYS = 35


def finding_chart(warehouse: Warehouse, business_date: date, finding: Mapping[str, Any]) -> str:
    """Markdown with the picture in it: the rate of the slice over five weeks, the usual one, and the first day."""
    from matplotlib.dates import DateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    step = next(step for step in STEPS if (step.cube, step.name) == (finding["cube"], finding["step"]))
    days = warehouse.rows(
        f"select business_date, (sum({step.passed}) / nullif(sum({step.entered}), 0))::DOUBLE from marts.{step.cube} "
        f"where business_date between $first and $day and {slice_condition(finding['slice'])} "
        "group by business_date order by business_date",
        first=business_date - timedelta(days=_DAYS),
        day=business_date,
    )
    title = f"{finding['step']}: {', '.join(f'{name} {value}' for name, value in finding['slice'].items()) or 'all'}"
    with apply_drawing_style():
        figure = Figure(figsize=(7, 2.2), layout="constrained")
        axes = figure.subplots()
        axes.set_title(spell_out(title), loc="left")
        axes.plot([day for day, _ in days], [rate for _, rate in days], marker=".", color=BLUE)
        if finding["expected"] and finding["entered"]:
            axes.axhline(finding["expected"] / finding["entered"], color=QUIET, linestyle="--")
        axes.axvline(finding["since_date"], color=ALARM, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xticks([date2num(business_date - timedelta(days=back)) for back in range(0, _DAYS, 7)])
        axes.xaxis.set_major_formatter(DateFormatter("%m-%d"))
        axes.spines[["top", "right"]].set_visible(False)
        content = BytesIO()
        figure.savefig(content, format="png", dpi=110)
    picture = base64.b64encode(reduce_colours(content.getvalue())).decode()
    return f"![{escaped_for_markdown(title)}](data:image/png;base64,{picture})"
