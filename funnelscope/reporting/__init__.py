"""From the published snapshot to a printed report: queries in, editions out.

Holds: one module per section, which fills the dataclasses of `reports`; editions (numbered, never overwritten); their
delivery to mail and chat groups.
In: the published copy. Out: PDF, XLSX, PNG and JSON in reports/<day>/.
May import: every room above it, and the package `reports`, which nobody else imports.
"""

from funnelscope.reporting.campaigns import list_touched_campaigns, parse_campaign
from funnelscope.reporting.editions import (
    Edition,
    find_due_periods,
    find_last_run,
    find_or_print_report,
    find_restated_days,
    has_news,
    print_report,
    read_report,
    tell_period,
)
from funnelscope.reporting.periods import PERIODS_OF, Period, find_ended_periods, parse_month, parse_week
from funnelscope.reporting.stage_sections import STAGES

__all__ = [
    "PERIODS_OF",
    "STAGES",
    "Edition",
    "Period",
    "find_due_periods",
    "find_ended_periods",
    "find_last_run",
    "find_or_print_report",
    "find_restated_days",
    "has_news",
    "list_touched_campaigns",
    "parse_campaign",
    "parse_month",
    "parse_week",
    "print_report",
    "read_report",
    "tell_period",
]
