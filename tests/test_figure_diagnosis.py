"""Platforms' figures, from the marts to findings: shops drawn by the simulator, and series made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pandas as pd
import pytest
from figure_warehouse import open_figure_shop, store_figures

from funnelscope.diagnosis.daily_diagnosis import diagnose_days
from funnelscope.diagnosis.data_faults import find_figure_warnings, find_gate_warnings
from funnelscope.diagnosis.fault_classes import FAULT_CLASSES, classify_figure_fault
from funnelscope.diagnosis.figure_diagnosis import STAGE_OF_METRIC, build_slice, read_figure_days, select_causes
from funnelscope.diagnosis.figure_series import JudgedSeries, judge_series
from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.records import FindingRecord
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis, read_diagnosis
from funnelscope.events.figures import FIGURES, FUNNELS
from funnelscope.simulator.figure_shops import FIRST_DATE, PLATFORM, SHOP, Break, FigureShop
from funnelscope.warehouse.connection import Warehouse

CALM = FigureShop(1, days=40, visitors=9000, products=12, agents=3, rooms=1, noise=0.02, own_noise=0.03)
FIRST = 32


def day(number: int) -> date:
    return FIRST_DATE + timedelta(days=number)


def diagnose(
    shop: FigureShop, breaks: Sequence[Break], first: int, last: int
) -> tuple[Warehouse, dict[int, StoredDiagnosis]]:
    warehouse, settings = open_figure_shop(shop, breaks)
    diagnose_days(warehouse, settings, day(first), day(last))
    return warehouse, {number: read_diagnosis(warehouse.connection, day(number)) for number in range(first, last + 1)}


def stated(finding: FindingRecord) -> tuple[str, str, str]:
    return finding.slice["level"], finding.slice.get("object", ""), finding.step


@cache
def payment_break() -> tuple[Warehouse, dict[int, StoredDiagnosis]]:
    """Payment of orders falls by 40 % for four days."""
    return diagnose(CALM, (Break(FIRST, FIRST + 3, "shop", "paying_buyers", 0.4),), FIRST - 2, FIRST + 5)


def test_a_break_of_the_whole_shop_is_found_on_its_first_day_with_what_it_costs() -> None:
    warehouse, days = payment_break()
    assert [len(days[number].findings) for number in (FIRST - 2, FIRST - 1)] == [0, 0]
    assert days[FIRST].state == "diagnosed"
    assert days[FIRST].baseline_days == 28
    (found,) = days[FIRST].findings
    assert stated(found) == ("shop", "", "paying_buyers")
    assert dict(found.slice) == {"level": "shop", "platform": PLATFORM}
    assert (found.cube, found.stage, found.fault_class, found.rank) == (
        *("figure_steps", "decision"),
        *("figure_payment_loss", 1),
    )
    assert (found.status, found.since_date, found.is_ongoing) == ("confirmed", day(FIRST), True)
    assert found.effect_low is not None
    assert found.effect_high is not None
    assert found.effect_low <= -0.4 <= found.effect_high
    assert (found.object_kind, found.object_name, found.is_overlapping) == ("shop", PLATFORM, False)
    ((entered, passed),) = warehouse.rows(
        "select entered, passed from marts.figure_steps where level = 'shop' and passed_metric = 'paying_buyers' "
        "and business_date = $day",
        day=day(FIRST),
    )
    assert (found.entered, found.passed) == (entered, passed)
    assert found.expected is not None
    # A lost payer is a lost order, of 180.
    assert found.lost_orders == pytest.approx(found.expected - passed)
    assert found.lost_amount == pytest.approx(180 * (found.expected - passed), rel=0.05)
    assert found.lost_amount_net is None, "nobody states refunds"
    assert found.lost_orders_low is not None
    assert found.lost_orders_low < (found.lost_orders or 0)


def test_a_finding_keeps_its_id_and_its_first_day_until_it_has_recovered() -> None:
    _, days = payment_break()
    during = [days[number].findings for number in range(FIRST, FIRST + 4)]
    assert {len(each) for each in during} == {1}
    assert {each[0].finding_id for each in during} == {during[0][0].finding_id}
    assert {each[0].since_date for each in during} == {day(FIRST)}
    assert all(abs((each[0].effect or 0) + 0.4) < 0.15 for each in during), "its own days are no part of its usual"
    (over,) = days[FIRST + 4].findings
    assert (over.status, over.finding_id, over.lost_orders) == ("recovered", during[0][0].finding_id, 0.0)
    assert days[FIRST + 5].findings == ()
    states = [[each.state for each in days[number].follow_ups] for number in range(FIRST, FIRST + 6)]
    assert states == [[], ["open"], ["open"], ["open"], ["recovered"], []]
    so_far = days[FIRST + 3].follow_ups[0].lost_orders_so_far
    assert so_far == pytest.approx(sum(each[0].lost_orders or 0 for each in during))


def test_a_finding_is_read_again_three_days_later() -> None:
    warehouse, settings = open_figure_shop(CALM, (Break(FIRST, FIRST + 3, "shop", "paying_buyers", 0.4),))
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST + 2))
    (found,) = read_diagnosis(warehouse.connection, day(FIRST)).findings
    assert found.expected is not None
    passed = round(found.expected) - 10
    warehouse.execute(
        f"update marts.figure_steps set passed = {passed} where level = 'shop' and passed_metric = 'paying_buyers' "
        f"and business_date = '{day(FIRST)}'"
    )
    diagnose_days(warehouse, settings, day(FIRST + 3), day(FIRST + 3))
    (followed,) = read_diagnosis(warehouse.connection, day(FIRST + 3)).follow_ups
    assert followed.reread_lost_orders == pytest.approx(found.expected - passed)
    assert followed.is_hit is False


@pytest.mark.parametrize(
    ("planted", "fault_class"),
    [
        (Break(FIRST, FIRST, "product", "cart_users", 0.5, 0), "figure_cart_loss"),
        (Break(FIRST, FIRST, "source", "paying_buyers", 0.7, 0), "figure_payment_loss"),
        (Break(FIRST, FIRST, "source", "visitors", 0.7, 1), "figure_traffic_loss"),
        (Break(FIRST, FIRST, "agent", "inquirers_paid", 0.7, 1), "figure_service_loss"),
        (Break(FIRST, FIRST, "room", "product_click_users", 0.5, 0), "figure_room_loss"),
    ],
    ids=lambda value: value.level if isinstance(value, Break) else "",
)
def test_a_break_of_one_object_is_one_finding_of_that_object(planted: Break, fault_class: str) -> None:
    _, days = diagnose(CALM, (planted,), FIRST, FIRST)
    (found,) = days[FIRST].findings
    name = CALM.name_object(planted.level, planted.place)
    assert stated(found) == (planted.level, name, planted.passed_metric)
    assert (found.fault_class, found.object_kind, found.object_name) == (fault_class, planted.level, name)
    assert found.is_overlapping, "nobody may add its loss to that of the shop"
    assert found.effect_low is not None
    assert found.effect_high is not None
    assert found.effect_low <= -planted.loss <= found.effect_high
    assert (found.lost_orders is None) == (planted.level == "peers")


def test_traffic_that_stays_away_is_a_finding_though_no_rate_falls() -> None:
    _, days = diagnose(CALM, (Break(FIRST, FIRST, "shop", "visitors", 0.6),), FIRST, FIRST)
    (found,) = days[FIRST].findings
    assert stated(found) == ("shop", "", "visitors")
    assert (found.fault_class, found.stage, found.entered) == ("figure_traffic_loss", "traffic", None)
    assert found.lost_orders is not None
    assert found.passed is not None
    assert found.lost_orders < 0.1 * ((found.expected or 0) - found.passed), "few of them would have paid"


def test_clean_shops_have_no_findings_though_weekdays_differ() -> None:
    shop = replace(CALM, seed=7, days=46, rhythm=0.4, rate_rhythm=0.2)
    _, days = diagnose(shop, (), 35, 45)
    assert {number: [stated(each) for each in told.findings] for number, told in days.items() if told.findings} == {}


def test_fewer_than_fourteen_comparable_days_are_not_judged_and_that_is_said() -> None:
    shop = replace(CALM, days=20)
    _, days = diagnose(shop, (Break(13, 14, "shop", "paying_buyers", 0.6),), 13, 14)
    assert (days[13].state, days[13].findings) == ("no_baseline", ())
    assert (days[14].state, len(days[14].findings), days[14].baseline_days) == ("diagnosed", 1, 14)


@pytest.mark.parametrize("has_parts", [True, False])
def test_what_a_sale_does_to_all_is_no_finding_and_no_part_of_what_is_usual(has_parts: bool) -> None:
    shop = replace(CALM, days=40, sales=(28,))
    warehouse, settings = open_figure_shop(shop)
    warehouse.execute(
        "update marts.figure_steps set passed = passed // 3 where passed_metric = 'paying_buyers' "
        f"and business_date between '{day(28)}' and '{day(30)}'"
    )
    if not has_parts:
        warehouse.execute("delete from marts.figure_steps where level != 'shop'")
    diagnose_days(warehouse, settings, day(28), day(32))
    told = [read_diagnosis(warehouse.connection, day(number)) for number in range(28, 33)]
    assert [each.state for each in told] == [*["diagnosed" if has_parts else "not_comparable"] * 3, *["diagnosed"] * 2]
    assert [len(each.findings) for each in told] == [0] * 5


def test_on_a_sale_a_part_that_falls_beside_its_siblings_is_a_finding_that_may_be_the_sale_s() -> None:
    shop = replace(CALM, days=32, visitors=30_000, products=20, sales=(28,), sale_moves=0.3, own_sale_moves=0.05)
    name = shop.name_object("product", 1)
    warehouse, settings = open_figure_shop(shop, (Break(29, 30, "product", "order_buyers", 0.8, 1),))
    diagnose_days(warehouse, settings, day(28), day(29))
    before, told = (read_diagnosis(warehouse.connection, day(number)) for number in (28, 29))
    assert before.findings == ()
    (found,) = told.findings
    assert stated(found) == ("product", name, "order_buyers")
    assert (found.status, found.since_date) == ("provisional", day(29))
    assert [each.key for each in found.status_reasons] == ["among_siblings"]
    assert found.effect_low is not None
    assert found.effect_high is not None
    assert found.effect_low <= -0.8 <= found.effect_high
    for language, word in (("en", "siblings"), ("zh", "同类")):
        assert word in " ".join(narrate_diagnosis(told, settings, language))


def test_a_day_that_the_gate_blocked_is_withheld() -> None:
    warehouse, settings = open_figure_shop(CALM, (Break(FIRST, FIRST, "shop", "paying_buyers", 0.6),))
    warehouse.execute("update quality.day_verdict set verdict = 'blocked' where business_date = $day", day=day(FIRST))
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST))
    told = read_diagnosis(warehouse.connection, day(FIRST))
    assert (told.state, told.findings) == ("withheld", ())


@pytest.mark.parametrize("table", ["marts.figures", "marts.trust_ratios", "staging.page_events"])
def test_a_warning_makes_provisional_what_rests_on_it(table: str) -> None:
    warehouse, settings = open_figure_shop(CALM, (Break(FIRST, FIRST, "shop", "paying_buyers", 0.6),))
    reason = (
        f'[{{"key": "contract", "subject": "{table}: some_check", "observed": "o", "expected": "e", '
        f'"severity": "warn", "table": "{table}", "check": "some_check"}}]'
    )
    warehouse.execute(
        "update quality.day_verdict set verdict = 'warn', reasons = $reason where business_date = $day",
        reason=reason,
        day=day(FIRST),
    )
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST))
    (found,) = read_diagnosis(warehouse.connection, day(FIRST)).findings
    is_of_figures = table == "marts.figures"
    assert (found.status == "provisional") == is_of_figures
    assert bool(find_figure_warnings(warehouse, day(FIRST))) == is_of_figures
    assert bool(find_gate_warnings(warehouse, day(FIRST), "decision_cube")) == (not is_of_figures)


def test_a_level_whose_whole_nobody_states_is_judged_as_one_without_adding_its_people_up() -> None:
    """A room has a new name every day."""
    warehouse, settings = open_figure_shop(
        replace(CALM, rooms=2), (Break(FIRST, FIRST, "room", "product_click_users", 0.5, 0),)
    )
    warehouse.execute("update marts.figures set object = object || business_date where level = 'room'")
    warehouse.execute("update marts.figure_steps set object = object || business_date where level = 'room'")
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST))
    told = read_diagnosis(warehouse.connection, day(FIRST))
    (found,) = told.findings
    assert dict(found.slice) == {"level": "room", "platform": PLATFORM}
    assert (found.entered, found.passed, found.expected, found.lost_orders, found.lost_amount) == (None,) * 5
    assert found.effect is not None
    assert -0.5 < found.effect < -0.1
    known = read_figure_days(warehouse, settings, found, day(FIRST), day(FIRST))
    assert known[day(FIRST)][1] / known[day(FIRST)][0] < 0.12
    assert all(narrate_diagnosis(told, settings, language) for language in ("zh", "en"))


def test_two_platforms_are_two_findings() -> None:
    warehouse, settings = open_figure_shop(CALM, (Break(FIRST, FIRST, "shop", "paying_buyers", 0.6),))
    other = FigureShop(**{**vars(CALM), "seed": 2}).draw((Break(FIRST, FIRST, "shop", "cart_users", 0.5),))
    store_figures(warehouse, other.assign(platform="jd"))
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST))
    found = {each.slice["platform"]: each.step for each in read_diagnosis(warehouse.connection, day(FIRST)).findings}
    assert found == {PLATFORM: "paying_buyers", "jd": "cart_users"}


def test_rates_above_one_and_rounded_figures_are_judged_like_others() -> None:
    warehouse, settings = open_figure_shop(CALM)
    days = pd.DataFrame({"business_date": [day(number) for number in range(FIRST + 1)]})
    clicks = days.assign(metric="clicks", figure_value=[10_000.0 + 1000 * (n % 3) for n in range(FIRST + 1)])
    visitors = days.assign(metric="visitors", figure_value=[13_000.0 + 1000 * (n % 2) for n in range(FIRST)] + [6000.0])
    key = {"platform": "wanxiangtai", "shop": SHOP, "level": "campaign", "object": "c", "parent": "", "device": ""}
    store_figures(warehouse, pd.concat([clicks, visitors]).assign(**key, object_name="春季"))
    diagnose_days(warehouse, settings, day(FIRST - 1), day(FIRST))
    assert read_diagnosis(warehouse.connection, day(FIRST - 1)).findings == ()
    (found,) = read_diagnosis(warehouse.connection, day(FIRST)).findings
    assert stated(found) == ("campaign", "c", "visitors")
    assert found.object_name == "春季"
    assert found.lost_orders is None, "nobody states who of them pays"
    assert found.entered == 10_000 + 1000 * (FIRST % 3)


def test_every_kind_of_finding_is_told_in_both_languages() -> None:
    breaks = (
        Break(FIRST, FIRST, "shop", "visitors", 0.6),
        Break(FIRST, FIRST, "agent", "inquirers_paid", 0.95, 1),
        Break(FIRST, FIRST, "room", "product_click_users", 0.5, 0),
    )
    warehouse, settings = open_figure_shop(CALM, breaks)
    diagnose_days(warehouse, settings, day(FIRST), day(FIRST))
    told = read_diagnosis(warehouse.connection, day(FIRST))
    assert len(told.findings) == 3
    for language in ("zh", "en"):
        head, *paragraphs = narrate_diagnosis(told, settings, language)
        assert len(paragraphs) == 3, head
        assert "None" not in "".join(paragraphs)


# --- Series made by hand -------------------------------------------------------------------------


def series(
    level: str = "shop",
    name: str = "",
    passed: float = 100,
    expected: float = 100,
    z: float = 0,
    **columns: Any,
) -> JudgedSeries:
    """A series of order_buyers > paying_buyers."""
    metric, entered = columns.get("metric", "paying_buyers"), columns.get("entered", "order_buyers")
    key = (PLATFORM, SHOP, level, name, columns.get("parent", ""), columns.get("device", ""), metric)
    return JudgedSeries(
        key=key,
        object_name="",
        entered_metric=entered,
        entered=2 * expected,
        passed=passed,
        expected=expected,
        movement=0.02,
        deviation=0.05,
        z=z,
        p_value=0.0,
        levels={},
        usual_days=(),
    )


def causes(*judged: JudgedSeries) -> list[tuple[str, str, str]]:
    """(level, object, what moved most in it)."""
    return [
        (each.series.level, each.series.object, each.most_in.object if each.most_in else "")
        for each in select_causes(judged)
    ]


def test_a_part_is_named_where_the_rest_of_the_shop_is_as_usual() -> None:
    shop = series(passed=70, z=6)
    assert causes(shop, series("product", "a", 10, 40, 8)) == [("product", "a", "")]
    assert causes(shop, series("product", "a", 10, 40, 8), series("product", "b", 40, 40)) == [("product", "a", "")]


def test_the_shop_is_named_where_its_rest_moved_too_and_what_moved_most_is_told() -> None:
    shop = series(passed=60, z=8)
    assert causes(shop, series("product", "a", 15, 40, 8)) == [("shop", "", "a")]
    assert causes(shop, series("product", "a", 25, 40, 5), series("product", "b", 13, 20, 5)) == [("shop", "", "")]
    # The rest fell by 13 %, which few days show, but that is nearer to the whole than to the usual.
    assert causes(series(passed=80, z=4), series("product", "a", 28, 40, 5)) == [("shop", "", "")]


def test_a_part_that_is_nearly_the_whole_shop_cannot_be_told_from_it() -> None:
    assert causes(series(passed=60, z=8), series("product", "a", 55, 95, 8)) == [("shop", "", "")]


def test_another_level_is_another_view_of_the_same_loss() -> None:
    product, source = series("product", "a", 10, 40, 8), series("source", "s", 12, 40, 7)
    assert causes(product, source) == [("product", "a", "")]
    (cause,) = select_causes([source, product])
    assert cause.next_best == source
    other_step = series("source", "s", 12, 40, 7, metric="cart_users", entered="product_visitors")
    assert causes(product, other_step) == [("product", "a", ""), ("source", "s", "")]
    across = series("source", "s", 12, 40, 7, metric="paying_buyers", entered="visitors")
    assert causes(product, across) == [("product", "a", "")]


def test_siblings_are_findings_of_their_own() -> None:
    assert causes(series("product", "a", 10, 40, 8), series("product", "b", 10, 40, 7)) == [
        ("product", "a", ""),
        ("product", "b", ""),
    ]
    phone, desk = (series(passed=10, expected=40, z=8, device=device) for device in ("phone", "desk"))
    assert len(causes(phone, desk)) == 2


def test_a_source_is_not_named_beside_the_one_above_it() -> None:
    above = series("source", "free", 30, 60, 8)
    inside = series("source", "search", 5, 30, 9, parent="free")
    assert causes(above, inside) == [("source", "search", "")]
    for z in (7, 9):
        shared = series("source", "search", 15, 30, z, parent="free")
        assert causes(above, shared) == [("source", "free", "")]


def test_a_move_of_less_than_a_twentieth_is_no_finding() -> None:
    assert causes(series(passed=96, z=9)) == []
    assert causes(series(passed=94, z=9)) == [("shop", "", "")]


def test_the_more_series_are_looked_at_the_further_one_must_move() -> None:
    found = series("product", "a", 10, 40, 4.0)
    assert causes(found) == [("product", "a", "")]
    assert causes(found, *(series("product", f"b{number}") for number in range(400))) == []
    known = select_causes([found, *(series("product", f"b{number}") for number in range(400))], {found.key})
    assert [each.series for each in known] == [found]
    assert select_causes([replace(found, z=2.0)], {found.key}) == []


def test_every_step_has_a_class_a_stage_and_a_sentence() -> None:
    for name, funnel in FUNNELS.items():
        for place, metric in enumerate(funnel):
            assert metric in FIGURES
            assert STAGE_OF_METRIC[metric] in ("traffic", "landing", "decision"), name
            for entered in ("", *funnel[:place]):
                assert classify_figure_fault("shop", entered, metric) in FAULT_CLASSES
    assert classify_figure_fault("shop", "order_buyers", "paying_buyers") == "figure_payment_loss"
    assert classify_figure_fault("shop", "cart_users", "paying_buyers") == "figure_conversion_loss"
    assert classify_figure_fault("room", "viewers", "product_click_users") == "figure_room_loss"


def test_the_usual_is_that_of_the_weekday_where_three_of_them_are_known() -> None:
    """Sundays pay half as often; a Sunday is judged by Sundays."""
    warehouse, settings = open_figure_shop(CALM)
    regular = [day(number) for number in range(27)]
    judged = [
        next(each for each in judge_series(warehouse, day(27), days, pd.DataFrame()) if each.level == "shop")
        for days in (regular, regular[-14:])
    ]
    assert {each.weekday() for each in judged[0].usual_days} == {day(27).weekday()}
    assert len(judged[0].usual_days) == 3
    assert len(judged[1].usual_days) == 14
    assert build_slice(judged[0], settings) == {"level": "shop", "platform": PLATFORM}
