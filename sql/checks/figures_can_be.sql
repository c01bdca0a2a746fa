-- No platform states more of a part than of its whole: paying buyers above visitors, first-time buyers above buyers.
--
-- table: marts.figures
-- severity: warn
-- A buyer may pay for what was ordered on another day, and from the cart without opening the product: of the whole shop,
-- and of twenty and more, buyers are below visitors all the same.
with pairs (part, whole, only_of_shop, fewest) as (
    values
    ('new_visitors', 'visitors', false, 1), ('search_visitors', 'visitors', false, 1),
    ('product_visitors', 'visitors', true, 1), ('cart_users', 'visitors', true, 20),
    ('order_buyers', 'visitors', true, 20), ('paying_buyers', 'visitors', true, 20),
    ('new_paying_buyers', 'paying_buyers', false, 1), ('returning_paying_buyers', 'paying_buyers', false, 1),
    ('search_paying_buyers', 'paying_buyers', false, 1), ('inquirers_paid', 'inquirers', false, 1),
    ('clicks', 'impressions', false, 1), ('product_clicks', 'product_impressions', false, 1),
    ('product_click_users', 'product_impression_users', false, 1),
    ('returning_paid_amount', 'paid_amount', false, 1)
),

compared as (
    select
        parts.business_date, parts.platform, parts.level, parts.object, pairs.part, pairs.whole,
        parts.figure_value as part_value,
        wholes.figure_value as whole_value,
        -- Of large figures platforms write 1.2万.
        case when wholes.figure_value >= 10000 and wholes.figure_value % 100 = 0 then 500 else 0 end
        + case when parts.figure_value >= 10000 and parts.figure_value % 100 = 0 then 500 else 0 end as rounding
    from marts.figures as parts
    inner join pairs on parts.metric = pairs.part and (parts.level = 'shop' or not pairs.only_of_shop)
    inner join marts.figures as wholes
        on parts.business_date = wholes.business_date
        and parts.platform = wholes.platform
        and parts.shop = wholes.shop
        and parts.level = wholes.level
        and parts.object = wholes.object
        and parts.parent = wholes.parent
        and parts.device = wholes.device
        and pairs.whole = wholes.metric
    where parts.figure_value >= pairs.fewest
        and parts.level != 'peers'
        and parts.business_date between $from_date and $to_date
        and wholes.business_date between $from_date and $to_date
),

numbered as (
    select
        *,
        count(*) over (partition by business_date, platform, level, part, whole) as objects,
        row_number() over (
            partition by business_date, platform, level, part, whole order by part_value - whole_value desc, object
        ) as place
    from compared
    where part_value > whole_value + rounding
)

select
    business_date, -- the day
    platform, -- who states them
    level, -- what they are about
    object, -- the one that differs most
    objects, -- so many differ
    part as figure, -- the figure that is too large
    whole as whole_figure, -- the figure that it is part of
    part_value::DOUBLE as part, -- its value
    whole_value::DOUBLE as whole -- the value of the whole
from numbered
where place = 1
