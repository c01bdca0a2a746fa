-- The session of an event that the source's own session id does not tell: it has none, or one that was silent too long.
--
-- Without an id, an event belongs to the session of the source that its visitor has open, be it one whose id comes a
-- little later; else to one of its own, which ends with 30 minutes of silence or with a new campaign. An id that was
-- silent as long begins a new session, under a name of its own. An id that its source renews is left as it is.
--
-- grain: family, event_id, business_date
-- history: 2
-- owner: analytics
with
-- What shows that a session goes on: whatever its person does, and a page as long as it is open. To leave a page
-- or a live room without telling the stay says only that it was open until then: that never begins a session.
activities as not materialized (
    select
        'page' as family,
        event_id,
        business_date,
        event_time,
        session_id,
        case
            when event_type not in ('page_leave', 'live_leave') or dwell_ms is not null
                then event_time - coalesce(dwell_ms, 0) * interval 1 millisecond
        end as active_from,
        case
            when event_type in ('page_leave', 'live_leave') then event_time
            else event_time + coalesce(dwell_ms, 0) * interval 1 millisecond
        end as active_until
    from staging.page_events
    where session_id is not null and business_date between $from_date - 2 and $to_date
    union all
    select 'traffic' as family, event_id, business_date, event_time, session_id, event_time, event_time
    from staging.traffic_events
    where session_id is not null and event_type != 'impression' and business_date between $from_date - 2 and $to_date
    union all
    select 'service' as family, event_id, business_date, event_time, session_id, event_time, event_time
    from staging.service_events
    where session_id is not null and event_type not in ('care_sent', 'review_replied', 'question_answered')
        and business_date between $from_date - 2 and $to_date
    union all
    select 'order' as family, event_id, business_date, event_time, session_id, event_time, event_time
    from staging.order_events
    where session_id is not null
        and event_type in ('created', 'deposit_paid', 'balance_paid', 'paid', 'cancelled', 'reviewed')
        and business_date between $from_date - 2 and $to_date
),

-- Most ids are over before they could have been silent that long: only the others are looked at event by event.
long_ids as (
    select session_id
    from activities
    group by session_id
    having max(event_time) - min(event_time) > $longest_silence_minutes * interval 1 minute
),

long_activities as (
    select activities.*
    from activities
    semi join long_ids using (session_id)
),

id_days as (
    select distinct session_id, business_date
    from long_activities
    where business_date >= $from_date
),

-- Two days back: a session over midnight has the name that it got on the day it began, which saw the day before that.
seen_activities as (
    select long_activities.*, id_days.business_date as seen_date
    from id_days
    inner join long_activities
        on id_days.session_id = long_activities.session_id
        and long_activities.business_date between id_days.business_date - 2 and id_days.business_date
),

with_silence as (
    select
        *,
        coalesce(
            active_from - max(active_until) over before > $longest_silence_minutes * interval 1 minute, false
        ) as follows_silence,
        max(business_date) over before as previous_date
    from seen_activities
    window before as (
        partition by session_id, seen_date order by event_time, family, event_id
        rows between unbounded preceding and 1 preceding
    )
),

-- The first session of an id keeps the id.
renamed as (
    select
        *,
        max(case when follows_silence then event_time end) over id_so_far as started_at,
        max(case when follows_silence and previous_date >= business_date - 1 then event_time end) over id_so_far
            as renamed_at
    from with_silence
    window id_so_far as (
        partition by session_id, seen_date order by event_time, family, event_id
        rows between unbounded preceding and current row
    )
),

silent_ids as (
    select
        family,
        event_id,
        business_date,
        seen_date,
        xor(session_id, date_diff('microsecond', TIMESTAMP '1970-01-01', started_at)) as session_id
    from renamed
    where started_at = renamed_at and family in ('page', 'traffic')
),

unassigned_events as (
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

assigned_events as not materialized (
    select 'traffic' as family, event_id, business_date, event_time, visitor_id, campaign, session_id
    from staging.traffic_events
    where event_type = 'visit' and session_id is not null and business_date between $from_date - 1 and $to_date
    union all
    select 'page' as family, event_id, business_date, event_time, visitor_id, null as campaign, session_id
    from staging.page_events
    where session_id is not null and business_date between $from_date - 1 and $to_date
),

-- A day sees its own events and those of the day before, never more: so a range makes what its days make.
seen_events as (
    select unassigned_events.*, null::BIGINT as source_session_id, visitor_days.business_date as seen_date
    from visitor_days
    inner join unassigned_events
        on visitor_days.visitor_id = unassigned_events.visitor_id
        and unassigned_events.business_date between visitor_days.business_date - 1 and visitor_days.business_date
    union all
    select
        assigned_events.* exclude (session_id),
        coalesce(silent_ids.session_id, assigned_events.session_id) as source_session_id,
        visitor_days.business_date as seen_date
    from visitor_days
    inner join assigned_events
        on visitor_days.visitor_id = assigned_events.visitor_id
        and assigned_events.business_date between visitor_days.business_date - 1 and visitor_days.business_date
    left join silent_ids
        on assigned_events.family = silent_ids.family
        and assigned_events.event_id = silent_ids.event_id
        and assigned_events.business_date = silent_ids.business_date
        and visitor_days.business_date = silent_ids.seen_date
),

with_previous as (
    select
        *,
        coalesce(
            event_time - lag(event_time) over visitor_order > $longest_silence_minutes * interval 1 minute, true
        ) as follows_silence,
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
),

with_neighbours as (
    select
        *,
        lag(source_session_id ignore nulls) over session_events as previous_session_id,
        lead(source_session_id ignore nulls) over session_events as next_session_id
    from with_last_start
    window session_events as (partition by visitor_id, seen_date, started_at order by event_time, family, event_id)
),

named as (
    select
        family,
        event_id,
        business_date,
        -- Event ids may come back on another day or in the other family; a visitor opens one session at a time.
        coalesce(
            previous_session_id,
            next_session_id,
            xor(visitor_id, date_diff('microsecond', TIMESTAMP '1970-01-01', started_at))
        ) as session_id
    from with_neighbours
    where business_date = seen_date and source_session_id is null
    union all
    select family, event_id, business_date, session_id
    from silent_ids
    where business_date = seen_date
)

select
    family, -- the event's family: traffic or page
    event_id, -- the event
    business_date, -- its day
    session_id -- one of the source, else named by its visitor or id and first instant; without a pause, since yesterday
from named
