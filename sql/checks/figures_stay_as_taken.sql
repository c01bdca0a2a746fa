-- A day of figures stays as it was taken first, within a twentieth: else its platform has restated it.
--
-- table: marts.figures
-- severity: warn
with versions as (
    select
        delivered.business_date, delivered.event_id, delivered.dt, deliveries.loaded_at, delivered.event_type as level,
        coalesce(delivered.platform, '') as platform, coalesce(delivered.object, '') as object,
        row_number() over (
            partition by delivered.business_date, delivered.event_id
            order by deliveries.loaded_at, delivered.dt, delivered.delivery_id, delivered.row_number
        ) as version,
        delivered.impressions::DECIMAL(24, 6) as impressions, delivered.clicks::DECIMAL(24, 6) as clicks,
        delivered.viewers::DECIMAL(24, 6) as viewers, delivered.visitors::DECIMAL(24, 6) as visitors,
        delivered.product_visitors::DECIMAL(24, 6) as product_visitors, delivered.cart_users::DECIMAL(24, 6) as
        cart_users, delivered.order_buyers::DECIMAL(24, 6) as order_buyers, delivered.paying_buyers::DECIMAL(24, 6) as
        paying_buyers, delivered.inquirers::DECIMAL(24, 6) as inquirers, delivered.inquirers_paid::DECIMAL(24, 6) as
        inquirers_paid, delivered.paid_amount::DECIMAL(24, 6) as paid_amount, delivered.refunded_amount::DECIMAL(24,
        6) as refunded_amount, delivered.cost::DECIMAL(24, 6) as cost
    from raw.figure_rows as delivered
    inner join quality.deliveries on delivered.delivery_id = deliveries.delivery_id
    -- What is taken on the day itself is not over yet, and advertising claims more with every day of its window.
    where delivered.event_type not in ('campaign', 'keyword', 'peers')
        and deliveries.loaded_at >= delivered.business_date + 1
        and delivered.business_date between $from_date and $to_date
),

figures as (
    select *
    from versions
    unpivot (
        figure_value for metric in (
            impressions, clicks, viewers, visitors, product_visitors, cart_users, order_buyers, paying_buyers,
            inquirers, inquirers_paid, paid_amount, refunded_amount, cost
        )
    )
),

dated as (
    select
        business_date, event_id, metric, figure_value, dt, version,
        min(loaded_at) over (partition by business_date, event_id, metric, figure_value) as stated_at
    from figures
),

-- As they are stated now, by the newest file, and since when.
current_figures as (
    select business_date, event_id, metric, figure_value, stated_at as loaded_at
    from dated
    qualify row_number() over (partition by business_date, event_id, metric order by dt desc, version desc) = 1
),

-- What one run takes is told at once: only what came an hour later has changed anything that was told.
compared as (
    select
        figures.business_date, figures.platform, figures.level, figures.object, figures.metric,
        figures.figure_value as before,
        current_figures.figure_value as now,
        abs(current_figures.figure_value - figures.figure_value) as difference
    from figures
    inner join current_figures
        on figures.business_date = current_figures.business_date
        and figures.event_id = current_figures.event_id
        and figures.metric = current_figures.metric
    where figures.version = 1 and current_figures.loaded_at >= figures.loaded_at + interval 1 hour
),

judged as (
    select *, difference > 20 and difference > 0.05 * before as is_restated
    from compared
),

numbered as (
    select
        *,
        count(*) filter (where is_restated) over (partition by business_date, platform, level, metric) as objects,
        count(*) over (partition by business_date, platform, level, metric) as known,
        row_number() over (
            partition by business_date, platform, level, metric order by is_restated desc, difference desc, object asc
        ) as place
    from judged
)

select
    business_date, -- the day
    platform, -- who states them
    level, -- what they are about
    object, -- the one that changed most
    metric as figure, -- the figure
    objects, -- so many changed
    before::DOUBLE as before, -- as it was taken first
    now::DOUBLE as now -- as it is stated now
from numbered
where place = 1 and objects > 0.02 * known
