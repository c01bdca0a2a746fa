"""What really happened on each day, counted from the simulator's own arrays.

This is a second, independent implementation of the definitions: it shares no code with the warehouse and never reads a
landing file. Counts are integers, money is in integer cents, and no number of a day depends on a later day.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from funnelscope.simulator.shop_state import KIND, LONG_AGO, ShopState, TwoDays
from funnelscope.simulator.streams import DAY, MICROSECONDS, NEVER, Array, Chunk, select_rows, sort_distinct
from funnelscope.simulator.world import AUTO, CHANNEL_NAMES, ENTRY_TYPES, PAGE_TYPES

PAGE_KIND, TRAFFIC_KIND, SERVICE_KIND, ORDER_KIND = (KIND[name] for name in ("page", "traffic", "service", "order"))
CHAIN = (
    "arrival",
    "three_seconds",
    "second_interaction",
    "qualified_product_view",
    "favorite_or_cart",
    "checkout",
    "order",
    "paid",
)
MAXIMUM_PAGE_EVENTS_PER_MINUTE = 60
ATTRIBUTION_DAYS = 7
ACTIVE_DAYS = 180
PRODUCT_INTERACTIONS = (
    "section_view",
    "module_click",
    "media_play",
    "review_view",
    "question_view",
    "favorite",
    "add_to_cart",
)


def build_kind_mask(lookup: dict[str, int], *names: str) -> Array:
    """An array that says for each event code whether it is one of `names`."""
    table = np.zeros(max(lookup.values()) + 1, bool)
    table[[lookup[name] for name in names]] = True
    return table


@dataclass
class Ledger:
    """The state of truth over the days, besides that of the shop.

    Attributes:
        entries: per day, human entry sessions as (session, visitor, started_at); the last eight days are kept.
        seen_yesterday: numbers of the sessions with an event on the day before; likewise conversations.
        links: pairs of visitor and customer in the order in which they were first seen together.
        payments: order, customer and day of the payments that a refund before shipment may still undo, and of today's.
    """

    entries: dict[int, tuple[Array, Array, Array]] = field(default_factory=dict)
    sessions_yesterday: Array = field(default_factory=lambda: np.empty(0, np.int64))
    conversations_yesterday: Array = field(default_factory=lambda: np.empty(0, np.int64))
    link_visitors: list[Array] = field(default_factory=list)
    link_customers: list[Array] = field(default_factory=list)
    payments: list[Chunk] = field(default_factory=list)
    deposits: dict[int, int] = field(default_factory=dict)


def settle_links(state: ShopState, ledger: Ledger, day_events: list[Chunk]) -> None:
    """Links each visitor to the first customer seen with it. A link never changes."""
    both = [(chunk["visitor"] >= 0) & (chunk["customer"] >= 0) for chunk in day_events]
    visitor, customer, time = (
        np.concatenate([chunk[name][rows] for chunk, rows in zip(day_events, both, strict=True)])
        for name in ("visitor", "customer", "time")
    )
    unlinked = state.visitors["linked"][visitor] < 0
    visitor, customer, time = visitor[unlinked], customer[unlinked], time[unlinked]
    order = np.lexsort((time, visitor))
    visitor, customer = visitor[order], customer[order]
    first = np.concatenate([[True], visitor[1:] != visitor[:-1]]) if len(visitor) else np.empty(0, bool)
    state.visitors["linked"][visitor[first]] = customer[first]
    ledger.link_visitors.append(visitor[first])
    ledger.link_customers.append(customer[first])


def compute_day_truth(
    state: ShopState, ledger: Ledger, day: int, both: TwoDays, traffic: Chunk, page: Chunk, service: Chunk, order: Chunk
) -> dict[str, Any]:
    """All numbers of one business day. Also advances the ledger and the state of the orders by that day."""
    seen_customer = both.find_customers_seen(page["session"], page["time"])
    page_people = {
        "visitor": both.visitor[both.position(page["session"])],
        "customer": seen_customer,
        "time": page["time"],
    }
    settle_links(state, ledger, [page_people, service, order])
    payments = _settle_payments(state, ledger, day, order)
    _settle_shipments(state, day, order)
    truth: dict[str, Any] = {}
    steps = _compute_session_steps(state, ledger, day, both, traffic, page, seen_customer, truth)
    _attribute_orders(state, ledger, day, order)
    _finish_steps(state, day, steps, order, truth)
    truth |= _count_traffic(traffic)
    truth |= {
        "coupon_claims": int((page["kind"] == PAGE_KIND["coupon_claim"]).sum()),
        "coupon_errors": int((page["kind"] == PAGE_KIND["coupon_error"]).sum()),
    }
    truth |= _compute_conversation_numbers(state, ledger, day, service, payments)
    truth |= _compute_order_numbers(state, day, order, payments, steps["session"])
    truth |= _compute_customer_numbers(state, ledger, day, service, order)
    truth |= _count_other_events(service, order)
    return truth


def compute_history_truth(state: ShopState, ledger: Ledger, day: int, order: Chunk) -> dict[str, Any]:
    """The numbers of a day before the first date: orders and customers only."""
    settle_links(state, ledger, [order])
    payments = _settle_payments(state, ledger, day, order)
    _settle_shipments(state, day, order)
    _attribute_orders(state, ledger, day, order)
    truth = _compute_order_numbers(state, day, order, payments, np.empty(0, np.int64))
    nothing: Chunk = {name: np.empty(0, np.int64) for name in ("kind", "customer", "time")}
    return truth | _compute_customer_numbers(state, ledger, day, nothing, order)


def _count_traffic(traffic: Chunk) -> dict[str, Any]:
    counted = np.where(traffic["is_bot"], 0, np.where(traffic["quantity"] < 0, 1, traffic["quantity"]))
    numbers = {
        f"{kind}s": int(counted[traffic["kind"] == TRAFFIC_KIND[kind]].sum())
        for kind in ("impression", "click", "visit")
    }
    return numbers | {"cost_cents": int(traffic["cost"].clip(0).sum())}


def _compute_session_steps(
    state: ShopState,
    ledger: Ledger,
    day: int,
    both: TwoDays,
    traffic: Chunk,
    page: Chunk,
    seen_customer: Array,
    truth: dict[str, Any],
) -> dict[str, Array]:
    """Steps of the human entry sessions; arrays over those sessions, `session` being their numbers."""
    count = both.count
    position = both.position(page["session"])
    visits = traffic["session"][traffic["kind"] == TRAFFIC_KIND["visit"]] - both.base
    page_count = np.bincount(position, minlength=count)
    visit_count = np.bincount(visits, minlength=count)
    present = (page_count + visit_count) > 0
    first_page = np.full(count, NEVER)
    np.minimum.at(first_page, position, page["time"])
    started = first_page.copy()
    np.minimum.at(started, visits, traffic["time"][traffic["kind"] == TRAFFIC_KIND["visit"]])
    human = present & ~both.is_bot & ~_is_too_fast(position, page["time"], page_count)
    truth["visitors"] = len(sort_distinct(both.visitor[human]))
    yesterday = np.zeros(count, bool)
    before = ledger.sessions_yesterday - both.base
    yesterday[before[before >= 0]] = True
    ledger.sessions_yesterday = np.flatnonzero(present) + both.base
    entered = present & ~yesterday
    human_entry = entered & human
    truth |= {
        "sessions": int(human_entry.sum()),
        "all_sessions": int(entered.sum()),
        "bot_sessions": int((entered & ~human).sum()),
    }

    observed = _compute_page_steps(state, both, position, page, first_page, human_entry, truth)
    customer = np.full(count, -1, np.int64)
    carries = seen_customer >= 0
    customer[position[carries]] = seen_customer[carries]
    customer = np.where(customer >= 0, customer, state.visitors["linked"][both.visitor])
    bought = _find_first_purchases(state, ledger)[customer] if state.customers.size else np.full(count, NEVER)
    returning = (customer >= 0) & (bought < started)
    entry_type, channel = _find_entry(both, position, page, first_page)
    rows = np.flatnonzero(human_entry)
    truth["returning_sessions"] = int(returning[rows].sum())
    session = rows + both.base
    ledger.entries[day] = (session, both.visitor[rows], started[rows])
    ledger.entries.pop(day - ATTRIBUTION_DAYS - 1, None)
    return {
        "session": session,
        "entry_type": entry_type[rows],
        "channel": channel[rows],
        **{name: values[rows] for name, values in observed.items()},
    }


def _is_too_fast(position: Array, time: Array, page_count: Array) -> Array:
    """Sessions with more page events within one UTC minute than a human makes."""
    fast = np.zeros(len(page_count), bool)
    rows = np.flatnonzero(page_count[position] > MAXIMUM_PAGE_EVENTS_PER_MINUTE)
    if len(rows):
        minute = time[rows] // (60 * MICROSECONDS)
        pairs, counts = np.unique(np.stack([position[rows], minute]), axis=1, return_counts=True)
        fast[pairs[0][counts > MAXIMUM_PAGE_EVENTS_PER_MINUTE]] = True
    return fast


def _compute_page_steps(
    state: ShopState,
    both: TwoDays,
    position: Array,
    page: Chunk,
    first_page: Array,
    human_entry: Array,
    truth: dict[str, Any],
) -> dict[str, Array]:
    """The observed steps in the page events; arrays over all sessions of the two days."""
    count = both.count
    kind = page["kind"]

    def any_of(rows: Array) -> Array:
        found = np.zeros(count, bool)
        found[position[rows]] = True
        return found

    def is_one_of(*names: str) -> Array:
        return build_kind_mask(PAGE_KIND, *names)[kind]

    unasked = is_one_of("section_view", "media_play") & (page["module"] == AUTO)
    interaction = ~is_one_of("page_leave") & ~unasked
    at_first = page["time"] == first_page[position]
    second = any_of(interaction & ~at_first)
    second |= np.bincount(position[interaction & at_first], minlength=count) >= 2
    three = any_of(page["dwell_ms"] >= 3000)
    measured = any_of(page["dwell_ms"] >= 0) | second
    view = is_one_of("product_view")
    about = page["product"] >= 0
    stay = is_one_of("product_view", "page_leave") & about
    deep = stay & ((page["dwell_ms"] >= 30_000) | (page["scroll_ratio"] >= np.float32(0.75)))

    on = np.flatnonzero(about & human_entry[position] & ~unasked)
    key = position[on].astype(np.int64) * state.world.product_count + page["product"][on]
    acted = build_kind_mask(PAGE_KIND, *PRODUCT_INTERACTIONS)[kind[on]] | (stay[on] & (page["dwell_ms"][on] >= 3000))
    viewed = sort_distinct(key[view[on]])
    qualified = np.intersect1d(viewed, sort_distinct(key[acted]), assume_unique=True)
    in_cart = sort_distinct(key[kind[on] == PAGE_KIND["add_to_cart"]])
    carted = np.intersect1d(viewed, in_cart, assume_unique=True)
    truth["product_views"] = {"viewed": len(viewed), "carted": len(carted)}
    has_qualified = np.zeros(count, bool)
    has_qualified[qualified // state.world.product_count] = True
    truth["measured_sessions"] = int((measured & human_entry).sum())
    truth["past_three_seconds_sessions"] = int(((three | second) & human_entry).sum())
    return {
        "arrival": human_entry,
        "three_seconds": three,
        "second_interaction": second,
        "product_view": any_of(view),
        "qualified_product_view": has_qualified,
        "deep_read": any_of(deep),
        "favorite_or_cart": any_of(is_one_of("favorite", "add_to_cart")),
        "checkout": any_of(is_one_of("checkout_start")),
    }


def _find_entry(both: TwoDays, position: Array, page: Chunk, first_page: Array) -> tuple[Array, Array]:
    """Entry type (page type of the first page event) and channel (of the visit) as codes."""
    entry_type = np.full(both.count, -1, np.int8)
    first = np.flatnonzero(page["time"] == first_page[position])
    entry_type[position[first]] = page["page_type"][first]
    return entry_type, both.leaf


def _attribute_orders(state: ShopState, ledger: Ledger, day: int, order: Chunk) -> None:
    """Finds the session of each order created on this day."""
    orders = find_created_orders(state, day, order)
    if not ledger.entries or not len(orders):
        return
    session, visitor, started = (
        np.concatenate(columns)
        for columns in zip(*[ledger.entries[key] for key in sorted(ledger.entries)], strict=True)
    )
    entry_day = np.concatenate([np.full(len(ledger.entries[key][0]), key) for key in sorted(ledger.entries)])
    created = state.orders["created"][orders]
    own_visitor = state.orders["visitor"][orders]
    customer = state.orders["customer"][orders]
    link_of, link_visitor = _find_linked_visitors(ledger, customer)
    of = np.concatenate([np.flatnonzero(own_visitor >= 0), link_of])
    candidates = np.concatenate([own_visitor[own_visitor >= 0], link_visitor])

    small = sort_distinct(candidates)
    candidates = np.searchsorted(small, candidates)
    place = np.searchsorted(small, visitor)
    wanted = place < len(small)
    wanted[wanted] = small[place[wanted]] == visitor[wanted]
    rows = np.flatnonzero(wanted)
    origin = int(started.min(initial=0)) if not len(started) else int(started.min())
    scale = np.int64(1) << 41  # more than the microseconds of eight days
    keys = place[rows] * scale + (started[rows] - origin)
    sequence = np.argsort(keys, kind="stable")
    keys, rows = keys[sequence], rows[sequence]
    moment = created[of] - origin
    found = np.searchsorted(keys, candidates * scale + moment.clip(-1), "right") - 1
    fits = found >= 0
    fits[fits] = keys[found[fits]] // scale == candidates[fits]
    of, chosen = of[fits], rows[found[fits]]

    own_session = state.orders["session"][orders]
    at = np.searchsorted(session, own_session).clip(0, max(len(session) - 1, 0))
    own = np.flatnonzero((own_session >= 0) & (session[at] == own_session)) if len(session) else np.empty(0, np.int64)
    of, chosen = np.concatenate([of, own]), np.concatenate([chosen, at[own]])
    valid = (started[chosen] <= created[of]) & (created[of] - started[chosen] <= ATTRIBUTION_DAYS * DAY)
    valid &= entry_day[chosen] >= day - ATTRIBUTION_DAYS
    of, chosen = of[valid], chosen[valid]
    sequence = np.lexsort((started[chosen], of))  # the last of equals is written last and remains
    target = orders[of[sequence]]
    state.orders["entry_session"][target] = session[chosen[sequence]]
    state.orders["entry_day"][target] = entry_day[chosen[sequence]]


def _find_linked_visitors(ledger: Ledger, customer: Array) -> tuple[Array, Array]:
    """For each order, the visitors linked to its customer: (position of the order, visitor)."""
    link_customer = np.concatenate(ledger.link_customers)
    link_visitor = np.concatenate(ledger.link_visitors)
    order = np.argsort(customer, kind="stable")
    ordered = customer[order]
    low = np.searchsorted(ordered, link_customer, "left")
    many = np.searchsorted(ordered, link_customer, "right") - low
    link = np.repeat(np.arange(len(link_customer)), many)
    offset = np.arange(len(link)) - np.repeat(np.cumsum(many) - many, many)
    return order[low[link] + offset], link_visitor[link]


def find_created_orders(state: ShopState, day: int, order: Chunk) -> Array:
    """Orders created on this day: by their `created` event, or by their first payment if there is none."""
    start, end = state.clock.start(day), state.clock.start(day + 1)
    seen = np.unique(order["order"])
    created = state.orders["created"][seen]
    return seen[(created >= start) & (created < end)]


def _finish_steps(state: ShopState, day: int, steps: dict[str, Array], order: Chunk, truth: dict[str, Any]) -> None:
    """Adds the steps order and paid, and counts all steps, observed and reached."""
    session = steps["session"]
    orders = find_created_orders(state, day, order)
    orders = orders[~state.orders["excluded"][orders] & (state.orders["entry_day"][orders] == day)]
    paid = np.unique(order["order"][order["kind"] == ORDER_KIND["paid"]])
    for name, which in (("order", orders), ("paid", orders[np.isin(orders, paid)])):
        steps[name] = np.zeros(len(session), bool)
        steps[name][np.searchsorted(session, state.orders["entry_session"][which])] = True
    reached: dict[str, Array] = {}
    beyond = np.zeros(len(session), bool)
    for name in reversed(CHAIN):
        if name == "qualified_product_view":
            beyond = beyond | steps["deep_read"]
        beyond = beyond | steps[name]
        reached[name] = beyond
    reached["deep_read"] = steps["deep_read"]
    names = (*CHAIN[:4], "deep_read", *CHAIN[4:])
    truth["observed"] = {name: int(steps[name].sum()) for name in (*names[:3], "product_view", *names[3:])}
    truth["reached"] = {name: int(reached[name].sum()) for name in names}

    def split(codes: Array, words: dict[int, str]) -> dict[str, dict[str, int]]:
        return {
            word: {
                "sessions": int((codes == code).sum()),
                "qualified_product_view": int(reached["qualified_product_view"][codes == code].sum()),
                "paid": int(reached["paid"][codes == code].sum()),
            }
            for code, word in words.items()
        }

    truth["by_entry_type"] = split(steps["entry_type"], {PAGE_TYPES.index(word): word for word in ENTRY_TYPES})
    channel = state.world.leaves.channel[steps["channel"]]
    truth["by_channel"] = split(channel, dict(enumerate(CHANNEL_NAMES)))


def _settle_payments(state: ShopState, ledger: Ledger, day: int, order: Chunk) -> Chunk:
    """The payments of the day, one row per order: order, cents, units, time, whether it is the balance of a presale."""
    money = order["amount"].clip(0) + order["shipping_amount"].clip(0)
    deposit = np.flatnonzero(order["kind"] == ORDER_KIND["deposit_paid"])
    for number, cents in zip(order["order"][deposit].tolist(), money[deposit].tolist(), strict=True):
        ledger.deposits[number] = ledger.deposits.get(number, 0) + cents
    rows = np.flatnonzero(build_kind_mask(ORDER_KIND, "paid", "balance_paid")[order["kind"]])
    numbers, of = np.unique(order["order"][rows], return_inverse=True)
    count = len(numbers)
    cents = np.bincount(of, money[rows], count).astype(np.int64)
    balance = np.bincount(of, order["kind"][rows] == ORDER_KIND["balance_paid"], count) > 0
    cents[balance] += np.array([ledger.deposits.get(number, 0) for number in numbers[balance].tolist()], np.int64)
    time = np.full(count, NEVER)
    np.minimum.at(time, of, order["time"][rows])
    last = np.full(count, -1, np.int64)
    np.maximum.at(last, of, order["time"][rows])
    table = state.orders
    table["payment_day"][numbers] = day
    table["payment_cents"][numbers] = cents
    counts = ~table["excluded"][numbers]
    customer = table["customer"][numbers]
    buys = counts & (customer >= 0)
    np.minimum.at(state.customers["first_payment"], customer[buys], time[buys])
    ledger.payments.append(
        {
            "order": numbers[buys],
            "customer": customer[buys],
            "day": np.full(buys.sum(), day, np.int64),
            "time": _find_first_of_day(customer[buys], time[buys]),
        }
    )
    return {
        "order": numbers,
        "cents": cents,
        "units": np.bincount(of, order["quantity"][rows].clip(0), count).astype(np.int64),
        "time": time,
        "last_time": last,
        "balance": balance,
        "excluded": ~counts,
        "customer": customer,
        "visitor": table["visitor"][numbers],
    }


def _compute_order_numbers(state: ShopState, day: int, order: Chunk, payments: Chunk, entered: Array) -> dict[str, Any]:
    table = state.orders
    created = find_created_orders(state, day, order)
    created = created[~table["excluded"][created]]
    counted = ~payments["excluded"]
    entry_day = table["entry_day"][payments["order"]]
    entry_session = table["entry_session"][payments["order"]]
    classes = {
        "presale_balance": counted & payments["balance"],
        "no_session": counted & ~payments["balance"] & (entry_session < 0),
        "same_day": counted & ~payments["balance"] & (entry_session >= 0) & (entry_day == day),
        "carried_over": counted & ~payments["balance"] & (entry_session >= 0) & (entry_day < day),
        "excluded": payments["excluded"],
    }
    money = {name: int(payments["cents"][rows].sum()) for name, rows in classes.items()}
    money["paid_amount"] = sum(cents for name, cents in money.items() if name != "excluded")
    buyer = np.where(payments["customer"] >= 0, payments["customer"], -2 - payments["visitor"])
    same_day = classes["same_day"]
    numbers: dict[str, Any] = {
        "orders_created": len(created),
        "orders_with_session": int((table["entry_session"][created] >= 0).sum()),
        "paid_orders": int(counted.sum()),
        "buyers": len(np.unique(buyer[counted])),
        "paying_sessions": len(np.unique(entry_session[same_day])),
        "same_day_orders": int(same_day.sum()),
        "money_cents": money,
        "units": int(payments["units"][counted].sum()),
        "coupon_uses": int(table["has_coupon"][created].sum()),
    }
    return numbers | _sum_refunds(state, day, order)


def _sum_refunds(state: ShopState, day: int, order: Chunk) -> dict[str, Any]:
    """Refunds of the day, and by the age of the payment if there was one."""
    refunds = np.flatnonzero(order["kind"] == ORDER_KIND["refunded"])
    cents = order["amount"][refunds]
    payment_day = state.orders["payment_day"][order["order"][refunds]]
    linked = payment_day > LONG_AGO
    ages, which = np.unique(day - payment_day[linked], return_inverse=True)
    by_age = np.bincount(which, cents[linked], len(ages)).astype(np.int64)
    return {
        "refunds_cents": int(cents.sum()),
        "refunds_by_age": {str(age): int(total) for age, total in zip(ages.tolist(), by_age.tolist(), strict=True)},
    }


def _compute_customer_numbers(
    state: ShopState, ledger: Ledger, day: int, service: Chunk, order: Chunk
) -> dict[str, Any]:
    """The repurchase stage: who is active, delivered, cared for, a member, and who buys again."""
    table, people = state.orders, state.customers
    delivered = order["customer"][(order["kind"] == ORDER_KIND["delivered"]) & (order["customer"] >= 0)]
    people["last_delivered_day"][delivered] = day
    for column, names in (
        ("last_join", ("member_joined", "contact_added", "community_joined")),
        ("last_leave", ("contact_lost", "opted_out")),
    ):
        rows = build_kind_mask(SERVICE_KIND, *names)[service["kind"]] & (service["customer"] >= 0)
        np.maximum.at(people[column], service["customer"][rows], service["time"][rows])
    cared = (service["kind"] == SERVICE_KIND["care_sent"]) & (service["customer"] >= 0)
    people["last_care_day"][service["customer"][cared]] = day

    paid, stands = _list_open_payments(state, ledger)
    earlier = paid["day"] < day
    final = earlier & (table["shipped"][paid["order"]] < NEVER)  # shipped: no later refund precedes the shipment
    known = people["last_purchase_day"]
    np.maximum.at(known, paid["customer"][final & stands], paid["day"][final & stands])
    np.minimum.at(people["first_settled_purchase"], paid["customer"][final & stands], paid["time"][final & stands])
    last_purchase = known.astype(np.int64)
    np.maximum.at(last_purchase, paid["customer"][earlier & stands], paid["day"][earlier & stands])
    ledger.payments = [select_rows(paid, np.flatnonzero(~final))]
    buys = np.zeros(people.size, bool)
    buys[paid["customer"][~earlier & stands]] = True
    active = last_purchase >= day - ACTIVE_DAYS
    return {
        "purchase_customers": int(buys.sum()),
        "active_customers": int(active.sum()),
        "delivered_customers": int((active & (people["last_delivered_day"] >= last_purchase)).sum()),
        "cared_for_customers": int((active & (people["last_care_day"] >= last_purchase)).sum()),
        "member_customers": int(
            (active & (people["last_join"] >= 0) & (people["last_join"] >= people["last_leave"])).sum()
        ),
        "purchased_customers": int((active & buys).sum()),
    }


def _find_first_of_day(customer: Array, time: Array) -> Array:
    """For each of a day's payments, the time of its customer's first payment that day."""
    people, of = np.unique(customer, return_inverse=True)
    first = np.full(len(people), NEVER)
    np.minimum.at(first, of, time)
    return first[of]


def _list_open_payments(state: ShopState, ledger: Ledger) -> tuple[Chunk, Array]:
    """Payments of orders that had not been shipped by the day before, and whether they stand: not all given back."""
    names = ("order", "customer", "day", "time")
    paid = {name: np.concatenate([chunk[name] for chunk in ledger.payments]) for name in names}
    return paid, state.orders["refunded_before_shipment"][paid["order"]] < state.orders["payment_cents"][paid["order"]]


def _find_first_purchases(state: ShopState, ledger: Ledger) -> Array:
    """For each customer, the first payment of the first purchase day that stands at the end of this day."""
    paid, stands = _list_open_payments(state, ledger)
    first = state.customers["first_settled_purchase"].astype(np.int64)
    np.minimum.at(first, paid["customer"][stands], paid["time"][stands])
    return first


def _settle_shipments(state: ShopState, day: int, order: Chunk) -> None:
    """Records when orders were shipped, then sums what was refunded before that."""
    table = state.orders
    shipped = order["kind"] == ORDER_KIND["shipped"]
    np.minimum.at(table["shipped"], order["order"][shipped], order["time"][shipped])
    refunds = np.flatnonzero(order["kind"] == ORDER_KIND["refunded"])
    early = refunds[order["time"][refunds] < table["shipped"][order["order"][refunds]]]
    np.add.at(table["refunded_before_shipment"], order["order"][early], order["amount"][early])


def _compute_conversation_numbers(
    state: ShopState, ledger: Ledger, day: int, service: Chunk, payments: Chunk
) -> dict[str, Any]:
    """Presale conversations that began on this day with a message of the customer."""
    talk = np.flatnonzero(service["conversation"] >= 0)
    numbers, of = np.unique(service["conversation"][talk], return_inverse=True)
    begins = ~np.isin(numbers, ledger.conversations_yesterday)
    ledger.conversations_yesterday = numbers
    kind, time = service["kind"][talk], service["time"][talk]
    asked = np.full(len(numbers), NEVER)
    asks = kind == SERVICE_KIND["customer_message"]
    np.minimum.at(asked, of[asks], time[asks])
    answered = np.full(len(numbers), NEVER)
    answers = (kind == SERVICE_KIND["agent_message"]) & (time >= asked[of])
    np.minimum.at(answered, of[answers], time[answers])
    columns = {}
    for name in ("topic", "customer", "visitor"):
        columns[name] = np.full(len(numbers), -1, np.int64)
        np.maximum.at(columns[name], of, service[name][talk])
    counts = begins & (columns["topic"] == 0) & (asked < NEVER)
    asked, answered = asked[counts], answered[counts]
    visitor, customer = columns["visitor"][counts], columns["customer"][counts]
    linked = np.where(visitor >= 0, state.visitors["linked"][visitor], -1) if state.visitors.size else visitor
    customer = np.where(customer >= 0, customer, linked)
    seconds = (answered - asked)[answered < NEVER] // MICROSECONDS
    paid_after = np.maximum(
        _find_last_payment(payments, "customer", customer), _find_last_payment(payments, "visitor", visitor)
    )
    return {
        "presale_conversations": len(asked),
        "answered_presale_conversations": len(seconds),
        "presale_answered_within_30s": int((seconds <= 30).sum()),
        "presale_answered_within_180s": int((seconds <= 180).sum()),
        "presale_inquiries_paid": int((paid_after > asked).sum()),
        "first_response_seconds_total": int(seconds.sum()),
    }


def _find_last_payment(payments: Chunk, column: str, who: Array) -> Array:
    """The time of the last payment of each of `who` on this day that counts; -1 for none."""
    rows = np.flatnonzero(~payments["excluded"] & (payments[column] >= 0))
    people, of = np.unique(payments[column][rows], return_inverse=True)
    if not len(people):
        return np.full(len(who), -1, np.int64)
    last = np.full(len(people), -1, np.int64)
    np.maximum.at(last, of, payments["last_time"][rows])
    at = np.searchsorted(people, who).clip(0, len(people) - 1)
    return np.where(people[at] == who, last[at], -1)


def _count_other_events(service: Chunk, order: Chunk) -> dict[str, int]:
    reviewed = order["kind"] == ORDER_KIND["reviewed"]
    return {
        "reviews": int(reviewed.sum()),
        "negative_reviews": int((reviewed & (order["rating"] <= 3)).sum()),
        "care_sent": int((service["kind"] == SERVICE_KIND["care_sent"]).sum()),
        "members_joined": int((service["kind"] == SERVICE_KIND["member_joined"]).sum()),
    }
