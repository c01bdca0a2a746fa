-- A rate that a platform states is that of the figures that it states, within the rounding of all three.
--
-- table: marts.figures
-- severity: warn
with figures as (
    select
        business_date, platform, shop, level, object, parent, device,
        max(case when metric = 'visitors' then figure_value end) as visitors,
        max(case when metric = 'product_visitors' then figure_value end) as product_visitors,
        max(case when metric = 'inquirers' then figure_value end) as inquirers,
        max(case when metric = 'order_buyers' then figure_value end) as order_buyers,
        max(case when metric = 'paying_buyers' then figure_value end) as paying_buyers,
        max(case when metric = 'inquirers_paid' then figure_value end) as inquirers_paid,
        max(case when metric = 'paid_amount' then figure_value end) as paid_amount,
        max(case when metric = 'attributed_amount' then figure_value end) as attributed_amount,
        max(case when metric = 'cost' then figure_value end) as cost,
        max(case when metric = 'order_rate' then figure_value end) as order_rate,
        max(case when metric = 'pay_rate' then figure_value end) as pay_rate,
        max(case when metric = 'inquiry_pay_rate' then figure_value end) as inquiry_pay_rate,
        max(case when metric = 'amount_per_buyer' then figure_value end) as amount_per_buyer,
        max(case when metric = 'return_on_spend' then figure_value end) as return_on_spend
    from marts.figures
    where level != 'peers' and business_date between $from_date and $to_date
    group by business_date, platform, shop, level, object, parent, device
),

-- Of a part of the shop, visitors may be those of its page: where both are stated, either will do.
stated as (
    select
        *, 'order_rate' as metric, order_rate as rate, order_buyers as part, visitors as whole,
        case when level != 'shop' then product_visitors end as other_whole
    from figures
    union all
    select *, 'pay_rate', pay_rate, paying_buyers, visitors, case when level != 'shop' then product_visitors end
    from figures
    union all
    select *, 'inquiry_pay_rate', inquiry_pay_rate, inquirers_paid, inquirers, null
    from figures
    union all
    select *, 'amount_per_buyer', amount_per_buyer, paid_amount, paying_buyers, null
    from figures
    union all
    select *, 'return_on_spend', return_on_spend, attributed_amount, cost, null
    from figures
),

-- A rate is rounded as the finest of the day's rates is; of large figures platforms write 1.2万.
rounded as (
    select
        business_date, platform, level, object, metric, rate, part, whole, other_whole,
        min(
            case
                when rate = round(rate, 0) then 0.5
                when rate = round(rate, 1) then 0.05
                when rate = round(rate, 2) then 0.005
                when rate = round(rate, 3) then 0.0005
                when rate = round(rate, 4) then 0.00005
                else 0.000005
            end
        ) over (partition by business_date, platform, shop, level, metric) as half_of_rate,
        case
            when part >= 10000 and part % 1000 = 0 then 500
            when part >= 10000 and part % 100 = 0 then 50
            when metric in ('amount_per_buyer', 'return_on_spend') then 0.5
            else 0
        end as half_of_part,
        case
            when coalesce(whole, other_whole) >= 10000 and coalesce(whole, other_whole) % 1000 = 0 then 500
            when coalesce(whole, other_whole) >= 10000 and coalesce(whole, other_whole) % 100 = 0 then 50
            when metric = 'return_on_spend' then 0.5
            else 0
        end as half_of_whole
    from stated
    where rate is not null and part is not null and coalesce(whole, other_whole) > 0
),

judged as (
    select
        *,
        coalesce(
            (rate - half_of_rate) * (whole - half_of_whole) > part + half_of_part + 0.000001
            or (rate + half_of_rate) * (whole + half_of_whole) < part - half_of_part - 0.000001,
            true
        )
        and coalesce(
            (rate - half_of_rate) * (other_whole - half_of_whole) > part + half_of_part + 0.000001
            or (rate + half_of_rate) * (other_whole + half_of_whole) < part - half_of_part - 0.000001,
            true
        ) as is_wrong
    from rounded
),

counted as (
    select
        *,
        count(*) filter (where is_wrong) over same_figure as wrong,
        count(*) over same_figure as stated,
        row_number() over (
            partition by business_date, platform, level, metric order by is_wrong desc, part desc, object asc
        ) as place
    from judged
    window same_figure as (partition by business_date, platform, level, metric)
)

select
    business_date, -- the day
    platform, -- who states them
    level, -- what they are about
    metric as figure, -- the rate
    object, -- the largest that differs
    wrong, -- so many differ
    stated, -- of so many
    rate::DOUBLE as rate, -- as stated
    (part / coalesce(whole, other_whole))::DOUBLE as computed -- of its figures
from counted
where place = 1 and wrong > 0.02 * stated
