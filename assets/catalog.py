"""Every asset and every check of a shop, in flow order."""

import dagster as dg

from assets.common import define_partitions
from assets.diagnosis_assets import define_findings
from assets.funnel_assets import define_own_funnel, make_own_funnel_keys
from assets.model_assets import define_model
from assets.publication_assets import define_outcome, define_retention, define_snapshot
from assets.quality_assets import define_checks, define_results, define_verdict
from assets.raw_assets import define_duplicate_events, define_excluded_events, define_raw_events
from assets.report_assets import define_daily_report, define_delivery
from funnelscope.funnels import daily_answers
from funnelscope.messages.wording import Words, load_words
from funnelscope.settings import Settings
from funnelscope.warehouse.lineage import load_column_lineage
from funnelscope.warehouse.models import load_models


def build_all_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """Every asset and every check of the shop, in flow order."""
    days = define_partitions(settings)
    lineage = load_column_lineage()
    funnels = daily_answers.load_declared_funnels(settings)
    funnel_keys = make_own_funnel_keys(funnels)
    words = load_words(settings.language)
    catalogue = [
        define_raw_events(days, settings),
        define_duplicate_events(days),
        define_excluded_events(days),
        *(define_model(model, days, lineage[model.table]) for model in load_models().values()),
        *(define_own_funnel(funnel, key, days) for funnel, key in zip(funnels, funnel_keys, strict=True)),
        define_results(days, funnels, funnel_keys),
        define_verdict(days),
        define_checks(days, settings),
        define_findings(days),
        define_snapshot(days, funnel_keys),
        define_daily_report(days, settings),
        define_delivery(days),
        define_retention(days),
        define_outcome(days),
    ]
    return [
        each.map_asset_specs(lambda spec: _name_for_search(spec, words))
        if isinstance(each, dg.AssetsDefinition)
        else each
        for each in catalogue
    ]


def _name_for_search(spec: dg.AssetSpec, words: Words) -> dg.AssetSpec:
    """The asset with its layer as one more owner: of what the UI searches, owners alone may be Chinese."""
    name = words.text("asset_layers", str(spec.group_name))
    return spec.merge_attributes(owners=[f"team:{name}"])
