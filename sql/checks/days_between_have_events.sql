-- A family that has events every day has some on this one: a delivered file without any is no zero.
--
-- table: staging.order_events
-- severity: warn
with counts as (
    select 'traffic' as family, business_date, count(*) as row_count
    from staging.traffic_events
    where business_date between $from_date - 28 and $to_date
    group by business_date
    union all
    select 'page', business_date, count(*)
    from staging.page_events
    where business_date between $from_date - 28 and $to_date
    group by business_date
    union all
    select 'service', business_date, count(*)
    from staging.service_events
    where business_date between $from_date - 28 and $to_date
    group by business_date
    union all
    select 'order', business_date, count(*)
    from staging.order_events
    where business_date between $from_date - 28 and $to_date
    group by business_date
),

days as (
    select unnest(generate_series($from_date::TIMESTAMP, $to_date::TIMESTAMP, interval 1 day)::DATE[]) as business_date
),

spans as (
    select file, min(business_date) as first_date, max(business_date) as last_date
    from quality.delivery_dates
    group by file
),

-- Whether a file speaks of the day, as find_family_presence has it; a family without one is told to be missing.
delivered as (
    select distinct days.business_date, deliveries.family
    from days
    cross join quality.deliveries
    left join spans on deliveries.file = spans.file
    where deliveries.status = 'loaded'
        and (deliveries.dt = days.business_date or days.business_date between first_date and last_date)
),

empty as (
    select delivered.business_date, delivered.family
    from delivered
    left join counts
        on delivered.business_date = counts.business_date and delivered.family = counts.family
    where counts.family is null
),

-- The four weeks before, by weekday: a shop that rests on Sundays has no rows on any of the last two.
weekdays as (
    select
        empty.business_date, empty.family,
        date_diff('day', counts.business_date, empty.business_date) % 7 as weekday,
        count(*) as open_days,
        max(counts.business_date) as latest_date
    from empty
    inner join counts
        on empty.family = counts.family
        and counts.business_date between empty.business_date - 28 and empty.business_date - 1
    group by all
),

before as (
    select
        empty.business_date, empty.family,
        count(*) as open_days,
        min(counts.business_date) as first_date,
        quantile_cont(row_count::DOUBLE, 0.5) as usual
    from empty
    inner join counts
        on empty.family = counts.family
        and counts.business_date between empty.business_date - 28 and empty.business_date - 1
    group by empty.business_date, empty.family
),

-- How many days of those weekdays there were since the first one.
known as (
    select
        before.business_date, before.family, before.open_days, usual, first_date,
        sum(
            floor((date_diff('day', first_date, before.business_date) + 7 - weekday) / 7)::BIGINT
            - case when weekday = 0 then 1 else 0 end
        ) as known_days,
        max(case when weekday = 0 then latest_date end) as latest_same_weekday
    from before
    inner join weekdays on before.business_date = weekdays.business_date and before.family = weekdays.family
    group by before.business_date, before.family, before.open_days, usual, first_date
),

-- Twice the squares below the median, so that a day of promotion makes no shop unsteady; an empty day counts as one.
scatter as (
    select
        known.business_date, known.family, known.open_days, usual, known_days, latest_same_weekday, first_date,
        2 * (
            sum(power(greatest(usual - row_count, 0), 2)) + (known_days - known.open_days) * power(usual, 2)
        ) / known_days as variance
    from known
    inner join counts
        on known.family = counts.family
        and counts.business_date between known.business_date - 28 and known.business_date - 1
    group by
        known.business_date, known.family, known.open_days, usual, known_days, latest_same_weekday, first_date
)

select
    business_date, -- the day without any
    family, -- what has none
    round(usual) as usual, -- rows on a median day of the four weeks before
    open_days, -- days with rows in those weeks
    known_days -- days on which there might have been some: without the weekdays on which the shop rests
from scatter
where (latest_same_weekday >= business_date - 14 or first_date > business_date - 8)
    and open_days >= 7
    and known_days - open_days <= 1
    -- Fewer than one such day in a thousand would be empty by chance: Poisson, or negative binomial where counts scatter.
    and case
        when variance > usual * 1.001 then power(usual / variance, power(usual, 2) / (variance - usual))
        else exp(-usual)
    end < 0.001
