-- Most orders belong to a session: else session ids or visitor ids are lost on the way.
--
-- table: marts.daily_summary
-- severity: warn
select
    business_date, -- the day
    round(100.0 * orders_with_session / orders, 1) || ' % of ' || orders || ' orders have a session' as observed, -- share
    'at least 50 %' as expected -- floor
from marts.daily_summary
where orders >= 20 and human_sessions > 0 and orders_with_session < 0.5 * orders
    and business_date between $from_date and $to_date
