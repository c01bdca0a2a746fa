-- Purchase days of the day and, by gap, how long ago the same customers had bought before.
--
-- Days on which every order was refunded before shipment by the end of the day do not count.
--
-- grain: business_date, previous_date
-- history: all
-- owner: membership
with voids as (
    select payments.customer_id, payments.business_date, count(distinct payments.order_id) as order_count
    from intermediate.refunds
    inner join intermediate.payments
        on refunds.order_id = payments.order_id and refunds.business_date = payments.business_date
    where refunds.is_void and refunds.business_date <= $to_date and payments.money_class != 'excluded'
    group by payments.customer_id, payments.business_date
),

purchases as (
    select purchase_days.customer_id, purchase_days.business_date
    from intermediate.purchase_days
    left join voids using (customer_id, business_date)
    where coalesce(voids.order_count, 0) < purchase_days.order_count and business_date <= $to_date
),

with_previous as (
    select
        customer_id,
        business_date,
        lag(business_date) over (partition by customer_id order by business_date) as previous_date
    from purchases
)

select
    business_date, -- the purchase day
    previous_date, -- the customers' purchase day before; null for a first purchase
    date_diff('day', previous_date, business_date)::INTEGER as gap_days, -- days between
    count(*) as customers -- customers
from with_previous
where business_date >= $from_date
group by all
