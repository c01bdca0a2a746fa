-- No delivery of figures has exactly as many rows as platforms cut their exports off at.
--
-- table: marts.figures
-- severity: warn
select distinct
    delivery_dates.business_date, -- the day
    deliveries.file, -- what was delivered
    deliveries.rows_read -- so many rows
from quality.deliveries
inner join quality.delivery_dates on deliveries.delivery_id = delivery_dates.delivery_id
where deliveries.family = 'figure'
    and deliveries.rows_read = $rows_of_a_cut_export
    and delivery_dates.business_date between $from_date and $to_date
