-- What a session did with a product on a day.
--
-- Where an event names no product, its page does: by the product whose page it is, else by itself. What has no page
-- either belongs to the product viewed last, and a view without both to the product `unknown`.
--
-- grain: session_id, product_id, business_date
-- history: 0
-- owner: analytics
with page_events as not materialized (
    select
        coalesce(derived_sessions.session_id, delivered.session_id) as session_id,
        delivered.product_id,
        delivered.page,
        delivered.business_date,
        delivered.event_id,
        delivered.event_type,
        delivered.event_time,
        case
            when delivered.event_type in ('product_view', 'page_leave')
                then coalesce(delivered.dwell_ms, derived_stays.dwell_ms)
        end as dwell_ms,
        case when delivered.event_type in ('product_view', 'page_leave') then delivered.scroll_ratio end
            as scroll_ratio,
        delivered.event_type = 'product_view' as is_view,
        delivered.event_type = 'product_view' and derived_stays.event_id is null as is_stay_delivered,
        delivered.event_type in ('module_click', 'review_view', 'question_view', 'favorite', 'add_to_cart')
        or (
            delivered.event_type in ('section_view', 'media_play')
            and coalesce(delivered.module, '') != 'auto'
        ) as is_interaction,
        -- without a product and a page: certainly about a product
        delivered.event_type in ('review_view', 'question_view', 'favorite', 'add_to_cart')
        or coalesce(delivered.page_type = 'product', false) as is_about_product
    from staging.page_events as delivered
    left join intermediate.derived_sessions
        on derived_sessions.family = 'page'
        and delivered.event_id = derived_sessions.event_id
        and delivered.business_date = derived_sessions.business_date
    left join intermediate.derived_stays
        on delivered.event_id = derived_stays.event_id
        and delivered.business_date = derived_stays.business_date
    where delivered.business_date between $from_date and $to_date
),

-- What may be about a product and does not name it; most events name theirs, and need no look at the others.
nameless_events as (
    select *
    from page_events
    where product_id is null and session_id is not null
        and (is_view or is_about_product or (page is not null and (is_interaction or event_type = 'page_leave')))
),

nameless_sessions as (
    select distinct session_id, business_date
    from nameless_events
),

named_views as (
    select *
    from page_events
    semi join nameless_sessions using (session_id, business_date)
    where is_view and product_id is not null
),

views as (
    select session_id, business_date, page, product_id
    from named_views
    union all
    select session_id, business_date, page, product_id
    from nameless_events
    where is_view
),

viewed_pages as (
    select session_id, business_date, page, coalesce(min(product_id), page) as page_product_id
    from views
    where page is not null
    group by session_id, business_date, page
    having count(distinct product_id) < 2
),

by_page as (
    select
        nameless_events.*,
        coalesce(page_product_id, case when is_view then coalesce(page, 'unknown') end) as known_product_id
    from nameless_events
    left join viewed_pages using (session_id, business_date, page)
    where page_product_id is not null or is_view or is_about_product
),

with_named_views as (
    select *
    from by_page
    union all
    select *, product_id as known_product_id
    from named_views
),

by_last_view as (
    select
        * exclude (product_id, known_product_id),
        product_id is not null as is_named,
        coalesce(
            known_product_id,
            lag(case when is_view then known_product_id end ignore nulls) over session_order,
            'unknown'
        ) as product_id
    from with_named_views
    window session_order as (partition by session_id, business_date order by event_time, event_id)
),

product_events as (
    select
        session_id, business_date, product_id, event_type, event_time, dwell_ms, scroll_ratio, is_view,
        is_stay_delivered, is_interaction
    from page_events
    where product_id is not null
    union all
    select
        session_id, business_date, product_id, event_type, event_time, dwell_ms, scroll_ratio, is_view,
        is_stay_delivered, is_interaction
    from by_last_view
    where not is_named
)

select
    session_id, -- the session
    product_id, -- the product (SPU); where the shop names none, its page, else `unknown`
    business_date, -- the day
    min(event_time) as first_seen_at, -- the product's first event in the session that day
    bool_or(is_view) as is_viewed, -- its page was opened
    -- opened, and stayed on for 3 seconds or interacted with
    bool_or(is_view) and (coalesce(max(dwell_ms), 0) >= $shortest_stay_ms or bool_or(is_interaction))
        as is_qualified, -- a qualified product view
    coalesce(max(dwell_ms) >= 30000, false) or coalesce(max(scroll_ratio) >= 0.75, false)
        as is_deeply_read, -- stayed on for 30 seconds or scrolled through three quarters
    bool_or(is_stay_delivered) or max(dwell_ms) is not null or max(scroll_ratio) is not null
        as is_read_known, -- whether it was read can be told: false where the shop sends no stays and it was the last page
    bool_or(event_type in ('favorite', 'add_to_cart')) as is_favorite_or_cart, -- kept for later or put into the cart
    bool_or(event_type = 'add_to_cart') as is_carted -- put into the cart
from product_events
where session_id is not null
group by session_id, product_id, business_date
