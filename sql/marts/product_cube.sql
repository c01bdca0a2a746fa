-- Products viewed in human sessions and put into the cart.
--
-- grain: business_date, product_id, category, channel, device
-- history: 0
-- owner: product
with viewed as (
    select session_id, business_date, product_id, first_seen_at, is_qualified, is_favorite_or_cart, is_carted
    from intermediate.session_products
    where is_viewed and business_date between $from_date and $to_date
),

sessions as (
    select session_id, business_date, channel, device
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
),

product_categories as (
    select product_id, business_date, category
    from intermediate.product_categories
    where business_date between $from_date and $to_date
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
