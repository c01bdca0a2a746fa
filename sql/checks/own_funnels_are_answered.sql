-- Every file in the folder of funnels has its answer of the day.
--
-- table: marts.daily_summary
-- severity: warn
select
    business_date, -- the day
    count(*) as funnels, -- so many have none
    min(problem) as problem -- why the first has none: file, line and remedy
from quality.own_funnel_faults
where business_date between $from_date and $to_date
group by business_date
