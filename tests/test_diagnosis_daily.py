"""The daily diagnosis: it names cause, slice, first day and loss, is silent on clean days, and says what it cannot."""

import json
from datetime import date
from typing import Any

import pytest
from diagnosis_world import World, settings_of

from assets.diagnosis.tables import TABLES

CLEAN = 30


@pytest.fixture(scope="module")
def broken_coupon() -> World:
    """Thirty clean days, four with a broken coupon, then two mended ones."""
    world = World()
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 4, coupon_loss=0.6)
    world.add_days(CLEAN + 5, CLEAN + 6)
    world.diagnose(CLEAN - 2, CLEAN + 6)
    return world


def only_finding(world: World, number: int) -> dict[str, Any]:
    (finding,) = world.rows("findings", number)
    return finding


def test_a_broken_coupon_is_named_on_its_first_day_with_what_it_costs(broken_coupon: World) -> None:
    finding = only_finding(broken_coupon, CLEAN + 1)
    assert json.loads(finding["slice"]) == {"coupon": "WELCOME10"}
    assert (finding["stage"], finding["fault_class"], finding["status"]) == ("decision", "broken_coupon", "confirmed")
    assert finding["since_date"] == broken_coupon.day(CLEAN + 1)
    lost = 8_000 / 8 * 0.3 * 0.55 * 0.6 * 0.8
    assert finding["lost_orders"] == pytest.approx(lost, rel=0.2)
    assert finding["lost_orders_low"] < lost < finding["lost_orders_high"]
    assert finding["lost_amount"] == pytest.approx(finding["lost_orders"] * 100, rel=0.01)
    assert (finding["object_kind"], finding["object_name"]) == ("coupon", "WELCOME10")


def test_a_fault_that_lasts_keeps_its_first_day_its_id_and_its_size(broken_coupon: World) -> None:
    """Its days are no part of what is usual: else it would fade while it lasts."""
    days = [only_finding(broken_coupon, CLEAN + number) for number in (1, 2, 3, 4)]
    assert len({finding["finding_id"] for finding in days}) == 1
    assert {finding["since_date"] for finding in days} == {broken_coupon.day(CLEAN + 1)}
    assert days[3]["expected"] / days[3]["entered"] == pytest.approx(0.55, rel=0.04)


def test_what_has_been_mended_is_told_once_as_recovered_with_its_sum(broken_coupon: World) -> None:
    finding = only_finding(broken_coupon, CLEAN + 5)
    assert (finding["status"], finding["is_ongoing"], finding["lost_orders"]) == ("recovered", False, 0)
    (followed,) = broken_coupon.rows("follow_ups", CLEAN + 5)
    lost = sum(only_finding(broken_coupon, CLEAN + number)["lost_orders"] for number in (1, 2, 3, 4))
    assert followed["state"] == "recovered"
    assert followed["lost_orders_so_far"] == pytest.approx(lost)
    assert broken_coupon.rows("findings", CLEAN + 6) == []


def test_after_three_days_the_loss_is_read_again(broken_coupon: World) -> None:
    (followed,) = broken_coupon.rows("follow_ups", CLEAN + 4)
    assert followed["is_hit"] is True
    assert followed["reread_lost_orders"] == pytest.approx(only_finding(broken_coupon, CLEAN + 1)["lost_orders"])


def test_clean_days_are_silent_and_say_how_small_a_drop_would_have_been_seen() -> None:
    world = World(seed=7)
    world.add_days(1, CLEAN + 8)
    world.diagnose(CLEAN - 1, CLEAN + 8)
    for number in range(CLEAN - 1, CLEAN + 9):
        assert world.state(number) == ("diagnosed", "")
        assert world.rows("findings", number) == []
        drops = {(row["dimension"], row["value"]): row for row in world.rows("visible_drops", number)}
        assert 0.05 <= drops["all", "all"]["smallest_visible_drop"] <= 1
        assert len(drops) > 5


def test_a_cheap_channel_that_doubles_is_mix_and_no_fault() -> None:
    world = World(seed=3)
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, feed=0.6)
    world.diagnose(CLEAN + 1, CLEAN + 1)
    assert world.rows("findings", CLEAN + 1) == []
    parts = {"mix": 0.0, "rate": 0.0}
    for row in world.rows("contributions", CLEAN + 1):
        if (row["step"], row["dimension"]) == ("qualified_product_view", "channel"):
            parts[str(row["part"])] += float(str(row["contribution"]))
    assert parts["mix"] < -0.02
    assert abs(parts["rate"]) < 0.01


def test_a_page_that_fails_on_one_device_is_named_by_both() -> None:
    world = World(seed=5, size=20_000)
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, page_loss=0.3)
    world.diagnose(CLEAN + 1, CLEAN + 1)
    finding = only_finding(world, CLEAN + 1)
    assert json.loads(finding["slice"]) == {"device": "android", "landing_page": "item_1"}
    assert finding["fault_class"] == "landing_loss"


def test_money_and_rates_add_up_to_the_whole(broken_coupon: World) -> None:
    """Over every split of the day, to the last digit that floating point has."""
    warehouse, day = broken_coupon.warehouse, broken_coupon.day(CLEAN + 1)
    totals = warehouse.rows(
        "select cube, step, dimension, sum(contribution) from diagnosis.contributions "
        "where business_date = $day and subject = 'rate' and cube = 'checkout_cube' group by all",
        day=day,
    )
    usual_days = [broken_coupon.day(number) for number in range(3, CLEAN + 1)]
    rate = "select sum(ordered)::DOUBLE / sum(checkouts) from marts.checkout_cube where "
    change = warehouse.value(rate + "business_date = $day", day=day) - warehouse.value(
        rate + "list_contains($days::DATE[], business_date)", days=usual_days
    )
    assert len(totals) == 4
    for *_, total in totals:
        assert total == pytest.approx(change, abs=1e-12)
    money = warehouse.value(
        "select sum(contribution) from diagnosis.contributions where business_date = $day and subject = 'money'",
        day=day,
    )
    amount = "select avg(same_day_amount)::DOUBLE from marts.daily_summary where "
    change = warehouse.value(amount + "business_date = $day", day=day) - warehouse.value(
        amount + "list_contains($days::DATE[], business_date)", days=usual_days
    )
    assert money == pytest.approx(change, abs=1e-6)


def test_too_little_history_is_said_and_nothing_is_claimed() -> None:
    world = World()
    world.add_days(1, 5, coupon_loss=0.0)
    world.diagnose(1, 5)
    assert world.state(5) == ("no_baseline", "4 comparable days before it, of the 28 that a baseline needs")
    assert world.rows("findings", 5) == []
    assert world.rows("contributions", 5)


def test_a_promotion_day_is_compared_with_the_same_day_last_time_or_not_at_all() -> None:
    calendar = [
        {"name": "sale", "phase": "main", "from": date(2026, 3, 20), "to": date(2026, 3, 20)},
        {"name": "sale", "phase": "main", "from": date(2026, 4, 5), "to": date(2026, 4, 6)},
    ]
    world = World(settings=settings_of(calendar=calendar))
    world.add_days(1, 36)
    world.diagnose(34, 36)
    (compared,) = world.rows("days", 35)
    assert (compared["state"], compared["baseline_from"]) == ("diagnosed", date(2026, 3, 20))
    assert world.rows("findings", 35) == []
    assert world.state(36) == ("not_comparable", "sale, main, day 2: there is no earlier day like it")


def test_a_blocked_day_is_withheld_and_no_part_of_later_baselines() -> None:
    world = World()
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, coupon_loss=0.9, verdict="blocked")
    world.add_days(CLEAN + 2, CLEAN + 2)
    world.diagnose(CLEAN + 1, CLEAN + 2)
    assert world.state(CLEAN + 1) == ("withheld", "the gate blocked the day's data")
    assert world.rows("findings", CLEAN + 1) == []
    (after,) = world.rows("days", CLEAN + 2)
    assert (after["baseline_days"], after["baseline_from"]) == (28, world.day(3))


def test_a_failing_diagnosis_records_why_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.add_days(1, CLEAN)
    monkeypatch.setattr("assets.diagnosis.daily._scan_steps", lambda *_: 1 / 0)
    world.diagnose(CLEAN, CLEAN)
    state, why = world.state(CLEAN)
    assert state == "failed"
    assert "ZeroDivisionError" in str(why)


def test_a_day_depends_on_nothing_after_it_and_comes_out_the_same_again(broken_coupon: World) -> None:
    number = CLEAN + 2
    before = {table: broken_coupon.rows(table, number) for table in TABLES}
    broken_coupon.diagnose(number, number)
    assert {table: broken_coupon.rows(table, number) for table in TABLES} == before


def test_a_shop_with_one_channel_and_a_handful_of_visitors_gets_an_answer() -> None:
    world = World(size=12)
    world.add_days(1, CLEAN)
    world.diagnose(CLEAN, CLEAN)
    assert world.state(CLEAN) == ("diagnosed", "")
    assert world.rows("findings", CLEAN) == []
    assert any(row["smallest_visible_drop"] == 1 for row in world.rows("visible_drops", CLEAN))
