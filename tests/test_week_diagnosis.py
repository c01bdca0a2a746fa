"""Where a day is too thin, the week says what is wrong: by itself, and never twice."""

import pytest
from diagnosis_world import World

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis

WEEKS = 6
LAST = 7 * (WEEKS + 1)  # the opening is a Monday, so this is a Sunday


def judge_week(coupon_loss: float, verdict: str = "pass", size: int = 900) -> World:
    world = World(size=size)
    world.add_days(1, 7 * WEEKS)
    world.add_days(7 * WEEKS + 1, LAST - 1, coupon_loss=coupon_loss)
    world.add_days(LAST, LAST, coupon_loss=coupon_loss, verdict=verdict)
    world.diagnose(LAST - 6, LAST)
    return world


def test_a_loss_that_no_day_shows_is_found_in_the_week() -> None:
    world = judge_week(coupon_loss=0.35)
    assert [world.rows("findings", number) for number in range(LAST - 6, LAST + 1)] == [[]] * 7
    (found,) = world.rows("week_findings", LAST)
    assert (found["step"], found["slice"]) == ("order", '{"coupon": "WELCOME10"}')
    assert found["since_date"] == world.day(LAST - 6)
    assert found["effect_low"] < -0.35 < found["effect_high"]
    entered = world.warehouse.value(
        "select sum(checkouts) from marts.checkout_cube where coupon = 'WELCOME10' and business_date >= $first",
        first=world.day(LAST - 6),
    )
    assert found["entered"] == entered
    told = narrate_diagnosis(read_diagnosis(world.warehouse.connection, world.day(LAST)), world.settings, "en")
    assert any("WELCOME10" in text for text in told)


@pytest.mark.parametrize(
    ("coupon_loss", "verdict", "size"),
    [(0.0, "pass", 900), (0.35, "blocked", 900), (0.35, "pass", 30_000)],
    ids=["nothing wrong", "a day is missing", "each day has shown it"],
)
def test_the_week_is_silent(coupon_loss: float, verdict: str, size: int) -> None:
    assert judge_week(coupon_loss, verdict, size).rows("week_findings", LAST) == []
