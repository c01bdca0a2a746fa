"""Work on the quarantine: list its rows, read their files again, or drop rows."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from funnelscope.ingest.line_numbers import build_line_number_sql, build_record_number_sql
from funnelscope.warehouse.connection import Warehouse

# These are found by comparison with other deliveries on every build. Reading their own file again does not help.
NEVER_RETRIED = "conflicting_duplicate"

_QUARANTINE = """
    (
        select
            quarantine.*, quarantine.rowid as place, deliveries.source, quarantine.counted_date as day
        from quality.quarantine
        left join quality.deliveries using (delivery_id)
    )
"""


@dataclass(frozen=True)
class Selection:
    """Selects rows in quarantine. A filter that is None selects all.

    Attributes:
        file: the file's name in the ledger, or the end of it.
        day: the business date; for a row without a credible one, that of the row above it in its file, or else the
            day of its delivery.
        dropped: selects the dropped rows instead of those that wait to be fixed.
    """

    family: str | None = None
    source: str | None = None
    reason: str | None = None
    file: str | None = None
    day: date | None = None
    dropped: bool = False

    @property
    def condition(self) -> str:
        """SQL condition on the quarantine with `$name` for each filter."""
        parts = [f"dropped_at is {'not ' if self.dropped else ''}null"]
        parts += [f"{name} = ${name}" for name in self.parameters if name != "file"]
        return " and ".join([*parts, *(["ends_with(file, $file)"] if self.file else [])])

    @property
    def is_everything(self) -> bool:
        """Whether no filter is set."""
        return not self.parameters

    @property
    def parameters(self) -> dict[str, Any]:
        """The filters that are set, as parameters of `condition`."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "dropped"}


def count_rows(warehouse: Warehouse, selection: Selection) -> list[dict[str, Any]]:
    """Number of rows in quarantine by day, family, source, file and reason, newest day first."""
    return warehouse.records(
        f"select day, family, source, file, reason, count(*) as rows from {_QUARANTINE} "
        f"where {selection.condition} group by all order by day desc, family, source, file, reason",
        **selection.parameters,
    )


def count_by_reason(warehouse: Warehouse) -> dict[str, tuple[int, int]]:
    """Reason to the numbers of rows and of whole files that wait in quarantine, the most frequent first."""
    rows = warehouse.rows(
        "select reason, count(*) filter (where row_number > 0), count(*) filter (where row_number = 0) "
        "from quality.quarantine where dropped_at is null group by reason order by count(*) desc, reason"
    )
    return {reason: (row_count, file_count) for reason, row_count, file_count in rows}


def show_rows(warehouse: Warehouse, selection: Selection, limit: int) -> list[dict[str, Any]]:
    """The rows, each with its line in the record and its original content, at most `limit`. Row 0 is a whole file."""
    return warehouse.records(
        f"select family, source, file, {build_record_number_sql('row_number')} as row_number, "
        f"{build_line_number_sql('row_number')} as line, reason, detail, content, dt, business_date from {_QUARANTINE} "
        f"where {selection.condition} order by dt, family, file, 4, 5, reason limit $limit",
        limit=limit,
        **selection.parameters,
    )


def drop_rows(warehouse: Warehouse, selection: Selection) -> list[date]:
    """Drops the selected rows and returns their days, and those of their deliveries, which answer for them as well.

    Their content is erased and no check counts them any more. A line with file, row and reason stays for each, so that
    rows read still equal accepted + duplicates + quarantined. If the file is read again, rows that are still bad go to
    quarantine again.
    """
    days = warehouse.rows(
        "select distinct unnest([day, dt]) as touched "
        f"from {_QUARANTINE} where {selection.condition} and day is not null order by touched",
        **selection.parameters,
    )
    warehouse.execute(
        "update quality.quarantine set dropped_at = $now, content = null, detail = null "
        f"where rowid in (select place from {_QUARANTINE} where {selection.condition})",
        now=datetime.now(UTC).replace(tzinfo=None),
        **selection.parameters,
    )
    return [day for (day,) in days]


def drop_older_rows(warehouse: Warehouse, before: date) -> int:
    """Drops the rows of all days before `before`, but no whole files. Returns their number."""
    dropped = warehouse.execute(
        "update quality.quarantine set dropped_at = $now, content = null, detail = null "
        "where row_number > 0 and dropped_at is null and counted_date < $before",
        now=datetime.now(UTC).replace(tzinfo=None),
        before=before,
    ).fetchone()
    return int(dropped[0]) if dropped else 0


def request_retry(warehouse: Warehouse, selection: Selection) -> int:
    """Marks the deliveries of the selected rows to be read again by the next run. Returns their number.

    A file that changed, or whose declaration changed, is read again anyway. This is for what the ledger cannot see: a
    granted permission, a database that is up again, a fixed reader.
    """
    marked = warehouse.execute(
        "update quality.deliveries set rules_hash = 'asked for again' where delivery_id in "
        f"(select delivery_id from {_QUARANTINE} where reason != '{NEVER_RETRIED}' and {selection.condition})",
        **selection.parameters,
    ).fetchone()
    return int(marked[0]) if marked else 0
