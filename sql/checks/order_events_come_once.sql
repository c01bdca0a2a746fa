-- An event of an order comes once: no second delivery has it under another id, and no order is created twice.
--
-- table: intermediate.orders
-- severity: warn
with refused as (
    select delivery_id, row_number
    from staging.refused_events
    where family = 'order' and business_date between $from_date - $order_lifetime_days and $to_date
),

order_events as (
    select
        order_id,
        business_date,
        event_type,
        event_time,
        delivery_id,
        line,
        coalesce(product_id, sku) as product,
        refund_id,
        amount + coalesce(shipping_amount, 0) as money
    from raw.order_events
    anti join refused using (delivery_id, row_number)
    where order_id is not null and excluded_reason is null
        and event_type in ('created', 'deposit_paid', 'balance_paid', 'paid', 'refunded')
        and business_date between $from_date - $order_lifetime_days and $to_date
),

orders as (
    select distinct order_id, business_date
    from order_events
    where business_date >= $from_date
),

-- The same instant from two deliveries: a row that came again with other values.
delivered_again as (
    select distinct order_id, business_date
    from (
        select order_id, business_date
        from order_events
        where business_date >= $from_date
        group by order_id, business_date, event_type, event_time, line, product, refund_id
        having count(distinct delivery_id) > 1
    ) as events
),

-- A numbered line created a second time within 60 days, or a product or whole order at a second time: all lines of one
-- creation have its time, and rows of one time without a line are units.
created_again as (
    select distinct order_id, business_date
    from (
        select orders.order_id, orders.business_date
        from orders
        inner join order_events
            on orders.order_id = order_events.order_id
            and order_events.business_date
                between orders.business_date - $order_lifetime_days and orders.business_date
        where event_type = 'created'
        group by orders.order_id, orders.business_date, line, product
        having max(order_events.business_date) = orders.business_date
            and case when line is not null then count(*) else count(distinct event_time) end > 1
    ) as lines
),

again as (
    select order_id, business_date
    from delivered_again
    union
    select order_id, business_date
    from created_again
),

occurrences as (
    select
        again.order_id,
        again.business_date,
        line,
        product,
        event_type = 'created' as is_creation,
        sum(money) as amount,
        case when line is null then sum(money) else max(money) end as once_amount
    from again
    inner join order_events
        on again.order_id = order_events.order_id
        and order_events.business_date
            between again.business_date - $order_lifetime_days and again.business_date
    where event_type != 'refunded'
    group by again.order_id, again.business_date, line, product, event_type, event_time, delivery_id
),

-- What the creations come to, or where there are none the payments: all of them, and the largest of each line.
lines as (
    select
        order_id,
        business_date,
        sum(amount) filter (where is_creation) as created,
        max(once_amount) filter (where is_creation) as created_once,
        sum(amount) filter (where not is_creation) as paid,
        max(once_amount) filter (where not is_creation) as paid_once
    from occurrences
    group by order_id, business_date, line, product
),

order_sums as (
    select
        business_date,
        coalesce(sum(created), sum(paid)) as amount,
        coalesce(sum(created_once), sum(paid_once)) as once_amount
    from lines
    group by business_date, order_id
),

sums as (
    select business_date, sum(amount) as amount, sum(once_amount) as once_amount
    from order_sums
    group by business_date
),

totals as (
    select
        orders.business_date,
        count(again.order_id) as again,
        count(*) as orders
    from orders
    left join again using (order_id, business_date)
    group by orders.business_date
)

select
    business_date, -- the day
    again, -- orders whose events came again
    orders, -- of so many
    coalesce(amount, 0)::DECIMAL(18, 2)::VARCHAR as amount, -- what they come to, counted each time
    coalesce(once_amount, 0)::DECIMAL(18, 2)::VARCHAR as once_amount -- and counted once
from totals
left join sums using (business_date)
-- One in a hundred comes again by chance, and three standard deviations of it. A single order says nothing of an export,
-- unless it is the day's only one.
where (again > 1 or again = orders) and again > 0.01 * orders + 3 * sqrt(0.0099 * orders)
