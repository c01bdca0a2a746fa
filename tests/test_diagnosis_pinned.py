"""A week of a shop with faults of every kind is diagnosed, and every number of it is written down.

Ids, reasons in words and the ends of loss intervals are left out: they have tests of their own. `python
tests/test_diagnosis_pinned.py` writes the numbers of today.
"""

import json
import math
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from full_world import COUPON_FAULT, PAYMENT_FAULT, PRODUCT_FAULT, SERVICE_FAULT, FullWorld
from test_localization_pinned import assert_alike

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis

PINNED = Path(__file__).with_suffix(".json")
DAYS = range(32, 39)
FREE = re.compile(r"finding_id|reason|why|comparison|compared_with|note|_low$|_high$|business_date")
INTERVALS = ("effect_low", "effect_high", "interaction_low", "interaction_high")
SUMMED = ("contributions", "visible_drops", "slice_days", "relevance")
ORDERS = {
    "findings": "rank nulls last, step, slice",
    "evidence": "name, since_date, slice",
    "follow_ups": "lost_orders_so_far",
}


@pytest.fixture(scope="module")
def world() -> FullWorld:
    return diagnosed()


def diagnosed() -> FullWorld:
    world = FullWorld()
    world.diagnose(DAYS[0], DAYS[-1])
    return world


def rows_of(world: FullWorld, table: str, number: int) -> list[dict[str, Any]]:
    """Rows of a table of the diagnosis on the nth day, without what may be worded otherwise."""
    order = ORDERS.get(table, "all")
    rows = world.warehouse.records(
        f"select * from diagnosis.{table} where business_date = $day order by {order}", day=world.day(number)
    )
    return [
        {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in row.items()
            if name in INTERVALS or not FREE.search(name)
        }
        for row in rows
    ]


def summed(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Of many rows: how many; of each column the sum, and one that tells rows apart; of text each value's count."""
    sums: dict[str, list[Any]] = {"rows": [len(rows)]}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        if all(value is None or isinstance(value, int | float) for value in values):
            known = [(math.cos(place), float(value)) for place, value in enumerate(values) if value is not None]
            sums[name] = [len(known), sum(value for _, value in known), sum(weight * value for weight, value in known)]
        else:
            sums[name] = sorted(f"{value}: {values.count(value)}" for value in set(values))
    return sums


def numbers_of(world: FullWorld, number: int) -> dict[str, Any]:
    tables = ("days", "findings", "evidence", "follow_ups")
    told = read_diagnosis(world.warehouse.connection, world.day(number))
    words = narrate_diagnosis(told, world.settings, "en")
    return {
        **{table: rows_of(world, table, number) for table in tables},
        **{table: summed(rows_of(world, table, number)) for table in SUMMED},
        "evidence of each": [[row.name for row in told.select_evidence(finding)] for finding in told.findings],
        "numbers in words": [len(words), *(re.findall(r"\d[\d,.%]*", text) for text in words[-1:])],
    }


@pytest.mark.parametrize("number", DAYS)
def test_a_day_has_the_numbers_that_are_written_down(world: FullWorld, number: int) -> None:
    assert_alike(
        numbers_of(world, number), json.loads(PINNED.read_text(encoding="utf-8"))[str(number)], f"day {number}"
    )


# --- What these numbers are ----------------------------------------------------------------------


def test_faults_are_found_on_their_days_and_on_no_other(world: FullWorld) -> None:
    faults = {"broken_coupon": COUPON_FAULT, "payment_outage": PAYMENT_FAULT, "out_of_stock": PRODUCT_FAULT}
    faults |= {"late_answers": SERVICE_FAULT, "care_stopped": range(37, 38)}
    for number in DAYS:
        rows = world.warehouse.rows(
            "select fault_class, status from diagnosis.findings where business_date = $day", day=world.day(number)
        )
        found = sorted(kind for kind, status in rows if status != "recovered")
        assert found == sorted(kind for kind, days in faults.items() if number in days)
        recovered = sorted(kind for kind, status in rows if status == "recovered")
        assert recovered == sorted(
            kind for kind, days in faults.items() if number == days[-1] + 1 and kind != "care_stopped"
        )


def test_the_first_to_act_on_is_what_costs_most(world: FullWorld) -> None:
    for number in DAYS:
        lost = world.warehouse.rows(
            "select lost_orders, rank from diagnosis.findings where business_date = $day and rank is not null "
            "order by rank",
            day=world.day(number),
        )
        assert [rank for _, rank in lost] == list(range(1, len(lost) + 1))
        assert [orders for orders, _ in lost] == sorted((orders for orders, _ in lost), reverse=True)


def test_the_loss_lies_within_its_interval_and_its_amount_with_it(world: FullWorld) -> None:
    rows = world.warehouse.records("select * from diagnosis.findings where lost_orders > 0")
    assert len(rows) >= 9
    for row in rows:
        for name in ("orders", "amount"):
            low, lost, high = (row[f"lost_{name}{end}"] for end in ("_low", "", "_high"))
            assert low < lost < high
            assert high - lost == pytest.approx(lost - low)
        each = row["lost_amount"] / row["lost_orders"]
        assert row["lost_amount_high"] == pytest.approx(row["lost_orders_high"] * each)
        assert 0 < row["lost_amount_net"] < row["lost_amount"]


def test_a_baseline_holds_neither_blocked_nor_promotion_days(world: FullWorld) -> None:
    """Of 31 days before the first diagnosed one, one is blocked and two belong to a sale: all others count."""
    (first,) = world.rows("days", 32)
    assert (first["baseline_days"], first["baseline_from"]) == (28, world.day(1))
    (sale,) = world.rows("days", 36)
    assert (sale["baseline_days"], sale["baseline_from"]) == (1, world.day(13))


if __name__ == "__main__":
    shop = diagnosed()
    PINNED.write_text(
        json.dumps({str(n): numbers_of(shop, n) for n in DAYS}, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
