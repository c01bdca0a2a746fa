"""Ingest: from the landing zone into `raw`, with a ledger in `quality` that accounts for every row."""

from assets.ingest.deliveries import IngestError, Intake, take_deliveries
from assets.ingest.duplicates import find_duplicates
from assets.ingest.excluded import find_excluded
from assets.ingest.ledger import (
    failures,
    families_present,
    input_version,
    input_versions,
    reconcile,
)
from assets.ingest.pruned import prune_raw, pruned_days
from assets.ingest.tables import create_tables

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
