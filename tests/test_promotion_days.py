"""Days of promotions are judged: by what the last such days did to rates, else by rates that promotions leave alone."""

from datetime import date, timedelta
from typing import Any

import pytest
from diagnosis_world import OPENING, World, settings_of

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis

SPRING, SUMMER = range(36, 38), range(66, 68)


def open_world(**options: Any) -> World:
    """A shop with two sales of two days, a month apart."""
    calendar = [
        {
            "name": "sale",
            "phase": "main",
            "from": OPENING + timedelta(days=days[0] - 1),
            "to": OPENING + timedelta(days=days[-1] - 1),
        }
        for days in (SPRING, SUMMER)
    ]
    return World(settings=settings_of(calendar=calendar), size=4_000, **options)


def find(world: World, number: int) -> list[tuple[str, str]]:
    world.diagnose(number, number)
    assert world.state(number) == ("diagnosed", "")
    return [(str(row["step"]), str(row["slice"])) for row in world.rows("findings", number)]


def test_the_first_sale_is_judged_by_regular_rates_and_its_pull_is_no_finding() -> None:
    """Three times the visitors, of whom fewer put anything into the cart: that is what a sale does."""
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 36, traffic=3, carts=0.7)
    assert find(world, 36) == []
    (day,) = world.rows("days", 36)
    assert "rates of regular days" in str(day["comparison"])
    assert day["baseline_days"] == 28


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ({"coupon_loss": 0.5}, ("order", '{"coupon": "WELCOME10"}')),
        ({"views": 0.6}, ("qualified_product_view", "{}")),
    ],
    ids=["a slice beside its step", "a whole step that holds"],
)
def test_a_fault_of_the_first_sale_is_found(fault: dict[str, float], found: tuple[str, str]) -> None:
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 36, traffic=3, carts=0.7, **fault)
    assert find(world, 36) == [found]


def test_the_last_sale_says_what_this_one_should_show() -> None:
    """A whole step that moves with sales is judged once a sale has shown by how much."""
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 37, traffic=2, carts=0.7)
    world.add_days(38, 65)
    world.add_days(66, 66, traffic=3, carts=0.7)
    assert find(world, 66) == []
    (day,) = world.rows("days", 66)
    assert (day["comparison"], day["baseline_from"]) == ("sale, main, day 1", world.day(36))
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 37, traffic=2, carts=0.7)
    world.add_days(38, 65)
    world.add_days(66, 66, traffic=3, carts=0.35)
    assert find(world, 66) == [("favorite_or_cart", "{}")]


def test_what_a_slice_did_in_the_last_sale_is_expected_of_it() -> None:
    """A coupon that is refused in sales by its terms is no fault of this one."""
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 37, traffic=2, coupon_loss=0.4)
    world.add_days(38, 65)
    world.add_days(66, 66, traffic=2, coupon_loss=0.4)
    assert find(world, 66) == []


def test_a_day_of_a_sale_with_a_finding_teaches_nothing_of_its_step() -> None:
    world = open_world()
    world.add_days(1, 35)
    world.add_days(36, 37, traffic=2, coupon_loss=0.5)
    expected = [("order", '{"coupon": "WELCOME10"}')]
    assert find(world, 36) == expected
    assert find(world, 37) == expected


def test_a_sale_in_the_first_weeks_of_a_shop_is_not_comparable() -> None:
    calendar = [{"name": "sale", "phase": "main", "from": date(2026, 3, 20), "to": date(2026, 3, 20)}]
    world = World(settings=settings_of(calendar=calendar))
    world.add_days(1, 19)
    world.diagnose(19, 19)
    state, why = world.state(19)
    assert state == "not_comparable"
    assert "fewer than 28 regular days" in str(why)


@pytest.mark.parametrize(("language", "told"), [("en", "rates of regular days"), ("zh", "平常日子的转化率")])
def test_what_a_sale_without_a_twin_is_compared_with_is_told(language: str, told: str) -> None:
    world = open_world()
    world.add_days(1, 36)
    world.diagnose(36, 36)
    stored = read_diagnosis(world.warehouse.connection, world.day(36))
    assert told in narrate_diagnosis(stored, world.settings, language)[0]
