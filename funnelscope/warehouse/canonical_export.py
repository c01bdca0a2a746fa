"""The canonical export: what two warehouses must share to hold the same result.

Every table that the SQL models make, sorted by its grain, as text. Raw and quality are left out: they hold the times
and file names of a run. Equal exports mean that two ways of building the same deliveries came to the same tables.
"""

from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import load_models


def export_canonical_rows(warehouse: Warehouse) -> dict[str, str]:
    """`schema.table` to its rows, a JSON object a line; views are left out, for they say what their tables say."""
    return {
        model.table: "\n".join(
            line for (line,) in warehouse.rows(_build_sorted_query(warehouse, model.table, model.grain))
        )
        for model in load_models().values()
        if not model.is_view and warehouse.columns(model.table)
    }


def _build_sorted_query(warehouse: Warehouse, table: str, grain: tuple[str, ...]) -> str:
    columns = [name for name, _ in warehouse.columns(table)]
    order = ", ".join(dict.fromkeys((*grain, *columns)))  # the whole row settles what a broken grain would leave open
    return f"select to_json(given)::VARCHAR from {table} as given order by {order}"
