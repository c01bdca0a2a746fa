"""Conditions on events as SQL. A property may be text, a number or a boolean: the value that is asked for decides."""

from collections.abc import Mapping

from funnelscope.funnels.engine.plan import AnyOf, Condition, EventFilter, Operator, Scalar, Test

EXACT_AS_DOUBLE = 2**53
_COMPARISONS = {
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
}


def text(value: object) -> str:
    """A text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def event_sql(filter: EventFilter, columns: Mapping[str, str]) -> str:
    """Whether an event passes the filter; `columns` gives each property's SQL."""
    condition = condition_sql(filter.where, columns)
    return condition if filter.event is None else f"(event_type = {text(filter.event)} and {condition})"


def condition_sql(condition: Condition, columns: Mapping[str, str]) -> str:
    if isinstance(condition, Test):
        return _test_sql(condition, columns[condition.column])
    word = " or " if isinstance(condition, AnyOf) else " and "
    return "(" + (word.join(condition_sql(part, columns) for part in condition.parts) or "true") + ")"


def _test_sql(test: Test, column: str) -> str:
    match test.operator:
        case Operator.IS_SET:
            return f"{column} is not null"
        case Operator.IS_NOT_SET:
            return f"{column} is null"
        case Operator.IN:
            values = test.value if isinstance(test.value, tuple) else ()
            return "(" + " or ".join(_compared(column, "=", value) for value in values) + ")"
    assert test.value is not None
    assert not isinstance(test.value, tuple)
    match test.operator:
        case Operator.EQUAL:
            return _compared(column, "=", test.value)
        case Operator.NOT_EQUAL:
            return f"({_compared(column, '=', test.value)}) is not true"
        case Operator.CONTAINS:
            return f"contains(lower({column}::varchar), lower({text(test.value)}))"
    return _compared(column, _COMPARISONS[test.operator], test.value)


def _compared(column: str, sign: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return f"lower({column}::varchar) {sign} '{str(value).lower()}'"
    if isinstance(value, str) or abs(value) > EXACT_AS_DOUBLE:
        return f"{column}::varchar {sign} {text(value)}"
    return f"try_cast({column} as double) {sign} {text(value)}::double"
