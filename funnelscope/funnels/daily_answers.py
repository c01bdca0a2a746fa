"""Daily answers of the funnels in the shop's `funnels/` folder, stored in the warehouse and published.

The answer of a day is as of its end: it reads nothing later, so later days do not change it. It covers the units that
entered in the last week whose windows are over by then, and those that entered since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.funnels.answer_table import TABLE, create_table
from funnelscope.funnels.engine.answer import compute_answer
from funnelscope.funnels.engine.entry_days import DAY, EPOCH
from funnelscope.funnels.engine.plan import FunnelPlan
from funnelscope.funnels.funnel_answers import format_answer
from funnelscope.funnels.funnel_events import describe_database_error
from funnelscope.funnels.published_events import check_published_funnel, is_history_needed, load_staged
from funnelscope.funnels.specification import FunnelFile, convert_to_microseconds
from funnelscope.messages.secrets import hide_secrets
from funnelscope.settings import Settings
from funnelscope.settings.yaml_source import SettingsError
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

MATURE_DAYS = 7
_COLUMNS = ("step", "event", "units", "converted", "lost", "pending")
_FIGURES = ("rate_from_previous", "rate_from_start", "median_seconds", "p90_seconds")


@dataclass(frozen=True)
class EntryDays:
    """A range of entry days, both ends included. Mature if every window that opened on them is over."""

    first: date
    last: date
    is_mature: bool


def find_entry_days(day: date, plan: FunnelPlan, settings: Settings) -> list[EntryDays]:
    """The entry days that the answer of a day covers: the last mature week, if the shop has one, and the days since."""
    closed = EPOCH + timedelta(microseconds=_find_day_end(day, settings) - plan.window)
    last_mature = closed.astimezone(settings.zone).date() - timedelta(days=1)
    found = [
        EntryDays(last_mature - timedelta(days=MATURE_DAYS - 1), last_mature, is_mature=True),
        EntryDays(last_mature + timedelta(days=1), day, is_mature=False),
    ]
    start = settings.start_date
    return [replace(entries, first=max(entries.first, start)) for entries in found if entries.last >= start]


def count_days_back(plan: FunnelPlan) -> int:
    """How many days before its own day an answer may read, including one day for a change of the clocks."""
    return MATURE_DAYS + -(-plan.window // DAY)


def _find_day_end(day: date, settings: Settings) -> int:
    return convert_to_microseconds(day + timedelta(days=1), settings.zone)


@dataclass(frozen=True)
class DeclaredFunnel:
    """A file of the shop's folder of funnels: the funnel, or the fault for which it cannot be answered."""

    path: Path
    file: FunnelFile | None
    problem: str = ""


def load_declared_funnels(settings: Settings) -> list[DeclaredFunnel]:
    """The funnels that the shop declares, by file name; empty if the folder does not exist.

    One with a fault is among them with its fault: it must not stop the others, nor the day.
    """
    paths = sorted(path for path in settings.funnels.glob("*") if path.suffix in (".yaml", ".yml", ".json"))
    found: list[DeclaredFunnel] = []
    names: dict[str, str] = {}
    for path in paths:
        try:
            file = FunnelFile(path, settings.timezone)
            name = file.spec.name
            if name in names:
                raise SettingsError(f"{path}: name: {name!r} is also the name in {names[name]}; names must differ")
            check_published_funnel(file, settings)
            names[name] = path.name
            found.append(DeclaredFunnel(path, file))
        except Exception as error:
            found.append(DeclaredFunnel(path, None, describe_fault(path, error, settings.language)))
    return found


def describe_fault(path: Path, error: Exception, language: str) -> str:
    """Why a funnel has no answer, with the file: what its check says, or else the error that came up."""
    if isinstance(error, SettingsError):
        return error.say_in(language)
    if isinstance(error, ValueError):
        return str(error)
    told = f"{type(error).__name__}: {hide_secrets(str(error))}"
    if isinstance(error, duckdb.Error):
        told = describe_database_error(error)
    return f"{path}: cannot be answered: {told}"


def note_fault(warehouse: Warehouse, path: Path, from_date: date, to_date: date, problem: str) -> None:
    """Replaces the faults of the funnel on these days: by this one, or by none if it is empty."""
    warehouse.execute(
        "delete from quality.own_funnel_faults "
        "where funnel = $funnel and business_date between $from_date and $to_date",
        funnel=path.name,
        from_date=from_date,
        to_date=to_date,
    )
    days = [from_date + timedelta(days=offset) for offset in range((to_date - from_date).days + 1)]
    told = " ".join(
        problem.replace(f"{path.parent}/", "").split()
    )  # it is printed in reports, which need no folder of this machine
    insert_rows(warehouse, "quality.own_funnel_faults", [(day, path.name, told) for day in days if problem])


def drop_undeclared(warehouse: Warehouse, declared: Iterable[DeclaredFunnel], from_date: date, to_date: date) -> None:
    """Removes from these days what is left of files that are no longer there, and answers that a fault outdates."""
    create_table(warehouse)
    declared = list(declared)
    for table, known in (
        (TABLE, [funnel.file.spec.name for funnel in declared if funnel.file]),
        ("quality.own_funnel_faults", [funnel.path.name for funnel in declared]),
    ):
        warehouse.execute(
            f"delete from {table} where business_date between $from_date and $to_date "
            "and not list_contains($known::VARCHAR[], funnel)",
            from_date=from_date,
            to_date=to_date,
            known=known,
        )


def answer_declared(
    warehouse: Warehouse,
    settings: Settings,
    funnel: DeclaredFunnel,
    from_date: date,
    to_date: date,
    chunks: Iterable[tuple[date, date]],
) -> tuple[date | None, str]:
    """Answers the funnel for each day, or notes why it cannot: a fault in it must not stop the day.

    Returns the last answered day, if any, and the fault, if any.
    """
    last, problem = None, funnel.problem
    if funnel.file:
        try:
            last = build_daily_answers(warehouse, settings, funnel.file, chunks)
        except Exception as error:
            problem = describe_fault(funnel.path, error, settings.language)
            warehouse.execute(
                f"delete from {TABLE} where funnel = $funnel and business_date between $from_date and $to_date",
                funnel=funnel.file.spec.name,
                from_date=from_date,
                to_date=to_date,
            )
    note_fault(warehouse, funnel.path, from_date, to_date, problem)
    return (None if problem else last), problem


def build_daily_answers(
    warehouse: Warehouse, settings: Settings, file: FunnelFile, chunks: Iterable[tuple[date, date]]
) -> date | None:
    """Answers the funnel for each day and stores the answers. Returns the last day; None if there is none.

    Raises:
        SettingsError: the funnel names an event type or column that the event schema does not have; with its line.
    """
    create_table(warehouse)
    last = None
    for from_date, to_date in chunks:
        plan, columns = _load_events(warehouse, settings, file, from_date, to_date)
        for offset in range((to_date - from_date).days + 1):
            last = from_date + timedelta(days=offset)
            _build_day(warehouse, settings, file, plan, columns, last)
    return last


def _load_events(
    warehouse: Warehouse, settings: Settings, file: FunnelFile, from_date: date, to_date: date
) -> tuple[FunnelPlan, dict[str, str]]:
    """Loads the events that the days read into the table `funnel_days_events`."""
    first = find_entry_days(from_date, file.spec.plan, settings)[0].first
    asked = file.entered(first, to_date)
    since = settings.start_date if is_history_needed(asked.spec.plan) else first
    staged = {
        name: f"(from staging.{family.table} where business_date between date '{since}' and date '{to_date}')"
        for name, family in EVENT_FAMILIES.items()
    }
    loaded = load_staged(warehouse.connection, asked, settings, staged)
    warehouse.execute("create or replace temp table funnel_days_events as from funnel_events")
    return loaded.plan, dict(loaded.columns)


def _build_day(
    warehouse: Warehouse, settings: Settings, file: FunnelFile, plan: FunnelPlan, columns: dict[str, str], day: date
) -> None:
    end = _find_day_end(day, settings)
    warehouse.execute(f"create or replace temp table funnel_events as from funnel_days_events where t < {end}")
    rows: list[tuple[Any, ...]] = []
    for entries in find_entry_days(day, plan, settings):
        asked = file.entered(entries.first, entries.last).spec
        # The loaded plan has hashed ids in its conditions, so only the entry days are taken from here.
        asked_plan = replace(plan, entered=asked.plan.entered)
        answer = format_answer(asked, compute_answer(warehouse.connection, asked_plan, columns, data_end=end))
        for value, steps in {None: answer["steps"], **answer.get("breakdown", {})}.items():
            for step in steps:
                figures = (None if step[name] is None else float(step[name]) for name in _FIGURES)
                known = (entries.first, entries.last, entries.is_mature)
                rows.append((day, asked.name, value, *(step[name] for name in _COLUMNS), *figures, *known))
    with warehouse.transaction():
        warehouse.execute(
            f"delete from {TABLE} where business_date = $day and funnel = $funnel", day=day, funnel=file.spec.name
        )
        insert_rows(warehouse, TABLE, rows)
