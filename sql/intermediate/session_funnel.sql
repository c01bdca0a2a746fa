-- A session on the day it entered, with the steps it took by the end of that day.
--
-- `observed_`: the step's own event was seen. `reached_`: that step or any later one, so counts never rise along the funnel.
--
-- grain: session_id, business_date
-- history: all
-- owner: analytics
with entries as (
    select *
    from intermediate.session_days
    where is_entry and business_date between $from_date and $to_date
),

identified as (
    select
        entries.* exclude (customer_id),
        coalesce(entries.customer_id, first_links.customer_id) as customer_id
    from entries
    left join intermediate.first_links
        on entries.visitor_id = first_links.visitor_id
        and first_links.linked_date <= entries.business_date
),

customers as (
    select distinct customer_id, business_date
    from identified
    where customer_id is not null
),

first_purchases as (
    select customers.customer_id, customers.business_date, min(purchase_days.first_paid_at) as first_paid_at
    from customers
    inner join intermediate.purchase_days
        on customers.customer_id = purchase_days.customer_id
        and purchase_days.business_date <= customers.business_date
    left join intermediate.voided_purchases
        on purchase_days.customer_id = voided_purchases.customer_id
        and purchase_days.business_date = voided_purchases.purchase_date
        and voided_purchases.business_date <= customers.business_date
    where voided_purchases.customer_id is null
    group by customers.customer_id, customers.business_date
),

ordered as (
    select session_id, business_date, count(*) as order_count
    from intermediate.orders
    where session_entry_date = business_date and excluded_reason is null
        and business_date between $from_date and $to_date
    group by session_id, business_date
),

paid as (
    select session_id, business_date, count(*) as order_count, sum(amount) as amount, sum(unit_count) as unit_count
    from intermediate.payments
    where money_class = 'same_day' and business_date between $from_date and $to_date
    group by session_id, business_date
),

product_categories as (
    select product_id as first_product_id, business_date, category as first_category
    from intermediate.product_categories
    where business_date between $from_date and $to_date
),

inquiries as (
    select visitor_id, business_date, arg_min(inquiry_class, (asked_at, conversation_id)) as inquiry_class
    from intermediate.inquiries
    where business_date between $from_date and $to_date
    group by visitor_id, business_date
),

observed as (
    select
        identified.*,
        is_favorite or is_carted as observed_favorite_or_cart,
        coalesce(first_purchases.first_paid_at < identified.started_at, false) as is_returning,
        coalesce(inquiries.inquiry_class, 'none') as inquiry_class,
        coalesce(product_categories.first_category, 'none') as first_category,
        coalesce(ordered.order_count, 0) as order_count,
        coalesce(paid.order_count, 0) as paid_order_count,
        case when paid.session_id is null then 0 else paid.unit_count end as paid_unit_count,
        case when paid.session_id is null then 0 else paid.amount end as paid_amount
    from identified
    left join first_purchases using (customer_id, business_date)
    left join ordered using (session_id, business_date)
    left join paid using (session_id, business_date)
    left join inquiries using (visitor_id, business_date)
    left join product_categories using (first_product_id, business_date)
),

-- From the last step back: whoever took a later step passed the earlier ones.
reached as (
    select
        *,
        paid_order_count > 0 as reached_paid,
        reached_paid or order_count > 0 as reached_order,
        reached_order or observed_checkout as reached_checkout,
        reached_checkout or observed_favorite_or_cart as reached_favorite_or_cart,
        reached_favorite_or_cart or observed_qualified_product_view or observed_deep_read
            as reached_qualified_product_view,
        reached_qualified_product_view or observed_second_interaction as reached_second_interaction,
        reached_second_interaction or observed_three_seconds as reached_three_seconds
    from observed
)

select
    session_id, -- the session
    business_date, -- the day it entered
    visitor_id, -- the browser or device
    customer_id, -- the customer: named by its own events, else the visitor's
    started_at, -- its first event
    entry_hour, -- hour of that event on the shop's clock
    entry_hour // 4 * 4 as entry_hour_block, -- first hour of its block of four hours
    is_human, -- no robot
    is_returning, -- its customer purchased before it started, and did not give all of it back
    channel, -- channel
    campaign, -- campaign
    creative, -- creative
    creative_origin, -- who made the creative
    audience, -- audience
    landing_page, -- page it landed on
    device, -- kind of device
    region, -- region
    domain, -- public traffic or private domain
    click_id, -- the ad click it came from
    entry_type, -- kind of the first page
    first_category, -- category of the first product it opened
    inquiry_class, -- whether its visitor asked before buying, and how fast a human answered
    checkout_coupon, -- coupon at the checkout
    checkout_promotion, -- promotion at the checkout
    page_view_count, -- pages opened
    stay_ms, -- milliseconds on all pages whose stay is known
    first_screen_ms, -- milliseconds until the first page's first screen stood
    is_stay_measured, -- its stay is known
    observed_three_seconds, -- stayed 3 seconds on a page
    observed_second_interaction, -- had a second interaction
    observed_product_view, -- opened a product page
    observed_qualified_product_view, -- stayed on a product for 3 seconds or interacted with it
    observed_deep_read, -- read a product page deeply
    is_read_known, -- whether it did can be told
    is_favorite, -- kept a product for later
    is_carted, -- put a product into the cart
    observed_favorite_or_cart, -- did one of the two
    observed_checkout, -- started a checkout
    order_count > 0 as observed_order, -- an order created on the day belongs to it
    paid_order_count > 0 as observed_paid, -- such an order was paid by the end of the day
    reached_three_seconds, -- that step or a later one
    reached_second_interaction, -- that step or a later one
    reached_qualified_product_view, -- that step or a later one
    reached_favorite_or_cart, -- that step or a later one
    reached_checkout, -- that step or a later one
    reached_order, -- that step or a later one
    reached_paid, -- paid by the end of the day
    order_count, -- orders created on the day
    paid_order_count, -- of same-day money: orders paid
    paid_unit_count::BIGINT as paid_unit_count, -- units in them; null where none says how many
    paid_amount::DECIMAL(18, 2) as paid_amount -- amount paid for them; null where none says how much
from reached
