-- Inquiries of a day: paid within the window, lost, or still pending at the end of the data.
--
-- grain: entry_date, window_days
-- history: all
-- owner: service
-- kind: view
with windows as (
    select unnest([0, 1, 3, 7]::INTEGER[]) as window_days
),

data_end as (
    select max(business_date) as last_date
    from marts.daily_summary
),

entered as (
    select business_date as entry_date, floor(denominator)::BIGINT as inquiries
    from marts.daily_metrics
    where metric = 'inquiry_pay_rate' and denominator > 0
),

converted as (
    select entered.entry_date, windows.window_days, sum(first_paid_inquiries) as converted
    from entered
    cross join windows
    inner join marts.inquiry_outcomes
        on inquiry_outcomes.entry_date = entered.entry_date and inquiry_outcomes.age_days <= windows.window_days
    group by entered.entry_date, windows.window_days
)

select
    entered.entry_date, -- the day they began
    windows.window_days, -- business days after it that count
    entered.entry_date + windows.window_days <= last_date as is_mature, -- the window is over
    inquiries as entered, -- presale inquiries not left to a robot
    coalesce(converted, 0)::BIGINT as converted, -- whose customer paid within the window
    case when is_mature then inquiries - coalesce(converted, 0) else 0 end::BIGINT as lost, -- not paid, window over
    case when is_mature then 0 else inquiries - coalesce(converted, 0) end::BIGINT as pending, -- not paid yet
    case when is_mature then coalesce(converted, 0) / inquiries end as inquiry_pay_rate -- null until mature
from entered
cross join windows
cross join data_end
left join converted using (entry_date, window_days)
