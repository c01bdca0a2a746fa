-- Most orders belong to a session: else session ids or visitor ids are lost on the way.
--
-- table: marts.daily_summary
-- severity: warn
select
    business_date, -- the day
    orders_with_session, -- orders that belong to a session
    orders -- of so many
from marts.daily_summary
where orders >= 20 and human_sessions > 0 and orders_with_session < 0.5 * orders
    and business_date between $from_date and $to_date
