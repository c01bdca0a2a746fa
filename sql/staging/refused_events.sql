-- A delivered row that staging leaves out or marks: a repeated event, or one of a person whom the shop does not count.
--
-- grain: family, business_date, delivery_id, row_number, is_duplicate
-- history: 0
-- owner: data
-- kind: view
with refused as (
    select family, business_date, delivery_id, row_number, true as is_duplicate, null as excluded_reason
    from quality.duplicate_events
    union all
    select family, business_date, delivery_id, row_number, false as is_duplicate, reason as excluded_reason
    from quality.excluded_events
)

select
    family, -- the event's family
    business_date, -- the event's day on the shop's clock
    delivery_id, -- the delivery that brought the row
    row_number, -- the row in it
    is_duplicate, -- another row already stands for the event
    excluded_reason -- why the shop does not count the person: staff, test; null for a duplicate
from refused
