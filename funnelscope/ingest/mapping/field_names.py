"""Dotted names, such as `context.page.url`: the fields within its columns that a source reads.

Expressions may write them like fields of a struct. They are given one name, so that they mean the same in every format.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from funnelscope.ingest.mapping.empty_texts import keep_questions_for_empty
from funnelscope.settings import Source
from funnelscope.warehouse.connection import open_scratch

LINE_NUMBER = "line_number"


def list_field_names(source: Source) -> list[str]:
    """The dotted names that the source reads, each once. One of them may be the literal name of a column."""
    types = source.event_types.column if source.event_types else None
    names = [*source.columns.values(), types or ""]
    for expression in list_declared_expressions(source).values():
        names += list_names(expression)
    return list(dict.fromkeys(name for name in names if "." in name.strip(".")))


def list_declared_expressions(source: Source) -> dict[str, str]:
    """Everything that a source declares to be computed for each row as it is written, by its place in the settings."""
    types = source.event_types.expression if source.event_types else None
    declared = {**source.expressions, "event_types": types or "", "where": source.where}
    return {place: expression for place, expression in declared.items() if expression}


def reads_line(source: Source, column: str) -> bool:
    """Whether what is mapped to the column differs from line to line of a record."""
    named = source.columns.get(column)
    names = [named] if named else list_names(source.expressions.get(column, ""))
    lines = source.lines.lower()
    return any(name.lower() in (lines, LINE_NUMBER) or name.lower().startswith(f"{lines}.") for name in names)


def prepare_expression(expression: str, empty_values: tuple[str, ...]) -> str:
    """The expression as it is computed: fields by one name, and comparisons with empty texts kept."""
    return keep_questions_for_empty(_join_names(expression)[0], empty_values)


def list_names(expression: str) -> tuple[str, ...]:
    """The names of the columns and fields in an expression; without those of lambdas."""
    return _join_names(expression)[1] if expression else ()


@lru_cache(maxsize=1_000)
def _join_names(expression: str) -> tuple[str, tuple[str, ...]]:
    """The expression with `a.b` written as `"a.b"`, and the names in it."""
    with open_scratch().cursor() as connection:
        ((tree,),) = connection.execute("select json_serialize_sql($1)", [f"select ({expression}\n)"]).fetchall()
        document = json.loads(tree)
        references = list(_walk_references(document, frozenset()))
        if any(len(each["column_names"]) > 1 for each in references):
            for each in references:
                each["column_names"] = [".".join(each["column_names"])]
            query = "select json_deserialize_sql($1::JSON)"
            ((statement,),) = connection.execute(query, [json.dumps(document)]).fetchall()
            expression = str(statement).removeprefix("SELECT ")
    return expression, tuple(dict.fromkeys(each["column_names"][0] for each in references))


def _walk_references(node: Any, parameters: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The references to columns. Within a lambda, those to its parameters are none."""
    if isinstance(node, list):
        for inner in node:
            yield from _walk_references(inner, parameters)
        return
    if not isinstance(node, dict):
        return
    if node.get("class") == "COLUMN_REF":
        if node["column_names"][0].lower() not in parameters:
            yield node
        return
    is_lambda = node.get("class") == "LAMBDA"
    own = [each["column_names"][0].lower() for each in _walk_references(node["lhs"], frozenset())] if is_lambda else []
    for key, inner in node.items():
        # An arrow may also take a value out of JSON: then what stands before it is a column.
        if not (key == "lhs" and node.get("syntax_type") == "LAMBDA_KEYWORD"):
            yield from _walk_references(inner, parameters.union(own) if key == "expr" else parameters)
