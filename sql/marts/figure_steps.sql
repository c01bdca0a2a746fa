-- One step of a platform's own funnel: how many of those at one figure reach the next that the platform states.
--
-- The figures count people a day, as the platform counts them: days, products and sources overlap and are never added.
--
-- grain: business_date, platform, shop, level, object, parent, device, step
-- history: 0
-- owner: analytics
with places as (
    select
        *,
        case metric
            when 'impressions' then 1
            when 'clicks' then 2
            when 'impression_users' then 3
            when 'viewers' then 4
            when 'visitors' then 5
            when 'product_impression_users' then 6
            when 'product_click_users' then 7
            when 'product_visitors' then 8
            when 'cart_users' then 9
            when 'order_buyers' then 10
            when 'paying_buyers' then 11
            when 'search_visitors' then 1
            when 'search_paying_buyers' then 2
            when 'inquirers' then 1
            when 'inquirers_paid' then 2
        end as place,
        case
            when metric in ('search_visitors', 'search_paying_buyers') then 'search'
            when metric in ('inquirers', 'inquirers_paid') then 'service'
            else 'shop'
        end as funnel
    from marts.figures
    where business_date between $from_date and $to_date
        and metric in (
            'impressions', 'clicks', 'impression_users', 'viewers', 'visitors', 'product_impression_users',
            'product_click_users', 'product_visitors', 'cart_users', 'order_buyers', 'paying_buyers', 'search_visitors',
            'search_paying_buyers', 'inquirers', 'inquirers_paid'
        )
),

steps as (
    select
        *,
        lag(metric) over (
            partition by business_date, platform, shop, level, object, parent, device, funnel order by place
        ) as entered_metric,
        lag(figure_value) over (
            partition by business_date, platform, shop, level, object, parent, device, funnel order by place
        ) as entered
    from places
)

select
    business_date, -- the day
    platform, -- who states the figures
    shop, -- the shop
    level, -- what the step is about: shop, product, source, keyword, campaign, agent, room, peers
    object, -- which one; empty for the shop
    object_name, -- its name, where the platform states one
    parent, -- what the object is part of; empty where nothing is stated
    device, -- the kind of device; empty for all
    entered_metric || ' > ' || metric as step, -- the two figures of the step
    entered_metric, -- the figure before
    metric as passed_metric, -- the figure reached
    floor(entered)::BIGINT as entered, -- its value: people, or times shown
    floor(figure_value)::BIGINT as passed -- the value of the figure reached
from steps
where entered_metric is not null
