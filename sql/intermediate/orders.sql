-- An order on the day it was created, with the session it belongs to: the last human one of its buyer within the window.
--
-- grain: order_id, business_date
-- history: 60
-- owner: analytics
with order_events as (
    select *
    from staging.order_events
    where order_id is not null
        and event_type in ('created', 'deposit_paid', 'paid')
        and business_date between $from_date - $order_lifetime_days and $to_date
),

order_dates as (
    select
        order_id,
        business_date,
        bool_or(event_type = 'created') as is_reported,
        min(event_time) filter (where event_type = 'created') as reported_at,
        min(event_time) as first_seen_at
    from order_events
    group by order_id, business_date
),

with_previous as (
    select
        *,
        date_diff('day', lag(business_date) over order_history, business_date) <= $order_lifetime_days
            as is_seen_before,
        date_diff(
            'day', lag(case when is_reported then business_date end ignore nulls) over order_history, business_date
        ) <= $order_lifetime_days as is_reported_before
    from order_dates
    window order_history as (partition by order_id order by business_date)
),

-- An order that the source never reports as created is created by its first payment.
creations as (
    select
        order_id,
        business_date,
        is_reported,
        coalesce(reported_at, first_seen_at) as created_at
    from with_previous
    where business_date >= $from_date
        and not coalesce(case when is_reported then is_reported_before else is_seen_before end, false)
),

described as (
    select
        creations.order_id,
        creations.business_date,
        creations.created_at,
        min(visitor_id) as visitor_id,
        min(customer_id) as customer_id,
        min(session_id) as source_session_id,
        arg_min(category, (coalesce(line, ''), event_id)) filter (where category is not null) as first_category,
        min(coupon) as coupon,
        min(promotion) as promotion,
        min(payment_provider) as payment_provider,
        min(sales_channel) as sales_channel,
        min(source_room) as source_room,
        min(source_content) as source_content,
        count(*) as line_count,
        sum(quantity)::BIGINT as unit_count,
        (sum(amount) + coalesce(sum(shipping_amount), 0))::DECIMAL(18, 2) as ordered_amount
    from creations
    inner join order_events
        on creations.order_id = order_events.order_id
        and creations.business_date = order_events.business_date
        and (order_events.event_type = 'created') = creations.is_reported
    group by creations.order_id, creations.business_date, creations.created_at
),

presales as (
    select distinct order_id, business_date
    from order_events
    where event_type = 'deposit_paid'
),

exclusions as (
    select creations.order_id, creations.business_date, min(order_events.excluded_reason) as excluded_reason
    from creations
    inner join staging.order_events
        on creations.order_id = order_events.order_id
        and order_events.business_date
            between creations.business_date - $order_lifetime_days and creations.business_date
    where order_events.excluded_reason is not null
    group by creations.order_id, creations.business_date
),

identified as (
    select
        described.* exclude (customer_id),
        coalesce(described.customer_id, first_links.customer_id) as customer_id
    from described
    left join intermediate.first_links
        on described.visitor_id = first_links.visitor_id
        and first_links.linked_date <= described.business_date
),

order_visitors as (
    select order_id, business_date, visitor_id
    from identified
    where visitor_id is not null
    union
    select identified.order_id, identified.business_date, first_links.visitor_id
    from identified
    inner join intermediate.first_links
        on identified.customer_id = first_links.customer_id
        and first_links.linked_date <= identified.business_date
),

sessions as (
    select session_id, source_session_id, business_date as entry_date, visitor_id, started_at, channel, device, region
    from intermediate.session_days
    where is_entry and is_human
        and business_date between $from_date - $attribution_window_days and $to_date
),

candidates as (
    select order_visitors.order_id, order_visitors.business_date, sessions.*
    from order_visitors
    inner join sessions on order_visitors.visitor_id = sessions.visitor_id
    union
    select identified.order_id, identified.business_date, sessions.*
    from identified
    inner join sessions on identified.source_session_id = sessions.source_session_id
),

attributed as (
    select
        candidates.order_id,
        candidates.business_date,
        arg_max(
            struct_pack(
                session_id := session_id,
                entry_date := entry_date,
                channel := channel,
                device := device,
                region := region
            ),
            (started_at, session_id)
        ) as session
    from candidates
    inner join identified using (order_id, business_date)
    where candidates.started_at <= identified.created_at
        and candidates.started_at >= identified.created_at - $attribution_window_days * interval 1 day
        and candidates.entry_date >= candidates.business_date - $attribution_window_days
    group by candidates.order_id, candidates.business_date
)

select
    identified.order_id, -- the order
    identified.business_date, -- the day it was created
    created_at, -- when it was created
    visitor_id, -- the browser or device that ordered
    customer_id, -- the buyer: the order's own, else the visitor's
    session.session_id as session_id, -- the session it belongs to; null for an order with no session
    session.entry_date as session_entry_date, -- the day on which that session entered
    coalesce(session.channel, 'none') as channel, -- channel of that session; none without a session
    coalesce(session.device, 'none') as device, -- kind of device of that session; none without a session
    coalesce(session.region, 'none') as region, -- region of that session; none without a session
    first_category, -- category of its first line
    coalesce(coupon, 'none') as coupon, -- coupon used
    coalesce(promotion, 'none') as promotion, -- promotion
    coalesce(payment_provider, 'unknown') as payment_provider, -- who carries the payment
    sales_channel, -- where it was sold
    source_room, -- the live room that the source credits
    source_content, -- the content piece that the source credits
    line_count, -- lines
    unit_count, -- units; null where no line says how many
    ordered_amount, -- amount ordered, postage in; null where no line says how much
    presales.order_id is not null as is_presale, -- a deposit was paid on that day
    excluded_reason -- why the shop does not count it; null where it does
from identified
left join attributed using (order_id, business_date)
left join presales using (order_id, business_date)
left join exclusions using (order_id, business_date)
