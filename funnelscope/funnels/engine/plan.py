"""What a funnel asks, as plain parameters. Times are microseconds since 1970-01-01 UTC, durations microseconds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = str | int | float | bool


class Semantics(StrEnum):
    ORDERED = "ordered"
    STRICT = "strict"
    UNORDERED = "unordered"


class Operator(StrEnum):
    EQUAL = "eq"
    NOT_EQUAL = "ne"
    IN = "in"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"
    CONTAINS = "contains"  # whatever the case of the letters
    GREATER = "gt"
    GREATER_OR_EQUAL = "ge"
    LESS = "lt"
    LESS_OR_EQUAL = "le"


class Attribution(StrEnum):
    """Which events say what slice a unit belongs to."""

    FIRST = "first"
    LAST = "last"
    ALL = "all"
    STEP = "step"


@dataclass(frozen=True)
class PropertyTest:
    """A condition on one property; `value` is a tuple for IN and None for IS_SET and IS_NOT_SET."""

    column: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True)
class AllOf:
    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True)
class AnyOf:
    parts: tuple["Condition", ...]


Condition = PropertyTest | AllOf | AnyOf


@dataclass(frozen=True)
class EventFilter:
    """Events of one type, or of any where `event` is None, that meet a condition."""

    event: str | None = None
    where: Condition = field(default_factory=AllOf)


@dataclass(frozen=True)
class PlanStep:
    """One step. `within` counts from the last step before it that is not optional."""

    filter: EventFilter
    within: int | None = None
    is_optional: bool = False
    is_first_time: bool = False


@dataclass(frozen=True)
class EventExclusion:
    """Events that void an attempt: strictly between its steps `from_step` and `to_step`, counted from 1."""

    filter: EventFilter
    from_step: int
    to_step: int
    drops_unit: bool


@dataclass(frozen=True)
class Breakdown:
    """`step` is the step that names the slice where the attribution is STEP."""

    column: str
    attribution: Attribution
    step: int | None = None


@dataclass(frozen=True)
class FunnelPlan:
    """A whole funnel.

    Attributes:
        entered: first and last instant, both in, at which an attempt may open; None leaves a side open.
        time_zone: IANA name; it decides which day an attempt opens on.
    """

    steps: tuple[PlanStep, ...]
    window: int
    semantics: Semantics = Semantics.ORDERED
    entered: tuple[int | None, int | None] = (None, None)
    time_zone: str = "UTC"
    same: tuple[str, ...] = ()
    exclusions: tuple[EventExclusion, ...] = ()
    is_strictly_later: bool = False
    breakdown: Breakdown | None = None

    @property
    def numbers(self) -> range:
        """The steps' numbers, from 1."""
        return range(1, len(self.steps) + 1)

    def step(self, number: int) -> PlanStep:
        return self.steps[number - 1]

    @property
    def required(self) -> tuple[int, ...]:
        """Numbers of the steps that are not optional."""
        return tuple(number for number in self.numbers if not self.step(number).is_optional)

    def find_required_before(self, number: int) -> int:
        """The last step before `number` that is not optional."""
        return max(other for other in self.required if other < number)

    @property
    def filters(self) -> tuple[EventFilter, ...]:
        return (*(step.filter for step in self.steps), *(exclusion.filter for exclusion in self.exclusions))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every property that the funnel reads, in order of first use."""
        named = [test.column for filter in self.filters for test in walk_tests(filter.where)]
        by = [self.breakdown.column] if self.breakdown else []
        return tuple(dict.fromkeys([*named, *self.same, *by]))


def walk_tests(condition: Condition) -> Iterator[PropertyTest]:
    """Every test of a condition."""
    if isinstance(condition, PropertyTest):
        yield condition
    else:
        for part in condition.parts:
            yield from walk_tests(part)
