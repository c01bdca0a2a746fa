-- Sessions, payers and same-day money are the same in the cubes, the funnel and the daily summary.
--
-- table: marts.daily_summary
-- severity: block
with landing as (
    select business_date, sum(sessions) as sessions, sum(reached_qualified_product_view) as qualified
    from marts.landing_cube
    where business_date between $from_date and $to_date
    group by business_date
),

arrival as (
    select business_date, sum(sessions) as sessions
    from marts.arrival_cube
    where business_date between $from_date and $to_date
    group by business_date
),

decision as (
    select
        business_date, sum(sessions) as qualified, sum(reached_paid) as paying, sum(paid_orders) as orders,
        sum(paid_amount) as amount
    from marts.decision_cube
    where business_date between $from_date and $to_date
    group by business_date
),

funnel as (
    select
        business_date,
        sum(reached) filter (where stage = 'landing' and step = 'arrival') as sessions,
        sum(reached) filter (where stage = 'decision' and step = 'qualified_product_view') as qualified,
        sum(reached) filter (where stage = 'decision' and step = 'paid') as paying
    from marts.funnel_steps
    where business_date between $from_date and $to_date
    group by business_date
),

totals as (
    select
        business_date,
        struct_pack(
            sessions := [coalesce(human_sessions, 0), coalesce(landing.sessions, 0), coalesce(arrival.sessions, 0),
                coalesce(funnel.sessions, 0)],
            -- Where nobody delivers product views or payments, whoever took a later step is in the cubes alone.
            qualified := case when qualified_sessions is null then [0] else [qualified_sessions,
                coalesce(landing.qualified, 0), coalesce(decision.qualified, 0), coalesce(funnel.qualified, 0)] end,
            paying := case when paying_sessions is null then [0] else [paying_sessions, coalesce(decision.paying, 0),
                coalesce(funnel.paying, 0)] end,
            orders := [coalesce(same_day_orders, 0), coalesce(decision.orders, 0)],
            amount := [coalesce(same_day_amount, 0), coalesce(decision.amount, 0)]
        ) as total
    from marts.daily_summary
    left join landing using (business_date)
    left join arrival using (business_date)
    left join decision using (business_date)
    left join funnel using (business_date)
    where business_date between $from_date and $to_date
)

select
    business_date, -- the day
    total.sessions::VARCHAR as sessions, -- in the summary, the landing cube, the arrival cube and the funnel
    total.qualified::VARCHAR as qualified, -- in the summary, the landing cube, the decision cube and the funnel
    total.paying::VARCHAR as paying, -- in the summary, the decision cube and the funnel
    total.orders::VARCHAR as orders, -- in the summary and the decision cube
    total.amount::VARCHAR as amount -- in the summary and the decision cube
from totals
where list_max(total.sessions) != list_min(total.sessions)
    or list_max(total.qualified) != list_min(total.qualified)
    or list_max(total.paying) != list_min(total.paying)
    or list_max(total.orders) != list_min(total.orders)
    or list_max(total.amount) != list_min(total.amount)
