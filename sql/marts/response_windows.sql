-- Presale inquiries of a day: answered by a human within the window, left unanswered, or still open at the end of the data.
--
-- An inquiry without an answer waits longer than any other: it is in the median, and in every share's denominator. A day
-- by whose end no human answer was ever delivered is left out: whether it was answered is not known.
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
    where metric = 'same_day_answer_rate' and denominator > 0
),

waits as (
    select
        entered.entry_date,
        windows.window_days,
        entered.inquiries,
        response_seconds,
        sum(outcomes.inquiries) as answered
    from entered
    cross join windows
    inner join marts.response_outcomes as outcomes
        on outcomes.entry_date = entered.entry_date and outcomes.age_days <= windows.window_days
    group by entered.entry_date, windows.window_days, entered.inquiries, response_seconds
),

with_ranks as (
    select
        *,
        sum(answered) over (
            partition by entry_date, window_days order by response_seconds
            rows between unbounded preceding and current row
        ) as answered_so_far
    from waits
),

answered as (
    select
        entry_date,
        window_days,
        sum(answered) as answered,
        sum(answered) filter (where response_seconds <= 30) as within_30s,
        sum(answered) filter (where response_seconds <= 180) as within_3min,
        min(response_seconds) filter (where 2 * answered_so_far >= inquiries) as median_seconds
    from with_ranks
    group by entry_date, window_days
)

select
    entered.entry_date, -- the day they began
    windows.window_days, -- business days after it that count
    entered.entry_date + windows.window_days <= last_date as is_mature, -- the window is over
    inquiries as entered, -- presale conversations with a question
    coalesce(answered, 0)::BIGINT as answered, -- a human answered within the window
    case when is_mature then inquiries - coalesce(answered, 0) else 0 end::BIGINT
        as unanswered, -- no human did, window over
    case when is_mature then 0 else inquiries - coalesce(answered, 0) end::BIGINT as pending, -- no human did yet
    coalesce(within_30s, 0)::BIGINT as within_30s, -- answered within 30 seconds
    coalesce(within_3min, 0)::BIGINT as within_3min, -- answered within 3 minutes
    median_seconds, -- half were answered as fast; null while fewer than half are answered
    case when is_mature then coalesce(answered, 0) / inquiries end as answer_rate -- null until mature
from entered
cross join windows
cross join data_end
left join answered using (entry_date, window_days)
