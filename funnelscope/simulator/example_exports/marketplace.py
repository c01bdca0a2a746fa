"""A shop on a marketplace, simulated to the order, and the files in which platforms state it.

Figures are counted from the same simulated people and orders, so that what an order list says and what a daily report
says agree.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

WEEKDAY_TRAFFIC = (0.97, 0.95, 0.96, 0.98, 1.0, 1.1, 1.12)  # Monday first
SHOP_NAME = "示例旗舰店"

Cell = str | int | float
Row = Sequence[Cell]


@dataclass(frozen=True)
class PlantedFault:
    """What is wrong in the exports: from its first day on, the rate of one step is multiplied by `factor`."""

    level: str
    object: str
    step: str
    from_date: date
    factor: float


@dataclass(frozen=True)
class ShopSize:
    """Visitors of a usual day, products, and customers of whom the buyers of a day are drawn."""

    visitors: int
    products: int
    customers: int


@dataclass(frozen=True)
class Product:
    """A product: its share of the shop's visitors, and the chance to reach the next step from the one before."""

    number: str
    name: str
    price: float
    share: float
    cart_rate: float
    order_rate: float
    pay_rate: float


@dataclass
class Order:
    """An order, as its list states it on a morning."""

    number: str
    buyer: str
    product: Product
    units: int
    created_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    refunded_at: datetime | None

    @property
    def amount(self) -> float:
        return round(self.units * self.product.price, 2)


@dataclass
class ProductDay:
    """The people of one product on one day."""

    product: Product
    visitors: int
    cart_users: int
    orders: list[Order]

    @property
    def paid(self) -> list[Order]:
        return [order for order in self.orders if order.paid_at]


@dataclass
class ShopDay:
    """One day of a simulated marketplace shop."""

    day: date
    visitors: int
    products: list[ProductDay]

    @property
    def orders(self) -> list[Order]:
        return [order for each in self.products for order in each.orders]

    @property
    def paid(self) -> list[Order]:
        return [order for order in self.orders if order.paid_at]

    @property
    def order_buyers(self) -> int:
        return len({order.buyer for order in self.orders})

    @property
    def paying_buyers(self) -> int:
        return len({order.buyer for order in self.paid})

    @property
    def paid_amount(self) -> float:
        return round(sum(order.amount for order in self.paid), 2)


def make_products(generator: np.random.Generator, count: int) -> list[Product]:
    """Products of falling share: the first draws most, as in a shop."""
    kinds = ("茶壶", "盖碗", "茶杯", "茶盘", "茶叶罐", "公道杯")
    shares = 1 / np.arange(1, count + 1) ** 0.8
    shares *= 1.5 / shares.sum()  # a visitor looks at one and a half products
    return [
        Product(
            number=str(700_100_200_300 + 7_919 * place),
            name=f"{kinds[place % len(kinds)]}{chr(ord('A') + place % 26)}{place // 26 or ''}",
            price=float(generator.choice([49, 79, 129, 168, 239])),
            share=float(share),
            cart_rate=float(generator.uniform(0.055, 0.085)),
            order_rate=float(generator.uniform(0.18, 0.26)),
            pay_rate=float(generator.uniform(0.82, 0.9)),
        )
        for place, share in enumerate(shares)
    ]


def simulate_days(
    generator: np.random.Generator,
    products: Sequence[Product],
    first_date: date,
    last_date: date,
    size: ShopSize,
    faults: Sequence[PlantedFault],
) -> list[ShopDay]:
    days = []
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        expected = size.visitors * WEEKDAY_TRAFFIC[day.weekday()] * generator.normal(1, 0.03)
        arrived = int(generator.poisson(expected))
        sold = [_simulate_product(generator, each, day, arrived, size.customers, faults) for each in products]
        days.append(ShopDay(day, arrived, sold))
    return days


def _simulate_product(
    generator: np.random.Generator,
    product: Product,
    day: date,
    visitors: int,
    customers: int,
    faults: Sequence[PlantedFault],
) -> ProductDay:
    arrived = int(generator.poisson(visitors * product.share))
    factor = find_factor(faults, "product", product.number, "cart_users", day)
    carted = int(generator.binomial(arrived, product.cart_rate * factor * generator.normal(1, 0.02)))
    ordered = int(generator.binomial(carted, product.order_rate))
    orders = [_simulate_order(generator, product, day, number, customers) for number in range(ordered)]
    return ProductDay(product, arrived, carted, orders)


def _simulate_order(generator: np.random.Generator, product: Product, day: date, number: int, customers: int) -> Order:
    created = datetime.combine(day, time()) + timedelta(seconds=int(generator.integers(8 * 3600, 23 * 3600)))
    is_paid = generator.random() < product.pay_rate
    paid = created + timedelta(seconds=int(generator.integers(20, 600))) if is_paid else None
    refunded = (
        paid + timedelta(days=int(generator.integers(1, 6)), hours=3) if paid and generator.random() < 0.08 else None
    )
    return Order(
        number=f"{day:%y%m%d}{int(product.number) % 1_000_000:06}{number:04}01",
        buyer=f"买家{generator.integers(1, customers):05}",
        product=product,
        units=int(generator.choice([1, 1, 1, 2])),
        created_at=created,
        paid_at=paid,
        shipped_at=paid + timedelta(hours=20) if paid else None,
        refunded_at=refunded,
    )


def find_factor(faults: Sequence[PlantedFault], level: str, name: str, step: str, day: date) -> float:
    return next(
        (
            fault.factor
            for fault in faults
            if (fault.level, fault.object, fault.step) == (level, name, step) and day >= fault.from_date
        ),
        1.0,
    )


def write_workbook(path: Path, sheet_name: str, rows: Sequence[Row]) -> None:
    from xlsxwriter import Workbook

    path.parent.mkdir(parents=True, exist_ok=True)
    with Workbook(path) as workbook:
        sheet = workbook.add_worksheet(sheet_name)
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                write: Callable[..., object] = sheet.write_string if isinstance(cell, str) else sheet.write_number
                write(number, place, cell)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows(rows)


def write_truth(folder: Path, faults: Sequence[PlantedFault]) -> None:
    content: Mapping[str, object] = {"faults": [asdict(fault) for fault in faults]}
    text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
    (folder.parent / "truth.json").write_text(text + "\n", encoding="utf-8")
