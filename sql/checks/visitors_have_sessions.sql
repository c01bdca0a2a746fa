-- Every visitor has a session: fewer cannot be, unless one session id stands for several visitors.
--
-- table: intermediate.session_days
-- severity: warn
with seen_visitors as (
    select business_date, visitor_id
    from staging.page_events
    where visitor_id is not null and business_date between $from_date and $to_date
    union
    select business_date, visitor_id
    from staging.traffic_events
    where event_type = 'visit' and visitor_id is not null and business_date between $from_date and $to_date
),

sessions as (
    select business_date, visitor_id, count(*) as sessions
    from intermediate.session_days
    where business_date between $from_date and $to_date
    group by business_date, visitor_id
),

totals as (
    select
        business_date,
        count(seen_visitors.visitor_id) as visitors,
        count(*) filter (where sessions is null) as hidden,
        coalesce(sum(sessions), 0) as sessions
    from seen_visitors
    full join sessions using (business_date, visitor_id)
    group by business_date
)

select
    business_date, -- the day
    sessions, -- of so many
    visitors, -- that were seen
    hidden -- of them in no session but another visitor's
from totals
-- A browser may get a new visitor id in the middle of a session: that hides a few, here one in twenty, and three standard
-- deviations of it.
where hidden >= 3 and hidden > 0.05 * visitors + 3 * sqrt(0.0475 * visitors)
