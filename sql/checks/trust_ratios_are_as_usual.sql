-- What the shop's own events come to is the usual share of what the platform states: else events are lost, or doubled.
--
-- table: marts.trust_ratios
-- severity: warn
with ratios as (
    select
        business_date, platform, metric, ours, stated,
        ln(greatest(ours, 0.5) / greatest(stated, 0.5)) as log_ratio,
        -- How many people the ratio rests on: fewer move it more.
        case
            when metric = 'visitors' then stated
            else coalesce(
                max(case when metric = 'paying_buyers' then stated end) over (partition by business_date, platform), 0
            )
        end as people
    from marts.trust_ratios
    where business_date between $from_date - 56 and $to_date
),

-- Exports of orders tell of a refund days after the day that it is dated by.
ages as (
    select days.business_date, date_diff('day', days.business_date, max(arrivals.business_date + lag_days)) as age_days
    from (
        select distinct business_date
        from ratios
        where business_date >= $from_date
    ) as days
    cross join marts.refund_arrivals as arrivals
    where arrivals.business_date <= $to_date
    group by days.business_date
),

-- The share of an earlier day's refunds that was known when it was as old as the judged day is now. A day that was
-- delivered later than that does not tell.
shares_known as (
    select
        ages.business_date,
        arrivals.business_date as before_date,
        sum(case when lag_days <= age_days then refunds else 0 end) / sum(refunds) as share_known
    from ages
    inner join marts.refund_arrivals as arrivals
        on arrivals.business_date between ages.business_date - 56 and ages.business_date - 1
        and first_lag_days <= age_days
    group by ages.business_date, arrivals.business_date
),

earlier as (
    select
        ratios.business_date, ratios.platform, ratios.metric,
        before.log_ratio
        + case when ratios.metric = 'refunded_amount' then ln(greatest(share_known, 0.001)) else 0 end as log_ratio,
        row_number() over (
            partition by ratios.business_date, ratios.platform, ratios.metric order by before.business_date desc
        ) as place
    from ratios
    inner join ratios as before
        on ratios.platform = before.platform
        and ratios.metric = before.metric
        and before.business_date between ratios.business_date - 56 and ratios.business_date - 1
    left join shares_known
        on ratios.business_date = shares_known.business_date and before.business_date = before_date
    where ratios.business_date >= $from_date and (ratios.metric != 'refunded_amount' or share_known is not null)
),

medians as (
    select business_date, platform, metric, quantile_cont(log_ratio::DOUBLE, 0.5) as usual
    from earlier
    where place <= 28
    group by business_date, platform, metric
    having count(*) >= 14
),

spreads as (
    select
        earlier.business_date, earlier.platform, earlier.metric, usual,
        quantile_cont(abs(log_ratio - usual)::DOUBLE, 0.5) as spread
    from earlier
    inner join medians
        on earlier.business_date = medians.business_date
        and earlier.platform = medians.platform
        and earlier.metric = medians.metric
    where place <= 28
    group by earlier.business_date, earlier.platform, earlier.metric, usual
)

-- Far from one, events hold other orders than the platform: the ratio is shown and not judged. Five standard deviations
-- are 7.4 median deviations of a normal.
select
    ratios.business_date, -- the day
    ratios.platform, -- who states the figure
    ratios.metric as figure, -- the figure
    round(ours::DOUBLE, 2) as ours, -- by the shop's events
    round(stated::DOUBLE, 2) as stated, -- by the platform
    round(ours::DOUBLE / stated::DOUBLE, 3) as ratio, -- ours / the platform's
    round(exp(usual), 3) as usual -- median of the same over 28 days, of refunds by what was known of them at that age
from ratios
inner join spreads
    on ratios.business_date = spreads.business_date
    and ratios.platform = spreads.platform
    and ratios.metric = spreads.metric
where ratios.business_date >= $from_date
    and stated > 0
    and people >= 20
    and usual between ln(0.5) and ln(2.0)
    and abs(log_ratio - usual) > greatest(0.1, 7.4 * spread, 2 / sqrt(people))
