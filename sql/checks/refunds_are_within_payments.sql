-- An order is given back no more than was paid for it, but for an odd one.
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
    where not is_excluded and paid_to_date is not null and business_date between $from_date - 27 and $to_date
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
),

-- A shop of few refunds shows a fault by several days of one each.
histories as (
    select
        *,
        sum(orders) over four_weeks as recent_orders,
        sum(refunded_orders) over four_weeks as recent_refunded_orders
    from totals
    window four_weeks as (
        order by business_date range between interval 27 days preceding and current row
    )
)

select
    business_date, -- the day
    orders, -- given back too much
    refunded_orders, -- of so many
    refunded_amount::VARCHAR as refunded_amount, -- what was given back for them by then
    paid_amount::VARCHAR as paid_amount -- what was paid for them by then
from histories
-- One order in a hundred is a mistake at the till, and a single one always may be. More than that and three standard
-- deviations of it is no chance: 2 of 20 orders, 4 of 100, 20 of 1000.
where business_date >= $from_date and orders > 0 and (
    (orders > 1 and orders > 0.01 * refunded_orders + 3 * sqrt(0.0099 * refunded_orders))
    or (recent_orders > 1 and recent_orders > 0.01 * recent_refunded_orders + 3 * sqrt(0.0099 * recent_refunded_orders))
)
