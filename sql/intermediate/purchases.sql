-- A customer's purchase day that stands at its end, with the purchase day before: what the shop knew by then.
--
-- grain: customer_id, business_date
-- history: all
-- owner: analytics
with purchase_days as (
    select customer_id, business_date
    from intermediate.purchase_days
    where business_date <= $to_date
),

voided as (
    select customer_id, purchase_date, business_date as void_date
    from intermediate.voided_purchases
    where business_date <= $to_date
),

standing as (
    select purchase_days.*
    from purchase_days
    left join voided
        on purchase_days.customer_id = voided.customer_id
        and purchase_days.business_date = voided.purchase_date
        and purchase_days.business_date = voided.void_date
    where purchase_days.business_date >= $from_date and voided.customer_id is null
),

with_previous as (
    select standing.customer_id, standing.business_date, max(earlier.business_date) as previous_date
    from standing
    inner join purchase_days as earlier
        on standing.customer_id = earlier.customer_id and earlier.business_date < standing.business_date
    left join voided
        on earlier.customer_id = voided.customer_id
        and earlier.business_date = voided.purchase_date
        and voided.void_date <= standing.business_date
    where voided.customer_id is null
    group by standing.customer_id, standing.business_date
)

select
    customer_id, -- the customer
    business_date, -- the purchase day
    previous_date -- the purchase day before; null for the first ever
from standing
left join with_previous using (customer_id, business_date)
