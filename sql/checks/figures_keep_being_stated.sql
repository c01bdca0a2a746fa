-- What a platform has stated on most days of two weeks, it states: no report is late, no figure has gone.
--
-- table: marts.figures
-- severity: warn
with stated as (
    select distinct business_date, platform, level, metric
    from marts.figures
    where level not in ('room', 'peers') and business_date between $from_date - 14 and $to_date
),

days as (
    select unnest(generate_series($from_date::TIMESTAMP, $to_date::TIMESTAMP, interval 1 day)::DATE[]) as business_date
),

-- Fewer than ten of fourteen days: a figure that comes now and then is not missed.
expected as (
    select days.business_date, platform, level, metric, max(stated.business_date) as last_date
    from days
    inner join stated on stated.business_date between days.business_date - 14 and days.business_date - 1
    group by days.business_date, platform, level, metric
    having count(*) >= 10
),

gone as (
    select expected.*
    from expected
    anti join stated using (business_date, platform, level, metric)
),

counted as (
    select
        expected.business_date, expected.platform, expected.level,
        count(*) as expected,
        count(gone.metric) as missing,
        min(gone.metric) as metric,
        max(gone.last_date) as last_date
    from expected
    left join gone using (business_date, platform, level, metric)
    group by expected.business_date, expected.platform, expected.level
)

select
    business_date, -- the day
    platform, -- who stated them
    level, -- what they are about
    missing, -- so many figures are missing
    expected, -- of so many
    metric as figure, -- the first of them
    last_date::VARCHAR as last_date -- the newest day that has it
from counted
where missing > 0
