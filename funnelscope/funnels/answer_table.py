"""The table of the shop's own funnels. It exists only if the shop declares funnels."""

from funnelscope.warehouse.connection import Warehouse

TABLE = "marts.own_funnels"
_CREATE = (
    f"create table if not exists {TABLE} (business_date DATE, funnel VARCHAR, slice VARCHAR, step INTEGER, "
    "event VARCHAR, units BIGINT, converted BIGINT, lost BIGINT, pending BIGINT, rate_from_previous DOUBLE, "
    "rate_from_start DOUBLE, median_seconds DOUBLE, p90_seconds DOUBLE, "
    "entered_from DATE, entered_to DATE, is_mature BOOLEAN)"
)
_ADDED = ("entered_from DATE", "entered_to DATE", "is_mature BOOLEAN")


def create_table(warehouse: Warehouse) -> None:
    """Creates the table if absent, and adds columns of later versions."""
    warehouse.execute(_CREATE)
    for column in _ADDED:
        warehouse.execute(f"alter table {TABLE} add column if not exists {column}")
