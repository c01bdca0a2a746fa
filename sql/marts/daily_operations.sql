-- The day's operational series, one metric a row: what explains a rate that moved.
--
-- A share has numerator, denominator and value; a duration has its count and median, p75 and p90 in its own unit.
--
-- grain: business_date, metric
-- history: 0
-- owner: operations
with sessions as (
    select *
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
),

page_events as (
    select business_date, event_type
    from staging.page_events
    where not is_bot and event_type in ('coupon_claim', 'coupon_error', 'payment_failed', 'checkout_start')
        and business_date between $from_date and $to_date
),

service_events as (
    select business_date, event_type, rating, order_id, product_id, event_time
    from staging.service_events
    where business_date between $from_date and $to_date
),

orders as (
    select business_date, coupon
    from intermediate.orders
    where excluded_reason is null and business_date between $from_date and $to_date
),

conversations as (
    select *
    from intermediate.conversations
    where asked_at is not null and business_date between $from_date and $to_date
),

inquiries as (
    select *
    from intermediate.inquiries
    where business_date between $from_date and $to_date
),

reviews as (
    select business_date, rating
    from staging.order_events
    where event_type = 'reviewed' and rating is not null and business_date between $from_date and $to_date
),

coupon_attempts as (
    select business_date, 1 as errors, 0 as uses, 0 as claims from page_events where event_type = 'coupon_error'
    union all
    select business_date, 0, 1, 0 from orders where coupon != 'none'
    union all
    select business_date, 0, 0, 1 from page_events where event_type = 'coupon_claim'
),

shares as (
    select business_date, 'three_second_rate' as metric,
        count(*) filter (where is_stay_measured and (observed_three_seconds or observed_second_interaction)) as numerator,
        count(*) filter (where is_stay_measured) as denominator
    from sessions group by business_date
    union all
    select business_date, 'measured_stay_share', count(*) filter (where is_stay_measured), count(*)
    from sessions group by business_date
    union all
    select business_date, 'session_bounce_rate', count(*) filter (where not observed_second_interaction), count(*)
    from sessions group by business_date
    union all
    select business_date, 'deep_read_rate', count(*) filter (where observed_deep_read),
        count(*) filter (where observed_product_view)
    from sessions group by business_date
    union all
    select business_date, 'reply_within_30s_rate', count(*) filter (where first_response_seconds <= 30), count(*)
    from conversations group by business_date
    union all
    select business_date, 'reply_within_3min_rate', count(*) filter (where first_response_seconds <= 180), count(*)
    from conversations group by business_date
    union all
    select business_date, 'answered_rate', count(first_response_seconds), count(*)
    from conversations group by business_date
    union all
    select business_date, 'inquiry_pay_rate', count(*) filter (where is_paid), count(*)
    from inquiries where not is_robot_only group by business_date
    union all
    select business_date, 'coupon_use_rate', sum(uses), sum(claims) from coupon_attempts group by business_date
    union all
    select business_date, 'coupon_error_rate', sum(errors), sum(errors) + sum(uses)
    from coupon_attempts group by business_date
    union all
    select business_date, 'negative_review_rate', count(*) filter (where rating <= 3), count(*)
    from reviews group by business_date
    union all
    select business_date, 'service_negative_rate', count(*) filter (where rating <= 3), count(*)
    from service_events where event_type = 'rated' and rating is not null group by business_date
    union all
    select business_date, 'care_open_rate', count(*) filter (where event_type = 'care_opened'),
        count(*) filter (where event_type = 'care_sent')
    from service_events where event_type in ('care_sent', 'care_opened') group by business_date
    union all
    select business_date, 'payment_failure_rate', count(*) filter (where event_type = 'payment_failed'),
        count(*) filter (where event_type = 'checkout_start')
    from page_events where event_type in ('payment_failed', 'checkout_start') group by business_date
),

counts as (
    select business_date, event_type || '_count' as metric, count(*) as numerator
    from service_events
    where event_type in (
        'care_sent', 'care_opened', 'member_joined', 'contact_added', 'contact_lost', 'community_joined', 'opted_out',
        'question_asked', 'question_answered', 'review_replied'
    )
    group by business_date, event_type
    union all
    select business_date, 'review_count', count(*) from reviews group by business_date
),

durations as (
    select business_date, 'first_screen_ms' as metric, first_screen_ms::DOUBLE as value
    from sessions where first_screen_ms is not null
    union all
    select business_date, 'first_response_seconds', first_response_seconds
    from conversations where first_response_seconds is not null
    union all
    select business_date, 'average_rating', rating::DOUBLE from reviews
),

distributions as (
    select
        business_date,
        metric,
        count(*) as numerator,
        quantile_cont(value, 0.5) as median,
        quantile_cont(value, 0.75) as p75,
        quantile_cont(value, 0.9) as p90,
        (sum((value * 1000)::DECIMAL(28, 3)) / count(*) / 1000)::DOUBLE as mean
    from durations
    group by business_date, metric
)

select
    business_date, -- the day
    metric, -- key of the metric
    numerator::BIGINT as numerator, -- cases; for a duration how many were measured
    denominator::BIGINT as denominator, -- out of; null for counts and durations
    coalesce(numerator / nullif(denominator, 0), mean) as value, -- share or mean; null for counts
    median, -- of a duration
    p75, -- of a duration
    p90 -- of a duration
from (
    select * from shares
    union all by name
    select * from counts
    union all by name
    select * from distributions
)
