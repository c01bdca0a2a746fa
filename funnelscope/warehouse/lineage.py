"""Column lineage: the source columns of each column of a model, derived from its SQL with sqlglot.

Deriving takes seconds, so lineage.json next to this module holds the result for the models as shipped.
`make docs` writes it. Models that have changed since are derived at each start.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import Model, create_inputs, derive_schemas, load_models

if TYPE_CHECKING:
    from sqlglot import exp

Lineage = dict[str, list[tuple[str, str]]]  # column to its sources: (`schema.table`, column), sorted
SHIPPED_FILE = Path(__file__).with_name("lineage.json")


def load_column_lineage(file: Path = SHIPPED_FILE) -> dict[str, Lineage]:
    """`schema.table` of every model to the lineage of its columns. Constants and plain row counts have no source.

    Args:
        file: as `write_lineage` wrote it. Models that it lacks, or that have changed since, are derived from their SQL.
    """
    shipped = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {
        table: _read_entry(shipped[table])
        if shipped.get(table, {}).get("fingerprint") == compute_fingerprint(model)
        else compute_model_lineage(model)
        for table, model in load_models().items()
    }


def write_lineage(file: Path = SHIPPED_FILE) -> None:
    """Reads the lineage of every model from its SQL and writes it to `file`."""
    entries = {
        table: {
            "fingerprint": compute_fingerprint(model),
            "columns": {
                column: " ".join(f"{source}.{name}" for source, name in sources)
                for column, sources in compute_model_lineage(model).items()
            },
        }
        for table, model in load_models().items()
    }
    file.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def compute_fingerprint(model: Model) -> str:
    """A hash of all that the lineage depends on: the query, and the columns of what it reads."""
    schemas = list_table_columns()
    read = [(table, list(schemas[table])) for table in model.dependencies if table in schemas]
    return hashlib.sha256(repr((model.query, read)).encode()).hexdigest()


def compute_model_lineage(model: Model) -> Lineage:
    """The sources of each column of one model, without the model itself."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage

    tree = sqlglot.parse_one(model.query, dialect="duckdb")
    _expand_lists(tree)
    nodes = lineage(None, tree, _nest_schemas(list_table_columns()), dialect="duckdb")
    return {
        column: sorted(
            {
                (f"{leaf.expression.db}.{leaf.expression.name}", leaf.name.rsplit(".", 1)[-1])
                for leaf in nodes[column].walk()
                if not leaf.downstream and isinstance(leaf.expression, exp.Table)
            }
        )
        for column, _ in derive_schemas()[model.table]
    }


def _expand_lists(tree: "exp.Expr") -> None:
    """Replaces `unnest([{...}, ...], recursive := true)`, which sqlglot does not resolve, by plain columns."""
    from sqlglot import exp

    for select in tree.find_all(exp.Select):
        opened: list[exp.Expr] = []
        for projection in select.expressions:
            rows = projection.find(exp.Array) if isinstance(projection, exp.Explode | exp.Unnest) else None
            opened += _build_fields(rows) if rows else [projection]
        select.set("expressions", opened)


def _build_fields(rows: "exp.Array") -> "list[exp.Expr]":
    from sqlglot import exp

    values: dict[str, list[exp.Expr]] = {}
    for row in rows.expressions:
        for pair in row.expressions:
            values.setdefault(pair.this.name, []).append(pair.expression.copy())
    return [exp.alias_(exp.func("coalesce", *given), name) for name, given in values.items()]


def _read_entry(entry: Mapping[str, Any]) -> Lineage:
    return {
        column: [(source, name) for source, _, name in (text.rpartition(".") for text in sources.split())]
        for column, sources in entry["columns"].items()
    }


def _read_input_schemas() -> dict[str, dict[str, str]]:
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    return {table: dict(columns) for table, columns in warehouse.columns_by_table().items()}


@cache
def list_table_columns() -> dict[str, dict[str, str]]:
    """`schema.table` of every input and model to its columns and their types."""
    return _read_input_schemas() | {table: dict(columns) for table, columns in derive_schemas().items()}


def _nest_schemas(schemas: Mapping[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in schemas.items():
        schema, name = table.split(".")
        nested.setdefault(schema, {})[name] = columns
    return nested
