-- One accepted page event: what a visitor did on a page.
--
-- grain: event_id, business_date
-- history: 0
-- owner: data
with refused as (
    select delivery_id, row_number
    from staging.refused_events
    where family = 'page' and business_date between $from_date and $to_date
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
    page_type, -- kind of page: home, category, product, content, live, cart, checkout, other
    page, -- the page
    product_id, -- the product (SPU) that the page or event is about
    sku, -- the variant (SKU)
    module, -- the module of the page; 'auto' marks a scroll or play that nobody asked for
    content, -- the video, article or picture
    live_room, -- the live room
    coupon, -- the coupon
    promotion, -- the promotion
    order_id, -- the order, where the event is about one
    error_code, -- the source's own error code
    first_screen_ms, -- milliseconds until the first screen was drawn
    dwell_ms, -- milliseconds on the page, sent on leaving it
    scroll_ratio, -- how far the page was scrolled, 0 to 1
    displayed_price, -- the price shown
    stock_state -- in stock, low, out: the source's words
from raw.page_events
anti join refused using (delivery_id, row_number)
where business_date between $from_date and $to_date
