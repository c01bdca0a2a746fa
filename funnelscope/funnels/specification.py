"""The specification of a funnel: the checked content of a YAML or JSON file. Each error names its line."""

import re
from collections.abc import Iterator, Mapping
from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from funnelscope.funnels.engine.plan import (
    AllOf,
    AnyOf,
    Attribution,
    Breakdown,
    Condition,
    EventExclusion,
    EventFilter,
    FunnelPlan,
    Operator,
    PlanStep,
    PropertyTest,
    Semantics,
)
from funnelscope.settings.yaml_source import KeyPath, SettingsError, YamlSource, check_timezone, reject, suggest_nearest

MICROSECONDS = 1_000_000
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_SECONDS = 100 * 366 * 86_400
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200
OPERATORS = [operator.value for operator in Operator]


def _parse_duration(given: Any) -> int:
    """Seconds of 90, '90s', '30m', '6h', '7d' or '2w'."""
    found = re.fullmatch(r"\s*(\d+)\s*([smhdw]?)\s*", str(given)) if isinstance(given, int | str) else None
    if not found or isinstance(given, bool):
        reject((), given, "is not a duration; write whole seconds or a number with s, m, h, d or w, such as 30m")
    seconds = int(found[1]) * UNIT_SECONDS[found[2] or "s"]
    if not 0 < seconds <= LONGEST_SECONDS:
        reject((), given, "is not a valid duration; it must be more than 0 and at most 100 years")
    return seconds


Duration = Annotated[int, BeforeValidator(_parse_duration)]


def _parse_day_or_time(given: Any) -> date | datetime | None:
    """A day or a time as it was written. Midnight is a time, not the whole day."""
    if given is None:
        return None
    try:
        found = given if isinstance(given, date) else _read_day_or_time(given)
    except (TypeError, ValueError):
        reject((), given, "is neither a day (2026-05-01) nor a time (2026-05-01T08:00:00, with or without an offset)")
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        reject((), str(given), f"is not between {EARLIEST_YEAR} and {LATEST_YEAR}; write null for an open end")
    return found


def _read_day_or_time(text: str) -> date | datetime:
    return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)


Edge = Annotated[Any, BeforeValidator(_parse_day_or_time)]


def _parse_condition(given: Any, path: KeyPath = ()) -> Condition:
    """The condition in `where`: properties with a value, list or operator; `any` and `all` hold lists of conditions."""
    if not isinstance(given, Mapping):
        reject(path, given, "must be properties with values, such as {page_type: product}")
    parts: list[Condition] = []
    for name, wanted in given.items():
        here = (*path, str(name))
        if name in ("any", "all") and isinstance(wanted, list):
            inner = tuple(_parse_condition(part, (*here, number)) for number, part in enumerate(wanted))
            if not inner:
                reject(here, wanted, "is empty; give at least one condition")
            parts.append(AnyOf(inner) if name == "any" else AllOf(inner))
        else:
            parts.append(_parse_test(str(name), wanted, here))
    return AllOf(tuple(parts))


def _parse_test(column: str, wanted: Any, path: KeyPath) -> PropertyTest:
    if isinstance(wanted, list):
        return PropertyTest(column, Operator.IN, _parse_values(wanted, path))
    if not isinstance(wanted, Mapping):
        return PropertyTest(column, Operator.EQUAL, _parse_value(wanted, path))
    unknown = [key for key in wanted if key not in ("op", "value")]
    if unknown:
        reject((*path, unknown[0]), "", "unknown key; accepted: op, value")
    name = wanted.get("op", "eq")
    if name not in OPERATORS:
        reject((*path, "op"), name, f"is not an operator; {suggest_nearest(str(name), OPERATORS)}")
    operator = Operator(name)
    if operator in (Operator.IS_SET, Operator.IS_NOT_SET):
        return PropertyTest(column, operator)
    if "value" not in wanted:
        reject(path, dict(wanted), "needs a value as well")
    value = wanted["value"]
    if operator is Operator.IN or (operator is Operator.EQUAL and isinstance(value, list)):
        return PropertyTest(column, Operator.IN, _parse_values(value, (*path, "value")))
    return PropertyTest(column, operator, _parse_value(value, (*path, "value")))


def _parse_values(given: Any, path: KeyPath) -> tuple[str | int | float | bool, ...]:
    if not isinstance(given, list) or not given:
        reject(path, given, "must be a list of at least one value")
    return tuple(_parse_value(value, path) for value in given)


def _parse_value(given: Any, path: KeyPath) -> str | int | float | bool:
    if isinstance(given, date):
        return given.isoformat()
    if not isinstance(given, str | int | float):
        reject(path, given, "is not a value; write a text, a number, true or false, or {op: is_not_set}")
    return given


class _SpecificationModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _EventModel(_SpecificationModel):
    event: str | None = Field(description="the event type; null means any event")
    where: Annotated[Condition, BeforeValidator(_parse_condition)] = AllOf()

    @model_validator(mode="before")
    @classmethod
    def _no_bare_word(cls, given: Any) -> Any:
        if isinstance(given, str):
            reject((), given, f"must be keys and values, such as event: {given}")
        return given

    @property
    def filter(self) -> EventFilter:
        return EventFilter(self.event, self.where)


class StepSpec(_EventModel):
    """One step of the funnel."""

    name: str = Field("", pattern=r"^\S.*$|^$", max_length=100, description="what the step is called in answers")
    within: Duration | None = Field(None, description="at most this long after the last step that is not optional")
    optional: bool = Field(False, description="never blocks; counted only if it was matched")
    first_time: bool = Field(False, description="only the unit's first such event ever, even before the range")


class ExclusionSpec(_EventModel):
    """Events that void an attempt if they occur strictly between two of its steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)

    from_step: int = Field(1, alias="from", ge=1)
    to_step: int | None = Field(None, alias="to", ge=1)
    drops: Literal["unit", "attempt"] = "unit"


class BreakdownSpec(_SpecificationModel):
    """The property whose values split the funnel, and the events that determine the value."""

    by: str
    attribution: str = "first"

    @field_validator("attribution")
    @classmethod
    def _known(cls, given: str) -> str:
        if not re.fullmatch(r"first|last|all|step:\d+", given):
            reject((), given, "is not an attribution; accepted: first, last, all, or step:1 and so on")
        return given

    @property
    def step(self) -> int | None:
        """The number of the step in `step:N`; None for other attributions."""
        return int(self.attribution.partition(":")[2]) if ":" in self.attribution else None

    @property
    def parameters(self) -> Breakdown:
        """The breakdown for the plan."""
        return Breakdown(self.by, Attribution(self.attribution.partition(":")[0]), self.step)


class FunnelSpec(_SpecificationModel):
    """One funnel. Times without an offset are in `timezone`."""

    name: str = Field("", pattern=r"^\w[\w -]*$|^$")
    semantics: Semantics = Semantics.ORDERED
    unit: str = Field("visitor_id", min_length=1)
    entered: tuple[Edge, Edge] = (None, None)
    timezone: str = "UTC"
    window: Duration = 14 * 86_400
    steps: tuple[StepSpec, ...]
    same: tuple[str, ...] = ()
    exclude: tuple[ExclusionSpec, ...] = ()
    ties: Literal["any_order", "strictly_later"] = "any_order"
    ignore: tuple[str, ...] = ()
    reenter: Literal["count"] | None = None
    breakdown: BreakdownSpec | None = None

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return check_timezone(name)

    @model_validator(mode="after")
    def _fits_together(self) -> "FunnelSpec":
        if not self.steps:
            reject(("steps",), [], "is empty; give at least one step, such as {event: paid}")
        start, end = self._range()
        if start is not None and end is not None and end < start:
            text = f"the range ends before it starts; write the earlier first: [{self.entered[1]}, {self.entered[0]}]"
            reject(("entered",), [str(side) for side in self.entered], text)
        if self.ignore and self.semantics is not Semantics.STRICT:
            reject(("ignore",), list(self.ignore), "has a meaning in a strict funnel only; remove it")
        for number, event in enumerate(self.ignore):
            if any(step.event == event for step in self.steps):
                reject(("ignore", number), event, "is the event of a step; remove it here, or the step")
        names = [step.name for step in self.steps]
        for number, name in enumerate(names):
            if name and name in names[:number]:
                reject(("steps", number, "name"), name, "is also the name of an earlier step; names must differ")
        if self.steps[0].optional:
            reject(("steps", 0, "optional"), True, "the first step opens an attempt; it cannot be optional")
        if self.steps[0].within:
            reject(
                ("steps", 0, "within"),
                self.steps[0].within,
                "there is no step before the first; set it on the next step",
            )
        for number, exclusion in enumerate(self.exclude):
            self._check_exclusion(number, exclusion)
        step = self.breakdown.step if self.breakdown else None
        if step is not None and not 1 <= step <= len(self.steps):
            reject(("breakdown", "attribution"), f"step:{step}", f"there are steps 1 to {len(self.steps)}")
        if self.semantics is Semantics.UNORDERED:
            for path, found in self._parts_that_need_an_order():
                reject(path, found, "has no meaning in an unordered funnel; remove it, or make the funnel ordered")
        return self

    def _check_exclusion(self, number: int, exclusion: ExclusionSpec) -> None:
        path = ("exclude", number)
        last = exclusion.to_step or len(self.steps)
        if not exclusion.from_step < last <= len(self.steps):
            text = f"from must be before to, both among the steps 1 to {len(self.steps)}"
            reject(path, {"from": exclusion.from_step, "to": last}, text)

    def _parts_that_need_an_order(self) -> Iterator[tuple[KeyPath, object]]:
        for number, step in enumerate(self.steps):
            if step.within:
                yield ("steps", number, "within"), step.within
            if step.optional:
                yield ("steps", number, "optional"), True
        for number, exclusion in enumerate(self.exclude):
            if (exclusion.from_step, exclusion.to_step or len(self.steps)) != (1, len(self.steps)):
                yield ("exclude", number), {"from": exclusion.from_step, "to": exclusion.to_step}
        if self.ties == "strictly_later":
            yield ("ties",), self.ties
        if self.breakdown and self.breakdown.step is not None:
            yield ("breakdown", "attribution"), self.breakdown.attribution

    def _range(self) -> tuple[int | None, int | None]:
        """First and last microsecond at which an attempt may open. A day as the end includes that whole day."""
        start, end = self.entered
        zone = ZoneInfo(self.timezone)
        after = (
            convert_to_microseconds(end + timedelta(days=1), zone) - 1
            if end and not isinstance(end, datetime)
            else None
        )
        return convert_to_microseconds(start, zone) if start else None, after or (
            convert_to_microseconds(end, zone) if end else None
        )

    @property
    def plan(self) -> FunnelPlan:
        """The plan for funnelscope.funnels.engine."""
        return FunnelPlan(
            steps=tuple(
                PlanStep(step.filter, step.within and step.within * MICROSECONDS, step.optional, step.first_time)
                for step in self.steps
            ),
            window=self.window * MICROSECONDS,
            semantics=self.semantics,
            entered=self._range(),
            time_zone=self.timezone,
            same=self.same,
            exclusions=tuple(
                EventExclusion(
                    exclusion.filter,
                    exclusion.from_step,
                    exclusion.to_step or len(self.steps),
                    exclusion.drops == "unit" and self.semantics is not Semantics.UNORDERED,
                )
                for exclusion in self.exclude
            ),
            is_strictly_later=self.ties == "strictly_later",
            ignored=self.ignore,
            counts_attempts=self.reenter == "count",
            breakdown=self.breakdown.parameters if self.breakdown else None,
        )


def convert_to_microseconds(given: date | datetime, zone: ZoneInfo) -> int:
    """Microseconds since 1970-01-01 UTC of the start of a day, or of a time; without an offset it is in `zone`."""
    moment = given if isinstance(given, datetime) else datetime.combine(given, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


_MODELS_BELOW: dict[str, type[BaseModel]] = {
    "steps": StepSpec,
    "exclude": ExclusionSpec,
    "breakdown": BreakdownSpec,
}


class FunnelFile:
    """A specification with the file it was read from. `problem` names the line of a key.

    Raises:
        SettingsError: the file is missing or wrong; names every error with its line.
    """

    def __init__(self, path: Path, timezone: str = "UTC") -> None:
        self.path = path
        self._document = YamlSource(path, FunnelSpec, _MODELS_BELOW, "Name a YAML or JSON file that declares a funnel.")
        content = {"timezone": timezone, **self._document.mapping()}
        content["name"] = content.get("name") or path.stem
        try:
            self.spec = FunnelSpec.model_validate(content)
        except ValidationError as error:
            raise SettingsError(*(self._document.problem(details) for details in error.errors())) from None

    def entered(self, first: date, last: date) -> "FunnelFile":
        """The same funnel for the units that entered on these days, both included."""
        other = copy(self)
        other.spec = self.spec.model_copy(update={"entered": (first, last)})
        return other

    def problem(self, path: KeyPath, found: object, text: str) -> SettingsError:
        """An error about the key at `path` that can only be detected with the data."""
        return SettingsError(self._document.message(path, found, text))
