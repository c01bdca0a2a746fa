-- Metrics of the day's orders: what buyers say of the products, and refunds by age, under the keys of the registry.
--
-- grain: business_date, metric
-- history: all
-- owner: finance
with days as (
    select business_date, has_refunds, has_deposits
    from intermediate.known_data
    where business_date between $from_date and $to_date
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

refunds as (
    select
        business_date,
        count(amount) > 0 as has_amounts,
        sum(amount) filter (where age_days = 0) as same_day,
        sum(amount) filter (where age_days between 1 and 7) as to_7_days,
        sum(amount) filter (where age_days between 8 and 15) as to_15_days,
        sum(amount) filter (where age_days between 16 and 30) as to_30_days,
        sum(amount) filter (where age_days > 30) as over_30_days,
        sum(amount) filter (where age_days is null and not is_deposit) as unlinked,
        sum(amount) filter (where is_deposit) as deposits
    from intermediate.refunds
    where not is_excluded and business_date between $from_date and $to_date
    group by business_date
),

measures as (
    select business_date, unnest([
        {'metric': 'product_rating', 'numerator': stars, 'denominator': reviews},
        {'metric': 'negative_review_rate', 'numerator': negative_reviews, 'denominator': reviews}
    ], recursive := true)
    from reviews
    union all
    select business_date, unnest([
        {'metric': 'refund_amount_same_day', 'numerator': coalesce(same_day, 0), 'denominator': null},
        {'metric': 'refund_amount_1_to_7_days', 'numerator': coalesce(to_7_days, 0), 'denominator': null},
        {'metric': 'refund_amount_8_to_15_days', 'numerator': coalesce(to_15_days, 0), 'denominator': null},
        {'metric': 'refund_amount_16_to_30_days', 'numerator': coalesce(to_30_days, 0), 'denominator': null},
        {'metric': 'refund_amount_over_30_days', 'numerator': coalesce(over_30_days, 0), 'denominator': null},
        {'metric': 'refund_amount_unlinked', 'numerator': coalesce(unlinked, 0), 'denominator': null},
        {'metric': 'refund_amount_deposit', 'numerator': case when has_deposits then coalesce(deposits, 0) end,
            'denominator': null}
    ], recursive := true)
    from days
    left join refunds using (business_date)
    -- Refunds that do not say how much are no refunds of nothing.
    where has_refunds and coalesce(has_amounts, true)
)

select
    business_date, -- the day
    metric, -- key in the metrics registry
    numerator::DECIMAL(28, 3) as numerator, -- stars, reviews or amount
    denominator::DECIMAL(28, 3) as denominator -- out of; null for amounts
from measures
