"""The state of every day, and the four stages of a day, as tables on the terminal."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from rich.console import Console
from rich.table import Table

from funnelscope.ingest import read_pruned_days
from funnelscope.ingest.build_state import read_build_state
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.publication.erasure import find_unfinished
from funnelscope.publication.publish import open_published, read_published_days
from funnelscope.quality import gate
from funnelscope.quality.gate import DayVerdict, Verdict, list_days
from funnelscope.reporting import Period
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import WarehouseLockedError, open_warehouse
from funnelscope.warehouse.home_version import HomeVersionError
from funnelscope.warehouse.snapshots import find_current_snapshot
from pipelines.morning import find_publication_deadline
from pipelines.terminal import list_words, tell
from pipelines.watch import find_stalls

MOST_DAYS = 45


def print_status(settings: Settings) -> None:
    """Prints a line for each run of days that are alike, the latest last, and what to do about late or missing days.

    Raises:
        FileNotFoundError: nothing has ever run here.
    """
    if not settings.warehouse_path.exists():
        raise FileNotFoundError(LocalizedMessage("no_warehouse", file=str(settings.warehouse_path)))
    console = Console()
    published = read_published_days(settings.published)
    try:
        with open_warehouse(settings.warehouse_path, wait_seconds=1) as warehouse:
            stands = read_build_state(warehouse)
            delivered = {day for (day,) in warehouse.rows("select distinct business_date from quality.delivery_dates")}
            verdicts = gate.read_verdicts(warehouse, settings.opening_date, date.max)
            pruned = read_pruned_days(warehouse)
            is_erasing = find_unfinished(warehouse, settings)
    except (WarehouseLockedError, HomeVersionError) as error:
        latest = max(map(str, published), default=tell(settings, "none"))
        console.print(tell(settings, "published_so_far", count=len(published), last=latest, problem=error))
        return
    by_day = {verdict.business_date: verdict for verdict in verdicts}
    built, late = stands.built, stands.stale_days
    first = max(min({*built, *delivered}, default=settings.opening_date), settings.opening_date)
    last = max({*built, *delivered}, default=settings.opening_date)
    table = Table(*(tell(settings, name) for name in ("day", "state", "snapshot")), box=None, pad_edge=False)
    table.add_column(tell(settings, "why"), overflow="fold")  # a file name is useless without its end
    days = list_days(first, last)
    lines = [
        (
            *_describe_state(settings, day, by_day.get(day), day in built, day in late, published),
            published.get(day, "–"),
        )
        for day in days
    ]
    shown = max(len(days) - MOST_DAYS, 0)
    for (state, why, snapshot), group in groupby(zip(lines[shown:], days[shown:], strict=True), key=itemgetter(0)):
        same = [day for _, day in group]
        named = str(same[0]) if len(same) == 1 else tell(settings, "days_between", first=same[0], last=same[-1])
        table.add_row(named, state, snapshot, why)
    if shown:
        counts = Counter(state for state, *_ in lines[:shown])
        states = list_words(settings, [tell(settings, "counted", count=n, name=name) for name, n in counts.items()])
        span = {"count": shown, "first": days[0], "last": days[shown - 1]}
        console.print(tell(settings, "earlier_days", **span, states=states))
    console.print(table)
    for line in _give_advice(settings, days, built, late, last):
        console.print(line)
    for problem in find_stalls(settings):
        console.print(problem)
    if is_erasing:
        console.print(tell(settings, "unfinished_erasure"))
    if pruned:
        console.print(tell(settings, "pruned", last=max(pruned)))


def read_health(settings: Settings, now: datetime | None = None) -> dict[str, Any]:
    """For monitoring: whether the last day that should be published by now is, and why not.

    Reads the published copy and Dagster's runs, so that it answers at once, also while a run writes. `exit_code` is 0
    for the states fine and warned, 1 for late (not published) and stalled (published, and the next run will not come or
    end), 2 for blocked. `problems` says what stands in the way of the next run.
    """
    now = now or datetime.now(settings.zone)
    expected = now.date() - timedelta(
        days=1 if now.timetz().replace(tzinfo=None) >= find_publication_deadline(settings) else 2
    )
    published = read_published_days(settings.published)
    verdict = None
    if find_current_snapshot(settings.published):
        with open_published(settings.published) as connection:
            verdict = gate.read_published_verdict(connection, expected)
    last = max(published, default=None)
    if expected < settings.opening_date:
        state = "fine"  # the shop is not open yet
    elif verdict and verdict.verdict == Verdict.BLOCKED:
        state = "blocked"
    elif expected in published:
        state = "warned" if verdict and verdict.verdict == Verdict.WARN else "fine"
    else:
        state = "late"
    problems = find_stalls(settings, now.timestamp())
    if problems and state in ("fine", "warned"):
        state = "stalled"
    return {
        "shop": settings.shop,
        "state": state,
        "exit_code": {"late": 1, "stalled": 1, "blocked": 2}.get(state, 0),
        "expected_day": expected.isoformat(),
        "last_published_day": last and last.isoformat(),
        "snapshot": last and published[last],
        "days_behind": max((expected - last).days, 0) if last else None,
        "problems": problems,
        "reasons": [reason.say_in(settings.language) for reason in verdict.reasons] if verdict else [],
    }


def check_was_run(settings: Settings, period: Period | date) -> None:
    """Refuses a period without any day that was run: its empty edition would precede the first real one.

    Raises:
        ValueError: no day of the period has been judged, published or blocked.
        FileNotFoundError: nothing has been published yet.
    """
    name, days = (str(period), [period]) if isinstance(period, date) else (period.name, period.days)
    with open_published(settings.published) as connection:
        judged = [day for (day,) in connection.execute("select business_date from quality.day_verdict").fetchall()]
    if not set(days) & set(judged):
        known = f"days run so far are between {min(judged)} and {max(judged)}" if judged else "none has"
        raise ValueError(f"{name} has not been run; {known}. Run: funnelscope run --date {days[-1]}")


def _describe_state(
    settings: Settings, day: date, verdict: DayVerdict | None, is_built: bool, is_late: bool, published: dict[date, str]
) -> tuple[str, str]:
    if not is_built:
        return tell(settings, "state_missing"), tell(settings, "never_run")
    reasons = [reason.say_in(settings.language) for reason in verdict.reasons] if verdict else []
    if is_late:
        return tell(settings, "state_late"), "; ".join([tell(settings, "changed_since"), *reasons])
    why = "; ".join(reasons)
    if verdict is None or verdict.verdict == Verdict.BLOCKED:
        kept = [tell(settings, "good_version_kept")] if day in published else []
        return tell(settings, "state_blocked"), " ".join([why, *kept])
    return tell(settings, "state_warned" if verdict.verdict == Verdict.WARN else "state_published"), why


def _give_advice(
    settings: Settings, days: list[date], built: Iterable[date], late: Iterable[date], last: date
) -> Iterable[str]:
    missing = [day for day in days if day not in set(built)]
    if missing:
        yield tell(settings, "run_missing", count=len(missing), first=missing[0], last=missing[-1])
    if late:
        yield tell(settings, "run_late", count=len(set(late)), last=last)
    yesterday = datetime.now(settings.zone).date() - timedelta(days=1)
    if last < yesterday:
        yield tell(settings, "nothing_since", count=(yesterday - last).days, last=last, yesterday=yesterday)
