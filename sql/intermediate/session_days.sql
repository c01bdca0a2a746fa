-- A session on a business day: where it came from and what it did that day. A session over midnight has two rows.
--
-- grain: session_id, business_date
-- history: 1
-- owner: analytics
with page_events as not materialized (
    select
        coalesce(derived_sessions.session_id, delivered.session_id) as session_id,
        delivered.session_id as source_session_id,
        delivered.* exclude (session_id, dwell_ms),
        coalesce(delivered.dwell_ms, derived_stays.dwell_ms) as dwell_ms,
        event_type != 'page_leave'
        and not (event_type in ('section_view', 'media_play') and coalesce(module, '') = 'auto') as is_interaction
    from staging.page_events as delivered
    left join intermediate.derived_sessions
        on derived_sessions.family = 'page'
        and delivered.event_id = derived_sessions.event_id
        and delivered.business_date = derived_sessions.business_date
    left join intermediate.derived_stays
        on delivered.event_id = derived_stays.event_id
        and delivered.business_date = derived_stays.business_date
    where delivered.business_date between $from_date - 1 and $to_date
),

-- Read column by column where used: kept whole in memory, a big day's events would not fit.
visits as not materialized (
    select
        coalesce(derived_sessions.session_id, delivered.session_id) as session_id,
        delivered.session_id as source_session_id,
        delivered.* exclude (session_id)
    from staging.traffic_events as delivered
    left join intermediate.derived_sessions
        on derived_sessions.family = 'traffic'
        and delivered.event_id = derived_sessions.event_id
        and delivered.business_date = derived_sessions.business_date
    where delivered.event_type = 'visit' and delivered.business_date between $from_date - 1 and $to_date
),

page_days as (
    select
        session_id,
        business_date,
        min(source_session_id) as source_session_id,
        min(visitor_id) as visitor_id,
        arg_min(customer_id, (event_time, event_id)) filter (where customer_id is not null) as customer_id,
        min(event_time) as started_at,
        min(local_hour) as entry_hour,
        arg_min(page_type, (event_time, event_id)) filter (where page_type is not null) as first_page_type,
        arg_min(first_screen_ms, (event_time, event_id)) filter (where first_screen_ms is not null) as first_screen_ms,
        count(*) as page_event_count,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        sum(dwell_ms) as stay_ms,
        max(dwell_ms) as longest_dwell_ms,
        bool_or(is_bot) as is_flagged_bot,
        max(event_time) filter (where is_interaction) as last_interaction_at,
        count(*) filter (where is_interaction) as interaction_count,
        bool_or(event_type = 'product_view') as is_product_viewed,
        bool_or(event_type = 'favorite') as is_favorite,
        bool_or(event_type = 'add_to_cart') as is_carted,
        bool_or(event_type = 'checkout_start') as is_checkout,
        min(coupon) filter (where event_type = 'checkout_start') as coupon,
        min(promotion) filter (where event_type = 'checkout_start') as promotion
    from page_events
    where session_id is not null and business_date >= $from_date
    group by session_id, business_date
),

visit_days as (
    select
        session_id,
        business_date,
        min(source_session_id) as source_session_id,
        min(visitor_id) as visitor_id,
        arg_min(customer_id, (event_time, event_id)) filter (where customer_id is not null) as customer_id,
        min(event_time) as started_at,
        min(local_hour) as entry_hour,
        bool_or(is_bot) as is_flagged_bot,
        arg_min(
            struct_pack(
                channel := channel,
                campaign := campaign,
                creative := creative,
                creative_origin := creative_origin,
                audience := audience,
                landing_page := landing_page,
                click_id := click_id,
                device := device,
                region := region,
                domain := domain
            ),
            (event_time, event_id)
        ) as source
    from visits
    where session_id is not null and business_date >= $from_date
    group by session_id, business_date
),

-- Rule 1: a robot is flagged by the source, or sends too many page events within one minute.
busy_sessions as (
    select session_id, business_date
    from page_days
    where page_event_count > $most_page_events_a_minute
),

busy_minutes as (
    select session_id, business_date
    from page_events
    semi join busy_sessions using (session_id, business_date)
    group by session_id, business_date, date_trunc('minute', event_time)
    having count(*) > $most_page_events_a_minute
),

floods as (
    select distinct session_id, business_date
    from busy_minutes
),

session_dates as (
    select session_id, business_date from page_events
    union
    select session_id, business_date from visits
),

days_before as (
    select session_id, business_date + 1 as business_date
    from session_dates
),

combined as (
    select
        coalesce(page_days.session_id, visit_days.session_id) as session_id,
        coalesce(page_days.business_date, visit_days.business_date) as business_date,
        coalesce(page_days.source_session_id, visit_days.source_session_id) as source_session_id,
        coalesce(visit_days.visitor_id, page_days.visitor_id) as visitor_id,
        coalesce(visit_days.customer_id, page_days.customer_id) as customer_id,
        least(page_days.started_at, visit_days.started_at) as started_at,
        least(page_days.entry_hour, visit_days.entry_hour) as entry_hour,
        page_days.started_at as first_page_event_at,
        coalesce(page_days.is_flagged_bot, false) or coalesce(visit_days.is_flagged_bot, false) as is_flagged_bot,
        visit_days.source,
        page_days.* exclude (
            session_id, business_date, source_session_id, visitor_id, customer_id, started_at, entry_hour,
            is_flagged_bot
        )
    from page_days
    full join visit_days
        on page_days.session_id = visit_days.session_id and page_days.business_date = visit_days.business_date
),

product_days as (
    select
        session_id,
        business_date,
        bool_or(is_qualified) as is_qualified,
        bool_or(is_deeply_read) as is_deeply_read,
        bool_or(is_read_known) filter (where is_viewed) as is_read_known,
        arg_min(product_id, (first_seen_at, product_id)) filter (where is_viewed) as first_product_id
    from intermediate.session_products
    where business_date between $from_date and $to_date
    group by session_id, business_date
)

select
    combined.session_id, -- the session
    combined.business_date, -- the day
    source_session_id, -- the source's id for it, which other sessions may have too; null where it is derived
    visitor_id, -- the browser or device
    customer_id, -- the customer that the session's own events name; null where none does
    started_at, -- its first event of the day
    entry_hour, -- hour of that event on the shop's clock, 0 to 23
    days_before.session_id is null as is_entry, -- it entered on this day: it has no event on the day before
    not is_flagged_bot and floods.session_id is null as is_human, -- no robot by rule 1
    coalesce(source.channel, 'unknown') as channel, -- channel of its first visit
    coalesce(source.campaign, 'none') as campaign, -- campaign of its first visit
    coalesce(source.creative, 'none') as creative, -- creative of its first visit
    coalesce(source.creative_origin, 'none') as creative_origin, -- who made that creative
    coalesce(source.audience, 'none') as audience, -- audience aimed at
    coalesce(source.landing_page, 'unknown') as landing_page, -- page it landed on
    coalesce(source.device, 'unknown') as device, -- kind of device
    coalesce(source.region, 'unknown') as region, -- region
    coalesce(source.domain, 'public') as domain, -- public traffic or private domain
    source.click_id, -- the ad click it came from
    case
        when first_page_type in ('home', 'product', 'live', 'content', 'cart') then first_page_type
        when first_page_type is null then 'unknown'
        else 'other'
    end as entry_type, -- kind of the first page: home, product, live, content, cart, other
    coalesce(page_event_count, 0) as page_event_count, -- page events that day
    coalesce(page_view_count, 0) as page_view_count, -- pages opened that day
    coalesce(stay_ms, 0)::BIGINT as stay_ms, -- milliseconds on all pages whose stay is known
    first_screen_ms, -- milliseconds until the first page's first screen stood
    longest_dwell_ms is not null
    or coalesce(last_interaction_at > first_page_event_at or interaction_count >= 2, false)
        as is_stay_measured, -- a stay is known or an interaction seen: a lost page_leave is no bounce
    coalesce(longest_dwell_ms >= $shortest_stay_ms, false) as observed_three_seconds, -- stayed 3 seconds on a page
    coalesce(last_interaction_at > first_page_event_at or interaction_count >= 2, false)
        as observed_second_interaction, -- had a second interaction
    coalesce(is_product_viewed, false) as observed_product_view, -- opened a product page
    coalesce(product_days.is_qualified, false) as observed_qualified_product_view, -- had a qualified product view
    coalesce(product_days.is_deeply_read, false) as observed_deep_read, -- read a product page deeply
    coalesce(product_days.is_read_known, false) as is_read_known, -- whether it did can be told
    coalesce(is_favorite, false) as is_favorite, -- kept a product for later
    coalesce(is_carted, false) as is_carted, -- put a product into the cart
    coalesce(is_checkout, false) as observed_checkout, -- started a checkout
    product_days.first_product_id, -- the first product it opened
    coupon as checkout_coupon, -- coupon at the checkout
    promotion as checkout_promotion -- promotion at the checkout
from combined
left join product_days
    on combined.session_id = product_days.session_id and combined.business_date = product_days.business_date
left join floods
    on combined.session_id = floods.session_id and combined.business_date = floods.business_date
left join days_before
    on combined.session_id = days_before.session_id and combined.business_date = days_before.business_date
