"""What the assets of every layer share: their keys, the shop's days as partitions, and a range of days as one run."""

import warnings
from collections.abc import Callable
from datetime import date

import dagster as dg

from assets.resources import Shop
from funnelscope import reporting
from funnelscope.events.schema import FAMILIES
from funnelscope.settings import Settings

# Single-run backfills and mappings over days that do not exist are in beta; their versions are pinned.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

FAR_BACK_DAYS = 3650  # how far `history: all` reaches in the partition mapping
SINGLE_RUN = dg.BackfillPolicy.single_run()


def make_asset_key(table: str) -> dg.AssetKey:
    """`schema.table` as an asset key."""
    return dg.AssetKey(table.split("."))


RAW_KEYS = {family.name: make_asset_key(f"raw.{family.table}") for family in FAMILIES.values()}
DUPLICATES = make_asset_key("quality.duplicate_events")
EXCLUDED = make_asset_key("quality.excluded_events")
RESULTS = make_asset_key("quality.results")
VERDICT = make_asset_key("quality.day_verdict")
FINDINGS = make_asset_key("diagnosis.findings")
SNAPSHOT = dg.AssetKey(["published", "snapshot"])
STAGES = {stage: dg.AssetKey(["stages", stage]) for stage in reporting.STAGES}
REPORT = dg.AssetKey(["published", "daily_report"])
DELIVERY = dg.AssetKey(["published", "delivery"])
RETENTION = dg.AssetKey(["published", "retention"])
OUTCOME = dg.AssetKey(["published", "outcome"])


def read_date_range(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, shop: Shop) -> tuple[date, date]:
    """First and last business date of the run, both in. The opening day brings the shop's history with it."""
    keys = context.partition_key_range
    from_date, to_date = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    if from_date == shop.settings.opening_date:
        from_date = shop.settings.start_date
    return from_date, to_date


def define_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a business date, from the opening day to yesterday on the shop's clock.

    Days before the opening only feed customer history: they have no partitions and are built with the opening day.
    """
    return dg.DailyPartitionsDefinition(start_date=settings.opening_date.isoformat(), timezone=settings.timezone)


def define_daily_asset(
    days: dg.DailyPartitionsDefinition,
    key: dg.AssetKey,
    deps: list[dg.AssetKey],
    group: str,
    *kinds: str,
    owner: str = "data",
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """What all hand-written assets share: daily partitions, and a range of days as one run."""
    return dg.asset(
        key=key,
        deps=deps,
        group_name=group,
        kinds=set(kinds),
        owners=[f"team:{owner}"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )
