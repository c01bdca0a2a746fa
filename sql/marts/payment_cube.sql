-- Orders created on the day and those paid by its end.
--
-- grain: business_date, payment_provider, device, region
-- history: 0
-- owner: finance
with orders as (
    select *
    from intermediate.orders
    where excluded_reason is null and business_date between $from_date and $to_date
),

payments as (
    select order_id, business_date, amount
    from intermediate.payments
    where money_class in ('same_day', 'carried_over', 'no_session') and business_date between $from_date and $to_date
)

select
    orders.business_date, -- the day the orders were created
    orders.payment_provider, -- who carries the payment
    orders.device, -- kind of device of the order's session; none without a session
    orders.region, -- region of the order's session; none without a session
    count(*) as orders, -- orders created
    count(*) filter (where orders.is_presale) as presale_orders, -- of them presales, whose balance is due later
    count(payments.order_id) as paid, -- orders paid by the end of the day
    case when count(payments.order_id) = 0 then 0 else sum(payments.amount) end::DECIMAL(18, 2)
        as paid_amount -- amount paid for them; null where none says how much
from orders
left join payments
    on orders.order_id = payments.order_id and orders.business_date = payments.business_date
group by all
