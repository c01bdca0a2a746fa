"""The state of every day, and the four stages of a day, as tables on the terminal."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from rich.console import Console
from rich.table import Table

from funnelscope.ingest import read_pruned_days
from funnelscope.ingest.build_state import read_build_state
from funnelscope.publication.erasure import find_unfinished
from funnelscope.publication.publish import open_published, read_published_days
from funnelscope.quality import gate
from funnelscope.quality.gate import DayVerdict, Verdict, list_days
from funnelscope.reporting import Period
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import WarehouseLockedError, open_warehouse
from funnelscope.warehouse.home_version import HomeVersionError
from funnelscope.warehouse.snapshots import find_current_snapshot
from pipelines.erasure_runs import UNFINISHED_ERASURE
from pipelines.morning import find_publication_deadline
from pipelines.watch import find_stalls

MOST_DAYS = 45


def print_status(settings: Settings) -> None:
    """Prints a line for each run of days that are alike, the latest last, and what to do about late or missing days.

    Raises:
        FileNotFoundError: nothing has ever run here.
    """
    if not settings.warehouse_path.exists():
        raise FileNotFoundError(f"{settings.warehouse_path} does not exist yet. Run: funnelscope run --date YYYY-MM-DD")
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
        console.print(f"{len(published)} days published, the last {max(published, default='none')}. {error}")
        return
    by_day = {verdict.business_date: verdict for verdict in verdicts}
    built, late = stands.built, stands.stale_days
    last = max({*built, *delivered}, default=settings.opening_date)
    table = Table("day", "state", "snapshot", box=None, pad_edge=False)
    table.add_column("why", overflow="fold")  # a file name is useless without its end
    days = [day for day in list_days(settings.opening_date, last) if day >= settings.opening_date]
    lines = (
        (*_describe_state(day, by_day.get(day), day in built, day in late, published), published.get(day, "–"))
        for day in days[-MOST_DAYS:]
    )
    for (state, why, snapshot), group in groupby(zip(lines, days[-MOST_DAYS:], strict=True), key=itemgetter(0)):
        same = [day for _, day in group]
        named = str(same[0]) if len(same) == 1 else f"{same[0]} to {same[-1]}"
        table.add_row(named, state, snapshot, why)
    console.print(table)
    for line in _give_advice(settings, days, built, late, last):
        console.print(line)
    for problem in find_stalls(settings):
        console.print(problem)
    if is_erasing:
        console.print(UNFINISHED_ERASURE[0].upper() + UNFINISHED_ERASURE[1:])
    if pruned:
        console.print(f"Raw rows up to {max(pruned)} are pruned (retention): late rows of those days go to quarantine.")


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
        "reasons": [f"{reason.subject}: {reason.observed}" for reason in verdict.reasons] if verdict else [],
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
    day: date, verdict: DayVerdict | None, is_built: bool, is_late: bool, published: dict[date, str]
) -> tuple[str, str]:
    if not is_built:
        return "missing", "never run"
    why = "; ".join(f"{reason.subject}: {reason.observed}" for reason in verdict.reasons) if verdict else ""
    if is_late:
        return "late", "deliveries have changed since it was built" + (f"; {why}" if why else "")
    if verdict is None or verdict.verdict == Verdict.BLOCKED:
        kept = " (last good version kept)" if day in published else ""
        return "blocked", why + kept
    return ("warned" if verdict.verdict == Verdict.WARN else "published"), why


def _give_advice(
    settings: Settings, days: list[date], built: Iterable[date], late: Iterable[date], last: date
) -> Iterable[str]:
    missing = [day for day in days if day not in set(built)]
    if missing:
        yield f"{len(missing)} days never run. Run: funnelscope backfill --from {missing[0]} --to {missing[-1]}"
    if late:
        yield f"{len(set(late))} days are late: the next run builds them again, or: funnelscope run --date {last}"
    yesterday = datetime.now(settings.zone).date() - timedelta(days=1)
    if last < yesterday:
        yield f"Nothing was delivered for the {(yesterday - last).days} days after {last}; yesterday is {yesterday}."
