-- A payment comes after its order's creation.
--
-- table: intermediate.payments
-- severity: warn
with payments_first as (
    select payments.business_date, payments.order_id
    from intermediate.payments
    inner join intermediate.orders
        on payments.order_id = orders.order_id and payments.created_date = orders.business_date
    where payments.paid_at < orders.created_at and payments.business_date between $from_date and $to_date
    union
    -- Paid on an earlier day: the creation is what comes out of order, on its own day.
    select orders.business_date, orders.order_id
    from intermediate.orders
    inner join intermediate.payments
        on orders.order_id = payments.order_id
        and payments.business_date between orders.business_date - $order_lifetime_days and orders.business_date - 1
    where orders.business_date between $from_date and $to_date
)

select
    business_date, -- the day
    count(*) as orders -- paid before they were created
from payments_first
group by business_date
