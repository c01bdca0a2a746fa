"""The texts of one language, and numbers formatted for its readers."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from funnelscope.messages.message_types import CountedFigure, Message, Number, PeriodKind, Slice, Unit

MINUS = "−"
STATED = "stated_"
"""What the keys of figures that platforms state begin with: their visitors are counted otherwise than ours."""

# A value with one of these names is a key of the given section and is translated.
TRANSLATED_VALUES = {
    "family": "families",
    "stage": "stages",
    "step": "steps",
    "previous_step": "steps",
    "metric": "metrics",
    "dimension": "dimensions",
    "check": "checks",
    "checked_table": "checked_tables",
    "figure": "stated_figures",
    "whole_figure": "stated_figures",
    "level": "levels",
    "platform": "platforms",
    "phase": "phases",
}


class UnknownWordError(LookupError):
    """The words file lacks a key, or a placeholder has no value."""


def list_languages() -> list[str]:
    """The languages that have a words file, sorted."""
    files = (resources.files("funnelscope.messages") / "texts").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def load_words(language: str, period: PeriodKind = PeriodKind.DAY) -> "Words":
    """The words of `language`. For a weekly or monthly report, the texts of that period replace the daily ones.

    Raises UnknownWordError if the language has no words file.
    """
    return _load_words(language, period)  # normalizes the arguments, so that the cache holds one object for each pair


@lru_cache
def _load_words(language: str, period: PeriodKind) -> "Words":
    file = resources.files("funnelscope.messages") / "texts" / f"{language}.yaml"
    if not file.is_file():
        choices = ", ".join(list_languages())
        raise UnknownWordError(f"no texts in the language {language}; choose one of {choices}")
    sections = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    of_period = {} if period is PeriodKind.DAY else sections["periods"][period.value]
    return Words(language, {name: {**entries, **of_period.get(name, {})} for name, entries in sections.items()})


class Words:
    """The words file of one language, as `sections[section][key]`."""

    def __init__(
        self, language: str, sections: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str] | None = None
    ) -> None:
        self.language = language
        self.sections = sections
        self.labels = labels or {}

    def with_labels(self, labels: Mapping[str, str]) -> "Words":
        """The same words, with what the shop calls its values: `value` or `dimension.value` to a name."""
        return Words(self.language, self.sections, labels) if labels else self

    def text(self, section: str, key: str, /, **values: str) -> str:
        """The text at `section.key` with its placeholders filled.

        Raises UnknownWordError if the file has no such text.
        """
        entry = self._entry(section, key)
        template = entry["name"] if isinstance(entry, dict) else entry
        try:
            return template.format_map(values)
        except KeyError as missing:
            raise UnknownWordError(f"{self._file}: {section}.{key} needs a value for {missing}") from None

    def translate_or_keep(self, section: str, key: str) -> str:
        """The text at `section.key`, or the key itself if the file does not translate it."""
        return self.text(section, key) if key in self.sections.get(section, {}) else key

    def name_figure(self, key: str) -> str:
        """The name of a metric, or of a figure that platforms state."""
        return self.text(*self._locate_figure(key, "metrics"))

    def name_step(self, key: str) -> str:
        """The name of a step of a stage, or of a platform's own funnel."""
        return self.text(*self._locate_figure(key, "steps"))

    def define_figure(self, key: str) -> str:
        """The definition of a metric; empty for a figure that the platform states as it counts it."""
        section, name = self._locate_figure(key, "metrics")
        entry = self._entry(section, name)
        return str(entry["definition"]) if isinstance(entry, dict) else ""

    def _locate_figure(self, key: str, section: str) -> tuple[str, str]:
        return ("stated_figures", key.removeprefix(STATED)) if key.startswith(STATED) else (section, key)

    def detail(self, section: str, key: str, field: str) -> str:
        """A further field of an entry: a metric's `definition`, a stage's `question`."""
        return self._entry(section, key)[field]

    def message(self, message: Message) -> str:
        """The sentence of a message, with its values formatted and translated."""
        values = {name: self._message_value(name, value) for name, value in message.values.items()}
        return self.text(message.section, message.key, **values)

    def format_slice(self, conditions: Slice) -> str:
        """The conditions of a slice, such as "device android, landing page home"; the whole shop if there are none."""
        if not conditions:
            return self.text("labels", "whole_shop")
        return self.text("labels", "separator").join(self._condition(*condition) for condition in conditions)

    def _condition(self, dimension: str, value: str) -> str:
        """A condition such as "device android".

        A value with a name of its own is enough without the dimension: "new customers". A dimension that the words
        file does not know keeps its name.
        """
        if value in self.sections["dimension_values"].get(dimension, {}) and not self._label(dimension, value):
            return self.translate_dimension_value(dimension, value)
        named = self._label(dimension, value) or value
        return self.text("labels", "condition", dimension=self.translate_or_keep("dimensions", dimension), value=named)

    def translate_dimension_value(self, dimension: str, value: str) -> str:
        """The name of a dimension's value for readers: the shop's own, else usually the value itself."""
        known = self.sections["dimension_values"].get(dimension, {})
        return self._label(dimension, value) or str(known.get(value, value))

    def _label(self, dimension: str, value: str) -> str:
        return self.labels.get(f"{dimension}.{value}", "") or self.labels.get(value, "")

    def _message_value(self, name: str, value: str | Number | date | Message | tuple[Message, ...]) -> str:
        if isinstance(value, Message):
            return self.message(value)
        if isinstance(value, tuple):
            return self.text("labels", "and_then").join(map(self.message, value))
        if isinstance(value, str):
            return self.translate_or_keep(TRANSLATED_VALUES[name], value) if name in TRANSLATED_VALUES else value
        return value.isoformat() if isinstance(value, date) else self.plain(value)

    @property
    def _file(self) -> str:
        return f"funnelscope/messages/texts/{self.language}.yaml"

    def _entry(self, section: str, key: str) -> Any:
        if section not in self.sections or key not in self.sections[section]:
            raise UnknownWordError(f"{self._file} has no {section}.{key}: add it to every language, or correct the key")
        return self.sections[section][key]

    @property
    def no_data(self) -> str:
        """The text for a value that is missing."""
        return self.text("labels", "no_data")

    def plain(self, value: Number) -> str:
        """A number of unknown unit: whole, or with at most three decimals."""
        if value == int(value):
            return format_grouped(value, 0)
        return format_grouped(value, 3).rstrip("0")

    def value(self, value: Number | None, unit: Unit, digits: int | None = None) -> str:
        """`value` with its unit; the text `no_data` if it is None. Money has no sign of its currency: see `amount`."""
        if value is None:
            return self.no_data
        digits = choose_digits(value, unit) if digits is None else digits
        if unit is Unit.RATE:
            return format_grouped(float(value) * 100, digits) + "%"
        written = format_grouped(value, digits)
        if unit in (Unit.SECONDS, Unit.MILLISECONDS, Unit.DAYS):
            return self.text("labels", unit.value, value=written)
        return written

    def amount(self, written: str, currency: str) -> str:
        """A formatted number of money with the sign of its currency, or its ISO code where it has none."""
        sign = self._currency(currency).get("sign", f"{currency}\N{NO-BREAK SPACE}")
        return f"{MINUS}{sign}{written[1:]}" if written.startswith(MINUS) else f"{sign}{written}"

    def name_currency(self, currency: str) -> str:
        """What stands in brackets behind the name of money: 元 or $, else the ISO code."""
        return self._currency(currency).get("unit", currency)

    def with_currency(self, name: str, currency: str) -> str:
        """The name of money with its currency behind it."""
        return self.text("labels", "with_unit", name=name, unit=self.name_currency(currency))

    def _currency(self, currency: str) -> Mapping[str, str]:
        known: Mapping[str, Mapping[str, str]] = self.sections["currencies"]
        return known.get(currency, {})

    def change(self, value: Number | None, baseline: Number | None, unit: Unit, digits: int | None = None) -> str:
        """Change of `value` against `baseline`: in percentage points for a rate, else in percent of the baseline."""
        if value is None or baseline is None or (unit is not Unit.RATE and not baseline):
            return self.text("labels", "no_comparison")
        difference = float(value) - float(baseline)
        if unit is Unit.RATE:
            digits = max(choose_digits(value, unit), 1) if digits is None else digits
            return self.text("labels", "points", value=format_signed(difference * 100, digits))
        return format_signed(difference / abs(float(baseline)) * 100, 1) + "%"

    def counts(self, figure: CountedFigure) -> str:
        """ "numerator of denominator", then the shares that could be measured and are there; empty where none is known.

        Numbers from a thousand on have no decimals.
        """
        parts = []
        if figure.numerator is not None and figure.denominator is not None:
            whole = {"numerator": figure.numerator, "denominator": figure.denominator}
            label = "of" if figure.unit in (Unit.RATE, Unit.COUNT) else "divided"
            written = {name: self.plain(round(number) if number >= 1000 else number) for name, number in whole.items()}
            parts.append(self.text("labels", label, **written))
        if figure.coverage is not None:
            parts.append(self.text("labels", "coverage", value=self.value(figure.coverage, Unit.RATE)))
        if figure.arrived is not None:
            parts.append(self.text("labels", "arrived", value=self.value(figure.arrived, Unit.RATE, 0)))
        return self.text("labels", "separator").join(parts)


def translate_message(message: Message, language: str) -> str:
    """The message in `language`. Raises UnknownWordError like `Words.message`."""
    return load_words(language).message(message)


def choose_digits(value: Number, unit: Unit) -> int:
    """Number of decimals that shows about three significant figures of `value`."""
    size = abs(float(value))
    if unit is Unit.RATE:
        return choose_percent_digits(size * 100)
    if unit in (Unit.MONEY, Unit.RATIO):
        return 2
    if unit is Unit.MILLISECONDS or size >= 100 or size == int(size):
        return 0
    return 1


FEW = 10


def choose_baseline_digits(value: Number | None, unit: Unit) -> int | None:
    """Number of decimals for a baseline, equal to that of its value so that the two can be compared.

    None if the value is 0 or 100 %: such a value is printed without decimals, which says nothing about its baseline. A
    count below ten has one decimal, or a usual third of one would be printed as none.
    """
    if value is None or (unit is Unit.RATE and value in (0, 1)):
        return None
    if unit is Unit.COUNT and value < FEW:
        return 1
    return choose_digits(value, unit)


def choose_percent_digits(percent: float) -> int:
    """Number of decimals for a percentage, so that a value just below 100 is not rounded to 100."""
    if percent in (0, 100):
        return 0
    if 99 < percent < 100:
        return next((digits for digits in (1, 2) if round(percent, digits) < 100), 3)
    return 1 if percent >= 10 else 2 if percent >= 0.995 else 3


def format_grouped(value: Number, digits: int) -> str:
    """`value` with thousands separators and a real minus sign; never "−0"."""
    written = f"{value:,.{digits}f}"
    if written.startswith("-"):
        written = MINUS + written[1:] if written.strip("-0.,") else written[1:]
    return written


def format_signed(value: float, digits: int) -> str:
    """`value` with an explicit sign, also the plus. Zero has none."""
    written = format_grouped(value, digits)
    return "+" + written if value > 0 and written.strip("0.,") else written
