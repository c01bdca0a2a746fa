"""Great Expectations in addition to the SQL contracts: rules for the rows, measures, slices and deliveries of a day.

`suites` reads the expectations, `measure_baseline` computes baselines, `daily_curve` judges hours, `frames` builds the
data to be checked, `judgements` calls Great Expectations, `data_docs` writes its pages.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from funnelscope.quality.expectations.data_docs import DataDocsPage, write_data_docs
from funnelscope.quality.expectations.frames import (
    MEASURE_TABLES,
    DayFrame,
    build_day_frame,
    build_delivery_frame,
    build_hour_frame,
    build_slice_frame,
    drop_empty_days,
    read_row_frames,
)
from funnelscope.quality.expectations.judgements import Judge, Judgement, SliceFault
from funnelscope.quality.expectations.measure_baseline import DayCalendar
from funnelscope.quality.expectations.suites import Expectation, Frame, Suite, load_suites
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

__all__ = ["Expectation", "Judgement", "SliceFault", "create_tables", "judge_suites", "load_suites"]


def create_tables(warehouse: Warehouse) -> None:
    """Creates, if absent, the tables of measured values."""
    for statement in MEASURE_TABLES:
        warehouse.execute(statement)


def judge_suites(
    warehouse: Warehouse, settings: Settings, suites: Collection[Suite], days: Mapping[str, list[date]]
) -> list[Judgement]:
    """Judges every suite on its days, and writes the Data Docs of the last day.

    Args:
        days: the days of each table, in order, without those before the opening day.
    """
    create_tables(warehouse)
    if not any(days[suite.table] for suite in suites):
        return []
    judge = Judge()
    calendar = DayCalendar(settings.calendar)
    last_day = max(day for suite in suites for day in days[suite.table])
    judgements: list[Judgement] = []
    pages: list[DataDocsPage] = []
    for suite in suites:
        for frame, data in _build_frames(warehouse, suite, days[suite.table], calendar):
            found, said = judge.judge(suite.of(frame), data)
            judgements += found
            if said is not None and data.days == (last_day,):
                pages.append(DataDocsPage(suite.table, frame, said, [each for each in found if not each.is_passed]))
    write_data_docs(settings.data_docs, settings.shop, last_day, pages)
    return judgements


def _build_frames(
    warehouse: Warehouse, suite: Suite, days: list[date], calendar: DayCalendar
) -> Iterator[tuple[Frame, DayFrame]]:
    """Every frame for which the suite has expectations. The last day has a frame of its own in each kind."""
    if not days:
        return
    for rows in read_row_frames(warehouse, suite, days):
        yield Frame.ROWS, rows
    small = {
        Frame.DAYS: lambda: build_day_frame(warehouse, suite, days, calendar),
        Frame.SLICES: lambda: build_slice_frame(warehouse, suite, days, calendar),
        Frame.HOURS: lambda: build_hour_frame(warehouse, suite, days),
        Frame.DELIVERIES: lambda: build_delivery_frame(warehouse, suite, days),
    }
    for frame, make in small.items():
        if not suite.of(frame):
            continue
        data = make()
        if frame is Frame.SLICES and suite.table.startswith("staging."):
            data = drop_empty_days(data)
        for some in (tuple(days[:-1]), (days[-1],)):
            if some:
                yield frame, DayFrame(data[data["business_date"].isin(some)].reset_index(drop=True), some, {})
