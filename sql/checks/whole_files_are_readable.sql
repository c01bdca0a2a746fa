-- Every delivered file of the day can be read, but for those that were dropped. The rest is taken; nothing left blocks.
--
-- table: staging.page_events
-- severity: warn
with dropped as (
    select distinct delivery_id
    from quality.quarantine
    where row_number = 0 and dropped_at is not null
)

select
    dt as business_date, -- the day of delivery
    family, -- what was delivered
    file, -- where
    -- why it cannot be read, as sentences for every language; a ledger of before has them as text alone
    coalesce(told::JSON, [{'key': 'as_told', 'values': {'text': message}}]::JSON) as message
from quality.deliveries
left join dropped using (delivery_id)
where status = 'quarantined' and rows_read = 0 and dropped.delivery_id is null
    and dt between $from_date and $to_date
