"""Staging, intermediate and marts: one asset for each SQL file, with its query, columns and lineage."""

import dagster as dg

from assets.common import FAR_BACK_DAYS, SINGLE_RUN, make_asset_key, read_date_range
from assets.metadata import count_rows_for_display, describe_table_day
from assets.resources import Shop
from funnelscope.warehouse.lineage import Lineage
from funnelscope.warehouse.models import Model, derive_schemas, materialize_model


def define_model(model: Model, days: dg.DailyPartitionsDefinition, lineage: Lineage) -> dg.AssetsDefinition:
    @dg.asset(
        key=make_asset_key(model.table),
        deps=[
            dg.AssetDep(make_asset_key(table), partition_mapping=_define_partition_mapping(model))
            for table in model.dependencies
        ],
        description=_write_description(model),
        group_name=model.schema,
        kinds={"duckdb", "sql"},
        owners=[f"team:{model.owner}"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
        metadata={
            "dagster/column_schema": _define_column_schema(model),
            "dagster/column_lineage": _define_column_lineage(lineage),
            "dagster/table_name": model.table,
            "grain": ", ".join(model.grain),
            "history_days": "all" if model.history_days is None else model.history_days,
            "sql_file": f"sql/{model.schema}/{model.name}.sql",
        },
    )
    def build_model(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        from_date, to_date = read_date_range(context, shop)
        materialize_model(shop.warehouse, model, shop.chunks_of(model, from_date, to_date), **shop.query_parameters)
        shop.built_tables.add(model.table)
        counts = {} if model.is_view else count_rows_for_display(shop, model.table, from_date, to_date)
        return dg.MaterializeResult(metadata={**counts, **describe_table_day(shop, model, to_date)})

    return build_model


def _define_partition_mapping(model: Model) -> dg.PartitionMapping:
    back = FAR_BACK_DAYS if model.history_days is None else model.history_days
    return dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)


def _write_description(model: Model) -> str:
    return f"{model.description}\n\nGrain: {', '.join(model.grain)}.\n\n```sql\n{model.query}\n```"


def _define_column_schema(model: Model) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=model.column_comments[name])
            for name, kind in derive_schemas()[model.table]
        ]
    )


def _define_column_lineage(lineage: Lineage) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(make_asset_key(table), name) for table, name in sources]
            for column, sources in lineage.items()
            if sources
        }
    )
