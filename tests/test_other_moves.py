"""Gains and losses of one day are both told; a rate that fell by another mix alone says which shares grew."""

import pytest
from diagnosis_world import World

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis

CLEAN = 30


@pytest.fixture(scope="module")
def clean() -> World:
    world = World()
    world.add_days(1, CLEAN)
    return world


def redraw(world: World, **options: float) -> None:
    """Draws the day after the clean ones anew, and diagnoses it."""
    day = world.day(CLEAN + 1)
    for table in ("landing_cube", "decision_cube", "checkout_cube", "daily_summary"):
        world.warehouse.execute(f"delete from marts.{table} where business_date = $day", day=day)
    world.warehouse.execute("delete from quality.day_verdict where business_date = $day", day=day)
    world.add_days(CLEAN + 1, CLEAN + 1, **options)  # type: ignore[arg-type]
    world.diagnose(CLEAN + 1, CLEAN + 1)


def test_a_gain_and_a_loss_of_one_day_are_both_told(clean: World) -> None:
    redraw(clean, coupon_loss=-0.4, page_loss=0.3)
    (loss,) = clean.rows("findings", CLEAN + 1)
    assert loss["slice"] == '{"device": "android", "landing_page": "item_1"}'
    (gain,) = clean.rows("other_moves", CLEAN + 1)
    assert (gain["kind"], gain["step"], gain["slice"]) == ("gain", "order", '{"coupon": "WELCOME10"}')
    assert gain["effect"] == pytest.approx(0.4, abs=0.15)
    assert gain["effect_low"] < gain["effect"] < gain["effect_high"]
    told = narrate_diagnosis(read_diagnosis(clean.warehouse.connection, clean.day(CLEAN + 1)), clean.settings, "en")
    assert any(text.startswith("Gained (no finding): coupon WELCOME10") for text in told)


def test_a_rate_that_fell_by_mix_alone_says_so_with_the_share_that_grew(clean: World) -> None:
    redraw(clean, feed=3.0)
    assert clean.rows("findings", CLEAN + 1) == []
    (mix,) = clean.rows("other_moves", CLEAN + 1)
    assert (mix["kind"], mix["step"], mix["slice"]) == ("mix", "qualified_product_view", '{"channel": "feed"}')
    assert mix["usual_share"] == pytest.approx(0.3, abs=0.03)
    assert mix["share"] == pytest.approx(3.0 / 3.7, abs=0.03)
    assert mix["effect"] == pytest.approx(-0.17, abs=0.04)


def test_a_fault_is_no_mix_and_a_clean_day_has_neither(clean: World) -> None:
    redraw(clean, page_loss=0.5)
    assert clean.rows("other_moves", CLEAN + 1) == []
    redraw(clean)
    assert clean.rows("other_moves", CLEAN + 1) == []
