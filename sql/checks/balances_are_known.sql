-- Whether a payment after a deposit includes it is told by `balance_paid`, or by what the order was created for.
--
-- table: intermediate.payments
-- severity: warn
with paid_orders as (
    select order_id, business_date, money_class
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date and $to_date
),

sums as (
    select
        paid_orders.order_id,
        paid_orders.business_date,
        sum(coalesce(amount, 0) + coalesce(shipping_amount, 0)) filter (where event_type = 'deposit_paid') as deposits,
        sum(coalesce(amount, 0) + coalesce(shipping_amount, 0))
            filter (where event_type in ('paid', 'balance_paid')) as paid,
        nullif(sum(amount + coalesce(shipping_amount, 0)) filter (where event_type = 'created'), 0) as created
    from paid_orders
    inner join staging.order_events
        on paid_orders.order_id = order_events.order_id
        and order_events.business_date
            between paid_orders.business_date - $order_lifetime_days and paid_orders.business_date
    where money_class != 'presale_balance' and event_type in ('created', 'deposit_paid', 'balance_paid', 'paid')
    group by paid_orders.order_id, paid_orders.business_date
),

-- One that alone makes the order includes its deposit.
unknown as (
    select business_date, count(*) as orders, sum(deposits) as amount
    from sums
    where deposits > 0 and coalesce(paid < 0.99 * created, true)
    group by business_date
)

select
    business_date, -- the day
    orders, -- paid after a deposit, and nothing says whether with it
    amount::DECIMAL(18, 2)::VARCHAR as amount -- their deposits
from unknown
