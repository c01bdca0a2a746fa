"""The canonical export: the content of a warehouse in a form that can be compared.

It holds every table that the SQL models make, sorted by its grain, as text. Raw and quality are left out because they
hold the times and file names of a run. Equal exports mean that two builds of the same deliveries made the same tables.
"""

from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import Model, load_models


def export_canonical_rows(warehouse: Warehouse) -> dict[str, str]:
    """`schema.table` to its rows, one JSON object per line. Views are left out because their tables determine them."""
    present = warehouse.columns_by_table()
    return {
        model.table: "\n".join(line for (line,) in warehouse.rows(_build_sorted_query(model, present[model.table])))
        for model in load_models().values()
        if not model.is_view and model.table in present
    }


def _build_sorted_query(model: Model, columns: list[tuple[str, str]]) -> str:
    order = ", ".join(dict.fromkeys((*model.grain, *(name for name, _ in columns))))  # the grain may not be unique
    return f"select to_json(given)::VARCHAR from {model.table} as given order by {order}"
