"""Queries on the ledger: whether the counts add up, whether a day is complete, whether its input has changed."""

from datetime import date
from typing import Any, Literal

from funnelscope.events.schema import FAMILIES, FIGURE
from funnelscope.settings import Settings, Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import DEFAULT_PARAMETERS

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


_VERSIONS = f"""
    with
    touching as (
        select delivery_id, business_date, rows, content_hash
        from quality.delivery_dates
        union all
        -- A delivery without rows says something about its own day all the same: nothing came, or nothing readable.
        select delivery_id, dt, 0, null
        from quality.deliveries
        where rows_loaded = 0 and dt is not null
        union all
        -- What was refused of a day says something about it: the gate judges the day by it. Negative, so that it is not
        -- taken for rows that were accepted. The other reasons follow from rows of raw, or concern days that are kept.
        select delivery_id, counted_date, -count(*), null
        from quality.quarantine
        where row_number > 0 and counted_date is not null
            and reason not in ('conflicting_duplicate', 'day_is_pruned')
        group by counted_date, delivery_id
    ),
    said as (
        select
            business_date,
            delivery_id,
            string_agg(concat_ws(chr(29), rows, content_hash), chr(30) order by rows) as content,
            bool_or(rows > 0) and bool_and(rows < 0 or content_hash is not null) as is_known
        from touching
        group by business_date, delivery_id
    ),
    stated as (
        select
            said.business_date,
            deliveries.family,
            deliveries.dt,
            deliveries.file,
            deliveries.duplicates is not distinct from 'latest' as is_latest,
            -- Of one source, and of figures, a later statement replaces an earlier one of that source alone.
            case when is_latest and deliveries.family != '{FIGURE.name}' then '' else deliveries.source end as stream,
            md5(
                concat_ws(
                    chr(31), deliveries.family, deliveries.source, deliveries.rules_hash, content,
                    -- A database that is down has changed nothing.
                    case when deliveries.status = 'unreachable' then 'loaded' else deliveries.status end,
                    array_to_string(deliveries.delivered_columns, chr(29)), deliveries.warning,
                    deliveries.rows_read = {DEFAULT_PARAMETERS["rows_of_a_cut_export"]},
                    case when not is_known then deliveries.content_hash end,
                    case when not is_known then deliveries.file end,
                    case when not is_known then deliveries.rows_loaded end
                )
            ) as statement
        from said
        join quality.deliveries using (delivery_id)
    ),
    placed as (
        select
            *,
            lag(statement) over (partition by business_date, family, stream order by dt, file) as statement_before,
            row_number() over (partition by business_date, family, stream, statement order by dt, file) as place
        from stated
    ),
    identities as (
        select
            business_date, family,
            md5(concat_ws(chr(31), statement, dt)) as identity,
            md5(concat_ws(chr(31), statement, dt, file)) as delivery,
            case when is_latest then statement is distinct from statement_before else place = 1 end as is_new
        from placed
        union all
        select business_date, '', version, version, true
        from quality.exclusion_changes
    ),
    -- What is known of the rows of a delivery is gone when it is taken again, even if they are the same.
    known_rows as (
        select business_date, family, count(*) as row_count
        from (
            select business_date, family from quality.duplicate_events
            union all
            select business_date, family from quality.excluded_events
        )
        group by business_date, family
    ),
    deliveries_of as (
        select
            business_date, family,
            md5(concat(string_agg(delivery, '' order by delivery), coalesce(any_value(row_count), 0))) as version
        from identities
        left join known_rows using (business_date, family)
        group by business_date, family
    ),
    inputs as (
        select
            business_date, md5(string_agg(identity, '' order by identity) filter (where is_new)) as input_version
        from identities
        group by business_date
    )
    select business_date, input_version, string_agg(family || ':' || version, ' ' order by family)
    from inputs
    join deliveries_of using (business_date)
    group by business_date, input_version
"""


def read_versions(warehouse: Warehouse) -> dict[date, tuple[str, str]]:
    """Business date to its input version, and to a version of its deliveries.

    The input version changes if and only if what the deliveries say of the date changes. The download of the last
    thirty days says the same of most of them as the one of the day before. Where the rows that hold are those of the
    first delivery, or of the latest, one that repeats an earlier one, or the one before it, says nothing new. It also
    changes if someone seen on the date is added to or removed from the exclusions.

    The version of the deliveries changes with each delivery that touches the date, and where rows of one that was taken
    again are not yet known to be repeated. It is a text of `family:version`, separated by blanks; the exclusions have
    no family.
    """
    return {day: (of_input, of_deliveries) for day, of_input, of_deliveries in warehouse.rows(_VERSIONS)}
