"""A shop that has only the workbooks of its platforms: four weeks of figures, as CSV files in their layouts.

On the last day one product is paid for less than half as often. All numbers are made up here.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml
from shop_helpers import Home, build_days

FIRST_DAY, LAST_DAY = date(2026, 5, 6), date(2026, 6, 3)
FAULT_DAY = LAST_DAY
FAULTY = "p1"
LONG_NAME = "兰亭家居手工紫砂茶壶家用大容量泡茶器功夫茶具礼盒装送长辈生日礼物高端收藏款西施壶"  # 40 characters
CAMPAIGN_FILES_FROM = date(2026, 5, 13)
RESTATED_DAY = date(2026, 5, 27)

SHOP = ("日期", "访客数", "商品访客数", "加购人数", "下单买家数", "支付买家数", "支付金额", "成功退款金额", "跳失率")
PRODUCT = ("日期", "商品ID", "商品名称", "商品访客数", "商品加购人数", "支付买家数", "支付金额")
SOURCE = ("日期", "一级来源", "来源名称", "访客数", "支付买家数", "支付金额")
CAMPAIGN = ("日期", "计划ID", "计划名称", "展现量", "点击量", "花费", "总成交金额")
AGENT = ("日期", "旺旺昵称", "层级", "询单人数", "询单最终付款人数", "首次响应时长（秒）")
ROOM = ("日期", "直播间ID", "主播昵称", "曝光人数", "观看人数", "商品点击人数", "成交人数", "用户支付金额", "退款金额")
KEYWORD = ("日期", "搜索词", "搜索引导访客数", "搜索引导支付买家数")

COLUMNS = {
    "taobao_shop": dict(
        zip(
            (
                *("event_time", "visitors", "product_visitors", "cart_users", "order_buyers", "paying_buyers"),
                *("paid_amount", "refunded_amount", "bounce_rate"),
            ),
            SHOP,
            strict=True,
        )
    ),
    "products": dict(
        zip(
            (
                *("event_time", "object", "object_name", "product_visitors", "cart_users", "paying_buyers"),
                "paid_amount",
            ),
            PRODUCT,
            strict=True,
        )
    ),
    "sources": dict(
        zip(("event_time", "parent", "object", "visitors", "paying_buyers", "paid_amount"), SOURCE, strict=True)
    ),
    "keywords": dict(zip(("event_time", "object", "search_visitors", "search_paying_buyers"), KEYWORD, strict=True)),
    "campaigns": dict(
        zip(
            ("event_time", "object", "object_name", "impressions", "clicks", "cost", "attributed_amount"),
            CAMPAIGN,
            strict=True,
        )
    ),
    "agents": dict(
        zip(
            ("event_time", "object", "event_type", "inquirers", "inquirers_paid", "first_response_seconds"),
            AGENT,
            strict=True,
        )
    ),
    "rooms": dict(
        zip(
            (
                *("event_time", "object", "object_name", "impression_users", "viewers", "product_click_users"),
                *("paying_buyers", "paid_amount", "refunded_amount"),
            ),
            ROOM,
            strict=True,
        )
    ),
}
COLUMNS["peers"] = {key: COLUMNS["taobao_shop"][key] for key in ("event_time", "visitors", "paid_amount")}
COLUMNS["jd_shop"] = COLUMNS["taobao_shop"]
CONSTANTS: dict[str, dict[str, Any]] = {
    "taobao_shop": {"platform": "taobao", "event_type": "shop"},
    "peers": {"platform": "taobao", "event_type": "peers"},
    "products": {"platform": "taobao", "event_type": "product"},
    "sources": {"platform": "taobao", "event_type": "source"},
    "keywords": {"platform": "taobao", "event_type": "keyword"},
    "agents": {"platform": "taobao"},
    "campaigns": {"platform": "wanxiangtai", "event_type": "campaign", "attribution_days": 15},
    "rooms": {"platform": "douyin", "event_type": "room"},
    "jd_shop": {"platform": "jd", "event_type": "shop"},
}


def list_days() -> list[date]:
    return [FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]


def write_figures(folder: Path, *, products: int = 4, scale: float = 1.0, seed: int = 3) -> None:
    """Writes the files of all platforms into the folder."""
    random = Random(seed)

    def near(middle: float) -> int:
        return max(round(random.gauss(middle, middle**0.5)), 0)

    rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
    for day in list_days():
        weekday = (1.2 if day.weekday() >= 5 else 1.0) * scale
        at, text = weekday, day.isoformat()
        visitors = near(10_000 * at)
        seen, carts, orders = near(visitors * 0.8), near(visitors * 0.07), near(visitors * 0.02)
        buyers = round(orders * 0.86)
        amount = buyers * 141 + random.randint(0, 99) / 100
        shop = (text, visitors, seen, carts, orders, buyers, f"{amount:.2f}", f"{amount * 0.08:.2f}", "43.2%")
        rows["taobao_shop"].append(shop)
        peers = ("", "", "", "", f"{near(20_000) * at:.2f}", "", "")
        rows["peers"].append((text, near(9_000 * at), *peers))
        for number in range(1, products + 1):
            people = near(2_000 * at / number)
            rate = 0.015 if f"p{number}" == FAULTY and day >= FAULT_DAY else 0.04
            paid = near(people * rate)
            name = LONG_NAME if number == 2 else f"茶壶{number}"
            rows["products"].append((text, f"p{number}", name, people, near(people * 0.08), paid, f"{paid * 120}.00"))
        for parent, name, people in (
            ("淘内免费", "汇总", 6_000),
            ("淘内免费", "手淘搜索", 3_500),
            ("淘内免费", "手淘推荐", 3_000),
            ("付费流量", "万相台", 2_000),
        ):
            paid = near(people * at * 0.02)
            rows["sources"].append((text, parent, name, near(people * at), paid, f"{paid * 140}.00"))
        for number, word in enumerate(("紫砂壶", "茶壶", "功夫茶具"), 1):
            people = near(900 * at / number)
            rows["keywords"].append((text, word, people, near(people * 0.03)))
        for number, name in enumerate(("拉新", "收割"), 1):
            shown = near(50_000 * at / number)
            cost = near(1_500 * at / number)
            claim = (f"c{number}", name, shown, near(shown * 0.05), f"{cost}.00", f"{cost * 3}.00")
            rows["campaigns"].append((text, *claim))
        for number, agent in enumerate(("小兰", "小亭", "夜班"), 1):
            asked = near(120 * at / number)
            rows["agents"].append((text, agent, "agent", asked, round(asked * 0.4), 20 + 5 * number))
        rows["agents"].append((text, "同行同层均值", "peers", 150, 66, 24))
        for number, host in enumerate(("早场", "晚场"), 1):
            shown = near(30_000 * at * number)
            seen, clicked = near(shown * 0.2), near(shown * 0.05)
            paid = near(clicked * 0.05)
            amount = f"{paid * 88}.00"
            rows["rooms"].append((text, f"r{number}", host, shown, seen, clicked, paid, amount, f"{paid * 20}.00"))
        if day == LAST_DAY:
            rows["jd_shop"].append((text, 3_000, 2_500, 200, 60, 50, "9000.00", "400.00", "51.0%"))
    folder.mkdir(parents=True, exist_ok=True)
    heads = {name: list(columns.values()) for name, columns in COLUMNS.items()} | {"peers": list(SHOP)}
    for name, lines in rows.items():
        if name != "campaigns":
            write_file(folder / f"{name}_{LAST_DAY + timedelta(days=1)}.csv", heads[name], lines)
    # The claims of advertising grow: each day is delivered on the next, and one again a week later.
    for day in list_days():
        if day >= CAMPAIGN_FILES_FROM:
            of_day = [line for line in rows["campaigns"] if line[0] == day.isoformat()]
            write_file(folder / f"campaigns_{day + timedelta(days=1)}.csv", heads["campaigns"], of_day)
            if day == RESTATED_DAY:
                grown = [(*line[:-1], f"{float(line[-1]) * 2:.2f}") for line in of_day]
                write_file(folder / f"campaigns_again_{LAST_DAY}.csv", heads["campaigns"], grown)


def write_file(path: Path, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(line[: len(head)] for line in lines)


def write_settings(
    home: Home, language: str = "zh", more_sources: Sequence[dict[str, Any]] = (), names: Sequence[str] = tuple(COLUMNS)
) -> None:
    """The shop's settings, with a source for each kind of file."""
    sources = [
        {
            "family": "figure",
            "name": name,
            "files": f"{home.folder}/figures/{name}_*.csv",
            "delivery_date": r"_(\d{4}-\d{2}-\d{2})\.csv",
            "required": False,
            "constants": CONSTANTS[name],
            "columns": COLUMNS[name],
        }
        for name in names
    ]
    given = {
        "shop": "兰亭",
        "timezone": "Asia/Shanghai",
        "currency": "CNY",
        "language": language,
        "start_date": FIRST_DAY.isoformat(),
        "targets": {"paid_amount": 30_000},
        "sources": [*sources, *more_sources],
    }
    home.folder.mkdir(parents=True, exist_ok=True)
    home.config.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")


def build_figure_shop(folder: Path, **options: Any) -> Home:
    """The shop with all its days built and published, without Dagster."""
    home = Home(folder)
    write_settings(home)
    write_figures(home.folder / "figures", **options)
    build_days(home, FIRST_DAY, LAST_DAY, is_published=True)
    return home
