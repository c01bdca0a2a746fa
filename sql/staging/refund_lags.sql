-- How many days after its day a refund was first told of, by the deliveries that tell of it.
--
-- grain: business_date, lag_days
-- history: 0
-- owner: data
with first_deliveries as (
    select business_date, min(dt) as delivered_on
    from raw.order_events
    where business_date between $from_date and $to_date
    group by business_date
),

refunds as (
    select business_date, event_id, min(dt) as told_on
    from raw.order_events
    where event_type = 'refunded' and business_date between $from_date and $to_date
    group by business_date, event_id
)

select
    refunds.business_date, -- the day of the refund
    date_diff('day', refunds.business_date, told_on)::INTEGER as lag_days, -- days until a delivery told of it
    date_diff('day', refunds.business_date, delivered_on)::INTEGER
        as first_lag_days, -- days until the first delivery with order events of the day
    count(*) as refunds -- refunds
from refunds
inner join first_deliveries using (business_date)
group by all
