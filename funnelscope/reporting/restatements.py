"""Which earlier days a report must name, because their numbers are no longer those of the report before."""

from datetime import date

import duckdb

# Snapshots are called by their last day and a number that only grows.
NUMBER = "split_part({}, '-', -1)::INTEGER"


def find_restated_since(
    connection: duckdb.DuckDBPyConnection, last_known: date, before: date, snapshot: str
) -> list[date]:
    """Days whose published numbers have changed after the snapshot that the report before was printed from.

    Args:
        last_known: the day of the report before; what lies after it came anew, and was not restated.
        before: the day of the report; it is told apart from the days that it names.
        snapshot: name of that snapshot; empty where no report says it, and then nothing is known to have changed.
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
