"""The slice of a finding, day by day."""

from datetime import date

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.figure_diagnosis import FIGURE_CUBE, read_figure_days
from funnelscope.diagnosis.records import FindingRecord
from funnelscope.diagnosis.steps import STEPS
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Readable


def read_finding_rates(
    tables: Readable, settings: Settings, first: date, last: date, finding: FindingRecord
) -> dict[date, float | None]:
    """Day to the rate of the slice, 0 to 1; of a figure that was judged as such, day to the figure."""
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
