"""Dagster's home: permanent history, one run at a time, and no dead run that counts as started."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from funnelscope.settings import Settings
from funnelscope.warehouse.connection import is_lock_held

DAGSTER_YAML = """\
# Written by funnelscope; change it here and it stays.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: pipelines.event_log
  class: KeptSqliteEventLogStorage
  config:
    base_dir: {env: DAGSTER_HOME}
concurrency:
  runs:
    max_concurrent_runs: 1
run_monitoring:
  enabled: true
  max_runtime_seconds: 14400
run_retries:
  enabled: true
  max_retries: 0
retention:
  schedule: {purge_after_days: 90}
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: -1}
"""
EVENTS_STORED_TOGETHER = 1000
SECONDS_TO_TAKE_THE_LOCK = 60
SECONDS_TO_REPORT = 2
UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def prepare_home(settings: Settings) -> Path:
    """Creates Dagster's home with its configuration, sets DAGSTER_HOME, and returns the folder."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        draft = home / ".dagster.yaml"  # half a file would be other settings, and stay
        draft.write_text(DAGSTER_YAML, encoding="utf-8")
        draft.rename(home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_STORED_TOGETHER))
    return home


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance in the shop's home."""
    prepare_home(settings)
    with dg.DagsterInstance.get() as instance:
        yield instance


def fail_dead_runs(instance: dg.DagsterInstance, settings: Settings, now: float | None = None) -> list[str]:
    """Marks started runs as failed if nobody holds the warehouse's lock. Returns their ids.

    A killed process releases the lock but reports nothing, and would block the queue for ever. A run whose status
    changed less than SECONDS_TO_TAKE_THE_LOCK ago may not hold the lock yet and is left alone. A run that has just
    released the lock has SECONDS_TO_REPORT to report its end.
    """
    now = now or time.time()
    if not _find_dead_runs(instance, settings, now):
        return []
    time.sleep(SECONDS_TO_REPORT)
    dead = _find_dead_runs(instance, settings, now)
    for run in dead:
        instance.report_run_failed(
            run, "The process of this run is gone: nobody holds the warehouse's lock. Its days can be run again."
        )
    return [run.run_id for run in dead]


def _find_dead_runs(instance: dg.DagsterInstance, settings: Settings, now: float) -> list[dg.DagsterRun]:
    if is_lock_held(settings.lock_path):
        return []
    return [
        record.dagster_run
        for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
        if now - record.update_timestamp.timestamp() > SECONDS_TO_TAKE_THE_LOCK
    ]
