-- The orders of a day come from many customers: one id on nearly all of them is a placeholder, and no person.
--
-- table: staging.order_events
-- severity: warn
with orders as (
    select distinct business_date, order_id, coalesce(customer_id, visitor_id) as person_id
    from staging.order_events
    where event_type in ('created', 'deposit_paid', 'paid') and order_id is not null
        and coalesce(customer_id, visitor_id) is not null and excluded_reason is null
        and business_date between $from_date and $to_date
),

people as (
    select business_date, person_id, count(*) as order_count
    from orders
    group by business_date, person_id
)

select
    business_date, -- the day
    max(order_count) as of_one, -- orders of the customer with most of them
    sum(order_count) as orders -- orders that name one
from people
group by business_date
having sum(people.order_count) >= 8 and max(people.order_count) >= 0.9 * sum(people.order_count)
