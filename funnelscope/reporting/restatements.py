"""Finds earlier days that a report must name because their numbers have changed since the previous report."""

from datetime import date

import duckdb

# The name of a snapshot is its last day and a number that only grows.
NUMBER = "split_part({}, '-', -1)::INTEGER"


def find_restated_since(
    connection: duckdb.DuckDBPyConnection, last_known: date, before: date, snapshot: str
) -> list[date]:
    """Days whose published numbers have changed after the snapshot from which the previous report was printed.

    Args:
        last_known: the day of the previous report; later days are new, not restated.
        before: the day of the report, which is not among the days that it names.
        snapshot: name of that snapshot; empty if no report states it, and then no change is known.
    """
    if not snapshot:
        return []
    rows = connection.execute(
        "select business_date from quality.published_days "
        "where business_date <= $1 and business_date < $2 and "
        + NUMBER.format("snapshot")
        + " > "
        + NUMBER.format("$3")
        + " order by 1",
        [last_known, before, snapshot],
    ).fetchall()
    return [day for (day,) in rows]
