"""Built days that were delivered again with nothing new: their rows are counted again, and nothing else is."""

from collections.abc import Collection, Iterator
from datetime import date, timedelta

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest import find_duplicates, find_excluded
from funnelscope.ingest.build_state import read_build_state, record_repeated
from funnelscope.quality.gate import recount_rows
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse


def settle_repeated_deliveries(warehouse: Warehouse, settings: Settings) -> frozenset[date]:
    """Finds the repeated rows of such days and counts them. Returns the days; a second call finds none."""
    repeated = read_build_state(warehouse).repeated
    for family in FAMILIES.values():
        for from_date, to_date in list_stretches([day for day in repeated if family.name in repeated[day]]):
            find_duplicates(warehouse, from_date, to_date, settings, [family])
    for from_date, to_date in list_stretches(repeated):
        find_excluded(warehouse, from_date, to_date)
        recount_rows(warehouse, from_date, to_date)
    record_repeated(warehouse, repeated)
    return frozenset(repeated)


def list_stretches(days: Collection[date]) -> Iterator[tuple[date, date]]:
    """The first and last day of each stretch of days that follow each other."""
    for day in sorted(days):
        if day - timedelta(days=1) not in days:
            last = day
            while last + timedelta(days=1) in days:
                last += timedelta(days=1)
            yield day, last
