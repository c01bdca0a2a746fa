-- The session of an event whose source has no sessions: a new one after 30 minutes of silence or with a new campaign.
--
-- grain: event_id, business_date
-- history: 1
-- owner: analytics
with unassigned_events as (
    select event_id, business_date, event_time, visitor_id, campaign
    from staging.traffic_events
    where event_type = 'visit' and session_id is null and visitor_id is not null
        and business_date between $from_date - 1 and $to_date
    union all
    select event_id, business_date, event_time, visitor_id, null as campaign
    from staging.page_events
    where session_id is null and visitor_id is not null
        and business_date between $from_date - 1 and $to_date
),

-- Nothing reaches back beyond the day before: a day needs only its own and the previous one.
with_previous as (
    select
        *,
        lag(event_time) over visitor_order as previous_time,
        lag(campaign ignore nulls) over visitor_order as previous_campaign,
        lag(case when campaign is not null then event_time end ignore nulls) over visitor_order as previous_campaign_time,
        lag(case when campaign is not null then business_date end ignore nulls) over visitor_order
            as previous_campaign_date
    from unassigned_events
    window visitor_order as (partition by visitor_id order by event_time, event_id)
),

with_silences as (
    select
        *,
        coalesce(event_time - previous_time > interval 30 minutes, true) as follows_silence
    from with_previous
),

with_chains as (
    select
        *,
        max(case when follows_silence then event_time end) over visitor_so_far as chain_started_at
    from with_silences
    window visitor_so_far as (
        partition by visitor_id order by event_time, event_id rows between unbounded preceding and current row
    )
),

with_starts as (
    select
        *,
        follows_silence
        or coalesce(
            campaign != previous_campaign
            and previous_campaign_time >= chain_started_at
            and previous_campaign_date >= business_date - 1,
            false
        ) as is_start
    from with_chains
),

with_last_start as (
    select
        *,
        last_value(case when is_start then event_id end ignore nulls) over visitor_so_far as start_event_id,
        last_value(case when is_start then business_date end ignore nulls) over visitor_so_far as start_date
    from with_starts
    window visitor_so_far as (
        partition by visitor_id order by event_time, event_id rows between unbounded preceding and current row
    )
),

first_of_day as (
    select visitor_id, business_date, arg_min(event_id, (event_time, event_id)) as event_id
    from unassigned_events
    group by visitor_id, business_date
)

select
    with_last_start.event_id, -- the event
    with_last_start.business_date, -- its day
    case
        when start_date >= with_last_start.business_date - 1 then start_event_id
        else first_of_day.event_id
    end as session_id -- the session: the id of the event that opened it; yesterday's first for one that never paused
from with_last_start
left join first_of_day
    on with_last_start.visitor_id = first_of_day.visitor_id
    and first_of_day.business_date = with_last_start.business_date - 1
where with_last_start.business_date >= $from_date
