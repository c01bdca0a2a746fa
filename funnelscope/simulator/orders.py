"""Orders and all that happens to them later: payment, presale, delivery, refunds, reviews."""

import numpy as np

from funnelscope.simulator.faults import Loss
from funnelscope.simulator.sessions import Checkouts, DayPlan, build_refused_payments
from funnelscope.simulator.shop_state import KIND, LONG_AGO, ShopState
from funnelscope.simulator.streams import DAY, HOUR, MICROSECONDS, NEVER, Array, Chunk, select_rows
from funnelscope.simulator.world import (
    COUPON_DISCOUNTS,
    COUPON_SHARES,
    EXCLUDED_REASONS,
    EXCLUDED_SHARES,
    PROVIDERS,
    REFUND_TYPES,
    SALES_CHANNELS,
    SKUS_PER_PRODUCT,
    WEEKDAY_FACTORS,
)

ORDER_KIND = KIND["order"]
CASH_ON_DELIVERY = PROVIDERS.index("cash_on_delivery")
FREE_POSTAGE_CENTS = 9_900
POSTAGE_CENTS = 800
DEPOSIT_PERCENT = 10
HISTORY_ORDERS_PER_SESSION = 0.02

# How an order is paid.
PAID_AT_ONCE, PAID_LATER, NEVER_PAID, ON_DELIVERY, PRESALE = range(5)


def draw_session_orders(state: ShopState, day: int, plan: DayPlan, checkouts: Checkouts) -> Chunk:
    """One row for each order from one of the day's sessions, created now or days later."""
    random = state.stream(day, "orders of sessions")
    now = np.flatnonzero(checkouts.ordered)
    later = np.flatnonzero(~checkouts.ordered & (random.random(len(checkouts.session)) < 0.05))
    rows = np.concatenate([now, later])
    position = checkouts.session[rows]
    count = len(rows)
    visitor = plan.book.visitor[position]
    owner = state.visitors["owner"][visitor]
    is_later = np.arange(count) >= len(now)
    guest = (owner < 0) & (random.random(count) < 0.06) & ~is_later
    buyers = np.unique(visitor[(owner < 0) & ~guest])
    state.add_customers(buyers)
    customer = np.where(guest, -1, state.visitors["owner"][visitor])

    # What the order system knows of the browser: everything, no session, nothing, or another device of the customer.
    tells = random.random(count)
    all_told = (tells < 0.62) | guest
    other = np.where(customer >= 0, state.customers["second_visitor"][customer], -1)
    other = np.where((other >= 0) & (state.visitors["linked"][other] == customer), other, visitor)
    row_visitor = np.where(all_told | (tells < 0.80), visitor, np.where(tells < 0.92, -1, other))
    row_visitor[is_later & (customer >= 0)] = -1
    wait_days = np.where(random.random(count) < 0.8, random.integers(1, 7, count), random.integers(8, 13, count))
    created = checkouts.time[rows] + (random.uniform(4, 80, count) * MICROSECONDS).astype(np.int64)
    created += np.where(is_later, wait_days * DAY + (random.uniform(-5, 5, count) * HOUR).astype(np.int64), 0)
    live = plan.entry[position] == 2
    return {
        "time": created,
        "visitor": row_visitor,
        "customer": customer,
        "session": np.where(all_told & ~is_later, plan.book.base + position, -1),
        "product": checkouts.product[rows],
        "coupon": checkouts.coupon[rows],
        "payment_failed": checkouts.payment_failed[rows],
        "lost_by": np.where(is_later, checkouts.taken_by[rows], checkouts.lost_by[rows]),
        "device": np.where(is_later, -1, plan.book.device[position]),
        "browsing": plan.book.base + position,
        "sales_channel": np.where(live, SALES_CHANNELS.index("live"), 0).astype(np.int8),
        "source_room": np.where(live, position % 2, -1).astype(np.int8),
        "source_content": np.where(plan.entry[position] == 3, position % 3, -1).astype(np.int8),
    }


def draw_orders_without_session(state: ShopState, day: int, count: int, new_share: float) -> Chunk:
    """Orders by phone or from before the first day, by known customers and by people never seen before."""
    random = state.stream(day, "orders without session")
    known = (random.random(count) >= new_share) & (state.customers.size > 0)
    customer = (state.customers.size * random.random(count) ** 0.7).astype(np.int64)
    fresh = np.flatnonzero(~known)
    visitors = np.full(len(fresh), -1, np.int64)
    with_visitor = random.random(len(fresh)) < 0.8
    visitors[with_visitor] = state.add_visitors(random, int(with_visitor.sum()))
    customer[fresh] = state.add_customers(visitors)
    shares = np.cumsum(state.world.product_shares)
    coupon = np.searchsorted(np.cumsum(COUPON_SHARES), random.random(count), "right").astype(np.int8)
    return {
        "time": state.clock.start(day) + np.sort(random.integers(0, state.clock.length(day), count)),
        "visitor": np.where(random.random(count) < 0.8, state.customers["visitor"][customer], -1),
        "customer": customer,
        "session": np.full(count, -1, np.int64),
        "product": np.searchsorted(shares, random.random(count), "right").clip(0, len(shares) - 1).astype(np.int16),
        "coupon": np.where(coupon < len(COUPON_SHARES), coupon, -1).astype(np.int8),
        "payment_failed": np.zeros(count, bool),
        "lost_by": np.full(count, -1, np.int8),
        "sales_channel": np.full(count, SALES_CHANNELS.index("phone"), np.int8),
        "source_room": np.full(count, -1, np.int8),
        "source_content": np.full(count, -1, np.int8),
    }


def draw_history_order_count(state: ShopState, day: int, sessions_per_day: int) -> int:
    """Number of orders on a day of history, a Poisson draw around the weekday's level."""
    date = state.clock.date(day)
    random = state.stream(day, "volume")
    return int(random.poisson(HISTORY_ORDERS_PER_SESSION * sessions_per_day * WEEKDAY_FACTORS[date.weekday()]))


def place_orders(state: ShopState, day: int, source: str, specification: Chunk, refused: Loss | None = None) -> Chunk:
    """Adds the complete life of these orders to the agenda. `source` distinguishes the groups placed on one day.

    Orders lost to a fault are drawn like the others, but nothing of them is written. Of orders with a refused payment,
    only creation and cancellation are written. Returns what service needs to know: order, customer, product, paid,
    shipped and delivered times (NEVER if it does not happen).
    """
    random = state.stream(day, f"lives of orders: {source}")
    orders = {**specification, **_draw_courses(state, random, specification)}
    orders["lost"] = orders["lost_by"] >= 0
    orders["order"] = state.add_orders(orders)
    lines = _draw_lines(state, random, orders)
    state.agenda.add("order", _build_line_events(orders, lines, "created", orders["created"]))
    if refused and refused.chance.any():
        _refuse_payments(state, day, orders, refused)
    _add_payments(state, random, orders, lines)
    _add_refunds(state, random, orders, lines)
    _add_reviews(state, random, orders)
    _note_losses(state, orders)
    created = orders["created"] < NEVER
    state.orders["created"][orders["order"]] = np.where(created, orders["created"], orders["paid"])
    state.orders["has_coupon"][orders["order"][lines["of"][lines["coupon"] >= 0]]] = True
    return orders


def _draw_courses(state: ShopState, random: np.random.Generator, specification: Chunk) -> Chunk:
    """The course of each order and its times; NEVER for a step that does not happen."""
    created = specification["time"]
    count = len(created)
    draw = random.random(count)
    course = np.full(count, PAID_AT_ONCE, np.int8)
    course[draw < 0.20] = PAID_LATER
    course[draw < 0.14] = NEVER_PAID
    course[draw < 0.06] = ON_DELIVERY
    course[specification["payment_failed"] & (draw < 0.6) & (draw >= 0.06)] = NEVER_PAID
    reason_draw = random.random(count)
    reason = np.searchsorted(np.cumsum(EXCLUDED_SHARES), reason_draw, "right").astype(np.int8)
    reason[reason == len(EXCLUDED_REASONS)] = -1
    course[reason >= 0] = PAID_AT_ONCE

    balance_from = state.calendar.find_balance_times(created)
    presale = (balance_from > 0) & (course == PAID_AT_ONCE) & (reason < 0) & (random.random(count) < 0.35)
    course[presale] = PRESALE
    paid = np.full(count, NEVER)
    at_once = course == PAID_AT_ONCE
    paid[at_once] = (created + (random.exponential(150, count).clip(8, 3000) * MICROSECONDS).astype(np.int64))[at_once]
    days_later = random.integers(1, 7, count) * DAY + (random.uniform(-8, 8, count) * HOUR).astype(np.int64)
    soon = np.where(random.random(count) < 0.6, days_later // 24, days_later)
    paid[course == PAID_LATER] = (created + soon)[course == PAID_LATER]
    balance_paid = balance_from + (random.random(count) ** 2 * 0.99 * DAY).astype(np.int64)
    pays_balance = presale & (random.random(count) < 0.88)
    paid[pays_balance] = balance_paid[pays_balance]
    # Some sources never report the creation of an order: it starts with its payment.
    unreported = at_once & (random.random(count) < 0.012) & (reason < 0)
    return {
        "course": course,
        "excluded_reason": reason,
        "created": np.where(unreported, NEVER, created),
        "paid": paid,
        "deposit_paid": np.where(presale, created + 40 * MICROSECONDS, NEVER),
        "provider": np.where(
            course == ON_DELIVERY, CASH_ON_DELIVERY, np.searchsorted([0.5, 0.9], random.random(count))
        ).astype(np.int8),
        "promotion": state.calendar.find_promotions(created),
        "stacks": random.random(count) < 0.25,
    }


def _draw_lines(state: ShopState, random: np.random.Generator, orders: Chunk) -> Chunk:
    """The lines of the orders, in order. `of` is the position of the order."""
    world = state.world
    count = len(orders["order"])
    draw = random.random(count)
    line_count = 1 + (draw < 0.22) + (draw < 0.05)
    of = np.repeat(np.arange(count), line_count)
    line = np.arange(len(of)) - np.repeat(np.cumsum(line_count) - line_count, line_count)
    popular = np.searchsorted(np.cumsum(world.product_shares), random.random(len(of)), "right")
    product = np.where(line == 0, orders["product"][of], popular.clip(0, world.product_count - 1)).astype(np.int16)
    part = random.integers(0, SKUS_PER_PRODUCT, len(of))
    quantity = 1 + (random.random(len(of)) < 0.14) + (random.random(len(of)) < 0.03)
    list_price = world.product_price_cents[product] * world.sku_factor[part] // 100 * quantity
    coupon = np.where(line == 0, orders["coupon"][of], -1)
    stacked = (line == 1) & (orders["coupon"][of] >= 0) & orders["stacks"][of]
    coupon[stacked] = (orders["coupon"][of[stacked]] + 1) % len(COUPON_DISCOUNTS)
    discount = np.where(coupon >= 0, np.round(list_price * COUPON_DISCOUNTS[coupon]), 0).astype(np.int64)
    amount = list_price - discount
    total = np.bincount(of, amount, count).astype(np.int64)
    postage = np.where(total < FREE_POSTAGE_CENTS, POSTAGE_CENTS, 0)
    orders["total"] = total + postage
    return {
        "of": of,
        "line": line.astype(np.int8),
        "product": product,
        "sku": (product * SKUS_PER_PRODUCT + part).astype(np.int16),
        "quantity": quantity.astype(np.int16),
        "amount": amount,
        "shipping_amount": np.where(line == 0, postage[of], -1),
        "discount": discount,
        "coupon": coupon.astype(np.int8),
    }


def _build_line_events(orders: Chunk, lines: Chunk, kind: str, time: Array, **columns: Array) -> Chunk:
    """One event per line for every order whose `time` is not NEVER. `columns` override those of the lines."""
    rows = np.flatnonzero(((time < NEVER) & ~orders["lost"])[lines["of"]])
    of = lines["of"][rows]
    chunk = {name: column[rows] for name, column in {**lines, **columns}.items() if name != "of"}
    chunk["time"] = time[of]
    chunk["kind"] = np.full(len(rows), ORDER_KIND[kind], np.int8)
    chunk["payment_provider"] = orders["provider"][of]
    for name in (
        "visitor",
        "customer",
        "session",
        "order",
        "promotion",
        "sales_channel",
        "source_room",
        "source_content",
        "excluded_reason",
    ):
        chunk[name] = orders[name][of]
    return chunk


def _build_order_events(orders: Chunk, kind: str, time: Array, **columns: Array) -> Chunk:
    """One event per order whose `time` is not NEVER, as the warehouse system sends it: no browser, no money."""
    rows = np.flatnonzero((time < NEVER) & ~orders["lost"])
    chunk = {name: column[rows] for name, column in columns.items()}
    return {
        "time": time[rows],
        "kind": np.full(len(rows), ORDER_KIND[kind], np.int8),
        **{name: orders[name][rows] for name in ("customer", "order", "excluded_reason")},
        **chunk,
    }


def _refuse_payments(state: ShopState, day: int, orders: Chunk, refused: Loss) -> None:
    """A provider refuses some orders of the day's sessions: they are cancelled, and nothing else of them is written."""
    by_browser = np.isin(orders["course"], (PAID_AT_ONCE, PAID_LATER)) & (orders["device"] >= 0)
    counts = by_browser & (orders["excluded_reason"] < 0) & (orders["created"] < NEVER) & ~orders["lost"]
    chance = np.where(counts, refused.chance[orders["provider"], orders["device"]], 0)
    rows = np.flatnonzero(state.stream(day, "refusals").random(len(chance)) < chance)
    state.agenda.add(
        "order", _build_order_events(select_rows(orders, rows), "cancelled", orders["created"][rows] + DAY)
    )
    failed = orders["created"][rows] + 20 * MICROSECONDS
    state.agenda.add("page", build_refused_payments(state, failed, orders["browsing"][rows]))
    orders["unpaid_by"] = np.full(len(chance), -1, np.int8)
    orders["unpaid_by"][rows] = refused.cause[orders["provider"], orders["device"]][rows]
    orders["lost"] |= orders["unpaid_by"] >= 0


def _note_losses(state: ShopState, orders: Chunk) -> None:
    """Records the losses to faults at the times when they would have been created and paid."""
    counts = orders["excluded_reason"] < 0
    unpaid_by = orders.get("unpaid_by", orders["lost_by"])
    for kind, time, cause in (
        ("lost order", np.minimum(orders["created"], orders["paid"]), orders["lost_by"]),
        ("lost payment", orders["paid"], np.maximum(orders["lost_by"], unpaid_by)),
    ):
        rows = np.flatnonzero(counts & (cause >= 0) & (time < NEVER))
        state.agenda.add(kind, {"time": time[rows], "cause": cause[rows], "cents": orders["total"][rows]})


def _add_payments(state: ShopState, random: np.random.Generator, orders: Chunk, lines: Chunk) -> None:
    presale = orders["course"] == PRESALE
    add = state.agenda.add
    nothing = np.full(len(lines["of"]), -1, np.int64)
    zero = np.zeros(len(lines["of"]), np.int64)
    deposit = lines["amount"] * DEPOSIT_PERCENT // 100
    add(
        "order",
        _build_line_events(
            orders,
            lines,
            "deposit_paid",
            orders["deposit_paid"],
            amount=deposit,
            shipping_amount=nothing,
            discount=zero,
        ),
    )
    balance = np.where(presale, orders["paid"], NEVER)
    add("order", _build_line_events(orders, lines, "balance_paid", balance, amount=lines["amount"] - deposit))
    delivery_decides = orders["course"] == ON_DELIVERY
    orders["delivered"] = np.full(len(presale), NEVER)
    _draw_shipping(random, orders)
    reaches = delivery_decides & (orders["delivered"] < NEVER)
    orders["paid"] = np.where(reaches, orders["delivered"], orders["paid"])
    add("order", _build_line_events(orders, lines, "paid", np.where(presale, NEVER, orders["paid"])))
    never_paid = (orders["course"] == NEVER_PAID) | (presale & (orders["paid"] == NEVER))
    cancelled = np.where(presale, orders["created"] + 14 * DAY, orders["created"] + DAY)
    add("order", _build_order_events(orders, "cancelled", np.where(never_paid, cancelled, NEVER)))


def _draw_hours(random: np.random.Generator, low: float, high: float, count: int) -> Array:
    return (random.uniform(low, high, count) * HOUR).astype(np.int64)


def _draw_shipping(random: np.random.Generator, orders: Chunk) -> None:
    """Times of shipping, delivery or return to origin, and of refunds before shipment."""
    count = len(orders["order"])
    excluded = orders["excluded_reason"] >= 0
    on_delivery = orders["course"] == ON_DELIVERY
    begins = np.where(on_delivery, orders["created"], orders["paid"])
    sent = begins < NEVER
    draw = random.random(count)
    full_early = sent & ~on_delivery & ~excluded & (draw < 0.03)
    part_early = sent & ~on_delivery & ~excluded & (draw >= 0.03) & (draw < 0.04)
    orders["refund_early_full"] = np.where(full_early, begins + _draw_hours(random, 0.5, 30, count), NEVER)
    orders["refund_early_part"] = np.where(part_early, begins + _draw_hours(random, 0.5, 9, count), NEVER)
    ships = sent & ~full_early
    orders["shipped"] = np.where(ships, begins + _draw_hours(random, 10, 44, count), NEVER)
    arrival = np.where(ships, orders["shipped"] + _draw_hours(random, 20, 120, count), NEVER)
    comes_back = ships & (random.random(count) < np.where(on_delivery, 0.15, 0.01))
    orders["returned"] = np.where(comes_back & ~excluded, arrival + 2 * DAY, NEVER)
    orders["delivered"] = np.where(ships & ~comes_back & ~excluded, arrival, NEVER)


def _add_refunds(state: ShopState, random: np.random.Generator, orders: Chunk, lines: Chunk) -> None:
    add = state.agenda.add
    count = len(orders["order"])
    add("order", _build_order_events(orders, "shipped", orders["shipped"]))
    add("order", _build_order_events(orders, "delivered", orders["delivered"]))
    add("order", _build_order_events(orders, "returned_to_origin", orders["returned"]))
    early = orders["refund_early_full"]
    add("order", _build_order_events(orders, "cancelled", np.where(early < NEVER, early + MICROSECONDS, NEVER)))

    everything = lines["amount"] + lines["shipping_amount"].clip(0)
    part = np.where(lines["line"] == 0, lines["amount"] * 3 // 10, 0)
    # What is left of the goods: a part may have been given back before they were shipped.
    given_back = (orders["refund_early_part"] < NEVER)[lines["of"]]
    goods = lines["amount"] - np.where(given_back, part, 0)
    arrived = (orders["delivered"] < NEVER) & (orders["paid"] < NEVER)
    draw = random.random(count)
    # Most refunds come within two weeks, some after a month and a half.
    age = (random.gamma(1.6, 5.0, count).clip(0.3, 45) * DAY).astype(np.int64)
    late_full = np.where(arrived & (draw < 0.05), orders["delivered"] + age, NEVER)
    late_part = np.where(arrived & (draw >= 0.05) & (draw < 0.08), orders["delivered"] + age, NEVER)
    came_back = np.where((orders["returned"] < NEVER) & (orders["paid"] < NEVER), orders["returned"] + DAY, NEVER)
    for time, amount, refund_type in (
        (early, everything, "before_shipment"),
        (orders["refund_early_part"], part, "refund_only"),
        (late_full, goods, "return_and_refund"),
        (late_part, part, "refund_only"),
        (came_back, goods, "return_and_refund"),
    ):
        refund = np.where(time < NEVER, state.next_refund + np.arange(count), -1)
        state.next_refund += count
        chunk = _build_line_events(
            orders,
            lines,
            "refunded",
            time,
            amount=amount,
            shipping_amount=np.full(len(amount), -1, np.int64),
            discount=np.full(len(amount), -1, np.int64),
            refund=refund[lines["of"]],
            refund_type=np.full(len(amount), REFUND_TYPES.index(refund_type), np.int8),
        )
        chunk["visitor"] = np.full(len(chunk["time"]), -1, np.int64)
        chunk["session"] = chunk["visitor"]
        add("order", select_rows(chunk, np.flatnonzero(chunk["amount"] > 0)))


def _add_reviews(state: ShopState, random: np.random.Generator, orders: Chunk) -> None:
    count = len(orders["order"])
    reviewed = (orders["delivered"] < NEVER) & (random.random(count) < 0.25)
    product = orders["product"]
    wish = state.world.product_rating[product] + random.normal(0, 0.9, count)
    time = np.where(reviewed, orders["delivered"] + (random.gamma(2, 1.5, count) * DAY).astype(np.int64), NEVER)
    orders["reviewed"] = time
    orders["rating"] = np.round(wish).clip(1, 5).astype(np.int8)
    state.agenda.add("order", _build_order_events(orders, "reviewed", time, product=product, rating=orders["rating"]))


def add_unlinked_refunds(state: ShopState, day: int, sessions_per_day: int) -> None:
    """Refunds of orders from before the history, which cannot be linked to a payment."""
    random = state.stream(day, "unlinked refunds")
    count = int(random.poisson(0.3 + 0.0002 * sessions_per_day))
    orders = state.orders.append(
        count, created=-1, payment_day=LONG_AGO, payment_cents=0, shipped=NEVER, entry_day=LONG_AGO
    )
    chunk: Chunk = {
        "time": state.clock.start(day) + random.integers(0, state.clock.length(day), count),
        "kind": np.full(count, ORDER_KIND["refunded"], np.int8),
        "order": orders,
        "amount": random.integers(1_000, 30_000, count),
        "refund": state.next_refund + np.arange(count),
        "refund_type": np.full(count, REFUND_TYPES.index("refund_only"), np.int8),
    }
    state.next_refund += count
    state.agenda.add("order", chunk)
