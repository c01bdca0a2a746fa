"""Runs the shop day by day.

Choices made where a definition leaves room:

- Entry type is the page type of the session's first page event; channel is that of its visit. Every session has both.
- `qualified_product_view` and `paid` of by_entry_type and by_channel are the reached steps.
- `visits` counts visit rows that are not flagged; `cost_cents` sums all rows of the day, flagged or not.
- `orders_with_session` are the orders created that day that belong to any session, of that day or an earlier one.
- `units` sums the quantity of the day's paid and balance_paid rows of orders that are not excluded.
- `refunds_cents` is every refunded row of the day; excluded orders have no refunds and are never delivered.
- `product_views` counts human entry sessions only.
- A presale conversation pays if a payment later than its first customer message has the same customer (the
  conversation's own, else the one its visitor is linked to) or the same visitor. Answered within 30 s includes 30.
- A payment was refunded before shipment if its refunds dated up to the day, and earlier than its shipping, reach the
  whole payment, postage and deposit included. Later events change only the later day's view.
- Delivered and cared for "since the last purchase day" include that day; so does a delivery of an older order.
- A member who left in the same second as joining is a member.
- Rows that arrive late after the last day are still delivered, in delivery folders after it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from funnelscope.simulator import orders, service
from funnelscope.simulator.fault_visibility import Acts, estimate_visibility
from funnelscope.simulator.faults import Fault, build_calendar, select_bends, select_faults
from funnelscope.simulator.landing_files import FILE_FORMATS, Dirt, Landing
from funnelscope.simulator.promotions import SimulatedPromotion
from funnelscope.simulator.robots import add_robots
from funnelscope.simulator.sessions import DayPlan, browse_pages, build_traffic, check_out, plan_day
from funnelscope.simulator.shop_state import COLUMNS, LOST_COLUMNS, SessionBook, ShopState, TwoDays
from funnelscope.simulator.streams import Agenda, Chunk, Clock, select_rows
from funnelscope.simulator.truth import (
    ORDER_KIND,
    PAGE_KIND,
    SERVICE_KIND,
    Ledger,
    build_kind_mask,
    compute_day_truth,
    compute_history_truth,
)
from funnelscope.simulator.world import CATEGORIES, build_world

LONGEST_WAIT_DAYS = 130  # no event is scheduled further ahead
HISTORY_NEW_CUSTOMERS = 0.65
PHONE_ORDERS_PER_SESSION = 0.0015
PHONE_NEW_CUSTOMERS = 0.5
STARS_LOST = 3  # through bad reviews


def simulate(
    *,
    out: Path,
    days: int,
    sessions_per_day: int,
    seed: int,
    faults: Sequence[Fault],
    promotions: Sequence[SimulatedPromotion] = (SimulatedPromotion(),),
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
        faults, promotions: the planted faults and the shop's sales; see `load_faults`.
        history_days: days before `first_date` of which only orders are delivered.
        late_share: share of rows delivered one to three days late.
        duplicate_share: share of rows delivered a second time.
        shuffle: rows in random order, in several files.
        file_format: one of FILE_FORMATS.
        progress: called with (days done, days in total), history included.

    Returns:
        The path of truth.json: numbers by business date (days of history have those of orders and customers only), and
        the faults with the loss of each on each day.

    Raises:
        ValueError: an argument is out of its range, or a landing zone exists already.
    """
    _check_arguments(out, days, sessions_per_day, history_days, late_share, duplicate_share, file_format)
    clock = Clock(first_date, timezone, -history_days - 1, days + LONGEST_WAIT_DAYS)
    landing = Landing(out, file_format, Dirt(late_share, duplicate_share, shuffle))
    shop = open_shop(seed, clock, days - 1, landing, sessions_per_day, faults, promotions)
    for done, day in enumerate(range(-history_days, days), start=1):
        shop.run(day)
        if progress:
            progress(done, history_days + days)
    return shop.write_truth(timezone)


def _check_arguments(
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


def open_shop(
    seed: int,
    clock: Clock,
    last_day: int,
    landing: Landing,
    sessions_per_day: int,
    faults: Sequence[Fault],
    promotions: Sequence[SimulatedPromotion],
) -> "SimulatedShop":
    """A shop before its first day. Plans beyond `last_day` are dropped."""
    calendar = build_calendar(promotions, faults, clock)
    state = ShopState(build_world(seed), clock, calendar, Agenda(clock, last_day))
    return SimulatedShop(state, Ledger(), landing, sessions_per_day, faults)


@dataclass
class SimulatedShop:
    """A run: the state carried from day to day, and the destination of each day's files.

    It can be pickled between two days and continued with other faults and another landing zone.
    """

    state: ShopState
    ledger: Ledger
    landing: Landing
    sessions_per_day: int
    faults: Sequence[Fault]
    days: dict[str, Any] = field(default_factory=dict)
    effects: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)

    def run(self, day: int) -> None:
        """Simulates, counts and writes the next day; days before 0 are history."""
        self.days[str(self.state.clock.date(day))] = self._history_day(day) if day < 0 else self._day(day)

    def write_truth(self, timezone: str) -> Path:
        """Writes the reference files and truth.json next to the landing zone. Returns the path of the latter."""
        out, state = self.landing.out, self.state
        _write_reference(state, out)
        truth = {
            "seed": state.world.seed,
            "timezone": timezone,
            "first_date": str(state.clock.first_date),
            "faults": [self._planted(cause, fault) for cause, fault in enumerate(self.faults)],
            "days": self.days,
        }
        path = out / "truth.json"
        path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
        return path

    def _planted(self, cause: int, fault: Fault) -> dict[str, Any]:
        """A fault as a record of truth.json."""
        return fault.model_dump(mode="json") | {
            "strength": fault.share,
            "equal_slices": fault.equal_slices,
            "stage": fault.rules.stage,
            "expected": fault.rules.expected,
            "days": {day: effect for (number, day), effect in self.effects.items() if number == cause},
        }

    def _history_day(self, day: int) -> dict[str, Any]:
        """Simulates a day before the first date: only orders are delivered."""
        state = self.state
        count = orders.draw_history_order_count(state, day, self.sessions_per_day)
        specification = orders.draw_orders_without_session(state, day, count, HISTORY_NEW_CUSTOMERS)
        service.add_aftersale_service(state, day, "history", orders.place_orders(state, day, "history", specification))
        orders.add_unlinked_refunds(state, day, self.sessions_per_day)
        chunk = state.agenda.take("order", day, COLUMNS["order"])
        state.agenda.forget("service", day)  # the shop kept no record of it
        truth = compute_history_truth(state, self.ledger, day, chunk)
        nobody = TwoDays(SessionBook.empty(), SessionBook.empty())
        self.landing.write_day(state, day, "order", chunk, nobody)
        return truth

    def _day(self, day: int) -> dict[str, Any]:
        state = self.state
        plan = plan_day(state, day, self.sessions_per_day, self.faults)
        acts = self._act(day, plan)
        book = add_robots(state, day, plan, self.faults)
        both = TwoDays(state.yesterday, book)
        events = {family: state.agenda.take(family, day, columns) for family, columns in COLUMNS.items()}
        self._bend(day, both, events)
        truth = compute_day_truth(
            state, self.ledger, day, both, events["traffic"], events["page"], events["service"], events["order"]
        )
        for family in COLUMNS:
            bends = select_bends(self.faults, family, state.clock.date(day))
            self.landing.write_day(state, day, family, events.pop(family), both, bends)
        state.yesterday = book
        return truth | {"lost_to_faults": self._settle_losses(day, acts)}

    def _act(self, day: int, plan: DayPlan) -> Acts:
        """Adds everything that the day's sessions and callers do to the agenda."""
        state = self.state
        for chunk in build_traffic(state, day, plan):
            state.agenda.add("traffic", chunk)
        pages, page_chunks = browse_pages(state, day, plan)
        checkouts, checkout_chunks = check_out(state, day, plan, pages)
        for chunk in page_chunks + checkout_chunks:
            state.agenda.add("page", chunk)
        service.add_presale_conversations(state, day, plan, pages)
        of_sessions = orders.draw_session_orders(state, day, plan, checkouts)
        phone_count = int(state.stream(day, "phone").poisson(PHONE_ORDERS_PER_SESSION * self.sessions_per_day))
        by_phone = orders.draw_orders_without_session(state, day, phone_count, PHONE_NEW_CUSTOMERS)
        placed = {
            source: orders.place_orders(state, day, source, specification, refused)
            for source, specification, refused in (
                ("sessions", of_sessions, plan.levers.payment),
                ("phone", by_phone, None),
            )
        }
        for source, chunk in placed.items():
            service.add_aftersale_service(state, day, source, chunk)
        orders.add_unlinked_refunds(state, day, self.sessions_per_day)
        return Acts(plan, pages, checkouts, placed["sessions"])

    def _bend(self, day: int, both: TwoDays, events: dict[str, Chunk]) -> None:
        """Applies faults to the rows of a day, whenever these were planned: lost tracking, no care, bad ratings."""
        date = self.state.clock.date(day)
        page, customers = events["page"], self.state.customers
        untracked = (
            both.is_untracked[both.position(page["session"])]
            & build_kind_mask(PAGE_KIND, "favorite", "add_to_cart")[page["kind"]]
        )
        if untracked.any():
            events["page"] = select_rows(page, np.flatnonzero(~untracked))
        if select_faults(self.faults, "care_stopped", date):
            rows = events["service"]
            sent = rows["kind"] == SERVICE_KIND["care_sent"]
            customers["missed_care_day"][rows["customer"][sent]] = day
            silent = build_kind_mask(SERVICE_KIND, "care_sent", "care_opened", "opted_out")[rows["kind"]]
            events["service"] = select_rows(rows, np.flatnonzero(~silent))
        for fault in self.faults:
            if fault.kind == "bad_reviews" and fault.is_foretold(date):
                rows = events["order"]
                bad = (rows["kind"] == ORDER_KIND["reviewed"]) & (rows["product"] == fault.codes["product_id"])
                rows["rating"][bad] = (rows["rating"][bad] - STARS_LOST).clip(1)

    def _settle_losses(self, day: int, acts: Acts) -> dict[str, int]:
        """The total loss to faults on this day. Also records the loss and visibility of each fault."""
        state = self.state
        date = state.clock.date(day)
        lost = {kind: state.agenda.take(kind, day, LOST_COLUMNS) for kind in ("lost order", "lost payment")}
        causes = {kind: chunk["cause"] for kind, chunk in lost.items()}
        for cause, fault in enumerate(self.faults):
            if fault.is_felt(date):
                paid = causes["lost payment"] == cause
                self.effects[cause, str(date)] = {
                    "lost_orders": int((causes["lost order"] == cause).sum()),
                    "lost_paid_orders": int(paid.sum()),
                    "lost_cents": int(lost["lost payment"]["cents"][paid].sum()),
                    **estimate_visibility(fault, cause, state, acts),
                }
        return {
            "orders": len(causes["lost order"]),
            "paid_orders": len(causes["lost payment"]),
            "paid_cents": int(lost["lost payment"]["cents"].sum()),
        }


def _write_reference(state: ShopState, out: Path) -> None:
    """Writes the shop's own calendar and product list."""
    content = state.calendar.declared(state.clock)
    (out / "calendar.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    lines = ["product_id,category,price,cost"]
    for product in range(state.world.product_count):
        price = int(state.world.product_price_cents[product])
        category = CATEGORIES[state.world.product_category[product]]
        name = state.world.words["product_id"][product]
        lines.append(f"{name},{category},{price / 100:.2f},{price * 45 // 100 / 100:.2f}")
    (out / "products.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
