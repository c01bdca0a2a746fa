-- Distinct people of the week and of the month up to the day: what no sum of daily counts can tell.
--
-- Each person counts on the first day of the period that sees them, so the days' new people add up to distinct ones.
-- Visitors are null from the first day of the period on which they are not known.
--
-- grain: business_date, period
-- history: all
-- owner: analytics
with days as (
    select
        business_date,
        has_sessions and has_visitors as has_sessions,
        has_payments and has_buyers as has_orders
    from intermediate.known_data
    where business_date <= $to_date
        and business_date >= least(date_trunc('week', $from_date::DATE), date_trunc('month', $from_date::DATE))
),

period_days as (
    select business_date, has_sessions, has_orders, 'week' as period, date_trunc('week', business_date)::DATE as starts
    from days
    union all
    select business_date, has_sessions, has_orders, 'month' as period, date_trunc('month', business_date)::DATE
        as starts
    from days
),

periods as (
    select
        business_date,
        period,
        starts,
        has_orders,
        bool_and(has_sessions) over (
            partition by period, starts order by business_date rows between unbounded preceding and current row
        ) as has_sessions
    from period_days
),

people as (
    select 'visitor' as kind, visitor_id as person_id, business_date
    from intermediate.session_days
    where is_human and business_date <= $to_date
        and business_date >= least(date_trunc('week', $from_date::DATE), date_trunc('month', $from_date::DATE))
    union all
    select 'buyer' as kind, coalesce(customer_id, visitor_id) as person_id, business_date
    from intermediate.payments
    where money_class != 'excluded' and business_date <= $to_date
        and business_date >= least(date_trunc('week', $from_date::DATE), date_trunc('month', $from_date::DATE))
),

first_days as (
    select 'week' as period, kind, person_id, date_trunc('week', business_date)::DATE as starts,
        min(business_date) as first_date
    from people
    where person_id is not null
    group by kind, person_id, date_trunc('week', business_date)
    union all
    select 'month' as period, kind, person_id, date_trunc('month', business_date)::DATE as starts,
        min(business_date) as first_date
    from people
    where person_id is not null
    group by kind, person_id, date_trunc('month', business_date)
),

new_people as (
    select
        period,
        starts,
        first_date,
        count(person_id) filter (where kind = 'visitor') as visitors,
        count(person_id) filter (where kind = 'buyer') as buyers
    from first_days
    group by period, starts, first_date
)

select
    periods.business_date, -- the day up to which people are counted, itself included
    periods.period, -- week: since its Monday; month: since its first day
    case when has_sessions then coalesce(sum(new_people.visitors), 0)::BIGINT end
        as visitors, -- distinct visitors of human sessions
    case when has_orders then coalesce(sum(new_people.buyers), 0)::BIGINT end as buyers -- distinct buyers who paid
from periods
left join new_people
    on new_people.period = periods.period
    and new_people.starts = periods.starts
    and new_people.first_date <= periods.business_date
where periods.business_date >= $from_date
group by periods.business_date, periods.period, periods.has_sessions, periods.has_orders
