-- Human sessions that started a checkout and those that ordered by the end of the day.
--
-- grain: business_date, coupon, promotion, channel, device
-- history: 0
-- owner: product
select
    business_date, -- the day they entered
    coalesce(checkout_coupon, 'none') as coupon, -- coupon at the checkout
    coalesce(checkout_promotion, 'none') as promotion, -- promotion at the checkout
    channel, -- channel
    device, -- kind of device
    count(*) as checkouts, -- sessions that started a checkout
    count(*) filter (where reached_order) as ordered, -- of them with an order
    count(*) filter (where reached_paid) as paid -- of them with a paid order
from intermediate.session_funnel
where is_human and observed_checkout and business_date between $from_date and $to_date
group by all
