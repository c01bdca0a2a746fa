-- Human sessions name their visitor: what is counted per visitor needs nearly all of them.
--
-- table: intermediate.session_days
-- severity: warn
select
    business_date, -- the day
    count(visitor_id) as named, -- human sessions that name a visitor
    count(*) as sessions -- of so many
from intermediate.session_days
where is_human and business_date between $from_date and $to_date
group by business_date
-- A shop none of whose sessions names one has no figures per visitor anyway.
having count(visitor_id) > 0 and count(visitor_id) < 0.9 * count(*)
