-- Metrics of the day's pages: stays, bounces, carts, coupons and failed payments, under the keys of the registry.
--
-- A metric whose events the shop has not delivered by the end of the day is missing or null.
--
-- grain: business_date, metric
-- history: all
-- owner: page
with days as (
    select *
    from intermediate.known_data
    where business_date between $from_date and $to_date
),

visitors as (
    select
        business_date,
        count(distinct visitor_id) as visitors,
        count(distinct visitor_id) filter (where is_carted) as carting,
        count(distinct visitor_id) filter (where is_favorite) as favoring
    from intermediate.session_days
    where is_human and business_date between $from_date and $to_date
    group by business_date
),

landing as (
    select
        business_date,
        count(*) as sessions,
        count(*) filter (where is_stay_measured) as measured,
        count(*) filter (where is_stay_measured and (observed_three_seconds or observed_second_interaction)) as past,
        count(*) filter (where not observed_second_interaction) as bounced,
        count(*) filter (where observed_product_view and is_read_known) as product_views,
        count(*) filter (where observed_deep_read) as deep_reads,
        count(*) filter (where domain = 'private') as private_sessions
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
    group by business_date
),

page_events as (
    select
        business_date,
        count(*) filter (where event_type = 'coupon_claim') as coupon_claims,
        count(*) filter (where event_type = 'coupon_error') as coupon_errors,
        count(*) filter (where event_type = 'payment_failed') as payment_failures,
        count(*) filter (where event_type in ('page_view', 'product_view', 'live_enter')) as views,
        count(derived_stays.dwell_ms) as derived_stays
    from staging.page_events
    left join intermediate.derived_stays using (event_id, business_date)
    where not is_bot and business_date between $from_date and $to_date
    group by business_date
),

coupon_orders as (
    select business_date, count(*) as coupon_uses
    from intermediate.orders
    where coupon != 'none' and excluded_reason is null and business_date between $from_date and $to_date
    group by business_date
),

coupons as (
    select
        business_date,
        case when has_coupon_claims then coalesce(coupon_claims, 0) end as claims,
        case when has_coupon_errors then coalesce(coupon_errors, 0) end as errors,
        case when has_order_coupons then coalesce(coupon_uses, 0) end as uses
    from days
    left join page_events using (business_date)
    left join coupon_orders using (business_date)
),

measures as (
    select business_date, unnest([
        {'metric': 'visitor_cart_rate', 'numerator': case when has_carts and has_visitors
            then coalesce(carting, 0) end, 'denominator': coalesce(visitors, 0)},
        {'metric': 'visitor_favorite_rate', 'numerator': case when has_favorites and has_visitors
            then coalesce(favoring, 0) end, 'denominator': coalesce(visitors, 0)},
        {'metric': 'payment_failures', 'numerator': case when has_payment_failures
            then coalesce(payment_failures, 0) end, 'denominator': null}
    ], recursive := true)
    from days
    left join visitors using (business_date)
    left join page_events using (business_date)
    where has_pages
    union all
    select business_date, unnest([
        {'metric': 'three_second_rate', 'numerator': past, 'denominator': measured},
        {'metric': 'measured_stay_share', 'numerator': measured, 'denominator': sessions},
        {'metric': 'session_bounce_rate', 'numerator': bounced, 'denominator': sessions},
        {'metric': 'deep_read_rate', 'numerator': case when has_deep_reads and has_product_views
            then deep_reads end, 'denominator': product_views}
    ], recursive := true)
    from days
    inner join landing using (business_date)
    where has_pages
    union all
    select business_date, unnest([
        {'metric': 'derived_stay_share', 'numerator': derived_stays, 'denominator': views}
    ], recursive := true)
    from page_events
    where derived_stays > 0
    union all
    select business_date, unnest([
        {'metric': 'private_domain_share', 'numerator': private_sessions, 'denominator': sessions}
    ], recursive := true)
    from days
    inner join landing using (business_date)
    where has_domains
    union all
    select business_date, unnest([
        {'metric': 'coupon_claims', 'numerator': claims, 'denominator': null},
        {'metric': 'coupon_uses', 'numerator': uses, 'denominator': null},
        {'metric': 'coupon_errors', 'numerator': errors, 'denominator': null},
        {'metric': 'coupon_use_rate', 'numerator': case when claims is not null then uses end, 'denominator': claims},
        {'metric': 'coupon_error_rate', 'numerator': case when uses is not null then errors end,
            'denominator': errors + uses}
    ], recursive := true)
    from coupons
)

select
    business_date, -- the day
    metric, -- key in the metrics registry
    numerator::DECIMAL(28, 3) as numerator, -- cases
    denominator::DECIMAL(28, 3) as denominator -- out of; null for counts
from measures
