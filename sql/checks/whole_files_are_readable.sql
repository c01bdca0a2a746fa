-- No delivered file of the day is unreadable as a whole.
--
-- table: staging.page_events
-- severity: block
select
    dt as business_date, -- the day of delivery
    family || ' ' || file || ': ' || message as observed, -- the file and why
    'a readable file' as expected -- readable
from quality.deliveries
where status = 'quarantined' and rows_read = 0 and dt between $from_date and $to_date
