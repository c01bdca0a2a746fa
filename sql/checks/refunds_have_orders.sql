-- Refunds name their order, and nearly all of it was paid before; what was paid before start_date is not known here.
--
-- table: intermediate.refunds
-- severity: warn
with totals as (
    select
        business_date,
        sum(refund_count) as refunds,
        coalesce(sum(refund_count) filter (where order_id is null), 0) as nameless,
        coalesce(sum(refund_count) filter (where order_id is not null and paid_date is null and not is_deposit), 0)
            as unpaid
    from intermediate.refunds
    where business_date between $from_date - 28 and $to_date
    group by business_date
),

-- A source that does not link refunds to orders never does: nine in ten of the 28 days before, of twenty and more.
histories as (
    select
        *,
        sum(refunds) over before as usual_refunds,
        sum(nameless + unpaid) over before as usual_unlinked
    from totals
    window before as (
        order by business_date range between interval 28 days preceding and interval 1 day preceding
    )
),

-- A tenth, and three standard deviations of it: a day of few refunds may well have more by chance.
ceilings as (
    select
        *,
        0.1 * refunds + 3 * sqrt(0.09 * refunds) as ceiling,
        coalesce(usual_refunds >= 20 and usual_unlinked >= 0.9 * usual_refunds, false) as is_never_linked
    from histories
    where business_date >= $from_date
)

select
    business_date, -- the day
    nameless, -- refunds that name no order
    unpaid, -- refunds of orders that were never paid here
    refunds -- of so many
from ceilings
where not is_never_linked and (nameless > 0 or (unpaid >= 3 and unpaid > ceiling))
