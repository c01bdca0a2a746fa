-- Every delivered row is accepted, a duplicate or in quarantine.
--
-- table: staging.order_events
-- severity: block
select
    delivery_dates.business_date, -- a day the delivery touches
    family || ' ' || file || ': ' || rows_read || ' rows read' as observed, -- what came
    (accepted + duplicates + quarantined) || ' accounted for' as expected -- where it went
from quality.reconciliation
inner join quality.delivery_dates using (family, dt, file)
where difference != 0 and delivery_dates.business_date between $from_date and $to_date
