-- Every delivered file of the day can be read, but for those that were dropped. The rest is taken; nothing left blocks.
--
-- table: staging.page_events
-- severity: warn
with dropped as (
    select distinct delivery_id
    from quality.quarantine
    where row_number = 0 and dropped_at is not null
),

-- How many days after the last one of its rows a file of the source is delivered.
read_files as (
    select
        deliveries.source,
        deliveries.delivery_id,
        greatest(date_diff('day', max(delivery_dates.business_date), max(deliveries.dt)), 0) as lag_days
    from quality.deliveries
    inner join quality.delivery_dates on deliveries.delivery_id = delivery_dates.delivery_id
    group by deliveries.source, deliveries.delivery_id
),

lag_counts as (
    select source, lag_days, count(*) as file_count
    from read_files
    group by source, lag_days
),

lag_ranks as (
    select source, lag_days, row_number() over (partition by source order by file_count desc, lag_days asc) as lag_rank
    from lag_counts
),

lags as (
    select source, lag_days
    from lag_ranks
    where lag_rank = 1
),

unreadable as (
    select
        (deliveries.dt - coalesce(lags.lag_days, 0)::INTEGER) as business_date,
        deliveries.family,
        deliveries.file,
        coalesce(deliveries.told::JSON, [{'key': 'as_told', 'values': {'text': deliveries.message}}]::JSON) as message
    from quality.deliveries
    left join dropped on deliveries.delivery_id = dropped.delivery_id
    left join lags on deliveries.source = lags.source
    where deliveries.status = 'quarantined' and deliveries.rows_read = 0 and dropped.delivery_id is null
)

select
    business_date, -- the day of which the files of its source tell that are delivered on its day
    family, -- what was delivered
    file, -- where
    message -- why it cannot be read, as sentences for every language; a ledger of before has them as text alone
from unreadable
where business_date between $from_date and $to_date
