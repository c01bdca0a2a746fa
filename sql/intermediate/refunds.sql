-- What was refunded for an order on a day, and how long after its payment.
--
-- grain: order_id, business_date
-- history: all
-- owner: analytics
with refund_days as (
    select
        order_id,
        business_date,
        count(*) as refund_count,
        coalesce(sum(amount) + coalesce(sum(shipping_amount), 0), sum(shipping_amount))::DECIMAL(18, 2) as amount,
        min(event_time) as refunded_at,
        max(event_time) as last_refunded_at,
        bool_or(excluded_reason is not null) as is_marked_excluded
    from staging.order_events
    where event_type = 'refunded' and business_date between $from_date and $to_date
    group by order_id, business_date
),

payments as (
    select order_id, business_date, paid_at, amount, money_class
    from intermediate.payments
    where business_date <= $to_date
),

deposits as (
    select
        order_id,
        business_date,
        coalesce(sum(amount), 0) + coalesce(sum(shipping_amount), 0) as amount,
        bool_or(excluded_reason is not null) as is_excluded
    from staging.order_events
    where event_type = 'deposit_paid' and business_date <= $to_date
    group by order_id, business_date
),

shipments as (
    select order_id, business_date, min(event_time) as shipped_at
    from staging.order_events
    where event_type = 'shipped' and business_date <= $to_date
    group by order_id, business_date
),

earlier_refunds as (
    select order_id, business_date, coalesce(sum(amount), 0) + coalesce(sum(shipping_amount), 0) as amount
    from staging.order_events
    where event_type = 'refunded' and business_date <= $to_date
    group by order_id, business_date
),

paid_before as (
    select
        refund_days.order_id,
        refund_days.business_date,
        min(payments.business_date) as paid_date,
        min(payments.paid_at) as paid_at,
        sum(payments.amount) as paid_amount,
        bool_or(payments.money_class = 'excluded') as is_excluded
    from refund_days
    inner join payments
        on refund_days.order_id = payments.order_id and payments.business_date <= refund_days.business_date
    group by refund_days.order_id, refund_days.business_date
),

deposited_before as (
    select
        refund_days.order_id,
        refund_days.business_date,
        sum(deposits.amount) as deposited_amount,
        bool_or(deposits.is_excluded) as is_excluded
    from refund_days
    inner join deposits
        on refund_days.order_id = deposits.order_id and deposits.business_date <= refund_days.business_date
    group by refund_days.order_id, refund_days.business_date
),

shipped_before as (
    select distinct refund_days.order_id, refund_days.business_date
    from refund_days
    inner join shipments
        on refund_days.order_id = shipments.order_id
        and shipments.shipped_at <= refund_days.last_refunded_at
),

refunded_so_far as (
    select refund_days.order_id, refund_days.business_date, sum(earlier_refunds.amount) as amount
    from refund_days
    inner join earlier_refunds
        on refund_days.order_id = earlier_refunds.order_id
        and earlier_refunds.business_date <= refund_days.business_date
    group by refund_days.order_id, refund_days.business_date
)

select
    refund_days.order_id, -- the order; null for a refund that names none
    refund_days.business_date, -- the day of the refund
    refund_days.refund_count, -- refund lines
    refund_days.amount, -- refunded that day, postage in; null where no line says how much
    paid_before.paid_date, -- the day the order was first paid; null for a deposit and for an unlinked refund
    date_diff('day', paid_before.paid_date, refund_days.business_date) as age_days, -- days since then
    date_diff('second', paid_before.paid_at, refund_days.refunded_at) as age_seconds, -- seconds since then
    paid_before.order_id is null and deposited_before.order_id is not null
        as is_deposit, -- a deposit whose balance was not paid: in no paid amount
    coalesce(paid_before.is_excluded, refund_days.is_marked_excluded or coalesce(deposited_before.is_excluded, false))
        as is_excluded, -- of an order the shop does not count
    coalesce(paid_amount, deposited_amount)::DECIMAL(18, 2) as paid_to_date, -- what was paid for the order by then
    refunded_so_far.amount::DECIMAL(18, 2) as refunded_to_date, -- what was given back of it by then
    coalesce(refunded_so_far.amount >= paid_before.paid_amount, false)
    and shipped_before.order_id is null as is_void -- all money is back and nothing was shipped: no purchase took place
from refund_days
left join paid_before using (order_id, business_date)
left join deposited_before using (order_id, business_date)
left join shipped_before using (order_id, business_date)
left join refunded_so_far using (order_id, business_date)
