-- Purchase days of the day and, by gap, how long ago the same customers had bought before.
--
-- grain: business_date, previous_date
-- history: 0
-- owner: membership
select
    business_date, -- the purchase day
    previous_date, -- the customers' purchase day before; null for a first purchase
    date_diff('day', previous_date, business_date)::INTEGER as gap_days, -- days between
    count(*) as customers -- customers
from intermediate.purchases
where business_date between $from_date and $to_date
group by all
