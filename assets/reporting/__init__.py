"""From the published snapshot to a report: reads the tables, fills the report's dataclasses, prints the edition."""

from assets.reporting.editions import Edition, print_report, printed_report, read_report, restated_days
from assets.reporting.stages import STAGES

__all__ = ["STAGES", "Edition", "print_report", "printed_report", "read_report", "restated_days"]
