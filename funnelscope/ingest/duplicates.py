"""Which rows of raw are deliveries of an event that is already there."""

from datetime import date

from funnelscope.events.schema import FAMILIES, Family
from funnelscope.warehouse.connection import Warehouse


def find_duplicates(warehouse: Warehouse, from_date: date, to_date: date) -> None:
    """Rebuilds `quality.duplicate_events` for the business dates from `from_date` to `to_date`, both included.

    One event is one (event_id, business date). The row of the earliest delivery day wins, then the smallest md5 of
    the content, then file and row. A loser with the winner's content is a 'duplicate'; with another content it is
    a 'conflicting_duplicate', which also goes to the quarantine with its content as stored (ids are hashes); one that
    was dropped from there stays dropped.
    """
    with warehouse.transaction():
        warehouse.execute(
            "create or replace temp table dropped_conflicts as "
            "select delivery_id, row_number, dropped_at from quality.quarantine where dropped_at is not null "
            "and reason = 'conflicting_duplicate' and business_date between $from_date and $to_date",
            from_date=from_date,
            to_date=to_date,
        )
        for table, condition in (
            ("quality.duplicate_events", "true"),
            ("quality.quarantine", "reason = 'conflicting_duplicate'"),
        ):
            warehouse.execute(
                f"delete from {table} where business_date between $from_date and $to_date and {condition} "
                "and business_date not in (select business_date from quality.pruned_days)",
                from_date=from_date,
                to_date=to_date,
            )
        for family in FAMILIES.values():
            warehouse.execute(_build_losing_query(family), from_date=from_date, to_date=to_date)
            warehouse.execute(_build_conflicting_query(family), from_date=from_date, to_date=to_date)
        warehouse.execute(
            "update quality.quarantine set dropped_at = dropped.dropped_at, content = null, detail = null "
            "from temp.dropped_conflicts as dropped where quarantine.reason = 'conflicting_duplicate' "
            "and quarantine.delivery_id = dropped.delivery_id and quarantine.row_number = dropped.row_number"
        )


def _build_losing_query(family: Family) -> str:
    content = ", ".join(f"coalesce({column.name}::VARCHAR, chr(30))" for column in family.columns)
    return f"""
        insert into quality.duplicate_events (family, business_date, delivery_id, row_number, reason)
        with
        repeated as (
            select event_id, business_date
            from raw.{family.table}
            where business_date between $from_date and $to_date
            group by event_id, business_date
            having count(*) > 1
        ),
        candidates as (
            select raw_events.*, md5(concat_ws(chr(31), {content})) as content_md5, deliveries.file, deliveries.source
            from raw.{family.table} as raw_events
            join repeated using (event_id, business_date)
            join quality.deliveries using (delivery_id)
            where raw_events.business_date between $from_date and $to_date
        ),
        ranked as (
            select
                *,
                row_number() over event_rows as place,
                first_value(content_md5) over event_rows as winning_md5
            from candidates
            window event_rows as (
                partition by event_id, business_date
                order by dt, content_md5, file, row_number, source
            )
        )
        select
            '{family.name}', business_date, delivery_id, row_number,
            case when content_md5 = winning_md5 then 'duplicate' else 'conflicting_duplicate' end
        from ranked
        where place > 1
    """


def _build_conflicting_query(family: Family) -> str:
    content = ", ".join(f"{column.name} := raw_events.{column.name}" for column in family.columns)
    return f"""
        insert into quality.quarantine
            (family, dt, file, row_number, reason, detail, content, business_date, delivery_id)
        select
            '{family.name}', raw_events.dt, deliveries.file, row_number, losing.reason,
            'another row with the same event_id and business date was kept', to_json(struct_pack({content}))::VARCHAR,
            raw_events.business_date, delivery_id
        from quality.duplicate_events as losing
        join raw.{family.table} as raw_events using (delivery_id, row_number)
        join quality.deliveries using (delivery_id)
        where losing.family = '{family.name}'
            and losing.reason = 'conflicting_duplicate'
            and losing.business_date between $from_date and $to_date
            and raw_events.business_date between $from_date and $to_date
    """
