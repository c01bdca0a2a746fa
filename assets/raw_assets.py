"""The first layer: deliveries as they are in the landing zone, and the rows that staging leaves out."""

from collections.abc import Iterator

import dagster as dg

from assets.common import DUPLICATES, EXCLUDED, RAW_KEYS, SINGLE_RUN, define_daily_asset, read_date_range
from assets.metadata import count_rows_for_display
from assets.resources import Shop
from funnelscope import ingest
from funnelscope.events.schema import FAMILIES, Family
from funnelscope.messages.markdown import escape_markdown
from funnelscope.quality.repeated_deliveries import settle_repeated_deliveries
from funnelscope.settings import Settings
from funnelscope.warehouse.models import RAW_LEADING_COLUMNS


def define_raw_events(days: dg.DailyPartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """The assets of raw events, one per family, loaded together."""

    @dg.multi_asset(
        name="take_deliveries",
        specs=[_define_raw_spec(family, settings) for family in FAMILIES.values()],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )
    def take_deliveries(context: dg.AssetExecutionContext, shop: Shop) -> Iterator[dg.MaterializeResult]:
        """Loads every new, changed or removed file of the landing zone, whatever day it belongs to."""
        ingest.take_deliveries(shop.warehouse, shop.settings)
        settle_repeated_deliveries(shop.warehouse, shop.settings)
        from_date, to_date = read_date_range(context, shop)
        for family in FAMILIES.values():
            yield dg.MaterializeResult(
                asset_key=RAW_KEYS[family.name],
                metadata=count_rows_for_display(shop, f"raw.{family.table}", from_date, to_date),
            )

    return take_deliveries


def _define_raw_spec(family: Family, settings: Settings) -> dg.AssetSpec:
    sources = settings.list_family_sources(family.name)
    declared = ", ".join(source.pattern for source in sources) or "not declared: this shop delivers none"
    declared = escape_markdown(declared)
    columns = [(name, kind, meaning) for name, kind, meaning in RAW_LEADING_COLUMNS]
    columns += [(column.name, column.sql_type, column.meaning) for column in family.columns]
    return dg.AssetSpec(
        RAW_KEYS[family.name],
        group_name="raw",
        kinds={"duckdb"},
        owners=["team:data"],
        description=f"Delivered {family.name} events as they are in the landing zone. Source: {declared}.",
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(name, kind, description=meaning) for name, kind, meaning in columns]
            )
        },
    )


def define_duplicate_events(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that finds repeated events."""

    @define_daily_asset(days, DUPLICATES, list(RAW_KEYS.values()), "raw", "duckdb")
    def duplicate_events(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Raw rows that staging leaves out: the same event delivered again, or with different content (quarantined)."""
        from_date, to_date = read_date_range(context, shop)
        ingest.find_duplicates(shop.warehouse, from_date, to_date, shop.settings)
        return dg.MaterializeResult(
            metadata=count_rows_for_display(shop, "quality.duplicate_events", from_date, to_date)
        )

    return duplicate_events


def define_excluded_events(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that finds the rows of excluded people."""

    @define_daily_asset(days, EXCLUDED, list(RAW_KEYS.values()), "raw", "duckdb")
    def excluded_events(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Raw rows of people whom the shop does not count, from `exclude` in its settings, with the reason."""
        from_date, to_date = read_date_range(context, shop)
        ingest.find_excluded(shop.warehouse, from_date, to_date)
        return dg.MaterializeResult(
            metadata=count_rows_for_display(shop, "quality.excluded_events", from_date, to_date)
        )

    return excluded_events
