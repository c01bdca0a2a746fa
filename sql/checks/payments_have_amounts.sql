-- Payments say how much was paid: a sum covers only those that do, and is no data where none does.
--
-- table: intermediate.payments
-- severity: warn
select
    business_date, -- the day
    count(*) filter (where amount is null) as unpriced, -- paid orders that do not say how much
    count(*) as orders -- of so many
from intermediate.payments
where money_class != 'excluded' and business_date between $from_date and $to_date
group by business_date
-- One in a hundred may lack it, and three standard deviations of it; a single one only where it is the day's only one.
having (count(*) filter (where amount is null) > 1 or count(amount) = 0)
    and count(*) filter (where amount is null) > 0.01 * count(*) + 3 * sqrt(0.0099 * count(*))
