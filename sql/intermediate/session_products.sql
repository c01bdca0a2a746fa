-- What a session did with a product on a day.
--
-- grain: session_id, product_id, business_date
-- history: 0
-- owner: analytics
with product_events as (
    select
        coalesce(page_events.session_id, derived_sessions.session_id) as session_id,
        page_events.product_id,
        page_events.business_date,
        page_events.event_type,
        page_events.event_time,
        case when page_events.event_type in ('product_view', 'page_leave') then page_events.dwell_ms end as dwell_ms,
        case when page_events.event_type in ('product_view', 'page_leave') then page_events.scroll_ratio end
            as scroll_ratio,
        page_events.event_type in ('module_click', 'review_view', 'question_view', 'favorite', 'add_to_cart')
        or (
            page_events.event_type in ('section_view', 'media_play')
            and coalesce(page_events.module, '') != 'auto'
        ) as is_interaction
    from staging.page_events
    left join intermediate.derived_sessions
        on derived_sessions.family = 'page'
        and page_events.event_id = derived_sessions.event_id
        and page_events.business_date = derived_sessions.business_date
    where page_events.product_id is not null
        and page_events.business_date between $from_date and $to_date
)

select
    session_id, -- the session
    product_id, -- the product (SPU)
    business_date, -- the day
    min(event_time) as first_seen_at, -- the product's first event in the session that day
    bool_or(event_type = 'product_view') as is_viewed, -- its page was opened
    -- opened, and stayed on for 3 seconds or interacted with
    bool_or(event_type = 'product_view')
    and (coalesce(max(dwell_ms), 0) >= $shortest_stay_ms or bool_or(is_interaction))
        as is_qualified, -- a qualified product view
    coalesce(max(dwell_ms) >= 30000, false) or coalesce(max(scroll_ratio) >= 0.75, false)
        as is_deeply_read, -- stayed on for 30 seconds or scrolled through three quarters
    bool_or(event_type in ('favorite', 'add_to_cart')) as is_favorite_or_cart, -- kept for later or put into the cart
    bool_or(event_type = 'add_to_cart') as is_carted -- put into the cart
from product_events
where session_id is not null
group by session_id, product_id, business_date
