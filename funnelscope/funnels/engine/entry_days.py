"""The day on which an attempt opens, on the funnel's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from funnelscope.funnels.engine.step_matches import FunnelWork

MICROSECONDS = 1_000_000
QUARTER = 900 * MICROSECONDS
DAY = 86_400 * MICROSECONDS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Before and after these days a zone keeps the offset of their edge.
FIRST_DAY, LAST_DAY = ((datetime(year, 1, 1, tzinfo=UTC) - EPOCH).days for year in (1900, 2100))


def build_day_sql(work: FunnelWork, time: str) -> str:
    """SQL of the day number of an opening's time, from 1970-01-01.

    The zone's offset is written out for the time that the data cover: converting every time by its name costs more
    than the funnel does.
    """
    ((start, end),) = work.rows("select min(t), max(t) from funnel_matches")
    if start is None:
        return "0"
    first, last = (min(max(int(str(edge)) // DAY, FIRST_DAY), LAST_DAY) for edge in (start, end))
    *changes, (_, offset) = _list_offsets(ZoneInfo(work.plan.time_zone), range(first, last + 1))
    cases = "".join(f"when {time} < {until} then {before} " for until, before in changes)
    return f"floor(({time} + {f'case {cases}else {offset} end' if cases else offset}) / {DAY})::int"


def _list_offsets(zone: ZoneInfo, days: range) -> Iterator[tuple[int, int]]:
    """(until, offset) in microseconds, in order; the last one holds for ever."""
    offset = _find_offset(zone, days.start * DAY)
    for day in days:
        start, end = day * DAY, (day + 1) * DAY
        for time in range(start, end, QUARTER) if _find_offset(zone, end) != offset else ():
            if _find_offset(zone, time) != offset:
                yield time, offset
                offset = _find_offset(zone, time)
    yield days.stop * DAY, offset


def _find_offset(zone: ZoneInfo, time: int) -> int:
    moment = EPOCH + timedelta(microseconds=time)
    return (zone.utcoffset(moment.astimezone(zone)) or timedelta()) // timedelta(microseconds=1)
