"""Retention: lets go what the settings allow, as the last step of a day's run.

Nothing goes that a run still needs: raw rows only of days that stand, and the ledger notes each; refused rows are
given up and stay counted; of the editions of a report the newest stays whole, and every one keeps its record.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from funnelscope.ingest import prune_raw, read_pruned_days
from funnelscope.ingest.build_state import read_build_state
from funnelscope.ingest.quarantine import drop_older_rows
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse


@dataclass(frozen=True)
class PruneCounts:
    """What has gone: rows of raw, contents of the quarantine, files of reports."""

    raw_rows: int = 0
    quarantined_rows: int = 0
    report_files: int = 0


def prune(warehouse: Warehouse, settings: Settings) -> PruneCounts:
    """Prunes the warehouse and the reports; ages count back from the last day that was built."""
    stands = read_build_state(warehouse)
    if not stands.built:
        return PruneCounts()
    last, kept = max(stands.built), settings.retention
    raw_rows = 0
    if kept.raw_days is not None:
        before = last - timedelta(days=kept.raw_days)
        days = {day for day in stands.built - stands.stale_days if day < before} - read_pruned_days(warehouse)
        raw_rows = prune_raw(warehouse, sorted(days)) if days else 0
    quarantined_rows = 0
    if kept.quarantine_days is not None:
        quarantined_rows = drop_older_rows(warehouse, last - timedelta(days=kept.quarantine_days))
    report_files = 0
    if kept.editions_days is not None:
        report_files = _prune_editions(settings, last - timedelta(days=kept.editions_days))
    return PruneCounts(raw_rows, quarantined_rows, report_files)


def _prune_editions(settings: Settings, before: date) -> int:
    """Deletes the files of every edition but the newest of its day; `edition-N.json` stays."""
    removed = 0
    for folder in settings.reports.glob("????-??-??"):
        if date.fromisoformat(folder.name) >= before:
            continue
        numbers = [int(path.stem.split("-")[1]) for path in folder.glob("edition-*.json")]
        for number in sorted(numbers)[:-1]:
            for file in folder.glob(f"funnelscope-*-edition-{number}-*"):
                file.unlink()
                removed += 1
    return removed
