"""The published copy, retention, and the outcome of the run."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.common import DELIVERY, FINDINGS, OUTCOME, REPORT, RETENTION, SNAPSHOT, define_daily_asset, read_date_range
from assets.quality_assets import format_reasons
from assets.resources import Shop
from funnelscope.ingest.build_state import record_built
from funnelscope.publication import publish, retention
from funnelscope.quality import gate
from funnelscope.settings import Settings
from funnelscope.warehouse.snapshots import DATABASE

RUNS_AT_A_TIME = 50
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def define_snapshot(days: dg.DailyPartitionsDefinition, funnels: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that publishes the run's days."""

    @define_daily_asset(days, SNAPSHOT, [FINDINGS, *funnels], "published", "duckdb", "parquet")
    def snapshot(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """The copy that readers use: marts and staged events of every day that passed, replaced atomically."""
        from_date, to_date = read_date_range(context, shop)
        verdicts = gate.read_verdicts(shop.warehouse, from_date, to_date)
        folder = publish.publish(shop.warehouse, shop.settings.published, verdicts, shop.settings.snapshots_kept)
        record_built(shop.warehouse, from_date, to_date, shop.built_tables)
        return dg.MaterializeResult(
            metadata={
                "snapshot": folder.name,
                "published_days": sum(verdict.is_publishable for verdict in verdicts),
                "withheld_days": sum(not verdict.is_publishable for verdict in verdicts),
                "dagster/uri": str(shop.settings.published / "current" / DATABASE),
            }
        )

    return snapshot


def define_retention(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that applies retention."""

    @define_daily_asset(days, RETENTION, [REPORT, DELIVERY], "report")
    def retention_of_the_old(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Deletes what `retention` in the settings allows: raw rows, refused rows, old editions, old runs."""
        pruned = retention.prune(shop.warehouse, shop.settings)
        runs = prune_runs(context.instance, shop.settings, context.run_id)
        return dg.MaterializeResult(metadata={**vars(pruned), "runs": runs})

    return retention_of_the_old


def prune_runs(instance: dg.DagsterInstance, settings: Settings, current_run_id: str) -> int:
    """Deletes Dagster's runs that ended before `runs_days`, with their events. Returns their number.

    The UI then shows days that only these runs built as never run. Nothing else reads them.
    """
    if settings.retention.runs_days is None:
        return 0
    before = datetime.now(UTC) - timedelta(days=settings.retention.runs_days)
    old = dg.RunsFilter(created_before=before, statuses=list(_ENDED))
    count = 0
    while records := instance.get_run_records(old, limit=RUNS_AT_A_TIME):
        for record in records:
            if record.dagster_run.run_id != current_run_id:
                instance.delete_run(record.dagster_run.run_id)
                shutil.rmtree(Path(instance.storage_directory()) / record.dagster_run.run_id, ignore_errors=True)
                count += 1
        if len(records) < RUNS_AT_A_TIME:
            break
    return count


def define_outcome(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that fails if a day is blocked."""

    @define_daily_asset(days, OUTCOME, [REPORT, DELIVERY, RETENTION], "report")
    def outcome(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Fails for a blocked day after everything else is done, so that the run is red and the alert is sent."""
        verdicts = gate.read_verdicts(shop.warehouse, *read_date_range(context, shop))
        blocked = [verdict for verdict in verdicts if verdict.verdict == gate.Verdict.BLOCKED]
        if blocked:
            raise dg.Failure(
                description=f"{len(blocked)} blocked day(s), the first {blocked[0].business_date}: not published.",
                metadata={"reasons": dg.MetadataValue.md(format_reasons(blocked))},
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata={"days": len(verdicts)})

    return outcome
