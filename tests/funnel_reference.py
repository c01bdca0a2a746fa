"""Funnels by brute force: every way to pick events is tried, in plain Python, straight from the rules.

It knows nothing of SQL and is far too slow for more than a handful of events a unit. docs/funnels.md has the rules.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, permutations, product
from statistics import mean, quantiles
from typing import Any
from zoneinfo import ZoneInfo

from funnelscope.funnels.engine.plan import (
    AllOf,
    Attribution,
    Condition,
    EventFilter,
    FunnelPlan,
    Operator,
    PropertyTest,
)


@dataclass(frozen=True)
class Event:
    unit: str
    time: int  # microseconds
    event_type: str | None
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Attempt:
    """The time of each step, None where it was not matched, and whether it can still go on."""

    times: tuple[int | None, ...]
    is_alive: bool = True

    @property
    def last(self) -> int:
        return max(number for number, time in enumerate(self.times, start=1) if time is not None)

    @property
    def start(self) -> int:
        return min(time for time in self.times if time is not None)

    @property
    def rank(self) -> tuple[Any, ...]:
        """Smaller is better: the deepest, then the most steps, then the earliest, step by step."""
        matched = [time for time in self.times if time is not None]
        return (-self.last, -len(matched), self.start, [(time is None, time or 0) for time in self.times])


def holds(condition: Condition, properties: Mapping[str, Any]) -> bool:
    if not isinstance(condition, PropertyTest):
        parts = [holds(part, properties) for part in condition.parts]
        return all(parts) if isinstance(condition, AllOf) else any(parts)
    found, wanted = properties.get(condition.column), condition.value
    if isinstance(found, list):
        if condition.operator is Operator.NOT_EQUAL:
            return wanted not in found
        if condition.operator not in (Operator.IS_SET, Operator.IS_NOT_SET):
            return any(holds(condition, {condition.column: member}) for member in found)
    match condition.operator:
        case Operator.IS_SET:
            return found is not None
        case Operator.IS_NOT_SET:
            return found is None
        case Operator.NOT_EQUAL:
            return found != wanted
    if found is None:
        return False
    match condition.operator:
        case Operator.EQUAL:
            return found == wanted
        case Operator.IN:
            return found in wanted  # type: ignore[operator]
        case Operator.CONTAINS:
            return str(wanted).lower() in str(found).lower()
        case Operator.GREATER:
            return found > wanted
        case Operator.GREATER_OR_EQUAL:
            return found >= wanted
        case Operator.LESS:
            return found < wanted
        case _:
            return found <= wanted


def list_values(value: Any) -> list[Any]:
    """The values of a property: the members of a list, or the value itself; empty if there is none."""
    found = value if isinstance(value, list) else [value]
    return [member for member in found if member]


def matches(filter: EventFilter, event: Event) -> bool:
    return filter.event in (None, event.event_type) and holds(filter.where, event.properties)


class UnitFunnel:
    """All attempts of one unit. `value` restricts it to one value of the breakdown, for `all` and `step:N`."""

    def __init__(self, plan: FunnelPlan, events: Sequence[Event], value: Any = None, is_by_value: bool = False) -> None:
        self.plan = plan
        self.all_events = sorted(events, key=lambda event: event.time)
        self.events = [event for event in self.all_events if event.event_type not in plan.ignored]
        self.value = value
        self.is_by_value = is_by_value

    def fills(self, event: Event, number: int) -> bool:
        """Whether the event can be step `number`."""
        step = self.plan.step(number)
        if not matches(step.filter, event):
            return False
        if step.is_first_time:
            first = min(other.time for other in self.events if matches(step.filter, other))
            if event.time != first:
                return False
        if self.is_by_value and self.plan.breakdown:
            by = self.plan.breakdown
            if by.attribution is Attribution.ALL or by.step == number:
                return self.value in (list_values(event.properties.get(by.column)) or [""])
        return True

    def may_open(self, event: Event) -> bool:
        start, end = self.plan.entered
        return (start is None or event.time >= start) and (end is None or event.time <= end)

    def holds_constant(self, first: Event, event: Event) -> bool:
        return all(
            first.properties.get(name) is not None and first.properties.get(name) == event.properties.get(name)
            for name in self.plan.same
        )

    def may_follow(self, chosen: Sequence[tuple[int, Event]], number: int, event: Event) -> bool:
        """Whether the event, as step `number`, may come after what an attempt has chosen so far."""
        first, last = chosen[0][1], chosen[-1][1]
        if event.time < last.time or (self.plan.is_strictly_later and event.time == last.time):
            return False
        if any(event is used for _, used in chosen) or not self.fills(event, number):
            return False
        within = self.plan.step(number).within
        required = [used for step, used in chosen if not self.plan.step(step).is_optional][-1]
        if within is not None and event.time - required.time > within:
            return False
        return event.time - first.time <= self.plan.window and self.holds_constant(first, event)

    # -- Ordered

    def ordered(self) -> list[Attempt]:
        attempts = []
        starts = {
            (event.time, *(event.properties.get(name) for name in self.plan.same))
            for event in self.events
            if self.fills(event, 1) and self.may_open(event)
        }
        for start in starts:
            openings = [
                event
                for event in self.events
                if (event.time, *(event.properties.get(name) for name in self.plan.same)) == start
                and self.fills(event, 1)
            ]
            chains = [chain for event in openings for chain in self.required_chains([(1, event)])]
            deepest = max(len(chain) for chain in chains)
            deepest_chains = [chain for chain in chains if len(chain) == deepest]
            last = min(chain[-1][1].time for chain in deepest_chains)
            times = min([e.time for _, e in chain] for chain in deepest_chains if chain[-1][1].time == last)
            best = [chain for chain in deepest_chains if [e.time for _, e in chain] == times]
            attempts.append(Attempt(self.with_optional(best)))
        return attempts

    def required_chains(self, chosen: list[tuple[int, Event]]) -> Iterator[list[tuple[int, Event]]]:
        yield chosen
        later = [number for number in self.plan.required if number > chosen[-1][0]]
        if later:
            for event in self.events:
                if self.may_follow(chosen, later[0], event):
                    yield from self.required_chains([*chosen, (later[0], event)])

    def with_optional(self, chains: list[list[tuple[int, Event]]]) -> tuple[int | None, ...]:
        """Optional steps in their order, each at the earliest instant at which all can have events of their own.

        `chains` are the ways to choose events for the required steps at the same times.
        """
        times: dict[int, int] = {number: event.time for number, event in chains[0]}
        for number in self.plan.numbers:
            if not self.plan.step(number).is_optional:
                continue
            found = set()
            longer = []
            for chain in chains:
                before = [pair for pair in chain if pair[0] < number]
                after = [pair for pair in chain if pair[0] > number]
                if (
                    self.plan.find_required_before(number)
                    != [n for n, _ in before if not self.plan.step(n).is_optional][-1]
                ):
                    continue
                for event in self.events:
                    if any(event is used for _, used in chain) or not self.may_follow(before, number, event):
                        continue
                    if after and (
                        event.time > after[0][1].time
                        or (self.plan.is_strictly_later and event.time == after[0][1].time)
                    ):
                        continue
                    found.add(event.time)
                    longer.append([*before, (number, event), *after])
            if found:
                times[number] = min(found)
                chains = [chain for chain in longer if {n: e.time for n, e in chain}[number] == min(found)]
        return tuple(times.get(number) for number in self.plan.numbers)

    # -- Strict

    def strict(self) -> list[Attempt]:
        """Every order of same-time events is walked, from every step-1 event, one event after the other."""
        best: dict[tuple[Any, ...], tuple[tuple[Any, ...], Attempt]] = {}
        instants = [list(group) for _, group in groupby(self.events, key=lambda event: event.time)]
        for order in product(*(permutations(instant) for instant in instants)):
            line = [event for instant in order for event in instant]
            for position, event in enumerate(line):
                if not (self.fills(event, 1) and self.may_open(event)):
                    continue
                start = (event.time, *(event.properties.get(name) for name in self.plan.same))
                for chosen in self.walks([(1, event)], line[position + 1 :]):
                    times = dict.fromkeys(self.plan.numbers) | {number: e.time for number, e in chosen}
                    is_alive = position + len(chosen) == len(line)
                    attempt = Attempt(tuple(times.values()), is_alive)
                    rank = (
                        -attempt.last,
                        -len(chosen),
                        chosen[-1][1].time,
                        [(time is None, time or 0) for time in attempt.times],
                        not is_alive,
                    )
                    best[start] = min(best.get(start, (rank, attempt)), (rank, attempt), key=lambda pair: pair[0])
        return [attempt for _, attempt in best.values()]

    def walks(self, chosen: list[tuple[int, Event]], line: Sequence[Event]) -> Iterator[list[tuple[int, Event]]]:
        yield chosen
        if not line:
            return
        last = chosen[-1][0]
        for number in range(last + 1, len(self.plan.steps) + 1):
            if self.may_follow(chosen, number, line[0]):
                yield from self.walks([*chosen, (number, line[0])], line[1:])
            if not self.plan.step(number).is_optional:
                break

    # -- Unordered

    def unordered(self) -> list[Attempt]:
        attempts = []
        starts = {}
        for event in self.events:
            if self.may_open(event) and any(self.fills(event, number) for number in self.plan.numbers):
                starts[(event.time, *(event.properties.get(name) for name in self.plan.same))] = event
        for first in starts.values():
            near = [
                event
                for event in self.events
                if first.time <= event.time <= first.time + self.plan.window
                and (event is first or self.holds_constant(first, event))
            ]
            times: list[int | None] = []
            for end in sorted({event.time for event in near}):
                reached = self.most_steps([event for event in near if event.time <= end])
                times += [end] * (reached - len(times))
            attempts.append(Attempt(tuple(times + [None] * (len(self.plan.steps) - len(times)))))
        return attempts

    def most_steps(self, events: Sequence[Event], taken: frozenset[int] = frozenset()) -> int:
        """The most distinct steps that distinct events can fill."""
        if not events:
            return 0
        best = self.most_steps(events[1:], taken)
        for number in self.plan.numbers:
            if number not in taken and self.fills(events[0], number):
                best = max(best, 1 + self.most_steps(events[1:], taken | {number}))
        return best

    # -- What counts

    def attempts(self) -> list[Attempt]:
        """Every attempt that is left once the exclusions are applied."""
        found = getattr(self, self.plan.semantics.value)()
        void = [attempt for attempt in found if self.exclusions_of(attempt)]
        left = [attempt for attempt in found if attempt not in void]
        is_dropping = any(drops for attempt in void for drops in self.exclusions_of(attempt))
        return [] if is_dropping and not any(self.is_complete(attempt) for attempt in left) else left

    def is_complete(self, attempt: Attempt) -> bool:
        return attempt.times[max(self.plan.required) - 1] is not None

    def exclusions_of(self, attempt: Attempt) -> list[bool]:
        """For each exclusion that makes the attempt void: whether it drops the unit."""
        found = []
        for exclusion in self.plan.exclusions:
            start = attempt.times[exclusion.from_step - 1]
            reached = [time for time in attempt.times[exclusion.to_step - 1 :] if time is not None]
            end = min(reached) if reached else attempt.start + self.plan.window
            if start is not None and any(
                matches(exclusion.filter, event) and start < event.time < end for event in self.all_events
            ):
                found.append(exclusion.drops_unit)
        return found


# -- The answer


def answer(plan: FunnelPlan, events: Sequence[Event]) -> dict[str, Any]:
    """What the command line prints with --json and --units."""
    by_unit: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_unit[event.unit].append(event)
    data_end = max((event.time for event in events), default=0)
    attempts = {unit: UnitFunnel(plan, list_).attempts() for unit, list_ in by_unit.items()}
    best = {unit: choose(found, plan, data_end) for unit, found in attempts.items() if found}
    result: dict[str, Any] = {
        "steps": rows(plan, list(best.values()), entries_of(plan, attempts, data_end)),
        "units_by_step": {
            str(number): sorted(unit for unit, attempt in best.items() if attempt.times[number - 1] is not None)
            for number in plan.numbers
        },
        "trend": trend(plan, attempts, data_end),
        "total": total_time(plan, list(best.values())),
        "named_openings": None,
    }
    if plan.breakdown:
        groups, slice_attempts = slices(plan, by_unit, best, attempts, data_end)
        groups_entries = {value: entries_of(plan, found, data_end) for value, found in slice_attempts.items()}
        result["breakdown"] = {value: rows(plan, found, groups_entries[value]) for value, found in groups.items()}
        result["breakdown_totals"] = {value: total_time(plan, found) for value, found in groups.items()}
        if plan.semantics != "unordered":
            units = [UnitFunnel(plan, list_) for list_ in by_unit.values()]
            opening = [e for unit in units for e in unit.events if unit.fills(e, 1) and unit.may_open(e)]
            named = [event for event in opening if list_values(event.properties.get(plan.breakdown.column))]
            result["named_openings"] = {"named": len(named), "events": len(opening)}
    return result


def choose(attempts: Sequence[Attempt], plan: FunnelPlan, data_end: int) -> Attempt:
    """The attempt that counts. It is alive as long as any attempt of the unit can still go on."""
    is_open = any(
        attempt.start + plan.window > data_end and (attempt.is_alive or plan.semantics != "strict")
        for attempt in attempts
    )
    return replace(min(attempts, key=lambda attempt: attempt.rank), is_alive=is_open)


def entries_of(plan: FunnelPlan, attempts: Mapping[str, Sequence[Attempt]], data_end: int) -> list[Attempt]:
    """The attempts of each unit one after another."""
    found = []
    for left in attempts.values():
        while left:
            window_end = min(attempt.start for attempt in left) + plan.window
            here = [attempt for attempt in left if attempt.start <= window_end]
            chosen = choose(here, plan, data_end)
            found.append(chosen)
            completed = chosen.times[max(plan.required) - 1]
            end = window_end if completed is None else completed
            left = [attempt for attempt in left if attempt.start > end]
    return found


def total_time(plan: FunnelPlan, attempts: Sequence[Attempt]) -> dict[str, Any]:
    last = max(plan.required)
    ends = [(attempt, attempt.times[last - 1]) for attempt in attempts]
    seconds = sorted((end - attempt.start) / 1e6 for attempt, end in ends if end is not None and last > 1)
    return {
        "mean_seconds": mean(seconds) if seconds else None,
        "median_seconds": percentile(seconds, 50),
        "p90_seconds": percentile(seconds, 90),
    }


def rows(plan: FunnelPlan, attempts: Sequence[Attempt], entries: Sequence[Attempt]) -> list[dict[str, Any]]:
    found = []
    units_before: dict[int, int] = {}
    for number in plan.numbers:
        here, converted, waiting = states(plan, attempts, number)
        entered = dict(zip(("attempts", "converted", "pending"), map(len, states(plan, entries, number)), strict=True))
        entered["lost"] = entered["attempts"] - entered["converted"] - entered["pending"]
        seconds = sorted((a.times[number - 1] - before(a, number)) / 1e6 for a in here if number > 1)  # type: ignore[operator]
        units_before[number] = len(here)
        previous = units_before[plan.find_required_before(number)] if number > 1 else 0
        found.append(
            {
                "step": number,
                "units": len(here),
                "converted": len(converted),
                "lost": len(here) - len(converted) - len(waiting),
                "pending": len(waiting),
                "rate_from_previous": len(here) / previous if previous else None,
                "rate_from_start": len(here) / units_before[1] if units_before[1] else None,
                "mean_seconds": mean(seconds) if seconds else None,
                "median_seconds": percentile(seconds, 50),
                "p90_seconds": percentile(seconds, 90),
                "attempts": entered if plan.counts_attempts else None,
            }
        )
    return found


def states(plan: FunnelPlan, attempts: Sequence[Attempt], number: int) -> tuple[list[Attempt], ...]:
    """The attempts at a step, those of them that converted, and those that are pending."""
    here = [attempt for attempt in attempts if attempt.times[number - 1] is not None]
    end = max(plan.required)
    converted = [a for a in here if a.last > number or a.times[end - 1] is not None]
    return here, converted, [a for a in here if a not in converted and a.is_alive]


def before(attempt: Attempt, number: int) -> int:
    return next(time for time in reversed(attempt.times[: number - 1]) if time is not None)


def percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def trend(plan: FunnelPlan, attempts: Mapping[str, Sequence[Attempt]], data_end: int) -> list[dict[str, Any]]:
    days: dict[str, dict[str, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    zone = ZoneInfo(plan.time_zone)
    for unit, found in attempts.items():
        for attempt in found:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=attempt.start)
            days[moment.astimezone(zone).date().isoformat()][unit].append(attempt)
    result = []
    for day, by_unit in sorted(days.items()):
        best = [min(found, key=lambda a: a.rank) for found in by_unit.values()]
        latest = max(attempt.start for found in by_unit.values() for attempt in found)
        counts = [sum(a.times[number - 1] is not None for a in best) for number in plan.numbers]
        result.append({"entered": day, "units": counts, "mature": latest + plan.window <= data_end})
    return result


def slices(
    plan: FunnelPlan,
    by_unit: Mapping[str, Sequence[Event]],
    best: Mapping[str, Attempt],
    attempts: Mapping[str, Sequence[Attempt]],
    data_end: int,
) -> tuple[dict[str, list[Attempt]], dict[str, dict[str, Sequence[Attempt]]]]:
    """The attempts that count in each slice, and all attempts of its units."""
    assert plan.breakdown
    by = plan.breakdown
    found: dict[str, list[Attempt]] = defaultdict(list)
    every: dict[str, dict[str, Sequence[Attempt]]] = defaultdict(dict)
    for unit, events in by_unit.items():
        whole = UnitFunnel(plan, events)
        numbers = [by.step] if by.step else list(plan.numbers)
        touches = [event for event in whole.events if any(whole.fills(event, number) for number in numbers)]
        if by.attribution in (Attribution.ALL, Attribution.STEP):
            for value in {value for event in touches for value in list_values(event.properties.get(by.column)) or [""]}:
                left = UnitFunnel(plan, events, value, is_by_value=True).attempts()
                if left:
                    found[value].append(choose(left, plan, data_end))
                    every[value][unit] = left
        elif unit in best:
            start = plan.entered[0]
            named = [
                e for e in touches if list_values(e.properties.get(by.column)) and (start is None or e.time >= start)
            ]
            if by.attribution is Attribution.FIRST:
                edge = min((event.time for event in named), default=None)
            else:
                edge = max((event.time for event in named), default=None)
            at_edge = [event.properties[by.column] for event in named if event.time == edge]
            values = [value for property in at_edge for value in list_values(property)]
            found[min(values) if values else ""].append(best[unit])
            every[min(values) if values else ""][unit] = attempts[unit]
    return dict(found), dict(every)


__all__ = ["Event", "answer", "replace"]
