"""The quarantine as a place to work: what lies in it, row by row, what is taken again, and what is given up."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from funnelscope.warehouse.connection import Warehouse

# Told apart from the rows of other deliveries on every build: reading its own file again does not help it.
NEVER_RETRIED = "conflicting_duplicate"

_QUARANTINE = """
    (
        select
            quarantine.*, quarantine.rowid as place, deliveries.source,
            coalesce(quarantine.business_date, quarantine.dt) as day
        from quality.quarantine
        left join quality.deliveries using (delivery_id)
    )
"""


@dataclass(frozen=True)
class Selection:
    """Which rows are meant; what is None is not asked for.

    Attributes:
        file: the file's name in the ledger, or the end of it.
        day: the business date; for a row without a readable one, the day of its delivery.
        dropped: those that were given up, instead of those that wait to be mended.
    """

    family: str | None = None
    source: str | None = None
    reason: str | None = None
    file: str | None = None
    day: date | None = None
    dropped: bool = False

    @property
    def condition(self) -> str:
        """SQL over the quarantine with `$name` for each part asked for."""
        parts = [f"dropped_at is {'not ' if self.dropped else ''}null"]
        parts += [f"{name} = ${name}" for name in self.parameters if name != "file"]
        return " and ".join([*parts, *(["ends_with(file, $file)"] if self.file else [])])

    @property
    def is_everything(self) -> bool:
        return not self.parameters

    @property
    def parameters(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None and name != "dropped"}


def count_rows(warehouse: Warehouse, selection: Selection) -> list[dict[str, Any]]:
    """Rows in quarantine by day, family, source, file and reason, the newest day first."""
    return warehouse.records(
        f"select day, family, source, file, reason, count(*) as rows from {_QUARANTINE} "
        f"where {selection.condition} group by all order by day desc, family, source, file, reason",
        **selection.parameters,
    )


def show_rows(warehouse: Warehouse, selection: Selection, limit: int) -> list[dict[str, Any]]:
    """The rows themselves with their original content; row 0 stands for a whole file."""
    return warehouse.records(
        f"select family, source, file, row_number, reason, detail, content, dt, business_date from {_QUARANTINE} "
        f"where {selection.condition} order by dt, family, file, row_number, reason limit $limit",
        limit=limit,
        **selection.parameters,
    )


def drop_rows(warehouse: Warehouse, selection: Selection) -> list[date]:
    """Gives the chosen rows up; returns their days.

    Their content is erased, and they no longer weigh on any check. A line with file, row and reason stays for each, so
    that rows read are still accepted + duplicates + quarantined. When its file is read anew, a row that still does not
    fit is in quarantine again.
    """
    days = warehouse.rows(
        f"select distinct day from {_QUARANTINE} where {selection.condition} and day is not null order by day",
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
    """Gives up the rows of all days before one, but no whole file; returns how many."""
    dropped = warehouse.execute(
        "update quality.quarantine set dropped_at = $now, content = null, detail = null "
        "where row_number > 0 and dropped_at is null and coalesce(business_date, dt) < $before",
        now=datetime.now(UTC).replace(tzinfo=None),
        before=before,
    ).fetchone()
    return int(dropped[0]) if dropped else 0


def request_retry(warehouse: Warehouse, selection: Selection) -> int:
    """Marks the deliveries that the chosen rows came with, so that the next intake reads them anew; returns how many.

    A file that was written to, or whose declaration has changed, is read again without this. It is for what the
    ledger cannot see: a permission that was given, a database that answers again, a reader that was mended.
    """
    marked = warehouse.execute(
        "update quality.deliveries set rules_hash = 'asked for again' where delivery_id in "
        f"(select delivery_id from {_QUARANTINE} where reason != '{NEVER_RETRIED}' and {selection.condition})",
        **selection.parameters,
    ).fetchone()
    return int(marked[0]) if marked else 0
