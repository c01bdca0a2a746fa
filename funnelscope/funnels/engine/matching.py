"""Which steps can events of one instant fill, when an event may fill any of several, but only one of them?

SQL describes the events by a pattern, such as `1.2|2|3`: three events, of which the first could be step 1 or 2. There
are few patterns in any data; what each allows is worked out here and joined back.
"""

from collections.abc import Iterator, Sequence

from funnelscope.funnels.engine.plan import FunnelPlan

Events = list[frozenset[int]]


def parse_pattern(pattern: str) -> Events:
    """The steps that each event of a pattern could be."""
    return [frozenset(int(step) for step in event.split(".")) for event in pattern.split("|")]


def is_fillable(events: Events, steps: Sequence[int]) -> bool:
    """Whether each of the steps can have an event of its own."""
    taken: dict[int, int] = {}
    return all(_find_event(step, events, taken, set()) for step in steps)


def _find_event(step: int, events: Events, taken: dict[int, int], tried: set[int]) -> bool:
    """Gives the step an event, if need be by moving others: an augmenting path of bipartite matching (Kuhn 1955)."""
    for number, could_be in enumerate(events):
        if step in could_be and number not in tried:
            tried.add(number)
            if number not in taken or _find_event(taken[number], events, taken, tried):
                taken[number] = step
                return True
    return False


def find_runs(pattern: str, plan: FunnelPlan) -> Iterator[tuple[int, ...]]:
    """(first, last) of the longest run of required steps that the events fill, for each first step."""
    events = parse_pattern(pattern)
    for position, first in enumerate(plan.required):
        length = 0
        while position + length < len(plan.required):
            if not is_fillable(events, plan.required[position : position + length + 1]):
                break
            length += 1
        if length:
            yield first, plan.required[position + length - 1]


def find_fills(pattern: str, plan: FunnelPlan) -> Iterator[tuple[int, ...]]:
    """Every row of steps, skipping optional ones only, that the events can fill."""
    events = parse_pattern(pattern)
    waiting: list[tuple[int, ...]] = [(step,) for step in plan.numbers if is_fillable(events, (step,))]
    while waiting:
        steps = waiting.pop()
        yield steps
        if plan.is_strictly_later:
            continue
        for step in range(steps[-1] + 1, find_furthest_step(plan, steps[-1]) + 1):
            if is_fillable(events, (*steps, step)):
                waiting.append((*steps, step))


def find_furthest_step(plan: FunnelPlan, step: int) -> int:
    """The furthest step that may come right after `step`: the next that is not optional, else the last."""
    return min((number for number in plan.required if number > step), default=len(plan.steps))


def find_growth(pattern: str, steps: int) -> list[int]:
    """Positions, from 1, of the events of a sequence with which one more step can be filled."""
    taken: dict[int, int] = {}
    found: list[int] = []
    events = parse_pattern(pattern)
    by_step = [
        frozenset(number for number, could_be in enumerate(events) if step in could_be) for step in range(steps + 1)
    ]
    for position in range(len(events)):
        if len(found) == steps:
            break
        # The roles are turned round: here an event looks for a step, over the events before it.
        could_be = [frozenset(number for number in by_step[step] if number <= position) for step in range(steps + 1)]
        if _find_event(position, could_be, taken, set()):
            found.append(position + 1)
    return found
