-- One figure that a platform states: a metric of an object on a day. Where sources differ, the last delivery holds.
--
-- grain: business_date, platform, shop, level, object, parent, device, metric
-- history: 0
-- owner: analytics
with stated as (
    select
        business_date,
        delivered_on,
        coalesce(platform, '') as platform,
        shop,
        event_type as level,
        coalesce(object, '') as object,
        coalesce(parent, '') as parent,
        coalesce(device, '') as device,
        object_name,
        attribution_days,
        impressions::DECIMAL(24, 6) as impressions,
        clicks::DECIMAL(24, 6) as clicks,
        page_views::DECIMAL(24, 6) as page_views,
        product_views::DECIMAL(24, 6) as product_views,
        product_impressions::DECIMAL(24, 6) as product_impressions,
        product_clicks::DECIMAL(24, 6) as product_clicks,
        cart_units::DECIMAL(24, 6) as cart_units,
        orders::DECIMAL(24, 6) as orders,
        ordered_units::DECIMAL(24, 6) as ordered_units,
        paid_orders::DECIMAL(24, 6) as paid_orders,
        paid_units::DECIMAL(24, 6) as paid_units,
        refunded_orders::DECIMAL(24, 6) as refunded_orders,
        stock_units::DECIMAL(24, 6) as stock_units,
        attributed_orders::DECIMAL(24, 6) as attributed_orders,
        attributed_cart_units::DECIMAL(24, 6) as attributed_cart_units,
        new_contacts::DECIMAL(24, 6) as new_contacts,
        lost_contacts::DECIMAL(24, 6) as lost_contacts,
        conversations::DECIMAL(24, 6) as conversations,
        messages::DECIMAL(24, 6) as messages,
        impression_users::DECIMAL(24, 6) as impression_users,
        viewers::DECIMAL(24, 6) as viewers,
        visitors::DECIMAL(24, 6) as visitors,
        new_visitors::DECIMAL(24, 6) as new_visitors,
        search_visitors::DECIMAL(24, 6) as search_visitors,
        product_impression_users::DECIMAL(24, 6) as product_impression_users,
        product_click_users::DECIMAL(24, 6) as product_click_users,
        product_visitors::DECIMAL(24, 6) as product_visitors,
        favorite_users::DECIMAL(24, 6) as favorite_users,
        cart_users::DECIMAL(24, 6) as cart_users,
        order_buyers::DECIMAL(24, 6) as order_buyers,
        paying_buyers::DECIMAL(24, 6) as paying_buyers,
        new_paying_buyers::DECIMAL(24, 6) as new_paying_buyers,
        returning_paying_buyers::DECIMAL(24, 6) as returning_paying_buyers,
        search_paying_buyers::DECIMAL(24, 6) as search_paying_buyers,
        refunding_buyers::DECIMAL(24, 6) as refunding_buyers,
        inquirers::DECIMAL(24, 6) as inquirers,
        inquirers_paid::DECIMAL(24, 6) as inquirers_paid,
        served_users::DECIMAL(24, 6) as served_users,
        consulting_users::DECIMAL(24, 6) as consulting_users,
        order_amount::DECIMAL(24, 6) as order_amount,
        paid_amount::DECIMAL(24, 6) as paid_amount,
        returning_paid_amount::DECIMAL(24, 6) as returning_paid_amount,
        refunded_amount::DECIMAL(24, 6) as refunded_amount,
        cost::DECIMAL(24, 6) as cost,
        attributed_amount::DECIMAL(24, 6) as attributed_amount,
        click_rate::DECIMAL(24, 6) as click_rate,
        bounce_rate::DECIMAL(24, 6) as bounce_rate,
        order_rate::DECIMAL(24, 6) as order_rate,
        pay_rate::DECIMAL(24, 6) as pay_rate,
        inquiry_pay_rate::DECIMAL(24, 6) as inquiry_pay_rate,
        reply_rate::DECIMAL(24, 6) as reply_rate,
        response_rate_3min::DECIMAL(24, 6) as response_rate_3min,
        satisfaction_rate::DECIMAL(24, 6) as satisfaction_rate,
        refund_rate::DECIMAL(24, 6) as refund_rate,
        amount_per_buyer::DECIMAL(24, 6) as amount_per_buyer,
        return_on_spend::DECIMAL(24, 6) as return_on_spend,
        stay_seconds::DECIMAL(24, 6) as stay_seconds,
        watch_seconds::DECIMAL(24, 6) as watch_seconds,
        first_response_seconds::DECIMAL(24, 6) as first_response_seconds,
        average_response_seconds::DECIMAL(24, 6) as average_response_seconds
    from staging.figure_rows
    where business_date between $from_date and $to_date
),

figures as (
    select *
    from stated
    unpivot (
        figure_value for metric in (
            impressions, clicks, page_views, product_views, product_impressions, product_clicks, cart_units,
            orders, ordered_units, paid_orders, paid_units, refunded_orders, stock_units, attributed_orders,
            attributed_cart_units, new_contacts, lost_contacts, conversations, messages, impression_users,
            viewers, visitors, new_visitors, search_visitors, product_impression_users, product_click_users,
            product_visitors, favorite_users, cart_users, order_buyers, paying_buyers, new_paying_buyers,
            returning_paying_buyers, search_paying_buyers, refunding_buyers, inquirers, inquirers_paid,
            served_users, consulting_users, order_amount, paid_amount, returning_paid_amount, refunded_amount,
            cost, attributed_amount, click_rate, bounce_rate, order_rate, pay_rate, inquiry_pay_rate, reply_rate,
            response_rate_3min, satisfaction_rate, refund_rate, amount_per_buyer, return_on_spend, stay_seconds,
            watch_seconds, first_response_seconds, average_response_seconds
        )
    )
),

ranked as (
    select
        *,
        row_number() over (
            partition by business_date, platform, shop, level, object, parent, device, metric
            order by delivered_on desc, figure_value desc, object_name asc, attribution_days asc
        ) as place
    from figures
)

select
    business_date, -- the day that the figure is about
    platform, -- who states it
    shop, -- the shop
    level, -- what it is about: shop, product, source, keyword, campaign, agent, room, peers
    object, -- which one; empty for the shop
    object_name, -- its name, where the platform states one beside the id
    parent, -- what the object is part of; empty where nothing is stated
    device, -- the kind of device; empty for all
    metric, -- the figure
    figure_value, -- its value: people, units, an amount, 0 to 1 for a rate, seconds
    attribution_days, -- days after a click that the advertising claims
    delivered_on -- the day of the first delivery that states it so
from ranked
where place = 1
