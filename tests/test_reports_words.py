"""Words and numbers: both languages say the same things, and numbers keep their meaning when written."""

from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any

import pytest

from funnelscope.diagnosis.steps import STEPS
from funnelscope.messages.message_types import Message, Unit
from funnelscope.messages.wording import UnknownWordError, list_languages, load_words
from reports import Figure
from reports.fonts import require_glyphs

EN = load_words("en")
ZH = load_words("zh")


def flat(value: Any, path: str = "") -> dict[str, str]:
    """Every text of a words file by its dotted path."""
    if not isinstance(value, dict):
        return {path: value}
    return {key: text for name, item in value.items() for key, text in flat(item, f"{path}.{name}").items()}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_hold_the_same_keys_and_placeholders() -> None:
    assert list_languages() == ["en", "zh"]
    english, chinese = flat(EN.sections), flat(ZH.sections)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key


@pytest.mark.parametrize("language", list_languages())
def test_every_word_can_be_drawn(language: str) -> None:
    for key, text in flat(load_words(language).sections).items():
        require_glyphs(text, key)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, Unit.RATE, "no data"),
        (0, Unit.COUNT, "0"),
        (0.0, Unit.RATE, "0%"),
        (1.0, Unit.RATE, "100%"),
        (0.9999, Unit.RATE, "99.99%"),
        (0.5801, Unit.RATE, "58.0%"),
        (0.0561, Unit.RATE, "5.61%"),
        (0.00034, Unit.RATE, "0.034%"),
        (12345678, Unit.COUNT, "12,345,678"),
        (601204.4, Unit.COUNT, "601,204"),
        (4.25, Unit.COUNT, "4.2"),
        (Decimal("12345678.90"), Unit.MONEY, "12,345,678.90"),
        (Decimal("-10"), Unit.MONEY, "−10.00"),
        (-0.001, Unit.MONEY, "0.00"),
        (25.44, Unit.SECONDS, "25.4 s"),
        (1185.0, Unit.SECONDS, "1,185 s"),
        (1240.6, Unit.MILLISECONDS, "1,241 ms"),
        (4.712, Unit.RATIO, "4.71"),
    ],
)
def test_values_are_written_with_their_unit(value: Any, unit: Unit, expected: str) -> None:
    assert EN.value(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "baseline", "unit", "expected"),
    [
        (0.58, 0.61, Unit.RATE, "−3.0 pp"),
        (0.0603, 0.0624, Unit.RATE, "−0.21 pp"),
        (110, 100, Unit.COUNT, "+10.0%"),
        (Decimal("-50"), Decimal("-100"), Unit.MONEY, "+50.0%"),
        (100, 100, Unit.COUNT, "0.0%"),
        (100, 0, Unit.COUNT, "–"),
        (None, 100, Unit.COUNT, "–"),
        (100, None, Unit.COUNT, "–"),
    ],
)
def test_changes_carry_their_sign(value: Any, baseline: Any, unit: Unit, expected: str) -> None:
    assert EN.change(value, baseline, unit) == expected


def test_counts_stand_behind_a_rate_with_their_coverage() -> None:
    figure = Figure("three_second_rate", Unit.RATE, 0.9, 900, 1_000, coverage=0.8)
    assert EN.counts(figure) == "900 of 1,000, measured in 80.0%"
    assert EN.counts(Figure("visitors", Unit.COUNT, 3)) == ""


@pytest.mark.parametrize(
    ("language", "currency", "amount", "unit"),
    [
        ("zh", "CNY", "¥8,790", "元"),
        ("zh", "JPY", "JP¥8,790", "日元"),
        ("zh", "CHF", "CHF\xa08,790", "CHF"),
        ("en", "CNY", "¥8,790", "¥"),
        ("en", "EUR", "€8,790", "€"),
        ("en", "CHF", "CHF\xa08,790", "CHF"),
    ],
)
def test_money_carries_the_sign_its_readers_know(language: str, currency: str, amount: str, unit: str) -> None:
    words = load_words(language)
    assert words.amount("8,790", currency) == amount
    assert words.amount("−8,790", currency) == f"−{amount}"
    assert words.name_currency(currency) == unit
    assert unit in words.with_currency("amount", currency)


def test_messages_translate_keys_and_write_numbers_and_dates() -> None:
    impossible = Message(
        "steps_impossible", {"step": "order", "count": 12_000, "previous_step": "checkout", "previous_count": 9}
    )
    assert ZH.message(impossible).startswith("下单为 12,000，多于结算的 9")
    assert EN.message(Message("verbatim", {"text": "{family} 5%"})) == "{family} 5%"
    assert EN.message(Message("verbatim", {"text": date(2026, 6, 20)})) == "2026-06-20"


def test_a_message_without_its_value_is_an_error() -> None:
    with pytest.raises(UnknownWordError, match=r"messages\.family_missing needs a value for 'family'"):
        EN.message(Message("family_missing"))


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("step", sorted({step.name for step in STEPS}))
def test_page_1_names_each_step_that_a_finding_may_be_about(step: str, language: str) -> None:
    words = load_words(language)
    assert words.name_step(step)
    assert words.text("affected", step, count="7")
