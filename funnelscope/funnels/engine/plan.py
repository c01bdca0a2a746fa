"""A funnel as plain parameters. Times are microseconds since 1970-01-01 UTC, durations microseconds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = str | int | float | bool


class Semantics(StrEnum):
    """How the steps of a funnel must follow each other."""

    ORDERED = "ordered"
    STRICT = "strict"
    UNORDERED = "unordered"


class Operator(StrEnum):
    """The operators of a test on a property."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    IN = "in"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"
    CONTAINS = "contains"  # ignores case
    GREATER = "gt"
    GREATER_OR_EQUAL = "ge"
    LESS = "lt"
    LESS_OR_EQUAL = "le"


class Attribution(StrEnum):
    """Which events determine the slice of a unit."""

    FIRST = "first"
    LAST = "last"
    ALL = "all"
    STEP = "step"


@dataclass(frozen=True)
class PropertyTest:
    """A condition on one property. `value` is a tuple for IN and None for IS_SET and IS_NOT_SET."""

    column: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True)
class AllOf:
    """True if all parts are true."""

    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True)
class AnyOf:
    """True if any part is true."""

    parts: tuple["Condition", ...]


Condition = PropertyTest | AllOf | AnyOf


@dataclass(frozen=True)
class EventFilter:
    """Events of one type, or of any type if `event` is None, that meet a condition."""

    event: str | None = None
    where: Condition = field(default_factory=AllOf)


@dataclass(frozen=True)
class PlanStep:
    """One step. `within` limits the time since the last step before it that is not optional."""

    filter: EventFilter
    within: int | None = None
    is_optional: bool = False
    is_first_time: bool = False


@dataclass(frozen=True)
class EventExclusion:
    """Events that void an attempt if they occur strictly between two of its steps, counted from 1."""

    filter: EventFilter
    from_step: int
    to_step: int
    drops_unit: bool


@dataclass(frozen=True)
class Breakdown:
    """The property that splits the funnel. `step` is the step that determines the slice if the attribution is STEP."""

    column: str
    attribution: Attribution
    step: int | None = None


@dataclass(frozen=True)
class FunnelPlan:
    """A complete funnel.

    Attributes:
        entered: first and last instant, both included, at which an attempt may open; None for no limit.
        time_zone: IANA name; it determines the day on which an attempt opens.
        counts_attempts: whether attempts one after another are counted as well as units.
        ignored: event types that neither are steps nor end a strict attempt.
    """

    steps: tuple[PlanStep, ...]
    window: int
    semantics: Semantics = Semantics.ORDERED
    entered: tuple[int | None, int | None] = (None, None)
    time_zone: str = "UTC"
    same: tuple[str, ...] = ()
    exclusions: tuple[EventExclusion, ...] = ()
    is_strictly_later: bool = False
    ignored: tuple[str, ...] = ()
    counts_attempts: bool = False
    breakdown: Breakdown | None = None

    @property
    def numbers(self) -> range:
        """The step numbers, from 1."""
        return range(1, len(self.steps) + 1)

    def step(self, number: int) -> PlanStep:
        """The step with this number, from 1."""
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
        """The filters of all steps and exclusions."""
        return (*(step.filter for step in self.steps), *(exclusion.filter for exclusion in self.exclusions))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every property that the funnel reads, in order of first use."""
        named = [test.column for filter in self.filters for test in walk_tests(filter.where)]
        by = [self.breakdown.column] if self.breakdown else []
        return tuple(dict.fromkeys([*named, *self.same, *by]))


def walk_tests(condition: Condition) -> Iterator[PropertyTest]:
    """Every test in a condition."""
    if isinstance(condition, PropertyTest):
        yield condition
    else:
        for part in condition.parts:
            yield from walk_tests(part)
