-- Metrics of the day's service: inquiries, answers, care, members and ratings, under the keys of the registry.
--
-- A day without an event counts as zero; a metric whose events the shop has not delivered by its end is missing or null.
--
-- grain: business_date, metric
-- history: all
-- owner: service
with days as (
    select *
    from intermediate.known_data
    where business_date between $from_date and $to_date
),

inquiries as (
    select
        business_date,
        count(*) as inquiries,
        count(*) filter (where inquiry_class = 'unanswered') as unanswered,
        count(*) filter (where is_robot_only) as robot_only,
        count(*) filter (where inquiry_class = 'within_30s') as within_30s,
        count(*) filter (where inquiry_class in ('within_30s', 'within_3min')) as within_3min,
        count(*) filter (where not is_robot_only) as human_inquiries,
        count(*) filter (where not is_robot_only and is_paid) as paid_inquiries
    from intermediate.inquiries
    where business_date between $from_date and $to_date
    group by business_date
),

conversations as (
    select business_date, sum(wait_ms) / 1000 as wait_seconds, sum(answered_turn_count) as answered_turns
    from intermediate.conversations
    where business_date between $from_date and $to_date
    group by business_date
),

service as (
    select
        business_date,
        count(*) filter (where event_type = 'care_sent') as care_sent,
        count(*) filter (where event_type = 'care_opened') as care_opened,
        count(*) filter (where event_type = 'member_joined') as members_joined,
        count(*) filter (where event_type in ('contact_added', 'community_joined')) as contacts_added,
        count(*) filter (where event_type in ('contact_lost', 'opted_out')) as contacts_lost,
        count(rating) filter (where event_type = 'rated') as ratings,
        sum(rating) filter (where event_type = 'rated') as stars
    from staging.service_events
    where business_date between $from_date and $to_date
    group by business_date
),

-- Whether someone is answered within 24 hours is known a day later: a day counts what was asked on the day before.
waiting as (
    select business_date + 1 as due_date, event_id, event_time, visitor_id, 'question ' || product_id as thread
    from staging.service_events
    where event_type = 'question_asked' and not is_bot and business_date between $from_date - 1 and $to_date - 1
    union all
    select business_date + 1 as due_date, event_id, event_time, visitor_id, 'review ' || order_id as thread
    from staging.order_events
    where event_type = 'reviewed' and rating <= 3 and excluded_reason is null
        and business_date between $from_date - 1 and $to_date - 1
),

answers as (
    select
        business_date,
        event_time,
        visitor_id,
        case event_type when 'question_answered' then 'question ' || product_id else 'review ' || order_id end as thread
    from staging.service_events
    where event_type in ('question_answered', 'review_replied') and business_date between $from_date - 1 and $to_date
),

-- An answer that names a visitor is for that visitor's question only.
answered as (
    select
        waiting.due_date as business_date,
        count(distinct waiting.event_id) as asked,
        count(distinct case when answers.event_time is not null then waiting.event_id end) as answered_24h
    from waiting
    left join answers
        on answers.thread = waiting.thread
        and answers.event_time between waiting.event_time and waiting.event_time + interval 24 hours
        and answers.business_date <= waiting.due_date
        and coalesce(answers.visitor_id = waiting.visitor_id, true)
    group by waiting.due_date
),

measures as (
    select business_date, unnest([
        {'metric': 'presale_conversations', 'numerator': case when has_inquiries then coalesce(inquiries, 0) end,
            'denominator': null},
        {'metric': 'unanswered_conversations', 'numerator': case when has_inquiries and has_answers
            then coalesce(unanswered, 0) end, 'denominator': null},
        {'metric': 'robot_only_conversations', 'numerator': case when has_inquiries
            then coalesce(robot_only, 0) end, 'denominator': null},
        {'metric': 'same_day_answer_rate', 'numerator': case when has_answers then inquiries - unanswered end,
            'denominator': inquiries},
        {'metric': 'reply_within_30s_rate', 'numerator': case when has_answers then within_30s end,
            'denominator': inquiries},
        {'metric': 'reply_within_3min_rate', 'numerator': case when has_answers then within_3min end,
            'denominator': inquiries},
        {'metric': 'inquiry_pay_rate',
            'numerator': case when has_payments and are_inquiries_apart is not true then paid_inquiries end,
            'denominator': human_inquiries},
        {'metric': 'care_sent', 'numerator': case when has_care then coalesce(care_sent, 0) end,
            'denominator': null},
        {'metric': 'care_opened', 'numerator': case when has_care_opened then coalesce(care_opened, 0) end,
            'denominator': null},
        {'metric': 'care_open_rate', 'numerator': case when has_care and has_care_opened then care_opened end,
            'denominator': care_sent},
        {'metric': 'members_joined', 'numerator': case when has_member_joins then coalesce(members_joined, 0) end,
            'denominator': null},
        {'metric': 'contacts_added', 'numerator': case when has_contacts then coalesce(contacts_added, 0) end,
            'denominator': null},
        {'metric': 'contacts_lost', 'numerator': case when has_contact_losses then coalesce(contacts_lost, 0) end,
            'denominator': null},
        {'metric': 'service_rating', 'numerator': stars, 'denominator': ratings},
        {'metric': 'answered_24h_rate', 'numerator': case when has_question_answers then answered_24h end,
            'denominator': asked}
    ], recursive := true)
    from days
    left join inquiries using (business_date)
    left join service using (business_date)
    left join answered using (business_date)
    union all
    select business_date, unnest([
        {'metric': 'response_seconds', 'numerator': wait_seconds, 'denominator': answered_turns}
    ], recursive := true)
    from conversations
)

select
    business_date, -- the day
    metric, -- key in the metrics registry
    numerator::DECIMAL(28, 3) as numerator, -- cases or seconds; null where the day has none to measure
    denominator::DECIMAL(28, 3) as denominator -- out of; null for counts
from measures
