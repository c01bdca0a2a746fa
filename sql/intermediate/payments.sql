-- What was paid for an order on a day, and which part of the day's money it is.
--
-- grain: order_id, business_date
-- history: 60
-- owner: analytics
with order_events as (
    select *
    from staging.order_events
    where order_id is not null and business_date between $from_date - $order_lifetime_days and $to_date
),

payment_days as (
    select
        order_id,
        business_date,
        min(event_time) as paid_at,
        min(visitor_id) as visitor_id,
        min(customer_id) as customer_id,
        min(payment_provider) as payment_provider,
        sum(quantity)::BIGINT as unit_count,
        sum(amount) + coalesce(sum(shipping_amount), 0) as amount
    from order_events
    where event_type in ('paid', 'balance_paid') and business_date >= $from_date
    group by order_id, business_date
),

presale_days as (
    select order_id, business_date, bool_or(event_type = 'balance_paid') as is_told
    from order_events
    where event_type in ('paid', 'balance_paid')
    group by order_id, business_date
),

-- What an order with a deposit had come to by each day on which something was paid.
presale_sums as (
    select
        payment_days.order_id,
        payment_days.business_date,
        presale_days.business_date as presale_date,
        is_told,
        sum(order_events.amount) filter (where event_type = 'created')
        + greatest(
            sum(case when event_type = 'created' then coalesce(order_events.shipping_amount, 0) else 0 end),
            sum(case when event_type like '%paid' then coalesce(order_events.shipping_amount, 0) else 0 end)
        ) as created_amount,
        sum(coalesce(order_events.amount, 0) + coalesce(order_events.shipping_amount, 0))
            filter (where event_type = 'deposit_paid') as deposit_amount,
        sum(order_events.amount + coalesce(order_events.shipping_amount, 0))
            filter (where event_type in ('paid', 'balance_paid')) as paid_amount
    from payment_days
    inner join presale_days
        on payment_days.order_id = presale_days.order_id
        and presale_days.business_date
            between payment_days.business_date - $order_lifetime_days and payment_days.business_date
    inner join order_events
        on payment_days.order_id = order_events.order_id
        and order_events.business_date
            between payment_days.business_date - $order_lifetime_days and presale_days.business_date
    group by payment_days.order_id, payment_days.business_date, presale_days.business_date, is_told
),

-- A `paid` is a balance too where the deposit and it make the order, not it alone: where it falls short by the deposit.
balances as (
    select order_id, business_date, presale_date
    from presale_sums
    where is_told
        or (
            deposit_amount > 0
            and deposit_amount + paid_amount <= 1.01 * created_amount
            and deposit_amount / 2 + paid_amount <= created_amount
        )
),

balance_days as (
    select
        order_id,
        business_date,
        max(presale_date) filter (where presale_date < business_date) as previous_balance_date
    from balances
    group by order_id, business_date
    having max(presale_date) = business_date
),

-- A presale counts on the day of its balance, deposit included; of two balance days the first takes it.
deposits as (
    select
        payment_days.order_id,
        payment_days.business_date,
        coalesce(sum(order_events.amount), 0) + coalesce(sum(order_events.shipping_amount), 0) as amount
    from payment_days
    inner join balance_days using (order_id, business_date)
    inner join order_events
        on payment_days.order_id = order_events.order_id
        and order_events.event_type = 'deposit_paid'
        and order_events.business_date
            between payment_days.business_date - $order_lifetime_days and payment_days.business_date
        and (previous_balance_date is null or order_events.business_date > previous_balance_date)
    group by payment_days.order_id, payment_days.business_date
),

-- What had come of the order before the day: a payment is another purchase only where nothing of an earlier one is left.
payments_before as (
    select
        payment_days.order_id,
        payment_days.business_date,
        sum(coalesce(earlier.amount, 0) + coalesce(earlier.shipping_amount, 0))
            filter (where earlier.event_type like '%paid') as paid_amount,
        sum(coalesce(earlier.amount, 0) + coalesce(earlier.shipping_amount, 0))
            filter (where earlier.event_type = 'refunded') as refunded_amount,
        bool_or(earlier.event_type in ('paid', 'balance_paid')) as is_paid,
        bool_or(earlier.event_type = 'shipped') as is_shipped
    from payment_days
    inner join order_events as earlier
        on payment_days.order_id = earlier.order_id
        and earlier.business_date
            between payment_days.business_date - $order_lifetime_days and payment_days.business_date - 1
    where earlier.event_type in ('deposit_paid', 'paid', 'balance_paid', 'refunded', 'shipped')
    group by payment_days.order_id, payment_days.business_date
),

exclusions as (
    select payment_days.order_id, payment_days.business_date, min(order_events.excluded_reason) as excluded_reason
    from payment_days
    inner join order_events
        on payment_days.order_id = order_events.order_id
        and order_events.business_date
            between payment_days.business_date - $order_lifetime_days and payment_days.business_date
    where order_events.excluded_reason is not null
    group by payment_days.order_id, payment_days.business_date
),

creations as (
    select
        payment_days.order_id,
        payment_days.business_date,
        arg_max(
            struct_pack(
                visitor_id := orders.visitor_id,
                customer_id := orders.customer_id,
                session_id := orders.session_id,
                session_entry_date := orders.session_entry_date,
                created_date := orders.business_date,
                payment_provider := orders.payment_provider
            ),
            orders.business_date
        ) as created
    from payment_days
    inner join intermediate.orders
        on payment_days.order_id = orders.order_id
        and orders.business_date
            between payment_days.business_date - $order_lifetime_days and payment_days.business_date
    group by payment_days.order_id, payment_days.business_date
),

identified as (
    select
        payment_days.* exclude (visitor_id, customer_id, payment_provider, amount),
        coalesce(payment_days.visitor_id, created.visitor_id) as visitor_id,
        coalesce(payment_days.customer_id, created.customer_id) as own_customer_id,
        coalesce(payment_days.payment_provider, created.payment_provider, 'unknown') as payment_provider,
        (payment_days.amount + coalesce(deposits.amount, 0))::DECIMAL(18, 2) as amount,
        created.session_id as session_id,
        created.session_entry_date as session_entry_date,
        created.created_date as created_date,
        exclusions.excluded_reason,
        balance_days.order_id is not null as is_balance,
        not coalesce(payments_before.is_paid, false)
        or (refunded_amount > 0 and refunded_amount >= paid_amount and not is_shipped) as is_purchase
    from payment_days
    left join creations using (order_id, business_date)
    left join balance_days using (order_id, business_date)
    left join deposits using (order_id, business_date)
    left join exclusions using (order_id, business_date)
    left join payments_before using (order_id, business_date)
)

select
    order_id, -- the order
    business_date, -- the day of the payment
    paid_at, -- first payment of the day
    created_date, -- the day the order was created
    identified.visitor_id, -- the browser or device
    coalesce(own_customer_id, first_links.customer_id) as customer_id, -- the buyer: named, else the visitor's customer
    session_id, -- the session the order belongs to
    session_entry_date, -- the day that session entered
    payment_provider, -- who carried the payment
    unit_count, -- units paid for; null where no line says how many
    amount, -- paid that day, postage in; for a presale balance with its deposit; null where no line says how much
    case
        when excluded_reason is not null then 'excluded'
        when is_balance then 'presale_balance'
        when session_id is null then 'no_session'
        when session_entry_date = business_date then 'same_day'
        else 'carried_over'
    end as money_class, -- same_day, carried_over, presale_balance, no_session or excluded
    excluded_reason, -- why the shop does not count it
    coalesce(is_purchase, false)
        as is_purchase -- the order's first payment, or the first after all was given back unshipped; else an instalment
from identified
left join intermediate.first_links
    on identified.visitor_id = first_links.visitor_id
    and first_links.linked_date <= identified.business_date
