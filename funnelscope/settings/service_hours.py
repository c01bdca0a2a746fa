"""The hours in which a shop's service answers: by weekday, with days that differ, on the shop's clock."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_WAIT_DAYS = 7  # an answer is looked for so long

Minutes = tuple[int, int]  # opening and closing, in minutes after midnight; the closing may lie on the next day
ServiceHours = Mapping[str, tuple[Minutes, ...]]  # weekday or ISO date to what is open on it


def read_service_hours(given: Mapping[Any, Any]) -> dict[str, tuple[Minutes, ...]]:
    """The hours by weekday and date, from keys such as `mon`, `mon-fri`, `2026-10-01` and values `09:00-18:00`.

    Raises ValueError for another key or value; the text says what is wrong.
    """
    hours: dict[str, tuple[Minutes, ...]] = {}
    for key, value in given.items():
        texts = value if isinstance(value, list | tuple) else [value] if value else []
        periods = tuple(_read_period(str(text)) for text in texts)
        for day in _read_days(str(key)):
            if day in hours:
                raise ValueError(f"{day} is named twice")
            hours[day] = periods
    return hours


def _read_days(key: str) -> list[str]:
    first, dash, last = key.lower().partition("-")
    if key.lower() in WEEKDAYS:
        return [key.lower()]
    if dash and first in WEEKDAYS and last in WEEKDAYS and WEEKDAYS.index(first) < WEEKDAYS.index(last):
        return list(WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last) + 1])
    try:
        return [date.fromisoformat(key).isoformat()]
    except ValueError:
        raise ValueError(
            f"{key} is neither a weekday ({', '.join(WEEKDAYS)}), a range such as mon-fri, nor a date"
        ) from None


def _read_period(text: str) -> Minutes:
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d) ?[-–] ?(\d{1,2}):([0-5]\d)", text.strip())
    opens, closes = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if not match or max(opens, closes) > 24 * 60 or opens == closes:
        raise ValueError(f"{text!r} is no period; write for example 09:00-18:00, or 22:00-02:00 over midnight")
    return opens, closes if closes > opens else closes + 24 * 60


def list_service_periods(
    hours: ServiceHours, zone: ZoneInfo, from_date: date, to_date: date
) -> list[dict[str, datetime]]:
    """The service periods (`opens_at`, `closes_at`; UTC) in which questions of the days may be answered.

    They reach from the week before `from_date` to `to_date`. None overlaps another.
    """
    day, periods = from_date - timedelta(days=LONGEST_WAIT_DAYS + 2), []
    while day <= to_date + timedelta(days=1):
        for opens, closes in hours.get(day.isoformat(), hours.get(WEEKDAYS[day.weekday()], ())):
            periods.append((_convert_to_utc(day, opens, zone), _convert_to_utc(day, closes, zone)))
        day += timedelta(days=1)
    merged: list[dict[str, datetime]] = []
    for opens_at, closes_at in sorted(periods):
        if merged and opens_at <= merged[-1]["closes_at"]:
            merged[-1]["closes_at"] = max(merged[-1]["closes_at"], closes_at)
        else:
            merged.append({"opens_at": opens_at, "closes_at": closes_at})
    # A list without an entry has no type; this one is over before anybody asks.
    never = datetime(1970, 1, 1)
    return merged or [{"opens_at": never, "closes_at": never}]


def _convert_to_utc(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant that the shop's clock shows so many minutes after midnight, without a zone."""
    shown = datetime.combine(day + timedelta(days=minutes // 1440), time(minutes % 1440 // 60, minutes % 60), zone)
    return shown.astimezone(UTC).replace(tzinfo=None)
