"""Checks everything that a run needs, and says what to do about problems."""

import importlib.metadata
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from funnelscope.events.schema import FAMILIES
from funnelscope.funnels.daily_answers import load_declared_funnels
from funnelscope.ingest.landing_zone import find_files, is_finished
from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.publication.erasure import find_unfinished
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, WarehouseLockedError, is_lock_held, open_warehouse
from funnelscope.warehouse.home_version import HomeVersionError
from pipelines.erasure_runs import UNFINISHED_ERASURE
from pipelines.instance import UNFINISHED, open_instance
from pipelines.watch import find_stalls

PACKAGES = ("dagster", "duckdb", "pandas", "matplotlib", "typst")
FEWEST_DAYS_OF_DISK = 30
DAYS_OF_THE_FORECAST = 7
_NOT_NAMED = {"event_id", "event_time", "event_type", "shop", "is_bot", "excluded_reason"}


@dataclass(frozen=True)
class HealthNote:
    """The result of one check: whether it is fine, and in words what was found and what to do."""

    subject: str
    is_fine: bool
    words: str


def examine_shop(settings: Settings) -> list[HealthNote]:
    """Everything to know before the next run. The settings themselves were checked when they were loaded."""
    home = _check_home(settings)
    notes = [
        _check_settings(settings),
        _check_versions(),
        home,
        *_check_landing_zone(settings),
        _check_identity_key(settings),
        *_check_funnels(settings),
        _check_disk(settings),
        _check_retention(settings),
    ]
    # The others open what lies in the home, and nothing can be opened where nothing can be written.
    if not home.is_fine:
        return notes
    stalls = [HealthNote("schedule", False, problem) for problem in find_stalls(settings)]
    return [*notes, _check_lock(settings), *stalls, *_check_warehouse(settings)]


def _check_settings(settings: Settings) -> HealthNote:
    words = f"{settings.shop}, {settings.timezone}, {settings.currency}, {settings.language}"
    words += f", first day {settings.start_date}"
    if settings.opening_date > datetime.now(settings.zone).date():
        return HealthNote("settings", False, f"{words}; the opening day, {settings.opening_date}, is still to come")
    if not settings.sources:
        return HealthNote("settings", False, f"{words}; no sources: name at least one family under sources")
    return HealthNote("settings", True, words)


def _check_versions() -> HealthNote:
    versions = {name: importlib.metadata.version(name) for name in ("funnelscope", *PACKAGES)}
    return HealthNote("versions", True, ", ".join(f"{name} {version}" for name, version in versions.items()))


def _check_home(settings: Settings) -> HealthNote:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return HealthNote("home", False, f"{settings.home} cannot be written: {error}. Set FUNNELSCOPE_HOME elsewhere.")
    return HealthNote("home", True, str(settings.home))


def _check_landing_zone(settings: Settings) -> Iterator[HealthNote]:
    for family in FAMILIES:
        sources = settings.list_family_sources(family)
        if not sources:
            yield HealthNote(f"landing {family}", True, "not declared; its sections say 'no data'")
        for source in sources:
            files = [found.path for found in find_files(settings, source) if not source.query or found.path.exists()]
            if not files:
                words = f"no file matches {settings.home / source.pattern}; deliver one, or remove the source. "
                words += f"The nearest that there are: funnelscope check {source.name}"
                yield HealthNote(f"landing {family}", False, words)
                continue
            if source.query:
                yield HealthNote(f"landing {family}", True, f"a query on {source.attach}")
                continue
            newest = max(files, key=lambda path: path.as_posix())
            yield HealthNote(f"landing {family}", True, f"{len(files)} files, the last {newest}")
    yield from _find_unread_files(settings)


def _find_unread_files(settings: Settings) -> Iterator[HealthNote]:
    """Files in the landing zone that no source reads, or that have no day of delivery; one note per family."""
    read: set[Path] = set()
    undated: dict[Path, str] = {}
    for source in settings.sources:
        for found in find_files(settings, source) if not source.query else ():
            try:
                found.delivery_date(settings.zone)
                read.add(found.path)
            except DeliveryError as problem:
                undated[found.path] = str(problem)
    left: dict[str, list[Path]] = {}
    for file in sorted(settings.landing.rglob("*")):
        if file not in read and _is_file(file) and is_finished(file, settings.landing):
            left.setdefault(file.relative_to(settings.landing).parts[0], []).append(file)
    for folder, files in left.items():
        words = undated.get(files[0]) or (
            f"no source reads {files[0]}; sources read landing/FAMILY/dt=YYYY-MM-DD/ of each declared family, one of "
            f"{', '.join(FAMILIES)}, or the `files` of a source"
        )
        more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        yield HealthNote(f"landing {folder}", False, words + more)


def _is_file(path: Path) -> bool:
    """Whether it is a file, as far as one may know: not in a folder that may not be entered."""
    try:
        return path.is_file()
    except OSError:
        return False


def _check_funnels(settings: Settings) -> Iterator[HealthNote]:
    """The shop's own funnels: one note for all that can be answered, and one for each fault."""
    declared = load_declared_funnels(settings)
    good = [funnel.path.name for funnel in declared if funnel.file]
    if good:
        yield HealthNote("funnels", True, ", ".join(good))
    for funnel in declared:
        if funnel.problem:
            words = f"{funnel.problem.rstrip('.')}. It is not answered; the days are published without it"
            yield HealthNote("funnels", False, words)


def _check_identity_key(settings: Settings) -> HealthNote:
    key = settings.identity_key_path
    if not key.exists() and settings.warehouse_path.exists():
        words = f"{key} is gone, and the warehouse was loaded with it. Restore it from a backup"
        return HealthNote("identity key", False, words)
    if not key.exists():
        return HealthNote("identity key", True, "created by the first run")
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o077:
        return HealthNote("identity key", False, f"{key} can be read by others ({mode:o}). Run: chmod 600 {key}")
    return HealthNote("identity key", True, f"{key}: keep a copy apart; without it ids never match again")


def _check_disk(settings: Settings) -> HealthNote:
    """How long the disk lasts if every day takes as much as the latest ones, warehouse and copies in proportion."""
    free = shutil.disk_usage(settings.home).free
    delivered = _measure_size(settings.landing)
    latest = sorted({path.name for path in settings.landing.glob("*/dt=*")})[-DAYS_OF_THE_FORECAST:]
    if not delivered:
        return HealthNote("disk", True, f"{free / 1e9:.1f} GB free")
    stored = delivered + sum(
        _measure_size(path) for path in (settings.warehouse_path, settings.published, settings.dagster_home)
    )
    of_latest = sum(_measure_size(path) for name in latest for path in settings.landing.glob(f"*/{name}"))
    per_day = of_latest / len(latest) * stored / delivered
    left = int(free / per_day)
    words = f"{free / 1e9:.1f} GB free, about {per_day / 1e6:.1f} MB a day: {left:,} days left"
    if left < FEWEST_DAYS_OF_DISK:
        return HealthNote("disk", False, f"{words}. Free space, or move FUNNELSCOPE_HOME.")
    return HealthNote("disk", True, words)


def _measure_size(path: Path) -> int:
    seen: dict[tuple[int, int], int] = {}  # hard links count once
    for file in (path, *path.rglob("*")):
        with suppress(OSError):  # gone meanwhile, or in a folder that may not be entered
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                seen[(status.st_dev, status.st_ino)] = status.st_size
    return sum(seen.values())


def _check_retention(settings: Settings) -> HealthNote:
    declared = settings.retention.model_dump(exclude_none=True)
    words = ", ".join(f"{name.removesuffix('_days')} {days} days" for name, days in declared.items())
    return HealthNote("retention", True, f"{words or 'everything is kept'}; snapshots {settings.snapshots_kept}")


def _check_warehouse(settings: Settings) -> Iterator[HealthNote]:
    """Whether the tables belong to another version or an erasure is incomplete; unknown while a run is writing."""
    if not settings.warehouse_path.exists() or is_lock_held(settings.lock_path):
        return
    try:
        with open_warehouse(settings.warehouse_path, wait_seconds=0) as warehouse:
            yield from _describe_delivered(warehouse, settings)
            if find_unfinished(warehouse, settings):
                yield HealthNote("forget", False, UNFINISHED_ERASURE)
    except HomeVersionError as error:
        yield HealthNote("tables", False, str(error))
    except WarehouseLockedError as error:
        yield HealthNote("tables", False, str(error))


def _describe_delivered(warehouse: Warehouse, settings: Settings) -> Iterator[HealthNote]:
    """Per declared family, the event types and columns that have come so far, and those that never have."""
    if not warehouse.columns("marts.delivered_columns"):
        return
    delivered: dict[str, dict[str, set[str]]] = {}
    for family, event_type, column in warehouse.rows(
        "select family, event_type, column_name from marts.delivered_columns"
    ):
        delivered.setdefault(family, {}).setdefault(event_type, set()).add(column)
    for name, family in FAMILIES.items():
        if name not in delivered or not settings.list_family_sources(name):
            continue
        types = [
            f"{event_type} ({', '.join(column.name for column in family.columns if column.name in columns)})"
            for event_type in family.event_types
            if (columns := delivered[name].get(event_type, set()) - _NOT_NAMED)
        ]
        filled = set().union(*delivered[name].values()) | _NOT_NAMED
        missing = [event_type for event_type in family.event_types if event_type not in delivered[name]]
        empty = [column.name for column in family.columns if column.name not in filled]
        words = f"so far {', '.join(types)}"
        words += f"; never {', '.join(missing)}" if missing else ""
        words += f"; columns never filled: {', '.join(empty)}" if empty else ""
        yield HealthNote(f"events {name}", True, words)


def _check_lock(settings: Settings) -> HealthNote:
    if is_lock_held(settings.lock_path):
        process = settings.lock_path.read_text().strip() or "unknown"
        return HealthNote("lock", True, f"process {process} is writing now; a new run waits for it")
    with open_instance(settings) as instance:
        import dagster as dg

        dead = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    if dead:
        oldest = min(record.create_timestamp for record in dead)
        age = datetime.now(oldest.tzinfo) - oldest
        if age > timedelta(minutes=1):
            words = f"{len(dead)} run(s) were killed and count as started; the next run or the UI marks them as failed"
            return HealthNote("lock", False, words)
    return HealthNote("lock", True, "free")
