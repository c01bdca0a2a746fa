"""Built days that were delivered again with nothing new: their rows are counted again, and nothing else is."""

from collections.abc import Collection, Iterator
from datetime import date, timedelta

from funnelscope.ingest import find_duplicates, find_excluded
from funnelscope.ingest.build_state import read_build_state, record_repeated
from funnelscope.quality.gate import recount_rows
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse


def settle_repeated_deliveries(warehouse: Warehouse, settings: Settings) -> frozenset[date]:
    """Finds the repeated rows of such days and counts them. Returns the days; a second call finds none."""
    days = read_build_state(warehouse).repeated
    for from_date, to_date in list_stretches(days):
        find_duplicates(warehouse, from_date, to_date, settings)
        find_excluded(warehouse, from_date, to_date)
        recount_rows(warehouse, from_date, to_date)
    record_repeated(warehouse, days)
    return days


def list_stretches(days: Collection[date]) -> Iterator[tuple[date, date]]:
    """The first and last day of each stretch of days that follow each other."""
    for day in sorted(days):
        if day - timedelta(days=1) not in days:
            last = day
            while last + timedelta(days=1) in days:
                last += timedelta(days=1)
            yield day, last
