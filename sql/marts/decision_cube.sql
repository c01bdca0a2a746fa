-- Human sessions with a qualified product view and how far they decided by the end of the day.
--
-- grain: business_date, channel, campaign, creative, landing_page, audience, device, region, entry_type, is_returning, entry_hour_block, first_category, inquiry_class
-- history: 0
-- owner: product
with sessions as (
    select *
    from intermediate.session_funnel
    where is_human and reached_qualified_product_view and business_date between $from_date and $to_date
)

select
    business_date, -- the day they entered
    channel, -- channel
    campaign, -- campaign
    creative, -- creative
    landing_page, -- landing page
    audience, -- audience
    device, -- kind of device
    region, -- region
    entry_type, -- kind of the first page
    is_returning, -- its customer had paid before
    entry_hour_block, -- first hour of the block of four hours in which it entered
    first_category, -- category of the first product opened
    inquiry_class, -- asked before buying: none, or how fast a human answered
    count(*) as sessions, -- with a qualified product view
    count(*) filter (where reached_favorite_or_cart)
        as reached_favorite_or_cart, -- favourite or cart, or any later step
    count(*) filter (where reached_checkout) as reached_checkout, -- checkout or any later step
    count(*) filter (where reached_order) as reached_order, -- order or payment
    count(*) filter (where reached_paid) as reached_paid, -- paid by the end of the day
    sum(paid_order_count)::BIGINT as paid_orders, -- orders paid
    case when sum(paid_order_count) > 0 then sum(paid_unit_count) filter (where paid_order_count > 0) else 0 end::BIGINT
        as paid_units, -- units paid for; null where no payment says how many
    case when sum(paid_order_count) > 0 then sum(paid_amount) filter (where paid_order_count > 0) else 0 end
    ::DECIMAL(18, 2) as paid_amount -- amount paid; null where no payment says how much
from sessions
group by all
