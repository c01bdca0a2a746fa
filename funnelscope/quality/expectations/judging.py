"""Great Expectations on frames of many days: one call for many days, one judgement for each of them.

A call of Great Expectations costs about ten milliseconds an expectation, whatever it looks at. So the rows of many days
stand in one frame, and what it finds is told apart by day afterwards. Expectations that look at a column or table as a
whole (a sum, a set of distinct values) are judged day by day. Importing it costs 8 to 10 seconds and 270 MB: nothing
here is imported before the gate runs.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from funnelscope.messages.observations import Found, Told, Value
from funnelscope.quality.expectations.frames import DayFrame
from funnelscope.quality.expectations.suites import Expectation, Frame

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

# Types that find single rows, but by comparing them with others: those of another day must not be among them.
ACROSS_ROWS = {
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_not_be_outliers",
    "expect_compound_columns_to_be_unique",
}
IN_WORDS = ("column", "min_value", "max_value", "mostly", "value_set", "row_condition")  # what most arguments are
ABOUT_NULLS = {"expect_column_values_to_not_be_null", "expect_column_values_to_be_null"}


@dataclass(frozen=True)
class SliceFault:
    """One value of a dimension in which an expectation failed."""

    dimension: str
    value: str
    observed: str
    expected: str


@dataclass(frozen=True)
class Judgement:
    """What one expectation says of one day. `cases` counts the rows of its frame that break it."""

    business_date: date
    expectation: Expectation
    is_passed: bool
    cases: int
    found: Found
    faults: tuple[SliceFault, ...] = field(default=())


class Judge:
    """Great Expectations, ready to look at frames. Making one imports it."""

    def __init__(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # it would send what it is used for
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
        """A judgement for each expectation and day, and the last thing that Great Expectations itself said.

        For a frame of one day that is its result of the day.
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
                Judgement(day, expectation, True, 0, _nothing_seen(expectation))
                for expectation in expectations
                for day in frame.days
            ], None
        said = self._validate(expectations, frame.data)
        by_name = {result.expectation_config.meta["name"]: result for result in said.results}  # type: ignore[union-attr]
        return [
            judgement
            for expectation in expectations
            for judgement in _judgements(expectation, by_name[expectation.name], frame)
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


def _judgements(expectation: Expectation, result: "ExpectationValidationResult", frame: DayFrame) -> list[Judgement]:
    if problem := _exception(result):
        found = _found("not_judged", expectation, problem=problem)
        return [Judgement(day, expectation, False, 1, found) for day in frame.days]
    if "unexpected_index_list" not in result.result and not (result.success and "element_count" in result.result):
        found = _found("whole", expectation, value=f"{result.result.get('observed_value')}")
        return [Judgement(day, expectation, bool(result.success), int(not result.success), found) for day in frame.days]
    broken = frame.data.loc[list(result.result.get("unexpected_index_list") or ())]
    considered = _considered(expectation, frame.data).groupby("business_date").size().to_dict()
    broken_days = dict(tuple(broken.groupby("business_date"))) if len(broken) else {}
    every_day = dict(tuple(frame.data.groupby("business_date"))) if expectation.frame is not Frame.ROWS else {}
    judged = []
    for day in frame.days:
        rows = considered.get(day, 0)
        broken_rows = broken_days.get(day)
        cases = 0 if broken_rows is None else len(broken_rows)
        is_passed = cases <= (1 - expectation.arguments.get("mostly", 1)) * rows
        shown = broken_rows if broken_rows is not None else every_day.get(day)
        found = _FOUND_IN[expectation.frame](expectation, shown, cases, rows)
        if day in frame.sampled and cases:
            found = Found("rows_of_a_sample", {**found.values, "share": frame.sampled[day]})
        faults = () if is_passed or expectation.frame is not Frame.SLICES else _faults(broken_rows)
        judged.append(Judgement(day, expectation, is_passed, cases, found, faults))
    return judged


def _exception(result: "ExpectationValidationResult") -> str:
    """What went wrong inside Great Expectations: mostly a column or an argument that does not exist."""
    information = result.exception_info or {}
    for found in (information, *information.values()):
        if isinstance(found, Mapping) and found.get("raised_exception"):
            return str(found.get("exception_message") or "unknown reason").splitlines()[0]
    return ""


def _considered(expectation: Expectation, data: "pd.DataFrame") -> "pd.DataFrame":
    """The rows that an expectation of rows looks at: those of its condition, without nulls of its column."""
    if condition := expectation.arguments.get("row_condition"):
        data = data.query(condition)
    column = expectation.arguments.get("column")
    return data if column is None or expectation.type in ABOUT_NULLS else data[data[column].notna()]


# --- What was found --------------------------------------------------------------------------------


def _found(key: str, expectation: Expectation, **values: Value) -> Found:
    """A sentence of the words files, with what the expectation asks for as its arguments say it."""
    return Found(key, {**values, "asked": [told.record for told in _asked(expectation)]})


def _asked(expectation: Expectation) -> list[Told]:
    """The arguments in words; those that have none, as a shop's own expectations may, by their names."""
    given = dict(expectation.arguments)
    asked = []
    if expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        key = "asked_greater_or_equal" if given.pop("or_equal", False) else "asked_greater"
        asked.append(Told(key, larger=given.pop("column_A"), smaller=given.pop("column_B")))
    for name, value in given.items():
        if name in IN_WORDS:
            asked.append(Told(f"asked_{name}", value=str(value)))
        else:
            asked.append(Told("asked_other", name=name, value=str(value)))
    return asked


def _nothing_seen(expectation: Expectation) -> Found:
    return _found("no_history" if expectation.frame in (Frame.DAYS, Frame.SLICES) else "rows_are_gone", expectation)


def _number(value: Any) -> str:
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _in_rows(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> Found:
    counts: dict[str, Value] = {"cases": cases, "rows": int(considered)}
    if not cases or rows is None:
        return _found("rows", expectation, **counts)
    named = [name for name in rows.columns if name in _names(expectation)]
    example = ", ".join(f"{name} {rows.iloc[0][name]}" for name in named)
    return _found("rows_such_as", expectation, **counts, example=example)


def _names(expectation: Expectation) -> set[str]:
    given = (expectation.arguments.get(key) for key in ("column", "column_A", "column_B"))
    return {name for name in given if name} | set(expectation.arguments.get("column_list", ()))


def _in_a_day(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> Found:
    if rows is None or rows.empty:
        return _found("no_history", expectation)
    row = rows.iloc[0]
    name = str(expectation.arguments.get("column", "")).removesuffix("_deviation")
    if name not in rows or row[name] != row[name]:
        return _found("no_measure", expectation)
    measured = {"measure": name, "value": _number(row[name])}
    if f"{name}_deviation" != expectation.arguments.get("column"):
        return _found("measure", expectation, **measured)
    if row[f"{name}_deviation"] != row[f"{name}_deviation"]:
        return _found("measure_without_history", expectation, **measured)
    usual, days = _number(row[f"{name}_usual"]), int(row[f"{name}_history"])
    return _found("measure_as_usual", expectation, **measured, usual=usual, days=days)


def _in_slices(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> Found:
    if rows is None or rows.empty:
        return _found("no_history", expectation)
    if not cases:
        return _found("values_are_there", expectation, count=int(considered))
    first = list(rows.itertuples())[:5]
    found = "; ".join(f"{row.dimension} {row.value}: {_number(row.volume)}" for row in first)
    usual = "; ".join(f"{row.dimension} {row.value}: {_number(row.usual_volume)}" for row in first)
    return _found("values_are_gone", expectation, found=found, usual=usual)


def _faults(rows: "pd.DataFrame | None") -> tuple[SliceFault, ...]:
    if rows is None:
        return ()
    return tuple(
        SliceFault(str(row.dimension), str(row.value), _number(row.volume), f"about {_number(row.usual_volume)}")
        for row in rows.itertuples()
    )


def _in_deliveries(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> Found:
    if rows is None or rows.empty:
        return _found("nothing_delivered", expectation)
    if not cases:
        return _found("rows_read", expectation, rows=int(rows["rows_read"].sum()))
    row = rows.iloc[0]
    column = str(expectation.arguments.get("column", ""))
    lists = {"new_column_count": "new_columns", "lost_column_count": "lost_columns"}
    source = str(row["source"])
    if column in lists:
        return _found(lists[column], expectation, source=source, shown=", ".join(map(str, row[lists[column]])))
    shown = str(row[column]) if column in rows else ""
    return _found("delivery", expectation, source=source, name=column.replace("_", " "), shown=shown)


_FOUND_IN: Mapping[Frame, Callable[[Expectation, "pd.DataFrame | None", int, int], Found]] = {
    Frame.ROWS: _in_rows,
    Frame.DAYS: _in_a_day,
    Frame.SLICES: _in_slices,
    Frame.DELIVERIES: _in_deliveries,
}
