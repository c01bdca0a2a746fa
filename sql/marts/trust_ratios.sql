-- A figure of the whole shop as its own events have it, beside what the platform states: only the ratio's change tells.
--
-- Events are compared with the platform whose orders they hold: the one that `sales_channel` names, or, where no order
-- names any, the only one that states figures of the shop.
--
-- grain: business_date, platform, metric
-- history: all
-- owner: analytics
with stated as (
    select business_date, platform, metric, max(figure_value) as stated
    from marts.figures
    where level = 'shop' and object = '' and parent = '' and device = '' and platform != ''
        and metric in ('visitors', 'paying_buyers', 'paid_amount', 'refunded_amount')
        and business_date between $from_date - 28 and $to_date
    group by business_date, platform, metric
    having count(*) = 1  -- people of several shops are never added
),

orders as (
    select order_id, business_date, lower(sales_channel) as sales_channel
    from intermediate.orders
    where business_date between $from_date - $order_lifetime_days and $to_date
),

days as (
    select distinct business_date
    from stated
    where business_date >= $from_date
),

platforms as (
    select days.business_date, count(distinct platform) as platform_count
    from days
    inner join stated on stated.business_date between days.business_date - 28 and days.business_date
    group by days.business_date
),

channels as (
    select
        days.business_date,
        count(distinct sales_channel) as channel_count,
        min(sales_channel) as sales_channel,
        count(*) filter (where sales_channel is null) as nameless
    from days
    inner join orders on orders.business_date between days.business_date - 28 and days.business_date
    group by days.business_date
),

-- Whether every order of the four weeks is the platform's.
compared as (
    select
        stated.business_date, platform, metric, stated,
        case
            when coalesce(channel_count, 0) = 0 then platform_count = 1
            else channel_count = 1 and nameless = 0 and sales_channel = lower(platform)
        end as is_whole
    from stated
    inner join platforms on stated.business_date = platforms.business_date
    left join channels on stated.business_date = channels.business_date
),

of_shop as (
    select business_date, 'visitors' as metric, visitors::DECIMAL(24, 6) as ours
    from marts.daily_summary
    where business_date between $from_date and $to_date
    union all
    select business_date, 'paying_buyers', buyers::DECIMAL(24, 6)
    from marts.daily_summary
    where business_date between $from_date and $to_date
    union all
    select business_date, 'paid_amount', paid_amount::DECIMAL(24, 6)
    from marts.daily_summary
    where business_date between $from_date and $to_date
    union all
    select business_date, 'refunded_amount', refunded_amount::DECIMAL(24, 6)
    from marts.daily_summary
    where business_date between $from_date and $to_date
),

channel_sums as (
    select
        payments.business_date,
        sales_channel,
        count(distinct coalesce(customer_id, visitor_id)) as paying_buyers,
        sum(amount) as paid_amount
    from intermediate.payments
    inner join orders on payments.order_id = orders.order_id and payments.created_date = orders.business_date
    where money_class != 'excluded' and payments.business_date between $from_date and $to_date
    group by payments.business_date, sales_channel
),

-- Visitors and refunds name no channel.
of_channel as (
    select business_date, sales_channel, 'paying_buyers' as metric, paying_buyers::DECIMAL(24, 6) as ours
    from channel_sums
    where paying_buyers > 0
    union all
    select business_date, sales_channel, 'paid_amount', paid_amount::DECIMAL(24, 6)
    from channel_sums
)

select
    compared.business_date, -- the day
    compared.platform, -- who states it
    compared.metric, -- visitors, paying_buyers, paid_amount or refunded_amount
    case when is_whole then of_shop.ours else of_channel.ours end as ours, -- by the shop's events
    stated -- by the platform
from compared
left join of_shop on compared.business_date = of_shop.business_date and compared.metric = of_shop.metric
left join of_channel
    on compared.business_date = of_channel.business_date
    and lower(compared.platform) = of_channel.sales_channel
    and compared.metric = of_channel.metric
where case when is_whole then of_shop.ours else of_channel.ours end is not null
