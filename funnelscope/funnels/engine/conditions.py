"""Conditions on events as SQL. A property may be text, a number or a boolean: the value that is asked for decides."""

from collections.abc import Mapping

from funnelscope.funnels.engine.plan import AnyOf, Condition, EventFilter, Operator, PropertyTest, Scalar

EXACT_AS_DOUBLE = 2**53
_COMPARISONS = {
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
}


def quote_text(value: object) -> str:
    """A text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def build_event_sql(filter: EventFilter, columns: Mapping[str, str]) -> str:
    """Whether an event passes the filter; `columns` gives each property's SQL."""
    condition = build_condition_sql(filter.where, columns)
    return condition if filter.event is None else f"(event_type = {quote_text(filter.event)} and {condition})"


def build_condition_sql(condition: Condition, columns: Mapping[str, str]) -> str:
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
