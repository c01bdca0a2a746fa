"""Great Expectations on frames of many days: one call for many days, one judgement for each of them.

A call of Great Expectations costs about ten milliseconds an expectation, whatever it looks at. So the rows of many days
stand in one frame, and what it finds is told apart by day afterwards. Expectations that look at a column or table as a
whole (a sum, a set of distinct values) are judged day by day. Importing it costs 8 to 10 seconds and 270 MB: nothing
here is imported before the gate runs.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from assets.expectations.frames import DayFrame
from assets.expectations.suites import Expectation, Frame

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
ABOUT_NULLS = {"expect_column_values_to_not_be_null", "expect_column_values_to_be_null"}
NO_HISTORY = "no history yet"


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
    observed: str
    expected: str
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
                Judgement(day, expectation, True, 0, _nothing_seen(expectation), _asked(expectation))
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
        return batch.validate(suite, result_format={"result_format": "COMPLETE"})


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
        words = f"cannot be judged: {problem}"
        return [Judgement(day, expectation, False, 1, words, _asked(expectation)) for day in frame.days]
    if "unexpected_index_list" not in result.result and not (result.success and "element_count" in result.result):
        observed = f"{result.result.get('observed_value')}"
        return [
            Judgement(day, expectation, bool(result.success), int(not result.success), observed, _asked(expectation))
            for day in frame.days
        ]
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
        observed, expected = _WORDS[expectation.frame](expectation, shown, cases, rows)
        if day in frame.sampled:
            observed += f" (of every {frame.sampled[day]} rows one is looked at)"
        faults = () if is_passed or expectation.frame is not Frame.SLICES else _faults(broken_rows)
        judged.append(Judgement(day, expectation, is_passed, cases, observed, expected, faults))
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


# --- Words -----------------------------------------------------------------------------------------


def _asked(expectation: Expectation) -> str:
    """The arguments in words."""
    return ", ".join(f"{key} {value}" for key, value in expectation.arguments.items())


def _nothing_seen(expectation: Expectation) -> str:
    return NO_HISTORY if expectation.frame in (Frame.DAYS, Frame.SLICES) else "no rows"


def _number(value: Any) -> str:
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _row_words(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> tuple[str, str]:
    observed = f"{cases:,} of {considered:,} rows"
    if cases and rows is not None:
        named = [name for name in rows.columns if name in _names(expectation)]
        observed += ", such as " + ", ".join(f"{name} {rows.iloc[0][name]}" for name in named)
    return observed, _asked(expectation)


def _names(expectation: Expectation) -> set[str]:
    given = (expectation.arguments.get(key) for key in ("column", "column_A", "column_B"))
    return {name for name in given if name} | set(expectation.arguments.get("column_list", ()))


def _day_words(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> tuple[str, str]:
    if rows is None or rows.empty:
        return NO_HISTORY, _asked(expectation)
    row = rows.iloc[0]
    name = str(expectation.arguments.get("column", "")).removesuffix("_deviation")
    if name not in rows or row[name] != row[name]:
        return "no data", _asked(expectation)
    observed = f"{name} {_number(row[name])}"
    if f"{name}_deviation" != expectation.arguments.get("column"):
        return observed, _asked(expectation)
    if row[f"{name}_deviation"] != row[f"{name}_deviation"]:
        return f"{observed}, {NO_HISTORY}", _asked(expectation)
    history = int(row[f"{name}_history"])
    return observed, f"about {_number(row[f'{name}_usual'])}, learnt from {history} days"


def _slice_words(expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int) -> tuple[str, str]:
    if rows is None or rows.empty:
        return NO_HISTORY, _asked(expectation)
    if not cases:
        return f"all {considered} values are there", _asked(expectation)
    found = [f"{row.dimension} {row.value}: {_number(row.volume)}" for row in rows.itertuples()]
    usual = [f"{row.dimension} {row.value}: about {_number(row.usual_volume)}" for row in rows.itertuples()]
    return "; ".join(found[:5]), "; ".join(usual[:5])


def _faults(rows: "pd.DataFrame | None") -> tuple[SliceFault, ...]:
    if rows is None:
        return ()
    return tuple(
        SliceFault(str(row.dimension), str(row.value), _number(row.volume), f"about {_number(row.usual_volume)}")
        for row in rows.itertuples()
    )


def _delivery_words(
    expectation: Expectation, rows: "pd.DataFrame | None", cases: int, considered: int
) -> tuple[str, str]:
    if rows is None or rows.empty:
        return "nothing delivered", _asked(expectation)
    if not cases:
        return f"{_number(rows['rows_read'].sum())} rows read", _asked(expectation)
    row = rows.iloc[0]
    listed = {"new_column_count": "new_columns", "lost_column_count": "lost_columns"}
    column = str(expectation.arguments.get("column", ""))
    shown = row[listed.get(column, column)] if column in rows else ""
    words = ", ".join(map(str, shown)) if column in listed else str(shown)
    return f"{row['source']}: {listed.get(column, column).replace('_', ' ')} {words}", _asked(expectation)


_Words = Callable[[Expectation, "pd.DataFrame | None", int, int], tuple[str, str]]
_WORDS: Mapping[Frame, _Words] = {
    Frame.ROWS: _row_words,
    Frame.DAYS: _day_words,
    Frame.SLICES: _slice_words,
    Frame.DELIVERIES: _delivery_words,
}
