"""The sensors: late deliveries, dead runs, failures, freshness."""

import hashlib
import warnings
from datetime import datetime, timedelta

import dagster as dg

from funnelscope.ingest.build_state import read_build_state
from funnelscope.ingest.landing_zone import find_files
from funnelscope.messages.secrets import hide_secrets
from funnelscope.messages.wording import load_words
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import WarehouseLockedError, is_lock_held, open_warehouse
from funnelscope.warehouse.home_version import HomeVersionError
from pipelines.instance import UNFINISHED, fail_dead_runs
from pipelines.jobs import INGEST, RANGE_END, RANGE_START, AssetJob
from pipelines.planning import Piece, plan_runs
from pipelines.status import read_health
from pipelines.watch import tell_if_due, write_alert

RUNNING = dg.DefaultSensorStatus.RUNNING
SECONDS_BETWEEN_WATCHES = 600
WAITING = [dg.DagsterRunStatus.QUEUED, *UNFINISHED]


def define_sensors(
    settings: Settings, jobs: list[AssetJob], checks: list[dg.AssetChecksDefinition]
) -> list[dg.SensorDefinition]:
    """Every sensor, on by default."""
    return [
        _define_late_delivery_sensor(settings, jobs),
        _define_dead_run_sensor(settings),
        _define_watch(settings),
        _define_failure_alert(settings),
        _define_freshness_sensor(checks),
    ]


def _tell(settings: Settings, name: str) -> str:
    """What the sensor does, and whether it starts runs, in the shop's language."""
    return load_words(settings.language).text("automation", name)


def _define_freshness_sensor(checks: list[dg.AssetChecksDefinition]) -> dg.SensorDefinition:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see pipelines.schedules.freshness_checks
        return dg.build_sensor_for_freshness_checks(freshness_checks=checks, default_status=RUNNING)


def _define_late_delivery_sensor(settings: Settings, jobs: list[AssetJob]) -> dg.SensorDefinition:
    told = _tell(settings, "late_deliveries")

    @dg.sensor(jobs=jobs, minimum_interval_seconds=60, description=told, default_status=RUNNING)
    def late_deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Takes in new or changed files, then reruns only the built days that they change."""
        if not settings.warehouse_path.exists():
            return dg.SkipReason("No run so far.")
        if is_lock_held(settings.lock_path) or context.instance.get_runs_count(dg.RunsFilter(statuses=WAITING)):
            return dg.SkipReason("A run is writing or waiting.")
        today = datetime.now(settings.zone).date()
        fingerprint = compute_landing_fingerprint(settings)
        if context.cursor != fingerprint:
            yesterday = (today - timedelta(days=1)).isoformat()
            key = f"{fingerprint} {today}"
            request = dg.RunRequest(job_name=INGEST, partition_key=yesterday, run_key=key)
            return dg.SensorResult(run_requests=[request], cursor=fingerprint)
        try:
            with open_warehouse(settings.warehouse_path, wait_seconds=0) as warehouse:
                stands = read_build_state(warehouse)
        except WarehouseLockedError:
            return dg.SkipReason("A run has just begun to write.")
        except HomeVersionError as error:
            return dg.SkipReason(str(error))
        pieces = plan_runs((), stands, settings.opening_date)
        if not pieces:
            return dg.SkipReason("Nothing late.")
        # A failed run is requested again on the next day, or when the deliveries change.
        key = hashlib.sha256(f"{today} {fingerprint} {sorted(stands.stale_days)}".encode()).hexdigest()
        return dg.SensorResult(run_requests=[_request_run(piece, key) for piece in pieces], cursor=fingerprint)

    return late_deliveries


def compute_landing_fingerprint(settings: Settings) -> str:
    """A text that changes when a file of a declared source is added, removed or changed, or a broken link is fixed."""
    found = (
        (file.file, stamp.size_bytes, stamp.modified_at)
        for source in settings.sources
        if not source.query
        for file in find_files(settings, source)
        if (stamp := file.read_stamp_or_empty())
    )
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()


def _request_run(piece: Piece, key: str) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=piece.job,
        run_key=f"{key} {piece.from_date}",
        tags={RANGE_START: piece.from_date.isoformat(), RANGE_END: piece.to_date.isoformat()},
    )


def _define_dead_run_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(minimum_interval_seconds=30, description=_tell(settings, "dead_runs"), default_status=RUNNING)
    def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Removes killed runs from the queue: they hold no lock but still count as started."""
        failed = fail_dead_runs(context.instance, settings)
        return dg.SkipReason(f"Marked as failed: {', '.join(failed)}" if failed else "No dead run.")

    return dead_runs


def _define_watch(settings: Settings) -> dg.SensorDefinition:
    told = _tell(settings, "missed_runs")

    @dg.sensor(minimum_interval_seconds=SECONDS_BETWEEN_WATCHES, description=told, default_status=RUNNING)
    def missed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Alerts if the day is late or blocked, or a run waits or lasts for ever. See `funnelscope status --alert`."""
        health = read_health(settings)
        failed = tell_if_due(settings, health)
        return dg.SkipReason(f"{health['state']}; alerts that failed: {', '.join(failed) or 'none'}")

    return missed_runs


def _define_failure_alert(settings: Settings) -> dg.SensorDefinition:
    told = _tell(settings, "failure_alert")

    @dg.run_failure_sensor(name="failure_alert", description=told, default_status=RUNNING)
    def failure_alert(context: dg.RunFailureSensorContext) -> None:
        """Appends every failed run to alerts.log in the home folder, for monitoring."""
        days = context.dagster_run.tags.get("dagster/partition") or " to ".join(
            context.dagster_run.tags.get(tag, "") for tag in (RANGE_START, RANGE_END)
        )
        message = hide_secrets(str(context.failure_event.message))
        line = f"{context.dagster_run.run_id} {context.dagster_run.job_name} {days}: {message}"
        write_alert(settings, line)
        context.log.error(line)

    return failure_alert
