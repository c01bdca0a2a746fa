"""Runs the shop day by day.

Choices made where a definition leaves room:

- Entry type is the page type of the session's first page event; channel is that of its visit. Every session has both.
- `qualified_product_view` and `paid` of by_entry_type and by_channel are the reached steps.
- `visits` counts visit rows that are not flagged; `cost_cents` adds up all rows of the day, flagged or not.
- `orders_with_session` are the orders created that day that belong to any session, of that day or an earlier one.
- `units` adds up the quantity of the day's paid and balance_paid rows of orders that are not excluded.
- `refunds_cents` is every refunded row of the day; excluded orders have no refunds, and are never delivered.
- `product_views` looks at human entry sessions.
- A presale conversation pays when a payment later than its first customer message has the same customer (the
  conversation's own, else the one its visitor is linked to) or the same visitor. Answered within 30 s includes 30.
- A payment was refunded before shipment when its refunds dated up to the day, and earlier than its shipping, reach
  the whole payment, postage and deposit included. What a later day brings changes the later day's view only.
- Delivered and cared for "since the last purchase day" include that day; so does a delivery of an older order.
- A member who left in the very second of joining is a member.
- Rows that arrive late after the last day still arrive, in delivery folders after it.
"""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from pipelines.simulate import orders, service
from pipelines.simulate.faults import Fault
from pipelines.simulate.landing import FILE_FORMATS, Dirt, write_day
from pipelines.simulate.sessions import browse, check_out, plan_day, traffic
from pipelines.simulate.state import COLUMNS, SessionBook, State, TwoDays
from pipelines.simulate.streams import Agenda, Chunk, Clock, stream
from pipelines.simulate.truth import Ledger, day_truth, history_truth
from pipelines.simulate.world import CATEGORIES, build_world

LONGEST_WAIT_DAYS = 130  # nothing is scheduled further ahead
HISTORY_NEW_CUSTOMERS = 0.65
PHONE_ORDERS_PER_SESSION = 0.0015


def simulate(
    *,
    out: Path,
    days: int,
    sessions_per_day: int,
    seed: int,
    faults: list[Fault],
    first_date: date = date(2026, 5, 1),
    history_days: int = 90,
    late_share: float = 0.0,
    duplicate_share: float = 0.0,
    shuffle: bool = False,
    file_format: str = "parquet",
    timezone: str = "Asia/Shanghai",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes `out/landing/<family>/dt=YYYY-MM-DD/*`, `out/calendar.yaml`, `out/products.csv` and `out/truth.json`.

    The same seed gives the same bytes, whatever the number of days: a longer run begins like a shorter one.

    Args:
        faults: planted from their own dates on; see `load_faults`.
        history_days: days before `first_date` of which only orders are delivered.
        late_share: share of rows delivered one to three days late.
        duplicate_share: share of rows delivered a second time.
        shuffle: rows in any order, in several files.
        file_format: one of FILE_FORMATS.
        progress: called with (days done, days in all), history included.

    Returns:
        The path of truth.json: numbers by business date; days of history hold those of orders and customers only.

    Raises:
        ValueError: an argument is out of its range, or a landing zone is there already.
    """
    _check(out, days, sessions_per_day, history_days, late_share, duplicate_share, file_format)
    world = build_world(seed, first_date)
    clock = Clock(first_date, timezone, -history_days - 1, days + LONGEST_WAIT_DAYS)
    state = State(world, clock, Agenda(clock, days - 1))
    ledger = Ledger()
    dirt = Dirt(late_share, duplicate_share, shuffle)
    numbers: dict[str, Any] = {}
    for done, day in enumerate(range(-history_days, days), start=1):
        if day < 0:
            numbers[str(clock.date(day))] = _history_day(
                state, ledger, seed, day, sessions_per_day, out, dirt, file_format
            )
        else:
            numbers[str(clock.date(day))] = _day(
                state, ledger, seed, day, sessions_per_day, faults, out, dirt, file_format
            )
        if progress:
            progress(done, history_days + days)
    _write_reference(state, out)
    truth = {
        "seed": seed,
        "timezone": timezone,
        "first_date": str(first_date),
        "faults": [fault.model_dump(mode="json") | {"strength": fault.effective_strength} for fault in faults],
        "days": numbers,
    }
    path = out / "truth.json"
    path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return path


def _check(
    out: Path,
    days: int,
    sessions_per_day: int,
    history_days: int,
    late_share: float,
    duplicate_share: float,
    file_format: str,
) -> None:
    if days < 1 or sessions_per_day < 1 or history_days < 0:
        raise ValueError(f"days={days}, sessions_per_day={sessions_per_day}, history_days={history_days}: too few")
    for name, share in (("late_share", late_share), ("duplicate_share", duplicate_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share}: give a share from 0 to 1")
    if file_format not in FILE_FORMATS:
        raise ValueError(f"file_format={file_format!r}: accepted are {', '.join(FILE_FORMATS)}")
    if (out / "landing").exists() and any((out / "landing").iterdir()):
        raise ValueError(f"{out / 'landing'} holds files already: choose another folder, or remove it first")


def _history_day(
    state: State, ledger: Ledger, seed: int, day: int, sessions_per_day: int, out: Path, dirt: Dirt, file_format: str
) -> dict[str, Any]:
    count = orders.history_order_count(state, seed, day, sessions_per_day)
    placed = orders.place(
        state, seed, day, "history", orders.orders_without_session(state, seed, day, count, HISTORY_NEW_CUSTOMERS)
    )
    service.after_orders(state, seed, day, "history", placed)
    orders.unlinked_refunds(state, seed, day, sessions_per_day)
    chunk = state.agenda.take("order", day, COLUMNS["order"])
    state.agenda.take("service", day, COLUMNS["service"])  # the shop kept none of it
    nobody = TwoDays(SessionBook.empty(), SessionBook.empty())
    truth = history_truth(state, ledger, day, chunk)
    write_day(state, seed, out, day, "order", chunk, nobody, dirt, file_format)
    return truth


def _day(
    state: State,
    ledger: Ledger,
    seed: int,
    day: int,
    sessions_per_day: int,
    faults: list[Fault],
    out: Path,
    dirt: Dirt,
    file_format: str,
) -> dict[str, Any]:
    plan = plan_day(state, seed, day, sessions_per_day, faults)
    for chunk in traffic(state, seed, day, plan):
        state.agenda.add("traffic", chunk)
    pages, page_chunks = browse(state, seed, day, plan)
    checkouts, checkout_chunks = check_out(state, seed, day, plan, pages)
    for chunk in page_chunks + checkout_chunks:
        state.agenda.add("page", chunk)
    service.presale_conversations(state, seed, day, plan, pages)
    del pages, page_chunks
    lost = _orders(state, seed, day, sessions_per_day, orders.orders_of_sessions(state, seed, day, plan, checkouts))
    both = TwoDays(state.yesterday, plan.book)
    events: dict[str, Chunk] = {family: state.agenda.take(family, day, kinds) for family, kinds in COLUMNS.items()}
    truth = day_truth(state, ledger, day, both, events["traffic"], events["page"], events["service"], events["order"])
    for family in COLUMNS:
        write_day(state, seed, out, day, family, events.pop(family), both, dirt, file_format)
    state.yesterday = plan.book
    return truth | {"lost_to_faults": lost}


def _orders(state: State, seed: int, day: int, sessions_per_day: int, of_sessions: Chunk) -> dict[str, int]:
    """Places all orders that are thought of today; returns what faults took away of them."""
    random = stream(seed, state.clock.date(day), "phone")
    count = int(random.poisson(PHONE_ORDERS_PER_SESSION * sessions_per_day))
    by_phone = orders.orders_without_session(state, seed, day, count, 0.5)
    placed = {
        source: orders.place(state, seed, day, source, specification)
        for source, specification in (("sessions", of_sessions), ("phone", by_phone))
    }
    for source, chunk in placed.items():
        service.after_orders(state, seed, day, source, chunk)
    orders.unlinked_refunds(state, seed, day, sessions_per_day)
    return orders.lost_orders(state, day, placed["sessions"])


def _write_reference(state: State, out: Path) -> None:
    """The shop's own calendar and product list."""
    promotion, clock = state.world.promotion, state.clock
    phases = [
        {
            "name": promotion.name,
            "phase": phase,
            "from": clock.date(getattr(promotion, phase)[0]),
            "to": clock.date(getattr(promotion, phase)[1]),
        }
        for phase in ("deposit", "preheat", "opening", "main", "after")
    ]
    content = {"promotions": phases}
    (out / "calendar.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    lines = ["product_id,category,price,cost"]
    for product in range(state.world.product_count):
        price = int(state.world.product_price_cents[product])
        category = CATEGORIES[state.world.product_category[product]]
        name = state.world.words["product_id"][product]
        lines.append(f"{name},{category},{price / 100:.2f},{price * 45 // 100 / 100:.2f}")
    (out / "products.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
