-- The money of the day by class: same day + carried over + presale balances + no session = paid amount, to the cent.
--
-- grain: business_date, money_class, age_days
-- history: 0
-- owner: finance
select
    business_date, -- the day of the payments
    money_class, -- same_day (A), carried_over (B), presale_balance (C), no_session (D); excluded stands beside them
    case when money_class = 'carried_over' then date_diff('day', session_entry_date, business_date) else 0 end
        as age_days, -- for carried_over: days since the session entered
    count(*) as payments, -- orders paid
    count(distinct session_id) as sessions, -- sessions they belong to
    sum(unit_count)::BIGINT as units, -- units
    sum(amount)::DECIMAL(18, 2) as amount -- amount paid, postage in
from intermediate.payments
where business_date between $from_date and $to_date
group by all
