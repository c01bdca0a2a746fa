"""Conditions on events as SQL. The compared value decides whether a property is text, number or boolean."""

from collections.abc import Mapping
from dataclasses import replace

from funnelscope.funnels.engine.plan import AnyOf, Condition, EventFilter, Operator, PropertyTest, Scalar

EXACT_AS_DOUBLE = 2**53
_COMPARISONS = {
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
}


class ListProperty(str):
    """SQL of a property whose value is a list. A condition holds if it holds for any member."""


def quote_text(value: object) -> str:
    """The value as an SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def build_event_sql(filter: EventFilter, columns: Mapping[str, str]) -> str:
    """SQL condition for the events that pass the filter. `columns` maps each property to its SQL."""
    condition = build_condition_sql(filter.where, columns)
    return condition if filter.event is None else f"(event_type = {quote_text(filter.event)} and {condition})"


def build_condition_sql(condition: Condition, columns: Mapping[str, str]) -> str:
    """SQL of a condition. An empty conjunction is true."""
    if isinstance(condition, PropertyTest):
        return _build_test_sql(condition, columns[condition.column])
    word = " or " if isinstance(condition, AnyOf) else " and "
    return "(" + (word.join(build_condition_sql(part, columns) for part in condition.parts) or "true") + ")"


def _build_test_sql(test: PropertyTest, column: str) -> str:
    match test.operator:
        case Operator.IS_SET:
            return f"{column} is not null"
        case Operator.IS_NOT_SET:
            return f"{column} is null"
    if isinstance(column, ListProperty):
        if test.operator is Operator.NOT_EQUAL:
            return f"({_build_test_sql(replace(test, operator=Operator.EQUAL), column)}) is not true"
        return f"list_bool_or(list_transform({column}, lambda member: {_build_test_sql(test, 'member')}))"
    match test.operator:
        case Operator.IN:
            values = test.value if isinstance(test.value, tuple) else ()
            return "(" + " or ".join(_build_comparison_sql(column, "=", value) for value in values) + ")"
    assert test.value is not None
    assert not isinstance(test.value, tuple)
    match test.operator:
        case Operator.EQUAL:
            return _build_comparison_sql(column, "=", test.value)
        case Operator.NOT_EQUAL:
            return f"({_build_comparison_sql(column, '=', test.value)}) is not true"
        case Operator.CONTAINS:
            return f"contains(lower({column}::varchar), lower({quote_text(test.value)}))"
    return _build_comparison_sql(column, _COMPARISONS[test.operator], test.value)


def _build_comparison_sql(column: str, sign: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return f"lower({column}::varchar) {sign} '{str(value).lower()}'"
    if isinstance(value, str) or abs(value) > EXACT_AS_DOUBLE:
        return f"{column}::varchar {sign} {quote_text(value)}"
    return f"try_cast({column} as double) {sign} {quote_text(value)}::double"
