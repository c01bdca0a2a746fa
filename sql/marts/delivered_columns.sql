-- What the shop delivers: an event type, or a column that its events fill, on the day of the first such event.
--
-- What is missing here up to a day is unknown on that day, not zero.
--
-- grain: family, event_type, column_name
-- history: all
-- owner: data
with first_dates as (
    select family, event_type, column_name, min(business_date) as first_date
    from intermediate.filled_columns
    where business_date <= $to_date
    group by family, event_type, column_name
)

select
    family, -- the family
    event_type, -- the event type
    column_name, -- the column; event_type for the type itself
    first_date as business_date -- the business date of the first event
from first_dates
where first_date >= $from_date
