"""A fault that lasts keeps its name through a day on which chance would name it narrower or wider."""

import json

import pytest
from diagnosis_world import World

CLEAN = 40
FIRST, SECOND = CLEAN + 1, CLEAN + 2
WIDE = {"device": "android", "landing_page": "item_1"}
NARROW = {**WIDE, "is_returning": "false"}
SLOW = "landing_page = 'item_1' and device = 'android'"


def add_slow_days(world: World) -> None:
    world.add_days(1, CLEAN)
    world.add_days(FIRST, SECOND, page_loss=0.3)


def let_returning_visitors_view(world: World, number: int, share: float) -> None:
    """That share of those who came back to the slow page looks at a product, whatever was drawn."""
    world.warehouse.execute(
        "update marts.landing_cube set reached_qualified_product_view = round(sessions * $share) "
        f"where business_date = $day and is_returning = 'true' and {SLOW}",
        day=world.day(number),
        share=share,
    )


def read_names(world: World, *days: int) -> list[dict[str, str]]:
    return [json.loads(str(row["slice"])) for day in days for row in world.rows("findings", day)]


@pytest.fixture(scope="module")
def world() -> World:
    world = World(seed=5, size=5_000, returning={"false": 0.89, "true": 0.11})
    add_slow_days(world)
    let_returning_visitors_view(world, FIRST, 0.42)
    return world


@pytest.mark.parametrize(
    ("share", "alone", "after_a_day"),
    [(0.56, NARROW, WIDE), (0.7, NARROW, NARROW), (0.42, WIDE, WIDE)],
    ids=["chance", "today speaks clearly", "alike"],
)
def test_all_days_of_a_fault_name_it_unless_today_clearly_speaks_against_them(
    world: World, share: float, alone: dict[str, str], after_a_day: dict[str, str]
) -> None:
    let_returning_visitors_view(world, SECOND, share)
    world.warehouse.execute("delete from diagnosis.findings")
    world.diagnose(SECOND, SECOND)
    assert read_names(world, SECOND) == [alone]
    world.diagnose(FIRST, SECOND)
    assert read_names(world, FIRST, SECOND) == [WIDE, after_a_day]
