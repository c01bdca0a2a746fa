-- The customer that a visitor is taken for: the first one it was ever seen as, from that day on.
--
-- grain: visitor_id
-- history: all
-- owner: analytics
-- kind: view
select
    visitor_id, -- the browser or device
    arg_min(customer_id, linked_at) as customer_id, -- its first customer, which is final
    min(business_date) as linked_date -- the day of the link: earlier days do not know it
from intermediate.identity_links
group by visitor_id
