-- How many days after its day a refund was first told of: exports of orders tell of many only days later.
--
-- grain: business_date, lag_days
-- history: 0
-- owner: data
select
    business_date, -- the day of the refund
    lag_days, -- days until a delivery told of it
    first_lag_days, -- days until the first delivery with order events of the day
    refunds -- refunds
from staging.refund_lags
where business_date between $from_date and $to_date
