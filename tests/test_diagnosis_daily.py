"""The daily diagnosis: it names cause, slice, first day and loss, is silent on clean days, and says what it cannot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diagnosis_world import World, settings_of

from funnelscope.diagnosis.baseline import CubeDay, estimate_leaves
from funnelscope.diagnosis.diagnosis_tables import TABLES, create_tables
from funnelscope.diagnosis.follow_up import OpenFinding, assign_ids
from funnelscope.diagnosis.records import FindingRecord, encode_record, list_columns
from funnelscope.diagnosis.stated_reasons import quote_text
from funnelscope.diagnosis.steps import STEPS
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis

CLEAN = 30


@pytest.fixture(scope="module")
def broken_coupon() -> World:
    """Thirty clean days, four with a broken coupon, then two without."""
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


def test_a_fault_that_comes_back_is_another_finding() -> None:
    world = World()
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, coupon_loss=0.6)
    world.add_days(CLEAN + 2, CLEAN + 3)
    world.add_days(CLEAN + 4, CLEAN + 4, coupon_loss=0.6)
    world.diagnose(CLEAN + 1, CLEAN + 4)
    first, again = only_finding(world, CLEAN + 1), only_finding(world, CLEAN + 4)
    assert first["slice"] == again["slice"]
    assert first["finding_id"] != again["finding_id"]


def found(*slices: dict[str, str]) -> list[FindingRecord]:
    """Findings of landing without ids, one for each slice."""
    return [
        FindingRecord(
            finding_id="",
            stage="landing",
            cube="landing_cube",
            step="qualified_product_view",
            slice=slice_,
            fault_class="landing_loss",
            status="confirmed",
            since_date=date(2026, 4, 1),
            is_ongoing=True,
            effect=-0.3,
            object_kind="channel",
            object_name="feed",
            owner="landing",
        )
        for slice_ in slices
    ]


def ids_of(today: Sequence[FindingRecord], before: Mapping[str, dict[str, str]]) -> list[str]:
    """The ids of today's findings after those before, which are id → slice."""
    entered = {("item_1", "android", "app"): 90, ("item_1", "android", "web"): 10, ("item_1", "ios", "web"): 100}
    entered |= {("home", "android", "web"): 300, ("home", "ios", "app"): 500}
    leaves = pd.DataFrame([*entered], columns=["landing_page", "device", "entry_type"]).assign(
        entered=[*entered.values()]
    )
    known = [
        OpenFinding(replace(finding, finding_id=key), date(2026, 4, 1), 0.0, 0.0)
        for key, finding in zip(before, found(*before.values()), strict=True)
    ]
    key = "landing_cube.qualified_product_view"
    return [each.finding_id for each in assign_ids(today, known, {key: leaves}, date(2026, 4, 2))]


@pytest.mark.parametrize(
    "named_today",
    [
        {"landing_page": "item_1", "device": "android"},
        {"landing_page": "item_1"},
        {"landing_page": "item_1", "device": "android", "entry_type": "app"},
        {"landing_page": "item_1", "entry_type": "app"},
    ],
    ids=["the same", "wider", "narrower", "by another dimension"],
)
def test_a_fault_that_is_named_a_little_differently_on_a_later_day_keeps_its_id(named_today: dict[str, str]) -> None:
    before = {"landing_page": "item_1", "device": "android"}
    assert ids_of(found(named_today), {"known": before}) == ["known"]


def test_another_slice_or_the_whole_step_is_another_fault() -> None:
    for slice_ in ({"landing_page": "home"}, {"device": "ios"}, {}):
        (key,) = ids_of(found(slice_), {"known": {"landing_page": "item_1", "device": "android"}})
        assert key
        assert key != "known"


def test_two_faults_never_share_an_id_and_the_nearest_one_keeps_it() -> None:
    part, nearer = {"landing_page": "item_1", "device": "ios"}, {"landing_page": "item_1"}
    first, second = ids_of(found(part, nearer), {"known": {"landing_page": "item_1"}})
    assert second == "known"
    assert first not in ("known", "")
    known = {"a": {"landing_page": "item_1", "device": "android"}, "b": {"landing_page": "item_1", "device": "ios"}}
    assert ids_of(found({"landing_page": "item_1", "device": "ios"}, {"landing_page": "item_1"}), known) == ["b", "a"]
    known = {"whole": {"landing_page": "item_1"}, "part": {"landing_page": "item_1", "device": "ios"}}
    other, both = ids_of(found({"landing_page": "item_2"}, {"landing_page": "item_1"}), known)
    assert both == "whole"
    assert other not in known


def test_what_has_been_fixed_is_told_once_as_recovered_with_its_sum(broken_coupon: World) -> None:
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
        fifth, hundredth = (drops["entries", share]["smallest_visible_drop"] for share in ("20.0%", "1.0%"))
        assert fifth < hundredth
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


def test_what_a_slice_also_loses_in_a_second_step_is_booked_though_too_weak_to_be_found_alone() -> None:
    world = World(seed=11, size=20_000)
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, page_loss=0.3, cart_loss=0.15)
    world.diagnose(CLEAN + 1, CLEAN + 1)
    findings = {str(row["step"]): row for row in world.rows("findings", CLEAN + 1)}
    assert set(findings) == {"qualified_product_view", "favorite_or_cart"}
    assert len({row["slice"] for row in findings.values()}) == 1
    second = findings["favorite_or_cart"]
    assert 2.33 <= float(str(second["z"])) < 4
    lost = 20_000 * 0.3 * 0.6 * (0.7 * 0.6 + 0.3 * 0.42) * (1 - 0.3) * 0.3 * 0.15 * 0.2
    assert float(str(second["lost_orders_low"])) < lost < float(str(second["lost_orders_high"]))


def test_a_channel_without_campaigns_is_expected_by_its_own_rate() -> None:
    """It shares the campaign `none` with other channels, and its leaves are too thin to speak for themselves."""
    random = np.random.default_rng(12)
    frame = pd.DataFrame({"campaign": "none", "channel": ["feed", "direct"] * 1000, "region": range(2000)})
    for when in ("usual", "today"):
        frame[f"sessions_{when}"] = 2
        rate = np.where(frame["channel"] == "feed", 0.2, 0.8)
        frame[f"reached_qualified_product_view_{when}"] = random.binomial(2, rate)
    cube = CubeDay(frame, ("campaign", "channel", "region"), {"campaign": ("channel",)})
    step = next(step for step in STEPS if step.cube == "landing_cube")
    sums = estimate_leaves(step, cube, 1.0).groupby("channel")[["expected", "entered"]].sum()
    assert (sums["expected"] / sums["entered"]).to_dict() == pytest.approx({"direct": 0.8, "feed": 0.2}, abs=0.05)


def test_robots_are_one_finding_that_loses_nothing_wherever_they_went() -> None:
    """A few of them look at products and keep none: behind the landing page that is no second fault.

    All of them are new; it is the channel that they come from.
    """
    world = World(seed=8, size=200_000, returning={"true": 0.3, "false": 0.7})
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, robots=2.0)
    world.add_days(CLEAN + 2, CLEAN + 2)
    world.diagnose(CLEAN + 1, CLEAN + 2)
    finding = only_finding(world, CLEAN + 1)
    assert (json.loads(finding["slice"]), finding["fault_class"]) == ({"channel": "feed"}, "bot_flood")
    assert (finding["lost_orders"], finding["lost_orders_high"]) == (0, 0)
    assert [row["status"] for row in world.rows("findings", CLEAN + 2)] == ["recovered"]


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
    assert world.state(5) == ("no_baseline", "4 comparable days before this one, still needed: 24")
    assert world.rows("findings", 5) == []
    assert world.rows("contributions", 5)


def test_a_promotion_day_is_compared_with_the_same_day_last_time_or_with_regular_rates() -> None:
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
    (without_twin,) = world.rows("days", 36)
    assert (without_twin["state"], without_twin["baseline_days"]) == ("diagnosed", 28)
    assert json.loads(str(without_twin["compared_with"]))["key"] == "regular_rates"


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


def test_a_warning_of_the_gate_makes_a_finding_provisional_and_one_of_its_slice_withholds_it() -> None:
    """The loss of a provisional finding stands with the reason beside it; of a withheld one nothing is booked."""
    world = World()
    world.add_days(1, CLEAN)
    world.add_days(CLEAN + 1, CLEAN + 1, coupon_loss=0.6, verdict="warn")
    day = world.day(CLEAN + 1)
    reason = {
        "key": "family_growing",
        "subject": "order",
        "observed": "growing",
        "expected": "delivered",
        "severity": "warn",
    }
    world.warehouse.execute(
        "update quality.day_verdict set reasons = $reasons where business_date = $day",
        reasons=json.dumps([reason]),
        day=day,
    )
    world.diagnose(CLEAN + 1, CLEAN + 1)
    finding = only_finding(world, CLEAN + 1)
    assert (finding["status"], finding["status_reason"]) == ("provisional", "order: growing")
    assert finding["lost_orders"] > 0
    world.warehouse.execute(
        "insert into quality.slice_warnings values "
        "($day, 'marts.checkout_cube', 'volume', 'coupon', 'WELCOME10', '30 rows', '300 rows')",
        day=day,
    )
    world.diagnose(CLEAN + 1, CLEAN + 1)
    finding = only_finding(world, CLEAN + 1)
    assert (finding["status"], finding["fault_class"]) == ("withheld", "tracking_lost")
    assert finding["status_reason"] == "volume: 30 rows (expected: 300 rows)"
    assert (finding["lost_orders"], finding["lost_amount_high"]) == (0, 0)


def test_a_failing_diagnosis_records_why_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.add_days(1, CLEAN)
    monkeypatch.setattr("funnelscope.diagnosis.daily_diagnosis.scan_steps", lambda *_: 1 / 0)
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


def test_a_table_of_an_older_version_gets_its_new_columns_and_keeps_its_rows() -> None:
    world = World()
    world.add_days(1, 2)
    world.diagnose(1, 2)
    for name in ("reason", "compared_with"):
        world.warehouse.execute(f"alter table diagnosis.days drop column {name}")
    create_tables(world.warehouse)
    (day,) = world.rows("days", 2)
    assert (day["state"], day["reason"]) == ("no_baseline", None)
    stored = read_diagnosis(world.warehouse.connection, world.day(2))
    assert stored.reason == quote_text(str(day["why"]))


def test_a_day_read_back_is_what_was_stored(broken_coupon: World) -> None:
    stored = read_diagnosis(broken_coupon.warehouse.connection, broken_coupon.day(CLEAN + 1))
    (finding,) = stored.findings
    row = only_finding(broken_coupon, CLEAN + 1)
    assert finding.slice == {"coupon": "WELCOME10"}
    assert encode_record(finding) == tuple(row[column.name] for column in list_columns(FindingRecord))
