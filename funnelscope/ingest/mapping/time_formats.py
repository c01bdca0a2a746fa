"""Detects misread times from how they were written: another format, day and month swapped, another clock.

No value is read by such a guess. The result tells people what to declare and which accepted days may be wrong.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import EPOCH_UNITS

# As exports write them, most specific first. Years of two digits are left out: they would fit a day too.
FORMATS = tuple(
    f"{day}{clock}"
    for day in (
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%d-%m-%Y",
        "%m-%d-%Y",
        "%Y年%m月%d日",
        "%Y%m%d",
    )
    for clock in (" %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M:%S %p", " %I:%M %p", "%H%M%S", "")
)
EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119, counted from 1899-12-30
EPOCH_SECONDS = (500_000_000, 5_000_000_000)  # 1985 to 2128

# A delivery holds the last few days. Older rows came late or were misread.
EXPECTED_AGE_DAYS = 7
MINIMUM_SWAPPED = 3
MINIMUM_SWAPPED_SHARE = 0.9


def find_likely_formats(written: Sequence[str]) -> list[str]:
    """Everything that reads each of the texts: formats for `time_format`, names of epochs, Excel's day numbers."""
    if not written:
        return []
    numbers = [_parse_number(text) for text in written]
    if all(number is not None for number in numbers):
        for name, (least, most) in {
            "Excel's day numbers": EXCEL_DAYS,
            **{name: tuple(end * 1_000_000 // unit for end in EPOCH_SECONDS) for name, unit in EPOCH_UNITS.items()},
        }.items():
            if all(number is not None and least <= number < most for number in numbers):
                return [name]
    return [form for form in FORMATS if all(_can_read(form, text) for text in written)]


def _parse_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _can_read(form: str, text: str) -> bool:
    if any(character.isdecimal() and not character.isascii() for character in text):
        return False  # Python accepts digits of any script, DuckDB does not
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def describe_unread_times(written: Mapping[str, int], read_count: int) -> LocalizedMessage | None:
    """The warning about times that could not be read; None if they match no known format.

    Args:
        written: text to its number of rows.
        read_count: number of rows whose time could be read.
    """
    forms = find_likely_formats(list(written))
    if not forms:
        return None
    example = min(written)
    if forms == ["Excel's day numbers"]:
        like, way_out = LocalizedMessage("excel_days"), LocalizedMessage("dates_as_text")
    elif len(forms) == 1:
        like, way_out = (
            LocalizedMessage("as_told", text=forms[0]),
            LocalizedMessage("declare_time_format", form=forms[0]),
        )
    else:
        like, way_out = (
            LocalizedMessage("either", first=forms[0], second=forms[1]),
            LocalizedMessage("declare_the_one_meant"),
        )
    if not read_count:
        return LocalizedMessage("times_look_like", like=like, example=example, way_out=way_out)
    count, way_out = sum(written.values()), LocalizedMessage("one_format_each")
    return LocalizedMessage("times_written_otherwise", count=count, example=example, like=like, way_out=way_out)


def describe_absurd_times(microseconds: Sequence[int]) -> LocalizedMessage | None:
    """The warning that times were computed in a wrong unit; None if no other unit explains all of them.

    Args:
        microseconds: the times in absurd years, since 1970.
    """
    least, most = (seconds * 1_000_000 for seconds in EPOCH_SECONDS)
    for power in (3, 6, -3, -6):
        meant = [time // 10**power if power > 0 else time * 10**-power for time in microseconds]
        if meant and all(least <= time < most for time in meant):
            year = 1970 + microseconds[0] // 31_556_952_000_000
            day = datetime.fromtimestamp(meant[0] / 1_000_000, UTC).date()
            key = "times_too_large" if power > 0 else "times_too_small"
            return LocalizedMessage(key, year=str(year), day=str(day), factor=10 ** abs(power))
    return None


def describe_swapped_days(
    read: Mapping[date, int], unread: Mapping[str, int], dt: date, time_format: str
) -> LocalizedMessage | None:
    """The warning that day and month seem to be swapped; None without evidence.

    The evidence: among the dates that change when day and month are swapped, those far from the delivery are the
    majority, and nearly all of them come close to it once swapped. In a file of history none is close; there it is that
    times are read only with day and month swapped, while none that was read has a day after the twelfth.

    Args:
        read: date on the source's clock, as it was read, to its number of rows, including refused ones.
        unread: text that the format does not read, to its number of rows.
        dt: the day of delivery.
    """
    form = _swap_format(time_format)
    moved = {day: rows for day, rows in read.items() if day.day <= 12 and day.day != day.month}
    far = {day: rows for day, rows in moved.items() if not is_expected_day(day, dt)}
    explained = {day: rows for day, rows in far.items() if is_expected_day(date(day.year, day.day, day.month), dt)}
    found = {text: rows for text, rows in unread.items() if form and _is_expected_text(text, form, dt)}
    evidence = sum(explained.values()) + sum(found.values())
    against = sum(far.values()) - sum(explained.values()) + sum(unread.values()) - sum(found.values())
    is_most = evidence > sum(moved.values()) - sum(far.values())
    if evidence < MINIMUM_SWAPPED or evidence < MINIMUM_SWAPPED_SHARE * (evidence + against) or not is_most:
        return _describe_swapped_history(read, unread, form)
    if explained:
        meant = LocalizedMessage("would_be", read=str(min(explained)), swapped=str(_swap_day_and_month(min(explained))))
    else:
        meant = LocalizedMessage("is_read_by", text=min(found), form=form)
    way_out = LocalizedMessage("declare_time_format", form=form) if form else LocalizedMessage("swap_them")
    return LocalizedMessage("swapped_days", count=evidence, meant=meant, day=str(dt), way_out=way_out)


def _describe_swapped_history(
    read: Mapping[date, int], unread: Mapping[str, int], form: str
) -> LocalizedMessage | None:
    """The same where nearly all unread texts are read once swapped, and no day that was read speaks against it."""
    found = {text: rows for text, rows in unread.items() if form and _can_read(form.replace("%-", "%"), text)}
    count = sum(found.values())
    is_sure = count >= MINIMUM_SWAPPED and count >= MINIMUM_SWAPPED_SHARE * sum(unread.values())
    if not is_sure or any(day.day > 12 for day in read):
        return None
    return LocalizedMessage("swapped_history", count=count, text=min(found), form=form)


def _swap_day_and_month(day: date) -> date:
    return date(day.year, day.day, day.month)


def is_expected_day(day: date, dt: date) -> bool:
    """Whether a delivery may be expected to hold rows of the day."""
    return dt - timedelta(days=EXPECTED_AGE_DAYS) <= day <= dt + timedelta(days=1)


def _swap_format(form: str) -> str:
    """The format with day and month swapped; empty if it does not have both as numbers."""
    for day, month in (("%d", "%m"), ("%-d", "%-m"), ("%d", "%-m"), ("%-d", "%m")):
        if form.count(day) == 1 and form.count(month) == 1:
            return form.replace(day, "\0").replace(month, day).replace("\0", month)
    return ""


def _is_expected_text(text: str, form: str, dt: date) -> bool:
    try:
        return is_expected_day(datetime.strptime(text, form.replace("%-", "%")).date(), dt)
    except ValueError:
        return False


def find_skipped_hours(zone: str, day: date) -> list[tuple[datetime, datetime]]:
    """The part of a day's local time that the zone's clocks skip, if any: (begin, first time after it)."""
    known = ZoneInfo(zone)
    begin = datetime.combine(day, time(), known)
    offsets = [(begin + timedelta(days=days)).utcoffset() or timedelta() for days in (0, 1)]
    if offsets[1] <= offsets[0]:
        return []
    in_utc = datetime.combine(day, time(), UTC) - offsets[0]  # every minute exists in UTC
    minutes = (in_utc + timedelta(minutes=minute) for minute in range(24 * 60))
    changed = next(minute for minute in minutes if minute.astimezone(known).utcoffset() == offsets[1])
    local = (changed + offsets[0]).replace(tzinfo=None)
    return [(local, local + offsets[1] - offsets[0])]
