"""What a shop on Taobao downloads every morning: its own figures, products, sources, orders, advertising, service."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from funnelscope.simulator.example_exports.marketplace import (
    SHOP_NAME,
    Order,
    PlantedFault,
    ProductDay,
    Row,
    ShopDay,
    ShopSize,
    find_factor,
    make_products,
    simulate_days,
    write_csv,
    write_truth,
    write_workbook,
)

ORDERS_KEPT_DAYS = 7  # of the order list: the shop downloads the last week every morning
USUAL_SIZE = ShopSize(visitors=9_000, products=24, customers=40_000)
RESTATED_DAYS = 30  # of the shop's own figures: each download holds as many days


def write_exports(folder: Path, first_date: date, last_date: date, seed: int = 1, size: ShopSize = USUAL_SIZE) -> None:
    """Writes what a shop on Taobao downloads: its own figures, products, sources, orders, advertising, service.

    Two faults: six days before the end, fewer of the night agent's inquirers pay; three days before the end, half as
    many visitors of the first product put it into the cart.
    """
    generator = np.random.default_rng(seed)
    products = make_products(generator, size.products)
    faults = (
        PlantedFault("agent", "旗舰店:夜班", "inquirers_paid", last_date - timedelta(days=5), 0.45),
        PlantedFault("product", products[0].number, "cart_users", last_date - timedelta(days=2), 0.5),
    )
    days = simulate_days(generator, products, first_date, last_date, size, faults)
    refunded = _sum_refunds(days)
    for place, day in enumerate(days):
        _write_shop_figures(folder, days[max(0, place + 1 - RESTATED_DAYS) : place + 1], refunded)
        _write_product_figures(folder, day)
        _write_source_figures(folder, day, generator)
        _write_order_list(folder, days[max(0, place + 1 - ORDERS_KEPT_DAYS) : place + 1])
        _write_advertising(folder, day, generator)
        _write_service_figures(folder, day, generator, faults)
    write_truth(folder, faults)


def _sum_refunds(days: Sequence[ShopDay]) -> dict[date, float]:
    """What was given back on each day, of orders of any day."""
    refunded: dict[date, float] = defaultdict(float)
    for day in days:
        for order in day.orders:
            if order.refunded_at:
                refunded[order.refunded_at.date()] += order.amount
    return refunded


def _write_shop_figures(folder: Path, days: Sequence[ShopDay], refunded: Mapping[date, float]) -> None:
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
    rows = [_state_shop_day(day, refunded.get(day.day, 0)) for day in days]
    write_workbook(folder / f"【生意参谋平台】店铺-整体_{first}_{last}.xlsx", "自助取数", [*head, header, *rows])


def _state_shop_day(day: ShopDay, refunded: float) -> Row:
    carts = sum(each.cart_users for each in day.products)
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
    write_workbook(folder / f"【生意参谋平台】商品_全部_{day.day}_{day.day}.xlsx", "Sheet1", [*head, header, *rows])


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
    write_workbook(
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
    write_csv(folder / f"ExportOrderList{morning:%Y%m%d%H%M}.csv", [header, *rows])


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
    write_workbook(folder / f"万相台_商品报表_{day.day:%Y%m%d}.xlsx", "商品报表", [header, *rows])


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
    for agent, share in {"旗舰店:早班": 0.4, "旗舰店:中班": 0.35, "旗舰店:夜班": 0.25}.items():
        asked = int(generator.poisson(day.visitors * 0.1 * share))
        factor = find_factor(faults, "agent", agent, "inquirers_paid", day.day)
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
    write_workbook(folder / f"客服绩效_{day.day:%Y%m%d}.xlsx", "Sheet1", [header, *rows, *trailer])
