"""The exports that a shop on a marketplace downloads every morning, in the layouts of the platforms.

`write_taobao_exports` and `write_douyin_exports` lay out a folder of such files, with one fault in the shop and one in
an object, and `truth.json` with both. Figures are counted from the same simulated people and orders, so that what an
order list says and what a daily report says agree.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

WEEKDAY_TRAFFIC = (0.97, 0.95, 0.96, 0.98, 1.0, 1.1, 1.12)  # Monday first
ORDERS_KEPT_DAYS = 7  # of an order list: the shop downloads the last week every morning
RESTATED_DAYS = 30  # of the shop's own figures: each download holds as many days
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


def write_taobao_exports(folder: Path, first_date: date, last_date: date, seed: int = 1) -> None:
    """Writes what a shop on Taobao downloads: its own figures, products, sources, orders, advertising, service.

    Two faults: six days before the end, fewer of the night agent's inquirers pay; three days before the end, half as
    many visitors of the first product put it into the cart.
    """
    generator = np.random.default_rng(seed)
    products = _make_products(generator, 24)
    faults = (
        PlantedFault("agent", "旗舰店:夜班", "inquirers_paid", last_date - timedelta(days=5), 0.6),
        PlantedFault("product", products[0].number, "cart_users", last_date - timedelta(days=2), 0.5),
    )
    days = _simulate_days(generator, products, first_date, last_date, 9_000, faults)
    for place, day in enumerate(days):
        _write_shop_figures(folder, days[max(0, place + 1 - RESTATED_DAYS) : place + 1])
        _write_product_figures(folder, day)
        _write_source_figures(folder, day, generator)
        _write_order_list(folder, days[max(0, place + 1 - ORDERS_KEPT_DAYS) : place + 1])
        _write_advertising(folder, day, generator)
        _write_service_figures(folder, day, generator, faults)
    _write_truth(folder, faults)


def write_douyin_exports(folder: Path, first_date: date, last_date: date, seed: int = 1) -> None:
    """Writes what a shop on Douyin downloads: figures of products and live rooms, and advertising.

    Two faults: six days before the end, fewer of the evening room's viewers click on a product; three days before the
    end, half as many of those who click on the first product buy it.
    """
    generator = np.random.default_rng(seed)
    products = _make_products(generator, 16)
    faults = (
        PlantedFault("room", "小夏 20点", "product_click_users", last_date - timedelta(days=5), 0.6),
        PlantedFault("product", products[0].number, "paying_buyers", last_date - timedelta(days=2), 0.5),
    )
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        _write_compass_products(folder, day, products, generator, faults)
        _write_compass_rooms(folder, day, generator, faults)
        _write_qianchuan(folder, day, generator)
    _write_truth(folder, faults)


# --- The shop ------------------------------------------------------------------------------------


def _make_products(generator: np.random.Generator, count: int) -> list[Product]:
    """Products of falling share: the first draws most, as in a shop."""
    kinds = ("茶壶", "盖碗", "茶杯", "茶盘", "茶叶罐", "公道杯")
    shares = 1 / np.arange(1, count + 1) ** 0.8
    shares *= 1.5 / shares.sum()  # a visitor looks at one and a half products
    return [
        Product(
            number=str(700_100_200_300 + 7_919 * place),
            name=f"{kinds[place % len(kinds)]}{chr(ord('A') + place)}",
            price=float(generator.choice([49, 79, 129, 168, 239])),
            share=float(share),
            cart_rate=float(generator.uniform(0.055, 0.085)),
            order_rate=float(generator.uniform(0.18, 0.26)),
            pay_rate=float(generator.uniform(0.82, 0.9)),
        )
        for place, share in enumerate(shares)
    ]


def _simulate_days(
    generator: np.random.Generator,
    products: Sequence[Product],
    first_date: date,
    last_date: date,
    visitors: int,
    faults: Sequence[PlantedFault],
) -> list[ShopDay]:
    days = []
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        expected = visitors * WEEKDAY_TRAFFIC[day.weekday()] * generator.normal(1, 0.03)
        arrived = int(generator.poisson(expected))
        days.append(
            ShopDay(day, arrived, [_simulate_product(generator, each, day, arrived, faults) for each in products])
        )
    return days


def _simulate_product(
    generator: np.random.Generator, product: Product, day: date, visitors: int, faults: Sequence[PlantedFault]
) -> ProductDay:
    arrived = int(generator.poisson(visitors * product.share))
    factor = _find_factor(faults, "product", product.number, "cart_users", day)
    carted = int(generator.binomial(arrived, product.cart_rate * factor * generator.normal(1, 0.02)))
    ordered = int(generator.binomial(carted, product.order_rate))
    orders = [_simulate_order(generator, product, day, number) for number in range(ordered)]
    return ProductDay(product, arrived, carted, orders)


def _simulate_order(generator: np.random.Generator, product: Product, day: date, number: int) -> Order:
    created = datetime.combine(day, time()) + timedelta(seconds=int(generator.integers(8 * 3600, 23 * 3600)))
    is_paid = generator.random() < product.pay_rate
    paid = created + timedelta(seconds=int(generator.integers(20, 600))) if is_paid else None
    refunded = (
        paid + timedelta(days=int(generator.integers(1, 6)), hours=3) if paid and generator.random() < 0.08 else None
    )
    return Order(
        number=f"{day:%y%m%d}{int(product.number) % 1_000_000:06}{number:04}01",
        buyer=f"买家{generator.integers(1, 40_000):05}",
        product=product,
        units=int(generator.choice([1, 1, 1, 2])),
        created_at=created,
        paid_at=paid,
        shipped_at=paid + timedelta(hours=20) if paid else None,
        refunded_at=refunded,
    )


def _find_factor(faults: Sequence[PlantedFault], level: str, name: str, step: str, day: date) -> float:
    return next(
        (
            fault.factor
            for fault in faults
            if (fault.level, fault.object, fault.step) == (level, name, step) and day >= fault.from_date
        ),
        1.0,
    )


# --- Taobao --------------------------------------------------------------------------------------


def _write_shop_figures(folder: Path, days: Sequence[ShopDay]) -> None:
    first, last = days[0].day, days[-1].day
    head = [
        ["【生意参谋平台】自助取数"],
        ["数据来源：生意参谋"],
        [f"统计时间：{first} ~ {last}"],
        ["终端：所有终端"],
        [f"店铺：{SHOP_NAME}"],
        [],
        [],
    ]
    header = [
        *("统计日期", "访客数", "浏览量", "平均停留时长", "跳失率", "商品访客数", "加购人数", "加购件数"),
        *("下单买家数", "下单金额", "支付买家数", "支付件数", "支付金额", "支付转化率", "客单价", "成功退款金额"),
    ]
    rows = [_state_shop_day(day, days) for day in days]
    _write_workbook(folder / f"【生意参谋平台】店铺-整体_{first}_{last}.xlsx", "自助取数", [*head, header, *rows])


def _state_shop_day(day: ShopDay, known: Sequence[ShopDay]) -> Row:
    carts = sum(each.cart_users for each in day.products)
    refunded = sum(
        order.amount
        for each in known
        for order in each.orders
        if order.refunded_at and order.refunded_at.date() == day.day
    )
    buyers = day.paying_buyers
    return [
        *(str(day.day), f"{day.visitors:,}", f"{round(day.visitors * 2.3):,}", "23.41", "43.00%"),
        *(f"{round(day.visitors * 0.82):,}", f"{round(carts * 0.93):,}", f"{round(carts * 1.4):,}"),
        *(f"{day.order_buyers:,}", f"{sum(order.amount for order in day.orders):,.2f}", f"{buyers:,}"),
        *(f"{sum(order.units for order in day.paid):,}", f"{day.paid_amount:,.2f}"),
        *(f"{buyers / day.visitors:.2%}", f"{day.paid_amount / max(buyers, 1):,.2f}", f"{refunded:,.2f}"),
    ]


def _write_product_figures(folder: Path, day: ShopDay) -> None:
    head = [["【生意参谋平台】商品排行"], [f"统计时间：{day.day}"], ["商品：全部"], []]
    header = [
        *("统计日期", "商品ID", "商品名称", "商品状态", "商品访客数", "商品浏览量", "商品加购件数", "商品加购人数"),
        *("下单买家数", "下单件数", "下单金额", "下单转化率", "支付买家数", "支付件数", "支付金额", "商品支付转化率"),
        *("月累计支付金额", "搜索引导访客数", "搜索引导支付买家数"),
    ]
    rows = [_state_product_day(day.day, each) for each in day.products]
    _write_workbook(folder / f"【生意参谋平台】商品_全部_{day.day}_{day.day}.xlsx", "Sheet1", [*head, header, *rows])


def _state_product_day(day: date, each: ProductDay) -> Row:
    ordered, paid = each.orders, each.paid
    order_buyers, buyers = len({order.buyer for order in ordered}), len({order.buyer for order in paid})
    visitors = max(each.visitors, 1)
    return [
        *(str(day), each.product.number, each.product.name, "当前在线", f"{each.visitors:,}"),
        *(f"{round(each.visitors * 2.2):,}", f"{round(each.cart_users * 1.4):,}", f"{each.cart_users:,}"),
        *(f"{order_buyers:,}", f"{sum(order.units for order in ordered):,}"),
        *(f"{sum(order.amount for order in ordered):,.2f}", f"{order_buyers / visitors:.2%}"),
        *(f"{buyers:,}", f"{sum(order.units for order in paid):,}", f"{sum(order.amount for order in paid):,.2f}"),
        *(f"{buyers / visitors:.2%}", "-", f"{round(each.visitors * 0.3):,}", f"{round(buyers * 0.3):,}"),
    ]


def _write_source_figures(folder: Path, day: ShopDay, generator: np.random.Generator) -> None:
    sources = {
        ("平台流量", "手淘搜索"): {"手淘搜索": 0.24, "拍立淘": 0.05},
        ("平台流量", "手淘推荐"): {"首页推荐(猜你喜欢)": 0.2, "购后推荐": 0.08},
        ("广告流量", "关键词推广"): {"关键词推广": 0.14, "智能投放": 0.04},
        ("其他来源", "购物车"): {"购物车": 0.09},
        ("其他来源", "我的淘宝"): {"我的淘宝": 0.08},
    }
    header = [
        *("流量来源一级", "流量来源二级", "流量来源三级", "访客数", "访客数较前一日", "下单买家数", "支付金额"),
        *("支付买家数", "支付转化率", "加购人数"),
    ]
    rows: list[Row] = []
    for (first, second), parts in sources.items():
        stated = [_state_source(first, second, name, share, day, generator) for name, share in parts.items()]
        total = [round(0.96 * sum(int(str(row[place]).replace(",", "")) for row in stated)) for place in (3, 5, 7, 9)]
        amount = sum(float(str(row[6]).replace(",", "")) for row in stated)
        visitors, ordering, paying, carting = total
        rows.append(
            [
                *(first, second, "汇总", f"{visitors:,}", "+1.20%", f"{ordering:,}", f"{amount:,.2f}"),
                *(f"{paying:,}", f"{paying / max(visitors, 1):.2%}", f"{carting:,}"),
            ]
        )
        rows += stated
    head = [["【生意参谋平台】店铺来源"], [f"统计时间：{day.day} ~ {day.day}"], ["终端：无线"], [], []]
    _write_workbook(
        folder / f"【生意参谋平台】无线店铺流量来源-{day.day}_{day.day}.xlsx", "Sheet1", [*head, header, *rows]
    )


def _state_source(
    first: str, second: str, name: str, share: float, day: ShopDay, generator: np.random.Generator
) -> Row:
    visitors = int(generator.poisson(day.visitors * share))
    carting = int(generator.binomial(visitors, 0.1))
    ordering = int(generator.binomial(carting, 0.2))
    paying = int(generator.binomial(ordering, 0.86))
    return [
        *(first, second, name, f"{visitors:,}", "+1.20%", f"{ordering:,}", f"{paying * 128.5:,.2f}"),
        *(f"{paying:,}", f"{paying / max(visitors, 1):.2%}", f"{carting:,}"),
    ]


def _write_order_list(folder: Path, days: Sequence[ShopDay]) -> None:
    """The orders of the last days as they stand on the next morning, in GBK."""
    morning = datetime.combine(days[-1].day + timedelta(days=1), time(8, 15))
    header = [
        *("订单编号", "买家会员名", "买家应付货款", "买家应付邮费", "总金额", "买家实际支付金额", "订单状态"),
        *("订单创建时间", "订单付款时间 ", "宝贝标题 ", "宝贝总数量", "店铺名称", "订单关闭原因"),
        *("退款金额", "确认收货时间", "发货时间"),
    ]
    rows = [_state_order(order, morning) for day in days for order in day.orders]
    _write_csv(folder / f"ExportOrderList{morning:%Y%m%d%H%M}.csv", [header, *rows])


def _state_order(order: Order, morning: datetime) -> Row:
    def say(moment: datetime | None) -> str:
        return f"{moment:%Y-%m-%d %H:%M:%S}" if moment and moment < morning else ""

    refund = order.amount if say(order.refunded_at) else 0.0
    status = (
        "交易关闭"
        if refund or (not order.paid_at and order.created_at.date() < morning.date() - timedelta(days=1))
        else ""
    )
    status = status or (
        "卖家已发货，等待买家确认"
        if say(order.shipped_at)
        else "买家已付款，等待卖家发货"
        if order.paid_at
        else "等待买家付款"
    )
    return [
        *(f'="{order.number}"', order.buyer, f"{order.amount:.2f}", "0.00", f"{order.amount:.2f}"),
        *(f"{order.amount if order.paid_at else 0:.2f}", status, say(order.created_at), say(order.paid_at)),
        *(order.product.name, order.units, SHOP_NAME, "买家未付款" if status == "交易关闭" and not refund else ""),
        *(f"{refund:.2f}", "", say(order.shipped_at)),
    ]


def _write_advertising(folder: Path, day: ShopDay, generator: np.random.Generator) -> None:
    header = [
        *("日期", "主体ID", "主体类型", "主体名称", "展现量", "点击量", "花费", "点击率", "总成交金额", "总成交笔数"),
        *("投入产出比", "总购物车数"),
    ]
    rows: list[Row] = []
    for each in day.products[:8]:
        shown = int(generator.poisson(each.visitors * 4))
        clicked = int(generator.binomial(shown, 0.06))
        cost = round(clicked * float(generator.uniform(0.6, 0.9)), 2)
        bought = int(generator.binomial(clicked, 0.02))
        amount = round(bought * each.product.price, 2)
        rows.append(
            [
                *(str(day.day), each.product.number, "商品", each.product.name, shown, clicked, cost),
                *(round(clicked / max(shown, 1), 5), amount, bought, round(amount / cost, 2) if cost else ""),
                int(generator.binomial(clicked, 0.09)),
            ]
        )
    _write_workbook(folder / f"万相台_商品报表_{day.day:%Y%m%d}.xlsx", "商品报表", [header, *rows])


def _write_service_figures(
    folder: Path, day: ShopDay, generator: np.random.Generator, faults: Sequence[PlantedFault]
) -> None:
    header = [
        "旺旺昵称",
        "接待人数",
        "询单人数",
        "询单最终付款人数",
        "询单转化率",
        "首次响应时长（秒)",
        "平均响应时长（秒)",
    ]
    rows: list[Row] = []
    for agent, share in {"旗舰店:早班": 0.45, "旗舰店:中班": 0.35, "旗舰店:夜班": 0.2}.items():
        asked = int(generator.poisson(day.visitors * 0.08 * share))
        factor = _find_factor(faults, "agent", agent, "inquirers_paid", day.day)
        paid = int(generator.binomial(asked, 0.34 * factor))
        first = 18 if factor == 1 else 96
        rows.append([agent, round(asked * 1.6), asked, paid, f"{paid / max(asked, 1):.2%}", first, first + 9])
    total = [sum(int(row[place]) for row in rows) for place in (1, 2, 3)]
    rate = f"{total[2] / max(total[1], 1):.2%}"
    trailer: list[Row] = [
        ["汇总值", *total, rate, 24, 33],
        ["平均值", *(round(each / 3) for each in total), rate, 24, 33],
    ]
    trailer += [["全店汇总值", *total, rate, 24, 33], ["同行同层均值", 610, 380, 125, "32.89%", 31, 44]]
    _write_workbook(folder / f"客服绩效_{day.day:%Y%m%d}.xlsx", "Sheet1", [header, *rows, *trailer])


# --- Douyin --------------------------------------------------------------------------------------


def _write_compass_products(
    folder: Path,
    day: date,
    products: Sequence[Product],
    generator: np.random.Generator,
    faults: Sequence[PlantedFault],
) -> None:
    header = [
        *("统计日期", "日期", "商品ID", "商品名称", "载体类型", "账号类型", "用户支付金额", "成交订单数", "成交人数"),
        *("商品曝光人数", "商品点击人数", "商品加购人数", "商品曝光点击率（人数）", "商品点击成交转化率（人数）"),
        *("退款金额", "退款人数"),
    ]
    rows: list[Row] = []
    for place, product in enumerate(products):
        shown = int(generator.poisson(26_000 * WEEKDAY_TRAFFIC[day.weekday()] * product.share))
        clicked = int(generator.binomial(shown, 0.12))
        factor = _find_factor(faults, "product", product.number, "paying_buyers", day)
        bought = int(generator.binomial(clicked, 0.04 * factor))
        amount = bought * product.price
        rows.append(
            [
                *(
                    f"{day}~{day}",
                    f"{day:%Y%m%d}",
                    product.number,
                    product.name,
                    ("直播", "短视频", "商品卡")[place % 3],
                ),
                *("自营", f"{amount:,.2f}", bought, bought, shown, clicked, int(generator.binomial(clicked, 0.09))),
                *(f"{clicked / max(shown, 1):.2%}", f"{bought / max(clicked, 1):.2%}", f"{amount * 0.3:,.2f}"),
                round(bought * 0.3),
            ]
        )
    _write_workbook(folder / f"{SHOP_NAME} 账号 商品{day:%Y%m%d}-{day:%Y%m%d}.xlsx", "数据明细", [header, *rows])


def _write_compass_rooms(
    folder: Path, day: date, generator: np.random.Generator, faults: Sequence[PlantedFault]
) -> None:
    header = [
        *("主播昵称", "开播时间", "下播时间", "直播间曝光人数", "直播间观看人数", "商品曝光人数", "商品点击人数"),
        *("成交人数", "成交订单数", "用户支付金额", "退款金额", "人均观看时长"),
    ]
    rows: list[Row] = []
    for host, hour, people in (("小兰", 9, 60_000), ("小夏", 14, 45_000), ("小夏", 20, 120_000)):
        began = datetime.combine(day, time(hour)) + timedelta(minutes=int(generator.integers(0, 9)))
        shown = int(generator.poisson(people * WEEKDAY_TRAFFIC[day.weekday()] * generator.normal(1, 0.04)))
        watched = int(generator.binomial(shown, 0.16))
        seen = int(generator.binomial(watched, 0.7))
        factor = _find_factor(faults, "room", f"{host} {hour}点", "product_click_users", day)
        clicked = int(generator.binomial(seen, 0.22 * factor))
        bought = int(generator.binomial(clicked, 0.06))
        rows.append(
            [
                *(host, f"{began:%Y-%m-%d %H:%M:%S}", f"{began + timedelta(hours=4):%Y-%m-%d %H:%M:%S}"),
                *(_round_to_ten_thousands(shown), _round_to_ten_thousands(watched), _round_to_ten_thousands(seen)),
                *(clicked, bought, bought, f"{bought * 118:,.2f}", f"{bought * 118 * 0.35:,.2f}", 74),
            ]
        )
    _write_workbook(folder / f"直播间明细_{day:%Y%m%d}.xlsx", "直播间明细", [header, *rows])


def _round_to_ten_thousands(people: int) -> Cell:
    """As the platform writes large counts: 1.2万."""
    return f"{people / 10_000:.2f}万" if people >= 10_000 else people


def _write_qianchuan(folder: Path, day: date, generator: np.random.Generator) -> None:
    header = [
        *("日期", "计划名称", "消耗(元)", "展示次数", "点击次数", "点击率(%)", "直接成交订单数", "直接成交金额(元)"),
        "直接支付ROI",
    ]
    rows: list[Row] = []
    for plan, spent in (("直播间引流", 1_800), ("商品卡推广", 900)):
        cost = round(spent * float(generator.normal(1, 0.08)), 2)
        shown = int(generator.poisson(cost * 38))
        clicked = int(generator.binomial(shown, 0.031))
        bought = int(generator.binomial(clicked, 0.025))
        amount = bought * 118.0
        rows.append(
            [
                str(day),
                plan,
                cost,
                shown,
                clicked,
                round(100 * clicked / shown, 2),
                bought,
                amount,
                round(amount / cost, 2),
            ]
        )
    _write_workbook(folder / f"千川_{day:%Y%m%d}.xlsx", "计划报表", [header, *rows])


# --- Files ---------------------------------------------------------------------------------------


def _write_workbook(path: Path, sheet_name: str, rows: Sequence[Row]) -> None:
    from xlsxwriter import Workbook

    path.parent.mkdir(parents=True, exist_ok=True)
    with Workbook(path) as workbook:
        sheet = workbook.add_worksheet(sheet_name)
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                write: Callable[..., object] = sheet.write_string if isinstance(cell, str) else sheet.write_number
                write(number, place, cell)


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_truth(folder: Path, faults: Sequence[PlantedFault]) -> None:
    content: Mapping[str, object] = {"faults": [asdict(fault) for fault in faults]}
    text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
    (folder.parent / "truth.json").write_text(text + "\n", encoding="utf-8")
