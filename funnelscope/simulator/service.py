"""Customer service: conversations before and after the sale, questions, care messages, members."""

import numpy as np

from funnelscope.simulator.faults import CARED_SHARE
from funnelscope.simulator.sessions import DayPlan, Pages
from funnelscope.simulator.shop_state import KIND, ShopState
from funnelscope.simulator.streams import HOUR, MICROSECONDS, NEVER, Array, Chunk, select_rows
from funnelscope.simulator.world import CARE_TYPES

SERVICE_KIND = KIND["service"]
PRESALE, AFTERSALE = 0, 1
# agents on duty by shift: early 08-16, late 16-24, night 0-8
FIRST_AGENT = np.array([10, 0, 5])
AGENT_COUNT = np.array([2, 5, 5])


def _floor_to_seconds(times: Array) -> Array:
    """The chat system keeps whole seconds."""
    return times // MICROSECONDS * MICROSECONDS


class _Writer:
    """Writes events about the same people; `common` holds what their rows share, and who is lost to a fault."""

    def __init__(self, state: ShopState, common: Chunk) -> None:
        self._state = state
        self._common = common

    def add(self, kind: str, rows: Array, time: Array, **columns: Array) -> None:
        """Adds one event at each of the positions `rows`; `time` and `columns` have one value for each of them."""
        chunk = {name: column[rows] for name, column in self._common.items()}
        chunk["time"] = _floor_to_seconds(time)
        chunk["kind"] = np.full(len(rows), SERVICE_KIND[kind], np.int8)
        kept = np.flatnonzero(~chunk.pop("lost"))
        self._state.agenda.add("service", select_rows({**chunk, **columns}, kept))


def _choose_agents(state: ShopState, random: np.random.Generator, time: Array) -> Array:
    """Somebody of the shift on duty when the conversation starts."""
    shift = (state.clock.hours(time) // 8).clip(0, 2)
    return (FIRST_AGENT[shift] + random.integers(0, AGENT_COUNT[shift])).astype(np.int8)


def add_presale_conversations(state: ShopState, day: int, plan: DayPlan, pages: Pages) -> None:
    """Chats that start on a product page; some begin with the robot, some are never answered."""
    random = state.stream(day, "presale")
    seen = np.full(plan.size, -1, np.int64)
    on_product = np.flatnonzero(pages.product >= 0)
    seen[pages.session[on_product]] = on_product
    asks = np.flatnonzero(plan.chats & (seen >= 0) & plan.acts_human)
    page = seen[asks]
    time = pages.start[page] + 3 * MICROSECONDS
    customer = plan.book.customer[asks]
    known = (customer >= 0) & (time >= plan.book.login_time[asks])
    common = {
        "lost": plan.abandons[asks],
        "session": plan.book.base + asks,
        "visitor": plan.book.visitor[asks],
        "customer": np.where(known, customer, -1),
        "product": pages.product[page],
        "topic": np.full(len(asks), PRESALE, np.int8),
    }
    response = plan.response_seconds[asks]
    response = np.where(response >= 0, response * plan.levers.response[asks], -1).astype(np.int32)
    _add_conversations(state, random, common, time, response)
    questions = np.flatnonzero((seen >= 0) & plan.acts_human & (random.random(plan.size) < 0.004))
    writer = _Writer(
        state,
        {
            "lost": plan.abandons[questions],
            "session": plan.book.base + questions,
            "visitor": plan.book.visitor[questions],
            "product": pages.product[seen[questions]],
        },
    )
    asked = pages.start[seen[questions]] + 5 * MICROSECONDS
    everyone = np.arange(len(questions))
    writer.add("question_asked", everyone, asked)
    answered = everyone[random.random(len(questions)) < 0.8]
    writer.add(
        "question_answered", answered, asked[answered] + (random.gamma(1.5, 6, len(answered)) * HOUR).astype(np.int64)
    )


def _add_conversations(
    state: ShopState, random: np.random.Generator, common: Chunk, time: Array, response: Array
) -> None:
    """The messages of conversations that start at `time`; `response` seconds, -1 unanswered."""
    count = len(time)
    common["conversation"] = state.next_conversation + np.arange(count)
    common["agent"] = _choose_agents(state, random, time)
    state.next_conversation += count
    writer = _Writer(state, common)
    rows = np.arange(count)
    second = MICROSECONDS

    def message(kind: str, who: Array, when: Array, number: int, **columns: Array) -> None:
        writer.add(kind, who, when, message=np.full(len(who), number, np.int8), **columns)

    nobody = np.int8(-1)
    robot_first = random.random(count) < 0.5
    greeted = ~robot_first & (random.random(count) < 0.08)
    first = _floor_to_seconds(time) + np.where(greeted, 4 * second, 0)
    answered = response >= 0
    reply = first + response.astype(np.int64) * second
    message("agent_message", rows[greeted], time[greeted], 0)
    message("customer_message", rows, first, 1)
    robots = rows[robot_first]
    message("bot_message", robots, first[robots] + 1 * second, 2, agent=np.full(len(robots), nobody))
    transfers = rows[robot_first & answered]
    writer.add("transferred", transfers, first[transfers] + (response[transfers] // 2).astype(np.int64) * second)
    message("agent_message", rows[answered], reply[answered], 3)
    end = np.where(answered, reply, first)
    for number in (4, 6, 8):
        goes_on = rows[answered & (random.random(count) < 0.55)]
        end[goes_on] += (random.uniform(5, 60, len(goes_on)) * second).astype(np.int64)
        message("customer_message", goes_on, end[goes_on], number)
        end[goes_on] += (random.uniform(5, 90, len(goes_on)) * second).astype(np.int64)
        message("agent_message", goes_on, end[goes_on], number + 1)
    closed = rows[random.random(count) < 0.9]
    writer.add("conversation_closed", closed, end[closed] + 300 * second)
    rated = rows[answered & (random.random(count) < 0.15)]
    rating = np.round(random.normal(4.6, 0.8, len(rated)) - (response[rated] > 120)).clip(1, 5).astype(np.int8)
    writer.add("rated", rated, end[rated] + 320 * second, rating=rating)


def add_aftersale_service(state: ShopState, day: int, source: str, orders: Chunk) -> None:
    """All that service does for these orders later: help, care, membership, replies to reviews."""
    random = state.stream(day, f"aftersale: {source}")
    count = len(orders["order"])
    rows = np.arange(count)
    person = {"lost": orders["lost"], "customer": orders["customer"], "order": orders["order"]}
    known = orders["customer"] >= 0
    delivered = known & (orders["delivered"] < NEVER)
    writer = _Writer(state, person)

    def pick(condition: Array, share: float) -> Array:
        return rows[condition & (random.random(count) < share)]

    def after(rows: Array, base: str, low_hours: float, high_hours: float) -> Array:
        return orders[base][rows] + (random.uniform(low_hours, high_hours, len(rows)) * HOUR).astype(np.int64)

    helped = pick(known & (orders["shipped"] < NEVER), 0.07)
    common = {**{name: column[helped] for name, column in person.items()}, "product": orders["product"][helped]}
    common["topic"] = np.full(len(helped), AFTERSALE, np.int8)
    response = np.exp(random.normal(np.log(40), 1.0, len(helped))).clip(1, 3000).astype(np.int32)
    response[random.random(len(helped)) < 0.05] = -1
    _add_conversations(state, random, common, after(helped, "shipped", 1, 150), response)

    cared = pick(delivered, CARED_SHARE)
    sent = after(cared, "delivered", 20, 40)
    care_type = random.integers(0, len(CARE_TYPES), len(cared)).astype(np.int8)
    writer.add("care_sent", cared, sent, care_type=care_type)
    opened = random.random(len(cared)) < 0.4
    writer.add(
        "care_opened",
        cared[opened],
        sent[opened] + (random.exponential(5, int(opened.sum())) * HOUR).astype(np.int64) + MICROSECONDS,
        care_type=care_type[opened],
    )
    leaving = random.random(len(cared)) < 0.02
    writer.add("opted_out", cared[leaving], sent[leaving] + 2 * HOUR)
    paid = known & (orders["paid"] < NEVER) & (orders["excluded_reason"] < 0)
    for kind, share, base, low, high in (
        ("member_joined", 0.12, "paid", 0.02, 1.0),
        ("contact_added", 0.06, "paid", 24, 90),
        ("community_joined", 0.02, "paid", 30, 200),
        ("contact_lost", 0.02, "paid", 100, 500),
    ):
        chosen = pick(paid, share)
        writer.add(kind, chosen, after(chosen, base, low, high))
    replied = pick((orders["reviewed"] < NEVER) & (orders["rating"] <= 3), 0.7)
    review_writer = _Writer(state, {name: orders[name] for name in ("lost", "order", "product")})
    review_writer.add("review_replied", replied, after(replied, "reviewed", 1, 40))
