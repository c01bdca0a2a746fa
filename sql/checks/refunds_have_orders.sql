-- Refunds name their order, and nearly all of it was paid before; what was paid before start_date is not known here.
--
-- table: intermediate.refunds
-- severity: warn
with totals as (
    select
        business_date,
        sum(refund_count) as refunds,
        coalesce(sum(refund_count) filter (order_id is null), 0) as nameless,
        coalesce(sum(refund_count) filter (order_id is not null and paid_date is null), 0) as unpaid
    from intermediate.refunds
    where business_date between $from_date and $to_date
    group by business_date
),

-- A tenth, and three standard deviations of it: a day of few refunds may well have more by chance.
ceilings as (
    select *, 0.1 * refunds + 3 * sqrt(0.09 * refunds) as ceiling
    from totals
)

select
    business_date, -- the day
    nameless, -- refunds that name no order
    unpaid, -- refunds of orders that were never paid here
    refunds -- of so many
from ceilings
where nameless > 0 or (unpaid >= 3 and unpaid > ceiling)
