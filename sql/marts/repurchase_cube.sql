-- Active past customers (last purchase day within 180 days) and those who bought again on the day.
--
-- grain: business_date, first_channel, is_member, last_category, recency, is_cared_for
-- history: all
-- owner: membership
with days as (
    select unnest(generate_series($from_date::TIMESTAMP, $to_date::TIMESTAMP, interval 1 day)::DATE[]) as business_date
),

purchases as (
    select customer_id, business_date as purchase_date
    from intermediate.purchase_days
    where business_date between $from_date - $active_customer_days and $to_date
),

voided as (
    select customer_id, purchase_date, business_date as void_date
    from intermediate.voided_purchases
    where business_date <= $to_date
),

valid_purchases as (
    select days.business_date, purchases.customer_id, purchases.purchase_date
    from days
    inner join purchases
        on purchases.purchase_date between days.business_date - $active_customer_days and days.business_date
    left join voided
        on purchases.customer_id = voided.customer_id
        and purchases.purchase_date = voided.purchase_date
        and voided.void_date <= days.business_date
    where voided.customer_id is null
),

customers as (
    select
        business_date,
        customer_id,
        max(purchase_date) filter (where purchase_date < business_date) as last_purchase_date,
        bool_or(purchase_date = business_date) as is_purchasing
    from valid_purchases
    group by business_date, customer_id
),

active_customers as (
    select *
    from customers
    where last_purchase_date is not null
),

care as (
    select customer_id, business_date, event_type
    from staging.service_events
    where customer_id is not null and event_type = 'care_sent'
        and business_date between $from_date - $active_customer_days and $to_date
),

cared_for as (
    select distinct active_customers.business_date, active_customers.customer_id
    from active_customers
    inner join care
        on active_customers.customer_id = care.customer_id
        and care.business_date between active_customers.last_purchase_date and active_customers.business_date
),

deliveries as (
    select distinct coalesce(order_events.customer_id, orders.customer_id) as customer_id, order_events.business_date
    from staging.order_events
    left join intermediate.orders
        on order_events.order_id = orders.order_id and orders.business_date <= order_events.business_date
    where order_events.event_type = 'delivered'
        and order_events.business_date between $from_date - $active_customer_days and $to_date
),

delivered as (
    select distinct active_customers.business_date, active_customers.customer_id
    from active_customers
    inner join deliveries
        on active_customers.customer_id = deliveries.customer_id
        and deliveries.business_date between active_customers.last_purchase_date and active_customers.business_date
),

membership_events as (
    select customer_id, business_date, event_time, event_id, event_type
    from staging.service_events
    where customer_id is not null and business_date <= $to_date
        and event_type in ('member_joined', 'contact_added', 'community_joined', 'contact_lost', 'opted_out')
),

memberships as (
    select
        days.business_date,
        membership_events.customer_id,
        arg_max(event_type, (event_time, event_id)) not in ('contact_lost', 'opted_out') as is_member
    from membership_events
    inner join days on membership_events.business_date <= days.business_date
    group by days.business_date, membership_events.customer_id
),

paid_orders as (
    select
        payments.customer_id,
        payments.business_date,
        payments.paid_at,
        payments.order_id,
        orders.first_category,
        orders.channel
    from intermediate.payments
    left join intermediate.orders
        on payments.order_id = orders.order_id and payments.created_date = orders.business_date
    where payments.is_purchase and payments.money_class != 'excluded' and payments.customer_id is not null
        and payments.business_date <= $to_date
),

first_channels as (
    select
        active_customers.business_date,
        active_customers.customer_id,
        arg_min(coalesce(channel, 'none'), (paid_at, order_id)) as channel
    from active_customers
    inner join paid_orders
        on active_customers.customer_id = paid_orders.customer_id
        and paid_orders.business_date <= active_customers.business_date
    left join voided
        on paid_orders.customer_id = voided.customer_id
        and paid_orders.business_date = voided.purchase_date
        and voided.void_date <= active_customers.business_date
    where voided.customer_id is null
    group by active_customers.business_date, active_customers.customer_id
),

last_categories as (
    select customer_id, business_date, arg_max(first_category, (paid_at, order_id)) as category
    from paid_orders
    where business_date >= $from_date - $active_customer_days
    group by customer_id, business_date
),

described as (
    select
        active_customers.business_date,
        active_customers.customer_id,
        coalesce(first_channels.channel, 'none') as first_channel,
        coalesce(memberships.is_member, false) as is_member,
        coalesce(last_categories.category, 'none') as last_category,
        case
            when date_diff('day', last_purchase_date, active_customers.business_date) <= 7 then '001-007'
            when date_diff('day', last_purchase_date, active_customers.business_date) <= 30 then '008-030'
            when date_diff('day', last_purchase_date, active_customers.business_date) <= 90 then '031-090'
            else '091-180'
        end as recency,
        cared_for.customer_id is not null as is_cared_for,
        delivered.customer_id is not null as is_delivered,
        is_purchasing
    from active_customers
    left join cared_for using (business_date, customer_id)
    left join delivered using (business_date, customer_id)
    left join memberships using (business_date, customer_id)
    left join first_channels using (business_date, customer_id)
    left join last_categories
        on active_customers.customer_id = last_categories.customer_id
        and active_customers.last_purchase_date = last_categories.business_date
)

select
    business_date, -- the day
    first_channel, -- channel of the session of the first order ever that was not given back
    is_member, -- joined the members, the contacts or the community and has not left
    last_category, -- category of the last order
    recency, -- days since the last purchase day: 001-007, 008-030, 031-090, 091-180
    is_cared_for, -- a care message was sent since the last purchase day
    count(*) as active_customers, -- last purchase day within the 180 days before
    count(*) filter (where is_delivered) as observed_delivered, -- something was delivered since the last purchase day
    count(*) filter (where is_cared_for) as observed_cared_for, -- a care message was sent since then
    count(*) filter (where is_member) as observed_member, -- members
    count(*) filter (where is_delivered or is_cared_for or is_member or is_purchasing)
        as reached_delivered, -- delivered or any later step
    count(*) filter (where is_cared_for or is_member or is_purchasing)
        as reached_cared_for, -- cared for or any later step
    count(*) filter (where is_member or is_purchasing) as reached_member, -- member or purchased
    count(*) filter (where is_purchasing) as purchased -- bought again on the day
from described
group by all
