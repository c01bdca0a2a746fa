"""The shop's own funnels, one asset per file."""

import re
from collections.abc import Sequence
from itertools import chain, count

import dagster as dg

from assets.common import FAR_BACK_DAYS, SINGLE_RUN, make_asset_key, read_date_range
from assets.metadata import describe_funnel_day
from assets.resources import Shop
from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.funnels import daily_answers
from funnelscope.funnels.daily_answers import DeclaredFunnel
from funnelscope.funnels.published_events import is_history_needed
from funnelscope.funnels.step_labels import list_step_labels
from funnelscope.messages.markdown import escape_markdown, fence_code

OWN_FUNNELS = "funnels"


def make_own_funnel_keys(funnels: Sequence[DeclaredFunnel]) -> list[dg.AssetKey]:
    """The asset key of each funnel: its file name, with other characters replaced by underscores.

    Of files whose names are then alike, the second has a number.
    """
    stems = [re.sub(r"[^A-Za-z0-9_]", "_", funnel.path.stem) for funnel in funnels]
    names: list[str] = []
    for stem in stems:
        others = (f"{stem}_{number}" for number in count(2))
        names.append(next(name for name in chain([stem], others) if name not in names))
    return [dg.AssetKey([OWN_FUNNELS, name]) for name in names]


def define_own_funnel(
    funnel: DeclaredFunnel, key: dg.AssetKey, days: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    """The asset of one funnel. It depends on as many earlier days of staged events as its answer reads.

    One with a fault has an asset as well, which warns of it.
    """
    back = 0
    description = f"Has a fault, so that it is not answered: {escape_markdown(funnel.problem)}"
    if funnel.file:
        plan = funnel.file.spec.plan
        back = FAR_BACK_DAYS if is_history_needed(plan) else min(daily_answers.count_days_back(plan), FAR_BACK_DAYS)
        steps = escape_markdown(" → ".join(list_step_labels(funnel.file.spec)))
        description = (
            f"{steps}, of the units that entered in the last week whose "
            "windows are over, and of those that entered since."
            f"\n\n{fence_code(funnel.path.read_text(encoding='utf-8'), 'yaml')}"
        )
    reach = dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=key,
        deps=[
            dg.AssetDep(make_asset_key(f"staging.{family.table}"), partition_mapping=reach)
            for family in EVENT_FAMILIES.values()
        ],
        description=description,
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
        last, problem = daily_answers.answer_declared(shop.warehouse, shop.settings, funnel, from_date, to_date, chunks)
        if problem:
            context.log.warning(problem)
            return dg.MaterializeResult(metadata={"problem": problem})
        assert funnel.file
        return dg.MaterializeResult(metadata=describe_funnel_day(shop, funnel.file.spec.name, last) if last else {})

    return own_funnel
