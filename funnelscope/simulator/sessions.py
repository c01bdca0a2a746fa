"""One day of visits: who comes, from where, what they look at, and which of them go to the checkout."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from funnelscope.simulator.faults import Fault, Levers, apply_faults, select_faults
from funnelscope.simulator.shop_state import KIND, SessionBook, ShopState
from funnelscope.simulator.streams import MICROSECONDS, NEVER, Array, Chunk, select_rows
from funnelscope.simulator.world import (
    AUTO,
    CATEGORIES,
    COUPON_SHARES,
    DEVICES,
    ENTRY_TYPES,
    HOUR_SHARES,
    LANDING_PAGES,
    MODULES,
    PAGE_ERRORS,
    PAGE_TYPES,
    SKUS_PER_PRODUCT,
    TEAM_OF_SHIFT,
    WEEKDAY_FACTORS,
)

PAGE_KIND = KIND["page"]
TRAFFIC_KIND = KIND["traffic"]
PRODUCT_PAGE = PAGE_TYPES.index("product")
CART_PAGE = PAGE_TYPES.index("cart")
CHECKOUT_PAGE = PAGE_TYPES.index("checkout")
SHARE_OF_KINDS = {"product": 0.50, "category": 0.21, "content": 0.09, "home": 0.10, "live": 0.05, "cart": 0.05}
FLAGGED_BOT_SHARE = 0.03
UNFLAGGED_BOT_SHARE = 0.004
MAXIMUM_PAGE_EVENTS_PER_MINUTE = 60
MILLISECOND = 1000
CARE_LASTS_DAYS = 30
DAY_MARGIN = 5 * MICROSECONDS  # clicks come shortly before a visit, and must not fall into the day before


@dataclass
class DayPlan:
    """A day's sessions with all that is decided about them before any event is written; arrays over sessions.

    Attributes:
        burst: page events within one minute, for robots that nobody flagged; 0 for everybody else.
        luck: decides who is lost to a fault. All that they would have done is drawn nevertheless and then not written,
            so that a fault changes nothing for anybody else.
        absent: a fault keeps them away; nothing of them is written.
        abandons: absent, or a fault makes them leave before the landing page is of any use; `abandoned_by` which one.
        listless_by: the fault that makes them leave or want nothing; -1 none.
        response_seconds: until the first human reply to a chat without any fault; -1 unanswered.
    """

    book: SessionBook
    landing: Array
    entry: Array
    intent: Array
    burst: Array
    luck: Array
    absent: Array
    abandoned_by: Array
    listless_by: Array
    shared_device: Array
    coupon: Array
    chats: Array
    response_seconds: Array
    levers: Levers

    @property
    def size(self) -> int:
        return len(self.landing)

    @property
    def abandons(self) -> Array:
        return self.abandoned_by >= 0

    @property
    def acts_human(self) -> Array:
        return ~self.book.is_bot & (self.burst == 0)


def draw_session_count(state: ShopState, day: int, sessions_per_day: float) -> int:
    """How many sessions start that day: weekday rhythm, sales, and 2 % of noise."""
    date = state.clock.date(day)
    noise = np.exp(0.02 * state.stream(day, "volume").standard_normal())
    pull = np.average(_compute_hourly_pull(state, day), weights=HOUR_SHARES)
    return max(1, round(sessions_per_day * WEEKDAY_FACTORS[date.weekday()] * pull * noise))


def _compute_hourly_pull(state: ShopState, day: int) -> Array:
    """What sales do to the sessions of each twenty-fourth of the day."""
    hours = state.clock.start(day) + state.clock.length(day) * np.arange(len(HOUR_SHARES)) // len(HOUR_SHARES)
    return state.calendar.factor("sessions", hours).astype(np.float64)


def _draw_starts(random: np.random.Generator, state: ShopState, day: int, count: int) -> Array:
    """Sorted instants over the day, by the shop's hours; all different from one another."""
    pull = _compute_hourly_pull(state, day)
    wanted = HOUR_SHARES * (pull / pull[0])
    edges = np.concatenate([[0.0], np.cumsum(wanted) / wanted.sum()])
    shares = np.interp(random.random(count), edges, np.linspace(0, 1, len(edges)))
    span = state.clock.length(day) - 2 * DAY_MARGIN - count
    starts = np.sort(state.clock.start(day) + DAY_MARGIN + (shares * span).astype(np.int64))
    return starts + np.arange(count)  # a microsecond apart at least: the later session is never in doubt


def _draw_slice_noise(state: ShopState, day: int, purpose: str, size: int) -> Array:
    return np.exp(0.02 * state.stream(day, purpose).standard_normal(size))


def plan_day(state: ShopState, day: int, sessions_per_day: int, faults: Sequence[Fault]) -> DayPlan:
    """Draws the day's sessions and their people, and lets the faults of the day turn the levers."""
    date = state.clock.date(day)
    world = state.world
    usual = world.leaves.weight
    wanted = usual.copy()
    for shift in select_faults(faults, "mix_shift", date):
        wanted[world.leaves.channel == shift.codes["channel"]] *= 1 + shift.share
    count = draw_session_count(state, day, sessions_per_day * (wanted.sum() / usual.sum()))
    random = state.stream(day, "sessions")
    start = _draw_starts(random, state, day, count)
    weight = wanted * _draw_slice_noise(state, day, "leaf volume", len(world.leaves.weight))
    leaf = np.searchsorted(np.cumsum(weight) / weight.sum(), random.random(count)).clip(0, len(weight) - 1)
    leaf = leaf.astype(np.int16)
    robot = random.random(count)
    is_bot = robot < FLAGGED_BOT_SHARE
    burst = np.zeros(count, np.int16)
    unflagged = (robot >= FLAGGED_BOT_SHARE) & (robot < FLAGGED_BOT_SHARE + UNFLAGGED_BOT_SHARE)
    burst[unflagged] = random.integers(
        MAXIMUM_PAGE_EVENTS_PER_MINUTE, 2 * MAXIMUM_PAGE_EVENTS_PER_MINUTE, unflagged.sum()
    )
    # One in ten fires exactly as much as a human may: it counts as one.
    burst[unflagged] = np.where(random.random(unflagged.sum()) < 0.1, MAXIMUM_PAGE_EVENTS_PER_MINUTE, burst[unflagged])
    last_minutes = state.clock.start(day + 1) - 200 * MICROSECONDS
    start[unflagged] = np.minimum(start[unflagged], last_minutes)

    visitor, customer, shared = _assign_people(state, day, is_bot | unflagged)
    random = state.stream(day, "intentions")
    device = state.visitors["device"][visitor]
    landing = world.leaves.landing[leaf].astype(np.int8)
    intent = world.leaves.intent[leaf] * _draw_slice_noise(state, day, "leaf intent", len(weight))[leaf]
    intent *= _draw_slice_noise(state, day, "device intent", len(DEVICES))[device]
    intent *= np.where(customer >= 0, 1.35, 1.0)
    coupon_edges = np.cumsum(COUPON_SHARES)
    coupon = np.searchsorted(coupon_edges, random.random(count), "right").astype(np.int8)
    coupon[coupon == len(coupon_edges)] = -1
    region = state.visitors["region"][visitor]
    levers = Levers(
        traits={
            "landing_page": landing,
            "device": device,
            "coupon": coupon,
            "campaign": world.leaves.campaign[leaf],
            "channel": world.leaves.channel[leaf],
            "region": region,
            "team": TEAM_OF_SHIFT[(state.clock.hours(start) // 8).clip(0, 2)],
        },
        missed_care=_has_missed_care(state, day, customer),
        coupon_error=np.where(coupon >= 0, 0.01, 0.0).astype(np.float32),
    )
    apply_faults(faults, date, levers)
    luck = random.random(count, dtype=np.float32)
    absent = luck < levers.stay_away.chance
    leaves = luck < levers.leave.chance
    abandoned_by = np.where(absent, levers.stay_away.cause, np.where(leaves, levers.leave.cause, -1))
    listless = (luck < levers.lose_interest.chance) & (abandoned_by < 0)
    chats = (random.random(count) < 0.045 * intent) & ~shared & ~is_bot & ~unflagged
    response = np.exp(random.normal(np.log(24), 1.0, count)).clip(1, 3000).astype(np.int32)
    response[random.random(count) < 0.06] = -1
    login = (customer >= 0) & (random.random(count) < 0.75)
    book = SessionBook(
        base=state.next_session,
        visitor=visitor,
        customer=np.where(login, customer, -1),
        login_time=np.where(login, start + _draw_login_delay(random, count), NEVER),
        is_bot=is_bot,
        start=start,
        leaf=leaf,
        device=device,
        region=region,
        is_untracked=luck < levers.untracked.chance,
    )
    state.next_session += count
    return DayPlan(
        book=book,
        landing=landing,
        entry=world.landing_entry[landing],
        intent=intent.astype(np.float32),
        burst=burst,
        luck=luck,
        absent=absent,
        abandoned_by=abandoned_by,
        listless_by=np.where(listless, levers.lose_interest.cause, abandoned_by),
        shared_device=shared,
        coupon=coupon,
        chats=chats,
        response_seconds=response,
        levers=levers,
    )


def _has_missed_care(state: ShopState, day: int, customer: Array) -> Array:
    """Sessions of customers to whom a care message stayed away in the last 30 days."""
    if not state.customers.size:
        return np.zeros(len(customer), bool)
    return (customer >= 0) & (state.customers["missed_care_day"][customer] >= day - CARE_LASTS_DAYS)


def _draw_login_delay(random: np.random.Generator, count: int) -> Array:
    """Half are logged in when they come; the others log in within two minutes."""
    return (random.uniform(-120, 120, count).clip(0) * MICROSECONDS).astype(np.int64)


def _assign_people(state: ShopState, day: int, robots: Array) -> tuple[Array, Array, Array]:
    """Visitor and (perhaps) customer of each session, and whether it is somebody else's device."""
    random = state.stream(day, "people")
    count = len(robots)
    draw = random.random(count)
    pick = random.random(count)
    recent = np.concatenate(state.recent_visitors) if state.recent_visitors else np.empty(0, np.int64)
    customers = state.customers.size
    from_customers = (draw < 0.13) & ~robots & (customers > 0)
    from_recent = (draw >= 0.13) & (draw < 0.27) & ~robots & (len(recent) > 0)
    again_today = (draw >= 0.27) & (draw < 0.40) & ~robots
    fresh = ~(from_customers | from_recent | again_today)
    if not fresh.any():
        fresh, again_today = fresh | again_today, np.zeros(count, bool)
    visitor = np.full(count, -1, np.int64)
    visitor[fresh] = state.add_visitors(random, int(fresh.sum()))
    people_today = visitor[fresh & ~robots]
    if not len(people_today):
        people_today = state.add_visitors(random, 1)
    visitor[again_today] = people_today[(pick[again_today] * len(people_today)).astype(np.int64)]
    visitor[from_recent] = recent[(pick[from_recent] * len(recent)).astype(np.int64)]
    _assign_returning(state, random, visitor, from_customers, pick)

    owner = state.visitors["owner"][visitor]
    registers = np.unique(visitor[(owner < 0) & ~robots & (random.random(count) < 0.06)])
    state.add_customers(registers)
    owner = state.visitors["owner"][visitor]
    shared = (owner >= 0) & (random.random(count) < 0.01) & (customers > 0)
    stranger = (random.random(count) * max(customers, 1)).astype(np.int64)
    state.recent_visitors = [*state.recent_visitors[-6:], people_today]
    return visitor, np.where(shared, stranger, owner), shared


def _assign_returning(state: ShopState, random: np.random.Generator, visitor: Array, rows: Array, pick: Array) -> None:
    """Known customers come back, newer ones more often, one in six on a second device."""
    if not rows.any():
        return
    who = (state.customers.size * pick[rows] ** 0.7).astype(np.int64)
    second = random.random(len(who)) < 0.16
    home = state.customers["visitor"][who]
    for column, wanted in (("visitor", ~second & (home < 0)), ("second_visitor", second)):
        lacking = np.unique(who[wanted & (state.customers[column][who] < 0)])
        devices = state.add_visitors(random, len(lacking))
        state.visitors["owner"][devices] = lacking
        state.customers[column][lacking] = devices
    visitor[rows] = np.where(second, state.customers["second_visitor"][who], state.customers["visitor"][who])


@dataclass
class Pages:
    """The pages that a day's sessions open, in order of session and time; arrays over pages.

    `session` is the position in the plan, not the session's number; times are microseconds.
    """

    session: Array
    first: Array
    page_type: Array
    product: Array
    page: Array
    content: Array
    live_room: Array
    start: Array
    dwell_ms: Array
    carted: Array


def browse_pages(state: ShopState, day: int, plan: DayPlan) -> tuple[Pages, list[Chunk]]:
    """The pages of the day and the page events on them (without checkouts)."""
    random = state.stream(day, "pages")
    pages = _open_pages(state, random, plan)
    chunks = _draw_page_events(state, state.stream(day, "page events"), plan, pages)
    chunks.append(_draw_bursts(state, state.stream(day, "bursts"), plan))
    return pages, chunks


def _draw_page_counts(random: np.random.Generator, plan: DayPlan) -> Array:
    """How many pages each session opens; 0 for bursts, whose events are made elsewhere."""
    stays = 1 - 0.52 / plan.intent.clip(0.5, 3)
    draw = random.random(plan.size, dtype=np.float32)
    more = np.log(random.random(plan.size, dtype=np.float32).clip(1e-6)) / np.log(0.70)
    counts = np.where(draw < stays, 2 + more.astype(np.int32).clip(0, 25), 1)
    counts[plan.burst > 0] = 0
    return counts


def _open_pages(state: ShopState, random: np.random.Generator, plan: DayPlan) -> Pages:
    world = state.world
    counts = _draw_page_counts(random, plan)
    session = np.repeat(np.arange(plan.size, dtype=np.int32), counts)
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    size = len(session)
    first = np.zeros(size, bool)
    first[before[counts > 0]] = True
    kinds = np.array([PAGE_TYPES.index(kind) for kind in SHARE_OF_KINDS], np.int8)
    edges = np.cumsum(list(SHARE_OF_KINDS.values()))
    page_type = kinds[np.searchsorted(edges, random.random(size, dtype=np.float32), "right").clip(0, len(kinds) - 1)]
    entry_kinds = np.array([PAGE_TYPES.index(entry) for entry in ENTRY_TYPES], np.int8)
    page_type[first] = entry_kinds[plan.entry[session[first]]]
    popular = np.searchsorted(np.cumsum(world.product_shares), random.random(size), "right")
    product = np.where(page_type == PRODUCT_PAGE, popular.clip(0, world.product_count - 1), -1).astype(np.int16)
    landed = first & (page_type == PRODUCT_PAGE)
    product[landed] = world.landing_product[plan.landing[session[landed]]]

    page, content, live_room = _choose_places(state, random, page_type, product, first, plan.landing[session])
    median = np.where(page_type == PRODUCT_PAGE, np.float32(13_000), np.float32(7_000))
    dwell = (median * np.exp(1.1 * random.standard_normal(size, dtype=np.float32))).clip(200, 1_500_000)
    alone = first & (counts[session] == 1)
    dwell[alone] *= 0.16
    dwell[plan.book.is_bot[session]] = 150
    pause: Array = 300 + 500 * random.random(size, dtype=np.float32)
    step = ((dwell + pause) * MILLISECOND).astype(np.int64)
    elapsed = np.cumsum(step) - step
    elapsed -= np.repeat(elapsed[before[counts > 0]], counts[counts > 0])
    arrival = (60 + 340 * random.random(plan.size, dtype=np.float32)) * MILLISECOND
    start = (plan.book.start + arrival.astype(np.int64))[session] + elapsed
    return Pages(
        session,
        first,
        page_type,
        product,
        page,
        content,
        live_room,
        start,
        dwell.astype(np.int32),
        np.zeros(size, bool),
    )


def _choose_places(
    state: ShopState, random: np.random.Generator, page_type: Array, product: Array, first: Array, landing: Array
) -> tuple[Array, Array, Array]:
    """Codes of page, content piece and live room."""
    words = state.world.words
    names: dict[str, list[int]] = {"category": [words["page"].index(f"list_{name}") for name in CATEGORIES]}
    for entry in ("home", "content", "live"):
        names[entry] = [words["page"].index(page.name) for page in LANDING_PAGES if page.entry_type == entry]
    names["cart"] = [words["page"].index("cart")]
    page = product.copy()
    draw = random.random(len(page), dtype=np.float32)
    for kind, codes in names.items():
        rows = page_type == PAGE_TYPES.index(kind)
        page[rows] = np.array(codes)[(draw[rows] * len(codes)).astype(np.int8)]
    landing_code = np.array([words["page"].index(place.name) for place in LANDING_PAGES], np.int16)
    page[first] = landing_code[landing[first]]
    content = np.where(page_type == PAGE_TYPES.index("content"), page - names["content"][0], -1).astype(np.int8)
    live_room = np.where(page_type == PAGE_TYPES.index("live"), page - names["live"][0], -1).astype(np.int8)
    return page, content, live_room


# event type, module, chance on a product page, chance on another page, page type it is limited to
ON_PAGE: tuple[tuple[str, str | None, float, float, str | None], ...] = (
    ("section_view", "auto", 0.45, 0.22, None),
    ("section_view", "details", 0.26, 0.0, None),
    ("media_play", "auto", 0.30, 0.10, None),
    ("media_play", "video", 0.08, 0.05, None),
    ("module_click", "gallery", 0.20, 0.0, None),
    ("module_click", "size_guide", 0.06, 0.0, None),
    ("module_click", "banner", 0.0, 0.16, None),
    ("module_click", "recommendations", 0.0, 0.14, None),
    ("review_view", None, 0.20, 0.0, None),
    ("question_view", None, 0.06, 0.0, None),
    ("search", None, 0.0, 0.30, "home"),
    ("search", None, 0.0, 0.20, "category"),
    ("live_enter", None, 0.0, 0.98, "live"),
    ("live_interact", None, 0.0, 0.35, "live"),
    ("live_leave", None, 0.0, 0.85, "live"),
    ("follow", None, 0.01, 0.02, None),
)


def _build_events_on(pages: Pages, rows: Array, kind: str, time: Array, **columns: Array) -> Chunk:
    """Events of one type on the given pages."""
    return {
        "time": time,
        "kind": np.full(len(rows), PAGE_KIND[kind], np.int8),
        "session": pages.session[rows],
        "page_type": pages.page_type[rows],
        "page": pages.page[rows],
        "product": pages.product[rows],
        "content": pages.content[rows],
        "live_room": pages.live_room[rows],
        **columns,
    }


def _draw_page_events(state: ShopState, random: np.random.Generator, plan: DayPlan, pages: Pages) -> list[Chunk]:
    world = state.world
    size = len(pages.session)
    abandoned = plan.abandons[pages.session]
    everything = np.flatnonzero(np.where(pages.first, ~plan.absent[pages.session], ~abandoned))
    on_product = pages.page_type == PRODUCT_PAGE
    by_robot = plan.book.is_bot[pages.session]
    factor = np.where(by_robot, 0, plan.intent[pages.session].clip(0, 1.6)).astype(np.float32)
    factor *= np.where(pages.first & (pages.dwell_ms < 2500), 0.25, 1.0).astype(np.float32)
    hasty = 400 + (2400 * random.random(size, dtype=np.float32)).astype(np.int32)
    dwell_ms = np.where(abandoned & pages.first, hasty, pages.dwell_ms)
    leave_lost = (random.random(plan.size, dtype=np.float32) < 0.10) | plan.book.is_bot
    dwell_on_view = ~leave_lost & (random.random(plan.size, dtype=np.float32) < 0.04)

    first_screen = np.array([1000, 800, 650], np.float32)[plan.book.device[pages.session]]
    first_screen *= np.exp(0.4 * random.standard_normal(size, dtype=np.float32))
    first_screen *= np.where(pages.first, plan.levers.first_screen[pages.session], 1)
    price = world.product_price_cents[pages.product]
    stock = (random.random(size, dtype=np.float32) < 0.08).astype(np.int8)
    opening = _build_events_on(
        pages,
        everything,
        "page_view",
        pages.start[everything],
        first_screen_ms=first_screen.clip(80, 60_000).astype(np.int32)[everything],
        dwell_ms=np.where(dwell_on_view[pages.session], dwell_ms, -1)[everything],
        displayed_price=np.where(on_product, price, -1).astype(np.int32)[everything],
        stock_state=np.where(on_product, stock, -1).astype(np.int8)[everything],
    )
    opening["kind"][on_product[everything]] = PAGE_KIND["product_view"]

    scrolled = 0.15 + 0.85 * random.random(size, dtype=np.float32) ** 2
    scrolled *= (dwell_ms / 12_000).clip(0.1, 1).astype(np.float32)
    leaving = everything[~(leave_lost | dwell_on_view)[pages.session[everything]]]
    leave = _build_events_on(
        pages,
        leaving,
        "page_leave",
        pages.start[leaving] + dwell_ms[leaving].astype(np.int64) * MILLISECOND,
        dwell_ms=dwell_ms[leaving],
        scroll_ratio=np.round(scrolled[leaving].astype(np.float64), 3).astype(np.float32),
    )
    chunks = [opening, leave]

    def happens(kind: str, chance: Array, *, taken: Array = abandoned, **columns: Any) -> Array:
        """Adds the event on some pages, but for those on which it is taken away; returns all of them."""
        rows = np.flatnonzero(random.random(size, dtype=np.float32) < chance * factor)
        moment = (0.03 + 0.94 * random.random(len(rows), dtype=np.float32)) * pages.dwell_ms[rows] * MILLISECOND
        time = pages.start[rows] + 1000 + moment.astype(np.int64)
        kept = ~taken[rows]
        coded = {name: np.full(int(kept.sum()), code, np.int16) for name, code in columns.items()}
        chunks.append(_build_events_on(pages, rows[kept], kind, time[kept], **coded))
        return rows

    for kind, module, chance_on_product, chance_elsewhere, limited_to in ON_PAGE:
        chance = np.where(on_product, chance_on_product, chance_elsewhere).astype(np.float32)
        if limited_to:
            chance[pages.page_type != PAGE_TYPES.index(limited_to)] = 0
        codes: dict[str, Any] = {"module": MODULES.index(module)} if module else {}
        happens(kind, chance, **codes)
    appeal = np.where(on_product, world.product_appeal[pages.product], 0).astype(np.float32)
    listless = plan.listless_by[pages.session] >= 0
    happens("favorite", 0.04 * appeal, taken=listless)
    cart_lost = listless | _find_put_off_pages(plan, pages)
    cart_factor = state.calendar.factor("cart", plan.book.start)[pages.session]
    carted = happens("add_to_cart", np.float32(0.115) * cart_factor * appeal, taken=cart_lost)
    pages.carted[carted] = True
    part = random.integers(0, SKUS_PER_PRODUCT, len(carted), dtype=np.int16)
    sku = pages.product[carted] * np.int16(SKUS_PER_PRODUCT) + part
    chunks[-1]["sku"] = sku[~cart_lost[carted]]
    claims = happens("coupon_claim", np.where(on_product, 0.03, 0.01).astype(np.float32))
    offered = plan.coupon[pages.session[claims[~abandoned[claims]]]]
    chunks[-1]["coupon"] = np.where(offered >= 0, offered, 0).astype(np.int8)
    # Some browsers send what happened in the first moment in one batch, with one time.
    batched = np.flatnonzero(pages.first & (factor > 0) & (random.random(size, dtype=np.float32) < 0.02) & ~abandoned)
    clicks = _build_events_on(pages, batched, "module_click", pages.start[batched])
    clicks["module"] = np.full(len(batched), MODULES.index("banner"), np.int8)
    scrolled_too = batched[pages.session[batched] % 2 == 0]
    scrolls = _build_events_on(pages, scrolled_too, "section_view", pages.start[scrolled_too])
    scrolls["module"] = np.full(len(scrolled_too), AUTO, np.int8)
    chunks += [clicks, scrolls]
    for chunk in chunks:
        chunk["session"] = chunk["session"].astype(np.int64) + plan.book.base
    return chunks


def _find_put_off_pages(plan: DayPlan, pages: Pages) -> Array:
    """Pages of products that a fault keeps this session from putting into the cart."""
    chance = plan.levers.cart.chance
    return (pages.product >= 0) & (plan.luck[pages.session] < chance[pages.product])


def _draw_bursts(state: ShopState, random: np.random.Generator, plan: DayPlan) -> Chunk:
    """Robots that nobody flagged: so many page events within one minute of the UTC clock."""
    robots = np.flatnonzero(plan.burst)
    minute = 60 * MICROSECONDS
    session = np.repeat(robots, plan.burst[robots])
    begin = (plan.book.start[session] // minute + 1) * minute
    product = (random.random(len(session)) * state.world.product_count).astype(np.int16)
    return {
        "time": begin + 1 + (random.random(len(session)) * (minute - MICROSECONDS)).astype(np.int64),
        "kind": np.full(len(session), PAGE_KIND["product_view"], np.int8),
        "session": session + plan.book.base,
        "page_type": np.full(len(session), PRODUCT_PAGE, np.int8),
        "page": product,
        "product": product,
    }


@dataclass
class Checkouts:
    """Sessions that start a checkout, with the product they start it for; arrays over checkouts.

    Attributes:
        session: position in the plan.
        ordered: whether an order follows without any fault; `lost_by`: the fault that takes that order away, -1 none.
        taken_by: the fault that takes the whole checkout away, -1 none.
    """

    session: Array
    time: Array
    product: Array
    coupon: Array
    ordered: Array
    lost_by: Array
    taken_by: Array
    payment_failed: Array


def check_out(state: ShopState, day: int, plan: DayPlan, pages: Pages) -> tuple[Checkouts, list[Chunk]]:
    """Who goes on to the checkout, who orders there, and the events of it."""
    random = state.stream(day, "checkout")
    wanted = np.full(plan.size, -1, np.int16)
    on_product = pages.product >= 0
    wanted[pages.session[on_product]] = pages.product[on_product]
    carted = np.zeros(plan.size, bool)
    carted[pages.session[pages.carted]] = True
    wanted[pages.session[pages.carted]] = pages.product[pages.carted]
    last = np.zeros(plan.size, np.int64)
    last[pages.session] = pages.start + pages.dwell_ms.astype(np.int64) * MILLISECOND

    chance = np.where(carted, 0.42, np.where(wanted >= 0, 0.016, 0.0)) * plan.intent
    served = plan.chats & (plan.response_seconds >= 0)
    chance = chance * np.where(served & (plan.response_seconds <= 60), 1.7, np.where(plan.chats, 0.9, 1.0))
    starts = (random.random(plan.size) < chance) & plan.acts_human & ~plan.shared_device & (last > 0)
    order_draw, coupon_draw, failure_draw = random.random((3, plan.size))
    pause = random.uniform(2, 25, plan.size)
    session = np.flatnonzero(starts)
    levers = plan.levers
    draw = order_draw[session]
    chance_to_order = (0.60 * state.calendar.factor("order", plan.book.start[session])).clip(0, 0.95)
    ordered = draw < chance_to_order
    taken_by = _find_checkout_faults(plan, session, wanted, carted)
    refused = ordered & (draw >= chance_to_order * (1 - levers.order.chance[session]))
    lost_by = np.where(taken_by >= 0, taken_by, np.where(refused, levers.order.cause[session], -1))
    failed = ordered & (failure_draw[session] < 0.05)
    error = np.flatnonzero((coupon_draw[session] < levers.coupon_error[session]) & (taken_by < 0))
    time = last[session] + (pause[session] * MICROSECONDS).astype(np.int64)
    checkouts = Checkouts(session, time, wanted[session], plan.coupon[session], ordered, lost_by, taken_by, failed)

    def events(rows: Array, kind: str, seconds: float, **columns: Array) -> Chunk:
        return {
            "time": time[rows] + round(seconds * MICROSECONDS),
            "kind": np.full(len(rows), PAGE_KIND[kind], np.int8),
            "session": session[rows] + plan.book.base,
            "page_type": np.full(len(rows), CHECKOUT_PAGE, np.int8),
            "page": np.full(len(rows), state.world.code("page", "checkout"), np.int16),
            **columns,
        }

    starting = np.flatnonzero(taken_by < 0)
    fails = np.flatnonzero(failed & (lost_by < 0))
    coupon = checkouts.coupon
    codes = len(PAGE_ERRORS)
    return checkouts, [
        events(starting, "checkout_start", 0, product=checkouts.product[starting], coupon=coupon[starting]),
        events(error, "coupon_error", 1.5, coupon=coupon[error], error_code=(session[error] % 2).astype(np.int8)),
        events(fails, "payment_failed", 30, error_code=(codes - 1 - session[fails] % 2).astype(np.int8)),
    ]


def _find_checkout_faults(plan: DayPlan, session: Array, wanted: Array, carted: Array) -> Array:
    """For each of these sessions, the fault that keeps it from the checkout: all of it, its chat or its product."""
    levers, luck = plan.levers, plan.luck[session]
    chat = plan.chats[session] & (luck < levers.disappointed_chat.chance[session])
    product = carted[session] & (luck < levers.cart.chance[wanted[session]])
    by_product = np.where(product, levers.cart.cause[wanted[session]], -1)
    by_chat = np.where(chat, levers.disappointed_chat.cause[session], by_product)
    return np.where(plan.listless_by[session] >= 0, plan.listless_by[session], by_chat)


def build_refused_payments(state: ShopState, time: Array, session: Array) -> Chunk:
    """What the checkout reports when a provider refuses, for numbers of sessions."""
    return {
        "time": time,
        "kind": np.full(len(time), PAGE_KIND["payment_failed"], np.int8),
        "session": session,
        "page_type": np.full(len(time), CHECKOUT_PAGE, np.int8),
        "page": np.full(len(time), state.world.code("page", "checkout"), np.int16),
        "error_code": np.full(len(time), PAGE_ERRORS.index("PAYMENT_TIMEOUT"), np.int8),
    }


def build_traffic(state: ShopState, day: int, plan: DayPlan) -> list[Chunk]:
    """Visits, the clicks that led to them, clicks that never arrived, and the platforms' impression reports."""
    random = state.stream(day, "traffic")
    leaves = state.world.leaves
    book = plan.book
    paid = leaves.paid[book.leaf]
    clicked = np.flatnonzero(paid)
    click = np.full(plan.size, -1, np.int64)
    lost_count = int(random.poisson(0.12 * len(clicked)))
    click[clicked] = state.next_click + np.arange(len(clicked))
    lost = clicked[(random.random(lost_count) * len(clicked)).astype(np.int64)] if len(clicked) else clicked
    visits = {
        "time": book.start,
        "kind": np.full(plan.size, TRAFFIC_KIND["visit"], np.int8),
        "session": np.arange(book.base, book.end),
        "is_bot": book.is_bot,
        "leaf": book.leaf,
        "device": book.device,
        "region": book.region,
        "click": click,
    }
    rows = np.concatenate([clicked, lost])
    delay = (random.uniform(0.3, 4.0, len(rows)) * MICROSECONDS).astype(np.int64)
    price = leaves.click_cost_cents[book.leaf[rows]] * leaves.pays_by_click[book.leaf[rows]]
    clicks = {
        "time": book.start[rows] - delay,
        "kind": np.full(len(rows), TRAFFIC_KIND["click"], np.int8),
        "is_bot": book.is_bot[rows],
        "leaf": book.leaf[rows],
        "device": book.device[rows],
        "region": book.region[rows],
        "click": state.next_click + np.arange(len(rows)),
        "cost": np.where(price > 0, np.round(price * random.uniform(0.8, 1.2, len(rows))), -1).astype(np.int64),
    }
    state.next_click += len(rows)
    visits, clicks = (
        select_rows(visits, np.flatnonzero(~plan.absent)),
        select_rows(clicks, np.flatnonzero(~plan.absent[rows])),
    )
    return [
        visits,
        clicks,
        _build_impressions(state, random, day, book.leaf[rows], book.device[rows], book.start[rows]),
    ]


def _build_impressions(
    state: ShopState, random: np.random.Generator, day: int, leaf: Array, device: Array, time: Array
) -> Chunk:
    """One report row for each leaf, hour and device that had clicks; its quantity is the impressions."""
    leaves = state.world.leaves
    hour = state.clock.hours(time)
    cells, clicks = np.unique((leaf.astype(np.int64) * 32 + hour) * len(DEVICES) + device, return_counts=True)
    cell_leaf = (cells // len(DEVICES) // 32).astype(np.int16)
    quantity = clicks + random.poisson(clicks / leaves.click_rate[cell_leaf])
    by_view = ~leaves.pays_by_click[cell_leaf]
    cost = np.round(clicks * leaves.click_cost_cents[cell_leaf] * random.uniform(0.9, 1.1, len(cells)))
    return {
        "time": state.clock.start(day) + (cells // len(DEVICES) % 32) * 3600 * MICROSECONDS,
        "kind": np.full(len(cells), TRAFFIC_KIND["impression"], np.int8),
        "leaf": cell_leaf,
        "device": (cells % len(DEVICES)).astype(np.int8),
        "quantity": quantity,
        "cost": np.where(by_view, cost, -1).astype(np.int64),
    }
