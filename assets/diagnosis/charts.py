"""A finding's slice, day by day, as a small picture for the UI."""

import base64
import json
from collections.abc import Mapping
from datetime import date, timedelta
from io import BytesIO
from typing import Any

from assets.diagnosis.steps import STEPS
from assets.diagnosis.usual import slice_condition
from sql.warehouse import Warehouse

_DAYS = 35


def finding_chart(warehouse: Warehouse, business_date: date, finding: Mapping[str, Any]) -> str:
    """Markdown with the picture in it: the rate of the slice over five weeks, the usual one, and the first day."""
    from matplotlib.figure import Figure

    step = next(step for step in STEPS if (step.cube, step.name) == (finding["cube"], finding["step"]))
    days = warehouse.rows(
        f"select business_date, (sum({step.passed}) / nullif(sum({step.entered}), 0))::DOUBLE from marts.{step.cube} "
        f"where business_date between $first and $day and {slice_condition(finding['slice'])} "
        "group by business_date order by business_date",
        first=business_date - timedelta(days=_DAYS),
        day=business_date,
    )
    figure = Figure(figsize=(7, 2), layout="constrained")
    axes = figure.subplots()
    axes.plot([day for day, _ in days], [rate for _, rate in days], marker=".", color="#1f4e79")
    if finding["expected"] and finding["entered"]:
        axes.axhline(finding["expected"] / finding["entered"], color="#888888", linestyle="--")
    axes.axvline(finding["since_date"], color="#b03a2e", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=90)
    picture = base64.b64encode(content.getvalue()).decode()
    title = json.dumps(finding["slice"], ensure_ascii=False)
    return f"![{finding['step']} {title}](data:image/png;base64,{picture})"
