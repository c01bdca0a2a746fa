"""A tea shop whose figures are round: 1,000.00 on a plain day, and a fair of six days that it held twice.

Each day has 500 visitors and 20 buyers, each with one order. On fair days these are multiplied by the phase's factor.
The week before and after the second fair brings 900.00 a day. Of each fair day's payments a tenth is refunded two days
later, and another tenth on the twentieth day after.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from funnelscope.diagnosis.diagnosis_tables import create_tables
from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.publication.publish import publish
from funnelscope.quality.gate import DayVerdict, Verdict, list_days
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models

OPENING = date(2026, 4, 13)
PHASES = {"deposit": (0, 1), "opening": (2, 2), "main": (3, 4), "after": (5, 5)}
FIRST, SECOND = date(2026, 4, 20), date(2026, 6, 15)
END = SECOND + timedelta(days=5)
FACTORS = {
    FIRST: {"deposit": 1, "opening": 3, "main": 4, "after": 2},
    SECOND: {"deposit": 1, "opening": 4, "main": 5, "after": 2},
}
WEEK = timedelta(days=7)
TABLES = (
    *("marts.daily_summary", "marts.daily_metrics", "marts.decision_cube", "marts.product_cube", "marts.refund_ages"),
    *("marts.figures", "quality.day_verdict"),
)


def calendar_of(starts: Collection[date] = (FIRST, SECOND), name: str = "tea_fair") -> list[dict[str, Any]]:
    """The entries of fairs that start on these days."""
    return [
        {"name": name, "phase": phase, "from": start + timedelta(days=first), "to": start + timedelta(days=last)}
        for start in starts
        for phase, (first, last) in PHASES.items()
    ]


@dataclass(frozen=True)
class Day:
    """What a day brought."""

    paid: float
    visitors: int
    buyers: int
    refunded: float


def list_shop_days(last: date) -> dict[date, Day]:
    """Every day from the opening to the last one."""
    factor_of: dict[date, float] = {}
    for start, factors in FACTORS.items():
        for phase, (first, end) in PHASES.items():
            for place in range(first, end + 1):
                factor_of[start + timedelta(days=place)] = factors[phase]
    for day in (*list_days(SECOND - WEEK, SECOND - timedelta(days=1)), *list_days(END + timedelta(days=1), END + WEEK)):
        factor_of[day] = 0.9
    days = {}
    for day in list_days(OPENING, last):
        factor = factor_of.get(day, 1)
        refunds = sum(
            100.0 * factor_of[day - timedelta(days=age)]
            for age in (2, 20)
            if any(start <= day - timedelta(days=age) <= start + timedelta(days=5) for start in FACTORS)
        )
        days[day] = Day(1_000.0 * factor, 500 * (2 if factor > 1 else 1), int(20 * factor), refunds)
    return days


@cache
def prepare_warehouse() -> Warehouse:
    """A warehouse with every table, which each shop empties."""
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    create_inputs(warehouse)
    create_gate_tables(warehouse)
    create_tables(warehouse)
    create_ingest_tables(warehouse)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(OPENING, OPENING))
    return warehouse


def open_shop(
    folder: Path,
    last: date,
    *,
    blocked: Collection[date] = (),
    calendar: list[dict[str, Any]] | None = None,
    has_refunds: bool = True,
    without: Mapping[str, Collection[date]] | None = None,
    days: Mapping[date, Day] | None = None,
    platforms: Collection[str] = (),
    **options: Any,
) -> Settings:
    """The home of the shop, published up to the last day.

    Args:
        blocked: days without usable numbers.
        without: metric → days on which it is not known.
        days: other days than those of the shop.
        platforms: each states the shop's figures, and there are no events.
    """
    settings = Settings.model_validate(
        {
            "shop": "Tea House", "start_date": OPENING, "opening_date": OPENING, "home": folder, "language": "en",
            "calendar": calendar_of() if calendar is None else calendar, **options,
        }
    )  # fmt: skip
    warehouse = prepare_warehouse()
    for table in TABLES:
        warehouse.execute(f"delete from {table}")
    lacking, fair_days = without or {}, set()
    for start in FACTORS:
        fair_days |= set(list_days(start, start + timedelta(days=5)))
    shop_days = days or list_shop_days(last)
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for day, each in shop_days.items():
        if day > last:
            continue
        at = {"business_date": day}
        refunded = each.refunded if has_refunds else None
        paid = {"paid_amount": each.paid, "paid_orders": each.buyers, "refunded_amount": refunded}
        rows["marts.daily_summary"].append(at | (dict.fromkeys(paid) if platforms else paid))
        for platform in platforms:
            place = at | {"platform": platform, "shop": "Tea House", "object": "", "parent": "", "device": ""}
            of_platform = {"paid_amount": each.paid, "visitors": each.visitors, "paying_buyers": each.buyers}
            rows["marts.figures"] += [
                place | {"level": "shop", "metric": metric, "figure_value": value}
                for metric, value in of_platform.items()
            ]
            rows["marts.figures"] += [
                place | {"level": "product", "object": product, "metric": "paid_amount", "figure_value": each.paid / 2}
                for product in ("teapot", "cup")
                if product == "teapot" or day != SECOND
            ]
        metrics: dict[str, tuple[float, float | None]] = {
            "paid_amount": (each.paid, None),
            "visitors": (each.visitors, None),
            "visitor_pay_rate": (each.buyers, each.visitors),
            "amount_per_buyer": (each.paid, each.buyers),
        }
        rows["marts.daily_metrics"] += [
            at | {"metric": metric, "numerator": above, "denominator": below, "value": above / (below or 1)}
            for metric, (above, below) in metrics.items()
            if day not in lacking.get(metric, ()) and not platforms
        ]
        rows["marts.decision_cube"] += [
            at | {"channel": channel, "paid_amount": each.paid * share}
            for channel, share in {"search": 0.6, "feed": 0.4}.items()
        ]
        rows["marts.product_cube"] += [
            at | {"product_id": product, "carted": round(each.buyers * 3 * share)}
            for product, share in {"teapot": 2 / 3, "cup": 1 / 3}.items()
        ]
        rows["quality.day_verdict"].append(at | {"verdict": "blocked" if day in blocked else "pass", "reasons": "[]"})
        for age, bucket in ((2, "07_within_7_days"), (20, "30_within_30_days")):
            paid_date = day - timedelta(days=age)
            if has_refunds and paid_date in fair_days and paid_date in shop_days:
                amount = shop_days[paid_date].paid / 10
                refund = {"paid_date": paid_date, "age_bucket": bucket, "refunds": 1, "amount": amount}
                rows["marts.refund_ages"].append(at | refund)
    if platforms:
        rows |= {table: [] for table in ("marts.decision_cube", "marts.product_cube", "marts.refund_ages")}
    for table, records in rows.items():
        if records:
            warehouse.connection.register("given", pd.DataFrame(records))
            warehouse.execute(f"insert into {table} by name select * from given")
    known = [day for day in shop_days if day <= last]
    verdicts = [DayVerdict(day, Verdict.BLOCKED if day in blocked else Verdict.PASS, ()) for day in known]
    with patch("funnelscope.publication.publish._write_parquet"):  # which no report reads
        publish(warehouse, settings.published, verdicts, 3)
    return settings
