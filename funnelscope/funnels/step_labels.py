"""What the steps of a funnel are called in its answers: no two steps alike."""

from collections import Counter

from funnelscope.funnels.engine.plan import AnyOf, Condition, Operator, PropertyTest, Semantics
from funnelscope.funnels.specification import FunnelSpec

_SIGNS = {
    Operator.EQUAL: "=",
    Operator.NOT_EQUAL: "≠",
    Operator.IN: "in",
    Operator.CONTAINS: "contains",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: "≥",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "≤",
}


def list_step_labels(spec: FunnelSpec) -> list[str]:
    """The label of each step: its name, else its event, with the condition where several steps have this event.

    Steps that are still alike have a number. Without an order, a step is a number of distinct steps.
    """
    if spec.semantics is Semantics.UNORDERED:
        return [f"any {number} of {len(spec.steps)}" for number in range(1, len(spec.steps) + 1)]
    events = Counter(step.event for step in spec.steps if not step.name)
    labels: list[str] = []
    names = [step.name for step in spec.steps if step.name]
    for step in spec.steps:
        label = step.name or step.event or "any event"
        if not step.name:
            condition = describe_condition(step.where)
            if condition and events[step.event] > 1:
                label += f" ({condition})"
            label = _number_repeated(label, {*labels, *names})
        labels.append(label)
    return labels


def _number_repeated(label: str, taken: set[str]) -> str:
    number, found = 1, label
    while found in taken:
        number += 1
        found = f"{label} #{number}"
    return found


def describe_condition(condition: Condition) -> str:
    """The condition in one line, such as `price > 2 and (sku = A1 or coupon is set)`; empty if there is none."""
    if isinstance(condition, PropertyTest):
        return _describe_test(condition)
    parts = [describe_condition(part) for part in condition.parts]
    word = " or " if isinstance(condition, AnyOf) else " and "
    groups = [isinstance(part, AnyOf) and len(part.parts) > 1 for part in condition.parts]
    return word.join(
        f"({part})" if is_group and len(parts) > 1 else part for part, is_group in zip(parts, groups, strict=True)
    )


def _describe_test(test: PropertyTest) -> str:
    match test.operator:
        case Operator.IS_SET:
            return f"{test.column} is set"
        case Operator.IS_NOT_SET:
            return f"{test.column} is not set"
    value = test.value
    shown = ", ".join(map(_show_value, value)) if isinstance(value, tuple) else _show_value(value)
    return f"{test.column} {_SIGNS[test.operator]} {shown}"


def _show_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
