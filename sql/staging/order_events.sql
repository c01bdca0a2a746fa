-- One accepted order event, line by line: created, paid, shipped, refunded and so on.
--
-- Of people whom the shop does not count: the order stays, with the reason and without the person.
--
-- grain: event_id, business_date
-- history: 0
-- owner: data
with refused as (
    select delivery_id, row_number, is_duplicate, excluded_reason as reason
    from staging.refused_events
    where family = 'order' and business_date between $from_date and $to_date
),

duplicates as (
    select delivery_id, row_number
    from refused
    where is_duplicate
)

select
    event_id, -- the event's own id; without one the delivered content is the id
    business_date, -- the event's day on the shop's clock
    event_time, -- when it happened
    local_hour, -- the event's hour on the shop's clock, 0 to 23
    event_type, -- what happened: one of the family's event types
    shop, -- the shop; the configured shop where the delivery names none
    case when refused.reason is null then visitor_id end as visitor_id, -- the browser or device
    case when refused.reason is null then customer_id end as customer_id, -- the person, once known
    case when refused.reason is null then session_id end
        as session_id, -- the source's own session; derived where it has none
    is_bot, -- the source's own robot flag
    order_id, -- the order
    line, -- the line of the order
    product_id, -- the product (SPU) sold
    sku, -- the variant (SKU) sold
    category, -- the product's category
    quantity, -- units on the line
    amount, -- for the line, after discount; of this event (a deposit's own amount)
    shipping_amount, -- postage; on one line of the order
    discount, -- discount already taken off the amount
    coupon, -- the coupon used
    promotion, -- the promotion
    payment_provider, -- who carries the payment
    sales_channel, -- where it was sold
    source_room, -- the live room that the source credits
    source_content, -- the content piece that the source credits
    refund_id, -- the refund
    refund_type, -- kind of refund
    error_code, -- the source's own error code
    rating, -- stars given to the product, 1 to 5
    coalesce(excluded_reason, refused.reason)
        as excluded_reason -- why the shop does not count the order: test, staff, brushing
from raw.order_events
anti join duplicates using (delivery_id, row_number)
left join refused using (delivery_id, row_number)
where business_date between $from_date and $to_date
