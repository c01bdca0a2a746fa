-- The shop's day in one row: the factors of the same-day money, the headline rate and the platform's counts beside it.
--
-- What event types or columns would tell that the shop has not delivered by the end of the day is null, never zero; so
-- is what its sessions paid, where no key of the orders meets a session.
--
-- grain: business_date
-- history: all
-- owner: analytics
with sessions as (
    select *
    from intermediate.session_funnel
    where business_date between $from_date - 28 and $to_date
),

days as (
    select *
    from intermediate.known_data
    where business_date between $from_date and $to_date
),

session_counts as (
    select
        business_date,
        count(*) as sessions,
        count(*) filter (where is_human) as human_sessions,
        count(*) filter (where is_human and is_returning) as returning_sessions,
        count(*) filter (where is_human and reached_qualified_product_view) as qualified_sessions,
        count(*) filter (where is_human and reached_paid) as paying_sessions,
        sum(page_view_count) filter (where is_human) as page_views,
        sum(stay_ms) filter (where is_human) as stay_ms
    from sessions
    where business_date >= $from_date
    group by business_date
),

hours as (
    select
        business_date,
        entry_hour,
        count(*) as sessions,
        count(*) filter (where reached_paid) as paying_sessions
    from sessions
    where is_human
    group by business_date, entry_hour
),

-- How the sessions of the 28 days before spread over the hours of entry.
usual_hours as (
    select days.business_date, hours.entry_hour, sum(hours.sessions) as sessions
    from days
    inner join hours on hours.business_date between days.business_date - 28 and days.business_date - 1
    group by days.business_date, hours.entry_hour
),

-- Direct standardisation: today's rate of each hour, weighted by the usual sessions of that hour.
standardised as (
    select
        hours.business_date,
        sum((usual_hours.sessions * hours.paying_sessions / hours.sessions)::DECIMAL(28, 9)) as expected_paying,
        sum(usual_hours.sessions) as weight
    from hours
    inner join usual_hours using (business_date, entry_hour)
    group by hours.business_date
),

visitor_counts as (
    select business_date, count(distinct visitor_id) as visitors
    from intermediate.session_days
    where is_human and business_date between $from_date and $to_date
    group by business_date
),

buyer_kinds as (
    select
        business_date,
        count(*) filter (where date_diff('day', previous_date, business_date) <= 365) as returning_buyers,
        count(*) filter (where previous_date is null) as first_time_buyers
    from intermediate.purchases
    where business_date between $from_date and $to_date
    group by business_date
),

payment_counts as (
    select
        business_date,
        count(distinct coalesce(customer_id, visitor_id)) as buyers,
        count(distinct order_id) as paid_orders,
        sum(unit_count) as paid_units,
        count(unit_count) = 0 as is_unit_count_unknown,
        sum(amount) as paid_amount,
        count(amount) = 0 as is_amount_unknown,
        count(distinct order_id) filter (where money_class = 'same_day') as same_day_orders,
        sum(amount) filter (where money_class = 'same_day') as same_day_amount,
        count(*) filter (where money_class = 'same_day' and amount is null) as unpriced_same_day
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date and $to_date
    group by business_date
),

order_counts as (
    select
        business_date,
        count(*) as orders,
        count(session_id) as orders_with_session,
        count(distinct coalesce(customer_id, visitor_id)) as ordering_buyers
    from intermediate.orders
    where excluded_reason is null and business_date between $from_date and $to_date
    group by business_date
),

refund_amounts as (
    select business_date, sum(amount) as refunded_amount, count(amount) = 0 as is_refund_unknown
    from intermediate.refunds
    where not is_excluded and not is_deposit and business_date between $from_date and $to_date
    group by business_date
)

select
    business_date, -- the day
    case when has_sessions then coalesce(sessions, 0) end as sessions, -- sessions that entered, robots in
    case when has_sessions then coalesce(human_sessions, 0) end
        as human_sessions, -- of them human: first factor of the same-day money
    case when has_sessions and has_payments and has_customers then coalesce(returning_sessions, 0) end
        as returning_sessions, -- human sessions whose customer had purchased before
    case when has_product_views then coalesce(qualified_sessions, 0) end
        as qualified_sessions, -- human sessions that reached a qualified product view
    case when has_sessions and has_payments and are_orders_apart is not true then coalesce(paying_sessions, 0) end
        as paying_sessions, -- human sessions paid by the end of the day they entered
    case when has_page_views then coalesce(page_views, 0)::BIGINT end
        as page_views, -- pages opened in human sessions
    case when has_pages then coalesce(stay_ms, 0)::BIGINT end as stay_ms, -- milliseconds on their pages, where measured
    case when has_sessions and has_visitors then coalesce(visitors, 0) end as visitors, -- distinct visitors of human sessions of the day
    case when has_payments and has_buyers then coalesce(buyers, 0) end as buyers, -- distinct buyers who paid
    case when has_payments and has_customers then coalesce(returning_buyers, 0) end
        as returning_buyers, -- customers who purchased, and had within the 365 days before
    case when has_payments and has_customers then coalesce(first_time_buyers, 0) end
        as first_time_buyers, -- customers who purchased for the first time ever
    case when has_orders and has_buyers then coalesce(ordering_buyers, 0) end
        as ordering_buyers, -- distinct buyers who ordered
    case when has_orders then coalesce(orders, 0) end as orders, -- orders created
    case when has_sessions and has_orders then coalesce(orders_with_session, 0) end
        as orders_with_session, -- of them with a session
    case when has_payments then coalesce(paid_orders, 0) end as paid_orders, -- orders paid
    case when has_units and not coalesce(is_unit_count_unknown, false) then coalesce(paid_units, 0)::BIGINT end
        as paid_units, -- units in them; null where none says how many
    case when has_amounts and not coalesce(is_amount_unknown, false) then coalesce(paid_amount, 0)::DECIMAL(18, 2) end
        as paid_amount, -- paid, postage in, later refunds not deducted; null where no payment says how much
    case when has_sessions and has_payments and are_orders_apart is not true then coalesce(same_day_orders, 0) end
        as same_day_orders, -- orders paid on the day their session entered
    case
        when has_sessions and has_amounts and not coalesce(is_amount_unknown, false) and are_orders_apart is not true
            then coalesce(same_day_amount, case when coalesce(unpriced_same_day, 0) = 0 then 0 end)::DECIMAL(18, 2)
    end
        as same_day_amount, -- amount paid for them
    case
        when has_refunds and not coalesce(is_refund_unknown, false) then coalesce(refunded_amount, 0)::DECIMAL(18, 2)
    end
        as refunded_amount, -- refunded on the day, for payments of any day; deposits out
    case when has_payments and are_orders_apart is not true then paying_sessions / nullif(human_sessions, 0) end
        as same_day_session_rate, -- headline: paying / human sessions
    case
        when has_payments and are_orders_apart is not true
            then coalesce((expected_paying / weight)::DOUBLE, paying_sessions / nullif(human_sessions, 0))
    end as standardised_session_rate, -- the same, each entry hour weighted as in the 28 days before
    case when has_payments and has_buyers and has_visitors then coalesce(buyers, 0) / nullif(visitors, 0) end
        as visitor_pay_rate -- platform-comparable: buyers / visitors
from days
left join session_counts using (business_date)
left join standardised using (business_date)
left join visitor_counts using (business_date)
left join buyer_kinds using (business_date)
left join payment_counts using (business_date)
left join order_counts using (business_date)
left join refund_amounts using (business_date)
