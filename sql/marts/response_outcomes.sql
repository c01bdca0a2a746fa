-- Presale inquiries that a human answered for the first time on this day, by the day they began and how long they waited.
--
-- grain: business_date, entry_date, response_seconds
-- history: 0
-- owner: service
select
    business_date, -- the day of the answer
    entry_date, -- the day the inquiries began
    response_seconds::DECIMAL(18, 3) as response_seconds, -- seconds they waited, in service hours
    date_diff('day', entry_date, business_date) as age_days, -- days between, at most 7
    count(*) as inquiries -- so many
from intermediate.first_responses
where business_date between $from_date and $to_date
group by all
