"""What a shop on Douyin downloads every morning: figures of products and live rooms, and advertising."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from funnelscope.simulator.example_exports.marketplace import (
    SHOP_NAME,
    WEEKDAY_TRAFFIC,
    Cell,
    PlantedFault,
    Product,
    Row,
    find_factor,
    make_products,
    write_truth,
    write_workbook,
)


def write_exports(folder: Path, first_date: date, last_date: date, seed: int = 1) -> None:
    """Writes what a shop on Douyin downloads: figures of products and live rooms, and advertising.

    Two faults: six days before the end, fewer of the evening room's viewers click on a product; three days before the
    end, half as many of those who click on the first product buy it.
    """
    generator = np.random.default_rng(seed)
    products = make_products(generator, 16)
    faults = (
        PlantedFault("room", "小夏 20点", "product_click_users", last_date - timedelta(days=5), 0.6),
        PlantedFault("product", products[0].number, "paying_buyers", last_date - timedelta(days=2), 0.5),
    )
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        _write_compass_products(folder, day, products, generator, faults)
        _write_compass_rooms(folder, day, generator, faults)
        _write_qianchuan(folder, day, generator)
    write_truth(folder, faults)


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
        shown = int(generator.poisson(90_000 * WEEKDAY_TRAFFIC[day.weekday()] * product.share))
        clicked = int(generator.binomial(shown, 0.12))
        factor = find_factor(faults, "product", product.number, "paying_buyers", day)
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
    write_workbook(folder / f"{SHOP_NAME} 账号 商品{day:%Y%m%d}-{day:%Y%m%d}.xlsx", "数据明细", [header, *rows])


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
        factor = find_factor(faults, "room", f"{host} {hour}点", "product_click_users", day)
        clicked = int(generator.binomial(seen, 0.22 * factor))
        bought = int(generator.binomial(clicked, 0.06))
        rows.append(
            [
                *(host, f"{began:%Y-%m-%d %H:%M:%S}", f"{began + timedelta(hours=4):%Y-%m-%d %H:%M:%S}"),
                *(_round_to_ten_thousands(shown), _round_to_ten_thousands(watched), _round_to_ten_thousands(seen)),
                *(clicked, bought, bought, f"{bought * 118:,.2f}", f"{bought * 118 * 0.35:,.2f}", 74),
            ]
        )
    write_workbook(folder / f"直播间明细_{day:%Y%m%d}.xlsx", "直播间明细", [header, *rows])


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
    write_workbook(folder / f"千川_{day:%Y%m%d}.xlsx", "计划报表", [header, *rows])
