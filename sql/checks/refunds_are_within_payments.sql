-- An order is given back no more than was paid for it.
--
-- table: intermediate.refunds
-- severity: warn
with refunds as (
    select
        business_date,
        refunded_to_date,
        paid_to_date,
        -- One refund may carry a return's postage; several come to what was paid, but for rounding.
        case when refunded_to_date > amount or refund_count > 1 then 1.01 else 1.5 end * paid_to_date as most
    from intermediate.refunds
    where not is_excluded and paid_to_date is not null and business_date between $from_date and $to_date
),

totals as (
    select
        business_date,
        count(*) filter (where refunded_to_date > most) as orders,
        count(*) as refunded_orders,
        sum(refunded_to_date) filter (where refunded_to_date > most) as refunded_amount,
        sum(paid_to_date) filter (where refunded_to_date > most) as paid_amount
    from refunds
    group by business_date
)

select
    business_date, -- the day
    orders, -- given back too much
    refunded_orders, -- of so many
    refunded_amount::VARCHAR as refunded_amount, -- what was given back for them by then
    paid_amount::VARCHAR as paid_amount -- what was paid for them by then
from totals
where orders > 0.01 * refunded_orders
