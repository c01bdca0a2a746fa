"""The jobs: take deliveries, run days whole, and restate days whose past has changed."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

from assets.catalog import OUTCOME, RAW_KEYS, REPORT, RESULTS, SNAPSHOT, VERDICT, asset_key, partitions
from assets.settings import Settings
from sql.models import downstream_history_days, load_models

INGEST = "take_deliveries_job"
DAILY = "daily"
RESTATE = "restate"

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def far_reaching_models() -> list[str]:
    """Models that a changed day changes for ever after: all that read the whole history, directly or not."""
    return [table for table, days in downstream_history_days(load_models()).items() if days is None]


def near_reach_days() -> int:
    """How many days after a changed day the other models change."""
    return max(days for days in downstream_history_days(load_models()).values() if days is not None)


def all_jobs(settings: Settings) -> list[AssetJob]:
    """Every job, on the shop's daily partitions."""
    days = partitions(settings)
    restated = [asset_key(table) for table in far_reaching_models()]
    return [
        dg.define_asset_job(
            INGEST,
            selection=dg.AssetSelection.assets(*RAW_KEYS.values()),
            partitions_def=days,
            description="Takes every new, changed or removed file of the landing zone into raw.",
        ),
        dg.define_asset_job(
            DAILY,
            selection=dg.AssetSelection.all(),
            partitions_def=days,
            description="A day, or a range of days, from the landing zone to the printed report.",
        ),
        dg.define_asset_job(
            RESTATE,
            selection=dg.AssetSelection.assets(*restated, RESULTS, VERDICT, SNAPSHOT, REPORT, OUTCOME),
            partitions_def=days,
            description="Days after a late delivery: only what reads the whole history, then gate and publication.",
        ),
    ]
