-- A purchase day that turned out to be none: all its orders were refunded in full with nothing shipped.
--
-- Whoever asks for purchases as known by the end of a day takes the purchase days without those voided by then.
--
-- grain: customer_id, purchase_date
-- history: all
-- owner: analytics
with voids as (
    select
        payments.customer_id,
        payments.business_date as purchase_date,
        payments.order_id,
        min(refunds.business_date) as void_date
    from intermediate.refunds
    inner join intermediate.payments
        on refunds.order_id = payments.order_id and payments.business_date <= refunds.business_date
    where refunds.is_void and refunds.business_date <= $to_date
        and payments.is_purchase and payments.money_class != 'excluded'
    group by payments.customer_id, payments.business_date, payments.order_id
),

void_days as (
    select customer_id, purchase_date, count(*) as order_count, max(void_date) as void_date
    from voids
    group by customer_id, purchase_date
)

select
    void_days.customer_id, -- the customer
    purchase_date, -- the purchase day
    void_date as business_date -- the day on which its last order was refunded
from void_days
inner join intermediate.purchase_days
    on void_days.customer_id = purchase_days.customer_id
    and void_days.purchase_date = purchase_days.business_date
    and void_days.order_count = purchase_days.order_count
where void_date between $from_date and $to_date
