"""The canonical export: the content of a warehouse in a form that can be compared.

It holds every table that the SQL models make, sorted by its grain, as text. Raw and quality are left out because they
hold the times and file names of a run. Equal exports mean that two builds of the same deliveries made the same tables.
"""

from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import load_models


def export_canonical_rows(warehouse: Warehouse) -> dict[str, str]:
    """`schema.table` to its rows, one JSON object per line. Views are left out because their tables determine them."""
    return {
        model.table: "\n".join(
            line for (line,) in warehouse.rows(_build_sorted_query(warehouse, model.table, model.grain))
        )
        for model in load_models().values()
        if not model.is_view and warehouse.columns(model.table)
    }


def _build_sorted_query(warehouse: Warehouse, table: str, grain: tuple[str, ...]) -> str:
    columns = [name for name, _ in warehouse.columns(table)]
    order = ", ".join(dict.fromkeys((*grain, *columns)))  # the whole row: the grain may not be unique
    return f"select to_json(given)::VARCHAR from {table} as given order by {order}"
