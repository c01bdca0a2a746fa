-- One accepted service event: messages, care, membership and contacts.
--
-- grain: event_id, business_date
-- history: 0
-- owner: data
with refused as (
    select delivery_id, row_number
    from staging.refused_events
    where family = 'service' and business_date between $from_date and $to_date
)

select
    event_id, -- the event's own id; without one the delivered content is the id
    business_date, -- the event's day on the shop's clock
    event_time, -- when it happened
    local_hour, -- the event's hour on the shop's clock, 0 to 23
    event_type, -- what happened: one of the family's event types
    shop, -- the shop; the configured shop where the delivery names none
    visitor_id, -- the browser or device
    customer_id, -- the person, once known
    session_id, -- the source's own session; derived where it has none
    is_bot, -- the source's own robot flag
    conversation_id, -- the conversation
    agent, -- the agent who wrote, or was written to
    team, -- the agent's team
    topic, -- before or after the sale: presale, aftersale
    product_id, -- the product (SPU) it is about
    order_id, -- the order it is about
    rating, -- stars given to the service, 1 to 5
    care_type, -- kind of care message after the purchase
    message_id -- the message
from raw.service_events
anti join refused using (delivery_id, row_number)
where business_date between $from_date and $to_date
