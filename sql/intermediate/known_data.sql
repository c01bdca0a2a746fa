-- What can be known of a day: what the shop has delivered by its end, by event type and column.
--
-- A type that stops after a first event is zero from then on; one that starts later leaves the days before unknown. A
-- declared family without any event so far has delivered that nothing happened: all of it is known. Visitors are known on
-- days on which nine human sessions in ten name theirs: with fewer, nothing may be divided by them.
--
-- Two sources of which no key ever meets are apart: what one made of the other is not known. Orders are also apart on a
-- day on which none has a session, where ten would have one by their share to date.
--
-- grain: business_date
-- history: all
-- owner: data
with days as (
    select unnest(generate_series($from_date::TIMESTAMP, $to_date::TIMESTAMP, interval 1 day)::DATE[]) as business_date
),

families as (
    select unnest($declared_families) as family
),

delivered as (
    select family, event_type, column_name, min(business_date) as first_date
    from intermediate.filled_columns
    where business_date <= $to_date
    group by family, event_type, column_name
),

first_events as (
    select families.family, min(delivered.first_date) as first_date
    from families
    left join delivered using (family)
    group by families.family
),

-- An empty family knows everything; `*` stands for each event type and column.
known as (
    select days.business_date, delivered.family, delivered.event_type, delivered.column_name
    from days
    inner join delivered on delivered.first_date <= days.business_date
    inner join families on delivered.family = families.family
    union all
    select days.business_date, first_events.family, '*', '*'
    from days
    inner join first_events on coalesce(first_events.first_date > days.business_date, true)
),

named as (
    select business_date, count(visitor_id) >= 0.9 * count(*) as are_visitors_named
    from intermediate.session_days
    where is_human and business_date between $from_date and $to_date
    group by business_date
),

order_days as (
    select business_date, count(*) as orders, count(session_id) as linked_orders
    from intermediate.orders
    where excluded_reason is null and business_date <= $to_date
    group by business_date
),

order_links as (
    select
        days.business_date,
        sum(orders) as orders,
        sum(linked_orders) as linked_orders,
        coalesce(sum(orders) filter (where order_days.business_date = days.business_date), 0) as orders_of_day,
        coalesce(sum(linked_orders) filter (where order_days.business_date = days.business_date), 0) as linked_of_day
    from days
    inner join order_days on order_days.business_date <= days.business_date
    group by days.business_date
),

inquirers as (
    select 'customer' as kind, customer_id as person_id, min(business_date) as first_date
    from intermediate.inquiries
    where customer_id is not null and business_date <= $to_date
    group by customer_id
    union all
    select 'visitor', visitor_id, min(business_date)
    from intermediate.inquiries
    where visitor_id is not null and business_date <= $to_date
    group by visitor_id
),

-- Who orders and does not pay shows as well that the keys meet.
ordered as (
    select customer_id, visitor_id, business_date
    from intermediate.payments
    where business_date <= $to_date
    union all
    select customer_id, visitor_id, business_date
    from intermediate.orders
    where business_date <= $to_date
),

buyers as (
    select 'customer' as kind, customer_id as person_id, min(business_date) as first_date
    from ordered
    where customer_id is not null
    group by customer_id
    union all
    select 'visitor', visitor_id, min(business_date)
    from ordered
    where visitor_id is not null
    group by visitor_id
),

inquiry_links as (
    select
        (select min(business_date) from intermediate.inquiries) as first_inquiry_date,
        (select min(business_date) from intermediate.payments) as first_payment_date,
        min(greatest(inquirers.first_date, buyers.first_date)) as first_linked_date
    from inquirers
    inner join buyers using (kind, person_id)
)

select
    business_date, -- the day
    coalesce(bool_or(family = 'traffic' and event_type in ('impression', '*')), false)
        as has_impressions, -- ads shown
    coalesce(bool_or(family = 'traffic' and event_type in ('click', '*')), false) as has_clicks, -- ads clicked
    coalesce(bool_or(family = 'traffic' and column_name in ('cost', '*')), false) as has_costs, -- what ads cost
    coalesce(bool_or(family = 'traffic' and event_type in ('visit', '*') and column_name in ('domain', '*')), false)
        as has_domains, -- which visits come from the private domain
    coalesce(bool_or(family = 'traffic' and event_type in ('visit', '*') or family = 'page'), false)
        as has_sessions, -- sessions: visits, or events of pages
    coalesce(bool_or(
        family = 'traffic' and event_type in ('visit', '*') and column_name in ('visitor_id', '*')
        or family = 'page' and column_name in ('visitor_id', '*')
    ), false) and coalesce(bool_and(are_visitors_named), true) as has_visitors, -- whose sessions they are
    coalesce(bool_or(family = 'page'), false) as has_pages, -- events of pages
    coalesce(bool_or(family = 'page' and event_type in ('page_view', '*')), false) as has_page_views, -- pages opened
    coalesce(bool_or(family = 'page' and event_type in ('product_view', '*')), false)
        as has_product_views, -- products opened
    coalesce(bool_or(family = 'page' and column_name in ('dwell_ms', 'scroll_ratio', '*')), false)
        as has_deep_reads, -- how long or how far pages are read
    coalesce(bool_or(family = 'page' and event_type in ('favorite', '*')), false) as has_favorites, -- favourites
    coalesce(bool_or(family = 'page' and event_type in ('add_to_cart', '*')), false) as has_carts, -- carts
    coalesce(bool_or(family = 'page' and event_type in ('checkout_start', '*')), false) as has_checkouts, -- checkouts
    coalesce(bool_or(family = 'page' and event_type in ('coupon_claim', '*')), false)
        as has_coupon_claims, -- coupons claimed
    coalesce(bool_or(family = 'page' and event_type in ('coupon_error', '*')), false)
        as has_coupon_errors, -- coupons refused
    coalesce(bool_or(family = 'page' and event_type in ('payment_failed', '*')), false)
        as has_payment_failures, -- failed payments
    coalesce(bool_or(family = 'order' and event_type in ('created', 'deposit_paid', 'paid', '*')), false)
        as has_orders, -- orders created, by an event of its own or by a payment
    coalesce(bool_or(family = 'order' and event_type in ('created', 'deposit_paid', '*')), false)
        as has_creations, -- orders created, by an event of its own
    coalesce(bool_or(
        family = 'order'
        and event_type in ('created', 'deposit_paid', 'paid', '*') and column_name in ('coupon', '*')
    ), false) as has_order_coupons, -- the coupons of orders
    coalesce(bool_or(family = 'order' and event_type in ('paid', 'balance_paid', '*')), false)
        as has_payments, -- payments
    coalesce(bool_or(
        family = 'order'
        and event_type in ('paid', 'balance_paid', '*') and column_name in ('amount', '*')
    ), false) as has_amounts, -- how much is paid
    coalesce(bool_or(
        family = 'order'
        and event_type in ('paid', 'balance_paid', '*') and column_name in ('quantity', '*')
    ), false) as has_units, -- how many units are paid for
    coalesce(bool_or(family = 'order' and column_name in ('visitor_id', 'customer_id', '*')), false)
        as has_buyers, -- who orders
    coalesce(bool_or(column_name = 'customer_id' or family = 'order' and column_name = '*'), false)
    and coalesce(bool_or(family = 'order' and column_name in ('visitor_id', 'customer_id', '*')), false)
        as has_customers, -- which of them are one customer
    coalesce(bool_or(family = 'order' and event_type in ('deposit_paid', '*')), false) as has_deposits, -- deposits
    coalesce(bool_or(family = 'order' and event_type in ('refunded', '*')), false) as has_refunds, -- refunds
    coalesce(bool_or(family = 'order' and event_type in ('delivered', '*')), false)
        as has_deliveries, -- parcels delivered
    coalesce(bool_or(family = 'service' and event_type in ('customer_message', '*')), false)
        as has_inquiries, -- messages of customers
    coalesce(bool_or(family = 'service' and event_type in ('agent_message', '*')), false)
        as has_answers, -- answers of agents
    coalesce(bool_or(family = 'service' and event_type in ('care_sent', '*')), false)
        as has_care, -- care messages sent
    coalesce(bool_or(family = 'service' and event_type in ('care_opened', '*')), false)
        as has_care_opened, -- care messages opened
    coalesce(bool_or(family = 'service' and event_type in ('member_joined', '*')), false)
        as has_member_joins, -- new members
    coalesce(bool_or(family = 'service' and event_type in ('contact_added', 'community_joined', '*')), false)
        as has_contacts, -- new contacts
    coalesce(bool_or(family = 'service' and event_type in ('contact_lost', 'opted_out', '*')), false)
        as has_contact_losses, -- contacts lost
    coalesce(bool_or(family = 'service' and event_type in ('question_answered', 'review_replied', '*')), false)
        as has_question_answers, -- answers to questions and reviews
    coalesce(bool_and(
        orders > 0 and (linked_orders = 0 or linked_of_day = 0 and orders_of_day * linked_orders >= 10 * orders)
    ), false) as are_orders_apart, -- no key of the orders meets a session
    coalesce(bool_and(
        first_inquiry_date <= business_date and first_payment_date <= business_date
        and coalesce(first_linked_date > business_date, true)
    ), false) as are_inquiries_apart -- nobody who asked is known among those who order
from days
left join known using (business_date)
left join named using (business_date)
left join order_links using (business_date)
cross join inquiry_links
group by business_date
