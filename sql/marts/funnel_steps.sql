-- The four stages step by step: how many took each step on the day.
--
-- Landing and decision are split by entry type and add up over it; the other stages have the one entry type `all`.
-- Arrival in the traffic stage counts clicks that arrived; where no id of a click has ever met a session, all human
-- sessions. A step is left out while the shop has not delivered its events, and an order or payment where no key of the
-- orders meets a session: rates run between the steps that are there. Without sessions, the decision stage has the orders
-- of the day and those of them that were paid, under the entry type `all`.
--
-- grain: business_date, stage, step_number, step, entry_type
-- history: all
-- owner: analytics
with known as (
    select *
    from intermediate.known_data
    where business_date between $from_date and $to_date
),

first_arrival as (
    select min(business_date) as first_arrival_date
    from marts.arrival_cube
    where arrived_clicks > 0 and business_date <= $to_date
),

advertising as (
    select
        business_date,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        case when sum(identified_clicks) > 0 and business_date >= min(first_arrival_date) then sum(arrived_clicks)
            else sum(sessions) end as arrivals
    from marts.arrival_cube
    cross join first_arrival
    where business_date between $from_date and $to_date
    group by business_date
),

sessions as (
    select
        business_date,
        entry_type,
        count(*) as sessions,
        count(*) filter (where observed_three_seconds) as observed_three_seconds,
        count(*) filter (where reached_three_seconds) as reached_three_seconds,
        count(*) filter (where observed_second_interaction) as observed_second_interaction,
        count(*) filter (where reached_second_interaction) as reached_second_interaction,
        count(*) filter (where observed_qualified_product_view) as observed_qualified_product_view,
        count(*) filter (where reached_qualified_product_view) as reached_qualified_product_view,
        count(*) filter (where observed_deep_read) as observed_deep_read,
        count(*) filter (where observed_favorite_or_cart) as observed_favorite_or_cart,
        count(*) filter (where reached_favorite_or_cart) as reached_favorite_or_cart,
        count(*) filter (where observed_checkout) as observed_checkout,
        count(*) filter (where reached_checkout) as reached_checkout,
        count(*) filter (where observed_order) as observed_order,
        count(*) filter (where reached_order) as reached_order,
        count(*) filter (where observed_paid) as observed_paid,
        count(*) filter (where reached_paid) as reached_paid
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
    group by business_date, entry_type
),

-- A shop without sessions still creates and is paid orders.
orders as (
    select business_date, sum(orders) as orders, sum(paid) as paid
    from marts.payment_cube
    where business_date between $from_date and $to_date
    group by business_date
),

customers as (
    select
        business_date,
        sum(active_customers) as active_customers,
        sum(observed_delivered) as observed_delivered,
        sum(reached_delivered) as reached_delivered,
        sum(observed_cared_for) as observed_cared_for,
        sum(reached_cared_for) as reached_cared_for,
        sum(observed_member) as observed_member,
        sum(reached_member) as reached_member,
        sum(purchased) as purchased
    from marts.repurchase_cube
    where business_date between $from_date and $to_date
    group by business_date
),

steps as (
    select business_date, 'traffic' as stage, 1 as step_number, 'impression' as step, 'all' as entry_type,
        impressions as observed, impressions as reached
    from advertising inner join known using (business_date)
    where has_impressions
    union all
    select business_date, 'traffic', 2, 'click', 'all', clicks, clicks
    from advertising inner join known using (business_date)
    where has_clicks
    union all
    select business_date, 'traffic', 3, 'arrival', 'all', arrivals, arrivals
    from advertising inner join known using (business_date)
    where has_sessions
    union all
    select business_date, 'landing', 1, 'arrival', entry_type, sessions, sessions from sessions
    union all
    select business_date, 'landing', 2, 'three_seconds', entry_type, observed_three_seconds, reached_three_seconds
    from sessions inner join known using (business_date)
    where has_pages
    union all
    select business_date, 'landing', 3, 'second_interaction', entry_type,
        observed_second_interaction, reached_second_interaction
    from sessions inner join known using (business_date)
    where has_pages
    union all
    select business_date, 'landing', 4, 'qualified_product_view', entry_type,
        observed_qualified_product_view, reached_qualified_product_view
    from sessions inner join known using (business_date)
    where has_product_views
    union all
    select business_date, 'landing', 5, 'deep_read', entry_type, observed_deep_read, observed_deep_read
    from sessions inner join known using (business_date)
    where has_deep_reads
    union all
    select business_date, 'decision', 1, 'qualified_product_view', entry_type,
        observed_qualified_product_view, reached_qualified_product_view
    from sessions inner join known using (business_date)
    where has_product_views
    union all
    select business_date, 'decision', 2, 'favorite_or_cart', entry_type,
        observed_favorite_or_cart, reached_favorite_or_cart
    from sessions inner join known using (business_date)
    where has_favorites or has_carts
    union all
    select business_date, 'decision', 3, 'checkout', entry_type, observed_checkout, reached_checkout
    from sessions inner join known using (business_date)
    where has_checkouts
    union all
    select business_date, 'decision', 4, 'order', entry_type, observed_order, reached_order
    from sessions inner join known using (business_date)
    where has_creations and are_orders_apart is not true
    union all
    select business_date, 'decision', 5, 'paid', entry_type, observed_paid, reached_paid
    from sessions inner join known using (business_date)
    where has_payments and are_orders_apart is not true
    union all
    select business_date, 'decision', 4, 'order', 'all', orders, orders
    from orders inner join known using (business_date)
    where not has_sessions and has_creations
    union all
    select business_date, 'decision', 5, 'paid', 'all', paid, paid
    from orders inner join known using (business_date)
    where not has_sessions and has_payments
    union all
    select business_date, 'repurchase', 1, 'active', 'all', active_customers, active_customers from customers
    union all
    select business_date, 'repurchase', 2, 'delivered', 'all', observed_delivered, reached_delivered
    from customers inner join known using (business_date)
    where has_deliveries
    union all
    select business_date, 'repurchase', 3, 'cared_for', 'all', observed_cared_for, reached_cared_for
    from customers inner join known using (business_date)
    where has_care
    union all
    select business_date, 'repurchase', 4, 'member', 'all', observed_member, reached_member
    from customers inner join known using (business_date)
    where has_member_joins or has_contacts
    union all
    select business_date, 'repurchase', 5, 'purchased', 'all', purchased, purchased from customers
)

select
    business_date, -- the day
    stage, -- traffic, landing, decision or repurchase
    step_number::INTEGER as step_number, -- place of the step in its stage, from 1
    step, -- the step
    entry_type, -- kind of the first page; all where the stage is not split
    observed::BIGINT as observed, -- whose own event was seen
    reached::BIGINT as reached -- that step or a later one
from steps
