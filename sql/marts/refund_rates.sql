-- Refund rate and net amount of a payment day at equal ages; null until the day has that age.
--
-- grain: paid_date, within
-- history: all
-- owner: finance
-- kind: view
with ages as (
    select unnest([
        struct_pack(within := '1h', days := 1, last_bucket := '00'),
        struct_pack(within := '1d', days := 1, last_bucket := '01'),
        struct_pack(within := '7d', days := 7, last_bucket := '07'),
        struct_pack(within := '15d', days := 15, last_bucket := '15'),
        struct_pack(within := '30d', days := 30, last_bucket := '30')
    ], recursive := true)
),

data_end as (
    select max(business_date) as last_date, count(refunded_amount) > 0 as has_refunds
    from marts.daily_summary
),

paid as (
    select business_date as paid_date, paid_amount
    from marts.daily_summary
    where paid_amount > 0
),

refunded as (
    select paid.paid_date, ages.within, sum(amount) as refunded_amount
    from paid
    cross join ages
    inner join marts.refund_ages
        on refund_ages.paid_date = paid.paid_date and left(refund_ages.age_bucket, 2) <= ages.last_bucket
    group by paid.paid_date, ages.within
)

select
    paid_date, -- the day of the payments
    within, -- age: 1h, 1d, 7d, 15d, 30d
    paid_date + days::INTEGER <= last_date as is_mature, -- all payments of the day have that age
    paid_amount, -- paid that day
    case when has_refunds then coalesce(refunded_amount, 0)::DECIMAL(18, 2) end
        as refunded_amount, -- refunded so far, at that age at most; null where the shop never delivers refunds
    case when has_refunds and is_mature then coalesce(refunded_amount, 0) / paid_amount end
        as refund_rate, -- null until mature
    case when has_refunds and is_mature then paid_amount - coalesce(refunded_amount, 0) end
        as net_amount -- null until mature
from paid
cross join ages
cross join data_end
left join refunded using (paid_date, within)
