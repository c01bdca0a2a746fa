-- Payments name their order; where the shop reports creations, nearly all orders were created before they were paid.
--
-- table: intermediate.payments
-- severity: warn
with order_events as (
    select business_date, event_type, order_id, shop, coalesce(sales_channel, '') as sales_channel
    from staging.order_events
    where event_type in ('created', 'deposit_paid', 'balance_paid', 'paid')
        and business_date between $from_date - $order_lifetime_days and $to_date
),

created as (
    select distinct order_id, business_date as created_date
    from order_events
    where event_type = 'created'
),

-- A till reports payments only: its orders are created by them. So are single orders of any shop.
creating as (
    select distinct shop, sales_channel, business_date as created_date
    from order_events
    where event_type = 'created'
),

paid as (
    select distinct business_date, order_id, shop, sales_channel
    from order_events
    where event_type <> 'created' and order_id is not null and business_date >= $from_date
),

looked_up as (
    select
        paid.business_date,
        paid.order_id,
        bool_or(created.order_id is not null) as is_created,
        bool_or(creating.shop is not null) as is_reported
    from paid
    left join created
        on paid.order_id = created.order_id
        and created.created_date between paid.business_date - $order_lifetime_days and paid.business_date
    left join creating
        on paid.shop = creating.shop and paid.sales_channel = creating.sales_channel
        and creating.created_date between paid.business_date - $order_lifetime_days and paid.business_date
    group by paid.business_date, paid.order_id
),

counts as (
    select
        business_date,
        count(*) as orders,
        count(*) filter (where is_reported and not is_created) as unknown,
        0 as nameless
    from looked_up
    group by business_date
    union all
    select business_date, 0, 0, count(*)
    from order_events
    where event_type <> 'created' and order_id is null and business_date >= $from_date
    group by business_date
),

totals as (
    select business_date, sum(orders) as orders, sum(unknown) as unknown, sum(nameless) as nameless
    from counts
    group by business_date
)

select
    business_date, -- the day
    nameless, -- payments that name no order
    unknown, -- paid orders that were never created in the 60 days before
    orders -- of so many
from totals
-- One in twenty, and three standard deviations of it: a day of few orders may well have more by chance.
where nameless > 0 or (unknown >= 3 and unknown > 0.05 * orders + 3 * sqrt(0.0475 * orders))
