"""Finds rows of raw that repeat an event already delivered."""

from collections.abc import Collection
from datetime import date

from funnelscope.events.schema import FAMILIES, FIGURE, Family
from funnelscope.ingest.deliveries import show_conflicts_as_delivered
from funnelscope.ingest.ledger_tables import CLAIM_AGE
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse


def find_duplicates(
    warehouse: Warehouse,
    from_date: date,
    to_date: date,
    settings: Settings | None = None,
    families: Collection[Family] = tuple(FAMILIES.values()),
) -> None:
    """Rebuilds `quality.duplicate_events` for the business dates from `from_date` to `to_date`, both included.

    One event is one (event_id, business date). The row of the earliest delivery day wins, then the smallest md5 of the
    content, then file and row. A losing row with the same content is a 'duplicate'. One with different content is a
    'conflicting_duplicate', which also goes to quarantine: with its content as delivered if its file, which `settings`
    find, is still there; else as stored, where ids are hashes. Rows that were dropped from quarantine stay dropped.

    Where every source of the event declares `duplicates: first`, or every one `latest`, the row that came first or last
    wins (by delivery day, file and row), and a losing row with different content is 'superseded' instead. Of the latest
    rows that say the same, the first one wins: a delivery that repeats it changes nothing. Figures are restated by a
    later file only: two different rows of one file about one object remain in conflict.
    """
    with warehouse.transaction():
        warehouse.execute(
            "create or replace temp table known_conflicts as "
            "select delivery_id, row_number, dropped_at, content from quality.quarantine "
            "where reason = 'conflicting_duplicate' and business_date between $from_date and $to_date",
            from_date=from_date,
            to_date=to_date,
        )
        for table, condition in (
            ("quality.duplicate_events", "true"),
            ("quality.quarantine", "reason = 'conflicting_duplicate'"),
        ):
            warehouse.execute(
                f"delete from {table} where business_date between $from_date and $to_date and {condition} "
                "and business_date not in (select business_date from quality.pruned_days) "
                "and list_contains($families, family)",
                from_date=from_date,
                to_date=to_date,
                families=[family.name for family in families],
            )
        for family in families:
            has_rows = f"select exists(from raw.{family.table} where business_date between $from_date and $to_date)"
            if not warehouse.value(has_rows, from_date=from_date, to_date=to_date):
                continue  # planning the queries takes longer than answering this
            if warehouse.value(_build_losing_query(family), from_date=from_date, to_date=to_date):
                warehouse.execute(_build_conflicting_query(family), from_date=from_date, to_date=to_date)
        warehouse.execute(
            "update quality.quarantine set dropped_at = known.dropped_at, content = known.content, "
            "detail = case when known.dropped_at is null then detail end "
            "from temp.known_conflicts as known where quarantine.reason = 'conflicting_duplicate' "
            "and quarantine.delivery_id = known.delivery_id and quarantine.row_number = known.row_number"
        )
    if settings:
        show_conflicts_as_delivered(warehouse, settings)
    is_without = "reason = 'conflicting_duplicate' and content is null and dropped_at is null"
    for (name,) in warehouse.rows(f"select distinct family from quality.quarantine where {is_without}"):
        warehouse.execute(_build_stored_content_query(FAMILIES[name]))


def _build_losing_query(family: Family) -> str:
    said = [column.name for column in family.columns] + ([CLAIM_AGE] if family == FIGURE else [])
    content = ", ".join(f"coalesce(({each})::VARCHAR, chr(30))" for each in said)
    content_hash = f"hash({', '.join(said)})"
    is_restated = " and delivery_id != winning_delivery_id" if family.key else ""
    return f"""
        insert into quality.duplicate_events (family, business_date, delivery_id, row_number, reason)
        with
        repeated as materialized (
            select event_id, business_date, min({content_hash}) = max({content_hash}) as is_same
            from raw.{family.table}
            where business_date between $from_date and $to_date
            group by event_id, business_date
            having count(*) > 1
        ),
        placed_same as (
            -- Nearly all: of rows that say the same, the first wins, whatever the sources declare.
            select
                business_date, delivery_id, row_number,
                row_number() over (
                    partition by event_id, business_date order by dt, file, row_number, source
                ) as place
            from raw.{family.table}
            join (select event_id, business_date from repeated where is_same) using (event_id, business_date)
            join (select delivery_id, file, source from quality.deliveries) using (delivery_id)
            where business_date between $from_date and $to_date
        ),
        candidates as (
            select
                event_id, business_date, delivery_id, row_number, dt,
                md5(concat_ws(chr(31), {content})) as content_md5, deliveries.file, deliveries.source,
                coalesce(deliveries.duplicates, 'drop') as policy
            from raw.{family.table}
            join (select event_id, business_date from repeated where not is_same) using (event_id, business_date)
            join (select delivery_id, file, source, duplicates from quality.deliveries) as deliveries
                using (delivery_id)
            where business_date between $from_date and $to_date
        ),
        numbered as (
            select
                *,
                row_number() over (same_event order by dt, content_md5, file, row_number, source) as usual_place,
                row_number() over (same_event order by dt, file, row_number, source) as first_place,
                last_value(content_md5) over (
                    same_event order by dt, file, row_number, source
                    rows between unbounded preceding and unbounded following
                ) as last_md5,
                case when min(policy) over same_event = max(policy) over same_event then policy end as event_policy
            from candidates
            window same_event as (partition by event_id, business_date)
        ),
        restated as (
            select
                *,
                coalesce(max(case when content_md5 != last_md5 then first_place end) over same_event, 0)
                    as last_other_place
            from numbered
            window same_event as (partition by event_id, business_date)
        ),
        ranked as (
            select
                *,
                case
                    when event_policy = 'first' then first_place
                    when event_policy is distinct from 'latest' then usual_place
                    when first_place = last_other_place + 1 then 1
                    else 1 + first_place
                end as place
            from restated
        ),
        compared as (
            select
                *,
                max(case when place = 1 then content_md5 end) over same_event as winning_md5,
                max(case when place = 1 then delivery_id end) over same_event as winning_delivery_id
            from ranked
            window same_event as (partition by event_id, business_date)
        )
        select '{family.name}', business_date, delivery_id, row_number, 'duplicate'
        from placed_same
        where place > 1
        union all
        select
            '{family.name}', business_date, delivery_id, row_number,
            case
                when content_md5 = winning_md5 then 'duplicate'
                when event_policy in ('first', 'latest'){is_restated} then 'superseded'
                else 'conflicting_duplicate'
            end
        from compared
        where place > 1
    """


def _build_stored_content_query(family: Family) -> str:
    content = ", ".join(f"{column.name} := {column.name}" for column in family.columns)
    return f"""
        update quality.quarantine set content = to_json(stored.content)::VARCHAR
        from (
            select delivery_id, row_number, struct_pack({content}) as content from raw.{family.table}
            semi join quality.duplicate_events using (delivery_id, row_number)
        ) as stored
        where quarantine.reason = 'conflicting_duplicate' and quarantine.family = '{family.name}'
            and quarantine.content is null and quarantine.dropped_at is null
            and quarantine.delivery_id = stored.delivery_id and quarantine.row_number = stored.row_number
    """


def _build_conflicting_query(family: Family) -> str:
    return f"""
        insert into quality.quarantine
            (family, dt, file, row_number, reason, detail, content, business_date, delivery_id, counted_date)
        select
            '{family.name}', raw_events.dt, deliveries.file, row_number, losing.reason,
            'another row with the same event_id and business date was kept', null,
            raw_events.business_date, delivery_id, raw_events.business_date
        from quality.duplicate_events as losing
        join raw.{family.table} as raw_events using (delivery_id, row_number)
        join quality.deliveries using (delivery_id)
        where losing.family = '{family.name}'
            and losing.reason = 'conflicting_duplicate'
            and losing.business_date between $from_date and $to_date
            and raw_events.business_date between $from_date and $to_date
    """
