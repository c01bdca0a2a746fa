"""Column lineage: which columns of which tables each column of a model is made of, read from its SQL by sqlglot.

Reading it takes seconds, so the answer for the models as shipped lies beside this module in lineage.json.
`python -m funnelscope.warehouse.lineage` writes that file; a model that has changed since is read again each time.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelscope.warehouse.connection import in_memory_warehouse
from funnelscope.warehouse.models import Model, create_inputs, derived_schemas, load_models

if TYPE_CHECKING:
    from sqlglot import exp

Lineage = dict[str, list[tuple[str, str]]]  # column to its sources: (`schema.table`, column), sorted
SHIPPED_FILE = Path(__file__).with_name("lineage.json")


def column_lineage(file: Path = SHIPPED_FILE) -> dict[str, Lineage]:
    """`schema.table` of every model to the lineage of its columns; a constant or a bare count of rows has no source.

    Args:
        file: what `write_lineage` wrote; models that it lacks, or that have changed since, are read from their SQL.
    """
    shipped = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {
        table: _read_entry(shipped[table])
        if shipped.get(table, {}).get("fingerprint") == fingerprint_of(model)
        else lineage_of(model)
        for table, model in load_models().items()
    }


def write_lineage(file: Path = SHIPPED_FILE) -> None:
    """Reads the lineage of every model from its SQL and writes it to `file`."""
    entries = {
        table: {
            "fingerprint": fingerprint_of(model),
            "columns": {
                column: " ".join(f"{source}.{name}" for source, name in sources)
                for column, sources in lineage_of(model).items()
            },
        }
        for table, model in load_models().items()
    }
    file.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def fingerprint_of(model: Model) -> str:
    """A hash of all that the lineage depends on: the query, and the columns of what it reads."""
    schemas = table_columns()
    read = [(table, list(schemas[table])) for table in model.dependencies if table in schemas]
    return hashlib.sha256(repr((model.query, read)).encode()).hexdigest()


def lineage_of(model: Model) -> Lineage:
    """The sources of each column of one model, itself not among them."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage

    tree = sqlglot.parse_one(model.query, dialect="duckdb")
    _open_lists(tree)
    nodes = lineage(None, tree, _nested(table_columns()), dialect="duckdb")
    return {
        column: sorted(
            {
                (f"{leaf.expression.db}.{leaf.expression.name}", leaf.name.rsplit(".", 1)[-1])
                for leaf in nodes[column].walk()
                if not leaf.downstream and isinstance(leaf.expression, exp.Table)
            }
        )
        for column, _ in derived_schemas()[model.table]
    }


def _open_lists(tree: "exp.Expr") -> None:
    """Puts columns in the place of `unnest([{...}, ...], recursive := true)`, which sqlglot does not look into."""
    from sqlglot import exp

    for select in tree.find_all(exp.Select):
        opened: list[exp.Expr] = []
        for projection in select.expressions:
            rows = projection.find(exp.Array) if isinstance(projection, exp.Explode | exp.Unnest) else None
            opened += _fields(rows) if rows else [projection]
        select.set("expressions", opened)


def _fields(rows: "exp.Array") -> "list[exp.Expr]":
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


def _input_schemas() -> dict[str, dict[str, str]]:
    warehouse = in_memory_warehouse()
    create_inputs(warehouse)
    tables = warehouse.rows("select distinct schema_name || '.' || table_name from duckdb_columns() where not internal")
    return {table: dict(warehouse.columns(table)) for (table,) in tables}


@cache
def table_columns() -> dict[str, dict[str, str]]:
    """`schema.table` of every input and model to its columns and their types."""
    return _input_schemas() | {table: dict(columns) for table, columns in derived_schemas().items()}


def _nested(schemas: Mapping[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in schemas.items():
        schema, name = table.split(".")
        nested.setdefault(schema, {})[name] = columns
    return nested


if __name__ == "__main__":
    write_lineage()
