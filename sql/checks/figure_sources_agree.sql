-- Sources that state the same figure of a day, delivered on one day, state the same of it.
--
-- table: marts.figures
-- severity: warn
with stated as (
    select
        business_date, delivered_on, event_id, shop, event_type as level,
        coalesce(platform, '') as platform, coalesce(object, '') as object, coalesce(parent, '') as parent,
        coalesce(device, '') as device,
        impressions::DECIMAL(24, 6) as impressions, clicks::DECIMAL(24, 6) as clicks, viewers::DECIMAL(24, 6) as
        viewers, visitors::DECIMAL(24, 6) as visitors, product_visitors::DECIMAL(24, 6) as product_visitors,
        cart_users::DECIMAL(24, 6) as cart_users, order_buyers::DECIMAL(24, 6) as order_buyers,
        paying_buyers::DECIMAL(24, 6) as paying_buyers, inquirers::DECIMAL(24, 6) as inquirers,
        inquirers_paid::DECIMAL(24, 6) as inquirers_paid, paid_amount::DECIMAL(24, 6) as paid_amount,
        refunded_amount::DECIMAL(24, 6) as refunded_amount, cost::DECIMAL(24, 6) as cost
    from staging.figure_rows
    where event_type != 'peers' and business_date between $from_date and $to_date
),

figures as (
    select *
    from stated
    unpivot (
        figure_value for metric in (
            impressions, clicks, viewers, visitors, product_visitors, cart_users, order_buyers, paying_buyers,
            inquirers, inquirers_paid, paid_amount, refunded_amount, cost
        )
    )
),

-- The last delivery of a figure holds; where several came on its day, they are compared.
latest as (
    select *
    from figures
    qualify delivered_on = max(delivered_on) over (
        partition by business_date, platform, shop, level, object, parent, device, metric
    )
),

differing as (
    select
        business_date, platform, level, object, metric,
        min(figure_value) as least,
        max(figure_value) as most,
        min(event_id) as event_id,
        max(event_id) as other_event_id
    from latest
    group by business_date, platform, shop, level, object, parent, device, metric
    -- One of them may write 1.2万, and both may round.
    having max(figure_value) - min(figure_value) > 1 + 0.005 * max(figure_value)
        + case when max(figure_value) >= 10000 then 0.05 * max(figure_value) else 0 end
),

numbered as (
    select
        *,
        count(*) over (partition by business_date, platform, level, metric) as objects,
        row_number() over (partition by business_date, platform, level, metric order by most - least desc, object)
            as place
    from differing
),

sources as (
    select distinct figure_rows.business_date, figure_rows.event_id, deliveries.source
    from raw.figure_rows
    inner join quality.deliveries on figure_rows.delivery_id = deliveries.delivery_id
    where figure_rows.business_date between $from_date and $to_date
)

select
    numbered.business_date, -- the day
    platform, -- who states them
    level, -- what they are about
    object, -- the one that differs most
    metric as figure, -- the figure
    objects, -- so many differ
    least::DOUBLE as least, -- one of the values
    most::DOUBLE as most, -- the other, which is taken
    coalesce(min(one.source), '') as source, -- who states one
    coalesce(min(other.source), '') as other_source -- who states the other
from numbered
left join sources as one on numbered.business_date = one.business_date and numbered.event_id = one.event_id
left join sources as other on numbered.business_date = other.business_date and numbered.other_event_id = other.event_id
where place = 1
group by numbered.business_date, platform, level, object, metric, objects, least, most
