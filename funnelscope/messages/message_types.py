"""What sentences and reports are made of: numbers with their unit, slices, and a sentence as a key with its values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

Number = int | float | Decimal

Slice = tuple[tuple[str, str], ...]  # (dimension, value) of each condition


class Unit(StrEnum):
    """How a figure is written."""

    MONEY = "money"  # in the report's currency
    RATE = "rate"  # 0 to 1, printed as a percentage
    COUNT = "count"
    RATIO = "ratio"  # a plain number with decimals: orders per session, stars
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    DAYS = "days"


class PeriodKind(StrEnum):
    """What a report is about."""

    DAY = "day"
    WEEK = "week"  # ISO: Monday to Sunday
    MONTH = "month"


@dataclass(frozen=True)
class Message:
    """A sentence of the words file (of `section`) with its values.

    `values` fill the sentence's placeholders. Whole numbers get thousands separators, dates are written as ISO dates;
    under the names `family`, `stage`, `step`, `previous_step`, `metric` and `dimension` a known key is translated.
    A value may itself be a message, or several. The key `verbatim` prints the value `text` as it is.
    """

    key: str
    values: "Mapping[str, str | Number | date | Message | tuple[Message, ...]]" = field(default_factory=dict)
    section: str = "messages"


class CountedFigure(Protocol):
    """A figure with the counts behind it."""

    @property
    def unit(self) -> Unit: ...
    @property
    def numerator(self) -> Number | None: ...
    @property
    def denominator(self) -> Number | None: ...
    @property
    def coverage(self) -> float | None: ...
