-- Products viewed in human sessions and put into the cart.
--
-- grain: business_date, product_id, category, channel, device
-- history: 28
-- owner: product
with viewed as (
    select session_id, business_date, product_id, is_qualified, is_favorite_or_cart, is_carted
    from intermediate.session_products
    where is_viewed and business_date between $from_date and $to_date
),

sessions as (
    select session_id, business_date, channel, device
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
),

ordered_categories as (
    select distinct product_id, category, business_date
    from staging.order_events
    where product_id is not null and category is not null and excluded_reason is null
        and business_date between $from_date - 28 and $to_date
),

days as (
    select distinct business_date
    from sessions
),

product_categories as (
    select product_id, days.business_date, min(category) as category
    from ordered_categories
    inner join days
        on ordered_categories.business_date between days.business_date - 28 and days.business_date
    group by product_id, days.business_date
)

select
    business_date, -- the day
    product_id, -- the product (SPU)
    coalesce(category, 'none') as category, -- its category, from the orders of the last four weeks
    channel, -- channel of the session
    device, -- kind of device
    count(*) as viewed, -- session × product: page opened
    count(*) filter (where is_qualified) as qualified, -- stayed on or interacted with
    count(*) filter (where is_favorite_or_cart) as favorite_or_cart, -- kept or put into the cart
    count(*) filter (where is_carted) as carted -- put into the cart
from viewed
inner join sessions using (session_id, business_date)
left join product_categories using (product_id, business_date)
group by all
