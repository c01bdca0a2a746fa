"""The marts tell exactly what happened: every count and cent that the simulator wrote down, day by day.

The simulator counts while it simulates; the models count from deliveries, with rows late, twice and in any order.
Neither knows the other's code, so an equal number is a proof for both.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from shop_helpers import DIRT, Home, build_days, day, one_file_a_day, one_file_of_history, simulated_shop

from funnelscope.simulator import Fault
from funnelscope.warehouse.connection import Warehouse, open_warehouse

DAYS = 12
NOT_DELIVERED = {"lost_to_faults", "visits"}  # what never happened leaves no rows; flagged visits are not counted apart
COUPON = Fault(kind="broken_coupon", slice={"coupon": "WELCOME10"}, from_date=day(4))
SLOW = Fault(kind="slow_first_screen", slice={"landing_page": "item_0001", "device": "android"}, from_date=day(6))
ALL_OTHERS = [
    Fault(kind="creative_mismatch", slice={"campaign": "feed_ads_c2"}, from_date=day(3)),
    Fault(kind="late_answers", slice={"team": "team_late"}, from_date=day(3)),
    Fault(kind="bad_reviews", slice={"product_id": "P0001"}, from_date=day(5)),
    Fault(kind="bot_flood", slice={"channel": "affiliate"}, from_date=day(4), to_date=day(8)),
    Fault(kind="payment_outage", slice={"payment_provider": "wechat_pay", "device": "android"}, from_date=day(6)),
    Fault(kind="tracking_lost", slice={"region": "zhejiang"}, from_date=day(7)),
    Fault(kind="care_stopped", slice={}, from_date=day(2)),
    Fault(kind="promotion_moved", slice={}, from_date=day(10), to_date=day(10)),
    Fault(kind="mix_shift", slice={"channel": "feed_ads"}, from_date=day(11)),
]

Numbers = dict[str, Any]

SUMMARY = {
    "sessions": "human_sessions",
    "all_sessions": "sessions",
    "bot_sessions": "sessions - human_sessions",
    "visitors": "visitors",
    "returning_sessions": "returning_sessions",
    "orders_created": "orders",
    "orders_with_session": "orders_with_session",
    "paid_orders": "paid_orders",
    "buyers": "buyers",
    "paying_sessions": "paying_sessions",
    "same_day_orders": "same_day_orders",
    "units": "paid_units",
    "refunds_cents": "(100 * refunded_amount)::BIGINT",
}
# Truth's key: metric, and which of its two counts.
METRICS = {
    "coupon_claims": ("coupon_claims", "numerator"),
    "coupon_errors": ("coupon_errors", "numerator"),
    "coupon_uses": ("coupon_uses", "numerator"),
    "past_three_seconds_sessions": ("three_second_rate", "numerator"),
    "measured_sessions": ("three_second_rate", "denominator"),
    "presale_conversations": ("presale_conversations", "numerator"),
    "presale_answered_within_30s": ("reply_within_30s_rate", "numerator"),
    "presale_answered_within_180s": ("reply_within_3min_rate", "numerator"),
    "negative_reviews": ("negative_review_rate", "numerator"),
    "reviews": ("negative_review_rate", "denominator"),
    "care_sent": ("care_sent", "numerator"),
    "members_joined": ("members_joined", "numerator"),
}
CUBES = {
    "marts.arrival_cube": {
        "impressions": "sum(impressions)",
        "clicks": "sum(clicks)",
        "cost_cents": "sum(100 * cost)",
    },
    "marts.repurchase_cube": {
        "active_customers": "sum(active_customers)",
        "delivered_customers": "sum(observed_delivered)",
        "cared_for_customers": "sum(observed_cared_for)",
        "member_customers": "sum(observed_member)",
        "purchased_customers": "sum(purchased)",
    },
    "marts.repurchase_outcomes": {"purchase_customers": "sum(customers)"},
    "intermediate.inquiries": {
        "answered_presale_conversations": "count(first_response_seconds)",
        "first_response_seconds_total": "sum(first_response_seconds)",
        "presale_inquiries_paid": "count(*) filter (where is_paid)",
    },
}


def numbers_of(warehouse: Warehouse) -> dict[str, Numbers]:
    """What the marts say, in the words of truth.json: day to key to number; money in cents."""
    found: dict[str, Numbers] = defaultdict(dict)
    summary = ", ".join(f"{expression} as {key}" for key, expression in SUMMARY.items())
    for row in warehouse.records(f"select business_date, {summary} from marts.daily_summary"):
        found[str(row.pop("business_date"))] |= row
    for table, sums in CUBES.items():
        counted = ", ".join(f"coalesce({expression}, 0)::BIGINT as {key}" for key, expression in sums.items())
        for row in warehouse.records(f"select business_date, {counted} from {table} group by all"):
            found[str(row.pop("business_date"))] |= row
    values = {
        (str(row["business_date"]), row["metric"]): row
        for row in warehouse.records("select * from marts.daily_metrics")
    }
    for date_text, numbers in found.items():
        for key, (metric, count) in METRICS.items():
            numbers[key] = int(values.get((date_text, metric), {}).get(count) or 0)
    for date_text, groups in nested_numbers_of(warehouse).items():
        found[date_text] |= groups
    return found


def nested_numbers_of(warehouse: Warehouse) -> dict[str, Numbers]:
    """The keys of truth.json that hold more than one number."""
    found: dict[str, Numbers] = defaultdict(lambda: defaultdict(dict))
    for business_date, money_class, cents in warehouse.rows(
        "select business_date, money_class, sum(100 * amount)::BIGINT from marts.daily_money group by all"
    ):
        found[str(business_date)]["money_cents"][money_class] = cents
    for business_date, cents in warehouse.rows(
        "select business_date, (100 * paid_amount)::BIGINT from marts.daily_summary"
    ):
        found[str(business_date)]["money_cents"]["paid_amount"] = cents
    for business_date, step, reached, observed in warehouse.rows(
        "select distinct business_date, step, sum(reached)::BIGINT, sum(observed)::BIGINT from marts.funnel_steps "
        "where stage in ('landing', 'decision') group by business_date, stage, step"
    ):
        found[str(business_date)]["reached"][step] = reached
        found[str(business_date)]["observed"][step] = observed
    human = "from intermediate.session_funnel where is_human"
    for business_date, viewed in warehouse.rows(
        f"select business_date, count(*) filter (where observed_product_view) {human} group by all"
    ):
        found[str(business_date)]["observed"]["product_view"] = viewed
    for dimension in ("entry_type", "channel"):
        for business_date, value, sessions, qualified, paid in warehouse.rows(
            f"select business_date, {dimension}, count(*), count(*) filter (where reached_qualified_product_view), "
            f"count(*) filter (where reached_paid) {human} group by all"
        ):
            found[str(business_date)][f"by_{dimension}"][value] = {
                "sessions": sessions,
                "qualified_product_view": qualified,
                "paid": paid,
            }
    for business_date, viewed, carted in warehouse.rows(
        "select business_date, sum(viewed)::BIGINT, sum(carted)::BIGINT from marts.product_cube group by all"
    ):
        found[str(business_date)]["product_views"] = {"viewed": viewed, "carted": carted}
    for business_date, age_days, cents in warehouse.rows(
        "select business_date, age_days, sum(100 * amount)::BIGINT from intermediate.refunds "
        "where age_days is not null group by all"
    ):
        found[str(business_date)]["refunds_by_age"][str(age_days)] = cents
    return found


def without_zeros(number: Any) -> Any:
    """No row and a zero say the same of a count."""
    if isinstance(number, dict):
        return {key: kept for key, value in number.items() if (kept := without_zeros(value)) not in (0, {})}
    return number or 0


def differences(truth: dict[str, Numbers], found: dict[str, Numbers]) -> list[str]:
    """A line for every day and key on which the marts say something else than happened."""
    wrong = []
    for date_text, numbers in truth.items():
        for key in numbers.keys() - NOT_DELIVERED:
            told, happened = found.get(date_text, {}).get(key), numbers[key]
            if without_zeros({key: told}) != without_zeros({key: happened}):
                wrong.append(f"{date_text} {key}: the marts say {told}, it was {happened}")
    return sorted(wrong)


def assert_true(home: Home, days: int) -> None:
    truth = json.loads((home.path / "truth.json").read_text())["days"]
    assert len(truth) > days
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        wrong = differences(truth, numbers_of(warehouse))
        unaccounted = warehouse.rows("select file, difference from quality.reconciliation where difference != 0")
        quarantined = warehouse.rows("select reason, count(*) from quality.quarantine group by all")
    assert not wrong, "\n".join(wrong[:20])
    assert not unaccounted
    assert not quarantined


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        pytest.param(1, {"faults": [COUPON, SLOW]}, id="two-faults"),
        pytest.param(6, {"faults": ALL_OTHERS}, id="nine-more-faults", marks=pytest.mark.slow),
        pytest.param(2, DIRT, id="late-twice-and-shuffled"),
        pytest.param(
            3,
            {"late_share": 0.2, "duplicate_share": 0.2, "faults": [COUPON]},
            id="very-late-with-a-fault",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_number_of_every_day_is_what_happened(tmp_path: Path, seed: int, options: dict[str, Any]) -> None:
    home = simulated_shop(tmp_path, days=DAYS, history_days=40, seed=seed, sessions_per_day=300, **options)
    one_file_a_day(home)
    one_file_of_history(home)  # it is there for who has been a customer before
    build_days(home, day(1), day(DAYS))
    assert_true(home, DAYS)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["csv", "jsonl.gz"])
def test_text_files_tell_the_same(tmp_path: Path, file_format: str) -> None:
    options = {"file_format": file_format, "late_share": 0.1, "duplicate_share": 0.1}
    home = simulated_shop(tmp_path, days=2, history_days=1, seed=4, **options)
    build_days(home, day(1), day(2))
    assert_true(home, 2)


def test_a_number_that_is_off_by_one_is_told(tmp_path: Path) -> None:
    """The proof itself can fail: one event less, and the comparison says where."""
    home = simulated_shop(tmp_path, days=1, history_days=1)
    build_days(home, day(1), day(1))
    truth = json.loads((home.path / "truth.json").read_text())["days"]
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        found = numbers_of(warehouse)
    assert not differences(truth, found)
    found[str(day(1))]["sessions"] -= 1
    found[str(day(1))]["money_cents"]["same_day"] += 1
    assert [line.split(":")[0] for line in differences(truth, found)] == [
        f"{day(1)} money_cents",
        f"{day(1)} sessions",
    ]
