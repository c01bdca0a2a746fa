-- Every metric of the day, one a row, under the key of the metrics registry.
--
-- A rate or mean has numerator, denominator and value; a count or amount has its numerator as value; a duration has
-- the number of measured cases as numerator, its mean as value, and median, p75 and p90. A metric whose family the
-- shop does not deliver, or whose denominator is zero, is missing or null: never zero.
--
-- grain: business_date, metric
-- history: 1
-- owner: analytics
with summary as (
    select *
    from marts.daily_summary
    where business_date between $from_date and $to_date
),

-- Every day has every metric of its families: a day without an event counts as zero, not as unknown.
days as (
    select
        business_date,
        list_contains($declared_families, 'traffic') as has_traffic,
        list_contains($declared_families, 'page') as has_pages,
        list_contains($declared_families, 'service') as has_service,
        list_contains($declared_families, 'order') as has_orders
    from summary
),

sessions as (
    select *
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
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

advertising as (
    select
        business_date,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(identified_clicks) as identified_clicks,
        sum(arrived_clicks) as arrived_clicks,
        sum(sessions) as sessions,
        sum(cost) as cost
    from marts.arrival_cube
    where business_date between $from_date and $to_date
    group by business_date
),

advertised as (
    select business_date, sum(paid_amount) as paid_amount
    from sessions
    where click_id is not null
    group by business_date
),

landing as (
    select
        business_date,
        count(*) as sessions,
        count(*) filter (where is_stay_measured) as measured,
        count(*) filter (where is_stay_measured and (observed_three_seconds or observed_second_interaction)) as past,
        count(*) filter (where not observed_second_interaction) as bounced,
        count(*) filter (where observed_three_seconds and observed_second_interaction) as engaged,
        count(*) filter (where observed_product_view) as product_views,
        count(*) filter (where observed_deep_read) as deep_reads,
        count(*) filter (where domain = 'private') as private_sessions
    from sessions
    group by business_date
),

page_events as (
    select
        business_date,
        count(*) filter (where event_type = 'coupon_claim') as coupon_claims,
        count(*) filter (where event_type = 'coupon_error') as coupon_errors,
        count(*) filter (where event_type = 'payment_failed') as payment_failures
    from staging.page_events
    where not is_bot and event_type in ('coupon_claim', 'coupon_error', 'payment_failed')
        and business_date between $from_date and $to_date
    group by business_date
),

presales as (
    select business_date, count(distinct session_id) as sessions
    from intermediate.orders
    where is_presale and excluded_reason is null and session_entry_date = business_date
        and business_date between $from_date and $to_date
    group by business_date
),

coupon_orders as (
    select business_date, count(*) filter (where coupon != 'none') as coupon_uses
    from intermediate.orders
    where excluded_reason is null and business_date between $from_date and $to_date
    group by business_date
),

coupons as (
    select
        business_date,
        case when has_pages then coalesce(coupon_claims, 0) end as claims,
        case when has_pages then coalesce(coupon_errors, 0) end as errors,
        case when has_orders then coalesce(coupon_uses, 0) end as uses
    from days
    left join page_events using (business_date)
    left join coupon_orders using (business_date)
),

inquiries as (
    select
        business_date,
        count(*) as inquiries,
        count(first_response_seconds) as answered,
        count(*) filter (where first_response_seconds <= 30) as within_30s,
        count(*) filter (where first_response_seconds <= 180) as within_3min,
        count(*) filter (where not is_robot_only) as human_inquiries,
        count(*) filter (where not is_robot_only and is_paid) as paid_inquiries
    from intermediate.inquiries
    where business_date between $from_date and $to_date
    group by business_date
),

conversations as (
    select business_date, sum(wait_ms) / 1000 as wait_seconds, sum(answered_turn_count) as answered_turns
    from intermediate.conversations
    where business_date between $from_date and $to_date
    group by business_date
),

service as (
    select
        business_date,
        count(*) filter (where event_type = 'care_sent') as care_sent,
        count(*) filter (where event_type = 'care_opened') as care_opened,
        count(*) filter (where event_type = 'member_joined') as members_joined,
        count(*) filter (where event_type in ('contact_added', 'community_joined')) as contacts_added,
        count(*) filter (where event_type in ('contact_lost', 'opted_out')) as contacts_lost,
        count(rating) filter (where event_type = 'rated') as ratings,
        sum(rating) filter (where event_type = 'rated') as stars
    from staging.service_events
    where business_date between $from_date and $to_date
    group by business_date
),

reviews as (
    select
        business_date,
        count(rating) as reviews,
        count(*) filter (where rating <= 3) as negative_reviews,
        sum(rating) as stars
    from staging.order_events
    where event_type = 'reviewed' and excluded_reason is null and business_date between $from_date and $to_date
    group by business_date
),

-- Whether someone is answered within 24 hours is known a day later: a day counts what was asked on the day before.
waiting as (
    select
        business_date + 1 as due_date, event_id, event_time, visitor_id, 'question ' || product_id as thread
    from staging.service_events
    where event_type = 'question_asked' and not is_bot and business_date between $from_date - 1 and $to_date - 1
    union all
    select
        business_date + 1 as due_date, event_id, event_time, visitor_id, 'review ' || order_id as thread
    from staging.order_events
    where event_type = 'reviewed' and rating <= 3 and excluded_reason is null
        and business_date between $from_date - 1 and $to_date - 1
),

answers as (
    select
        business_date,
        event_time,
        visitor_id,
        case event_type when 'question_answered' then 'question ' || product_id else 'review ' || order_id end as thread
    from staging.service_events
    where event_type in ('question_answered', 'review_replied') and business_date between $from_date - 1 and $to_date
),

-- An answer that names a visitor is for that visitor's question only.
answered as (
    select
        waiting.due_date as business_date,
        count(distinct waiting.event_id) as asked,
        count(distinct case when answers.event_time is not null then waiting.event_id end) as answered_24h
    from waiting
    left join answers
        on answers.thread = waiting.thread
        and answers.event_time between waiting.event_time and waiting.event_time + interval 24 hour
        and answers.business_date <= waiting.due_date
        and coalesce(answers.visitor_id = waiting.visitor_id, true)
    group by waiting.due_date
),

refunds as (
    select
        business_date,
        sum(amount) filter (where age_days = 0) as same_day,
        sum(amount) filter (where age_days between 1 and 7) as to_7_days,
        sum(amount) filter (where age_days between 8 and 15) as to_15_days,
        sum(amount) filter (where age_days between 16 and 30) as to_30_days,
        sum(amount) filter (where age_days > 30) as over_30_days,
        sum(amount) filter (where age_days is null) as unlinked
    from intermediate.refunds
    where not is_excluded and business_date between $from_date and $to_date
    group by business_date
),

repurchase as (
    select business_date, sum(active_customers) as active_customers, sum(purchased) as purchased
    from marts.repurchase_cube
    where business_date between $from_date and $to_date
    group by business_date
),

measures as (
    select business_date, unnest([
        {'metric': 'human_sessions', 'numerator': human_sessions::DECIMAL(28, 3), 'denominator': null::DECIMAL(28, 3)},
        {'metric': 'bot_sessions', 'numerator': sessions - human_sessions, 'denominator': null},
        {'metric': 'visitors', 'numerator': visitors, 'denominator': null},
        {'metric': 'buyers', 'numerator': buyers, 'denominator': null},
        {'metric': 'page_views', 'numerator': page_views, 'denominator': null},
        {'metric': 'orders', 'numerator': orders, 'denominator': null},
        {'metric': 'paid_amount', 'numerator': paid_amount, 'denominator': null},
        {'metric': 'refund_amount', 'numerator': refunded_amount, 'denominator': null},
        {'metric': 'landing_rate', 'numerator': qualified_sessions, 'denominator': human_sessions},
        {'metric': 'decision_rate', 'numerator': case when qualified_sessions is not null then paying_sessions end,
            'denominator': qualified_sessions},
        {'metric': 'same_day_session_pay_rate', 'numerator': paying_sessions, 'denominator': human_sessions},
        {'metric': 'visitor_pay_rate', 'numerator': case when visitors is not null then buyers end, 'denominator': visitors},
        {'metric': 'visitor_order_rate', 'numerator': case when visitors is not null then ordering_buyers end,
            'denominator': visitors},
        {'metric': 'visitor_value', 'numerator': case when visitors is not null then paid_amount end, 'denominator': visitors},
        {'metric': 'average_stay_seconds', 'numerator': stay_ms / 1000, 'denominator': visitors},
        {'metric': 'orders_per_paying_session', 'numerator': same_day_orders, 'denominator': paying_sessions},
        {'metric': 'amount_per_order', 'numerator': paid_amount, 'denominator': paid_orders},
        {'metric': 'amount_per_buyer', 'numerator': paid_amount, 'denominator': buyers},
        {'metric': 'amount_per_unit', 'numerator': paid_amount, 'denominator': paid_units},
        {'metric': 'units_per_order', 'numerator': paid_units, 'denominator': paid_orders},
        {'metric': 'returning_buyer_share', 'numerator': returning_buyers, 'denominator': buyers}
    ], recursive := true)
    from summary
    union all
    select summary.business_date, unnest([
        {'metric': 'deposit_rate', 'numerator': presales.sessions::DECIMAL(28, 3),
            'denominator': qualified_sessions::DECIMAL(28, 3)}
    ], recursive := true)
    from summary
    inner join presales using (business_date)
    union all
    select business_date, unnest([
        {'metric': 'visitor_cart_rate', 'numerator': coalesce(carting, 0)::DECIMAL(28, 3),
            'denominator': coalesce(visitors, 0)::DECIMAL(28, 3)},
        {'metric': 'visitor_favorite_rate', 'numerator': coalesce(favoring, 0), 'denominator': coalesce(visitors, 0)}
    ], recursive := true)
    from days
    left join visitors using (business_date)
    where has_pages
    union all
    select business_date, unnest([
        {'metric': 'impressions', 'numerator': impressions::DECIMAL(28, 3), 'denominator': null::DECIMAL(28, 3)},
        {'metric': 'clicks', 'numerator': clicks, 'denominator': null},
        {'metric': 'cost', 'numerator': cost, 'denominator': null},
        {'metric': 'click_rate', 'numerator': clicks, 'denominator': impressions},
        {'metric': 'arrival_rate', 'numerator': case when identified_clicks > 0 then arrived_clicks end,
            'denominator': identified_clicks},
        {'metric': 'visits_per_click', 'numerator': case when identified_clicks = 0 then advertising.sessions end,
            'denominator': clicks},
        {'metric': 'cost_per_engaged_session', 'numerator': case when has_pages then cost end,
            'denominator': coalesce(engaged, 0)},
        {'metric': 'return_on_ad_spend', 'numerator': case when has_orders
            then coalesce(advertised.paid_amount, case when identified_clicks > 0 then 0 end) end, 'denominator': cost},
        {'metric': 'acquisition_cost', 'numerator': case when has_orders then cost end,
            'denominator': coalesce(first_time_buyers, 0)}
    ], recursive := true)
    from days
    inner join summary using (business_date)
    inner join advertising using (business_date)
    left join landing using (business_date)
    left join advertised using (business_date)
    where has_traffic and (impressions > 0 or clicks > 0 or cost > 0)
    union all
    select business_date, unnest([
        {'metric': 'three_second_rate', 'numerator': past::DECIMAL(28, 3), 'denominator': measured::DECIMAL(28, 3)},
        {'metric': 'measured_stay_share', 'numerator': measured, 'denominator': sessions},
        {'metric': 'session_bounce_rate', 'numerator': bounced, 'denominator': sessions},
        {'metric': 'deep_read_rate', 'numerator': deep_reads, 'denominator': product_views}
    ], recursive := true)
    from days
    inner join landing using (business_date)
    where has_pages
    union all
    select business_date, unnest([
        {'metric': 'private_domain_share', 'numerator': private_sessions::DECIMAL(28, 3),
            'denominator': sessions::DECIMAL(28, 3)}
    ], recursive := true)
    from days
    inner join landing using (business_date)
    where has_traffic
    union all
    select business_date, unnest([
        {'metric': 'coupon_claims', 'numerator': claims::DECIMAL(28, 3), 'denominator': null::DECIMAL(28, 3)},
        {'metric': 'coupon_uses', 'numerator': uses, 'denominator': null},
        {'metric': 'coupon_errors', 'numerator': errors, 'denominator': null},
        {'metric': 'coupon_use_rate', 'numerator': case when claims is not null then uses end, 'denominator': claims},
        {'metric': 'coupon_error_rate', 'numerator': case when uses is not null then errors end, 'denominator': errors + uses}
    ], recursive := true)
    from coupons
    union all
    select business_date, unnest([
        {'metric': 'payment_failures', 'numerator': coalesce(payment_failures, 0)::DECIMAL(28, 3),
            'denominator': null::DECIMAL(28, 3)}
    ], recursive := true)
    from days
    left join page_events using (business_date)
    where has_pages
    union all
    select business_date, unnest([
        {'metric': 'presale_conversations', 'numerator': coalesce(inquiries, 0)::DECIMAL(28, 3),
            'denominator': null::DECIMAL(28, 3)},
        {'metric': 'unanswered_conversations', 'numerator': coalesce(inquiries - answered, 0), 'denominator': null},
        {'metric': 'reply_within_30s_rate', 'numerator': within_30s, 'denominator': inquiries},
        {'metric': 'reply_within_3min_rate', 'numerator': within_3min, 'denominator': inquiries},
        {'metric': 'inquiry_pay_rate', 'numerator': case when has_orders then paid_inquiries end,
            'denominator': human_inquiries}
    ], recursive := true)
    from days
    left join inquiries using (business_date)
    where has_service
    union all
    select business_date, unnest([
        {'metric': 'response_seconds', 'numerator': wait_seconds::DECIMAL(28, 3), 'denominator': answered_turns::DECIMAL(28, 3)}
    ], recursive := true)
    from conversations
    union all
    select business_date, unnest([
        {'metric': 'care_sent', 'numerator': coalesce(care_sent, 0)::DECIMAL(28, 3), 'denominator': null::DECIMAL(28, 3)},
        {'metric': 'care_opened', 'numerator': coalesce(care_opened, 0), 'denominator': null},
        {'metric': 'care_open_rate', 'numerator': care_opened, 'denominator': care_sent},
        {'metric': 'members_joined', 'numerator': coalesce(members_joined, 0), 'denominator': null},
        {'metric': 'contacts_added', 'numerator': coalesce(contacts_added, 0), 'denominator': null},
        {'metric': 'contacts_lost', 'numerator': coalesce(contacts_lost, 0), 'denominator': null},
        {'metric': 'service_rating', 'numerator': stars, 'denominator': ratings}
    ], recursive := true)
    from days
    left join service using (business_date)
    where has_service
    union all
    select business_date, unnest([
        {'metric': 'product_rating', 'numerator': stars::DECIMAL(28, 3), 'denominator': reviews::DECIMAL(28, 3)},
        {'metric': 'negative_review_rate', 'numerator': negative_reviews, 'denominator': reviews}
    ], recursive := true)
    from reviews
    union all
    select business_date, unnest([
        {'metric': 'answered_24h_rate', 'numerator': answered_24h::DECIMAL(28, 3), 'denominator': asked::DECIMAL(28, 3)}
    ], recursive := true)
    from days
    inner join answered using (business_date)
    where has_service
    union all
    select business_date, unnest([
        {'metric': 'refund_amount_same_day', 'numerator': coalesce(same_day, 0)::DECIMAL(28, 3),
            'denominator': null::DECIMAL(28, 3)},
        {'metric': 'refund_amount_1_to_7_days', 'numerator': coalesce(to_7_days, 0), 'denominator': null},
        {'metric': 'refund_amount_8_to_15_days', 'numerator': coalesce(to_15_days, 0), 'denominator': null},
        {'metric': 'refund_amount_16_to_30_days', 'numerator': coalesce(to_30_days, 0), 'denominator': null},
        {'metric': 'refund_amount_over_30_days', 'numerator': coalesce(over_30_days, 0), 'denominator': null},
        {'metric': 'refund_amount_unlinked', 'numerator': coalesce(unlinked, 0), 'denominator': null}
    ], recursive := true)
    from days
    left join refunds using (business_date)
    where has_orders
    union all
    select business_date, unnest([
        {'metric': 'active_customers', 'numerator': coalesce(active_customers, 0)::DECIMAL(28, 3),
            'denominator': null::DECIMAL(28, 3)},
        {'metric': 'daily_repurchase_rate', 'numerator': purchased, 'denominator': active_customers}
    ], recursive := true)
    from days
    left join repurchase using (business_date)
    where has_orders
),

durations as (
    select business_date, 'first_screen_ms' as metric, first_screen_ms::DECIMAL(18, 3) as measured
    from sessions
    where first_screen_ms is not null
    union all
    select business_date, 'first_response_seconds', first_response_seconds::DECIMAL(18, 3)
    from intermediate.inquiries
    where first_response_seconds is not null and business_date between $from_date and $to_date
    union all
    select business_date, 'repurchase_interval_days', gap_days::DECIMAL(18, 3)
    from marts.repurchase_outcomes
    cross join unnest(range(customers))  -- a case for each customer
    where gap_days is not null and business_date between $from_date and $to_date
),

distributions as (
    select
        business_date,
        metric,
        count(*)::DECIMAL(28, 3) as numerator,
        sum(measured) as total,
        quantile_cont(measured::DOUBLE, 0.5) as median,
        quantile_cont(measured::DOUBLE, 0.75) as p75,
        quantile_cont(measured::DOUBLE, 0.9) as p90
    from durations
    group by business_date, metric
)

select
    business_date, -- the day
    metric, -- key in the metrics registry
    numerator::DECIMAL(28, 3) as numerator, -- cases, amount, or for a duration how many were measured
    denominator::DECIMAL(28, 3) as denominator, -- out of; null for counts, amounts and durations
    case
        when total is not null then total / numerator
        when denominator is null then numerator
        else numerator / nullif(denominator, 0)
    end::DOUBLE as value, -- share, mean, count or amount
    median, -- of a duration
    p75, -- of a duration
    p90 -- of a duration
from (
    select
        business_date, metric, numerator, denominator, null as total, null as median, null as p75, null as p90
    from measures
    union all
    select business_date, metric, numerator, null as denominator, total, median, p75, p90
    from distributions
)
where numerator is not null
