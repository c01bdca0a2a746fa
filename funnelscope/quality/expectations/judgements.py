"""Runs Great Expectations on frames of many days: one call for many days, one judgement for each of them.

A call of Great Expectations costs about ten milliseconds per expectation, whatever the data. So the rows of many days
share a frame, and the failures are split by day afterwards. Expectations on a column or table as a whole (a sum, a set
of distinct values) are judged day by day. Importing Great Expectations costs 8 to 10 seconds and 270 MB, so this module
imports it only when the gate runs.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from funnelscope.messages.check_observations import CheckObservation, LocalizedMessage, Value
from funnelscope.quality.expectations.frames import DayFrame
from funnelscope.quality.expectations.suites import Expectation, Frame

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

# Types that compare rows with other rows: they must not see those of another day.
ACROSS_ROWS = {
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_not_be_outliers",
    "expect_compound_columns_to_be_unique",
}
TRANSLATED_ARGUMENTS = (
    "column",
    "min_value",
    "max_value",
    "mostly",
    "value_set",
    "row_condition",
)  # the types of most arguments
NULL_EXPECTATIONS = {"expect_column_values_to_not_be_null", "expect_column_values_to_be_null"}


@dataclass(frozen=True)
class SliceFault:
    """One value of a dimension for which an expectation failed."""

    dimension: str
    value: str
    observed: str
    expected: str


@dataclass(frozen=True)
class Judgement:
    """The result of one expectation on one day. `cases` is the number of rows in its frame that violate it."""

    business_date: date
    expectation: Expectation
    is_passed: bool
    cases: int
    found: CheckObservation
    faults: tuple[SliceFault, ...] = field(default=())


class Judge:
    """Great Expectations, ready to check frames. Creating a Judge imports it."""

    def __init__(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # else it sends usage statistics
        import great_expectations
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = great_expectations.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._batches = (
            context.data_sources.add_pandas("frames")
            .add_dataframe_asset("frame")
            .add_batch_definition_whole_dataframe("whole")
        )

    def judge(
        self, expectations: Collection[Expectation], frame: DayFrame
    ) -> tuple[list[Judgement], "ExpectationSuiteValidationResult | None"]:
        """A judgement for each expectation and day, and the last result of Great Expectations itself.

        For a frame of one day, that is the result of the day.
        """
        of_rows = [expectation for expectation in expectations if _is_judged_by_row(expectation)]
        of_days = [expectation for expectation in expectations if expectation not in of_rows]
        if len(frame.days) == 1:
            of_rows, of_days = list(expectations), []
        judgements, said = self._judge_together(of_rows, frame)
        for day in frame.days if of_days else ():
            data = frame.data[frame.data["business_date"] == day].reset_index(drop=True)
            judgements += self._judge_together(of_days, DayFrame(data, (day,), frame.sampled))[0]
        return judgements, said

    def _judge_together(
        self, expectations: Sequence[Expectation], frame: DayFrame
    ) -> tuple[list[Judgement], "ExpectationSuiteValidationResult | None"]:
        if not expectations or frame.data.empty:
            return [
                Judgement(day, expectation, True, 0, _observe_nothing(expectation))
                for expectation in expectations
                for day in frame.days
            ], None
        said = self._validate(expectations, frame.data)
        by_name = {result.expectation_config.meta["name"]: result for result in said.results}  # type: ignore[union-attr]
        return [
            judgement
            for expectation in expectations
            for judgement in _build_judgements(expectation, by_name[expectation.name], frame)
        ], said

    def _validate(
        self, expectations: Sequence[Expectation], data: "pd.DataFrame"
    ) -> "ExpectationSuiteValidationResult":
        from great_expectations import ExpectationSuite
        from great_expectations.expectations.registry import get_expectation_impl

        suite = ExpectationSuite(f"{expectations[0].table} {expectations[0].frame}")
        for expectation in expectations:
            given = dict(expectation.arguments)
            if "row_condition" in given:
                given.setdefault("condition_parser", "pandas")
            if "column_A" in given:
                given.setdefault("ignore_row_if", "either_value_is_missing")
            notes = {"notes": {"format": "string", "content": [f"{expectation.name}: {expectation.reason}"]}}
            suite.expectations.append(
                get_expectation_impl(expectation.type)(**given, meta={"name": expectation.name, **notes})
            )
        batch = self._batches.get_batch(batch_parameters={"dataframe": data})
        with kept_configurations():
            return batch.validate(suite, result_format={"result_format": "COMPLETE"})


@contextmanager
def kept_configurations() -> Iterator[None]:
    """Within the block an expectation makes its configuration once: it is asked for more than a hundred times.

    Great Expectations copies all arguments at each of these, which takes longer than judging itself. It changes neither
    an expectation nor its configuration while it validates.
    """
    from great_expectations.expectations.expectation import Expectation as Judged

    made = Judged.configuration
    kept: dict[int, tuple[Any, Any]] = {}  # with the expectation itself, so that no other one gets its id

    def configuration(judged: Any) -> Any:
        if id(judged) not in kept:
            kept[id(judged)] = (judged, made.fget(judged))  # type: ignore[attr-defined]
        return kept[id(judged)][1]

    Judged.configuration = property(configuration)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Judged.configuration = made  # type: ignore[method-assign]


def _is_judged_by_row(expectation: Expectation) -> bool:
    from great_expectations.expectations.expectation import (
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )
    from great_expectations.expectations.registry import get_expectation_impl

    kinds = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    return expectation.type not in ACROSS_ROWS and issubclass(get_expectation_impl(expectation.type), kinds)


def _build_judgements(
    expectation: Expectation, result: "ExpectationValidationResult", frame: DayFrame
) -> list[Judgement]:
    if problem := _get_exception(result):
        found = _build_observation("not_judged", expectation, problem=problem)
        return [Judgement(day, expectation, False, 1, found) for day in frame.days]
    if "unexpected_index_list" not in result.result and not (result.success and "element_count" in result.result):
        found = _build_observation("whole", expectation, value=f"{result.result.get('observed_value')}")
        return [Judgement(day, expectation, bool(result.success), int(not result.success), found) for day in frame.days]
    broken = frame.data.loc[list(result.result.get("unexpected_index_list") or ())]
    considered = _select_considered(expectation, frame.data).groupby("business_date").size().to_dict()
    broken_days = dict(tuple(broken.groupby("business_date"))) if len(broken) else {}
    every_day = dict(tuple(frame.data.groupby("business_date"))) if expectation.frame is not Frame.ROWS else {}
    judged = []
    for day in frame.days:
        rows = considered.get(day, 0)
        broken_rows = broken_days.get(day)
        cases = 0 if broken_rows is None else len(broken_rows)
        is_passed = cases <= (1 - expectation.arguments.get("mostly", 1)) * rows
        shown = broken_rows if broken_rows is not None else every_day.get(day)
        found = _OBSERVERS[expectation.frame](expectation, shown, cases, rows)
        if day in frame.sampled and cases:
            key = "rows_of_a_sample" if "example" in found.values else "rows_of_a_sample_alone"
            found = CheckObservation(key, {**found.values, "share": frame.sampled[day]})
        faults = () if is_passed or expectation.frame is not Frame.SLICES else _list_faults(broken_rows)
        judged.append(Judgement(day, expectation, is_passed, cases, found, faults))
    return judged


def _get_exception(result: "ExpectationValidationResult") -> str:
    """The error inside Great Expectations: usually a column or an argument that does not exist."""
    information = result.exception_info or {}
    for found in (information, *information.values()):
        if isinstance(found, Mapping) and found.get("raised_exception"):
            return str(found.get("exception_message") or "unknown reason").splitlines()[0]
    return ""


def _select_considered(expectation: Expectation, data: "pd.DataFrame") -> "pd.DataFrame":
    """The rows that an expectation on rows considers: those that meet its condition and have no null in its column."""
    if condition := expectation.arguments.get("row_condition"):
        data = data.query(condition)
    column = expectation.arguments.get("column")
    return data if column is None or expectation.type in NULL_EXPECTATIONS else data[data[column].notna()]


def _build_observation(key: str, expectation: Expectation, **values: Value) -> CheckObservation:
    """The observation `key`, with the arguments of the expectation in words."""
    return CheckObservation(key, {**values, "asked": [told.record for told in _describe_arguments(expectation)]})


def _describe_arguments(expectation: Expectation) -> list[LocalizedMessage]:
    """The arguments in words. Those without words, as in a shop's own expectations, by their names."""
    given = dict(expectation.arguments)
    asked = []
    if expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        key = "asked_greater_or_equal" if given.pop("or_equal", False) else "asked_greater"
        asked.append(LocalizedMessage(key, larger=given.pop("column_A"), smaller=given.pop("column_B")))
    for name, value in given.items():
        if name in TRANSLATED_ARGUMENTS:
            asked.append(LocalizedMessage(f"asked_{name}", value=str(value)))
        else:
            asked.append(LocalizedMessage("asked_other", name=name, value=str(value)))
    return asked


def _observe_nothing(expectation: Expectation) -> CheckObservation:
    return _build_observation(
        "no_history" if expectation.frame in (Frame.DAYS, Frame.SLICES, Frame.HOURS) else "rows_are_gone", expectation
    )


def _format_number(value: Any) -> str:
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _observe_rows(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> CheckObservation:
    counts: dict[str, Value] = {"cases": cases, "rows": int(considered)}
    if not cases or rows is None:
        return _build_observation("rows", expectation, **counts)
    named = [name for name in rows.columns if name in _list_column_names(expectation)]
    example = ", ".join(f"{name} {value}" for name, value in rows.iloc[0][named].dropna().items())
    if not example:
        return _build_observation("rows", expectation, **counts)
    return _build_observation("rows_such_as", expectation, **counts, example=example)


def _list_column_names(expectation: Expectation) -> set[str]:
    given = (expectation.arguments.get(key) for key in ("column", "column_A", "column_B"))
    return {name for name in given if name} | set(expectation.arguments.get("column_list", ()))


def _observe_day(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> CheckObservation:
    if rows is None or rows.empty:
        return _build_observation("no_history", expectation)
    row = rows.iloc[0]
    if str(expectation.arguments.get("column", "")).endswith("_factor"):
        return _observe_level(expectation, row)
    name = str(expectation.arguments.get("column", "")).removesuffix("_deviation")
    if name not in rows or row[name] != row[name]:
        return _build_observation("no_measure", expectation)
    measured = {"measure": name, "value": _format_number(row[name])}
    if f"{name}_deviation" != expectation.arguments.get("column"):
        return _build_observation("measure", expectation, **measured)
    if row[f"{name}_deviation"] != row[f"{name}_deviation"]:
        return _build_observation("measure_without_history", expectation, **measured)
    usual, days = _format_number(row[f"{name}_usual"]), int(row[f"{name}_history"])
    return _build_observation("measure_as_usual", expectation, **measured, usual=usual, days=days)


def _observe_level(expectation: Expectation, row: Any) -> CheckObservation:
    name = str(expectation.arguments["column"]).removesuffix("_factor")
    if row[name] != row[name] or row[f"{name}_level"] != row[f"{name}_level"]:
        return _build_observation("no_history", expectation)
    level = _format_number(row[f"{name}_level"])
    return _build_observation("level", expectation, measure=name, value=_format_number(row[name]), level=level)


def _observe_hours(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> CheckObservation:
    if rows is None or rows.empty:
        return _build_observation("no_history", expectation)
    row = {name: rows.iloc[0][name] for name in ("shift_hours", "last_hour", "usual_last_hour", "missing")}
    hours: dict[str, Value] = {name: round(float(value)) for name, value in row.items()}
    key = "curve_is_shifted" if expectation.arguments.get("column") == "shift_hours" else "day_ends_early"
    return _build_observation(key if cases else "hours_are_as_usual", expectation, **hours)


def _observe_slices(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> CheckObservation:
    if rows is None or rows.empty:
        return _build_observation("no_history", expectation)
    if not cases:
        return _build_observation("values_are_there", expectation, count=int(considered))
    first = list(rows.itertuples())[:5]
    metrics = [
        LocalizedMessage("volume_of_metric", metric=str(row.value)).record for row in first if row.dimension == "metric"
    ]
    if metrics:
        return CheckObservation("metrics_are_gone", {"found": metrics})
    found = [_name_slice(str(row.dimension), str(row.value), row.volume).record for row in first]
    usual = [_name_slice(str(row.dimension), str(row.value), row.usual_volume).record for row in first]
    return CheckObservation("values_are_gone", {"found": found, "usual": usual})


def _name_slice(dimension: str, value: str, volume: Any) -> LocalizedMessage:
    """The value as readers know it, with its volume: steps by their names."""
    shown = _format_number(volume)
    if dimension == "step":
        return LocalizedMessage("volume_of_step", step=value, volume=shown)
    return LocalizedMessage("volume_of_value", dimension=dimension, value=value, volume=shown)


def _list_faults(rows: "pd.DataFrame | None") -> tuple[SliceFault, ...]:
    if rows is None:
        return ()
    return tuple(
        SliceFault(
            str(row.dimension), str(row.value), _format_number(row.volume), f"about {_format_number(row.usual_volume)}"
        )
        for row in rows.itertuples()
    )


def _observe_deliveries(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> CheckObservation:
    if rows is None or rows.empty:
        return _build_observation("nothing_delivered", expectation)
    if not cases:
        return _build_observation("rows_read", expectation, rows=int(rows["rows_read"].sum()))
    row = rows.iloc[0]
    column = str(expectation.arguments.get("column", ""))
    lists = {"new_column_count": "new_columns", "lost_column_count": "lost_columns"}
    source = str(row["source"])
    if column in lists:
        return _build_observation(
            lists[column], expectation, source=source, shown=", ".join(map(str, row[lists[column]]))
        )
    shown = str(row[column]) if column in rows else ""
    return _build_observation("delivery", expectation, source=source, name=column.replace("_", " "), shown=shown)


_OBSERVERS: Mapping[Frame, Callable[[Expectation, "pd.DataFrame | None", int, int], CheckObservation]] = {
    Frame.ROWS: _observe_rows,
    Frame.DAYS: _observe_day,
    Frame.SLICES: _observe_slices,
    Frame.HOURS: _observe_hours,
    Frame.DELIVERIES: _observe_deliveries,
}
