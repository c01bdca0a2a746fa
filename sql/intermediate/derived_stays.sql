-- The stay on a viewed page where the shop sends no dwell_ms: the time until its session went on, at most 30 minutes.
--
-- Only of shops that send a stay with fewer than one in four of the day's views: where stays are sent, a lost one stays
-- unknown. It ends with the next page, with a page_leave, else with the session's last event of the day.
--
-- grain: event_id, business_date
-- history: 0
-- owner: page
with page_events as not materialized (
    select
        coalesce(derived_sessions.session_id, delivered.session_id) as session_id,
        delivered.business_date,
        coalesce(delivered.shop, '') as shop,
        delivered.event_id,
        delivered.event_time,
        delivered.event_type,
        delivered.is_bot,
        delivered.dwell_ms,
        coalesce(delivered.page, delivered.product_id, delivered.page_type) as place,
        delivered.event_type in ('page_view', 'product_view', 'live_enter') as is_view
    from staging.page_events as delivered
    left join intermediate.derived_sessions
        on derived_sessions.family = 'page'
        and delivered.event_id = derived_sessions.event_id
        and delivered.business_date = derived_sessions.business_date
    where delivered.business_date between $from_date and $to_date
),

shops_without_stays as (
    select business_date, shop
    from page_events
    where not coalesce(is_bot, false)
    group by business_date, shop
    having 4 * count(dwell_ms) < count(*) filter (where is_view)
),

with_previous_view as (
    select
        *,
        lag(case when is_view then place end ignore nulls) over session_order as previous_place,
        lag(case when is_view then event_type end ignore nulls) over session_order as previous_type
    from page_events
    semi join shops_without_stays using (business_date, shop)
    where session_id is not null
    window session_order as (partition by session_id, business_date order by event_time, event_id)
),

-- Some shops report a product page twice, as page_view and as product_view: together they are one view.
with_ends as (
    select
        *,
        is_view and coalesce(place = previous_place and event_type != previous_type, false) as is_same_view,
        case
            when is_view then not coalesce(place = previous_place and event_type != previous_type, false)
            else event_type in ('page_leave', 'live_leave') and coalesce(place = previous_place, true)
        end as is_end
    from with_previous_view
),

with_next as (
    select
        *,
        lead(case when is_end then event_time end ignore nulls) over session_order as ended_at,
        lead(
            case when is_end then event_type = 'page_leave' and dwell_ms is not null end ignore nulls
        ) over session_order as is_told_on_leaving,
        lead(case when is_view then is_same_view end ignore nulls) over session_order as is_viewed_again,
        lead(event_time) over session_order as next_time,
        max(event_time) over (partition by session_id, business_date) as last_time
    from with_ends
    window session_order as (partition by session_id, business_date order by event_time, event_id)
)

select
    event_id, -- the view
    business_date, -- its day
    case
        when next_time is not null
            then least(
                date_diff('millisecond', event_time, coalesce(ended_at, last_time)), $longest_silence_minutes * 60000
            )
    end as dwell_ms -- milliseconds until the session went on; null for the session's last event
from with_next
where is_view and dwell_ms is null and not coalesce(is_told_on_leaving, false)
    and not (event_type = 'page_view' and (is_same_view or coalesce(is_viewed_again, false)))
