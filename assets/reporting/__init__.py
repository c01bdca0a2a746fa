"""From the published snapshot to a report: reads the tables, fills the report's dataclasses, prints the edition."""

from assets.reporting.editions import (
    Edition,
    periods_due,
    print_report,
    printed_report,
    read_report,
    restated_days,
)
from assets.reporting.periods import PERIODS_OF, Period, ended, parse_month, parse_week
from assets.reporting.stages import STAGES

__all__ = [
    "PERIODS_OF",
    "STAGES",
    "Edition",
    "Period",
    "ended",
    "parse_month",
    "parse_week",
    "periods_due",
    "print_report",
    "printed_report",
    "read_report",
    "restated_days",
]
