"""Which days a run must build, and how, so that late deliveries end in the same tables as punctual ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from funnelscope.ingest.build_state import BuildState, compute_near_reach_days
from pipelines.jobs import DAILY, RESTATE


@dataclass(frozen=True)
class Piece:
    """A stretch of days that one run of `job` builds, both ends in."""

    job: str
    from_date: date
    to_date: date


def plan_runs(requested: Iterable[date], standing: BuildState, opening: date) -> list[Piece]:
    """The runs that bring the requested days, and all that no longer stands, up to date, oldest first.

    Args:
        requested: days to build, changed or not.
        standing: days that were built before, and what has changed under them.
        opening: the first day that runs by itself; earlier days are built along with it.

    A changed day (or one requested and never built) is built whole, and so are the few days after it that read it;
    the days from there to the last built one are restated, for some models read all of the past.
    """
    requested = set(requested)
    built = {max(day, opening) for day in standing.built}
    changed = {max(day, opening) for day in standing.changed} | (requested - built)
    near = {
        day + timedelta(days=offset)
        for day in changed
        for offset in range(compute_near_reach_days() + 1)
        if day + timedelta(days=offset) in built
    }
    whole = requested | changed | near | {max(day, opening) for day in standing.near_stale}
    behind = {day for day in built if changed and day > min(changed)}
    restated = (behind | {max(day, opening) for day in standing.past_stale}) - whole
    pieces: list[Piece] = []
    for day in sorted(whole | restated):
        job = DAILY if day in whole else RESTATE
        previous = pieces[-1] if pieces else None
        if previous and previous.job == job and previous.to_date == day - timedelta(days=1):
            pieces[-1] = Piece(job, previous.from_date, day)
        else:
            pieces.append(Piece(job, day, day))
    return pieces
