-- Human sessions and how far they got on landing, by source, entry and visitor.
--
-- grain: business_date, channel, campaign, creative, landing_page, audience, device, region, entry_type, is_returning, entry_hour_block
-- history: 0
-- owner: page
with sessions as (
    select *
    from intermediate.session_funnel
    where is_human and business_date between $from_date and $to_date
)

select
    business_date, -- the day they entered
    channel, -- channel
    campaign, -- campaign
    creative, -- creative
    landing_page, -- landing page
    audience, -- audience
    device, -- kind of device
    region, -- region
    entry_type, -- kind of the first page
    is_returning, -- its customer had paid before
    entry_hour_block, -- first hour of the block of four hours in which it entered
    count(*) as sessions, -- human sessions
    count(*) filter (where is_stay_measured) as measured_sessions, -- whose stay is known
    count(*) filter (where is_stay_measured and (observed_three_seconds or observed_second_interaction))
        as past_three_seconds_sessions, -- of them past 3 seconds or interacting
    count(*) filter (where observed_second_interaction) as interacting_sessions, -- with a second interaction: no bounce
    count(*) filter (where observed_three_seconds and observed_second_interaction)
        as engaged_sessions, -- past 3 seconds with a second interaction
    count(*) filter (where reached_three_seconds) as reached_three_seconds, -- past 3 seconds or any later step
    count(*) filter (where reached_second_interaction)
        as reached_second_interaction, -- a second interaction or any later step
    count(*) filter (where reached_qualified_product_view)
        as reached_qualified_product_view, -- a qualified product view or any later step
    count(*) filter (where observed_product_view) as product_view_sessions, -- that opened a product page
    count(*) filter (where observed_deep_read) as deep_read_sessions, -- that read one deeply
    sum(page_view_count)::BIGINT as page_views, -- pages opened
    sum(stay_ms)::BIGINT as stay_ms -- milliseconds on all pages with a measured stay
from sessions
group by all
