-- Same day + carried over + presale balances + no session is the paid amount, to the cent.
--
-- table: marts.daily_money
-- severity: block
with parts as (
    select business_date, sum(amount) filter (where money_class != 'excluded') as amount
    from marts.daily_money
    where business_date between $from_date and $to_date
    group by business_date
),

paid_events as (
    select order_events.business_date, order_events.order_id, amount, shipping_amount
    from staging.order_events
    where event_type in ('paid', 'balance_paid') and business_date between $from_date and $to_date
),

counted_orders as (
    select order_id, business_date
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date and $to_date
),

deposits as (
    select
        counted_orders.business_date,
        sum(coalesce(order_events.amount, 0) + coalesce(order_events.shipping_amount, 0)) as amount
    from counted_orders
    inner join intermediate.payments using (order_id, business_date)
    inner join staging.order_events
        on counted_orders.order_id = order_events.order_id
        and order_events.event_type = 'deposit_paid'
        and order_events.business_date between counted_orders.business_date - 60 and counted_orders.business_date
    where payments.money_class = 'presale_balance'
    group by counted_orders.business_date
),

delivered as (
    select business_date, sum(coalesce(amount, 0) + coalesce(shipping_amount, 0)) as amount
    from paid_events
    semi join counted_orders using (order_id, business_date)
    group by business_date
)

select
    business_date, -- the day
    coalesce(parts.amount, 0)::VARCHAR as observed, -- the parts
    (coalesce(delivered.amount, 0) + coalesce(deposits.amount, 0))::VARCHAR as expected -- the delivered payments
from delivered
full join parts using (business_date)
left join deposits using (business_date)
where coalesce(parts.amount, 0) != coalesce(delivered.amount, 0) + coalesce(deposits.amount, 0)
