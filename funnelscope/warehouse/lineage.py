"""Column lineage: which columns of which tables each column of a model is made of, read from its SQL by sqlglot."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import Model, create_inputs, derive_schemas, load_models

if TYPE_CHECKING:
    from sqlglot import exp

Lineage = dict[str, list[tuple[str, str]]]  # column to its sources: (`schema.table`, column), sorted


def load_column_lineage(cache: Path) -> dict[str, Lineage]:
    """`schema.table` of every model to the lineage of its columns; a constant or a bare count of rows has no source.

    Args:
        cache: a JSON file that holds the last answer; it is made anew when any model or input has changed.
    """
    inputs = _read_input_schemas()
    version = _compute_version(inputs)
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {}
    if kept.get("version") != version:
        kept = {
            "version": version,
            "models": {model.table: compute_model_lineage(model) for model in load_models().values()},
        }
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft = cache.with_name(f".{cache.name}")
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(cache)
    return {
        table: {column: [(source, name) for source, name in sources] for column, sources in columns.items()}
        for table, columns in kept["models"].items()
    }


def compute_model_lineage(model: Model) -> Lineage:
    """The sources of each column of one model, itself not among them."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage

    tree = sqlglot.parse_one(model.query, dialect="duckdb")
    _expand_lists(tree)
    nodes = lineage(None, tree, _nest_schemas(_build_schemas()), dialect="duckdb")
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
    """Puts columns in the place of `unnest([{...}, ...], recursive := true)`, which sqlglot does not look into."""
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


def _read_input_schemas() -> dict[str, dict[str, str]]:
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    tables = warehouse.rows("select distinct schema_name || '.' || table_name from duckdb_columns() where not internal")
    return {table: dict(warehouse.columns(table)) for (table,) in tables}


def _build_schemas() -> dict[str, dict[str, str]]:
    return _read_input_schemas() | {table: dict(columns) for table, columns in derive_schemas().items()}


def _nest_schemas(schemas: Mapping[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in schemas.items():
        schema, name = table.split(".")
        nested.setdefault(schema, {})[name] = columns
    return nested


def _compute_version(inputs: Mapping[str, dict[str, str]]) -> str:
    import importlib.metadata

    queries = [(table, model.query) for table, model in load_models().items()]
    made_of = (importlib.metadata.version("sqlglot"), sorted(inputs.items()), queries)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()
