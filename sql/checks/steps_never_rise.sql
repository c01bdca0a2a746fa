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
    stage || ' / ' || step || ' / ' || entry_type || ': ' || reached as observed, -- the step
    'at most ' || previous_reached as expected -- the step before
from with_previous
where reached > previous_reached
