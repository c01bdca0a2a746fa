"""When it runs by itself: every morning, and freshness that is watched."""

import warnings

import dagster as dg
from dagster._core.definitions.partitions.partitioned_schedule import UnresolvedPartitionedAssetScheduleDefinition

from assets.catalog import SNAPSHOT
from assets.settings import Settings
from pipelines.jobs import AssetJob

HOUR_OF_RUN = 6
DEADLINE = "0 9 * * *"


def daily_schedule(
    daily: AssetJob,
) -> UnresolvedPartitionedAssetScheduleDefinition | dg.ScheduleDefinition:
    """Yesterday's partition, every morning on the shop's clock."""
    return dg.build_schedule_from_partitioned_job(
        daily,
        name="every_morning",
        hour_of_day=HOUR_OF_RUN,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def freshness_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Red when yesterday's partition is not published by nine on the shop's clock."""
    with warnings.catch_warnings():
        # Dagster's newer freshness policies look at the time of the last run, not at which day it published.
        warnings.simplefilter("ignore")
        return list(
            dg.build_time_partition_freshness_checks(
                assets=[SNAPSHOT], deadline_cron=DEADLINE, timezone=settings.timezone
            )
        )
