-- No delivery with rows of the day looks misread: day and month swapped, hours that no clock showed, ids as decimals.
--
-- table: staging.order_events
-- severity: warn
with suspicious as (
    select
        delivery_id,
        dt,
        family,
        file,
        -- As sentences for every language; a ledger of before has them as text alone.
        coalesce(told::JSON, [{'key': 'as_told', 'values': {'text': warning}}]::JSON) as warning
    from quality.deliveries
    where warning is not null
),

-- The day on which it came, and those to which its rows went.
affected as (
    select delivery_id, dt as business_date
    from suspicious
    union
    select delivery_id, business_date
    from quality.delivery_dates
    where business_date between $from_date and $to_date
)

select
    business_date, -- the day
    family, -- what was delivered
    file, -- where
    warning -- what looks wrong, and the remedy
from affected
inner join suspicious using (delivery_id)
where business_date between $from_date and $to_date
