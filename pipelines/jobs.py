"""The jobs: take deliveries, run days whole, and restate days whose past has changed."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

from assets.common import (
    DELIVERY,
    FINDINGS,
    OUTCOME,
    RAW_KEYS,
    REPORT,
    RESULTS,
    SNAPSHOT,
    STAGES,
    VERDICT,
    make_asset_key,
)
from assets.funnel_assets import OWN_FUNNELS
from funnelscope.ingest.build_state import list_far_reaching_models

INGEST = "take_deliveries_job"
DAILY = "daily"
RESTATE = "restate"

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def define_jobs() -> list[AssetJob]:
    """Every job; its partitions are those of its assets."""
    restated = [make_asset_key(table) for table in list_far_reaching_models()]
    return [
        dg.define_asset_job(
            INGEST,
            selection=dg.AssetSelection.assets(*RAW_KEYS.values()).without_checks(),  # those need the results of a day
            description="Takes every new, changed or removed file of the landing zone into raw.",
        ),
        dg.define_asset_job(
            DAILY,
            selection=dg.AssetSelection.all(),
            description="A day, or a range of days, from the landing zone to the printed report.",
        ),
        dg.define_asset_job(
            RESTATE,
            selection=dg.AssetSelection.assets(
                *restated, RESULTS, VERDICT, FINDINGS, SNAPSHOT, *STAGES.values(), REPORT, DELIVERY, OUTCOME
            )
            | dg.AssetSelection.groups(OWN_FUNNELS),
            description="Days after a late delivery: what reads all history, then gate, diagnosis, publication.",
        ),
    ]
