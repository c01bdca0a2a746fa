-- Customers with a purchase day: bought again within the window, did not, or still may; with the Kaplan–Meier estimate.
--
-- Kaplan–Meier (1958): the share not yet back after t days is the product over gaps of (1 - back / at risk), where a
-- purchase day is at risk of a gap only as long as the data reach. It pools all cohorts; where none is as old as the
-- window there is no estimate.
--
-- grain: cohort_date, window_days
-- history: all
-- owner: membership
-- kind: view
with windows as (
    select unnest([30, 60, 90]::INTEGER[]) as window_days
),

data_end as (
    select max(business_date) as last_date
    from marts.daily_summary
),

cohorts as (
    select business_date as cohort_date, sum(customers) as customers
    from marts.repurchase_outcomes
    group by business_date
),

returns as (
    select previous_date as cohort_date, gap_days, sum(customers) as customers
    from marts.repurchase_outcomes
    where previous_date is not null
    group by previous_date, gap_days
),

gaps as (
    select distinct gap_days
    from returns
    where gap_days <= 90
),

-- At risk of a gap: all customers whose cohort is at least that old, less those who were back sooner.
at_risk as (
    select gaps.gap_days, sum(cohorts.customers) as customers
    from gaps
    cross join data_end
    inner join cohorts on cohorts.cohort_date + gaps.gap_days::INTEGER <= last_date
    group by gaps.gap_days
),

back_sooner as (
    select gaps.gap_days, sum(returns.customers) as customers
    from gaps
    cross join data_end
    inner join returns
        on returns.gap_days < gaps.gap_days and returns.cohort_date + gaps.gap_days::INTEGER <= last_date
    group by gaps.gap_days
),

back as (
    select gap_days, sum(customers) as customers
    from returns
    group by gap_days
),

hazards as (
    select gap_days, back.customers / (at_risk.customers - coalesce(back_sooner.customers, 0)) as hazard
    from at_risk
    inner join back using (gap_days)
    left join back_sooner using (gap_days)
),

-- A product as a sum of logarithms, in decimals: a sum of doubles would differ from run to run in its last bits.
survival as (
    select
        windows.window_days,
        round(1 - exp(sum(ln(greatest(1 - hazard, 1e-12))::DECIMAL(28, 12))), 9) as kaplan_meier_rate
    from windows
    inner join hazards on hazards.gap_days <= windows.window_days
    group by windows.window_days
),

oldest as (
    select min(cohort_date) as oldest_date
    from cohorts
),

returned as (
    select cohorts.cohort_date, windows.window_days, sum(returns.customers) as customers
    from cohorts
    cross join windows
    inner join returns
        on returns.cohort_date = cohorts.cohort_date and returns.gap_days <= windows.window_days
    group by cohorts.cohort_date, windows.window_days
)

select
    cohorts.cohort_date, -- the purchase day
    windows.window_days, -- 30, 60 or 90
    cohorts.cohort_date + windows.window_days <= last_date as is_mature, -- the window is over
    cohorts.customers::BIGINT as customers, -- customers with a purchase day
    coalesce(returned.customers, 0)::BIGINT as converted, -- bought again within the window
    case when is_mature then cohorts.customers - coalesce(returned.customers, 0) else 0 end::BIGINT as lost, -- did not
    case when is_mature then 0 else cohorts.customers - coalesce(returned.customers, 0) end::BIGINT
        as pending, -- may yet
    case when is_mature then coalesce(returned.customers, 0) / cohorts.customers end
        as repurchase_rate, -- null until mature
    case
        when oldest_date + windows.window_days <= last_date then coalesce(survival.kaplan_meier_rate, 0)
    end as kaplan_meier_rate -- over all cohorts so far, the pending ones in; null where none is as old as the window
from cohorts
cross join windows
cross join data_end
cross join oldest
left join returned using (cohort_date, window_days)
left join survival using (window_days)
