"""A shop of which every table that the diagnosis and the report read holds something: 40 days, faults in the last."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from diagnosis_world import CHANNELS, DEVICES, World, settings_of

from funnelscope.events.metrics import METRICS
from funnelscope.ingest import create_tables as create_ingest_tables

DAYS = 40
BASELINE_END = 31
COUPON_FAULT = range(32, 36)
PAYMENT_FAULT = range(33, 35)
PRODUCT_FAULT = range(34, 36)
SERVICE_FAULT = range(32, 33)
SALE = range(36, 37)
BLOCKED, WARNED = 20, 33
NEWER_METRICS = ("refund_amount_deposit", "order_to_pay_rate")  # not drawn: all numbers after them would be others
CAMPAIGNS = {"spring": ("search", 0.5), "summer": ("feed", 0.3), "none": ("direct", 0.2)}
SETTINGS: Mapping[str, Any] = {
    "language": "en",
    "targets": {"cost": 60, "paid_amount": 1000, "visitor_pay_rate": 0.04},
    "owners": {"decision": "Ann"},
    "change_log": [
        {"date": date(2026, 3, 28), "kind": "other", "object": "WELCOME10", "note": "too early to matter"},
        {"date": date(2026, 4, 1), "kind": "price", "object": "WELCOME10", "note": "new terms"},
        {"date": date(2026, 4, 3), "kind": "other", "object": "WELCOME10", "note": "terms taken back"},
        {"date": date(2026, 4, 4), "kind": "page", "object": "P9", "note": "another product"},
    ],
    "calendar": [
        {"name": "sale", "phase": "main", "from": date(2026, 3, 14), "to": date(2026, 3, 14)},
        {"name": "sale", "phase": "after", "from": date(2026, 3, 15), "to": date(2026, 3, 15)},
        {"name": "sale", "phase": "main", "from": date(2026, 4, 6), "to": date(2026, 4, 6)},
    ],
}


class FullWorld(World):
    """World with the other cubes, sessions, events, metrics, money and outcomes beside it."""

    def __init__(self) -> None:
        super().__init__(settings=settings_of(**SETTINGS), size=6_000, seed=11)
        create_ingest_tables(self.warehouse)
        for number in range(1, DAYS + 1):
            verdict = {BLOCKED: "blocked", WARNED: "warn"}.get(number, "pass")
            self.add_days(number, number, coupon_loss=0.6 if number in COUPON_FAULT else 0.0, verdict=verdict)
        reason = {"key": "family_growing", "subject": "order", "observed": "orders.csv was still being written"}
        reason |= {"expected": "a finished file", "severity": "warn"}
        self.warehouse.execute(
            "update quality.day_verdict set reasons = $reasons where verdict = 'warn'", reasons=json.dumps([reason])
        )
        self.warehouse.execute(
            "update marts.checkout_cube set coupon = 'OLD10' where coupon = 'SHOP20' and business_date < $day",
            day=self.day(9),
        )
        self.add("marts.arrival_cube", self.arrivals())
        self.add("marts.product_cube", self.products())
        self.add("marts.inquiry_cube", self.inquiries())
        self.add("marts.payment_cube", self.payments())
        self.add("marts.repurchase_cube", self.customers())
        self.add_sessions()
        self.add_events()
        self.add_money()
        self.add("marts.daily_metrics", self.metrics())
        self.add("marts.funnel_steps", self.steps())
        self.warehouse.execute("delete from marts.daily_summary where business_date = $day", day=self.day(5))

    def add(self, table: str, frame: pd.DataFrame) -> None:
        """Inserts the frame, whose column `number` is the day, from 1."""
        dates = {number: self.day(number) for number in range(1, DAYS + 1)}
        rows = frame.assign(business_date=frame["number"].map(dates)).drop(columns="number")
        self.warehouse.connection.register("drawn", rows)
        self.warehouse.execute(f"insert into {table} by name select * from drawn")

    def days_of(self, size: float, **shares: dict[str, float]) -> pd.DataFrame:
        """Leaves of every day with `n` entries."""
        return pd.concat(
            [
                self._leaves(size * (1 + 0.1 * np.sin(number)), **shares).assign(number=number)
                for number in range(1, DAYS + 1)
            ],
            ignore_index=True,
        ).query("n > 0")

    def passed(self, entered: pd.Series, rate: np.ndarray | float) -> np.ndarray:
        return self.random.binomial(entered, rate)

    def arrivals(self) -> pd.DataFrame:
        leaves = self.days_of(900, campaign={name: share for name, (_, share) in CAMPAIGNS.items()}, device=DEVICES)
        leaves["channel"] = leaves["campaign"].map({name: channel for name, (channel, _) in CAMPAIGNS.items()})
        leaves["impressions"], leaves["clicks"] = leaves["n"] * 40, leaves["n"] + 3
        leaves["arrived_clicks"] = self.passed(leaves["n"], 0.9)
        leaves["cost"] = leaves["clicks"] * 2
        return leaves.assign(creative="c1", landing_page="home", audience="all", region="north").rename(
            columns={"n": "identified_clicks"}
        )

    def products(self) -> pd.DataFrame:
        leaves = self.days_of(3_000, product_id={"P1": 0.4, "P2": 0.3, "P3": 0.3}, channel=CHANNELS, device=DEVICES)
        leaves["category"] = leaves["product_id"].map({"P1": "tea", "P2": "tea", "P3": "cups"})
        is_out = (leaves["product_id"] == "P1") & leaves["number"].isin(PRODUCT_FAULT)
        leaves["carted"] = self.passed(leaves["n"], np.where(is_out, 0.08, 0.25))
        return leaves.rename(columns={"n": "viewed"})

    def inquiries(self) -> pd.DataFrame:
        leaves = self.days_of(600, agent={"Li": 0.4, "Bo": 0.3, "Cy": 0.3}, shift={"early": 0.6, "late": 0.4})
        leaves["team"] = leaves["agent"].map({"Li": "one", "Bo": "one", "Cy": "two"})
        is_slow = (leaves["agent"] == "Li") & leaves["number"].isin(SERVICE_FAULT)
        leaves["paid"] = self.passed(leaves["n"], np.where(is_slow, 0.1, 0.3))
        return leaves.assign(inquiry_class="presale").rename(columns={"n": "inquiries"})

    def payments(self) -> pd.DataFrame:
        leaves = self.days_of(
            1_200, payment_provider={"alipay": 0.6, "wechat": 0.4}, device=DEVICES, region={"north": 0.7, "south": 0.3}
        )
        is_out = (leaves["payment_provider"] == "wechat") & leaves["number"].isin(PAYMENT_FAULT)
        leaves["paid"] = self.passed(leaves["n"], np.where(is_out, 0.4, 0.85))
        leaves["presale_orders"] = 5
        leaves["orders"] = leaves["n"] + 5
        return leaves.drop(columns="n")

    def customers(self) -> pd.DataFrame:
        leaves = self.days_of(
            5_000,
            first_channel={"search": 0.6, "feed": 0.4},
            is_member={"true": 0.3, "false": 0.7},
            recency={"000-007": 0.2, "008-030": 0.3, "031-090": 0.5},
            is_cared_for={"true": 0.4, "false": 0.6},
        )
        rate = np.where(leaves["number"] >= 37, 0.02, 0.05)
        leaves["purchased"] = self.passed(leaves["n"], rate)
        return leaves.assign(last_category="tea").rename(columns={"n": "active_customers"})

    def add_sessions(self) -> None:
        """Sixty sessions a day of two creatives and two pages; one pair of them is a bad match."""
        frame = pd.DataFrame({"session_id": np.arange(60 * DAYS)})
        frame["number"] = frame["session_id"] // 60 + 1
        frame["creative"] = np.select(
            [frame["session_id"] % 7 == 0, frame["session_id"] % 2 == 0], ["none", "c1"], "c2"
        )
        frame["creative_origin"] = np.where(frame["creative"] == "c1", "studio", None)
        frame["landing_page"] = np.where(self.random.random(len(frame)) < 0.5, "home", "item_1")
        is_bad = (frame["creative"] == "c2") & (frame["landing_page"] == "item_1")
        is_engaged = self.random.random(len(frame)) < np.where(is_bad, 0.2, 0.6)
        frame["observed_three_seconds"] = is_engaged | (frame["session_id"] % 3 == 0)
        frame["observed_second_interaction"] = is_engaged
        frame["first_screen_ms"] = 900 + frame["session_id"] % 200
        frame["is_human"] = frame["session_id"] % 11 != 0
        frame["device"] = np.where(frame["session_id"] % 5 < 3, "android", "ios")
        frame["channel"] = np.where(frame["session_id"] % 10 < 5, "search", "feed")
        frame["page_view_count"] = 3 + frame["session_id"] % 2
        frame["observed_checkout"] = frame["observed_order"] = False
        frame["observed_product_view"] = is_engaged
        frame["observed_favorite_or_cart"] = is_engaged & (frame["session_id"] % 4 == 0)
        frame["checkout_coupon"] = np.where(frame["session_id"] % 3 == 0, "WELCOME10", None)
        self.add("intermediate.session_funnel", frame)

    def add_events(self) -> None:
        """What is evidence: refused coupons, failed payments, stock, reviews, answers, care messages."""
        numbers = np.repeat(np.arange(1, DAYS + 1), 60)
        page = pd.DataFrame({"number": numbers, "session_id": np.arange(60 * DAYS)})
        is_refused = np.isin(page["number"], COUPON_FAULT) & (page["session_id"] % 60 < 40)
        page["event_type"] = np.select(
            [is_refused & (page["session_id"] % 3 == 0), page["session_id"] % 30 == 1],
            ["coupon_error", "payment_failed"],
            "checkout_start",
        )  # fmt: skip
        page["coupon"] = "WELCOME10"
        self.add("staging.page_events", page)
        views = pd.DataFrame({"number": numbers, "product_id": np.where(np.arange(60 * DAYS) % 2, "P1", "P2")})
        is_out = (views["product_id"] == "P1") & views["number"].isin(PRODUCT_FAULT)
        views["stock_state"] = np.where(is_out | (np.arange(60 * DAYS) % 20 == 1), "out", "in")
        self.add("staging.page_events", views.assign(event_type="product_view"))
        reviews = pd.DataFrame({"number": numbers, "product_id": "P1", "rating": 3 + np.arange(60 * DAYS) % 3})
        self.add("staging.order_events", reviews.assign(event_type="reviewed"))
        care = pd.DataFrame({"number": numbers, "event_type": "care_sent"})
        self.add("staging.service_events", care[care["number"] < 36])
        answers = pd.DataFrame({"number": numbers, "agent": "Li", "team": "one", "shift": "early"})
        slow = np.where(answers["number"].isin(SERVICE_FAULT), 900, 60)
        self.add("intermediate.inquiries", answers.assign(first_response_seconds=slow + np.arange(60 * DAYS) % 50))

    def add_money(self) -> None:
        execute = self.warehouse.execute
        execute(
            "update marts.daily_summary set orders = 300, orders_with_session = 200 + day(business_date) % 7, "
            "paid_amount = same_day_amount + 100, standardised_session_rate = paying_sessions / human_sessions"
        )
        numbers = np.arange(1, DAYS + 1)
        for name, amount in (("same_day", 0.0), ("carried_over", 11.5), ("presale_balance", 7.25), ("excluded", 3.0)):
            frame = pd.DataFrame(
                {"number": numbers, "money_class": name, "amount": amount * numbers, "payments": numbers}
            )
            self.add("marts.daily_money", frame)
        execute(
            "update marts.daily_money set amount = (select same_day_amount from marts.daily_summary as days "
            "where days.business_date = daily_money.business_date) where money_class = 'same_day'"
        )
        for age, share in ((0, 0.02), (1, 0.03), (7, 0.04), (15, 0.01), (30, 0.01)):
            execute(
                f"insert into marts.refund_ages select business_date + {age}, business_date, '{age:02}', 1, "
                f"(paid_amount * {share})::DECIMAL(18, 2) from marts.daily_summary "
                "where business_date + $age <= $last",
                age=age,
                last=self.day(DAYS),
            )
            execute(
                f"insert into marts.session_outcomes select business_date + {age}, business_date, {age}, {20 + age}, "
                "30, 100 from marts.daily_summary where business_date + $age <= $last",
                age=age,
                last=self.day(DAYS),
            )
            execute(
                f"insert into marts.inquiry_outcomes select business_date + {age}, business_date, {age}, {2 + age} "
                "from marts.daily_summary where business_date + $age <= $last",
                age=age,
                last=self.day(DAYS),
            )
        execute(
            "insert into marts.repurchase_outcomes select business_date, "
            "business_date - (day(business_date) % 5 + 1)::INTEGER, day(business_date) % 5 + 1, "
            "10 + day(business_date) from marts.daily_summary"
        )
        execute(
            "insert into marts.people_to_date select business_date, period, 1000 + 7 * day(business_date), "
            "90 + day(business_date) from marts.daily_summary, (values ('week'), ('month')) as periods(period)"
        )

    def metrics(self) -> pd.DataFrame:
        """Every metric on every day, but for a few days without value and a few metrics without numbers."""
        rows = []
        metrics = [metric for key, metric in METRICS.items() if key not in NEWER_METRICS]
        for place, metric in enumerate(metrics):
            for number in range(1, DAYS + 1):
                denominator = 400.0 + 30 * (number % 7) + place
                numerator = (50.0 + 11 * place) * (1 + 0.05 * np.sin(3 * number + place) + 0.15 * (number % 7 == 5))
                numerator = round(numerator) + (0.37 if metric.unit.value == "money" else 0)
                if metric.several_days.value == "pooled":
                    row = (numerator, denominator, numerator / denominator)
                elif metric.several_days.value in ("sum", "distinct"):
                    row = (numerator, None, numerator)
                else:
                    row = (numerator, None, 300 + place + number % 7)
                if (number + place) % 37 != 0:
                    rows.append((number, metric.key, *row, *(np.array([1, 1.2, 1.5]) * row[-1])))
        names = ["number", "metric", "numerator", "denominator", "value", "median", "p75", "p90"]
        return pd.DataFrame(rows, columns=names).query("metric != 'deep_read_rate'")

    def steps(self) -> pd.DataFrame:
        stages = {
            "traffic": ("impression", "click", "arrival"),
            "landing": ("arrival", "three_seconds", "qualified_product_view"),
            "decision": ("qualified_product_view", "favorite_or_cart", "paid"),
            "repurchase": ("active", "delivered", "purchased"),
        }
        rows = [
            (number, stage, place, step, round(4_000 * 0.4**place * (1 + 0.1 * np.cos(number + place))))
            for number in range(1, DAYS + 1)
            for stage, steps in stages.items()
            for place, step in enumerate(steps)
            if (number, step) != (30, "three_seconds") and (number, stage) != (10, "decision")
        ]
        return pd.DataFrame(rows, columns=["number", "stage", "step_number", "step", "reached"])
