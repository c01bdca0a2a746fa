-- Refunds of the day by the day of the payment they take back.
--
-- grain: business_date, paid_date, age_bucket
-- history: 0
-- owner: finance
select
    business_date, -- the day of the refund
    paid_date, -- the day the order was paid; null for a deposit, and for a refund that names no known payment
    case
        when is_deposit then 'deposit'
        when age_seconds is null then 'unlinked'
        when age_seconds <= 3600 then '00_within_1_hour'
        when age_days <= 1 then '01_within_1_day'
        when age_days <= 7 then '07_within_7_days'
        when age_days <= 15 then '15_within_15_days'
        when age_days <= 30 then '30_within_30_days'
        else '99_later'
    end as age_bucket, -- how long after the payment
    sum(refund_count)::BIGINT as refunds, -- refund lines
    sum(amount)::DECIMAL(18, 2) as amount -- refunded
from intermediate.refunds
where not is_excluded and business_date between $from_date and $to_date
group by all
