"""From the published snapshot to a printed report: queries in, editions out.

Holds: one section a module that fills the dataclasses of `reports`, editions (numbered, never overwritten), and their
delivery to mail and chat groups.
In: the published copy. Out: PDF, XLSX, PNG and JSON in reports/<day>/.
May import: every room above it, and the package `reports`, which nobody else imports.
"""

from funnelscope.reporting.editions import (
    Edition,
    periods_due,
    print_report,
    printed_report,
    read_report,
    restated_days,
)
from funnelscope.reporting.periods import PERIODS_OF, Period, ended, parse_month, parse_week
from funnelscope.reporting.stage_sections import STAGES

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
