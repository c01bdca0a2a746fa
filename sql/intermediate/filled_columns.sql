-- What the events of a day say: of each event type how many there are, and how many fill each column.
--
-- The column `event_type` stands for the type itself. Orders that the shop does not count say nothing.
--
-- grain: business_date, family, event_type, column_name
-- history: 0
-- owner: data
with traffic_counts as (
    select
        business_date,
        event_type,
        count(*) as event_count,
        count(visitor_id) as visitor_id,
        count(customer_id) as customer_id,
        count(session_id) as session_id,
        count(channel) as channel,
        count(campaign) as campaign,
        count(creative) as creative,
        count(creative_origin) as creative_origin,
        count(audience) as audience,
        count(keyword) as keyword,
        count(landing_page) as landing_page,
        count(click_id) as click_id,
        count(device) as device,
        count(region) as region,
        count(quantity) as quantity,
        count(cost) as cost,
        count(domain) as domain
    from staging.traffic_events
    where business_date between $from_date and $to_date
    group by business_date, event_type
),

page_counts as (
    select
        business_date,
        event_type,
        count(*) as event_count,
        count(visitor_id) as visitor_id,
        count(customer_id) as customer_id,
        count(session_id) as session_id,
        count(page_type) as page_type,
        count(page) as page,
        count(product_id) as product_id,
        count(sku) as sku,
        count(module) as module,
        count(content) as content,
        count(live_room) as live_room,
        count(coupon) as coupon,
        count(promotion) as promotion,
        count(order_id) as order_id,
        count(error_code) as error_code,
        count(first_screen_ms) as first_screen_ms,
        count(dwell_ms) as dwell_ms,
        count(scroll_ratio) as scroll_ratio,
        count(displayed_price) as displayed_price,
        count(stock_state) as stock_state
    from staging.page_events
    where business_date between $from_date and $to_date
    group by business_date, event_type
),

service_counts as (
    select
        business_date,
        event_type,
        count(*) as event_count,
        count(visitor_id) as visitor_id,
        count(customer_id) as customer_id,
        count(session_id) as session_id,
        count(conversation_id) as conversation_id,
        count(agent) as agent,
        count(team) as team,
        count(topic) as topic,
        count(product_id) as product_id,
        count(order_id) as order_id,
        count(rating) as rating,
        count(care_type) as care_type,
        count(message_id) as message_id
    from staging.service_events
    where business_date between $from_date and $to_date
    group by business_date, event_type
),

order_counts as (
    select
        business_date,
        event_type,
        count(*) as event_count,
        count(visitor_id) as visitor_id,
        count(customer_id) as customer_id,
        count(session_id) as session_id,
        count(order_id) as order_id,
        count(line) as line,
        count(product_id) as product_id,
        count(sku) as sku,
        count(category) as category,
        count(quantity) as quantity,
        count(amount) as amount,
        count(shipping_amount) as shipping_amount,
        count(discount) as discount,
        count(coupon) as coupon,
        count(promotion) as promotion,
        count(payment_provider) as payment_provider,
        count(sales_channel) as sales_channel,
        count(source_room) as source_room,
        count(source_content) as source_content,
        count(refund_id) as refund_id,
        count(refund_type) as refund_type,
        count(error_code) as error_code,
        count(rating) as rating
    from staging.order_events
    where excluded_reason is null and business_date between $from_date and $to_date
    group by business_date, event_type
),

filled as (
    select 'traffic' as family, business_date, event_type, unnest([
        {'column_name': 'event_type', 'rows': event_count},
        {'column_name': 'visitor_id', 'rows': visitor_id},
        {'column_name': 'customer_id', 'rows': customer_id},
        {'column_name': 'session_id', 'rows': session_id},
        {'column_name': 'channel', 'rows': channel},
        {'column_name': 'campaign', 'rows': campaign},
        {'column_name': 'creative', 'rows': creative},
        {'column_name': 'creative_origin', 'rows': creative_origin},
        {'column_name': 'audience', 'rows': audience},
        {'column_name': 'keyword', 'rows': keyword},
        {'column_name': 'landing_page', 'rows': landing_page},
        {'column_name': 'click_id', 'rows': click_id},
        {'column_name': 'device', 'rows': device},
        {'column_name': 'region', 'rows': region},
        {'column_name': 'quantity', 'rows': quantity},
        {'column_name': 'cost', 'rows': cost},
        {'column_name': 'domain', 'rows': domain}
    ], recursive := true)
    from traffic_counts
    union all
    select 'page' as family, business_date, event_type, unnest([
        {'column_name': 'event_type', 'rows': event_count},
        {'column_name': 'visitor_id', 'rows': visitor_id},
        {'column_name': 'customer_id', 'rows': customer_id},
        {'column_name': 'session_id', 'rows': session_id},
        {'column_name': 'page_type', 'rows': page_type},
        {'column_name': 'page', 'rows': page},
        {'column_name': 'product_id', 'rows': product_id},
        {'column_name': 'sku', 'rows': sku},
        {'column_name': 'module', 'rows': module},
        {'column_name': 'content', 'rows': content},
        {'column_name': 'live_room', 'rows': live_room},
        {'column_name': 'coupon', 'rows': coupon},
        {'column_name': 'promotion', 'rows': promotion},
        {'column_name': 'order_id', 'rows': order_id},
        {'column_name': 'error_code', 'rows': error_code},
        {'column_name': 'first_screen_ms', 'rows': first_screen_ms},
        {'column_name': 'dwell_ms', 'rows': dwell_ms},
        {'column_name': 'scroll_ratio', 'rows': scroll_ratio},
        {'column_name': 'displayed_price', 'rows': displayed_price},
        {'column_name': 'stock_state', 'rows': stock_state}
    ], recursive := true)
    from page_counts
    union all
    select 'service' as family, business_date, event_type, unnest([
        {'column_name': 'event_type', 'rows': event_count},
        {'column_name': 'visitor_id', 'rows': visitor_id},
        {'column_name': 'customer_id', 'rows': customer_id},
        {'column_name': 'session_id', 'rows': session_id},
        {'column_name': 'conversation_id', 'rows': conversation_id},
        {'column_name': 'agent', 'rows': agent},
        {'column_name': 'team', 'rows': team},
        {'column_name': 'topic', 'rows': topic},
        {'column_name': 'product_id', 'rows': product_id},
        {'column_name': 'order_id', 'rows': order_id},
        {'column_name': 'rating', 'rows': rating},
        {'column_name': 'care_type', 'rows': care_type},
        {'column_name': 'message_id', 'rows': message_id}
    ], recursive := true)
    from service_counts
    union all
    select 'order' as family, business_date, event_type, unnest([
        {'column_name': 'event_type', 'rows': event_count},
        {'column_name': 'visitor_id', 'rows': visitor_id},
        {'column_name': 'customer_id', 'rows': customer_id},
        {'column_name': 'session_id', 'rows': session_id},
        {'column_name': 'order_id', 'rows': order_id},
        {'column_name': 'line', 'rows': line},
        {'column_name': 'product_id', 'rows': product_id},
        {'column_name': 'sku', 'rows': sku},
        {'column_name': 'category', 'rows': category},
        {'column_name': 'quantity', 'rows': quantity},
        {'column_name': 'amount', 'rows': amount},
        {'column_name': 'shipping_amount', 'rows': shipping_amount},
        {'column_name': 'discount', 'rows': discount},
        {'column_name': 'coupon', 'rows': coupon},
        {'column_name': 'promotion', 'rows': promotion},
        {'column_name': 'payment_provider', 'rows': payment_provider},
        {'column_name': 'sales_channel', 'rows': sales_channel},
        {'column_name': 'source_room', 'rows': source_room},
        {'column_name': 'source_content', 'rows': source_content},
        {'column_name': 'refund_id', 'rows': refund_id},
        {'column_name': 'refund_type', 'rows': refund_type},
        {'column_name': 'error_code', 'rows': error_code},
        {'column_name': 'rating', 'rows': rating}
    ], recursive := true)
    from order_counts
)

select
    business_date, -- the day
    family, -- the family
    event_type, -- the event type
    column_name, -- a column of the contract that its events fill; event_type for the type itself
    rows::BIGINT as event_count -- events that fill it
from filled
where rows > 0
