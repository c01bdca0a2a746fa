"""Good and bad moves differ in colour, and in shape where there is no colour."""

import re
from dataclasses import replace

import pytest
from report_example import BUSY

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import STATED, list_languages, load_words
from reports import Figure, Headline, Mark, render_html, render_pictures
from reports.pictures.canvas import ALARM, GOOD, GOOD_FILL, INK, PALE
from reports.tones import SIGNS, WITHOUT_TONE, WORSE_ABOVE, Tone, find_tone, find_tone_of_text, write_mark


@pytest.mark.parametrize(
    ("key", "mark", "sign"),
    [
        ("paid_amount", Mark.BELOW, "▼"),
        ("paid_amount", Mark.ABOVE, "△"),
        ("first_screen_p75_ms", Mark.ABOVE, "▲"),
        (f"{STATED}bounce_rate", Mark.BELOW, "▽"),
        ("cost", Mark.ABOVE, "↑"),
        (f"{STATED}cost", Mark.BELOW, "↓"),
        ("order", Mark.BELOW, "▼"),
    ],
)
@pytest.mark.parametrize("language", list_languages())
def test_a_sign_points_where_the_figure_went_and_is_filled_where_that_is_bad(
    key: str, mark: Mark, sign: str, language: str
) -> None:
    words = load_words(language)
    assert write_mark(mark, key, words) == sign
    assert write_mark(None, key, words) == ""
    assert find_tone_of_text(f"{sign} 12.3%") is find_tone(mark, key)
    assert all(each in words.text("pictures", "outside") for each in "".join(SIGNS.values()))


def test_every_figure_with_a_direction_of_its_own_is_one_that_is_printed() -> None:
    sections = load_words("en").sections
    assert set(sections["metrics"]) | set(sections["stated_figures"]) >= WORSE_ABOVE | WITHOUT_TONE
    assert not WORSE_ABOVE & WITHOUT_TONE


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_read_on_paper_and_fields_differ_in_grey() -> None:
    assert all(contrast(colour, "#ffffff") >= 4.5 for colour in (ALARM, GOOD, INK))
    assert contrast(ALARM, GOOD_FILL) > 2
    assert contrast(GOOD_FILL, "#ffffff") > 2 > contrast(PALE, "#ffffff")


def test_good_and_bad_have_their_colours_on_the_page_and_in_pictures() -> None:
    headline = (
        Headline(Figure("paid_amount", Unit.MONEY, 90, baseline=50.0, mark=Mark.ABOVE)),
        Headline(Figure("visitors", Unit.COUNT, 40, baseline=70.0, mark=Mark.BELOW)),
    )
    report = replace(BUSY, headline=headline)
    page = render_html(report).decode()
    for tone, told in ((Tone.GOOD, "△ 90"), (Tone.BAD, "▼ 40")):
        assert re.search(rf"<td class='right {tone.value}'>{told}", page)
    bridge = render_pictures(report)["bridge"].decode()
    assert ALARM in bridge
    assert GOOD_FILL in bridge
