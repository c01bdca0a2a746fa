"""The suites: the expectations on each table, from the files next to this module and from the shop's own.

A file names tables, how to measure them, and what is expected of them. Files are merged entry by entry: what a later
file says about a table and a name replaces what an earlier one said. The shop's files come last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from funnelscope.events.schema import FAMILIES
from funnelscope.settings import Settings
from funnelscope.settings.yaml_source import SettingsError, YamlSource, suggest_nearest
from funnelscope.warehouse.checks import Severity
from funnelscope.warehouse.models import load_models

FOLDER = Path(__file__).parent / "suites"


class Frame(StrEnum):
    """The data that an expectation checks: the rows of the frame passed to Great Expectations."""

    ROWS = "rows"  # the table's rows
    DAYS = "days"  # one row per day: its measures, and the deviation of each from its baseline
    SLICES = "slices"  # one row per day and value (of a channel, a region …) that was present all week
    HOURS = "hours"  # one row per day: its curve over the hours against that of the days before
    DELIVERIES = "deliveries"  # one row per day and source: what was delivered, and with which columns


class Scale(StrEnum):
    """How a measure is compared with its history."""

    RATIO = "ratio"  # counts: doubling deviates as far as halving
    DIFFERENCE = "difference"  # shares and times: by their difference


class _SuiteModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measure(_SuiteModel):
    """A number computed for a day.

    Attributes:
        sql: aggregate over the table's rows of the day.
        least_spread: lower limit of the spread, whatever the history; relative for a ratio.
        most_spread: upper limit, for a few unlike days teach a spread that nothing exceeds. None for no limit.
    """

    sql: str
    scale: Scale
    least_spread: float = Field(gt=0)
    most_spread: float | None = Field(default=None, gt=0)


class ExpectationEntry(_SuiteModel):
    """What one file says about one expectation. To change a part of a known expectation, only its name is needed."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    frame: Frame | None = None
    type: str | None = None
    arguments: dict[str, Any] | None = None
    severity: Literal["block", "warn", "off"] | None = None
    reason: str | None = None
    words: dict[Literal["zh", "en"], str] | None = None

    @field_validator("severity", mode="before")
    @classmethod
    def _off_is_a_word(cls, given: Any) -> Any:
        return "off" if given is False else given  # YAML reads an unquoted off as false


class SuiteFile(_SuiteModel):
    """The content of one file. `volume` is SQL that counts the table's units, by default its rows.

    `slice_volume` is the same for slices, by default `volume`. Its counts should be independent of each other, as the
    chance model assumes: an order of ten lines is one event, not ten. `hour_volume` counts, hour by hour, what came
    independently of each other; without it a table has no curve.
    """

    tables: tuple[str, ...] = Field(min_length=1)
    volume: str | None = None
    slice_volume: str | None = None
    hour_volume: str | None = None
    measures: dict[str, Measure] = {}
    slices: tuple[str, ...] = ()
    expectations: tuple[ExpectationEntry, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """One expectation on one table.

    Attributes:
        type: the type in Great Expectations, in snake case, with its `arguments`.
        reason: why it matters, in plain words.
        words: its name by language, if a shop's file gives one.
    """

    name: str
    table: str
    frame: Frame
    type: str
    arguments: Mapping[str, Any]
    severity: Severity
    reason: str
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """All measures and expectations of one table."""

    table: str
    slice_volume: str
    hour_volume: str
    measures: Mapping[str, Measure]
    slices: tuple[str, ...]
    expectations: tuple[Expectation, ...]

    def of(self, frame: Frame) -> tuple[Expectation, ...]:
        """The expectations on one kind of frame."""
        return tuple(expectation for expectation in self.expectations if expectation.frame == frame)


VOLUME = Measure(sql="", scale=Scale.RATIO, least_spread=0.05, most_spread=0.4)


def load_suites(settings: Settings) -> tuple[Suite, ...]:
    """The suites of every table that the shop has, built in and its own merged, in order of tables.

    Raises:
        SettingsError: a file of the shop is wrong; names file and line and suggests a correction.
    """
    merged = _SuiteMerger()
    for path in _list_files(settings):
        merged.read(path)
    declared = {source.family for source in settings.sources}
    absent = {
        f"{schema}.{family.table}"
        for family in FAMILIES.values()
        for schema in ("raw", "staging")
        if family.name not in declared
    }
    return tuple(suite for suite in merged.suites() if suite.table not in absent)


@cache
def _read_built_in(path: Path) -> tuple[SuiteFile, YamlSource]:
    """A file of this version: a report asks for all of them twice, which would be a third of the time it takes."""
    return _read_file(path)


def _read_file(path: Path) -> tuple[SuiteFile, YamlSource]:
    document = YamlSource(path, SuiteFile, {"expectations": ExpectationEntry, "measures": Measure})
    try:
        return SuiteFile.model_validate(document.mapping()), document
    except ValidationError as error:
        raise SettingsError(*(document.problem(details) for details in error.errors())) from None


def _list_files(settings: Settings) -> list[Path]:
    own = sorted(settings.expectations.glob("*.yaml")) if settings.expectations else []
    return [*sorted(FOLDER.glob("*.yaml")), *own]


class _SuiteMerger:
    """The content of the files read so far, by table."""

    def __init__(self) -> None:
        self.volumes: dict[str, str] = {}
        self.slice_volumes: dict[str, str] = {}
        self.hour_volumes: dict[str, str] = {}
        self.measures: dict[str, dict[str, Measure]] = {}
        self.slices: dict[str, list[str]] = {}
        self.expectations: dict[str, dict[str, Expectation]] = {}

    def read(self, path: Path) -> None:
        file, document = _read_built_in(path) if path.parent == FOLDER else _read_file(path)
        for position, table in enumerate(file.tables):
            if table not in list_known_tables():
                words = f"is not a table that can have expectations; {suggest_nearest(table, list_known_tables())}"
                raise SettingsError(document.message(("tables", position), table, words))
            self._add(table, file, document)

    def _add(self, table: str, file: SuiteFile, document: YamlSource) -> None:
        if file.volume:
            self.volumes[table] = file.volume
        if file.slice_volume:
            self.slice_volumes[table] = file.slice_volume
        if file.hour_volume:
            self.hour_volumes[table] = file.hour_volume
        self.measures.setdefault(table, {}).update(file.measures)
        slices = self.slices.setdefault(table, [])
        slices += [dimension for dimension in file.slices if dimension not in slices]
        known = self.expectations.setdefault(table, {})
        for position, entry in enumerate(file.expectations):
            if problem := _find_problem(entry, known.get(entry.name)):
                raise SettingsError(document.message(("expectations", position), entry.name, problem))
            if entry.severity == "off":
                del known[entry.name]
            else:
                known[entry.name] = _merge(table, known.get(entry.name), entry)

    def suites(self) -> Iterator[Suite]:
        for table, expectations in sorted(self.expectations.items()):
            measures = {"volume": VOLUME.model_copy(update={"sql": self.volumes.get(table, "count(*)")})}
            yield Suite(
                table=table,
                slice_volume=self.slice_volumes.get(table, measures["volume"].sql),
                hour_volume=self.hour_volumes.get(table, ""),
                measures=measures | self.measures[table],
                slices=tuple(self.slices[table]),
                expectations=tuple(expectations.values()),
            )


def _find_problem(entry: ExpectationEntry, known: Expectation | None) -> str:
    """What is wrong with an entry, given the known expectation of that name; empty if nothing is."""
    if entry.type and entry.type not in list_known_types():
        suggestion = suggest_nearest(entry.type, list_known_types())
        return f"has a type that Great Expectations does not know, {entry.type!r}; {suggestion}"
    if entry.severity == "off":
        if known is None:
            return "cannot be switched off: no earlier file has it for this table"
        return "" if entry.reason else "is switched off without a reason"
    missing = [name for name in ("type", "arguments", "severity", "reason") if getattr(entry, name) is None]
    if known is None and missing:
        return f"is new for this table, so it needs {', '.join(missing)} too"
    return ""


def _merge(table: str, known: Expectation | None, entry: ExpectationEntry) -> Expectation:
    given = {name: value for name in ExpectationEntry.model_fields if (value := getattr(entry, name)) is not None}
    if "severity" in given:
        given["severity"] = Severity(given["severity"])
    if known is None:
        return Expectation(**({"table": table, "frame": Frame.ROWS} | given))
    arguments = {**known.arguments, **given.pop("arguments", {})}
    return Expectation(**({**vars(known), **given, "arguments": arguments}))


@cache
def list_known_tables() -> tuple[str, ...]:
    """Tables that a suite may be about: delivered and staged events, and the marts with days."""
    raw = [f"raw.{family.table}" for family in FAMILIES.values()]
    models = [model.table for model in load_models().values() if not model.is_view]
    return (*raw, *models)


@cache
def list_known_types() -> tuple[str, ...]:
    """Every expectation type, from the names of the files that define them: importing them would take seconds."""
    spec = find_spec("great_expectations")
    folders: Iterable[str] = spec.submodule_search_locations or () if spec else ()
    return tuple(sorted(path.stem for folder in folders for path in Path(folder).glob("expectations/core/expect_*.py")))
