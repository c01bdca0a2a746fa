"""The gate sees what everybody would see, on its first day, and once; a quiet or small shop is left in peace."""

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
import pytest

from funnelscope.diagnosis.data_faults import find_data_fault
from funnelscope.diagnosis.steps import STEPS
from funnelscope.messages.check_observations import CheckObservation
from funnelscope.messages.wording import translate_message
from funnelscope.quality import gate
from funnelscope.quality.expectations.daily_curve import DailyCurve, judge_curve
from funnelscope.quality.expectations.frames import build_day_frame, build_slice_frame, drop_empty_days
from funnelscope.quality.expectations.judgements import _observe_day, _observe_hours
from funnelscope.quality.expectations.measure_baseline import DayCalendar, compute_baseline, compute_level
from funnelscope.quality.expectations.suites import VOLUME, Frame, Suite, load_suites
from funnelscope.settings import Settings
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

FIRST = date(2026, 5, 1)
CALM = DayCalendar(())
EVENING = [2, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 8, 8, 8, 8, 9, 9, 11, 13, 15, 14, 8]  # 165 a day


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    settings = Settings.model_validate({"shop": "x", "start_date": FIRST, "sources": [{"family": "order"}]})
    return {suite.table: suite for suite in load_suites(settings)}


def number_days(counts: Sequence[float]) -> dict[date, float]:
    return {FIRST + timedelta(days=number): count for number, count in enumerate(counts)}


# --- Level ---------------------------------------------------------------------------------------


def judge_volumes(suites: dict[str, Suite], counts: Sequence[int]) -> dict[str, list[int]]:
    """The numbers of the days that each check of volume does not pass, of orders counted like this."""
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    days = [FIRST + timedelta(days=number) for number in range(len(counts))]
    rows = [(day, 1_000 * number + place) for number, day in enumerate(days) for place in range(counts[number])]
    warehouse.execute(
        "create table staging.order_events (business_date DATE, event_id BIGINT, visitor_id BIGINT, "
        "customer_id BIGINT, event_type VARCHAR, amount DECIMAL(18, 2), order_id BIGINT)"
    )
    insert_rows(warehouse, "staging.order_events", [(*row, 1, 1, "paid", 5, row[1]) for row in rows])
    suite = suites["staging.order_events"]
    data = build_day_frame(warehouse, suite, days, CALM)
    failed = {}
    for expectation in suite.of(Frame.DAYS):
        if expectation.name.startswith("volume"):
            asked = expectation.arguments
            seen = data.query(asked["row_condition"])
            broken = seen[(seen[asked["column"]] < asked["min_value"]) | (seen[asked["column"]] > asked["max_value"])]
            failed[expectation.name] = [(day - FIRST).days for day in broken["business_date"]]
    return failed


def test_three_unlike_weeks_teach_no_spread_that_a_hundredfold_day_passes(suites: dict[str, Suite]) -> None:
    weeks = [120] * 7 + [4] * 14 + [900] * 7
    assert judge_volumes(suites, weeks)["volume_keeps_its_scale"] == [*range(7, 14), *range(21, 28)]
    unlike = number_days(weeks[:21])
    learnt = compute_baseline(FIRST + timedelta(days=21), unlike, VOLUME, CALM)
    assert learnt is not None
    assert learnt.spread <= max(VOLUME.most_spread or 0, 1 / (learnt.centre + 1) ** 0.5)
    assert learnt.compute_deviation(900, VOLUME.scale) > 6


def test_a_level_is_known_after_five_days_and_each_day_is_told_by_one_check(suites: dict[str, Suite]) -> None:
    assert judge_volumes(suites, [30] * 5 + [3_000]) == {"volume_keeps_its_scale": [5], "volume_is_usual": []}
    assert judge_volumes(suites, [30] * 4 + [3_000])["volume_keeps_its_scale"] == []
    assert judge_volumes(suites, [30] * 28 + [3_000]) == {"volume_keeps_its_scale": [28], "volume_is_usual": []}
    assert judge_volumes(suites, [30] * 28 + [450]) == {"volume_keeps_its_scale": [], "volume_is_usual": [28]}
    assert judge_volumes(suites, [300] * 28 + [3]) == {"volume_keeps_its_scale": [28], "volume_is_usual": []}
    assert judge_volumes(suites, [30] * 28 + [0]) == {"volume_keeps_its_scale": [], "volume_is_usual": []}


def test_a_crowd_after_days_of_a_few_rows_is_no_other_scale_and_a_hundredfold_of_five_a_day_is(
    suites: dict[str, Suite],
) -> None:
    none = {"volume_keeps_its_scale": [], "volume_is_usual": []}
    assert judge_volumes(suites, [1, 3] * 14 + [180]) == none
    assert judge_volumes(suites, [5] * 28 + [500]) == none | {"volume_keeps_its_scale": [28]}
    assert judge_volumes(suites, [25] * 28 + [600]) == none | {"volume_keeps_its_scale": [28]}


def test_the_level_is_the_median_of_four_weeks_without_the_days_of_rest() -> None:
    day = FIRST + timedelta(days=40)
    assert compute_level(day, number_days([900] * 12 + [0, 2, 2, 4, 4, 6, 900])) == 4
    assert compute_level(day, number_days([900] * 30 + [0, 2, 2])) == 900
    assert compute_level(day, number_days([900] * 12 + [2] * 4)) is None


def test_a_weekday_on_which_the_shop_rests_has_no_level_and_one_that_falls_out_has() -> None:
    def judge(counts: Sequence[int]) -> list[date]:
        """The empty days of a cube on which its volume is judged."""
        warehouse = open_in_memory_warehouse()
        gate.create_tables(warehouse)
        warehouse.execute("create table marts.payment_cube (business_date DATE, entered BIGINT)")
        days = list(number_days(counts))
        rows = [(day, count) for day, count in zip(days, counts, strict=True) if count]
        insert_rows(warehouse, "marts.payment_cube", rows)
        volume = {"volume": VOLUME.model_copy(update={"sql": "sum(entered)"})}
        data = build_day_frame(warehouse, Suite("marts.payment_cube", "", "", volume, (), ()), days, CALM)
        judged = data[data["volume_factor"].notna() & ~(data["volume"] > 0)]
        return list(judged["business_date"])

    week = [60] * 5 + [0, 60]
    assert judge(week * 5) == []
    assert judge([*week * 4, 60, 60, 0, 60, 60, 0, 60]) == [FIRST + timedelta(days=30)]
    assert judge([*week, 0, *[60] * 4, 0, 60, 0]) == [FIRST + timedelta(days=7), FIRST + timedelta(days=14)]


# --- Empty days and slices -----------------------------------------------------------------------


def test_a_quiet_day_as_a_whole_is_no_slice_that_is_gone(suites: dict[str, Suite]) -> None:
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    warehouse.execute(
        "create table staging.order_events as select (date '2026-05-01' + day::INTEGER) as business_date, "
        "1000 * day + number as event_id, event_id as order_id, 'paid' as event_type, "
        "if(number % 2 = 0, 'card', 'wallet') as payment_provider, 'shop' as sales_channel "
        "from range(8) as days (day) cross join range(100) as numbers (number) where day < 7 or number < 3"
    )
    days = [FIRST + timedelta(days=number) for number in range(8)]
    frame = build_slice_frame(warehouse, suites["staging.order_events"], days, CALM).set_index("value")
    assert frame.loc["card", "share_of_usual"] == pytest.approx(2 / (50 * 0.2)), "a fifth at the least is expected"
    assert frame.loc["shop", "share_of_usual"] == pytest.approx(3 / (100 * 0.2))


def test_an_empty_day_is_not_told_slice_by_slice() -> None:
    data = pd.DataFrame({"business_date": [FIRST, FIRST, date(2026, 5, 2)], "volume": [0, 0, 1]})
    assert list(drop_empty_days(data)["business_date"]) == [date(2026, 5, 2)]


# --- Hours ---------------------------------------------------------------------------------------


def judge_hours(today: Sequence[float], usual: Sequence[float] = EVENING, days: int = 28) -> DailyCurve | None:
    day = FIRST + timedelta(days=days)
    return judge_curve(day, {**{day - timedelta(days=back): usual for back in range(1, days + 1)}, day: today})


def move(curve: Sequence[float], hours: int) -> list[float]:
    """The curve of a clock that is so far ahead, on its first day: what leaves the day is not there."""
    return [curve[hour - hours] if 0 <= hour - hours < 24 else 0 for hour in range(24)]


@pytest.mark.parametrize("hours", [-8, -5, -2, 2, 5, 8])
def test_a_clock_that_is_hours_off_is_told_by_how_many(hours: int) -> None:
    curve = judge_hours(move([10 * each for each in EVENING], hours))
    assert curve is not None
    assert (curve.shift_hours, curve.missing) == (hours, 0)


@pytest.mark.parametrize(
    "today",
    [
        EVENING,
        [each / 5 for each in EVENING],  # a festival
        move(EVENING, 1),  # people get up later
        [each if hour < 12 else 0 for hour, each in enumerate(EVENING)],
        [*EVENING[:20], 130, *EVENING[21:]],  # a sale opens at 20:00
        [50] * 24,  # some other curve, and no shifted one
    ],
    ids=["as usual", "quiet", "an hour", "cut", "sale", "flat"],
)
def test_another_day_is_no_clock_that_is_off(today: Sequence[float]) -> None:
    curve = judge_hours(today)
    assert curve is not None
    assert curve.shift_hours == 0


def test_a_curve_of_one_hour_that_is_spread_out_is_not_moved_out_of_sight() -> None:
    one_hour = [420 if hour == 10 else 0 for hour in range(24)]
    spread_out = [60 if 10 <= hour < 20 else 0 for hour in range(24)]
    curve = judge_hours(spread_out, one_hour)
    assert curve is not None
    assert curve.shift_hours == 0


def test_a_weekday_with_a_rhythm_of_its_own_has_its_own_clock() -> None:
    late = move([10 * each for each in EVENING], 3)
    day = FIRST + timedelta(days=28)
    curves = {
        FIRST + timedelta(days=number): late if number % 7 == 0 else [10.0 * each for each in EVENING]
        for number in range(29)
    }
    friday = judge_curve(day, curves)
    assert friday is not None
    assert friday.shift_hours == 0
    without_it = {other: curve for other, curve in curves.items() if other == day or other.weekday() != day.weekday()}
    alone = judge_curve(day, without_it)
    assert alone is not None
    assert alone.shift_hours == 3


def test_a_family_that_stops_at_noon_misses_what_its_afternoon_has() -> None:
    morning = [each if hour < 12 else 0 for hour, each in enumerate(EVENING)]
    curve = judge_hours(morning)
    assert curve == DailyCurve(0, 11, 23, pytest.approx(sum(EVENING) - sum(morning)))
    thirty_orders = judge_hours([each * 30 / 165 for each in morning])
    assert thirty_orders is not None
    assert thirty_orders.missing > 8
    three_orders = judge_hours([each * 3 / 165 for each in morning])
    assert three_orders is not None
    assert three_orders.missing < 8


def test_a_shop_that_closes_early_on_some_days_is_used_to_it() -> None:
    morning = [each if hour < 12 else 0 for hour, each in enumerate(EVENING)]
    day = FIRST + timedelta(days=28)
    curves = {FIRST + timedelta(days=number): morning if number in (3, 9, 28) else EVENING for number in range(29)}
    curve = judge_curve(day, curves)
    assert curve is not None
    assert curve.missing == 0
    assert judge_hours(morning, days=6) is None, "a week has to be known"
    assert judge_hours([0] * 24) is None


# --- What is said, and what it does to findings -------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_warning_says_figure_and_expectation(suites: dict[str, Suite], language: str) -> None:
    known = {each.name: each for each in suites["staging.order_events"].expectations}
    hours = pd.DataFrame([{"shift_hours": -8.0, "last_hour": 11.0, "usual_last_hour": 23.0, "missing": 91.4}])
    level = pd.DataFrame([{"volume": 1200.0, "volume_level": 4.0, "volume_factor": 240.0}])
    said = {
        "clocks_are_as_usual": _observe_hours(known["clocks_are_as_usual"], hours, 1, 1),
        "last_event": _observe_hours(known["last_event_is_as_late_as_usual"], hours, 1, 1),
        "level": _observe_day(known["volume_keeps_its_scale"], level, 1, 1),
        "empty": CheckObservation(
            "days_between_have_events", {"family": "order", "usual": 4.0, "open_days": 15, "known_days": 15}
        ),
    }
    numbers = {
        "clocks_are_as_usual": ("−8", ""),
        "last_event": ("91", "23"),
        "level": ("1,200", "4"),
        "empty": ("", "15"),
    }
    for name, found in said.items():
        for told, number in zip((found.observed, found.expected), numbers[name], strict=True):
            sentence = translate_message(told, language)
            assert number in sentence
            assert "{" not in sentence


def test_findings_of_a_day_whose_data_are_in_doubt_are_withheld() -> None:
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    step = next(each for each in STEPS if each.cube == "landing_cube")

    def check(table: str, name: str) -> str | None:
        write_verdict(warehouse, table, name)
        fault = find_data_fault(warehouse, step, {}, FIRST, ())
        return fault.check if fault else None

    for name in ("amounts_are_usual", "clocks_are_as_usual", "days_between_have_events", "volume_keeps_its_scale"):
        assert check("staging.order_events", name) == name
    assert check("marts.landing_cube", "volume_keeps_its_scale") == "volume_keeps_its_scale"
    assert check("marts.inquiry_cube", "volume_keeps_its_scale") is None
    assert check("staging.order_events", "volume_is_usual") is None


def test_where_no_order_is_linked_the_steps_of_sessions_that_order_are_withheld() -> None:
    warehouse = open_in_memory_warehouse()
    gate.create_tables(warehouse)
    warehouse.execute("create table intermediate.known_data (business_date DATE, are_orders_apart BOOLEAN)")
    write_verdict(warehouse, "marts.daily_summary", "paid_orders_have_sessions")

    def list_withheld(is_apart: bool) -> set[str]:
        warehouse.execute("delete from intermediate.known_data")
        insert_rows(warehouse, "intermediate.known_data", [(FIRST, is_apart)])
        return {step.key for step in STEPS if find_data_fault(warehouse, step, {}, FIRST, ())}

    assert list_withheld(True) == {"decision_cube.order", "decision_cube.paid", "checkout_cube.order"}
    assert list_withheld(False) == set()


def write_verdict(warehouse: Warehouse, table: str, name: str) -> None:
    reason = (
        f'{{"key": "expectation", "subject": "{table}: {name}", "observed": "o", "expected": "e", "severity": "warn", '
        f'"table": "{table}", "check": "{name}"}}'
    )
    warehouse.execute("delete from quality.day_verdict")
    insert_rows(warehouse, "quality.day_verdict", [(FIRST, "warn", f"[{reason}]")])
