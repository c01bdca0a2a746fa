-- The category of a product on a day: the one it was ordered under in the four weeks before. Page events know none.
--
-- A late order restates the days that it changes: with a history of 28 days it would have them built whole.
--
-- grain: product_id, business_date
-- history: all
-- owner: analytics
with days as (
    select unnest(generate_series($from_date::TIMESTAMP, $to_date::TIMESTAMP, interval 1 day)::DATE[]) as business_date
),

ordered as (
    select distinct product_id, category, business_date
    from staging.order_events
    where product_id is not null and category is not null and excluded_reason is null
        and business_date between $from_date - 28 and $to_date
)

select
    days.business_date, -- the day
    product_id, -- the product (SPU)
    min(category) as category -- its category; of several the first by name
from days
inner join ordered on ordered.business_date between days.business_date - 28 and days.business_date
group by days.business_date, product_id
