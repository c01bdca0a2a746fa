"""The shop's own funnels, day by day: the files of its `funnels/` folder, their answers in the warehouse and published.

The answer of a day is as known at its end: it reads nothing later, so it does not change when later days come. It is of
the units that entered in the last week whose windows are over by then, and of those that entered since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from funnelscope.events.schema import FAMILIES
from funnelscope.funnels.answer_table import TABLE, create_table
from funnelscope.funnels.engine.answer import compute_answer
from funnelscope.funnels.engine.entry_days import DAY, EPOCH
from funnelscope.funnels.engine.plan import FunnelPlan
from funnelscope.funnels.funnel_answers import format_answer
from funnelscope.funnels.published_events import is_history_needed, load_staged
from funnelscope.funnels.specification import FunnelFile, convert_to_microseconds
from funnelscope.settings import Settings
from funnelscope.settings.yaml_source import SettingsError
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

MATURE_DAYS = 7
_COLUMNS = ("step", "event", "units", "converted", "lost", "pending")
_FIGURES = ("rate_from_previous", "rate_from_start", "median_seconds", "p90_seconds")


@dataclass(frozen=True)
class EntryDays:
    """Days of entry, both in; mature once every window that opened on them is over."""

    first: date
    last: date
    is_mature: bool


def find_entry_days(day: date, plan: FunnelPlan, settings: Settings) -> list[EntryDays]:
    """What the answer of a day is of: the last week of mature days, if the shop has any, and the days since."""
    closed = EPOCH + timedelta(microseconds=_find_day_end(day, settings) - plan.window)
    last_mature = closed.astimezone(settings.zone).date() - timedelta(days=1)
    found = [
        EntryDays(last_mature - timedelta(days=MATURE_DAYS - 1), last_mature, is_mature=True),
        EntryDays(last_mature + timedelta(days=1), day, is_mature=False),
    ]
    start = settings.start_date
    return [replace(entries, first=max(entries.first, start)) for entries in found if entries.last >= start]


def count_days_back(plan: FunnelPlan) -> int:
    """How many days before its own the answer of a day may read; a change of the clocks may add one."""
    return MATURE_DAYS + -(-plan.window // DAY)


def _find_day_end(day: date, settings: Settings) -> int:
    return convert_to_microseconds(day + timedelta(days=1), settings.zone)


def load_declared_funnels(settings: Settings) -> list[FunnelFile]:
    """The funnels that the shop declares, by file name; empty where there is no such folder.

    Raises:
        SettingsError: a file is wrong, with its line; or two funnels share a name.
    """
    paths = sorted(path for path in settings.funnels.glob("*") if path.suffix in (".yaml", ".yml", ".json"))
    files = [FunnelFile(path, settings.timezone) for path in paths]
    names = [file.spec.name for file in files]
    for path, name in zip(paths, names, strict=True):
        if names.count(name) > 1:
            raise SettingsError(f"{path}: name: {name!r} is the name of another funnel as well; names must differ")
    return files


def build_daily_answers(
    warehouse: Warehouse, settings: Settings, file: FunnelFile, chunks: Iterable[tuple[date, date]]
) -> date | None:
    """Answers the funnel for each day and keeps the answers; returns the last day, None where there is none.

    Raises:
        SettingsError: the funnel names an event type or a column that the contract has not; with its line.
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
    """The events that the days read, as the table `funnel_days_events`."""
    first = find_entry_days(from_date, file.spec.plan, settings)[0].first
    asked = file.entered(first, to_date)
    since = settings.start_date if is_history_needed(asked.spec.plan) else first
    staged = {
        name: f"(from staging.{family.table} where business_date between date '{since}' and date '{to_date}')"
        for name, family in FAMILIES.items()
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
        # The ids of conditions are hashed in the loaded plan; only the days of entry are these.
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
