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
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from pipelines.simulate import orders, service
from pipelines.simulate.faults import Fault
from pipelines.simulate.landing import FILE_FORMATS, Dirt, Landing
from pipelines.simulate.sessions import Plan, browse, check_out, plan_day, traffic
from pipelines.simulate.state import COLUMNS, SessionBook, State, TwoDays
from pipelines.simulate.streams import Agenda, Clock
from pipelines.simulate.truth import Ledger, day_truth, history_truth
from pipelines.simulate.world import CATEGORIES, build_world

LONGEST_WAIT_DAYS = 130  # nothing is scheduled further ahead
HISTORY_NEW_CUSTOMERS = 0.65
PHONE_ORDERS_PER_SESSION = 0.0015
PHONE_NEW_CUSTOMERS = 0.5


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
    clock = Clock(first_date, timezone, -history_days - 1, days + LONGEST_WAIT_DAYS)
    state = State(build_world(seed), clock, Agenda(clock, days - 1))
    landing = Landing(out, file_format, Dirt(late_share, duplicate_share, shuffle))
    shop = _Shop(state, Ledger(), landing, sessions_per_day, faults)
    numbers: dict[str, Any] = {}
    for done, day in enumerate(range(-history_days, days), start=1):
        numbers[str(clock.date(day))] = shop.history_day(day) if day < 0 else shop.day(day)
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


@dataclass(frozen=True)
class _Shop:
    """A run: what is carried from day to day, and where each day is written."""

    state: State
    ledger: Ledger
    landing: Landing
    sessions_per_day: int
    faults: list[Fault]

    def history_day(self, day: int) -> dict[str, Any]:
        """A day before the first date: only orders are delivered."""
        state = self.state
        count = orders.history_order_count(state, day, self.sessions_per_day)
        specification = orders.orders_without_session(state, day, count, HISTORY_NEW_CUSTOMERS)
        service.after_orders(state, day, "history", orders.place(state, day, "history", specification))
        orders.unlinked_refunds(state, day, self.sessions_per_day)
        chunk = state.agenda.take("order", day, COLUMNS["order"])
        state.agenda.forget("service", day)  # the shop kept none of it
        truth = history_truth(state, self.ledger, day, chunk)
        nobody = TwoDays(SessionBook.empty(), SessionBook.empty())
        self.landing.write_day(state, day, "order", chunk, nobody)
        return truth

    def day(self, day: int) -> dict[str, Any]:
        """Simulates, counts and writes one day; returns its truth."""
        state = self.state
        plan = plan_day(state, day, self.sessions_per_day, self.faults)
        lost = self._act(day, plan)
        both = TwoDays(state.yesterday, plan.book)
        events = {family: state.agenda.take(family, day, kinds) for family, kinds in COLUMNS.items()}
        truth = day_truth(
            state, self.ledger, day, both, events["traffic"], events["page"], events["service"], events["order"]
        )
        for family in COLUMNS:
            self.landing.write_day(state, day, family, events.pop(family), both)
        state.yesterday = plan.book
        return truth | {"lost_to_faults": lost}

    def _act(self, day: int, plan: Plan) -> dict[str, int]:
        """Puts all that the day's sessions and callers do into the agenda; returns what faults took away."""
        state = self.state
        for chunk in traffic(state, day, plan):
            state.agenda.add("traffic", chunk)
        pages, page_chunks = browse(state, day, plan)
        checkouts, checkout_chunks = check_out(state, day, plan, pages)
        for chunk in page_chunks + checkout_chunks:
            state.agenda.add("page", chunk)
        service.presale_conversations(state, day, plan, pages)
        of_sessions = orders.orders_of_sessions(state, day, plan, checkouts)
        phone_count = int(state.stream(day, "phone").poisson(PHONE_ORDERS_PER_SESSION * self.sessions_per_day))
        by_phone = orders.orders_without_session(state, day, phone_count, PHONE_NEW_CUSTOMERS)
        placed = {
            source: orders.place(state, day, source, specification)
            for source, specification in (("sessions", of_sessions), ("phone", by_phone))
        }
        for source, chunk in placed.items():
            service.after_orders(state, day, source, chunk)
        orders.unlinked_refunds(state, day, self.sessions_per_day)
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
