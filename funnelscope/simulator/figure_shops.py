"""Marketplace shops as their platform states them: figures a day, with planted breaks, to measure the diagnosis.

(seed, options) determines a shop. Products and sources are the margins of one latent table, so that a break of one
shows in the other and in the shop as it would on a platform: diluted, and with people counted in several of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from funnelscope.events.figures import FUNNELS

Floats = npt.NDArray[np.float64]
FIRST_DATE = date(2026, 1, 5)
PLATFORM, SHOP = "taobao", "World"
_FUNNEL = ("product_visitors", "cart_users", "order_buyers", "paying_buyers")
_RATES = (0.09, 0.4, 0.85)
_SEEN_IN_SEVERAL = (0.72, 0.85, 0.95, 0.96)
"""People of the shop over those of its products added up."""
_ROOM = ("impression_users", "viewers", "product_click_users", "paying_buyers")
_ROOM_RATES = (0.2, 0.12, 0.06)
_FIRST_FIGURES = ("visitors", "product_visitors", "inquirers", "impression_users")
_SOURCES = ("手淘搜索", "手淘推荐", "直通车", "万相台", "淘宝客", "购物车", "我的淘宝", "其他")


@dataclass(frozen=True)
class Break:
    """A fall of one step, from one day to another of them, of the whole shop or of one object.

    Attributes:
        first, last: numbers of days, from 0.
        passed_metric: the figure that fewer reach; visitors for traffic that stays away.
        loss: 0 to 1, of the passes.
        place: which object of its level, the largest is 0.
    """

    first: int
    last: int
    level: str
    passed_metric: str
    loss: float
    place: int = 0


@dataclass(frozen=True)
class FigureShop:
    """What a shop is like; `draw` makes its days.

    Attributes:
        visitors: of the shop on a usual day.
        rhythm, rate_rhythm: amplitude of the week in visitors and in rates.
        trend: of visitors and of rates, a day.
        noise: standard deviation of a day's log rate, common to all and of each product, source, agent or room.
        sales: numbers of first days of sales of three days.
        sale_moves, own_sale_moves: how far a sale moves the log rate of a step, and beside it that of each object
            (Student's t with four degrees of freedom): standard deviation and scale.
    """

    seed: int
    days: int = 100
    visitors: int = 12_000
    products: int = 150
    agents: int = 6
    rooms: int = 2
    rhythm: float = 0.15
    rate_rhythm: float = 0.04
    trend: float = 0.001
    noise: float = 0.03
    own_noise: float = 0.05
    is_rounded: bool = True
    sales: tuple[int, ...] = ()
    sale_moves: float = 0.0
    own_sale_moves: float = 0.0

    def draw(self, breaks: Sequence[Break] = ()) -> pd.DataFrame:
        """Rows of `marts.figures`: of the shop, its products, sources, agents and rooms."""
        return _Drawing(self, breaks).draw()

    def name_object(self, level: str, place: int) -> str:
        """The object of the level, by its place."""
        return {
            "shop": "",
            "product": f"p{place:04d}",
            "source": _SOURCES[place % len(_SOURCES)],
            "agent": f"客服{place}",
            "room": f"主播{place}",
        }[level]


def draw_shop(seed: int, days: int = 100) -> FigureShop:
    """A shop of the family: sizes, rhythms and noise are drawn too."""
    random = np.random.default_rng([seed, 77])
    return FigureShop(
        seed,
        days=days,
        visitors=int(np.exp(random.uniform(np.log(1500), np.log(80_000)))),
        products=int(np.exp(random.uniform(np.log(15), np.log(500)))),
        agents=int(random.integers(2, 12)),
        rooms=int(random.integers(0, 5)),
        rhythm=float(random.uniform(0, 0.3)),
        rate_rhythm=float(random.choice([0, 0.03, 0.08])),
        trend=float(random.uniform(-0.003, 0.004)),
        noise=float(random.uniform(0.01, 0.06)),
        own_noise=float(random.uniform(0.02, 0.12)),
        is_rounded=bool(random.random() < 0.5),
        sales=(days // 2,) if random.random() < 0.5 else (),
        sale_moves=float(random.uniform(0, 0.4)),
        own_sale_moves=float(random.uniform(0, 0.15)),
    )


class _Drawing:
    def __init__(self, shop: FigureShop, breaks: Sequence[Break]) -> None:
        self.shop, self.breaks = shop, breaks
        self.random = np.random.default_rng([shop.seed, 5])
        self.sale_random = np.random.default_rng([shop.seed, 6])
        self.number = np.arange(shop.days)
        weekday = 2 * np.pi * self.number / 7
        self.week = np.sin(weekday)
        self.sale = np.ones(shop.days)
        for first in shop.sales:
            self.sale[first : first + 3] = 2.5

    def draw(self) -> pd.DataFrame:
        frames = [self._draw_products_and_sources(), self._draw_agents()]
        if self.shop.rooms:
            frames.append(self._draw_rooms())
        rows = pd.concat(frames, ignore_index=True)
        rows["business_date"] = [FIRST_DATE + timedelta(days=int(each)) for each in rows.pop("number")]
        return rows

    # --- Parts ---

    def _draw_products_and_sources(self) -> pd.DataFrame:
        shop, random = self.shop, self.random
        popular = 1 / np.arange(1, shop.products + 1) ** 1.1
        products = popular / popular.sum()
        sources = np.sort(random.dirichlet(np.full(len(_SOURCES), 2.0)))[::-1]
        size = shop.visitors * (1 + shop.rhythm * self.week) * np.exp(shop.trend * self.number) * self.sale
        size *= self._noise(0.06)
        traffic = (
            size[:, None, None]
            * 1.1
            * (products * self._noise(0.15, shop.products))[:, :, None]
            * (sources * self._noise(0.08, len(sources)))[:, None, :]
        )
        traffic *= self._lose("visitors", "product", shop.products)[:, :, None]
        traffic *= self._lose("visitors", "source", len(sources))[:, None, :]
        traffic *= self._lose("visitors", "shop", 1)[:, :, None]
        counts = [random.poisson(traffic)]
        own, of_source = (
            np.exp(random.normal(0, 0.3, (3, shop.products))),
            np.exp(random.normal(0, 0.2, (3, len(sources)))),
        )
        for step, (metric, rate) in enumerate(zip(_FUNNEL[1:], _RATES, strict=True)):
            of_step = rate * self._rates() * self._move_by_sale()[:, 0] * self._lose(metric, "shop", 1)[:, 0]
            by_product = own[step] ** (0.2 if step == 2 else 1) * self._noise(shop.own_noise, shop.products)
            by_product = by_product * self._move_by_sale(shop.products) ** (0.2 if step == 2 else 1)
            by_source = of_source[step] ** (0.2 if step == 2 else 1) * self._noise(shop.own_noise / 2, len(sources))
            by_source = by_source * self._move_by_sale(len(sources)) ** (0.2 if step == 2 else 1)
            chance = (
                of_step[:, None, None]
                * (by_product * self._lose(metric, "product", shop.products))[:, :, None]
                * (by_source * self._lose(metric, "source", len(sources)))[:, None, :]
            )
            counts.append(random.binomial(counts[-1], np.clip(chance, 0, 0.98)))
        frames = []
        for step, (metric, seen) in enumerate(zip(_FUNNEL, _SEEN_IN_SEVERAL, strict=True)):
            of_source = counts[step].sum(axis=1)
            frames.append(self._state("product", metric, counts[step].sum(axis=2)))
            frames.append(self._state("source", "visitors" if step == 0 else metric, of_source * (1 if step else 1.2)))
            of_shop = counts[step].sum(axis=(1, 2), dtype=float)[:, None] * seen
            frames.append(self._state("shop", metric, of_shop))
            if step == 0:
                frames.append(self._state("shop", "visitors", of_shop / 0.8 * self._noise(0.01, 1)))
            if step == 3:
                frames.append(self._state("shop", "paid_amount", of_shop * 180 * self._noise(0.05, 1)))
                frames.append(self._state("product", "paid_amount", counts[step].sum(axis=2) * 180.0))
        return pd.concat(frames, ignore_index=True)

    def _draw_agents(self) -> pd.DataFrame:
        shop, random = self.shop, self.random
        size = shop.visitors * 0.03 * self.sale[:, None] * random.dirichlet(np.full(shop.agents, 4.0))
        asked = random.poisson(size * self._noise(0.15, shop.agents))
        own = np.exp(random.normal(0, 0.15, shop.agents))
        rate = 0.45 * self._rates()[:, None] * own * self._noise(shop.own_noise, shop.agents)
        rate = rate * self._move_by_sale() * self._move_by_sale(shop.agents)
        paid = random.binomial(asked, np.clip(rate * self._lose("inquirers_paid", "agent", shop.agents), 0, 0.97))
        return pd.concat((self._state("agent", "inquirers", asked), self._state("agent", "inquirers_paid", paid)))

    def _draw_rooms(self) -> pd.DataFrame:
        shop, random = self.shop, self.random
        size = shop.visitors * 3 * self.sale[:, None] * random.dirichlet(np.full(shop.rooms, 4.0))
        counts = random.poisson(size * self._noise(0.25, shop.rooms))
        frames = [self._state("room", _ROOM[0], counts)]
        for metric, rate in zip(_ROOM[1:], _ROOM_RATES, strict=True):
            chance = rate * self._rates()[:, None] * self._noise(shop.own_noise, shop.rooms)
            chance = chance * self._move_by_sale() * self._move_by_sale(shop.rooms)
            counts = random.binomial(counts, np.clip(chance * self._lose(metric, "room", shop.rooms), 0, 0.97))
            frames.append(self._state("room", metric, counts))
        return pd.concat(frames, ignore_index=True)

    # --- Factors ---

    def _noise(self, deviation: float, places: int = 0) -> Floats:
        """Factors of each day, of each place where there are several."""
        size = (self.shop.days, places) if places else (self.shop.days,)
        return np.exp(self.random.normal(0, deviation, size) - deviation**2 / 2)

    def _rates(self) -> Floats:
        """Factors of a step's rate on each day: rhythm, trend, noise."""
        phase = self.random.integers(0, 7)
        week = np.sin(2 * np.pi * (self.number + phase) / 7)
        drift = self.shop.trend * self.random.normal(0, 0.5)
        return (1 + self.shop.rate_rhythm * week) * np.exp(drift * self.number) * self._noise(self.shop.noise)

    def _move_by_sale(self, places: int = 0) -> Floats:
        """What sales do to a step's rate, day × 1; with `places`, to that of each object beside it, day × place."""
        moves = np.ones((self.shop.days, places or 1))
        for first in self.shop.sales:
            if places:
                drawn = self.shop.own_sale_moves * self.sale_random.standard_t(4, places)
            else:
                drawn = self.sale_random.normal(0, self.shop.sale_moves, 1)
            moves[first : first + 3] = np.exp(np.clip(drawn, -1, 1))
        return moves

    def _lose(self, metric: str, level: str, places: int) -> Floats:
        """What the breaks leave: day × place."""
        left = np.ones((self.shop.days, places))
        for each in self.breaks:
            if (each.passed_metric, each.level) == (metric, level):
                left[each.first : each.last + 1, each.place] *= 1 - each.loss
        return left

    def _state(self, level: str, metric: str, values: npt.ArrayLike) -> pd.DataFrame:
        stated = np.round(np.asarray(values, float))
        if self.shop.is_rounded and metric in FUNNELS["shop"]:
            stated = np.where(stated >= 10_000, np.round(stated / 1000) * 1000, stated)
        number, place = np.indices(stated.shape)
        names = np.array([self.shop.name_object(level, each) for each in range(stated.shape[1])], object)
        rows = pd.DataFrame(
            {
                "number": number.ravel(),
                "level": level,
                "object": names[place.ravel()],
                "metric": metric,
                "figure_value": stated.ravel(),
            }
        )
        # What nobody came to see is in no report of the day.
        is_told = rows["figure_value"].to_numpy() > 0 if metric in _FIRST_FIGURES else np.ones(len(rows), bool)
        return rows[is_told].assign(platform=PLATFORM, shop=SHOP, parent="", device="", object_name="")
