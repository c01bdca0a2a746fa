-- Inquiries whose customer paid for the first time after asking on this day, by the day they began.
--
-- grain: business_date, entry_date
-- history: 7
-- owner: service
with inquiries as (
    select conversation_id, business_date as entry_date, asked_at, customer_id, visitor_id
    from intermediate.inquiries
    where not is_robot_only and business_date between $from_date - 7 and $to_date
),

payments as (
    select business_date, paid_at, customer_id, visitor_id
    from intermediate.payments
    where money_class != 'excluded' and business_date between $from_date - 7 and $to_date
),

paid as (
    select inquiries.conversation_id, inquiries.entry_date, payments.business_date
    from inquiries
    inner join payments
        on inquiries.customer_id = payments.customer_id
        and payments.paid_at > inquiries.asked_at
        and payments.business_date between inquiries.entry_date and inquiries.entry_date + 7
    union
    select inquiries.conversation_id, inquiries.entry_date, payments.business_date
    from inquiries
    inner join payments
        on inquiries.visitor_id = payments.visitor_id
        and payments.paid_at > inquiries.asked_at
        and payments.business_date between inquiries.entry_date and inquiries.entry_date + 7
),

first_paid as (
    select conversation_id, entry_date, min(business_date) as business_date
    from paid
    group by conversation_id, entry_date
)

select
    business_date, -- the day of the payment
    entry_date, -- the day the inquiries began
    date_diff('day', entry_date, business_date) as age_days, -- days between, at most 7
    count(*) as first_paid_inquiries -- inquiries whose customer had not paid since asking
from first_paid
where business_date between $from_date and $to_date
group by all
