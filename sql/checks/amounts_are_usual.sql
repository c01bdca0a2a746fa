-- What lines of an order cost is what they cost before: cents for units, or another currency, move every one of them.
--
-- table: staging.order_events
-- severity: warn
with lines as (
    select
        business_date, event_type, coalesce(product_id, '') as product_id,
        -- of one piece: a dozen on a line is no dearer
        ln(amount::DOUBLE / case when quantity > 0 then quantity else 1 end) as log_amount
    from staging.order_events
    where event_type in ('created', 'paid') and amount > 0 and excluded_reason is null
        and business_date between $from_date - 28 and $to_date
),

-- Each line for its product, and once more for the whole shop, which is coarser and there where products are new.
keyed as (
    select business_date, event_type, true as is_of_product, product_id, log_amount
    from lines
    where product_id != ''
    union all
    select business_date, event_type, false, '', log_amount
    from lines
),

medians as (
    select
        business_date, event_type, is_of_product, product_id,
        quantile_cont(log_amount, 0.5) as log_amount
    from keyed
    group by business_date, event_type, is_of_product, product_id
),

today as (
    select business_date, event_type, is_of_product, product_id
    from medians
    where business_date >= $from_date
),

usual as (
    select
        today.business_date, today.event_type, today.is_of_product, today.product_id,
        quantile_cont(before.log_amount, 0.5) as usual_log
    from today
    inner join medians as before
        on today.event_type = before.event_type
        and today.is_of_product = before.is_of_product
        and today.product_id = before.product_id
        and before.business_date between today.business_date - 28 and today.business_date - 1
    group by today.business_date, today.event_type, today.is_of_product, today.product_id
),

event_days as (
    select distinct business_date, event_type
    from medians
),

known as (
    select today.business_date, today.event_type, count(before.business_date) as known_days
    from event_days as today
    inner join event_days as before
        on today.event_type = before.event_type
        and before.business_date between today.business_date - 28 and today.business_date - 1
    where today.business_date >= $from_date
    group by today.business_date, today.event_type
),

moves as (
    select
        keyed.business_date, keyed.event_type, keyed.is_of_product,
        count(*) as line_count,
        quantile_cont(log_amount - usual_log, 0.5) as move,
        -- A standard deviation is the range of the middle half / 1.349; that of a median 1.25 times that of a mean.
        1.25 * (quantile_cont(log_amount - usual_log, 0.75) - quantile_cont(log_amount - usual_log, 0.25))
            / 1.349 / sqrt(count(*)) as noise,
        quantile_cont(log_amount, 0.5) as log_amount
    from keyed
    inner join usual
        on keyed.business_date = usual.business_date
        and keyed.event_type = usual.event_type
        and keyed.is_of_product = usual.is_of_product
        and keyed.product_id = usual.product_id
    group by keyed.business_date, keyed.event_type, keyed.is_of_product
),

chosen as (
    select
        whole.business_date, whole.event_type,
        case when of_product.line_count >= 0.3 * whole.line_count then of_product.move else whole.move end as move,
        case when of_product.line_count >= 0.3 * whole.line_count then of_product.noise else whole.noise end as noise,
        case when of_product.line_count >= 0.3 * whole.line_count then of_product.line_count else whole.line_count end
            as line_count,
        whole.log_amount
    from moves as whole
    left join moves as of_product
        on whole.business_date = of_product.business_date
        and whole.event_type = of_product.event_type
        and of_product.is_of_product
    where not whole.is_of_product
),

-- Orders are created and paid in the same money: the event that moved more tells it.
ranked as (
    select
        chosen.business_date, move, log_amount, line_count,
        row_number() over (partition by chosen.business_date order by abs(move) desc, chosen.event_type) as place
    from chosen
    inner join known on chosen.business_date = known.business_date and chosen.event_type = known.event_type
    where known_days >= 5 and line_count >= 5 and abs(move) > ln(1.8) and abs(move) > 3.5 * noise
)

select
    business_date, -- the day
    round(exp(log_amount), 2) as amount, -- of one piece on the median line
    round(exp(log_amount - move), 2) as usual, -- what it cost on the same lines in the four weeks before
    round(exp(move), 3) as factor, -- the one over the other
    line_count as lines -- lines that say so
from ranked
where place = 1
