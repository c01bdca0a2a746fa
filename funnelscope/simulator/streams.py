"""Random streams, the shop's clock, and tables of numpy columns."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Chunk = dict[str, Array]  # the columns of some rows, all of one length

MICROSECONDS = 1_000_000
HOUR = 3600 * MICROSECONDS
DAY = 24 * HOUR
NEVER = np.int64(2**62)


def create_generator(seed: int, day: date, purpose: str) -> np.random.Generator:
    """The generator for one purpose on one day: no other day and no other purpose can shift its numbers."""
    return np.random.Generator(np.random.SFC64([seed, day.toordinal(), crc32(purpose.encode())]))


class Clock:
    """Business days of the shop as whole numbers: 0 is the first date, history is negative.

    Instants are microseconds since 1970 in UTC (int64), so a day may last 23 or 25 hours.
    """

    def __init__(self, first_date: date, timezone: str, first_day: int, last_day: int) -> None:
        self.first_date = first_date
        self._first_day = first_day
        self.zone = zone = ZoneInfo(timezone)
        self._starts = np.array(
            [
                int(datetime.combine(first_date + timedelta(days=day), datetime.min.time(), zone).timestamp())
                * MICROSECONDS
                for day in range(first_day, last_day + 2)
            ],
            np.int64,
        )

    def date(self, day: int) -> date:
        return self.first_date + timedelta(days=day)

    def start(self, day: int) -> int:
        return int(self._starts[day - self._first_day])

    def length(self, day: int) -> int:
        return self.start(day + 1) - self.start(day)

    def days(self, times: Array) -> Array:
        """The business day of each instant; the day after the last for everything later."""
        return np.searchsorted(self._starts, times, "right") - 1 + self._first_day

    def hours(self, times: Array) -> Array:
        """Whole hours since the start of the instants' own days."""
        return (times - self._starts[np.searchsorted(self._starts, times, "right") - 1]) // HOUR


def get_null_value(kind: np.dtype[Any]) -> Any:
    """What an empty cell holds: false, NaN or -1."""
    return {"b": False, "f": np.nan}.get(kind.kind, -1)


def stack_chunks(chunks: Sequence[Chunk], kinds: dict[str, str]) -> Chunk:
    """One chunk with exactly the columns of `kinds` (name to dtype); a chunk without a column leaves it empty."""
    total = sum(len(chunk["time"]) for chunk in chunks)
    stacked: Chunk = {}
    for name, kind in kinds.items():
        column = np.empty(total, kind)
        position = 0
        for chunk in chunks:
            end = position + len(chunk["time"])
            column[position:end] = chunk.get(name, get_null_value(column.dtype))
            position = end
        stacked[name] = column
    return stacked


def select_rows(chunk: Chunk, rows: Array) -> Chunk:
    return {name: column[rows] for name, column in chunk.items()}


def sort_distinct(values: Array) -> Array:
    """The values in order, each once; by sorting, which is faster here than numpy's hash table."""
    ordered = np.sort(values)
    keep = np.ones(len(ordered), bool)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]


class Agenda:
    """Rows that wait for the day they happen on. What lies beyond the last day is dropped."""

    def __init__(self, clock: Clock, last_day: int) -> None:
        self._clock = clock
        self._last_day = last_day
        self._waiting: dict[tuple[str, int], list[Chunk]] = {}

    def add(self, family: str, chunk: Chunk) -> None:
        """Files the rows under the business day of their `time`."""
        if not len(chunk["time"]):
            return
        days = self._clock.days(chunk["time"])
        lowest, highest = int(days.min()), int(days.max())
        if lowest == highest:
            if lowest <= self._last_day:
                self._waiting.setdefault((family, lowest), []).append(chunk)
            return
        order = np.argsort(days, kind="stable")
        for day, rows in _split_runs(days[order], order):
            if day <= self._last_day:
                self._waiting.setdefault((family, day), []).append(select_rows(chunk, rows))

    def take(self, family: str, day: int, kinds: dict[str, str]) -> Chunk:
        """All rows of that day in order of time, removed from the agenda."""
        rows = stack_chunks(self._waiting.pop((family, day), []), kinds)
        return select_rows(rows, np.argsort(rows["time"], kind="stable"))

    def forget(self, family: str, day: int) -> None:
        """Drops the rows of that day."""
        self._waiting.pop((family, day), None)


def _split_runs(ordered: Array, rows: Array) -> Iterator[tuple[int, Array]]:
    values, starts = np.unique(ordered, return_index=True)
    for value, part in zip(values, np.split(rows, starts[1:]), strict=True):
        yield int(value), part


class GrowingTable:
    """Columns that grow at the end; a row's number never changes."""

    def __init__(self, **kinds: str) -> None:
        self.size = 0
        self._columns = {name: np.empty(1024, kind) for name, kind in kinds.items()}

    def __getitem__(self, name: str) -> Array:
        """The column as a writable view of the rows so far."""
        return self._columns[name][: self.size]

    def append(self, count: int, **values: Any) -> Array:
        """Adds `count` rows and returns their numbers; a column not given is left empty."""
        start = self.size
        self.size += count
        for name, column in self._columns.items():
            if self.size > len(column):
                grown = np.empty(max(self.size, 2 * len(column)), column.dtype)
                grown[: len(column)] = column
                self._columns[name] = column = grown
            column[start : self.size] = values.get(name, get_null_value(column.dtype))
        return np.arange(start, self.size)
