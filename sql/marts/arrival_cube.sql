-- Ad impressions, clicks and the human sessions that arrived, by source.
--
-- A click arrives when a human session of the same day carries its click_id; sources without click ids only give visits.
--
-- grain: business_date, channel, campaign, creative, landing_page, audience, device, region
-- history: 0
-- owner: traffic
with advertising as (
    select
        business_date,
        coalesce(channel, 'unknown') as channel,
        coalesce(campaign, 'none') as campaign,
        coalesce(creative, 'none') as creative,
        coalesce(landing_page, 'unknown') as landing_page,
        coalesce(audience, 'none') as audience,
        coalesce(device, 'unknown') as device,
        coalesce(region, 'unknown') as region,
        event_type,
        event_time,
        click_id,
        case when is_bot then 0 else quantity end as quantity,
        cost
    from staging.traffic_events
    where (event_type in ('impression', 'click') or cost is not null) and business_date between $from_date and $to_date
),

sessions as (
    select *
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
),

arrived_clicks as (
    select distinct business_date, click_id
    from sessions
    where click_id is not null
),

rows_of_day as (
    select
        advertising.* exclude (event_type, quantity, cost),
        case when event_type = 'impression' then quantity else 0 end as impressions,
        case when event_type = 'click' then quantity else 0 end as clicks,
        case when event_type = 'click' and advertising.click_id is not null then quantity else 0 end
            as identified_clicks,
        case when event_type = 'click' and arrived_clicks.click_id is not null then quantity else 0 end
            as arrived_clicks,
        0 as sessions,
        1 as advertisements,
        cost
    from advertising
    left join arrived_clicks using (business_date, click_id)
    union all
    select
        business_date, channel, campaign, creative, landing_page, audience, device, region,
        null as event_time, null as click_id,
        0 as impressions, 0 as clicks, 0 as identified_clicks, 0 as arrived_clicks, 1 as sessions,
        0 as advertisements, 0 as cost
    from sessions
)

select
    business_date, -- the day
    channel, -- channel
    campaign, -- campaign
    creative, -- creative
    landing_page, -- landing page
    audience, -- audience
    device, -- kind of device
    region, -- region
    sum(impressions)::BIGINT as impressions, -- times shown
    sum(clicks)::BIGINT as clicks, -- clicks
    sum(identified_clicks)::BIGINT as identified_clicks, -- clicks with a click_id: those whose arrival can be seen
    sum(arrived_clicks)::BIGINT as arrived_clicks, -- of them followed by a human session
    sum(sessions)::BIGINT as sessions, -- human sessions from this source, paid for or not
    case when sum(advertisements) = 0 then 0 else sum(cost) filter (where advertisements = 1) end::DECIMAL(18, 2)
        as cost -- advertising cost, also of what robots saw and clicked; null where no advertisement says its cost
from rows_of_day
group by all
