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

-- Told by the source, or by what the order comes to.
balances as (
    select order_id, business_date
    from staging.order_events
    where event_type = 'balance_paid' and business_date between $from_date - $order_lifetime_days and $to_date
    union
    select order_id, business_date
    from intermediate.payments
    where money_class = 'presale_balance' and business_date between $from_date - $order_lifetime_days and $to_date
),

-- A deposit counts on the first balance day from its own day on.
deposits_with_balance as (
    select
        order_events.order_id,
        order_events.event_id,
        order_events.business_date as deposit_date,
        min(coalesce(amount, 0) + coalesce(shipping_amount, 0)) as amount,
        min(balances.business_date) as business_date
    from staging.order_events
    inner join balances
        on order_events.order_id = balances.order_id
        and balances.business_date
            between order_events.business_date and order_events.business_date + $order_lifetime_days
    where event_type = 'deposit_paid'
        and order_events.business_date between $from_date - $order_lifetime_days and $to_date
    group by order_events.order_id, order_events.event_id, order_events.business_date
),

deposits as (
    select business_date, sum(amount) as amount
    from deposits_with_balance
    semi join counted_orders using (order_id, business_date)
    group by business_date
),

delivered as (
    select business_date, sum(coalesce(amount, 0) + coalesce(shipping_amount, 0)) as amount
    from paid_events
    semi join counted_orders using (order_id, business_date)
    group by business_date
)

select
    business_date, -- the day
    coalesce(parts.amount, 0)::VARCHAR as parts, -- what the parts come to
    (coalesce(delivered.amount, 0) + coalesce(deposits.amount, 0))::VARCHAR as delivered -- what the payments come to
from delivered
full join parts using (business_date)
left join deposits using (business_date)
where coalesce(parts.amount, 0) != coalesce(delivered.amount, 0) + coalesce(deposits.amount, 0)
