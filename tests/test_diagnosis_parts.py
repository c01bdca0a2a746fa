"""The parts of the diagnosis: books that close, an alarm that keeps its rate, words in two languages, a change log."""

from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from diagnosis_world import World, settings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from funnelscope.diagnosis import change_detection
from funnelscope.diagnosis.change_detection import measure_change
from funnelscope.diagnosis.comparable_days import ComparableDays, find_comparable_days, find_promotion_day
from funnelscope.diagnosis.data_faults import DataFault, find_data_fault, is_bot_flood, widen_data_fault
from funnelscope.diagnosis.evidence import find_moved_series
from funnelscope.diagnosis.fault_classes import FAULT_CLASSES, classify_fault, find_object_to_open
from funnelscope.diagnosis.finding_selection import find_whole_step
from funnelscope.diagnosis.loss_estimate import estimate_loss_per_pass
from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.playbook import FaultText, load_playbook
from funnelscope.diagnosis.rate_decomposition import decompose_amount, decompose_rate
from funnelscope.diagnosis.records import FindingRecord, decode_records, encode_record, list_columns
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.diagnosis.step_scan import StepDay, find_robot_source
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis
from funnelscope.localization.scan import LocalizedSlice
from funnelscope.settings import SettingsError, load_settings

COUNTS = arrays(np.int64, 6, elements=st.integers(0, 10**6))
FACTORS = arrays(float, 5, elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)))


@given(COUNTS, COUNTS, arrays(float, 6, elements=st.floats(0, 1)), arrays(float, 6, elements=st.floats(0, 1)))
def test_mix_and_rate_add_up_to_the_change_of_the_rate(
    entered_usual: np.ndarray, entered_today: np.ndarray, usual: np.ndarray, today: np.ndarray
) -> None:
    if not entered_usual.sum() or not entered_today.sum():
        return
    passed_usual, passed_today = np.floor(entered_usual * usual), np.floor(entered_today * today)
    change = decompose_rate(passed_usual, entered_usual, passed_today, entered_today)
    total = passed_today.sum() / entered_today.sum() - passed_usual.sum() / entered_usual.sum()
    assert change.total == pytest.approx(total, abs=1e-12)
    assert change.mix.sum() + change.rate.sum() == pytest.approx(total, abs=1e-12)


@given(FACTORS, FACTORS)
@settings(max_examples=300)
def test_five_factors_add_up_to_the_change_of_the_amount_also_with_zeros(usual: np.ndarray, today: np.ndarray) -> None:
    first, second = float(np.prod(usual)), float(np.prod(today))
    assert decompose_amount(usual, today).sum() == pytest.approx(second - first, abs=1e-9 * max(first, second, 1.0))


def test_only_the_factor_that_moved_contributes() -> None:
    parts = decompose_amount(np.array([100, 0.5, 0.1, 1, 80.0]), np.array([100, 0.5, 0.08, 1, 80.0]))
    assert parts == pytest.approx([0, 0, -80, 0, 0])


def write_residuals(world: World, step: FunnelStep, residuals: np.ndarray) -> None:
    """What the whole step was off by, in standard deviations, from the first day on."""
    for number, z in enumerate(residuals, start=1):
        world.warehouse.execute(
            "insert into diagnosis.visible_drops by name select $day as business_date, $cube as cube, $step as step, "
            "'all' as dimension, $z as z",
            day=world.day(number),
            cube=step.cube,
            step=step.name,
            z=float(z),
        )


def test_a_slow_decline_sounds_the_alarm_and_noise_does_not() -> None:
    world = World()
    step, days = STEPS[1], [world.day(number) for number in range(1, 29)]
    random = np.random.default_rng(4)

    def strength(levels: np.ndarray) -> float:
        world.warehouse.execute("delete from diagnosis.visible_drops")
        write_residuals(world, step, levels)
        return measure_change(world.warehouse, step, days, float(levels[-1]))

    assert change_detection.DAYS_BETWEEN_FALSE_ALARMS >= 400
    assert max(strength(random.standard_normal(28)) for _ in range(20)) < 1
    assert strength(random.standard_normal(28) - np.linspace(0, 2.5, 28)) >= 1


def test_half_of_the_orders_without_a_session_are_lost_with_those_that_have_one() -> None:
    """No slice of sessions holds them, and which of them hang on sessions is not known."""
    world = World()
    world.add_days(1, 5)
    days = [world.day(number) for number in range(1, 6)]
    checkout = next(step for step in STEPS if step.cube == "checkout_cube")
    payment = next(step for step in STEPS if step.cube == "payment_cube")
    inquiry = next(step for step in STEPS if step.cube == "inquiry_cube")

    def orders(step: FunnelStep, **slice_: str) -> float:
        return estimate_loss_per_pass(world.warehouse, step, slice_, days, days[-1]).orders

    every_order_has_one = orders(checkout, coupon="WELCOME10")
    world.warehouse.execute("update marts.daily_summary set orders = 250, orders_with_session = 200")
    assert orders(checkout, coupon="WELCOME10") == pytest.approx(1.125 * every_order_has_one)
    assert orders(payment, payment_provider="alipay") == 1
    assert orders(payment, payment_provider="alipay", device="ios") == 1.125
    known = estimate_loss_per_pass(
        world.warehouse, payment, {"payment_provider": "alipay", "device": "ios"}, days, days[-1]
    )
    assert known.orders_deviation == pytest.approx(0.25 / 12**0.5)
    of_people = orders(inquiry, team="team_late")
    world.warehouse.execute("update marts.daily_summary set orders_with_session = null")
    assert orders(checkout, coupon="WELCOME10") == every_order_has_one
    assert orders(inquiry, team="team_late") == of_people
    world.warehouse.execute("update marts.daily_summary set orders_with_session = 20")
    assert orders(checkout, coupon="WELCOME10") == pytest.approx(1.5 * every_order_has_one)


def test_repurchase_is_asked_for_drifts_once_its_customers_of_180_days_are_complete() -> None:
    """Until then their number grows by itself, and the rate of purchases falls by itself."""
    world = World()
    step = next(step for step in STEPS if step.stage == "repurchase")
    days = [world.day(number) for number in range(1, 29)]
    write_residuals(world, step, np.full(28, -1.0))
    leaves = pd.DataFrame({"entered": [1000.0], "observed": [90.0], "expected": [100.0], "variance": [95.0]})
    step_day = StepDay(step, leaves, 0.05, 0.05, 1.0, 1.0, 0.0, ())
    compared = ComparableDays("diagnosed", tuple(days))

    def found(days_of_history: int) -> LocalizedSlice | None:
        return find_whole_step(step_day, world.warehouse, compared, days[0] - timedelta(days=days_of_history))

    assert found(179) is None
    drifting = found(180)
    assert drifting is not None
    assert drifting.effect == pytest.approx(-0.1)


def test_a_sale_that_begins_hours_earlier_is_compared_by_its_own_days_its_eve_and_another_sale_with_none() -> None:
    calendar = settings_of(
        calendar=[
            {"name": "sale", "phase": "opening", "from": date(2026, 3, 9), "to": date(2026, 3, 9)},
            {"name": "sale", "phase": "main", "from": date(2026, 3, 10), "to": date(2026, 3, 11)},
            {"name": "sale", "phase": "opening", "from": "2026-04-08 20:00", "to": "2026-04-09 20:00"},
            {"name": "sale", "phase": "main", "from": "2026-04-09 20:00", "to": "2026-04-11 20:00"},
            {"name": "another sale", "phase": "opening", "from": date(2026, 4, 13), "to": date(2026, 4, 13)},
        ]
    ).calendar

    def place(day: date) -> tuple[str, str, int] | None:
        found = find_promotion_day(calendar, day)
        return (found.name, found.phase, found.number) if found else None

    assert {day: place(date(2026, 4, day)) for day in range(7, 13)} == {
        7: None,
        8: ("sale", "opening", 0),
        9: ("sale", "opening", 1),
        10: ("sale", "main", 1),
        11: ("sale", "main", 2),
        12: None,
    }
    assert place(date(2026, 3, 9)) == ("sale", "opening", 1)
    world = World(settings=settings_of(calendar=[each.model_dump(by_alias=True) for each in calendar]))
    for number in range(1, 44):
        world.warehouse.execute("insert into quality.day_verdict values ($day, 'pass', '[]')", day=world.day(number))
    compared = {
        day: find_comparable_days(world.warehouse, world.settings, date(2026, 4, day)) for day in (8, 9, 11, 13)
    }
    assert [each.state for each in compared.values()] == ["diagnosed"] * 4
    assert [each.twins for each in compared.values()] == [(), (date(2026, 3, 9),), (date(2026, 3, 11),), ()]


def test_robots_who_are_found_by_where_they_landed_are_named_by_the_channel_that_landed_there() -> None:
    leaves = pd.DataFrame(
        {
            "channel": ["live_ads", "live_ads", "search", "search"],
            "entry_type": ["live", "home", "live", "home"],
            "is_returning": ["false", "false", "false", "true"],
            "entered": [1000, 20, 20, 5000],
        }
    )
    assert find_robot_source(leaves, {"entry_type": "live", "is_returning": "false"}) == {"channel": "live_ads"}
    assert find_robot_source(leaves, {"channel": "search", "is_returning": "false"}) == {"channel": "search"}
    assert find_robot_source(leaves, {"entry_type": "home"}) == {"channel": "search"}
    leaves.loc[1, "entered"] = 1000
    assert find_robot_source(leaves, {"entry_type": "home"}) == {"entry_type": "home"}


def test_robots_are_told_from_a_fault_by_passes_that_stay() -> None:
    assert is_bot_flood(entered=2500, passed=600, usual_entered=1000, usual_passed=600)
    assert not is_bot_flood(entered=1000, passed=240, usual_entered=1000, usual_passed=600)
    assert not is_bot_flood(entered=2500, passed=1500, usual_entered=1000, usual_passed=600)


@pytest.mark.parametrize(
    ("segment", "slice_", "moved", "expected"),
    [
        ("order", {"coupon": "A"}, set(), "broken_coupon"),
        ("order", {"coupon": "none"}, set(), "checkout_loss"),
        ("qualified_product_view", {"landing_page": "p"}, {"first_screen_ms"}, "slow_first_screen"),
        ("favorite_or_cart", {"campaign": "c"}, set(), "creative_mismatch"),
        ("favorite_or_cart", {"product_id": "1"}, {"product_rating"}, "bad_reviews"),
        ("checkout", {"team": "t"}, {"first_response_seconds"}, "late_answers"),
        ("paid", {"payment_provider": "p", "device": "android"}, set(), "payment_outage"),
        ("purchased", {}, {"care_sent"}, "care_stopped"),
    ],
)
def test_a_finding_is_classed_by_step_slice_and_what_moved(
    segment: str, slice_: dict[str, str], moved: set[str], expected: str
) -> None:
    assert classify_fault(segment, slice_, moved) == expected


def test_the_most_particular_object_is_the_one_to_open() -> None:
    assert find_object_to_open("landing", {"device": "ios", "landing_page": "p", "channel": "c"}) == (
        "landing_page",
        "p",
    )
    assert find_object_to_open("landing", {}) == ("stage", "landing")


def test_the_playbook_has_the_same_keys_in_both_languages_and_every_class() -> None:
    chinese, english = (load_playbook(settings_of(), language) for language in ("zh", "en"))
    for section in (each for each in fields(english) if each.name != "language"):
        assert set(getattr(chinese, section.name)) == set(getattr(english, section.name)), section.name
    for playbook in (chinese, english):
        assert set(playbook.classes) == set(FAULT_CLASSES)
        assert {step.stage for step in STEPS} == set(playbook.questions)


def test_a_shop_puts_its_own_next_step_into_the_playbook(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("en: {classes: {broken_coupon: {next_step: Call Ann.}}}", encoding="utf-8")
    playbook = load_playbook(settings_of(playbook=file), "en")
    assert playbook.classes["broken_coupon"] == FaultText("A coupon is refused", "Call Ann.")
    file.write_text("en: {classes: {broken_cupon: {next_step: Call Ann.}}}", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"broken_cupon is unknown; accepted: .*broken_coupon"):
        load_playbook(settings_of(playbook=file), "en")


def test_findings_are_told_in_both_languages() -> None:
    world = World()
    world.add_days(1, 30)
    world.add_days(31, 31, coupon_loss=0.6)
    world.diagnose(30, 31)
    diagnosis = read_diagnosis(world.warehouse.connection, world.day(31))
    english = "\n".join(narrate_diagnosis(diagnosis, world.settings, "en"))
    chinese = "\n".join(narrate_diagnosis(diagnosis, world.settings, "zh"))
    assert "A coupon is refused: coupon WELCOME10 (confirmed)" in english
    assert "优惠券结算被拒：优惠券 WELCOME10（已确认）" in chinese
    assert " p " not in english
    unknown = read_diagnosis(world.warehouse.connection, world.day(40))
    assert "has not been diagnosed" in narrate_diagnosis(unknown, world.settings, "en")[0]


def test_a_change_log_is_a_file_whose_mistakes_are_told_with_their_line(tmp_path: Path) -> None:
    config, log = tmp_path / "funnelscope.yaml", tmp_path / "log.csv"
    config.write_text(yaml.safe_dump({"shop": "s", "start_date": "2026-06-01", "change_log": "log.csv"}))
    log.write_text("date,kind,object,note\n2026-06-02,page,item_1,new picture\n", encoding="utf-8")
    (change,) = load_settings(config).changes
    assert (change.kind, change.object, change.note) == ("page", "item_1", "new picture")
    log.write_text("date,kind,object\n2026-06-02,pages,item_1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"log.csv, line 2: kind: 'pages'"):
        load_settings(config)


def test_steps_that_go_on_while_an_earlier_one_is_gone_are_a_data_fault_of_their_slice() -> None:
    world = World()
    for number in range(1, 16):
        is_lost = number == 15
        world.warehouse.execute(
            """
            insert into intermediate.session_funnel by name
            select $day as business_date, region, device, true as is_human, 3 as page_view_count,
                session % 2 = 0 as observed_order,
                session % 2 = 0 and not ($is_lost and region = 'north') as observed_checkout,
                false as observed_favorite_or_cart, true as observed_product_view, true as observed_second_interaction
            from range(100) as sessions(session), (values ('north'), ('south')) as regions(region),
                (values ('ios'), ('android')) as devices(device)
            """,
            day=world.day(number),
            is_lost=is_lost,
        )
    days = [world.day(number) for number in range(1, 15)]
    step = next(step for step in STEPS if (step.cube, step.name) == ("decision_cube", "order"))

    def fault(region: str) -> DataFault | None:
        return find_data_fault(world.warehouse, step, {"region": region}, world.day(15), days)

    values = {"today": 1.0, "usual": 0.0}
    assert fault("north") == DataFault(
        "order_without_checkout", StatedReason("order_without_checkout", values), **values
    )
    assert fault("south") is None
    found, slice_ = fault("north"), {"region": "north", "device": "ios"}
    assert found
    assert widen_data_fault(world.warehouse, step, slice_, found, world.day(15), days) == {"region": "north"}


@pytest.mark.parametrize(("sessions", "views_of_each", "is_fault"), [(100, 0, True), (300, 0, False), (100, 3, False)])
def test_page_views_are_gone_where_there_are_fewer_of_them_not_where_robots_look_at_little(
    sessions: int, views_of_each: int, is_fault: bool
) -> None:
    """Of 100 sessions with 3 views each on usual days; on the day some have 3, the others `views_of_each`."""
    world = World()
    for number in range(1, 16):
        world.warehouse.execute(
            """
            insert into intermediate.session_funnel by name
            select $day as business_date, 'feed' as channel, 'home' as entry_type, true as is_human,
                case when session < $looking then 3 else $views_of_each end as page_view_count,
                false as observed_product_view, true as observed_second_interaction,
                false as observed_favorite_or_cart, false as observed_checkout, false as observed_order
            from range($sessions) as sessions(session)
            """,
            day=world.day(number),
            sessions=sessions if number == 15 else 100,
            looking=100 if number < 15 or sessions > 100 else 10,
            views_of_each=views_of_each,
        )
    days = [world.day(number) for number in range(1, 15)]
    step = next(step for step in STEPS if step.cube == "landing_cube")
    fault = find_data_fault(world.warehouse, step, {"channel": "feed"}, world.day(15), days)
    assert (fault is not None and fault.check == "page_views_are_gone") == is_fault


def test_who_lands_on_a_product_and_leaves_is_no_fault_of_the_data() -> None:
    """Such a session has seen a product without a second interaction, and has more of them where the page is slow."""
    world = World()
    for number in range(1, 16):
        world.warehouse.execute(
            """
            insert into intermediate.session_funnel by name
            select $day as business_date, 'ios' as device, 'product' as entry_type, true as is_human,
                2 as page_view_count, true as observed_product_view, session >= $leaving as observed_second_interaction,
                false as observed_favorite_or_cart, false as observed_checkout, false as observed_order
            from range(100) as sessions(session)
            """,
            day=world.day(number),
            leaving=60 if number == 15 else 25,
        )
    days = [world.day(number) for number in range(1, 15)]
    step = next(step for step in STEPS if step.cube == "landing_cube")
    assert find_data_fault(world.warehouse, step, {"device": "ios"}, world.day(15), days) is None


def test_a_sign_that_came_days_before_its_harm_is_evidence() -> None:
    """Bad reviews put buyers off days later: by then they are part of the baseline, and must not pass for usual."""
    world = World()
    days = [world.day(number) for number in range(1, 30)]
    for day in days:
        rating = 1 if day >= days[-4] else 4
        world.warehouse.execute(
            "insert into staging.order_events by name select $day as business_date, 'reviewed' as event_type, "
            f"'P1' as product_id, {rating} + (value % 2) as rating from range(10) as reviews(value)",
            day=day,
        )
    (moved,) = find_moved_series(world.warehouse, "cart", {"product_id": "P1"}, days[-1], days[:-1])
    assert (moved.name, moved.today, moved.usual, moved.since_date) == (
        "product_rating",
        1.5,
        4.5,
        days[-4],
    )
    assert find_moved_series(world.warehouse, "cart", {"product_id": "P1"}, days[-5], days[:-5]) == []


def test_a_loss_that_nobody_knows_is_read_back_as_unknown() -> None:
    known = FindingRecord(
        finding_id="f", stage="decision", cube="c", step="paid", slice={}, fault_class="decision_loss",
        status="confirmed", since_date=date(2026, 3, 1), is_ongoing=True, effect=-0.5, object_kind="stage",
        object_name="decision", owner="o", lost_orders=12.0, lost_amount=None, lost_amount_net=None,
    )  # fmt: skip
    names = [column.name for column in list_columns(FindingRecord)]
    (read,) = decode_records(FindingRecord, names, [encode_record(known)])
    assert (read.lost_orders, read.lost_amount, read.lost_amount_net) == (12.0, None, None)
    (old,) = decode_records(FindingRecord, names, [[None if name == "status_reason" else value for name, value in
                                                    zip(names, encode_record(known), strict=True)]])  # fmt: skip
    assert old.status_reason == ""
