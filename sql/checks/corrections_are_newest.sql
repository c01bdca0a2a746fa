-- A file that was written again after a newer one was taken states nothing that the newer one states otherwise.
--
-- table: marts.figures
-- severity: warn
with superseded as (
    select family, business_date, delivery_id, count(*) as rows_not_used
    from quality.duplicate_events
    where reason = 'superseded' and business_date between $from_date and $to_date
    group by family, business_date, delivery_id
),

-- Where the last delivery holds.
deliveries as (
    select delivery_id, source, file, dt, loaded_at, modified_at
    from quality.deliveries
    where duplicates = 'latest' or family = 'figure'
),

compared as (
    select
        superseded.business_date, superseded.family, superseded.rows_not_used,
        corrected.file,
        arg_max(newer.file, (newer.dt, newer.file)) as newer_file
    from superseded
    inner join deliveries as corrected on superseded.delivery_id = corrected.delivery_id
    inner join quality.delivery_dates on superseded.business_date = delivery_dates.business_date
    inner join deliveries as newer
        on delivery_dates.delivery_id = newer.delivery_id
        and corrected.source = newer.source
        and corrected.dt < newer.dt
        and corrected.loaded_at > newer.loaded_at
        and corrected.modified_at > newer.loaded_at
    group by superseded.business_date, superseded.family, superseded.rows_not_used, corrected.file
)

select
    business_date, -- the day
    family, -- what it says of the day
    file, -- the correction
    rows_not_used, -- rows of it that are not used
    newer_file -- what counts in their place
from compared
