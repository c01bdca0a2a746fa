-- A payment comes after its order's creation.
--
-- table: intermediate.payments
-- severity: warn
select
    payments.business_date, -- the day
    count(*) || ' orders paid before they were created' as observed, -- cases
    'none' as expected -- none
from intermediate.payments
inner join intermediate.orders
    on payments.order_id = orders.order_id and payments.created_date = orders.business_date
where payments.paid_at < orders.created_at and payments.business_date between $from_date and $to_date
group by payments.business_date
