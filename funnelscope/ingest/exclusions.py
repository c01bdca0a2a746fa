"""People whom the shop does not count: its staff, testers and partners, as listed under `exclude` in the settings.

On each day, every row with a listed id is excluded. So are the rows of browsers that were seen on that day as listed
people only, and of the sessions and conversations of all these rows. Their traffic, pages and messages are left out of
staging. Their orders stay there without a person, carry the reason, and make up the bar `excluded` of the money page. A
browser without a customer id on a day is counted on that day, unless its visitor id is listed: no day depends on
another.
"""

import hashlib
from datetime import date

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest.erased_people import list_kinds
from funnelscope.ingest.identity import hash_identifier
from funnelscope.settings import Settings
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

EXCLUDED_TABLES = {
    "excluded_people": "kind VARCHAR, id BIGINT, reason VARCHAR",
    "exclusion_changes": "business_date DATE, version VARCHAR",
}
_PEOPLE = ("customer", "visitor")
_TRACES = ("session", "conversation", "click")


def take_exclusions(warehouse: Warehouse, settings: Settings) -> set[date]:
    """Brings the list in line with the settings. Returns the days with rows of people who were added or removed.

    These days count as changed, so the next run builds them again. No file is read for this.
    """
    wanted = _list_excluded(settings)
    present = set(warehouse.rows("from quality.excluded_people"))
    if wanted == present:
        return set()
    changed = {(kind, number) for kind, number, _ in wanted ^ present}
    warehouse.execute("create or replace temp table changed_people (kind VARCHAR, id BIGINT)")
    insert_rows(warehouse, "changed_people", sorted(changed))
    seen = " union ".join(
        f"select business_date from raw.{family.table} where {list_kinds(family.name)[kind]} in "
        f"(select id from changed_people where kind = '{kind}')"
        for family in EVENT_FAMILIES.values()
        for kind in _PEOPLE
    )
    days = {day for (day,) in warehouse.rows(seen)}
    version = hashlib.md5(repr(sorted(wanted)).encode()).hexdigest()
    with warehouse.transaction():
        warehouse.execute("delete from quality.excluded_people")
        insert_rows(warehouse, "quality.excluded_people", sorted(wanted))
        warehouse.execute(
            "delete from quality.exclusion_changes where list_contains($days, business_date)", days=[*days]
        )
        insert_rows(warehouse, "quality.exclusion_changes", [(day, version) for day in sorted(days)])
    return days


def _list_excluded(settings: Settings) -> set[tuple[str, int, str]]:
    return {
        (kind, hash_identifier(settings, text), exclusion.reason)
        for exclusion in settings.exclude
        for kind, texts in (("customer", exclusion.customers), ("visitor", exclusion.visitors))
        for text in texts
    }


def find_excluded(warehouse: Warehouse, from_date: date, to_date: date) -> None:
    """Rebuilds `quality.excluded_events` for the business dates from `from_date` to `to_date`, both included."""
    between = "business_date between $from_date and $to_date"
    days = {"from_date": from_date, "to_date": to_date}
    with warehouse.transaction():
        is_pruned = "business_date in (select business_date from quality.pruned_days)"
        warehouse.execute(f"delete from quality.excluded_events where {between} and not {is_pruned}", **days)
        if not warehouse.value("select count(*) from quality.excluded_people"):
            return
        _find_ids(warehouse, between, days)
        for family in EVENT_FAMILIES.values():
            kinds = {kind: column for kind, column in list_kinds(family.name).items() if kind in (*_PEOPLE, *_TRACES)}
            nameless = "coalesce(visitor_id, customer_id) is null"
            rows = " union all ".join(
                f"select business_date, delivery_id, row_number, reason from raw.{family.table} as delivered "
                f"join excluded_ids using (business_date) where kind = '{kind}' and id = {column} and {between}"
                + ("" if kind in _PEOPLE else f" and {nameless}")
                for kind, column in kinds.items()
                # An order without a person is recognized by its number, whose other events carry the reason.
                if kind in _PEOPLE or family.name != "order"
            )
            warehouse.execute(
                f"insert into quality.excluded_events select '{family.name}', business_date, delivery_id, row_number, "
                f"min(reason) from ({rows}) group by all",
                **days,
            )
        warehouse.execute("drop table excluded_ids")


def _find_ids(warehouse: Warehouse, between: str, days: dict[str, date]) -> None:
    """Fills the temporary table excluded_ids (business_date, kind, id, reason) with the ids to exclude on each day."""
    events = " union all ".join(
        f"select business_date, visitor_id, customer_id, session_id, "
        f"{'conversation_id' if family.name == 'service' else 'null::BIGINT as conversation_id'}, "
        f"{'click_id' if family.name == 'traffic' else 'null::BIGINT as click_id'} "
        f"from raw.{family.table} where {between}"
        for family in EVENT_FAMILIES.values()
    )
    seen_as = f"select distinct business_date, visitor_id, customer_id from ({events}) where visitor_id is not null"
    warehouse.execute(
        f"""
        create or replace temp table excluded_ids as
        with seen as ({seen_as}),
        days as (select distinct business_date from seen union select distinct business_date from ({events}))
        select business_date, kind, id, reason from quality.excluded_people, days
        union
        select business_date, 'visitor', visitor_id, min(reason)
        from seen
        left join quality.excluded_people on kind = 'customer' and id = customer_id
        where customer_id is not null
        group by business_date, visitor_id
        having bool_and(reason is not null)
        """,
        **days,
    )
    for kind in _TRACES:
        warehouse.execute(
            f"""
            insert into excluded_ids
            select business_date, '{kind}', {kind}_id, min(reason)
            from ({events}) as seen
            join excluded_ids using (business_date)
            where {kind}_id is not null
                and ((kind = 'visitor' and id = visitor_id) or (kind = 'customer' and id = customer_id))
            group by all
            """,
            **days,
        )
