"""The diagnosis at its limits: the day, the share, the number from which on it says something else."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diagnosis_world import World, settings_of

from funnelscope.diagnosis.baseline import (
    build_flagged_condition,
    build_slice_condition,
    estimate_leaves,
    load_cube_day,
)
from funnelscope.diagnosis.change_detection import measure_change
from funnelscope.diagnosis.comparable_days import ComparableDays, find_comparable_days, find_promotion_day
from funnelscope.diagnosis.creative_relevance import judge_relevance
from funnelscope.diagnosis.data_faults import find_gate_warnings, is_bot_flood
from funnelscope.diagnosis.evidence import find_change_log_entries, find_moved_series
from funnelscope.diagnosis.fault_classes import FAULT_CLASSES, classify_fault, find_object_to_open
from funnelscope.diagnosis.finding_assembly import find_first_day
from funnelscope.diagnosis.loss_estimate import estimate_loss_per_pass
from funnelscope.diagnosis.overdispersion import learn_overdispersion
from funnelscope.diagnosis.playbook import get_table_playbook
from funnelscope.diagnosis.rate_decomposition import decompose_amount, decompose_rate
from funnelscope.diagnosis.steps import STEPS, FunnelStep

DAY = date(2026, 6, 30)
FILLED = (
    *("quality.day_verdict", "diagnosis.slice_days", "diagnosis.findings", "diagnosis.visible_drops"),
    *("staging.order_events", "intermediate.session_funnel", "marts.daily_summary", "marts.refund_ages"),
    *("staging.page_events", "staging.service_events", "intermediate.inquiries"),
    *("marts.landing_cube", "marts.decision_cube", "marts.checkout_cube", "marts.product_cube"),
)


@pytest.fixture(scope="module")
def only_world() -> World:
    return World(size=4_000)


@pytest.fixture
def world(only_world: World) -> World:
    """A shop without days: its tables are made once."""
    for table in FILLED:
        only_world.warehouse.execute(f"delete from {table}")
    return only_world


def step_of(cube: str, name: str = "") -> FunnelStep:
    return next(step for step in STEPS if step.cube == cube and name in ("", step.name))


# --- With which days a day is compared ------------------------------------------------------------


def judged(world: World, verdicts: Mapping[date, str], **options: Any) -> ComparableDays:
    world.warehouse.execute("delete from quality.day_verdict")
    for day, verdict in verdicts.items():
        world.warehouse.execute(
            "insert into quality.day_verdict values ($day, $verdict, '[]')", day=day, verdict=verdict
        )
    return find_comparable_days(world.warehouse, settings_of(**options), DAY)


def days_before(*numbers: int) -> dict[date, str]:
    return {DAY - timedelta(days=number): "pass" for number in numbers}


def test_twenty_eight_good_days_make_a_baseline_and_one_less_does_not(world: World) -> None:
    enough = judged(world, days_before(*range(0, 29)))
    assert (enough.state, enough.reason, len(enough.days)) == ("diagnosed", None, 28)
    assert get_table_playbook().describe_comparison(enough.compared_with) == "regular days"
    short = judged(world, days_before(*range(0, 28)))
    assert (short.state, len(short.days)) == ("no_baseline", 27)
    assert short.reason is not None
    assert get_table_playbook().describe_reason(short.reason).startswith("27 ")


def test_the_latest_good_days_are_taken_oldest_first_and_the_day_itself_is_none_of_them(world: World) -> None:
    compared = judged(
        world, days_before(*range(0, 40)) | {DAY - timedelta(days=3): "blocked", DAY - timedelta(days=5): "warn"}
    )
    four_of_each_weekday = [31, *(number for number in range(28, 0, -1) if number != 3)]
    wanted = [DAY - timedelta(days=number) for number in four_of_each_weekday]
    assert list(compared.days) == wanted


def test_days_of_a_quarter_count_and_those_before_it_or_before_the_opening_do_not(world: World) -> None:
    at_the_limit = judged(world, days_before(0, *range(1, 28), 91))
    assert (at_the_limit.state, at_the_limit.days[0]) == ("diagnosed", DAY - timedelta(days=91))
    beyond = judged(world, days_before(0, *range(1, 28), 92))
    assert (beyond.state, len(beyond.days)) == ("no_baseline", 27)
    history = judged(world, days_before(0, *range(1, 28)) | {DAY - timedelta(days=28): "history"})
    assert history.state == "no_baseline"


def test_a_blocked_day_is_withheld_whatever_lies_before_it(world: World) -> None:
    compared = judged(world, days_before(*range(1, 40)) | {DAY: "blocked"})
    assert (compared.state, compared.days) == ("withheld", ())


def sale(starts: Any, ends: Any, name: str = "sale", phase: str = "main") -> dict[str, Any]:
    return {"name": name, "phase": phase, "from": starts, "to": ends}


@pytest.mark.parametrize(
    ("hours", "other", "is_alike"),
    [
        (18, {}, True),
        (17, {}, False),
        (24, {"name": "another"}, False),
        (24, {"phase": "after"}, False),
        (24, {}, True),
    ],
)
def test_a_promotion_may_be_shifted_by_six_hours_and_is_compared_with_its_own_like(
    world: World, hours: int, other: dict[str, str], is_alike: bool
) -> None:
    earlier = DAY - timedelta(days=400)
    calendar = [sale(DAY, DAY), sale(f"{earlier} {24 - hours:02}:00", earlier, **other)]
    compared = judged(world, days_before(0, 400, 401, *range(1, 40)), calendar=calendar)
    assert compared.twins == ((earlier,) if is_alike else ())
    assert compared.state == "diagnosed"
    assert compared.regular_days == tuple(DAY - timedelta(days=number) for number in range(28, 0, -1))
    assert compared.rate_days == compared.regular_days


def test_the_last_time_counts_and_two_years_are_remembered(world: World) -> None:
    twins = [DAY - timedelta(days=number) for number in (731, 600, 732, 733)]
    calendar = [sale(DAY, DAY), *(sale(day, day) for day in twins)]
    compared = judged(world, days_before(0, 600, 731, 732), calendar=calendar)
    assert compared.days == (twins[1],)
    oldest = judged(world, days_before(0, 732), calendar=calendar)
    assert oldest.days == (twins[2],)
    forgotten = judged(world, days_before(0, 733), calendar=calendar)
    assert forgotten.state == "not_comparable"


def test_a_day_belongs_to_the_phase_that_covers_most_of_it() -> None:
    calendar = settings_of(
        calendar=[
            sale("2026-06-01 00:00", "2026-06-02 10:00", phase="preheat"),
            sale("2026-06-02 10:00", "2026-06-03 11:59"),
        ]
    ).calendar
    told = [find_promotion_day(calendar, date(2026, 6, number)) for number in range(1, 5)]
    assert [each and (each.phase, each.number, round(each.hours, 2)) for each in told] == [
        ("preheat", 1, 24),
        ("main", 1, 14),
        ("main", 2, 11.98),
        None,
    ]
    assert find_promotion_day(calendar, date(2026, 5, 31)) is None
    eve = settings_of(calendar=[sale("2026-06-02 12:00", "2026-06-04")]).calendar
    numbers = [find_promotion_day(eve, date(2026, 6, number)) for number in (2, 3, 4, 5)]
    assert [each and each.number for each in numbers] == [0, 1, 2, None]
    before_noon = settings_of(calendar=[sale("2026-06-02 11:00", "2026-06-04")]).calendar
    assert [each and each.number for each in (find_promotion_day(before_noon, date(2026, 6, 2)),)] == [1]


# --- What is usual -------------------------------------------------------------------------------


def write_slice_days(world: World, step: FunnelStep, rates: Mapping[date, float], entered: int = 100_000) -> None:
    for day, rate in rates.items():
        for dimension, value, size in (("all", "all", 1.0), ("device", "ios", 0.4), ("device", "android", 0.6)):
            world.warehouse.execute(
                "insert into diagnosis.slice_days by name select $day as business_date, $cube as cube, $step as step, "
                "$dimension as dimension, $value as value, $entered as entered, $passed as passed",
                day=day, cube=step.cube, step=step.name, dimension=dimension, value=value,
                entered=round(entered * size), passed=round(entered * size * rate),
            )  # fmt: skip


def test_the_usual_of_a_weekday_is_drawn_to_the_mean_by_what_weekdays_differ_beyond_chance(world: World) -> None:
    """Sundays are 20 % up; what is left of that is (between) / (between + within / days)."""
    step = step_of("landing_cube")
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    wobble = {day: 1 + 0.02 * ((number * 7) % 5 - 2) for number, day in enumerate(days)}
    rates = {day: 0.5 * (1.2 if day.weekday() == 6 else 1.0) * wobble[day] for day in days}
    write_slice_days(world, step, rates)
    sunday = learn_overdispersion(world.warehouse, date(2026, 7, 5), days).steps[step.key].weekday_level
    monday = learn_overdispersion(world.warehouse, date(2026, 6, 29), days).steps[step.key].weekday_level
    moves = pd.Series({day: rate / (sum(rates.values()) / 28) - 1 for day, rate in rates.items()}) * 28 / 27
    groups = moves.groupby([day.weekday() for day in moves.index])
    within = groups.var().mean()
    between = max(groups.mean().var() - within / 4, 0)
    weight = between / (between + within / 4)
    assert 0.5 < weight < 0.995
    assert sunday == pytest.approx(1 + groups.mean()[6] * weight, abs=1e-4)
    assert monday == pytest.approx(1 + groups.mean()[0] * weight, abs=1e-4)
    assert 1.12 < sunday < 1.2 / (8.2 / 8)
    assert monday < 1


def test_weekdays_that_differ_by_chance_alone_are_all_the_same_day(world: World) -> None:
    step = step_of("landing_cube")
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    write_slice_days(world, step, {day: 0.5 * (1 + 0.1 * (-1) ** (number // 7)) for number, day in enumerate(days)})
    assert learn_overdispersion(world.warehouse, DAY, days).steps[step.key].weekday_level == pytest.approx(1)


@pytest.mark.parametrize(
    ("size", "slice_overdispersion", "whole_overdispersion"),
    [(0.0, 0.012, 0.0127), (0.03, 0.031, 0.0329), (0.3, 0.06, 0.328)],
)
def test_noise_is_what_days_move_beyond_chance_within_its_bounds(
    world: World, size: float, slice_overdispersion: float, whole_overdispersion: float
) -> None:
    step = step_of("landing_cube")
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    write_slice_days(world, step, {day: 0.4 * (1 + size * (-1) ** n) for n, day in enumerate(days)}, 10_000_000)
    learnt = learn_overdispersion(world.warehouse, DAY, days)
    noise = learnt.steps[step.key]
    assert noise.slice_overdispersion == pytest.approx(slice_overdispersion, rel=0.02)
    assert noise.whole_overdispersion == pytest.approx(whole_overdispersion, rel=0.02)
    assert learnt.scale == 1.0, "fewer than a thousand residuals calibrate nothing"
    short = learn_overdispersion(world.warehouse, DAY, days[:13]).steps[step.key]
    assert (short.slice_overdispersion, short.whole_overdispersion) == (0.012, 0.012)


def test_what_earlier_findings_name_is_no_part_of_the_usual_for_four_weeks(world: World) -> None:

    def condition(since: int, cube: str = "landing_cube", kind: str = "landing_loss", status: str = "confirmed") -> str:
        world.warehouse.execute("delete from diagnosis.findings")
        world.warehouse.execute(
            "insert into diagnosis.findings by name select $day as business_date, $since as since_date, "
            "'a' as finding_id, $cube as cube, $kind as fault_class, $status as status, "
            "'{\"device\": \"ios\"}' as slice",
            day=DAY - timedelta(days=1), since=DAY - timedelta(days=since), cube=cube, kind=kind, status=status,
        )  # fmt: skip
        return build_flagged_condition(world.warehouse, "landing_cube", DAY)

    named = condition(28)
    assert build_slice_condition({"device": "ios"}) in named
    assert f"date '{DAY - timedelta(days=28)}' and date '{DAY - timedelta(days=1)}'" in named
    assert condition(29) == "false"
    assert condition(5, status="recovered") == "false"
    assert condition(5, cube="decision_cube") == "false"
    assert condition(5, cube="decision_cube", kind="bot_flood") != "false"
    assert condition(5, cube="decision_cube", kind="tracking_lost") != "false"
    assert build_flagged_condition(world.warehouse, "landing_cube", DAY - timedelta(days=1)) == "false"
    assert build_slice_condition({}) == "true"
    assert build_slice_condition({"page": "l'été", "device": "ios"}).count(" and ") == 1
    assert "l''été" in build_slice_condition({"page": "l'été"})


def test_a_dimension_that_determines_another_but_for_its_unnamed_values_is_known_to(world: World) -> None:
    """Campaigns have one audience each; what has no campaign comes from both."""
    campaigns = (
        "(values ('k1', 'a1'), ('k2', 'a2'), ('k3', 'a1'), ('none', 'a1'), ('none', 'a2')) as c(campaign, audience)"
    )
    for day in (DAY, DAY - timedelta(days=1)):
        world.warehouse.execute(
            "insert into marts.landing_cube by name select $day as business_date, campaign, audience, 'x' as channel, "
            "'r' || region as region, 'd' || device as device, 9 as sessions, 4 as reached_qualified_product_view "
            f"from {campaigns}, range(10) as r(region), range(3) as d(device)",
            day=day,
        )
    loaded = load_cube_day(world.warehouse, "landing_cube", DAY, [DAY - timedelta(days=1)])
    assert loaded.hierarchy["campaign"] == ("channel", "audience")
    assert "region" not in loaded.hierarchy
    assert len(loaded.frame) == 150
    leaves = estimate_leaves(step_of("landing_cube"), loaded, 1.0)
    assert leaves["expected"].to_numpy() == pytest.approx(np.full(150, 4.0))
    assert estimate_leaves(step_of("landing_cube"), loaded, 1.2)["expected"].to_numpy() == pytest.approx(
        np.full(150, 4.8)
    )


# --- Alarms, robots, warnings --------------------------------------------------------------------


def test_the_strength_of_a_drift_is_the_shiryaev_roberts_recursion(world: World) -> None:
    step = step_of("landing_cube")
    days = [DAY - timedelta(days=number) for number in range(4, 0, -1)]
    for day, z in zip(days, (-1.0, 0.5, -2.0, -1.5), strict=True):
        for dimension, cube in (("all", step.cube), ("device", step.cube), ("all", "decision_cube")):
            world.warehouse.execute(
                "insert into diagnosis.visible_drops by name select $day as business_date, $cube as cube, "
                "$step as step, $dimension as dimension, $z as z",
                day=day, cube=cube, step=step.name, dimension=dimension, z=z,
            )  # fmt: skip
    strength = 0.0
    for z in (-1.0, 0.5, -2.0, -1.5, -3.0):
        strength = (1 + strength) * np.exp(-0.5 * z - 0.125)
    threshold = 1000 * len(STEPS)
    assert measure_change(world.warehouse, step, days, -3.0) == pytest.approx(strength / threshold)
    assert measure_change(world.warehouse, step, days[:1], -3.0) == pytest.approx(
        (1 + np.exp(0.5 - 0.125)) * np.exp(1.5 - 0.125) / threshold
    )


@pytest.mark.parametrize(
    ("entered", "passed", "is_so"),
    [(140, 20, True), (139, 20, False), (200, 23, True), (200, 24, False), (200, 12, True), (200, 11, False)],
)
def test_robots_are_four_tenths_more_entries_with_about_as_many_passes(entered: int, passed: int, is_so: bool) -> None:
    assert is_bot_flood(entered, passed, 100, 20) == is_so


def test_warnings_touch_their_own_cube_and_every_cube_where_they_are_about_events(world: World) -> None:
    places = (
        ("family_growing", "order", ""),
        ("contract", "marts.landing_cube: grain", "marts.landing_cube"),
        ("expectation", "staging.page_events: rows", "staging.page_events"),
    )
    reasons = json.dumps(
        [
            {"key": key, "subject": subject, "observed": "odd", "expected": "", "severity": "warn", "table": table}
            for key, subject, table in places
        ]
    )
    world.warehouse.execute("insert into quality.day_verdict values ($day, 'warn', $reasons)", day=DAY, reasons=reasons)
    other = DAY - timedelta(days=1)
    world.warehouse.execute(
        "insert into quality.day_verdict values ($day, 'pass', $reasons)", day=other, reasons=reasons
    )

    def told(day: date, cube: str) -> list[str]:
        return [
            str(each.values.get("table") or each.values["family"])
            for each in find_gate_warnings(world.warehouse, day, cube)
        ]

    assert told(DAY, "landing_cube") == ["order", "marts.landing_cube", "staging.page_events"]
    assert told(DAY, "decision_cube") == ["order", "staging.page_events"]
    assert told(other, "landing_cube") == []


@pytest.mark.parametrize(("level", "wanted"), [(0.99, None), (0.93, "slow_drift"), (0.6, "checkout_loss")])
def test_a_whole_step_that_is_off_for_long_drifts_and_one_that_fails_today_is_lost(
    world: World, level: float, wanted: str | None
) -> None:
    world.add_days(1, 29)
    for number in range(1, 29):
        world.warehouse.execute(
            "insert into diagnosis.visible_drops by name select $day as business_date, 'decision_cube' as cube, "
            "'order' as step, 'all' as dimension, -1.5 as z",
            day=world.day(number),
        )
    world.warehouse.execute(
        "update marts.decision_cube set reached_order = round(reached_checkout * case when business_date < $day "
        "then 0.8 + 0.05 * (day(business_date) % 2) else 0.825 * $level end)",
        level=level,
        day=world.day(29),
    )
    world.diagnose(29, 29)
    found = world.rows("findings", 29)
    assert [(row["slice"], row["fault_class"]) for row in found] == ([("{}", wanted)] if wanted else [])
    for row in found:
        assert row["effect"] == pytest.approx(level - 1, abs=0.03)
        assert (row["object_kind"], row["object_name"]) == ("stage", "decision")


def test_a_failing_diagnosis_says_where_it_failed(world: World) -> None:
    world.add_days(1, 29)
    for old, new in (("checkouts", "gone"), ("gone", "checkouts")):
        world.warehouse.execute(f"alter table marts.checkout_cube rename column {old} to {new}")
        world.diagnose(29, 29)
        state, why = world.state(29)
        assert state == ("failed" if new == "gone" else "diagnosed")
        assert ("(execute, line " in str(why)) == (new == "gone")


# --- Evidence ------------------------------------------------------------------------------------


def rated(world: World, ratings: Mapping[date, float]) -> None:
    for day, rating in ratings.items():
        world.warehouse.execute(
            "insert into staging.order_events by name select $day as business_date, 'reviewed' as event_type, "
            "'P1' as product_id, ($rating * 10 + value % 2 * 2 - 1)::INTEGER as rating from range(10) as t(value)",
            day=day, rating=rating,
        )  # fmt: skip


def test_a_move_begins_on_the_first_day_that_is_nearer_to_it_than_to_the_usual(world: World) -> None:
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    usual = {day: 4.0 + 0.2 * (number % 2) for number, day in enumerate(days)}
    rated(world, usual | {days[-2]: 3.9, days[-1]: 3.82, DAY: 3.6})
    (found,) = find_moved_series(world.warehouse, "cart", {"product_id": "P1"}, DAY, days)
    assert found.since_date == days[-1]


def test_messages_that_stopped_have_stopped_since_their_last_day(world: World) -> None:
    """No message is no row, and its day is no gap."""
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    for day in days[:-2]:
        world.warehouse.execute(
            "insert into staging.service_events by name select $day as business_date, 'care_sent' as event_type "
            "from range(10)",
            day=day,
        )
    (found,) = find_moved_series(world.warehouse, "purchased", {}, DAY, days)
    assert (found.name, found.today, found.since_date) == ("care_sent", 0.0, days[-2])


@pytest.mark.parametrize("moved_together", [1.0, 0.7])
def test_what_moved_the_whole_step_before_is_no_part_of_the_move_of_a_slice(
    world: World, moved_together: float
) -> None:
    """A sale, or a weekday, took three tenths from every coupon the day before one of them broke."""
    orders = {
        3: (500, 500),
        2: (round(500 * moved_together), round(500 * moved_together)),
        1: (350, 500),
        0: (350, 500),
    }
    for number, counts in orders.items():
        for coupon, ordered in zip(("A", "B"), counts, strict=True):
            world.warehouse.execute(
                "insert into marts.checkout_cube by name select $day as business_date, $coupon as coupon, "
                "1000 as checkouts, $ordered as ordered",
                day=DAY - timedelta(days=number), coupon=coupon, ordered=ordered,
            )  # fmt: skip
    step = step_of("checkout_cube", "order")
    since = find_first_day(world.warehouse, step, {"coupon": "A"}, theta=0.7, rate=0.5, day=DAY)
    assert since == DAY - timedelta(days=1)


@pytest.mark.parametrize(("today", "is_told"), [(3.5, True), (3.65, False), (3.9, False), (4.7, False)])
def test_a_series_has_moved_by_three_deviations_and_a_tenth_to_the_worse(
    world: World, today: float, is_told: bool
) -> None:
    """The usual is 4.0 or 4.2 in turn: mean 4.1, deviation 0.1, a tenth 0.41."""
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    rated(world, {day: 4.0 + 0.2 * (number % 2) for number, day in enumerate(days)} | {DAY: today})
    found = find_moved_series(world.warehouse, "cart", {"product_id": "P1"}, DAY, days)
    assert [row.name for row in found] == (["product_rating"] if is_told else [])
    if is_told:
        assert found[0].usual == pytest.approx(41, abs=0.3)
        assert found[0].z == pytest.approx(-6, rel=0.15)
        assert found[0].since_date == DAY


def test_a_series_is_asked_of_its_steps_and_of_slices_that_it_can_be_measured_in(world: World) -> None:
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    rated(world, dict.fromkeys(days, 4.0) | {DAY: 2.0})

    def told(step: str, **slice_: str) -> int:
        return len(find_moved_series(world.warehouse, step, slice_, DAY, days))

    assert told("cart", product_id="P1") == 1
    assert told("cart", product_id="P2") == 0
    assert told("cart", product_id="P1", device="ios") == 1
    assert told("cart", device="ios") == 0
    assert told("cart") == 0
    assert told("order", product_id="P1") == 0


def write_operations(world: World, day: date, bad: int) -> None:
    """Ten of everything on the day, of which `bad` are as they should not be; robots are never counted."""
    sessions = (
        "insert into intermediate.session_funnel by name select $day as business_date, session as session_id, "
        "$is_human as is_human, 'ios' as device, 'feed' as channel, 'WELCOME10' as checkout_coupon, "
        "session >= $bad as observed_second_interaction, true as reached_second_interaction, "
        "case when session < $bad then 3000 else 1000 end as first_screen_ms from range(10) as t(session)"
    )
    execute = world.warehouse.execute
    execute(sessions, day=day, bad=bad, is_human=True)
    execute(sessions.replace("session as", "session + 100 as"), day=day, bad=10, is_human=False)
    for kind, first, last, product in (
        ("checkout_start", 0, 10, None), ("coupon_error", 0, bad, None), ("payment_failed", 0, bad, None),
        ("product_view", 0, 10, "P1"), ("product_view", 0, 10, "P2"),
    ):  # fmt: skip
        execute(
            "insert into staging.page_events by name select $day as business_date, number as session_id, "
            "$kind as event_type, 'WELCOME10' as coupon, $product as product_id, "
            "case when number < $bad and $product = 'P1' then 'out' else 'in' end as stock_state "
            "from range($first, $last) as t(number)",
            day=day, kind=kind, first=first, last=last, product=product, bad=bad,
        )  # fmt: skip
    execute(
        "insert into intermediate.inquiries by name select $day as business_date, 'Li' as agent, "
        "case when number < $bad then 181 else 180 end as first_response_seconds from range(10) as t(number)",
        day=day, bad=bad,
    )  # fmt: skip
    for kind in ["care_sent"] * (10 - bad) + ["message"] * bad:
        execute(
            "insert into staging.service_events by name select $day as business_date, $kind as event_type",
            day=day, kind=kind,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "step", "slice_", "usual", "today"),
    [
        ("first_screen_ms", "qualified_product_view", {"device": "ios"}, 1000, 3000),
        ("session_bounce_rate", "favorite_or_cart", {"device": "ios"}, 0.2, 0.8),
        ("coupon_error_rate", "order", {"coupon": "WELCOME10"}, 0.2, 0.8),
        ("payment_failure_rate", "paid", {"channel": "feed"}, 0.2, 0.8),
        ("reply_within_3min_rate", "paid_inquiry", {"agent": "Li"}, 0.8, 0.2),
        ("out_of_stock_rate", "cart", {"product_id": "P1"}, 0.2, 0.8),
        ("care_sent", "purchased", {}, 8, 2),
    ],
)
def test_an_operational_series_is_measured_as_its_name_says(
    world: World, name: str, step: str, slice_: dict[str, str], usual: float, today: float
) -> None:
    days = [DAY - timedelta(days=number) for number in range(10, 0, -1)]
    for day in days:
        write_operations(world, day, 2)
    write_operations(world, DAY, 8)
    found = {row.name: row for row in find_moved_series(world.warehouse, step, slice_, DAY, days)}
    assert (found[name].usual, found[name].today) == pytest.approx((usual, today))
    assert (found[name].z > 0) == (today > usual)
    assert found[name].since_date == DAY
    if name == "first_screen_ms":
        assert "session_bounce_rate" in found
    assert not find_moved_series(world.warehouse, step, slice_, days[-1], days[:-1])


def test_no_care_message_at_all_is_none_sent(world: World) -> None:
    days = [DAY - timedelta(days=number) for number in range(10, 0, -1)]
    for day in days:
        write_operations(world, day, 2)
    (found,) = find_moved_series(world.warehouse, "purchased", {}, DAY, days)
    assert (found.name, found.today, found.usual) == ("care_sent", 0, 8)


def test_a_series_of_half_the_usual_days_is_known_and_of_fewer_it_is_not(world: World) -> None:
    days = [DAY - timedelta(days=number) for number in range(28, 0, -1)]
    earlier = days[:21]  # the last week is not asked
    for known, is_told in ((11, True), (10, False)):
        world.warehouse.execute("delete from staging.order_events")
        rated(world, dict.fromkeys(earlier[:known], 4.0) | {DAY: 2.0})
        assert bool(find_moved_series(world.warehouse, "cart", {"product_id": "P1"}, DAY, days)) == is_told


def test_entries_of_the_change_log_count_from_a_week_before_the_move_to_the_day() -> None:
    since = DAY - timedelta(days=2)
    dates = [since - timedelta(days=8), since - timedelta(days=7), DAY, DAY + timedelta(days=1)]
    log = [{"date": day, "kind": "price", "object": "P1", "note": f"note {n}"} for n, day in enumerate(dates)]
    log += [{"date": DAY, "kind": "page", "object": "P2"}, {"date": since, "kind": "page", "object": "P1"}]
    found = find_change_log_entries(settings_of(change_log=log), {"product_id": "P1", "device": "ios"}, since, DAY)
    assert [(row.since_date, row.note) for row in found] == [
        (dates[1], "P1: note 1"),
        (dates[2], "P1: note 2"),
        (since, "P1"),
    ]
    assert {json.dumps(row.slice) for row in found} == {'{"device": "ios", "product_id": "P1"}'}


def test_a_match_of_creative_and_page_is_judged_from_fifty_sessions_on(world: World) -> None:
    frame = [("c1", "a", 50, 25), ("c1", "b", 400, 40), ("c2", "a", 400, 40), ("c2", "b", 400, 200), ("c3", "a", 49, 5)]
    frame += [("none", "a", 500, 0)]
    for creative, page, sessions, engaged in frame:
        world.warehouse.execute(
            "insert into intermediate.session_funnel by name select $day as business_date, true as is_human, "
            "$creative as creative, $page as landing_page, true as observed_three_seconds, "
            "number < $engaged as observed_second_interaction, true as reached_three_seconds "
            "from range($sessions) as t(number)",
            day=DAY, creative=creative, page=page, sessions=sessions, engaged=engaged,
        )  # fmt: skip
    cells = {
        (row.creative, row.landing_page): row
        for row in judge_relevance(world.warehouse, DAY, ())
        if row.grain == "creative"
    }
    assert set(cells) == {(creative, page) for creative, page, *_ in frame if creative != "none"}
    assert cells["c3", "a"].judgement == "too_thin"
    assert cells["c1", "a"].judgement != "too_thin"
    assert cells["c2", "a"].judgement == cells["c1", "b"].judgement == "bad_match"
    assert cells["c2", "b"].judgement != "bad_match"
    for (creative, page), row in cells.items():
        (sessions, engaged) = next((s, e) for c, p, s, e in frame if (c, p) == (creative, page))
        assert (row.sessions, row.engaged, row.engaged_rate) == (sessions, engaged, engaged / sessions)
        assert row.interaction_low < row.interaction < row.interaction_high
        assert (row.interaction > 0) == (row.engaged_rate > row.expected_rate)
    assert [row.creative for row in judge_relevance(world.warehouse, DAY, ()) if row.grain == "origin"] == [
        "none",
        "none",
    ]


@pytest.mark.parametrize(
    ("segment", "slice_", "moved", "wanted"),
    [
        ("arrival", {"device": "ios"}, {"first_screen_ms"}, "arrival_loss"),
        ("purchased", {}, {"care_sent"}, "care_stopped"),
        ("purchased", {"product_id": "P"}, set(), "repurchase_loss"),
        ("favorite_or_cart", {"product_id": "P"}, {"out_of_stock_rate", "product_rating"}, "out_of_stock"),
        ("favorite_or_cart", {"product_id": "P"}, {"product_rating"}, "bad_reviews"),
        ("favorite_or_cart", {"product_id": "P"}, set(), "product_loss"),
        ("favorite_or_cart", {"product_id": "none"}, set(), "decision_loss"),
        ("checkout", {"agent": "A"}, {"first_response_seconds"}, "late_answers"),
        ("checkout", {"team": "A"}, {"reply_within_3min_rate"}, "late_answers"),
        ("checkout", {"shift": "A"}, set(), "service_loss"),
        ("qualified_product_view", {"campaign": "c"}, {"first_screen_ms"}, "slow_first_screen"),
        ("qualified_product_view", {"campaign": "c"}, set(), "creative_mismatch"),
        ("qualified_product_view", {"creative": "unknown"}, set(), "landing_loss"),
        ("favorite_or_cart", {"creative": "c"}, set(), "creative_mismatch"),
        ("favorite_or_cart", {"device": "ios"}, set(), "decision_loss"),
        ("order", {"coupon": "C"}, set(), "broken_coupon"),
        ("order", {"coupon": "none"}, set(), "checkout_loss"),
        ("paid", {"payment_provider": "p"}, set(), "payment_outage"),
        ("paid", {"device": "ios"}, {"payment_failure_rate"}, "payment_outage"),
        ("paid", {"device": "ios"}, set(), "payment_loss"),
        ("checkout", {"device": "ios"}, {"first_screen_ms"}, "decision_loss"),
    ],
)  # fmt: skip
def test_every_class_has_its_signs(segment: str, slice_: dict[str, str], moved: set[str], wanted: str) -> None:
    assert wanted in FAULT_CLASSES
    assert classify_fault(segment, slice_, moved) == wanted


def test_the_object_to_open_has_a_name() -> None:
    assert find_object_to_open("decision", {"coupon": "none", "channel": "feed"}) == ("channel", "feed")
    assert find_object_to_open("decision", {"device": "ios"}) == ("device", "ios")
    assert find_object_to_open("decision", {"campaign": "unknown"}) == ("campaign", "unknown")


# --- What a loss costs, and where a change comes from --------------------------------------------


def test_a_pass_is_worth_its_own_rate_drawn_to_the_shops_by_fifty_passes(world: World) -> None:
    world.add_days(1, 4)
    days = [world.day(number) for number in range(1, 4)]
    sums = world.warehouse.rows(
        "select sum(reached_paid)::DOUBLE, sum(sessions)::DOUBLE, sum(paid_amount)::DOUBLE, "
        "sum(reached_paid) filter (where device = 'ios')::DOUBLE, sum(sessions) filter (where device = 'ios')::DOUBLE, "
        "sum(paid_amount) filter (where device = 'ios')::DOUBLE "
        "from marts.decision_cube where business_date <= $last",
        last=days[-1],
    )[0]
    paid, sessions, amount, own_paid, own_sessions, own_amount = sums
    each = estimate_loss_per_pass(world.warehouse, step_of("landing_cube"), {"device": "ios"}, days, days[-1])
    rate = (own_paid + 50 * paid / sessions) / (own_sessions + 50)
    assert each.orders == pytest.approx(rate)
    chance = np.sqrt(rate * (1 - rate) / (own_sessions + 50))
    assert each.orders_deviation == pytest.approx(np.hypot(chance, 0.03 * rate))
    assert each.amount == pytest.approx((own_amount + 50 * amount / paid) / (own_paid + 50))
    assert each.kept == 1
    lost, spread = 40.0, 25.0
    luck = lost * rate * (1 - rate)
    assert each.variance(lost, spread) == pytest.approx(rate**2 * spread + (lost * each.orders_deviation) ** 2 + luck)
    assert each.variance(-lost, spread) == pytest.approx(each.variance(lost, spread))


def test_a_pass_of_a_step_is_worth_the_orders_that_it_leads_to(world: World) -> None:
    world.add_days(1, 3)
    days = [world.day(number) for number in range(1, 4)]

    def orders(cube: str, name: str = "") -> float:
        return estimate_loss_per_pass(world.warehouse, step_of(cube, name), {}, days, days[-1]).orders

    value = world.warehouse.value
    paid = value("select sum(reached_paid)::DOUBLE from marts.decision_cube")
    assert orders("payment_cube") == 1
    assert orders("decision_cube", "paid") == 1
    for name, column in (("favorite_or_cart", "reached_favorite_or_cart"), ("checkout", "reached_checkout")):
        assert orders("decision_cube", name) == pytest.approx(
            paid / value(f"select sum({column}) from marts.decision_cube")
        )
    landing = value("select sum(reached_qualified_product_view) / sum(sessions) from marts.landing_cube")
    qualified = value("select sum(sessions) from marts.decision_cube")
    assert orders("landing_cube") == pytest.approx(paid / qualified)
    assert orders("arrival_cube") == pytest.approx(landing * paid / qualified)
    assert orders("product_cube") == 0
    world.warehouse.execute(
        "insert into marts.product_cube by name select $day as business_date, 2 * $paid as carted",
        day=days[0],
        paid=paid,
    )
    each = estimate_loss_per_pass(world.warehouse, step_of("product_cube"), {}, days, days[-1])
    assert (each.orders, each.orders_deviation) == pytest.approx((0.5, 0.015))


@pytest.mark.parametrize(
    ("first_day", "refunded"), [(30, 0.15), (29, 0.07), (15, 0.07), (14, 0.03), (7, 0.03), (6, 0.0)]
)
def test_refunds_are_counted_at_the_greatest_age_that_the_days_have_reached(
    world: World, first_day: int, refunded: float
) -> None:
    """Of each day's amount 1 % comes back at once, 2 % within a week, 4 % within 15 days, 8 % within 30, more later."""
    for number in range(first_day - 3, first_day + 1):
        paid = DAY - timedelta(days=number)
        world.warehouse.execute(
            "insert into marts.daily_summary by name select $day as business_date, 1000 as paid_amount, "
            "0 as refunded_amount",
            day=paid,
        )
        for bucket, share in (("00", 10), ("07", 20), ("15", 40), ("30", 80), ("31", 160)):
            world.warehouse.execute(
                "insert into marts.refund_ages by name select $day as business_date, $paid as paid_date, "
                "$bucket as age_bucket, $share as amount",
                day=DAY - timedelta(days=1), paid=paid, bucket=f"{bucket}+", share=share,
            )  # fmt: skip
    world.warehouse.execute(
        "insert into marts.refund_ages by name select $day as business_date, $paid as paid_date, '00' as age_bucket, "
        "500 as amount",
        day=DAY + timedelta(days=1), paid=DAY - timedelta(days=first_day),
    )  # fmt: skip
    each = estimate_loss_per_pass(world.warehouse, step_of("payment_cube"), {}, [DAY - timedelta(days=40)], DAY)
    assert each.kept == pytest.approx(1 - refunded)


def test_mix_and_rate_of_a_change_by_hand() -> None:
    """Shares 0.5/0.5 become 0.25/0.75, rates 0.2/0.4 become 0.2/0.3: R 0.3 → 0.275."""
    change = decompose_rate(np.array([10, 20]), np.array([50, 50]), np.array([5, 22.5]), np.array([25, 75]))
    middle = (0.3 + 0.275) / 2
    assert change.mix == pytest.approx([-0.25 * (0.2 - middle), 0.25 * (0.35 - middle)])
    assert change.rate == pytest.approx([0, 0.625 * -0.1])
    assert change.total == pytest.approx(-0.025)
    gone = decompose_rate(np.array([10, 20]), np.array([50, 50]), np.array([0, 40]), np.array([0, 100]))
    assert gone.rate == pytest.approx([0, 0])
    assert gone.mix.sum() == pytest.approx(0.1)
    for empty in ((np.zeros(2), np.ones(2)), (np.ones(2), np.zeros(2))):
        with pytest.raises(ValueError, match="no rate"):
            decompose_rate(np.zeros(2), empty[0], np.zeros(2), empty[1])


def test_factors_by_hand() -> None:
    parts = decompose_amount(np.array([100, 0.5]), np.array([200, 0.25]))
    assert parts == pytest.approx([50 * np.log(2), -50 * np.log(2)])
    assert decompose_amount(np.array([2.0, 3.0]), np.array([4.0, 3.0])) == pytest.approx([6, 0])
    assert decompose_amount(np.array([0.0, 3.0]), np.array([4.0, 3.0])) == pytest.approx([12, 0])
    assert decompose_amount(np.array([4.0, 3.0]), np.array([0.0, 0.0])) == pytest.approx([-6, -6])
    assert decompose_amount(np.array([0.0, 3.0]), np.array([0.0, 3.0])) == pytest.approx([0, 0])
