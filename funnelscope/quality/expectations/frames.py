"""The data that Great Expectations checks: pandas frames whose rows each belong to a business day.

`rows` are a table's own rows. Above a million rows a day, only those are used whose event_id is in a fixed residue
class: ids are keyed hashes, so this is a random sample, and the same on every machine. The other frames are small and
computed in SQL from every row.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from funnelscope.quality.expectations.daily_curve import CURVE_DAYS, DailyCurve, judge_curve
from funnelscope.quality.expectations.measure_baseline import (
    PROMOTION_DAYS,
    DayCalendar,
    compute_baseline,
    compute_level,
    compute_level_factor,
    is_weekday_of_rest,
)
from funnelscope.quality.expectations.suites import Expectation, Frame, Scale, Suite
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

if TYPE_CHECKING:
    import pandas as pd

MAXIMUM_ROWS = 1_000_000
LEAST_DAY_SHARE = 0.2
BY_HOUR = " by hour"
"""Follows a table's name in quality.slice_volumes where the slices are the hours of its days."""

MEASURE_TABLES = (
    "create table if not exists quality.measures "
    "(business_date DATE, table_name VARCHAR, measure VARCHAR, observed DOUBLE)",
    "create table if not exists quality.slice_volumes "
    "(business_date DATE, table_name VARCHAR, dimension VARCHAR, value VARCHAR, volume DOUBLE)",
)


@dataclass(frozen=True)
class DayFrame:
    """A frame, the days to which its rows may belong, and its sampling rate.

    Attributes:
        data: with a column business_date.
        sampled: n by day, if only one row in n of that day is in the frame.
    """

    data: "pd.DataFrame"
    days: tuple[date, ...]
    sampled: Mapping[date, int]


def read_row_frames(warehouse: Warehouse, suite: Suite, days: Sequence[date]) -> Iterator[DayFrame]:
    """The table's rows, with as many days in a frame as fit into a million rows.

    The last day has a frame of its own.
    """
    expectations = suite.of(Frame.ROWS)
    if not expectations or not days:
        return
    counts = _count_rows(warehouse, suite.table, days)
    present = warehouse.columns(suite.table)
    columns = _list_used_columns(expectations, [name for name, _ in present])
    for some in _pack_days(days, counts):
        every = {day: -(-counts[day] // MAXIMUM_ROWS) for day in some if counts.get(day, 0) > MAXIMUM_ROWS}
        sample = "".join(
            f" and (business_date != date '{day}' or event_id % {number} = 0)" for day, number in every.items()
        )
        data = warehouse.execute(
            f"select {', '.join(columns)} from {suite.table} "
            f"where business_date between $from_date and $to_date{sample}",
            from_date=some[0],
            to_date=some[-1],
        ).df()
        yield DayFrame(_convert_dates(data), some, every)


def _count_rows(warehouse: Warehouse, table: str, days: Sequence[date]) -> dict[date, int]:
    return dict(
        warehouse.rows(
            f"select business_date, count(*) from {table} "
            "where business_date between $from_date and $to_date group by all",
            from_date=days[0],
            to_date=days[-1],
        )
    )


def _pack_days(days: Sequence[date], counts: Mapping[date, int]) -> Iterator[tuple[date, ...]]:
    pack: list[date] = []
    rows = 0
    for day in days[:-1]:
        rows += counts.get(day, 0)
        if pack and (rows > MAXIMUM_ROWS or day != pack[-1] + timedelta(days=1)):
            yield tuple(pack)
            pack, rows = [], counts.get(day, 0)
        pack.append(day)
    if pack:
        yield tuple(pack)
    yield (days[-1],)


def _list_used_columns(expectations: Collection[Expectation], columns: Sequence[str]) -> list[str]:
    """The columns that the arguments name; all columns for an expectation on the whole table."""
    asked = {"business_date"}
    for expectation in expectations:
        words = set(re.findall(r"\w+", repr(sorted(expectation.arguments.items(), key=str))))
        named = words & set(columns)
        asked |= named or set(columns)
    return [name for name in columns if name in asked]


def build_day_frame(warehouse: Warehouse, suite: Suite, days: Sequence[date], calendar: DayCalendar) -> "pd.DataFrame":
    """One row per day: each measure, its baseline, its deviation from the baseline, and its days of history.

    Of a count also its level, which is the median of four weeks, and its factor on that; neither of an empty weekday
    that had none in those weeks.

    Replaces the days in quality.measures, from which later days compute their baselines.
    """
    import pandas as pd

    _measure_days(warehouse, suite, days)
    history = _read_history(warehouse, suite.table, days)
    records = []
    for day in days:
        record: dict[str, Any] = {"business_date": day}
        for name, measure in suite.measures.items():
            values = history.get(name, {})
            observed = values.get(day)
            learnt = compute_baseline(day, values, measure, calendar)
            record[name] = observed
            record[f"{name}_usual"] = learnt.centre if learnt else None
            record[f"{name}_history"] = learnt.days if learnt else 0
            record[f"{name}_deviation"] = (
                learnt.compute_deviation(observed, measure.scale) if learnt and observed is not None else None
            )
            if measure.scale is Scale.RATIO:
                level = compute_level(day, values)
                if not observed and is_weekday_of_rest(day, values):
                    level = None
                record[f"{name}_level"] = level
                record[f"{name}_factor"] = (
                    compute_level_factor(observed, level) if level is not None and observed is not None else None
                )
        records.append(record)
    data = pd.DataFrame(records)
    numbers = [name for name in data if name != "business_date"]
    return _convert_dates(data.astype(dict.fromkeys(numbers, "float64")))


def _measure_days(warehouse: Warehouse, suite: Suite, days: Sequence[date]) -> None:
    names = list(suite.measures)
    selected = ", ".join(f"({suite.measures[name].sql})::DOUBLE as m{number}" for number, name in enumerate(names))
    found = {
        day: values
        for day, *values in warehouse.rows(
            f"select business_date, {selected} from {suite.table} "
            "where business_date between $from_date and $to_date group by business_date",
            from_date=days[0],
            to_date=days[-1],
        )
    }
    nothing = [0.0 if name == "volume" else None for name in names]
    rows = [
        (day, suite.table, name, value)
        for day in days
        for name, value in zip(names, found.get(day, nothing), strict=True)
    ]
    _replace_days(warehouse, "quality.measures", suite.table, days, rows)


def _read_history(warehouse: Warehouse, table: str, days: Sequence[date]) -> dict[str, dict[date, float]]:
    """measure → day → value, for the days and all days before them."""
    found: dict[str, dict[date, float]] = {}
    for measure, day, observed in warehouse.rows(
        "select measure, business_date, observed from quality.measures where table_name = $table "
        "and business_date between $oldest and $to_date and observed is not null order by business_date",
        table=table,
        oldest=days[0] - timedelta(days=PROMOTION_DAYS),
        to_date=days[-1],
    ):
        found.setdefault(measure, {})[day] = observed
    return found


def build_slice_frame(
    warehouse: Warehouse, suite: Suite, days: Sequence[date], calendar: DayCalendar
) -> "pd.DataFrame":
    """One row per day and value that was present on all of the last seven comparable days: its volume and baseline.

    The share is one of the usual volume, or of less on a day on which all values together are fewer, as on a holiday;
    but of no less than a fifth, so that all values of a dimension may be gone.

    Replaces the days in quality.slice_volumes. Days with less than seven comparable days get no rows. Nor do days on
    which the shop is closed, as it was a week before.
    """
    import pandas as pd

    _measure_slices(warehouse, suite, days)
    volumes: dict[tuple[str, str], dict[date, float]] = {}
    for dimension, value, day, volume in warehouse.rows(
        "select dimension, value, business_date, volume from quality.slice_volumes where table_name = $table "
        "and business_date between $oldest and $to_date order by all",
        table=suite.table,
        oldest=days[0] - timedelta(days=30),
        to_date=days[-1],
    ):
        volumes.setdefault((dimension, value), {})[day] = volume
    known_days = {day for by_day in volumes.values() for day in by_day}
    records = []
    for day in days:
        week = calendar.list_last_comparable_days(day, known_days)
        if len(week) < 7 or _is_closed(day, known_days):
            continue
        seen = {slice_: sorted(by_day.get(other, 0) for other in week) for slice_, by_day in volumes.items()}
        usual = {slice_: values[3] for slice_, values in seen.items() if values[0] > 0}
        for (dimension, value), usual_volume in usual.items():
            others = [slice_ for slice_ in volumes if slice_[0] == dimension]
            day_share = sum(volumes[each].get(day, 0) for each in others) / sum(seen[each][3] for each in others)
            expected = usual_volume * min(max(day_share, LEAST_DAY_SHARE), 1)
            volume = volumes[dimension, value].get(day, 0)
            records.append((day, dimension, value, volume, usual_volume, volume / expected))
    columns = ["business_date", "dimension", "value", "volume", "usual_volume", "share_of_usual"]
    return _convert_dates(pd.DataFrame(records, columns=columns))


def drop_empty_days(data: "pd.DataFrame") -> "pd.DataFrame":
    """A slice frame without the days on which nothing is there: that is told once, and not slice by slice."""
    return data[data.groupby("business_date")["volume"].transform("sum") > 0]


def build_hour_frame(warehouse: Warehouse, suite: Suite, days: Sequence[date]) -> "pd.DataFrame":
    """One row per day whose curve over the hours can be judged: how far it is shifted, and what its end lacks.

    Replaces the days' hours in quality.slice_volumes.
    """
    import pandas as pd

    by_hour = replace(suite, slices=("local_hour",), slice_volume=suite.hour_volume)
    _measure_slices(warehouse, by_hour, days, f"{suite.table}{BY_HOUR}")
    curves: dict[date, list[float]] = {}
    for day, hour, volume in warehouse.rows(
        "select business_date, value::INTEGER, volume from quality.slice_volumes where table_name = $name "
        "and business_date between $oldest and $to_date order by all",
        name=f"{suite.table}{BY_HOUR}",
        oldest=days[0] - timedelta(days=CURVE_DAYS),
        to_date=days[-1],
    ):
        curves.setdefault(day, [0.0] * 24)[hour] = volume
    judged = {day: judge_curve(day, curves) for day in days}
    records = [{"business_date": day} | vars(curve) for day, curve in judged.items() if curve is not None]
    return _convert_dates(pd.DataFrame(records, columns=["business_date", *DailyCurve.__dataclass_fields__]))


def _is_closed(day: date, known_days: Collection[date]) -> bool:
    """Whether the day has no data and had none a week before, as when a shop sells nothing on Sundays."""
    return day not in known_days and day - timedelta(days=7) not in known_days


def _measure_slices(warehouse: Warehouse, suite: Suite, days: Sequence[date], name: str = "") -> None:
    """Replaces the days of the suite's slices in quality.slice_volumes, under the table's name or another."""
    name = name or suite.table
    rows: list[tuple[Any, ...]] = []
    for dimension in suite.slices:
        rows += [
            (day, name, dimension, value, volume)
            for day, value, volume in warehouse.rows(
                f"select business_date, {dimension}::VARCHAR, ({suite.slice_volume})::DOUBLE from {suite.table} "
                f"where {dimension} is not null and business_date between $from_date and $to_date group by all",
                from_date=days[0],
                to_date=days[-1],
            )
            if volume
        ]
    _replace_days(warehouse, "quality.slice_volumes", name, days, rows)


def build_delivery_frame(warehouse: Warehouse, suite: Suite, days: Sequence[date]) -> "pd.DataFrame":
    """One row per day of delivery and source: rows read, where they went, and columns added or removed.

    A source is compared with its last earlier day of delivery.
    """
    return _convert_dates(
        warehouse.execute(
            """
            with counted as (
                select
                    dt, source, count(*) as files, sum(rows_read) as rows_read, sum(accepted) as accepted,
                    sum(duplicates) as duplicates, sum(quarantined) as quarantined, sum(abs(difference)) as difference
                from quality.reconciliation
                where family = $family and dt between $from_date and $to_date
                group by dt, source
            ),

            headers as (
                select dt, source, list_sort(list_distinct(flatten(list(delivered_columns)))) as columns
                from quality.deliveries
                where family = $family and dt <= $to_date and len(delivered_columns) > 0 and rows_read > 0
                group by dt, source
            ),

            compared as (
                select dt, source, columns, lag(columns) over (partition by source order by dt) as columns_before
                from headers
            )

            select
                dt as business_date, source, files, rows_read, accepted, duplicates, quarantined, difference,
                list_filter(columns, lambda name: not list_contains(columns_before, name)) as new_columns,
                list_filter(columns_before, lambda name: not list_contains(columns, name)) as lost_columns,
                coalesce(len(new_columns), 0) as new_column_count,
                coalesce(len(lost_columns), 0) as lost_column_count
            from counted
            left join compared using (dt, source)
            order by dt, source
            """,
            family=suite.table.removeprefix("raw.").removesuffix("_events"),
            from_date=days[0],
            to_date=days[-1],
        ).df()
    )


def _replace_days(
    warehouse: Warehouse, table: str, name: str, days: Sequence[date], rows: Sequence[tuple[Any, ...]]
) -> None:
    with warehouse.transaction():
        warehouse.execute(
            f"delete from {table} where table_name = $name and business_date between $from_date and $to_date",
            name=name,
            from_date=days[0],
            to_date=days[-1],
        )
        insert_rows(warehouse, table, rows)


def _convert_dates(data: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with plain dates, whichever type DuckDB or pandas used."""
    import pandas as pd

    if "business_date" in data:
        data["business_date"] = pd.to_datetime(data["business_date"]).dt.date
    return data
