"""Days whose raw rows have been deleted by `retention` of the settings. Their staged rows stay and are not rebuilt.

For each delivery and day, the ledger keeps the number of rows and a hash of their content. A file that is read again
with the same content changes nothing, one with other content is not loaded, and one that is gone because it was
archived is not missed.
"""

from collections.abc import Collection
from datetime import date

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest.ledger_tables import build_content_hash_sql
from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.warehouse.connection import Warehouse


def read_pruned_days(warehouse: Warehouse) -> set[date]:
    """The business dates whose raw rows are deleted."""
    return {day for (day,) in warehouse.rows("select distinct business_date from quality.pruned_days")}


def read_pruned_deliveries(warehouse: Warehouse) -> set[int]:
    """The deliveries that had rows on such a day."""
    return {number for (number,) in warehouse.rows("select distinct delivery_id from quality.pruned_days")}


def prune_raw(warehouse: Warehouse, days: Collection[date]) -> int:
    """Deletes the raw rows of the days in one transaction and returns their number.

    Staging must be up to date with them.
    """
    rows = 0
    of_the_days = "list_contains($days::DATE[], business_date)"
    with warehouse.transaction():
        for family in FAMILIES.values():
            warehouse.execute(
                f"insert into quality.pruned_days select delivery_id, '{family.name}', business_date, count(*), "
                f"{build_content_hash_sql(family)} from raw.{family.table} where {of_the_days} "
                "group by delivery_id, business_date",
                days=list(days),
            )
            deleted = warehouse.execute(
                f"delete from raw.{family.table} where {of_the_days}", days=list(days)
            ).fetchone()
            rows += int(deleted[0]) if deleted else 0
    return rows


def settle_pruned(warehouse: Warehouse, delivery_id: int, family_name: str, file: str) -> tuple[int, int]:
    """Removes rows of pruned days from a delivery just loaded.

    Returns (rows moved to quarantine, rows of erased people).

    Raises:
        DeliveryError: the content of such a day differs from what was delivered before.
    """
    closed = read_pruned_days(warehouse)
    if not closed:
        return 0, 0
    family = FAMILIES[family_name]
    found = {
        day: (rows, content)
        for day, rows, content in warehouse.rows(
            f"select business_date, count(*), {build_content_hash_sql(family)} from raw.{family.table} "
            "where delivery_id = $id and list_contains($days::DATE[], business_date) group by business_date",
            id=delivery_id,
            days=list(closed),
        )
    }
    erased = 0
    known = "select business_date, rows, content_hash from quality.pruned_days where delivery_id = $id order by all"
    for day, rows, content in warehouse.rows(known, id=delivery_id):
        now_rows, now_content = found.pop(day, (0, None))
        if now_content != content:
            raise DeliveryError(QuarantineReason.DAY_IS_PRUNED, LocalizedMessage("pruned_day", file=file, day=str(day)))
        erased += now_rows - rows
    refused = 0
    if found:
        content = ", ".join(f"{column.name} := {column.name}" for column in family.columns)
        row = warehouse.execute(
            "insert into quality.quarantine (family, dt, file, row_number, reason, detail, content, business_date, "
            f"delivery_id, counted_date) select '{family_name}', dt, $file, row_number, "
            f"'{QuarantineReason.DAY_IS_PRUNED.value}', "
            "'the raw rows of ' || business_date || ' are pruned; its tables are kept', "
            f"to_json(struct_pack({content}))::VARCHAR, business_date, delivery_id, business_date "
            f"from raw.{family.table} "
            "where delivery_id = $id and list_contains($days::DATE[], business_date)",
            id=delivery_id,
            file=file,
            days=list(found),
        ).fetchone()
        refused = int(row[0]) if row else 0
    warehouse.execute(
        f"delete from raw.{family.table} where delivery_id = $id and list_contains($days::DATE[], business_date)",
        id=delivery_id,
        days=list(closed),
    )
    return refused, erased
