-- A step's own events cover most of those who took a later step: else its tracking is lost.
--
-- table: marts.funnel_steps
-- severity: warn
with totals as (
    select business_date, stage, step, sum(observed) as observed_count, sum(reached) as reached_count
    from marts.funnel_steps
    where stage in ('landing', 'decision') and step != 'deep_read' and business_date between $from_date and $to_date
    group by business_date, stage, step
)

select
    business_date, -- the day
    stage, -- of the funnel
    step, -- whose events are lost
    observed_count as seen, -- who had an event of it
    reached_count as reached -- who must have passed it, by later steps
from totals
where reached_count >= 100 and observed_count < 0.5 * reached_count
