"""The shop's own funnels, one asset a file."""

import re

import dagster as dg

from assets.common import FAR_BACK_DAYS, SINGLE_RUN, make_asset_key, read_date_range
from assets.metadata import describe_funnel_day
from assets.resources import Shop
from funnelscope.events.schema import FAMILIES
from funnelscope.funnels import daily_answers
from funnelscope.funnels.funnel_answers import list_step_labels
from funnelscope.funnels.published_events import is_history_needed
from funnelscope.funnels.specification import FunnelFile

OWN_FUNNELS = "funnels"


def make_own_funnel_key(file: FunnelFile) -> dg.AssetKey:
    return dg.AssetKey([OWN_FUNNELS, re.sub(r"[^A-Za-z0-9_]", "_", file.path.stem)])


def define_own_funnel(file: FunnelFile, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    back = (
        FAR_BACK_DAYS
        if is_history_needed(file.spec.plan)
        else min(daily_answers.count_days_back(file.spec.plan), FAR_BACK_DAYS)
    )
    reach = dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=make_own_funnel_key(file),
        deps=[
            dg.AssetDep(make_asset_key(f"staging.{family.table}"), partition_mapping=reach)
            for family in FAMILIES.values()
        ],
        description=f"{' → '.join(list_step_labels(file.spec))}, of the units that entered in the last week whose "
        f"windows are over, and of those that entered since.\n\n```yaml\n{file.path.read_text(encoding='utf-8')}\n```",
        group_name=OWN_FUNNELS,
        kinds={"duckdb"},
        owners=["team:analytics"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
        metadata={"dagster/table_name": daily_answers.TABLE},
    )
    def own_funnel(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        from_date, to_date = read_date_range(context, shop)
        chunks = shop.chunks(max(from_date, shop.settings.opening_date), to_date)
        last = daily_answers.build_daily_answers(shop.warehouse, shop.settings, file, chunks)
        return dg.MaterializeResult(metadata=describe_funnel_day(shop, file.spec.name, last) if last else {})

    return own_funnel
