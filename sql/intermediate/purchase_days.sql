-- A customer's purchase day: all orders first paid on one business day are one occasion.
--
-- An instalment of an order that was paid before is no purchase.
--
-- grain: customer_id, business_date
-- history: 0
-- owner: analytics
select
    customer_id, -- the customer
    business_date, -- the purchase day
    count(*) as order_count, -- orders first paid
    sum(amount)::DECIMAL(18, 2) as amount, -- paid for them that day
    min(paid_at) as first_paid_at -- first payment of the day
from intermediate.payments
where is_purchase and money_class != 'excluded' and customer_id is not null
    and business_date between $from_date and $to_date
group by customer_id, business_date
