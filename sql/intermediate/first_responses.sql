-- The first human answer to a presale inquiry, on the day it came: that day or up to seven days after the question.
--
-- An answer is to the latest conversation of its id: once the id is opened again, the one before stays unanswered.
--
-- grain: conversation_id, entry_date, business_date
-- history: 7
-- owner: service
with conversations as (
    select
        conversation_id,
        business_date,
        lead(asked_at) over (partition by conversation_id order by business_date) as reopened_at
    from intermediate.conversations
    where asked_at is not null and business_date between $from_date - 7 and $to_date
),

inquiries as (
    select conversation_id, business_date as entry_date, asked_at, reopened_at
    from intermediate.inquiries
    left join conversations using (conversation_id, business_date)
    where business_date between $from_date - 7 and $to_date
),

answers as (
    select conversation_id, event_time, business_date
    from staging.service_events
    where event_type = 'agent_message' and not coalesce(is_bot, false)
        and business_date between $from_date - 7 and $to_date
),

first_answers as (
    select
        inquiries.conversation_id,
        inquiries.entry_date,
        inquiries.asked_at,
        min(answers.business_date) as business_date,
        min(answers.event_time) as answered_at
    from inquiries
    inner join answers
        on inquiries.conversation_id = answers.conversation_id
        and answers.event_time >= inquiries.asked_at
        and coalesce(answers.event_time < inquiries.reopened_at, true)
        and answers.business_date between inquiries.entry_date and inquiries.entry_date + 7
    group by inquiries.conversation_id, inquiries.entry_date, inquiries.asked_at
),

service_periods as (
    select period.opens_at as opens_at, period.closes_at as closes_at
    from unnest($service_periods) as periods (period)
),

waited as (
    select
        conversation_id,
        entry_date,
        sum(date_diff('millisecond', greatest(asked_at, opens_at), least(answered_at, closes_at))) as wait_ms
    from first_answers
    inner join service_periods on asked_at < closes_at and answered_at >= opens_at
    group by conversation_id, entry_date
)

select
    conversation_id, -- the conversation
    entry_date, -- the day it began
    business_date, -- the day of the first human answer
    answered_at, -- when it came
    coalesce(wait_ms, 0) / 1000.0 as response_seconds -- from the first customer message until then, in service hours
from first_answers
left join waited using (conversation_id, entry_date)
where business_date >= $from_date
