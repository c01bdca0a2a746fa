-- Human sessions of an entry day: converted within the window, lost, or still pending at the end of the data.
--
-- A day by whose end no payment was ever delivered is left out: whether its sessions paid is not known.
--
-- grain: entry_date, window_days
-- history: all
-- owner: analytics
-- kind: view
with windows as (
    select unnest([0, 1, 3, 7]::INTEGER[]) as window_days
),

data_end as (
    select max(business_date) as last_date
    from marts.daily_summary
),

entered as (
    select business_date as entry_date, human_sessions
    from marts.daily_summary
    where human_sessions > 0 and paying_sessions is not null
),

converted as (
    select entered.entry_date, windows.window_days, sum(first_paying_sessions) as converted
    from entered
    cross join windows
    inner join marts.session_outcomes
        on session_outcomes.entry_date = entered.entry_date and session_outcomes.age_days <= windows.window_days
    group by entered.entry_date, windows.window_days
)

select
    entered.entry_date, -- the day they entered
    windows.window_days, -- business days after the entry that count
    entered.entry_date + windows.window_days <= last_date as is_mature, -- the window is over
    human_sessions as entered, -- human sessions
    coalesce(converted, 0)::BIGINT as converted, -- paid within the window
    case when is_mature then human_sessions - coalesce(converted, 0) else 0 end::BIGINT
        as lost, -- not paid, window over
    case when is_mature then 0 else human_sessions - coalesce(converted, 0) end::BIGINT as pending, -- not paid yet
    case when is_mature then coalesce(converted, 0) / human_sessions end as conversion_rate -- null until mature
from entered
cross join windows
cross join data_end
left join converted using (entry_date, window_days)
