-- Staged service events are the delivered rows without the duplicates.
--
-- table: staging.service_events
-- severity: block
with delivered as (
    select business_date, count(*) as row_count
    from raw.service_events
    where business_date between $from_date and $to_date
    group by business_date
),

duplicates as (
    select business_date, count(*) as row_count
    from quality.duplicate_events
    where family = 'service' and business_date between $from_date and $to_date
    group by business_date
),

staged as (
    select business_date, count(*) as row_count
    from staging.service_events
    where business_date between $from_date and $to_date
    group by business_date
)

select
    business_date, -- the day
    coalesce(staged.row_count, 0) || ' rows staged' as observed, -- staged
    coalesce(delivered.row_count, 0) || ' delivered, ' || coalesce(duplicates.row_count, 0) || ' duplicates'
        as expected -- delivered
from delivered
left join duplicates using (business_date)
full join staged using (business_date)
where coalesce(staged.row_count, 0) != coalesce(delivered.row_count, 0) - coalesce(duplicates.row_count, 0)
