"""Retention: deletes what the settings allow, as the last step of a day's run.

It deletes nothing that a run still needs: raw rows only of days that are up to date, with a record of each in the
ledger; the content of refused rows, which stay counted; and files of report editions. Of each report, the newest
edition stays complete, and every edition keeps its record.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from funnelscope.diagnosis.diagnosis_tables import FINDING_ROWS
from funnelscope.ingest import prune_raw, read_pruned_days
from funnelscope.ingest.build_state import read_build_state
from funnelscope.ingest.quarantine import drop_older_rows
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

_ROWS = re.compile(r"<details class='rows'.*?</details>", re.DOTALL)


@dataclass(frozen=True)
class PruneCounts:
    """The numbers of deleted rows of raw, contents of the quarantine, and files of reports."""

    raw_rows: int = 0
    quarantined_rows: int = 0
    report_files: int = 0


def prune(warehouse: Warehouse, settings: Settings) -> PruneCounts:
    """Prunes the warehouse and the reports. Ages are counted from the last day that was built."""
    stands = read_build_state(warehouse)
    if not stands.built:
        return PruneCounts()
    last, kept = max(stands.built), settings.retention
    raw_rows = 0
    if kept.raw_days is not None:
        before = last - timedelta(days=kept.raw_days)
        _prune_finding_rows(warehouse, settings, before)
        days = {day for day in stands.built - stands.stale_days if day < before} - read_pruned_days(warehouse)
        raw_rows = prune_raw(warehouse, sorted(days)) if days else 0
    quarantined_rows = 0
    if kept.quarantine_days is not None:
        quarantined_rows = drop_older_rows(warehouse, last - timedelta(days=kept.quarantine_days))
    report_files = 0
    if kept.editions_days is not None:
        report_files = _prune_editions(settings, last - timedelta(days=kept.editions_days))
    return PruneCounts(raw_rows, quarantined_rows, report_files)


def _prune_finding_rows(warehouse: Warehouse, settings: Settings, before: date) -> None:
    """Deletes the rows behind findings of older days: here, in the HTML editions, and with the next publication there.

    They tell of single people, as raw rows do.
    """
    if warehouse.columns(FINDING_ROWS):
        warehouse.execute(f"delete from {FINDING_ROWS} where business_date < $before", before=before)
    for folder in settings.reports.glob("????-??-??"):
        if date.fromisoformat(folder.name) < before:
            for page in folder.glob("*.html"):
                _fold_away_rows(page)


def _fold_away_rows(page: Path) -> None:
    before = page.read_text(encoding="utf-8")
    after = _ROWS.sub("", before)
    if after != before:
        draft = page.with_name(f".{page.name}")
        draft.write_text(after, encoding="utf-8")
        draft.replace(page)


def _prune_editions(settings: Settings, before: date) -> int:
    """Deletes the files of every edition except the newest of its day. `edition-N.json` stays."""
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
