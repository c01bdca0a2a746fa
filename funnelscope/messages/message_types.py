"""The types that sentences and reports are made of: units, slices, and messages as a key with values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

Number = int | float | Decimal

Slice = tuple[tuple[str, str], ...]  # (dimension, value) of each condition


class Unit(StrEnum):
    """How a figure is formatted."""

    MONEY = "money"  # in the report's currency
    RATE = "rate"  # 0 to 1, printed as a percentage
    COUNT = "count"
    RATIO = "ratio"  # a plain number with decimals: orders per session, stars
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    DAYS = "days"


class PeriodKind(StrEnum):
    """The length of the period that a report covers."""

    DAY = "day"
    WEEK = "week"  # ISO: Monday to Sunday
    MONTH = "month"
    CAMPAIGN = "campaign"  # one time that a promotion of the calendar takes place


@dataclass(frozen=True)
class Message:
    """A sentence of the words file (in `section`) with its values.

    `values` fill the placeholders of the sentence. Whole numbers get thousands separators, dates are written in ISO
    format. A known key under the name `family`, `stage`, `step`, `previous_step`, `metric` or `dimension` is
    translated. A value may be a message or a tuple of messages. The key `verbatim` prints the value `text` as it is.
    """

    key: str
    values: "Mapping[str, str | Number | date | Message | tuple[Message, ...]]" = field(default_factory=dict)
    section: str = "messages"


class CountedFigure(Protocol):
    """A figure with the counts behind it.

    Attributes:
        unit: how the figure is formatted.
        numerator, denominator: the counts whose ratio it is; None if unknown.
        coverage: share of the denominator that could be measured, 0 to 1; None if unknown.
        arrived: share of the figure that is usually there by now, 0 to 1; None if it is all there.
    """

    @property
    def unit(self) -> Unit: ...
    @property
    def numerator(self) -> Number | None: ...
    @property
    def denominator(self) -> Number | None: ...
    @property
    def coverage(self) -> float | None: ...
    @property
    def arrived(self) -> float | None: ...
