-- Of what a family delivers for a day, at least half is taken; dropped rows do not count.
--
-- table: staging.order_events
-- severity: block
with dropped as (
    select delivery_id, count(*) as rows_dropped
    from quality.quarantine
    where dropped_at is not null and row_number > 0 and reason <> 'conflicting_duplicate'
    group by delivery_id
),

totals as (
    select
        dt as business_date,
        family,
        sum(rows_read) as rows_read,
        sum(rows_quarantined - coalesce(rows_dropped, 0)) as quarantined
    from quality.deliveries
    left join dropped using (delivery_id)
    where dt between $from_date and $to_date
    group by dt, family
)

select
    business_date, -- the day of delivery
    family, -- what was delivered
    quarantined, -- rows that wait
    rows_read -- of so many
from totals
where quarantined > 0.5 * rows_read
