-- Sessions paid for the first time on the day, by the day they entered: what windowed conversion rates are added up from.
--
-- grain: business_date, entry_date
-- history: 60
-- owner: analytics
with payments as (
    select session_id, session_entry_date, business_date, amount
    from intermediate.payments
    where money_class in ('same_day', 'carried_over')
        and business_date between $from_date - $order_lifetime_days and $to_date
),

paid_days as (
    select session_id, session_entry_date, business_date, count(*) as orders, sum(amount) as amount
    from payments
    group by session_id, session_entry_date, business_date
),

with_previous as (
    select
        *,
        coalesce(
            date_diff('day', lag(business_date) over session_payments, business_date) <= $order_lifetime_days, false
        ) as is_paid_before
    from paid_days
    window session_payments as (partition by session_id, session_entry_date order by business_date)
)

select
    business_date, -- the day of the payment
    session_entry_date as entry_date, -- the day the sessions entered
    date_diff('day', session_entry_date, business_date) as age_days, -- days between
    count(*) filter (where not is_paid_before) as first_paying_sessions, -- sessions paid for the first time
    sum(orders)::BIGINT as orders, -- orders paid
    sum(amount)::DECIMAL(18, 2) as amount -- amount paid
from with_previous
where business_date >= $from_date
group by all
