"""From the landing zone into `raw`, with a ledger in `quality` that accounts for every row.

Holds: readers, mapping, ledger, quarantine, exclusions, keyed hashes of ids, and the build state: the deliveries from
which each day was built.
In: files as delivered, the sources of the settings. Out: raw.*, quality.deliveries, quality.quarantine.
May import: messages, events, settings, warehouse.
"""

from funnelscope.ingest.deliveries import IngestError, Intake, take_deliveries
from funnelscope.ingest.duplicates import find_duplicates
from funnelscope.ingest.exclusions import find_excluded
from funnelscope.ingest.ledger import (
    find_family_presence,
    list_failures,
    read_versions,
    reconcile,
)
from funnelscope.ingest.ledger_tables import create_tables
from funnelscope.ingest.pruned_days import prune_raw, read_pruned_days

__all__ = [
    "IngestError",
    "Intake",
    "create_tables",
    "find_duplicates",
    "find_excluded",
    "find_family_presence",
    "list_failures",
    "prune_raw",
    "read_pruned_days",
    "read_versions",
    "reconcile",
    "take_deliveries",
]
