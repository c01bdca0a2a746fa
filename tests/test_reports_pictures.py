"""The pictures: text stays text, nothing random, a stage without data says so, and the package imports lightly."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageColor
from report_example import BLOCKED, BUSINESS_DATE, BUSY, DIAGNOSIS, EMPTY, FINDING, HEAT_MAP, LANDING

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import load_words
from reports import DayPoint, Figure, OwnCohort, OwnFunnel, OwnStep, Pair, render_pictures, render_stage_png
from reports.fonts import MissingGlyphError
from reports.pictures.canvas import ALARM, BLUE, apply_drawing_style, reduce_colours, save_svg
from reports.pictures.funnel_picture import draw_stage
from reports.pictures.pairs import list_figures
from reports.pictures.trend import find_promotion_runs


def texts(picture: bytes) -> list[str]:
    """The texts of an SVG, in drawing order."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(picture).iter() if node.tag.endswith("}text")]


def test_each_stage_with_numbers_has_its_pictures() -> None:
    names = set(render_pictures(BUSY))
    assert {"money", "traffic", "landing", "decision", "repurchase", "landing_heat_map", "landing_pairs"} <= names
    assert "traffic" not in render_pictures(BLOCKED), "its data is absent"
    assert "money" not in render_pictures(EMPTY)


def test_text_in_pictures_can_be_selected_and_shows_every_step() -> None:
    shown = texts(render_pictures(BUSY)["landing"])
    for step in LANDING.steps:
        assert f"{step.count:,}" in shown
    assert "▼ 90.2%" in shown, "below its usual range"
    assert "91.2% – 94.0%" in shown
    assert "usual 61.0%" in shown


@pytest.mark.parametrize(("expected", "observed"), [(0.75, 0.53), (0.53, 0.21), (0.041, 0.035)])
def test_a_finding_is_drawn_with_what_was_expected_and_what_came(expected: float, observed: float) -> None:
    """Also where the two are so close that their labels make room for each other."""
    days = [BUSINESS_DATE - timedelta(days=back) for back in range(10)][::-1]
    trend = tuple(DayPoint(day, expected if place < 8 else observed) for place, day in enumerate(days))
    finding = replace(FINDING, trend=trend, expected=expected, observed=observed)
    report = replace(BUSY, stages=(), diagnosis=replace(DIAGNOSIS, findings=(finding,)))
    shown = texts(render_pictures(report)[f"finding_{finding.finding_id}"])
    words = load_words("en")
    for rate in (expected, observed):
        assert words.value(rate, Unit.RATE, 0 if rate >= 0.1 else None) in shown


def test_the_same_report_gives_the_same_pictures() -> None:
    assert render_pictures(BUSY) == render_pictures(BUSY)
    assert render_stage_png(LANDING, BUSY) == render_stage_png(LANDING, BUSY)


def test_dollar_signs_in_a_title_are_no_mathematics() -> None:
    with apply_drawing_style():
        canvas = draw_stage(LANDING, load_words("en"), ["$x^2$ <b> \\frac"])
        assert "$x^2$ <b> \\frac" in texts(save_svg(canvas, "landing"))


def test_a_missing_glyph_in_a_picture_is_an_error() -> None:
    with apply_drawing_style(), pytest.raises(MissingGlyphError, match=r"picture landing: .*U\+1F525"):
        save_svg(draw_stage(LANDING, load_words("en"), ["\U0001f525"]), "landing")


def test_a_stage_without_data_still_has_a_png_that_says_so() -> None:
    picture = render_stage_png(EMPTY.stages[0], EMPTY)
    assert picture.startswith(b"\x89PNG")
    assert render_stage_png(replace(EMPTY.stages[0], no_data=EMPTY.stages[0].no_data), EMPTY) == picture


def test_neighbouring_promotion_days_are_one_run() -> None:
    assert LANDING.rate is not None
    assert find_promotion_runs(LANDING.rate.trend) == [(23, 25)]


def test_importing_the_package_does_not_import_matplotlib_or_the_typesetter() -> None:
    program = (
        "import sys, reports; print([name for name in ('matplotlib', 'typst', 'fontTools') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_a_rate_that_two_figures_may_have_moved_is_drawn_once() -> None:
    used, failed, rate = (
        Figure(key, Unit.RATE, 0.5) for key in ("coupon_use_rate", "coupon_error_rate", "decision_rate")
    )
    assert list_figures([Pair(used, rate), Pair(failed, rate)]) == [used, failed, rate]


def test_rows_and_columns_of_a_heat_map_and_steps_of_own_funnels_bear_the_labels_of_the_shop() -> None:
    row, column = HEAT_MAP.rows[0], HEAT_MAP.columns[0]
    labels = ((row, "Hall"), (f"{HEAT_MAP.column_dimension}.{column}", "Small"), ("step.view", "Looked"))
    cohort = OwnCohort(BUSINESS_DATE, BUSINESS_DATE, True, (OwnStep("view", 9, 5, 4, 0),))
    pictures = render_pictures(replace(BUSY, labels=labels, own_funnels=(OwnFunnel("mine", (cohort,)),)))
    assert {"Hall", "Small"} <= set(texts(pictures["landing_heat_map"]))
    assert "Looked" in texts(pictures["own_funnel_1"])


def test_fewer_colours_keep_that_of_a_single_mark() -> None:
    picture = Image.new("RGB", (256, 40), "white")
    shades = [(place % 256, place % 256, min(place % 256 + place // 256, 255)) for place in range(256 * 40)]
    picture.putdata(shades)
    picture.paste(ALARM, (3, 3, 8, 8))
    picture.paste(BLUE, (20, 3, 60, 20))
    buffer = BytesIO()
    picture.save(buffer, "png")
    few = Image.open(BytesIO(reduce_colours(buffer.getvalue()))).convert("RGB").getpixel((5, 5))
    assert few == pytest.approx(ImageColor.getrgb(ALARM), abs=20)
