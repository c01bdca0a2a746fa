"""Which days a run must build, and how, so that late deliveries end in the same tables as punctual ones."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from assets.gate import days_between
from pipelines.jobs import DAILY, RESTATE, near_reach_days


@dataclass(frozen=True)
class Piece:
    """A stretch of days that one run of `job` builds, both ends in."""

    job: str
    from_date: date
    to_date: date


def plan(requested: Iterable[date], built: Collection[date], stale: Collection[date], opening: date) -> list[Piece]:
    """The runs that bring the requested days up to date, oldest first.

    Args:
        requested: days to build, changed or not.
        built: days that were built before.
        stale: built days whose deliveries have changed since.
        opening: the first day that runs by itself; earlier days are built along with it.

    A changed day (stale, or requested and never built) is built whole, and so are the few days after it that read
    it; the days from there to the last built one are restated, for some models read all of the past.
    """
    requested = set(requested)
    built = {max(day, opening) for day in built}
    changed = {max(day, opening) for day in stale} | (requested - built)
    last = max({*requested, *built}, default=None)
    if last is None:
        return []
    near = {
        day + timedelta(days=offset)
        for day in changed
        for offset in range(near_reach_days() + 1)
        if day + timedelta(days=offset) in built
    }
    whole = requested | changed | near
    restated = {day for day in days_between(min(changed), last) if day in built} - whole if changed else set()
    pieces: list[Piece] = []
    for day in sorted(whole | restated):
        job = DAILY if day in whole else RESTATE
        previous = pieces[-1] if pieces else None
        if previous and previous.job == job and previous.to_date == day - timedelta(days=1):
            pieces[-1] = Piece(job, previous.from_date, day)
        else:
            pieces.append(Piece(job, day, day))
    return pieces
