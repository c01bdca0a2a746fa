-- No step of landing or decision is reached by more sessions than the step before.
--
-- table: marts.funnel_steps
-- severity: block
with with_previous as (
    select
        *,
        lag(reached) over (partition by business_date, stage, entry_type order by step_number) as previous_reached
    from marts.funnel_steps
    where stage in ('landing', 'decision', 'repurchase') and business_date between $from_date and $to_date
)

select
    business_date, -- the day
    stage, -- of the funnel
    step, -- that counts too many
    entry_type, -- where they entered
    reached, -- how many it counts
    previous_reached -- how many the step before counts
from with_previous
where reached > previous_reached
