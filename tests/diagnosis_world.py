"""A shop that consists of its cubes only, drawn leaf by leaf: days of diagnosis in milliseconds."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from funnelscope.diagnosis.daily_diagnosis import diagnose_days
from funnelscope.diagnosis.diagnosis_tables import create_tables
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models

OPENING = date(2026, 3, 2)
COUPONS = {"none": 0.5, "WELCOME10": 0.3, "SHOP20": 0.2}
CHANNELS = {"search": 0.5, "feed": 0.3, "direct": 0.2}
DEVICES = {"android": 0.6, "ios": 0.4}
DRAWN = (
    "marts.landing_cube",
    "marts.decision_cube",
    "marts.checkout_cube",
    "marts.daily_summary",
    "quality.day_verdict",
)
PAGES = {"home": 0.5, "item_1": 0.3, "item_2": 0.2}


def settings_of(**options: object) -> Settings:
    return Settings.model_validate({"shop": "World", "start_date": OPENING, "opening_date": OPENING, **options})


def name_of(warehouse: Warehouse) -> str:
    return str(warehouse.value("select current_database()"))


@cache
def empty_warehouse() -> Warehouse:
    """Every table, empty: to be copied, in a quarter of the time that it takes to make them."""
    made = open_in_memory_warehouse()
    create_inputs(made)
    create_gate_tables(made)
    create_tables(made)
    for model in load_models().values():
        create_table(made, model, build_query_parameters(OPENING, OPENING))
    return made


@cache
def draw_plain_days(size: int, seed: int, returning: tuple[tuple[str, float], ...], last: int) -> "World":
    """A world with its first days, in which nothing happens: many begin with the same."""
    world = World(size=size, seed=seed, returning=dict(returning))
    world.draw_days(1, last)
    return world


@dataclass
class World:
    """Cubes of landing, decision and checkout, drawn day by day.

    Attributes:
        size: sessions a day.
        returning: the shares of visitors who have been there before, "true", and who have not.
    """

    settings: Settings = field(default_factory=settings_of)
    size: int = 8_000
    seed: int = 1
    returning: dict[str, float] = field(default_factory=lambda: {"false": 1.0})

    def __post_init__(self) -> None:
        self.warehouse: Warehouse = open_in_memory_warehouse(["set threads = 1"])
        self.warehouse.execute(f"copy from database {name_of(empty_warehouse())} to {name_of(self.warehouse)}")
        self.random = np.random.default_rng(self.seed)

    def day(self, number: int) -> date:
        """The nth day, from 1."""
        return OPENING + timedelta(days=number - 1)

    def add_days(self, first: int, last: int, **options: Any) -> None:
        """Draws days as `draw_days` does, or copies the first ones, which are drawn once for all alike."""
        is_new = self.random.bit_generator.state == np.random.default_rng(self.seed).bit_generator.state
        if first > 1 or options or not is_new or type(self) is not World:
            self.draw_days(first, last, **options)
            return
        drawn = draw_plain_days(self.size, self.seed, tuple(self.returning.items()), last)
        for table in DRAWN:
            self.warehouse.execute(f"insert into {table} from {name_of(drawn.warehouse)}.{table}")
        self.random.bit_generator.state = drawn.random.bit_generator.state

    def draw_days(
        self,
        first: int,
        last: int,
        *,
        coupon_loss: float = 0.0,
        page_loss: float = 0.0,
        cart_loss: float = 0.0,
        feed: float = 0.3,
        robots: float = 0.0,
        verdict: str = "pass",
        traffic: float = 1.0,
        carts: float = 1.0,
        views: float = 1.0,
    ) -> None:
        """Draws days; `feed` is the weight of that channel, `verdict` that of the gate.

        `traffic`, `carts`, `views`: factors of a sale on sessions, and on the rates of carts and of product views.

        `coupon_loss`: of WELCOME10's orders. `page_loss`, `cart_loss`: of the product views and of the carts of item_1
        × android. `robots`: sessions that nobody flags, per session of a new visitor of feed; one in forty looks at a
        product, none buys.
        """
        for number in range(first, last + 1):
            day = self.day(number)
            weekday = 1 + 0.12 * np.sin(day.weekday())
            source = {"channel": CHANNELS | {"feed": feed}, "device": DEVICES, "page": PAGES}
            sessions = self._leaves(self.size * weekday * traffic, **source, is_returning=self.returning)
            rate = 0.6 * views * np.where(sessions["channel"] == "feed", 0.7, 1.0)
            is_slow = (sessions["page"] == "item_1") & (sessions["device"] == "android")
            sessions["qualified"] = self.random.binomial(sessions["n"], rate * np.where(is_slow, 1 - page_loss, 1))
            sessions["carted"] = self.random.binomial(
                sessions["qualified"], 0.3 * carts * np.where(is_slow, 1 - cart_loss, 1)
            )
            sessions["paid"] = self.random.binomial(sessions["carted"], 0.2)
            is_robot = (sessions["channel"] == "feed") & (sessions["is_returning"] == "false")
            flood = self.random.poisson(robots * sessions["n"] * is_robot)
            sessions["n"] += flood
            sessions["qualified"] += self.random.binomial(flood, 1 / 40)
            checkouts = self._leaves(
                self.size / 8 * traffic, coupon=COUPONS, channel=CHANNELS | {"feed": feed}, device=DEVICES
            )
            is_broken = checkouts["coupon"] == "WELCOME10"
            checkouts["ordered"] = self.random.binomial(checkouts["n"], 0.55 * np.where(is_broken, 1 - coupon_loss, 1))
            checkouts["paid"] = self.random.binomial(checkouts["ordered"], 0.8)
            self._insert(day, sessions, checkouts, verdict)

    def _leaves(self, size: float, **shares: dict[str, float]) -> pd.DataFrame:
        frame = pd.MultiIndex.from_product([list(values) for values in shares.values()], names=list(shares)).to_frame(
            index=False
        )
        weight = np.prod([frame[name].map(values) for name, values in shares.items()], axis=0)
        frame["n"] = self.random.poisson(size * weight)
        return frame

    def _insert(self, day: date, sessions: pd.DataFrame, checkouts: pd.DataFrame, verdict: str) -> None:
        source = "channel, 'none' as campaign, 'none' as creative, page as landing_page, 'none' as audience, device"
        visit = f"date '{day}' as business_date, {source}, 'none' as region, page as entry_type, is_returning"
        connection = self.warehouse.connection
        connection.register("drawn_sessions", sessions)
        connection.register("drawn_checkouts", checkouts)
        for statement in (
            f"insert into marts.landing_cube by name select {visit}, 0 as entry_hour_block, n as sessions, "
            "qualified as reached_qualified_product_view from drawn_sessions where n > 0",
            f"insert into marts.decision_cube by name select {visit}, 0 as entry_hour_block, 'tea' as first_category, "
            "'none' as inquiry_class, qualified as sessions, carted as reached_favorite_or_cart, "
            "carted as reached_checkout, carted as reached_order, paid as reached_paid, paid as paid_orders, "
            "paid * 100 as paid_amount from drawn_sessions where qualified > 0",
            f"insert into marts.checkout_cube by name select date '{day}' as business_date, coupon, "
            "'none' as promotion, channel, device, n as checkouts, ordered, paid from drawn_checkouts where n > 0",
            f"insert into marts.daily_summary by name select date '{day}' as business_date, "
            "sum(n) as human_sessions, sum(qualified) as qualified_sessions, sum(paid) as paying_sessions, "
            "sum(paid) as same_day_orders, sum(paid) * 100 as same_day_amount, sum(paid) * 100 as paid_amount, "
            "0 as refunded_amount from drawn_sessions",
            f"insert into quality.day_verdict values (date '{day}', '{verdict}', '[]')",
        ):
            connection.execute(statement)

    def diagnose(self, first: int, last: int) -> None:
        diagnose_days(self.warehouse, self.settings, self.day(first), self.day(last))

    def rows(self, table: str, number: int) -> list[dict[str, object]]:
        """Rows of a table of the diagnosis on the nth day."""
        return self.warehouse.records(
            f"select * from diagnosis.{table} where business_date = $day order by all", day=self.day(number)
        )

    def state(self, number: int) -> tuple[object, object]:
        (row,) = self.rows("days", number)
        return row["state"], row["why"]
