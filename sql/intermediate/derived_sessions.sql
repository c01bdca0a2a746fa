-- The session of an event whose source has no sessions: a new one after 30 minutes of silence or with a new campaign.
--
-- grain: family, event_id, business_date
-- history: 1
-- owner: analytics
with unassigned_events as (
    select 'traffic' as family, event_id, business_date, event_time, visitor_id, campaign
    from staging.traffic_events
    where event_type = 'visit' and session_id is null and visitor_id is not null
        and business_date between $from_date - 1 and $to_date
    union all
    select 'page' as family, event_id, business_date, event_time, visitor_id, null as campaign
    from staging.page_events
    where session_id is null and visitor_id is not null
        and business_date between $from_date - 1 and $to_date
),

visitor_days as (
    select distinct visitor_id, business_date
    from unassigned_events
    where business_date >= $from_date
),

-- A day sees its own events and those of the day before, never more: so a range makes what its days make.
seen_events as (
    select unassigned_events.*, visitor_days.business_date as seen_date
    from visitor_days
    inner join unassigned_events
        on visitor_days.visitor_id = unassigned_events.visitor_id
        and unassigned_events.business_date between visitor_days.business_date - 1 and visitor_days.business_date
),

with_previous as (
    select
        *,
        coalesce(event_time - lag(event_time) over visitor_order > interval 30 minutes, true) as follows_silence,
        lag(campaign ignore nulls) over visitor_order as previous_campaign,
        lag(case when campaign is not null then event_time end ignore nulls) over visitor_order
            as previous_campaign_time
    from seen_events
    window visitor_order as (partition by visitor_id, seen_date order by event_time, family, event_id)
),

with_chains as (
    select
        *,
        max(case when follows_silence then event_time end) over visitor_so_far as chain_started_at
    from with_previous
    window visitor_so_far as (
        partition by visitor_id, seen_date order by event_time, family, event_id
        rows between unbounded preceding and current row
    )
),

with_starts as (
    select
        *,
        follows_silence
        or coalesce(campaign != previous_campaign and previous_campaign_time >= chain_started_at, false) as is_start
    from with_chains
),

with_last_start as (
    select
        *,
        max(case when is_start then event_time end) over visitor_so_far as started_at
    from with_starts
    window visitor_so_far as (
        partition by visitor_id, seen_date order by event_time, family, event_id
        rows between unbounded preceding and current row
    )
)

select
    family, -- the event's family: traffic or page
    event_id, -- the event
    business_date, -- its day
    -- Event ids may come back on another day or in the other family; a visitor opens one session at a time.
    xor(visitor_id, date_diff('microsecond', TIMESTAMP '1970-01-01', started_at))
        as session_id -- the session, named by its visitor and first instant; for one that never paused, since yesterday
from with_last_start
where business_date = seen_date
