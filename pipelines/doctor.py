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
from funnelscope.messages.wording import load_words
from funnelscope.publication.erasure import find_unfinished
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, WarehouseLockedError, is_lock_held, open_warehouse
from funnelscope.warehouse.home_version import HomeVersionError
from pipelines.instance import UNFINISHED, open_instance
from pipelines.terminal import list_words, tell
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


def _note(settings: Settings, subject: str, is_fine: bool, key: str, /, **values: object) -> HealthNote:
    """A note in the shop's language; `subject` may be followed by a name, as in `landing page`."""
    place, _, name = subject.partition(" ")
    title = load_words(settings.language).text("doctor", place, name=name)
    return HealthNote(title, is_fine, _word(settings, key, **values))


def _word(settings: Settings, key: str, /, **values: object) -> str:
    return load_words(settings.language).text("doctor", key, **{name: str(value) for name, value in values.items()})


def examine_shop(settings: Settings) -> list[HealthNote]:
    """Everything to know before the next run. The settings themselves were checked when they were loaded."""
    home = _check_home(settings)
    notes = [
        _check_settings(settings),
        _check_versions(settings),
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
    schedule = _word(settings, "schedule")
    stalls = [HealthNote(schedule, False, problem) for problem in find_stalls(settings)]
    return [*notes, _check_lock(settings), *stalls, *_check_warehouse(settings)]


def _check_settings(settings: Settings) -> HealthNote:
    shown = {name: getattr(settings, name) for name in ("shop", "timezone", "currency", "language", "start_date")}
    shop = _word(settings, "shop", **shown)
    if settings.opening_date > datetime.now(settings.zone).date():
        return _note(settings, "settings", False, "not_open", shop=shop, day=settings.opening_date)
    if not settings.sources:
        return _note(settings, "settings", False, "no_sources", shop=shop)
    return HealthNote(_word(settings, "settings"), True, shop)


def _check_versions(settings: Settings) -> HealthNote:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("funnelscope", *PACKAGES)]
    return HealthNote(_word(settings, "versions"), True, list_words(settings, versions))


def _check_home(settings: Settings) -> HealthNote:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return _note(settings, "home", False, "home_not_writable", home=settings.home, error=error)
    return HealthNote(_word(settings, "home"), True, str(settings.home))


def _check_landing_zone(settings: Settings) -> Iterator[HealthNote]:
    for family in FAMILIES:
        sources = settings.list_family_sources(family)
        if not sources:
            yield _note(settings, f"landing {family}", True, "not_declared")
        for source in sources:
            files = [found.path for found in find_files(settings, source) if not source.query or found.path.exists()]
            if not files:
                wanted = {"pattern": settings.home / source.pattern, "source": source.name}
                yield _note(settings, f"landing {family}", False, "no_file", **wanted)
                continue
            if source.query:
                yield _note(settings, f"landing {family}", True, "query", database=source.attach)
                continue
            newest = max(files, key=lambda path: path.as_posix())
            yield _note(settings, f"landing {family}", True, "files", count=len(files), newest=newest)
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
        families = list_words(settings, list(FAMILIES))
        words = undated.get(files[0]) or _word(settings, "unread", file=files[0], families=families)
        if len(files) > 1:
            words = _word(settings, "and_more", words=words, count=len(files) - 1)
        yield HealthNote(_word(settings, "landing", name=folder), False, words)


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
        yield HealthNote(_word(settings, "funnels"), True, list_words(settings, good))
    for funnel in declared:
        if funnel.problem:
            yield _note(settings, "funnels", False, "funnel_fails", problem=funnel.problem.rstrip("."))


def _check_identity_key(settings: Settings) -> HealthNote:
    key = settings.identity_key_path
    if not key.exists() and settings.warehouse_path.exists():
        return _note(settings, "identity_key", False, "key_gone", path=key)
    if not key.exists():
        return _note(settings, "identity_key", True, "key_to_come")
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o077:
        return _note(settings, "identity_key", False, "key_open", path=key, mode=f"{mode:o}")
    return _note(settings, "identity_key", True, "key_fine", path=key)


def _check_disk(settings: Settings) -> HealthNote:
    """How long the disk lasts if every day takes as much as the latest ones, warehouse and copies in proportion."""
    free = shutil.disk_usage(settings.home).free
    delivered = _measure_size(settings.landing)
    latest = sorted({path.name for path in settings.landing.glob("*/dt=*")})[-DAYS_OF_THE_FORECAST:]
    gigabytes = f"{free / 1e9:.1f}"
    if not delivered:
        return _note(settings, "disk", True, "free", gigabytes=gigabytes)
    stored = delivered + sum(
        _measure_size(path) for path in (settings.warehouse_path, settings.published, settings.dagster_home)
    )
    of_latest = sum(_measure_size(path) for name in latest for path in settings.landing.glob(f"*/{name}"))
    per_day = of_latest / len(latest) * stored / delivered
    left = int(free / per_day)
    megabytes, days = f"{per_day / 1e6:.1f}", f"{left:,}"
    words = _word(settings, "days_left", gigabytes=gigabytes, megabytes=megabytes, days=days)
    if left < FEWEST_DAYS_OF_DISK:
        return _note(settings, "disk", False, "disk_short", words=words)
    return HealthNote(_word(settings, "disk"), True, words)


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
    spans = [_word(settings, "kept_days", name=key.removesuffix("_days"), days=days) for key, days in declared.items()]
    kept = list_words(settings, spans) if spans else _word(settings, "kept_all")
    return _note(settings, "retention", True, "kept", kept=kept, snapshots=settings.snapshots_kept)


def _check_warehouse(settings: Settings) -> Iterator[HealthNote]:
    """Whether the tables belong to another version or an erasure is incomplete; unknown while a run is writing."""
    if not settings.warehouse_path.exists() or is_lock_held(settings.lock_path):
        return
    try:
        with open_warehouse(settings.warehouse_path, wait_seconds=0) as warehouse:
            yield from _describe_delivered(warehouse, settings)
            if find_unfinished(warehouse, settings):
                yield HealthNote(_word(settings, "forget"), False, tell(settings, "unfinished_erasure"))
    except (HomeVersionError, WarehouseLockedError) as error:
        yield HealthNote(_word(settings, "tables"), False, str(error))


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
        parts = [_word(settings, "delivered", types=", ".join(types))]
        parts += [_word(settings, "never", types=", ".join(missing))] if missing else []
        parts += [_word(settings, "never_filled", columns=", ".join(empty))] if empty else []
        yield HealthNote(_word(settings, "events", name=name), True, "; ".join(parts))


def _check_lock(settings: Settings) -> HealthNote:
    if is_lock_held(settings.lock_path):
        process = settings.lock_path.read_text().strip() or "?"
        return _note(settings, "lock", True, "writing", process=process)
    with open_instance(settings) as instance:
        import dagster as dg

        dead = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    if dead:
        oldest = min(record.create_timestamp for record in dead)
        age = datetime.now(oldest.tzinfo) - oldest
        if age > timedelta(minutes=1):
            return _note(settings, "lock", False, "killed", count=len(dead))
    return _note(settings, "lock", True, "lock_free")
