-- A presale conversation and whether its customer paid later on the same day.
--
-- grain: conversation_id, business_date
-- history: 0
-- owner: service
with presale as (
    select *
    from intermediate.conversations
    where topic = 'presale' and asked_at is not null and business_date between $from_date and $to_date
),

payments as (
    select business_date, paid_at, customer_id, visitor_id
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date and $to_date
),

paid as (
    select presale.conversation_id, presale.business_date
    from presale
    inner join payments
        on presale.customer_id = payments.customer_id
        and presale.business_date = payments.business_date
        and payments.paid_at > presale.asked_at
    union
    select presale.conversation_id, presale.business_date
    from presale
    inner join payments
        on presale.visitor_id = payments.visitor_id
        and presale.business_date = payments.business_date
        and payments.paid_at > presale.asked_at
)

select
    presale.conversation_id, -- the conversation
    presale.business_date, -- the day it began
    presale.visitor_id, -- the browser or device
    presale.customer_id, -- the customer
    presale.asked_at, -- first customer message
    presale.team, -- team
    presale.agent, -- agent
    case
        when entry_hour < 8 then 'night'
        when entry_hour < 16 then 'day'
        else 'evening'
    end as shift, -- night 0–8, day 8–16, evening 16–24 on the shop's clock
    presale.first_response_seconds, -- seconds until a human answered; null where none did that day
    presale.bot_message_count > 0 and presale.agent_message_count = 0
        as is_robot_only, -- only a robot spoke to the customer
    case
        when first_response_seconds is null then 'unanswered'
        when first_response_seconds <= 30 then 'within_30s'
        when first_response_seconds <= 180 then 'within_3min'
        else 'later'
    end as inquiry_class, -- how fast a human answered
    paid.conversation_id is not null as is_paid -- the customer paid later on the same day
from presale
left join paid using (conversation_id, business_date)
