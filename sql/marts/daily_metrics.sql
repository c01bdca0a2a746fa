-- Every metric of the day, one a row, under the key of the metrics registry.
--
-- A rate or mean has numerator, denominator and value; a count or amount has its numerator as value; a duration has
-- the number of measured cases as numerator, its mean as value, and median, p75 and p90. A metric whose event types or
-- columns the shop has not delivered by the end of the day is missing, and so is a rate or mean whose denominator is not
-- known; where the denominator is zero the value is null: never zero.
--
-- grain: business_date, metric
-- history: all
-- owner: analytics
with known as (
    select *
    from intermediate.known_data
    where business_date between $from_date and $to_date
),

summary as (
    select *
    from marts.daily_summary
    inner join known using (business_date)
    where business_date between $from_date and $to_date
),

sessions as (
    select business_date, click_id, paid_order_count, paid_amount, first_screen_ms
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
),

presales as (
    select business_date, count(distinct session_id) as sessions
    from intermediate.orders
    where is_presale and excluded_reason is null and session_entry_date = business_date
        and business_date between $from_date and $to_date
    group by business_date
),

-- Before, ids of clicks and of sessions have never met: whether a click arrived is not known.
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
        sum(identified_clicks) as identified_clicks,
        sum(arrived_clicks) as arrived_clicks,
        sum(sessions) as advertised_sessions,
        sum(cost) filter (where impressions > 0 or clicks > 0 or cost > 0) as cost
    from marts.arrival_cube
    where business_date between $from_date and $to_date
    group by business_date
),

advertised as (
    select
        business_date,
        case when sum(paid_order_count) = 0 then 0 else sum(paid_amount) filter (where paid_order_count > 0) end
            as advertised_amount,
        true as is_advertised
    from sessions
    where click_id is not null
    group by business_date
),

landing as (
    select
        business_date,
        sum(engaged_sessions) as engaged_sessions,
        sum(measured_sessions) > 0 as is_any_stay_known
    from marts.landing_cube
    where business_date between $from_date and $to_date
    group by business_date
),

-- The balance of a presale is due later.
created as (
    select business_date, sum(paid) as paid, sum(orders) - sum(presale_orders) as orders
    from marts.payment_cube
    where business_date between $from_date and $to_date
    group by business_date
),

-- A mean leaves out payments that do not say what it is the mean of.
paid as (
    select
        business_date,
        count(distinct order_id) filter (where amount is not null) as priced_orders,
        count(distinct coalesce(customer_id, visitor_id)) filter (where amount is not null) as priced_buyers,
        sum(amount) filter (where coalesce(customer_id, visitor_id) is not null) as buyers_amount,
        sum(amount) filter (where unit_count is not null) as units_amount,
        sum(unit_count) filter (where amount is not null) as priced_units,
        count(distinct order_id) filter (where unit_count is not null) as counted_orders
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date and $to_date
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
        -- Sessions of one event each, without a stay: who looked at a product cannot be told.
        {'metric': 'landing_rate', 'numerator': case when coalesce(is_any_stay_known, true) then qualified_sessions end,
            'denominator': human_sessions},
        {'metric': 'decision_rate', 'numerator': case when coalesce(is_any_stay_known, true)
            and qualified_sessions is not null then paying_sessions end, 'denominator': qualified_sessions},
        {'metric': 'same_day_session_pay_rate', 'numerator': paying_sessions, 'denominator': human_sessions},
        {'metric': 'visitor_pay_rate', 'numerator': buyers, 'denominator': visitors},
        {'metric': 'visitor_order_rate', 'numerator': ordering_buyers, 'denominator': visitors},
        {'metric': 'visitor_value', 'numerator': paid_amount, 'denominator': visitors},
        {'metric': 'average_stay_seconds',
            'numerator': case when coalesce(is_any_stay_known, true) then stay_ms / 1000 end, 'denominator': visitors},
        {'metric': 'orders_per_paying_session', 'numerator': same_day_orders, 'denominator': paying_sessions},
        {'metric': 'amount_per_order', 'numerator': paid_amount, 'denominator': coalesce(priced_orders, 0)},
        {'metric': 'amount_per_buyer',
            'numerator': case when paid_amount is not null then coalesce(buyers_amount, 0) end,
            'denominator': case when buyers is not null then coalesce(priced_buyers, 0) end},
        {'metric': 'amount_per_unit',
            'numerator': case when paid_amount is not null then coalesce(units_amount, 0) end,
            'denominator': case when paid_units is not null then coalesce(priced_units, 0) end},
        {'metric': 'units_per_order', 'numerator': paid_units, 'denominator': coalesce(counted_orders, 0)},
        {'metric': 'returning_buyer_share', 'numerator': returning_buyers, 'denominator': buyers}
    ], recursive := true)
    from summary
    left join landing using (business_date)
    left join paid using (business_date)
    union all
    select summary.business_date, unnest([
        {'metric': 'deposit_rate', 'numerator': presales.sessions, 'denominator': qualified_sessions}
    ], recursive := true)
    from summary
    inner join presales using (business_date)
    union all
    select business_date, unnest([
        {'metric': 'impressions', 'numerator': case when has_impressions then impressions::DECIMAL(28, 3) end,
            'denominator': null::DECIMAL(28, 3)},
        {'metric': 'clicks', 'numerator': case when has_clicks then clicks end, 'denominator': null},
        {'metric': 'cost', 'numerator': case when has_costs then cost end, 'denominator': null},
        {'metric': 'click_rate', 'numerator': case when has_clicks and has_impressions then clicks end,
            'denominator': impressions},
        {'metric': 'arrival_rate', 'numerator': case when has_clicks and has_sessions and identified_clicks > 0
            and business_date >= first_arrival_date then arrived_clicks end,
            'denominator': identified_clicks},
        {'metric': 'visits_per_click', 'numerator': case when has_clicks and has_sessions
            and (identified_clicks = 0 or coalesce(business_date < first_arrival_date, true))
            then advertised_sessions end,
            'denominator': clicks},
        {'metric': 'cost_per_engaged_session', 'numerator': case when has_pages and has_costs then cost end,
            'denominator': coalesce(engaged_sessions, 0)},
        {'metric': 'return_on_ad_spend', 'numerator': case
            when paid_amount is null or cost is null or not has_costs then null
            when is_advertised then advertised_amount
            when identified_clicks > 0 and business_date >= first_arrival_date and same_day_orders is not null
                then 0 end,
            'denominator': cost},
        {'metric': 'acquisition_cost', 'numerator': case when has_costs then cost end,
            'denominator': first_time_buyers}
    ], recursive := true)
    from summary
    inner join advertising using (business_date)
    left join landing using (business_date)
    left join advertised using (business_date)
    cross join first_arrival
    where impressions > 0 or clicks > 0 or cost > 0
    union all
    select business_date, unnest([
        {'metric': 'order_to_pay_rate', 'numerator': case when has_creations and has_payments then paid end,
            'denominator': orders}
    ], recursive := true)
    from known
    inner join created using (business_date)
    union all
    select business_date, unnest([
        {'metric': 'active_customers', 'numerator': coalesce(active_customers, 0), 'denominator': null},
        {'metric': 'daily_repurchase_rate', 'numerator': purchased, 'denominator': active_customers}
    ], recursive := true)
    from summary
    left join repurchase using (business_date)
    where has_payments and has_customers
    union all
    select business_date, metric, numerator, denominator
    from intermediate.page_metrics
    where business_date between $from_date and $to_date
    union all
    select business_date, metric, numerator, denominator
    from intermediate.service_metrics
    where business_date between $from_date and $to_date
    union all
    select business_date, metric, numerator, denominator
    from intermediate.order_metrics
    where business_date between $from_date and $to_date
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
    cross join unnest(generate_series(1, customers)) as cases (number)  -- a case for each customer
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
),

metrics as (
    select
        business_date, metric, numerator, denominator, null as total, null as median, null as p75, null as p90
    from measures
    where numerator is not null and (denominator is not null or not list_contains($rates_and_means, metric))
    union all
    select business_date, metric, numerator, null as denominator, total, median, p75, p90
    from distributions
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
from metrics
