"""The tables that ingest owns: one raw table per family, and the ledger in quality."""

from funnelscope.events.schema import FAMILIES, FIGURE, Family
from funnelscope.ingest.erased_people import ERASED_TABLES
from funnelscope.ingest.exclusions import EXCLUDED_TABLES
from funnelscope.warehouse.connection import Warehouse

PLACE_COLUMNS = {
    "delivery_id": "INTEGER",
    "row_number": "BIGINT",
    "dt": "DATE",
    "business_date": "DATE",
    "local_hour": "TINYINT",
    "repeat_number": "INTEGER",
}

QUALITY_TABLES = {
    "deliveries": """
        delivery_id INTEGER, family VARCHAR, dt DATE, file VARCHAR, source VARCHAR, size_bytes BIGINT,
        modified_at TIMESTAMP, rows_read BIGINT, rows_loaded BIGINT, rows_quarantined BIGINT, repeats_kept BIGINT,
        status VARCHAR, message VARCHAR, loaded_at TIMESTAMP, content_hash VARCHAR, rules_hash VARCHAR,
        delivered_columns VARCHAR[], warning VARCHAR, told VARCHAR, duplicates VARCHAR""",
    "delivery_dates": """
        delivery_id INTEGER, family VARCHAR, dt DATE, file VARCHAR, business_date DATE, rows BIGINT,
        content_hash BIGINT""",
    "quarantine": """
        family VARCHAR, dt DATE, file VARCHAR, row_number BIGINT, reason VARCHAR, detail VARCHAR, content VARCHAR,
        business_date DATE, delivery_id INTEGER, dropped_at TIMESTAMP, counted_date DATE""",
    "duplicate_events": """
        family VARCHAR, business_date DATE, delivery_id INTEGER, row_number BIGINT, reason VARCHAR""",
    "excluded_events": """
        family VARCHAR, business_date DATE, delivery_id INTEGER, row_number BIGINT, reason VARCHAR""",
    **EXCLUDED_TABLES,
    # Written by `funnels`; here because the gate, which reads it, is above that room.
    "own_funnel_faults": "business_date DATE, funnel VARCHAR, problem VARCHAR",
    "pruned_days": "delivery_id INTEGER, family VARCHAR, business_date DATE, rows BIGINT, content_hash BIGINT",
}


def list_raw_columns(family: Family) -> dict[str, str]:
    """Column to SQL type of the family's raw table, in order."""
    return {**PLACE_COLUMNS, **{column.name: column.sql_type for column in family.columns}}


# What advertising claims is claimed anew with every day of its window: the same figure a day later says more.
CLAIM_AGE = (
    "case when attribution_days is not null then least(date_diff('day', business_date, dt), attribution_days) end"
)


def build_content_hash_sql(family: Family) -> str:
    """An aggregate over rows of raw that is equal for the same rows in any order, whatever delivery they come from."""
    columns = [f'"{column.name}"' for column in family.columns] + ([CLAIM_AGE] if family == FIGURE else [])
    return f"(sum(hash({', '.join(columns)})) % {2**63 - 1})::BIGINT"  # a sum does not depend on the order


def create_tables(warehouse: Warehouse) -> None:
    """Creates the raw tables, the ledger and its reconciliation view if they do not exist."""
    for family in FAMILIES.values():
        columns = ", ".join(f"{name} {kind}" for name, kind in list_raw_columns(family).items())
        warehouse.execute(f"create table if not exists raw.{family.table} ({columns})")
    for table, columns in QUALITY_TABLES.items():
        warehouse.execute(f"create table if not exists quality.{table} ({columns})")
    for column in ("delivered_columns VARCHAR[]", "warning VARCHAR", "told VARCHAR", "duplicates VARCHAR"):
        warehouse.execute(f"alter table quality.deliveries add column if not exists {column}")
    warehouse.execute("alter table quality.delivery_dates add column if not exists content_hash BIGINT")
    for column in ("dropped_at TIMESTAMP", "counted_date DATE"):
        warehouse.execute(f"alter table quality.quarantine add column if not exists {column}")
    warehouse.execute(  # rows of a home of before
        "update quality.quarantine set counted_date = coalesce(business_date, dt) where counted_date is null"
    )
    for statement in ERASED_TABLES:
        warehouse.execute(statement)
    warehouse.execute(f"create or replace view quality.reconciliation as {_build_reconciliation_sql()}")


def _build_reconciliation_sql() -> str:
    """Counts every row where it is now, not where the ledger says it should be: only so is it a check."""
    raw_counts = " union all ".join(
        f"select delivery_id, count(*) as row_count from raw.{family.table} group by delivery_id"
        for family in FAMILIES.values()
    )
    return f"""
        with
        in_raw as (
            select delivery_id, sum(row_count) as row_count
            from (
                {raw_counts}
                union all
                select delivery_id, rows from quality.pruned_days  -- staging holds them
            )
            group by delivery_id
        ),
        losing as (
            select
                delivery_id,
                count(*) filter (reason != 'conflicting_duplicate') as duplicates,
                count(*) filter (reason = 'superseded') as superseded,
                count(*) filter (reason = 'conflicting_duplicate') as conflicting
            from quality.duplicate_events
            group by delivery_id
        ),
        quarantined as (
            select
                delivery_id,
                count(*) as row_count
            from quality.quarantine
            where row_number > 0
            group by delivery_id
        )
        select
            deliveries.delivery_id,
            deliveries.family,
            deliveries.dt,
            deliveries.file,
            deliveries.source,
            deliveries.status,
            deliveries.rows_read,
            coalesce(in_raw.row_count, 0) - coalesce(losing.duplicates, 0) - coalesce(losing.conflicting, 0)
                as accepted,
            coalesce(losing.duplicates, 0) as duplicates,
            coalesce(quarantined.row_count, 0) as quarantined,
            coalesce(deliveries.rows_erased, 0) as erased,
            coalesce(losing.superseded, 0) as superseded,  -- of the duplicates
            deliveries.rows_read
                - coalesce(in_raw.row_count, 0)
                + coalesce(losing.conflicting, 0)
                - coalesce(quarantined.row_count, 0)
                - coalesce(deliveries.rows_erased, 0) as difference
        from quality.deliveries
        left join in_raw using (delivery_id)
        left join losing using (delivery_id)
        left join quarantined using (delivery_id)
    """
