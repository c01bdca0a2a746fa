"""The table of the shop's own funnels; a shop that declares none has none."""

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
    """Creates it where it is absent, and adds the columns that it got since."""
    warehouse.execute(_CREATE)
    for column in _ADDED:
        warehouse.execute(f"alter table {TABLE} add column if not exists {column}")
