-- A customer-service conversation on the day it began: who asked, how fast a human answered, how it was rated.
--
-- It goes on while a question is open, for at most seven days, and while no day passes without a message. Waits count the
-- shop's service hours only. What is answered on a later day is in first_responses.
--
-- grain: conversation_id, business_date
-- history: 7
-- owner: service
with messages as (
    select
        * exclude (event_type),
        -- What a robot writes is no question and no human answer, whatever it is called.
        case
            when is_bot and event_type = 'agent_message' then 'bot_message'
            when is_bot and event_type = 'customer_message' then 'robot_question'
            else event_type
        end as event_type
    from staging.service_events
    where conversation_id is not null and business_date between $from_date - 7 and $to_date
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

message_days as (
    select
        conversation_id,
        business_date,
        max(event_time) filter (where event_type = 'customer_message') as asked_last_at,
        max(event_time) filter (where event_type in ('agent_message', 'bot_message', 'conversation_closed'))
            as answered_last_at
    from messages
    group by conversation_id, business_date
),

earlier_messages as (
    select
        conversation_days.conversation_id,
        conversation_days.business_date,
        max(message_days.business_date) as last_date,
        max(asked_last_at) as asked_last_at,
        max(answered_last_at) as answered_last_at
    from conversation_days
    inner join message_days
        on conversation_days.conversation_id = message_days.conversation_id
        and message_days.business_date
            between conversation_days.business_date - 7 and conversation_days.business_date - 1
    group by conversation_days.conversation_id, conversation_days.business_date
),

-- Words of the shop alone open nothing: a conversation begins once the customer writes.
new_conversations as (
    select conversation_days.*
    from conversation_days
    left join earlier_messages using (conversation_id, business_date)
    where not coalesce(asked_last_at > coalesce(answered_last_at, TIMESTAMP '1970-01-01'), false)
        and not coalesce(
            last_date = business_date - 1 and (asked_last_at is not null or customer_message_count = 0), false
        )
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
    select conversation_id, business_date, 'first' as kind, asked_at, reply.answered_at as answered_at
    from first_replies
    inner join new_conversations using (conversation_id, business_date)
    union all
    select conversation_id, business_date, 'turn' as kind, event_time as asked_at, answered_at
    from turn_starts
    where event_type = 'customer_message'
),

service_periods as (
    select period.opens_at as opens_at, period.closes_at as closes_at
    from unnest($service_periods) as periods (period)
),

waited as (
    select
        conversation_id,
        business_date,
        sum(
            date_diff('millisecond', greatest(asked_at, opens_at), least(answered_at, closes_at))
        ) filter (where kind = 'first') as first_wait_ms,
        sum(
            date_diff('millisecond', greatest(asked_at, opens_at), least(answered_at, closes_at))
        ) filter (where kind = 'turn') as wait_ms
    from waits
    inner join service_periods on asked_at < closes_at and answered_at >= opens_at
    group by conversation_id, business_date
),

turn_counts as (
    select
        conversation_id,
        business_date,
        count(*) as turn_count,
        count(answered_at) as answered_turn_count
    from waits
    where kind = 'turn'
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
    case when reply.answered_at is not null then coalesce(first_wait_ms, 0) end
    / 1000.0 as first_response_seconds, -- from one to the other, in service hours
    customer_message_count, -- messages of the customer
    agent_message_count, -- messages of humans
    bot_message_count, -- messages of the robot, also under an agent's name
    coalesce(is_transferred, false) as is_transferred, -- passed on to somebody else
    coalesce(turn_count, 0) as turn_count, -- customer turns
    coalesce(answered_turn_count, 0) as answered_turn_count, -- of them answered by a human that day
    coalesce(wait_ms, 0)::BIGINT as wait_ms, -- milliseconds waited in the answered turns, in service hours
    rating -- stars for the service
from new_conversations
left join first_replies using (conversation_id, business_date)
left join waited using (conversation_id, business_date)
left join turn_counts using (conversation_id, business_date)
left join named_agents using (conversation_id, business_date)
left join intermediate.first_links
    on new_conversations.visitor_id = first_links.visitor_id
    and first_links.linked_date <= new_conversations.business_date
