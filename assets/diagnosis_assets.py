"""What is wrong, where, since when and at what cost."""

import dagster as dg

from assets.common import FINDINGS, VERDICT, define_daily_asset, read_date_range
from assets.metadata import describe_diagnosis_day
from assets.resources import Shop
from funnelscope.diagnosis.daily_diagnosis import diagnose_days


def define_findings(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @define_daily_asset(days, FINDINGS, [VERDICT], "diagnosis", "duckdb", "python", owner="analytics")
    def findings(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """What is wrong, in which slice, since when, how surely, at what cost. Never stops what comes after it."""
        from_date, to_date = read_date_range(context, shop)
        diagnose_days(shop.warehouse, shop.settings, from_date, to_date)
        return dg.MaterializeResult(metadata=describe_diagnosis_day(shop, to_date))

    return findings
