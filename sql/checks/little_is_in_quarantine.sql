-- At most one delivered row in a hundred is in quarantine.
--
-- table: staging.order_events
-- severity: warn
with totals as (
    select dt as business_date, family, sum(rows_read) as rows_read, sum(rows_quarantined) as quarantined
    from quality.deliveries
    where dt between $from_date and $to_date
    group by dt, family
)

select
    business_date, -- the day of delivery
    family || ': ' || quarantined || ' of ' || rows_read || ' rows' as observed, -- quarantined
    'at most 1 %' as expected -- ceiling
from totals
where quarantined > 0.01 * rows_read
