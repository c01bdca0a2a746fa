-- Every delivered row is accepted, a duplicate, in quarantine or erased with its person.
--
-- table: staging.order_events
-- severity: block
select
    coalesce(delivery_dates.business_date, reconciliation.dt)
        as business_date, -- a day the delivery touches, else its own
    reconciliation.family, -- what was delivered
    reconciliation.file, -- where
    rows_read, -- what came
    accepted + duplicates + quarantined + erased as accounted_for -- what is known of it
from quality.reconciliation
left join quality.delivery_dates using (delivery_id)
where difference != 0
    and coalesce(delivery_dates.business_date, reconciliation.dt) between $from_date and $to_date
