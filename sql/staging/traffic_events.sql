-- One accepted traffic event: an ad shown, an ad clicked, or a visit arriving.
--
-- grain: event_id, business_date
-- history: 0
-- owner: data
with refused as (
    select delivery_id, row_number
    from staging.refused_events
    where family = 'traffic' and business_date between $from_date and $to_date
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
    channel, -- where the traffic comes from
    campaign, -- the advertiser's campaign
    creative, -- the picture or video shown
    creative_origin, -- who made the creative: human, ai
    audience, -- the audience the campaign was aimed at
    keyword, -- the search word that was bid on
    landing_page, -- the page the click leads to
    click_id, -- joins a click to its visit
    device, -- kind of device
    region, -- region of the visitor
    quantity, -- how many events a report row stands for; 1 where empty
    cost, -- what the row cost
    domain -- public platform traffic or the shop's own private domain: public, private
from raw.traffic_events
anti join refused using (delivery_id, row_number)
where business_date between $from_date and $to_date
