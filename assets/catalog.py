"""Every asset and every check of a shop, in flow order."""

import dagster as dg

from assets.common import partitions
from assets.diagnosis_assets import findings_asset
from assets.funnel_assets import own_funnel_asset, own_funnel_key
from assets.model_assets import model_asset
from assets.publication_assets import outcome_asset, retention_asset, snapshot_asset
from assets.quality_assets import checks_asset, results_asset, verdict_asset
from assets.raw_assets import duplicate_events_asset, excluded_events_asset, raw_events
from assets.report_assets import daily_report_asset, delivery_asset
from funnelscope.funnels import daily_answers
from funnelscope.settings import Settings
from funnelscope.warehouse.lineage import column_lineage
from funnelscope.warehouse.models import load_models


def all_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """Every asset and every check of the shop, in flow order."""
    days = partitions(settings)
    lineage = column_lineage()
    funnels = daily_answers.declared_funnels(settings)
    return [
        raw_events(days, settings),
        duplicate_events_asset(days),
        excluded_events_asset(days),
        *(model_asset(model, days, lineage[model.table]) for model in load_models().values()),
        results_asset(days),
        verdict_asset(days),
        checks_asset(days, settings),
        findings_asset(days),
        *(own_funnel_asset(file, days) for file in funnels),
        snapshot_asset(days, [own_funnel_key(file) for file in funnels]),
        daily_report_asset(days),
        delivery_asset(days),
        retention_asset(days),
        outcome_asset(days),
    ]
