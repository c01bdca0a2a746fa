"""Queries on the ledger: whether the counts add up, whether a day is complete, whether its input has changed."""

from datetime import date
from typing import Any, Literal

from funnelscope.events.schema import FAMILIES, FIGURE
from funnelscope.settings import Settings, Source
from funnelscope.warehouse.connection import Warehouse

Presence = Literal["present", "missing", "absent", "growing"]


def reconcile(warehouse: Warehouse) -> list[dict[str, Any]]:
    """One record per delivery, from the view `quality.reconciliation`. `difference` must always be 0.

    rows_read = accepted (in staging, or in raw until their day is built) + duplicates + quarantined + erased +
    difference. `superseded` of the duplicates are other versions of an event, of sources with `duplicates: first` or
    `latest`.
    """
    return warehouse.records("select * from quality.reconciliation order by family, dt, file, source")


def find_family_presence(warehouse: Warehouse, settings: Settings, business_date: date) -> dict[str, Presence]:
    """Family to the state of its data for a day.

    absent: not declared (or only declared as not required, and nothing was delivered); present: every required source
    has a loaded delivery of that day, possibly an empty file, or files whose business dates span the day, in whatever
    source they are read; growing: such a delivery is still being written; missing: there is none. Figures are delivered
    on a day about the days before it, so that only those about the day count, and empty files of it or the next day.
    """
    rows = warehouse.rows(
        """
        with spans as (
            -- Of a file, not of a source: one that takes the shipped orders of a list has none on the first day.
            select file, min(business_date) as first_date, max(business_date) as last_date
            from quality.delivery_dates
            group by file
        )
        select source, bool_or(status = 'growing'), bool_or(status in ('loaded', 'unreachable'))
        from quality.deliveries
        left join spans using (file)
        -- What a database said before it became unreachable stands, for the days that it spoke of.
        where (status in ('loaded', 'growing') or (status = 'unreachable' and rows_loaded > 0))
            and (
                $business_date between first_date and last_date
                or (dt = $business_date and (deliveries.family != $figure or status = 'growing'))
                or (deliveries.family = $figure and dt - $business_date in (0, 1) and rows_read = 0)
            )
        group by source
        """,
        business_date=business_date,
        figure=FIGURE.name,
    )
    states: dict[str, Presence] = {
        source: "growing" if is_growing else "present" for source, is_growing, is_loaded in rows
    }
    return {family: _combine_presence(settings.list_family_sources(family), states) for family in FAMILIES}


def list_failures(warehouse: Warehouse, family: str, business_date: date) -> list[str]:
    """`file: message` for every file that should have delivered the family's data of a day but could not be read."""
    rows = warehouse.rows(
        """
        select concat_ws(': ', file, message)
        from quality.deliveries
        where family = $family
            and ((status = 'quarantined' and dt = $business_date) or status = 'unreachable')
        order by file
        """,
        family=family,
        business_date=business_date,
    )
    return [words for (words,) in rows]


def _combine_presence(sources: tuple[Source, ...], states: dict[str, Presence]) -> Presence:
    found: set[Presence] = {
        states.get(source.name, "missing") for source in sources if source.required or source.name in states
    }
    worst_first: tuple[Presence, ...] = ("growing", "missing", "present")
    return next((state for state in worst_first if state in found), "absent")


_INPUT_VERSIONS = """
    with
    touching as (
        select delivery_dates.business_date, delivery_dates.delivery_id, delivery_dates.rows
        from quality.delivery_dates
        union all
        -- A delivery without rows says something about its own day all the same: nothing came, or nothing readable.
        select deliveries.dt, deliveries.delivery_id, 0
        from quality.deliveries
        where deliveries.rows_loaded = 0 and deliveries.dt is not null
        union all
        -- What was refused of a day says something about it: the gate judges the day by it. Negative, so that it is not
        -- taken for rows that were accepted. The other reasons follow from rows of raw, or concern days that are kept.
        select counted_date, delivery_id, -count(*)
        from quality.quarantine
        where row_number > 0 and counted_date is not null
            and reason not in ('conflicting_duplicate', 'day_is_pruned')
        group by counted_date, delivery_id
    ),
    identities as (
        select
            touching.business_date,
            md5(
                concat_ws(
                    chr(31), deliveries.family, deliveries.dt, deliveries.source, deliveries.file,
                    -- A database that is down has changed nothing.
                    case when deliveries.status = 'unreachable' then 'loaded' else deliveries.status end,
                    deliveries.content_hash, deliveries.rules_hash, deliveries.rows_loaded, touching.rows
                )
            ) as identity
        from touching
        join quality.deliveries using (delivery_id)
        union all
        select business_date, version
        from quality.exclusion_changes
    )
    select business_date, md5(string_agg(identity, '' order by identity)) as version
    from identities
    group by business_date
"""


def read_input_versions(warehouse: Warehouse) -> dict[date, str]:
    """Business date to a version that changes if and only if the deliveries that touch the date change.

    It also changes if someone seen on the date is added to or removed from the exclusions.
    """
    return dict(warehouse.rows(_INPUT_VERSIONS))


def read_input_version(warehouse: Warehouse, business_date: date) -> str:
    """The version of one date; empty if no delivery touches it."""
    statement = f"select version from ({_INPUT_VERSIONS}) where business_date = $business_date"
    return warehouse.value(statement, business_date=business_date) or ""
