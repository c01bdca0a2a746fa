"""From the landing zone into `raw`, with a ledger in `quality` that accounts for every row.

Holds: readers, mapping, ledger, quarantine, exclusions, keyed hashes of ids, and the build state: which deliveries each
built day was built on.
In: files as delivered, the sources of the settings. Out: raw.*, quality.deliveries, quality.quarantine.
May import: messages, events, settings, warehouse.
"""

from funnelscope.ingest.deliveries import IngestError, Intake, take_deliveries
from funnelscope.ingest.duplicates import find_duplicates
from funnelscope.ingest.exclusions import find_excluded
from funnelscope.ingest.ledger import failures, families_present, input_version, input_versions, reconcile
from funnelscope.ingest.ledger_tables import create_tables
from funnelscope.ingest.pruned_days import prune_raw, pruned_days

__all__ = [
    "IngestError",
    "Intake",
    "create_tables",
    "failures",
    "families_present",
    "find_duplicates",
    "find_excluded",
    "input_version",
    "input_versions",
    "prune_raw",
    "pruned_days",
    "reconcile",
    "take_deliveries",
]
