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
    first_dates.family, -- the family
    first_dates.event_type, -- the event type
    first_dates.column_name, -- the column; event_type for the type itself
    business_date, -- the business date of the first event
    event_count -- how many such events that day had
from first_dates
inner join intermediate.filled_columns
    on first_dates.family = filled_columns.family
    and first_dates.event_type = filled_columns.event_type
    and first_dates.column_name = filled_columns.column_name
    and first_dates.first_date = filled_columns.business_date
where first_date >= $from_date
