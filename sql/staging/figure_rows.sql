-- One accepted row of figures that a platform states: what it says of an object on a day.
--
-- grain: event_id, business_date
-- history: 0
-- owner: data
with refused as (
    select delivery_id, row_number
    from staging.refused_events
    where family = 'figure' and business_date between $from_date and $to_date
)

select
    event_id, -- made of the source and the object
    business_date, -- the day that the figures are about, on the shop's clock
    event_time, -- its midnight
    event_type, -- what the row is about: its level
    shop, -- the shop; the configured shop where the delivery names none
    platform, -- who states the figures, such as taobao, jd, douyin, wanxiangtai
    object, -- the product, source, keyword, campaign, agent or room; empty for the shop
    object_name, -- its name, where the platform states one beside the id
    parent, -- what the object is part of: the source above it, the campaign's account
    device, -- kind of device, where the figures are of one
    attribution_days, -- days after a click that the advertising claims
    impressions, -- times that the object was shown
    clicks, -- clicks on what was shown
    page_views, -- pages opened
    product_views, -- product pages opened
    product_impressions, -- times that its products were shown
    product_clicks, -- clicks on its products
    cart_units, -- units put into the cart
    orders, -- orders created
    ordered_units, -- units ordered
    paid_orders, -- orders paid
    paid_units, -- units paid
    refunded_orders, -- orders refunded, in part or as a whole
    stock_units, -- units in stock
    attributed_orders, -- paid orders that the advertising claims
    attributed_cart_units, -- units put into the cart that the advertising claims
    new_contacts, -- contacts added
    lost_contacts, -- contacts that left or blocked the shop
    conversations, -- conversations
    messages, -- messages sent
    impression_users, -- people to whom it was shown
    viewers, -- people who watched the live room
    visitors, -- people who visited
    new_visitors, -- visitors who came for the first time
    search_visitors, -- visitors who came from the platform's search
    product_impression_users, -- people to whom its products were shown
    product_click_users, -- people who clicked on its products
    product_visitors, -- people who opened a product page
    favorite_users, -- people who marked a favourite
    cart_users, -- people who put something into the cart
    order_buyers, -- people who ordered
    paying_buyers, -- people who paid
    new_paying_buyers, -- people who paid for the first time
    returning_paying_buyers, -- people who had paid before
    search_paying_buyers, -- people who came from the platform's search and paid
    refunding_buyers, -- people who were refunded
    inquirers, -- people who asked before buying
    inquirers_paid, -- inquirers who paid
    served_users, -- people whom the service answered
    consulting_users, -- people who wrote to the service, whether before buying or after
    order_amount, -- amount of the orders created
    paid_amount, -- amount paid
    returning_paid_amount, -- of it, by people who had paid before
    refunded_amount, -- amount refunded on the day
    cost, -- what the advertising cost
    attributed_amount, -- amount that the advertising claims
    click_rate, -- clicks or clicking people, of those to whom it was shown; 40% is 0.4
    bounce_rate, -- visits that saw one page, of all; 40% is 0.4
    order_rate, -- order_buyers / visitors of the object; 40% is 0.4
    pay_rate, -- paying_buyers / visitors of the object; 40% is 0.4
    inquiry_pay_rate, -- inquirers_paid / inquirers; 40% is 0.4
    reply_rate, -- conversations that were answered, of all; 40% is 0.4
    response_rate_3min, -- conversations that a person answered within 3 minutes, of all; 40% is 0.4
    satisfaction_rate, -- good ratings, of all; 40% is 0.4
    refund_rate, -- refunds, of what was paid; 40% is 0.4
    amount_per_buyer, -- paid_amount / paying_buyers
    return_on_spend, -- attributed_amount / cost
    stay_seconds, -- stay of a visitor, in seconds
    watch_seconds, -- stay of a viewer in the live room, in seconds
    first_response_seconds, -- time to the first answer, in seconds
    average_response_seconds, -- time to an answer, in seconds
    dt as delivered_on -- the day of the first delivery that states it so; claims of advertising age with each delivery
from raw.figure_rows
anti join refused using (delivery_id, row_number)
where business_date between $from_date and $to_date
