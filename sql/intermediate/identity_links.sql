-- The first customer that each visitor was seen as on a day.
--
-- grain: visitor_id, business_date
-- history: 0
-- owner: analytics
with identified_events as (
    select visitor_id, customer_id, event_time, event_id, business_date
    from staging.traffic_events
    where visitor_id is not null and customer_id is not null and business_date between $from_date and $to_date
    union all
    select visitor_id, customer_id, event_time, event_id, business_date
    from staging.page_events
    where visitor_id is not null and customer_id is not null and business_date between $from_date and $to_date
    union all
    select visitor_id, customer_id, event_time, event_id, business_date
    from staging.service_events
    where visitor_id is not null and customer_id is not null and business_date between $from_date and $to_date
    union all
    select visitor_id, customer_id, event_time, event_id, business_date
    from staging.order_events
    where visitor_id is not null and customer_id is not null and business_date between $from_date and $to_date
)

select
    visitor_id, -- the browser or device
    business_date, -- the day it was seen as the customer
    arg_min(customer_id, (event_time, event_id, customer_id)) as customer_id, -- the day's first customer of the visitor
    min(event_time) as linked_at -- when it was first seen that day
from identified_events
group by visitor_id, business_date
