"""A flood of robots that nobody flags: sessions beside those of people, below every rule, that buy nothing."""

from collections.abc import Sequence

import numpy as np

from funnelscope.simulator.faults import Fault, select_faults
from funnelscope.simulator.sessions import PAGE_KIND, PRODUCT_PAGE, TRAFFIC_KIND, DayPlan
from funnelscope.simulator.shop_state import SessionBook, ShopState
from funnelscope.simulator.streams import MICROSECONDS, NEVER, Array
from funnelscope.simulator.world import ENTRY_TYPES, LANDING_PAGES, PAGE_TYPES

MAXIMUM_PAGES = 4


def add_robots(state: ShopState, day: int, plan: DayPlan, faults: Sequence[Fault]) -> SessionBook:
    """Adds the visits and pages of the day's robots to the agenda; returns the book of people and robots."""
    random = state.stream(day, "flood")
    books = [plan.book]
    for fault in select_faults(faults, "bot_flood", state.clock.date(day)):
        theirs = np.flatnonzero(plan.levers.traits["channel"] == fault.codes["channel"])
        books.append(
            _build_robot_book(state, random, plan.book, np.repeat(theirs, random.poisson(fault.share, len(theirs))))
        )
        _browse_landing_page(state, random, books[-1])
    return SessionBook.concatenate_books(books)


def _build_robot_book(state: ShopState, random: np.random.Generator, people: SessionBook, like: Array) -> SessionBook:
    """Robots that come from where the given people come from, a moment later."""
    count = len(like)
    visitor = state.add_visitors(random, count)
    base = state.next_session
    state.next_session += count
    return SessionBook(
        base=base,
        visitor=visitor,
        customer=np.full(count, -1, np.int64),
        login_time=np.full(count, NEVER),
        is_bot=np.zeros(count, bool),
        start=people.start[like] + random.integers(1, MICROSECONDS, count),
        leaf=people.leaf[like],
        device=state.visitors["device"][visitor],
        region=state.visitors["region"][visitor],
        is_untracked=np.zeros(count, bool),
    )


def _browse_landing_page(state: ShopState, random: np.random.Generator, book: SessionBook) -> None:
    """A visit and a few openings of the landing page, a second apart, without a stay."""
    count = len(book.visitor)
    numbers = np.arange(book.base, book.end)
    state.agenda.add(
        "traffic",
        {
            "time": book.start,
            "kind": np.full(count, TRAFFIC_KIND["visit"], np.int8),
            "session": numbers,
            "is_bot": book.is_bot,
            "leaf": book.leaf,
            "device": book.device,
            "region": book.region,
        },
    )
    opened = random.integers(1, MAXIMUM_PAGES + 1, count)
    of = np.repeat(np.arange(count), opened)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(opened) - opened, opened)
    landing = state.world.leaves.landing[book.leaf[of]]
    page_types = np.array([PAGE_TYPES.index(entry) for entry in ENTRY_TYPES], np.int8)
    page_type = page_types[state.world.landing_entry[landing]]
    pages = np.array([state.world.code("page", page.name) for page in LANDING_PAGES], np.int16)
    on_product = page_type == PRODUCT_PAGE
    state.agenda.add(
        "page",
        {
            "time": book.start[of] + (1 + nth) * MICROSECONDS,
            "kind": np.where(on_product, PAGE_KIND["product_view"], PAGE_KIND["page_view"]).astype(np.int8),
            "session": numbers[of],
            "page_type": page_type,
            "page": pages[landing],
            "product": np.where(on_product, state.world.landing_product[landing], -1).astype(np.int16),
        },
    )
