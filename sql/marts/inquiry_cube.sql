-- Presale conversations and those whose customer paid later on the same day.
--
-- grain: business_date, team, agent, shift, inquiry_class
-- history: 0
-- owner: service
select
    business_date, -- the day they began
    team, -- team
    agent, -- agent
    shift, -- night, day or evening
    inquiry_class, -- how fast a human answered
    count(*) as inquiries, -- presale conversations with a question
    count(first_response_seconds) as answered, -- answered by a human that day
    count(*) filter (where inquiry_class = 'within_30s') as answered_within_30s, -- within 30 seconds
    count(*) filter (where inquiry_class in ('within_30s', 'within_3min')) as answered_within_3min, -- within 3 minutes
    count(*) filter (where is_paid) as paid -- whose customer paid later that day
from intermediate.inquiries
where business_date between $from_date and $to_date
group by all
