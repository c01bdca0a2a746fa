"""Texts that mean no value are NULL where a source computes: in its expressions and in its `where`.

Plain columns are read the same way by `value_casts`. The delivered content, which may identify an event, is left as it
came.
"""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from funnelscope.ingest.mapping.value_casts import build_value_or_null_sql
from funnelscope.warehouse.connection import open_scratch
from funnelscope.warehouse.quoting import quote_identifier


def list_computed_columns(
    columns: dict[str, str], expressions: Iterable[str], empty_values: tuple[str, ...]
) -> list[str]:
    """SQL of each column that the expressions may name, under its own name and NULL where its text means no value."""
    written = " ".join(expressions).replace('""', '"').lower()
    return [
        f"{_build_value_sql(name, kind, empty_values)} as {quote_identifier(name)}"
        for name, kind in columns.items()
        if name.lower() in written
    ]


def _build_value_sql(name: str, kind: str, empty_values: tuple[str, ...]) -> str:
    given = quote_identifier(name)
    return build_value_or_null_sql(given, empty_values) if kind == "VARCHAR" else given


@lru_cache(maxsize=1_000)
def keep_questions_for_empty(expression: str, empty_values: tuple[str, ...]) -> str:
    """The expression with comparisons such as `paid_at = ''` still asking whether there is a value.

    A comparison with NULL is neither true nor false, which would turn `= ''` into a condition that no row meets.
    """
    empty = {"", *empty_values}
    if not any(f"'{text}'" in expression for text in empty):
        return expression
    with open_scratch().cursor() as connection:
        ((tree,),) = connection.execute("select json_serialize_sql($1)", [f"select ({expression}\n)"]).fetchall()
        document = json.loads(tree)
        if not sum(_guard_operand(node, empty) for node in list(_walk(document))):
            return expression
        ((statement,),) = connection.execute("select json_deserialize_sql($1::JSON)", [json.dumps(document)]).fetchall()
    return str(statement).removeprefix("SELECT ")


def _guard_operand(node: dict[str, Any], empty: set[str]) -> bool:
    """Puts `coalesce(…, '')` around what the node compares with an empty text. Whether it compares so."""
    if node.get("type") == "COMPARE_IN":
        operand, *others = node["children"]
        texts = [other for other in others if _is_empty_text(other, empty)]
        if texts:
            node["children"][0] = _build_coalesce(operand, texts[0])
        return bool(texts)
    if node.get("class") != "COMPARISON":
        return False
    for side, other in (("left", "right"), ("right", "left")):
        if _is_empty_text(node[other], empty):
            node[side] = _build_coalesce(node[side], node[other])
            return True
    return False


def _is_empty_text(node: dict[str, Any], empty: set[str]) -> bool:
    literal = node.get("literal") or {}
    return literal.get("kind") == "STRING" and literal.get("text") in empty


def _build_coalesce(operand: dict[str, Any], text: dict[str, Any]) -> dict[str, Any]:
    place = {name: operand.get(name, 0) for name in ("query_location", "query_location_length")}
    return {"class": "OPERATOR", "type": "OPERATOR_COALESCE", "alias": "", **place, "children": [operand, text]}


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(inner)
