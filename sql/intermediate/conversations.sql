-- A customer-service conversation on the day it began: who asked, how fast a human answered, how it was rated.
--
-- grain: conversation_id, business_date
-- history: 1
-- owner: service
with messages as (
    select *
    from staging.service_events
    where conversation_id is not null and business_date between $from_date - 1 and $to_date
),

conversation_days as (
    select
        conversation_id,
        business_date,
        min(visitor_id) as visitor_id,
        min(customer_id) as customer_id,
        min(local_hour) as entry_hour,
        min(topic) as topic,
        arg_min(product_id, (event_time, event_id)) filter (where product_id is not null) as product_id,
        min(event_time) filter (where event_type = 'customer_message') as asked_at,
        count(*) filter (where event_type = 'customer_message') as customer_message_count,
        count(*) filter (where event_type = 'agent_message') as agent_message_count,
        count(*) filter (where event_type = 'bot_message') as bot_message_count,
        bool_or(event_type = 'transferred') as is_transferred,
        min(rating) filter (where event_type = 'rated') as rating
    from messages
    where business_date >= $from_date
    group by conversation_id, business_date
),

days_before as (
    select distinct conversation_id, business_date + 1 as business_date
    from messages
),

new_conversations as (
    select conversation_days.*
    from conversation_days
    anti join days_before using (conversation_id, business_date)
),

first_replies as (
    select
        new_conversations.conversation_id,
        new_conversations.business_date,
        arg_min(
            struct_pack(answered_at := messages.event_time, agent := messages.agent, team := messages.team),
            (messages.event_time, messages.event_id)
        ) as reply
    from new_conversations
    inner join messages
        on new_conversations.conversation_id = messages.conversation_id
        and new_conversations.business_date = messages.business_date
        and messages.event_type = 'agent_message'
        and messages.event_time >= new_conversations.asked_at
    group by new_conversations.conversation_id, new_conversations.business_date
),

-- Every customer turn waits for the next human message of the day; the last may stay unanswered.
turns as (
    select
        conversation_id,
        business_date,
        event_time,
        event_id,
        event_type,
        lag(event_type) over conversation_order as previous_type
    from messages
    where business_date >= $from_date and event_type in ('customer_message', 'agent_message')
    window conversation_order as (partition by conversation_id, business_date order by event_time, event_id)
),

turn_starts as (
    select
        conversation_id,
        business_date,
        event_type,
        event_time,
        lead(event_time) over (partition by conversation_id, business_date order by event_time, event_id) as answered_at
    from turns
    where event_type is distinct from previous_type
),

waits as (
    select
        conversation_id,
        business_date,
        count(*) as turn_count,
        count(answered_at) as answered_turn_count,
        sum(date_diff('millisecond', event_time, answered_at)) as wait_ms
    from turn_starts
    where event_type = 'customer_message'
    group by conversation_id, business_date
),

named_agents as (
    select
        conversation_id,
        business_date,
        arg_min(struct_pack(agent := agent, team := team), (event_time, event_id)) as assigned
    from messages
    where agent is not null and business_date >= $from_date
    group by conversation_id, business_date
)

select
    new_conversations.conversation_id, -- the conversation
    new_conversations.business_date, -- the day it began
    new_conversations.visitor_id, -- the browser or device
    coalesce(new_conversations.customer_id, first_links.customer_id) as customer_id, -- the customer
    entry_hour, -- hour it began on the shop's clock
    coalesce(topic, 'presale') as topic, -- presale or aftersale; presale where the source does not say
    product_id, -- the first product it was about
    coalesce(reply.team, assigned.team, 'unknown') as team, -- team of the first human answer, else the one assigned
    coalesce(reply.agent, assigned.agent, 'unknown') as agent, -- the agent, likewise
    asked_at, -- first customer message; null where nobody asked
    reply.answered_at as answered_at, -- first human answer; null where none came that day
    date_diff('millisecond', asked_at, reply.answered_at) / 1000.0 as first_response_seconds, -- from one to the other
    customer_message_count, -- messages of the customer
    agent_message_count, -- messages of humans
    bot_message_count, -- messages of the robot
    coalesce(is_transferred, false) as is_transferred, -- passed on to somebody else
    coalesce(turn_count, 0) as turn_count, -- customer turns
    coalesce(answered_turn_count, 0) as answered_turn_count, -- of them answered by a human that day
    coalesce(wait_ms, 0)::BIGINT as wait_ms, -- milliseconds waited in the answered turns
    rating -- stars for the service
from new_conversations
left join first_replies using (conversation_id, business_date)
left join waits using (conversation_id, business_date)
left join named_agents using (conversation_id, business_date)
left join intermediate.first_links
    on new_conversations.visitor_id = first_links.visitor_id
    and first_links.linked_date <= new_conversations.business_date
