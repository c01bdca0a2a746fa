"""Loads deliveries into raw: each one completely, in one transaction, and again whenever it changes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest.erased_people import blank_conflicts_of_erased, leave_out_erased
from funnelscope.ingest.exclusions import take_exclusions
from funnelscope.ingest.identity import use_identity_key, use_throwaway_key
from funnelscope.ingest.landing_zone import FoundFile, Stamp, find_files, is_listable, split_pattern
from funnelscope.ingest.ledger_tables import build_content_hash_sql, create_tables
from funnelscope.ingest.mapping.failing_rows import mark_failing_rows
from funnelscope.ingest.mapping.field_names import list_field_names, prepare_expression
from funnelscope.ingest.mapping.source_mapping import (
    DELIVERY_DATE,
    PLACES,
    DeliveryError,
    DeliveryRows,
    SourceMapping,
    add_delivery_date,
    build_end_sql,
    list_expressions,
)
from funnelscope.ingest.pruned_days import read_pruned_deliveries, settle_pruned
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers.joined_files import join_files
from funnelscope.ingest.readers.nested_fields import read_fields
from funnelscope.ingest.readers.query_reader import read_query
from funnelscope.ingest.readers.record_stage import escape, is_clean, is_read
from funnelscope.ingest.readers.text_reader import LONGEST_LINE, read_text
from funnelscope.ingest.readers.workbook_reader import read_workbook
from funnelscope.messages.check_observations import LocalizedMessage, format_messages_as_json
from funnelscope.messages.secrets import hide_secrets
from funnelscope.messages.wording import load_words
from funnelscope.settings import Format, KeyPath, Settings, Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier, quote_literal

Progress = Callable[[str], None]

# Errors that the file does not cause. They must stop the run instead of sending a good file to quarantine.
OUR_OWN_FAULTS = (
    duckdb.OutOfMemoryException,
    duckdb.InterruptException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.TransactionException,
    duckdb.CatalogException,
    duckdb.ParserException,
    MemoryError,
)

OUT_OF_MEMORY = (duckdb.OutOfMemoryException, MemoryError)  # a file alone needs more than there is

# The first two repeat the reading of a value for each check that uses it, which doubles the time of a file. The third
# evaluates what two expressions share only once, outside the `try` of both, so that one bad cell fails the file.
HARMFUL_OPTIMIZERS = ("filter_pushdown", "in_clause", "common_subexpressions")


# How many Parquet files, and of how many bytes in all, may be taken in one statement and one transaction.
FILES_TOGETHER = 64
BYTES_TOGETHER = 128_000_000
FAILURES_TOGETHER = 2  # so often a source may fail before each of its files is taken alone

# A Parquet file may repeat a value a thousand million times in a few bytes.
ROWS_IN_ANY_CASE, ROWS_OF_A_BYTE = 10_000_000, 50

OTHERS_NAMED = 5
SHOWN_CHARACTERS = 60
CHARACTERS_OF_AN_ERROR = 10_000

WHERE = "where"  # the name of the condition among the expressions of a source; no column is called so


class NotTogetherError(Exception):
    """Files that cannot be taken in one statement."""


class IngestError(RuntimeError):
    """Deliveries cannot be loaded. The text gives the reason and what to do."""


@dataclass
class Intake:
    """What one call has loaded.

    `touched_dates` maps a family to the business dates whose rows were added, changed or removed.
    """

    loaded: int = 0
    removed: int = 0
    quarantined: int = 0
    growing: int = 0
    unchanged: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    touched_dates: dict[str, set[date]] = field(default_factory=lambda: {name: set() for name in FAMILIES})

    @property
    def dates(self) -> set[date]:
        """Every touched business date."""
        return set().union(*self.touched_dates.values())


@dataclass(frozen=True)
class _KnownDelivery:
    """A delivery as recorded in the ledger."""

    delivery_id: int
    family: str
    source: str
    file: str
    status: str
    stamp: Stamp
    content_hash: str | None
    rules_hash: str


@dataclass
class LedgerEntry:
    """A delivery as it will be recorded in the ledger."""

    delivery_id: int
    found: FoundFile
    rules_hash: str
    stamp: Stamp
    dt: date | None = None
    content_hash: str | None = None
    rows_read: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_erased: int = 0  # rows of erased people
    status: str = "loaded"
    notes: list[str] = field(default_factory=list)
    warnings: list[LocalizedMessage] = field(default_factory=list)
    problem: LocalizedMessage | None = None  # the reason why it cannot be read
    delivered_columns: list[str] = field(default_factory=list)
    mapping: SourceMapping | None = None  # how its rows were mapped
    misfit: KeyPath = ()  # the key below the source that does not fit the delivery

    @property
    def message(self) -> str:
        return "; ".join(self.notes)

    def forget_rows(self) -> None:
        """Undoes what an attempt to load that failed has counted."""
        self.rows_read = self.rows_loaded = self.rows_quarantined = self.rows_erased = 0
        self.warnings, self.notes = [], []


@dataclass(frozen=True)
class _Taken:
    """What a statement for several deliveries has taken of one: business date to number of rows."""

    mapping: SourceMapping
    days: dict[date, int]


def take_deliveries(warehouse: Warehouse, settings: Settings, progress: Progress | None = None) -> Intake:
    """Brings raw and the ledger in line with what the sources hold now. Repeating the call changes nothing.

    Raises:
        IngestError: the folder of a source that delivered before no longer exists.
    """
    create_tables(warehouse)
    use_identity_key(warehouse, settings)
    intake = Intake()
    known = _read_known_deliveries(warehouse)
    present: set[tuple[str, str]] = set()
    next_id = max((delivery.delivery_id for delivery in known.values()), default=0) + 1
    for source in settings.sources:
        source_hash = _compute_rules_hash(settings, source)
        found_files = list(find_files(settings, source))
        _refuse_vanished_folder(settings, source, known)
        entries = []
        for found in found_files:
            rules_hash = _add_joined_files(source_hash, found)
            key = (source.name, found.file)
            present.add(key)
            before = known.get(key)
            if before and _is_unchanged(warehouse, before, found, rules_hash):
                intake.unchanged += 1
                continue
            entry = LedgerEntry(
                before.delivery_id if before else next_id, found, rules_hash, found.read_stamp_or_empty()
            )
            next_id += before is None
            entries.append(entry)
        for entry in _take_source(warehouse, settings, entries, intake):
            if progress:
                place = f"{entry.found.file}: {entry.status}"
                progress(f"{place}, {entry.rows_loaded} of {entry.rows_read} rows {entry.message}")
    archived = read_pruned_deliveries(warehouse)  # their files may have been deleted
    for key, before in known.items():
        if key not in present and before.delivery_id not in archived and is_listable(_locate_folder(settings, before)):
            with warehouse.transaction():
                _erase(warehouse, [before.delivery_id], before.family, intake)
                warehouse.execute("delete from quality.deliveries where delivery_id = $id", id=before.delivery_id)
            intake.removed += 1
    take_exclusions(warehouse, settings)
    return intake


def try_delivery(warehouse: Warehouse, settings: Settings, found: FoundFile) -> LedgerEntry:
    """Takes one delivery into an empty warehouse that is thrown away. No key of ids is read or created for it."""
    create_tables(warehouse)
    use_throwaway_key(warehouse)
    entry = LedgerEntry(1, found, "", found.read_stamp_or_empty())
    _take_delivery(warehouse, settings, entry, Intake())
    return entry


def _read_known_deliveries(warehouse: Warehouse) -> dict[tuple[str, str], _KnownDelivery]:
    rows = warehouse.rows(
        "select delivery_id, family, source, file, status, size_bytes, modified_at, content_hash, rules_hash "
        "from quality.deliveries order by delivery_id"
    )
    return {
        (source, file): _KnownDelivery(delivery_id, family, source, file, status, Stamp(size, modified), content, rules)
        for delivery_id, family, source, file, status, size, modified, content, rules in rows
    }


def _compute_rules_hash(settings: Settings, source: Source) -> str:
    """A hash that changes if the file would be read differently. The delivery is then loaded again."""
    # Without defaults and `required`, so that neither a new key in a later version nor a change of what a run waits for
    # makes every file be read again.
    declared = source.model_dump_json(exclude_defaults=True, exclude={"required"})
    rules = (declared, settings.shop, settings.timezone, settings.start_date, FAMILIES[source.family])
    return hashlib.sha256(repr(rules).encode()).hexdigest()


def _add_joined_files(rules_hash: str, found: FoundFile) -> str:
    """The hash together with the files that the rows are joined to: the delivery is also loaded again for them."""
    if found.source.join is None:
        return rules_hash
    joined = [(other.file, other.read_stamp_or_empty()) for other in found.joined]
    return hashlib.sha256(repr((rules_hash, joined)).encode()).hexdigest()


def _refuse_vanished_folder(settings: Settings, source: Source, known: dict[tuple[str, str], _KnownDelivery]) -> None:
    root, _ = split_pattern(settings, source.pattern)
    if source.query or not any(name == source.name for name, _ in known):
        return
    if not is_listable(root):
        raise IngestError(
            f"{root} may not be read, and source {source.name!r} delivered from it before. Give the user that runs "
            f"funnelscope the right to read and enter it: chmod u+rx {root}"
        )
    if not root.exists():
        raise IngestError(
            f"{root} is gone, and source {source.name!r} delivered from it before. Is its disk mounted? "
            "Bring it back; or make an empty folder there if its deliveries are to be taken out of the warehouse."
        )


def _locate_folder(settings: Settings, delivery: _KnownDelivery) -> Path:
    return (settings.home / delivery.file).parent


def _is_unchanged(warehouse: Warehouse, before: _KnownDelivery, found: FoundFile, rules_hash: str) -> bool:
    """Whether the ledger already holds this very content; a file that was only touched is noted as such."""
    stamp = found.read_stamp_or_empty()
    if (
        before.status in ("growing", "unreachable")
        or before.rules_hash != rules_hash
        or before.stamp.size_bytes != stamp.size_bytes
    ):
        return False
    if before.stamp == stamp:
        return True
    if before.content_hash is None or before.content_hash != found.content_hash():
        return False
    warehouse.execute(
        "update quality.deliveries set modified_at = $modified_at where delivery_id = $id",
        modified_at=stamp.modified_at,
        id=before.delivery_id,
    )
    return True


def _take_delivery(warehouse: Warehouse, settings: Settings, entry: LedgerEntry, intake: Intake) -> None:
    """Replaces one delivery: its rows, or one line that says why the whole file is in quarantine."""
    try:
        entry.found.check_place()
        entry.dt = entry.found.delivery_date(settings.zone)
        try:
            _replace_delivery(warehouse, settings, entry, intake)
        except duckdb.Error as error:
            if isinstance(error, OUR_OWN_FAULTS) or not _list_row_expressions(entry.found.source):
                raise
            entry.forget_rows()
            _replace_delivery(warehouse, settings, entry, intake, is_failing=True)
    except Exception as error:  # of whatever kind: one file never takes the others with it
        if isinstance(error, (*OUR_OWN_FAULTS, IngestError)) and not isinstance(error, OUT_OF_MEMORY):
            raise
        reason = error.reason if isinstance(error, DeliveryError) else QuarantineReason.UNREADABLE
        entry.misfit = error.place if isinstance(error, DeliveryError) else ()
        entry.forget_rows()
        entry.dt = entry.dt or _guess_delivery_date(settings, entry.found)
        if reason is QuarantineReason.DAY_IS_PRUNED:
            entry.status, entry.notes = "unreachable", [_describe_error(error)]
            _keep_earlier_rows(warehouse, settings, entry, reason, intake)
            return
        if entry.found.source.query or isinstance(error, OUT_OF_MEMORY):  # what it holds is not known to be bad
            entry.status, entry.notes = "unreachable", [LocalizedMessage("tried_again", problem=_describe_error(error))]
            _keep_earlier_rows(warehouse, settings, entry, reason, intake)
            return
        if entry.found.read_stamp_or_empty() != entry.stamp:
            entry.status, entry.notes = (
                "growing",
                [LocalizedMessage("tried_again", problem=LocalizedMessage("changed"))],
            )
        else:
            entry.status, entry.problem = "quarantined", _describe_error(error)
            entry.notes = [entry.problem]
        with warehouse.transaction():
            _erase(warehouse, [entry.delivery_id], entry.found.source.family, intake)
            if entry.status == "quarantined":
                _quarantine_file(warehouse, settings, entry, reason)
            _write_ledger(warehouse, [entry], intake)
    _count_delivery(entry, intake)


def _guess_delivery_date(settings: Settings, found: FoundFile) -> date | None:
    """The day that answers for a file that cannot be read; None if not even that is known."""
    with suppress(DeliveryError, OSError):
        return found.delivery_date(settings.zone)
    with suppress(OSError, OverflowError, ValueError):
        return found.stamp().modified_at.replace(tzinfo=UTC).astimezone(settings.zone).date()
    return None


def _count_delivery(entry: LedgerEntry, intake: Intake) -> None:
    intake.loaded += entry.status == "loaded"
    intake.growing += entry.status == "growing"
    intake.quarantined += entry.status == "quarantined"
    intake.rows_read += entry.rows_read
    intake.rows_loaded += entry.rows_loaded
    intake.rows_quarantined += entry.rows_quarantined


def _replace_delivery(
    warehouse: Warehouse, settings: Settings, entry: LedgerEntry, intake: Intake, is_failing: bool = False
) -> None:
    """Replaces the rows of a delivery. `is_failing`: an expression raises an error on some of them, to be found."""
    with warehouse.without_optimizers(*HARMFUL_OPTIMIZERS), warehouse.transaction():
        _erase(warehouse, [entry.delivery_id], entry.found.source.family, intake)
        _load_delivery(warehouse, settings, entry, is_failing)
        _write_ledger(warehouse, [entry], intake)


# -- several files in one statement


def _take_source(
    warehouse: Warehouse, settings: Settings, entries: list[LedgerEntry], intake: Intake
) -> Iterator[LedgerEntry]:
    """Takes the deliveries of a source, and yields each when it is taken.

    A statement for one small file keeps one processor busy, mostly with planning and with the commit. Files that cannot
    be taken together, because one of them is bad or changes, are taken one by one.
    """
    failures = 0
    for batch in _plan_batches(warehouse, settings, entries):
        is_taken = False
        if len(batch) > 1 and failures < FAILURES_TOGETHER:
            is_taken = _try_together(warehouse, settings, batch, intake)
            failures += not is_taken
        for entry, _ in batch:
            if not is_taken:
                _take_delivery(warehouse, settings, entry, intake)
            yield entry


def _plan_batches(
    warehouse: Warehouse, settings: Settings, entries: Sequence[LedgerEntry]
) -> Iterator[list[tuple[LedgerEntry, int]]]:
    """The deliveries with their number of rows (0 where not known yet), grouped by what may be taken at once."""
    chunk: list[LedgerEntry] = []
    size = 0
    for entry in entries:
        if not _may_be_taken_together(settings, entry):
            yield [(entry, 0)]
            continue
        if len(chunk) == FILES_TOGETHER or (chunk and size + entry.stamp.size_bytes > BYTES_TOGETHER):
            yield from _group_alike(warehouse, chunk)
            chunk, size = [], 0
        chunk.append(entry)
        size += entry.stamp.size_bytes
    yield from _group_alike(warehouse, chunk)


def _may_be_taken_together(settings: Settings, entry: LedgerEntry) -> bool:
    found = entry.found
    source = found.source
    if source.query or source.where or source.join or source.lines or not entry.stamp.size_bytes:
        return False
    try:
        found.check_place()
        found.delivery_date(settings.zone)
        return found.format() == (Format.PARQUET, "")
    except (DeliveryError, OSError):
        return False


def _group_alike(warehouse: Warehouse, entries: list[LedgerEntry]) -> list[list[tuple[LedgerEntry, int]]]:
    """Parquet files of the same columns and types, each with its number of rows."""
    alone = [[(entry, 0)] for entry in entries]
    if len(entries) < 2:
        return alone
    files = _list_patterns(entry.found.path for entry in entries)
    try:
        elements = warehouse.rows(f"from parquet_schema({files})")
        counts = dict(warehouse.rows(f"select file_name, num_rows from parquet_file_metadata({files})"))
        sizes = dict(
            warehouse.rows(
                f"select file_name, max(total_uncompressed_size) from parquet_metadata({files}) group by file_name"
            )
        )
    except Exception as error:  # of whatever kind: the odd one is found when each is taken alone
        if isinstance(error, OUR_OWN_FAULTS):
            raise
        return alone
    schemas: dict[str, list[tuple[object, ...]]] = {}
    for name, *element in elements:
        schemas.setdefault(name, []).append(tuple(element))
    groups: dict[tuple[object, ...], list[tuple[LedgerEntry, int]]] = {}
    for entry in entries:
        name = str(entry.found.path)
        rows = int(counts.get(name, 0))
        is_odd = _is_inflated(rows, entry.stamp.size_bytes) or (sizes.get(name) or 0) > LONGEST_LINE
        groups.setdefault((name,) if is_odd else tuple(schemas.get(name, [name])), []).append((entry, rows))
    return list(groups.values())


def _try_together(
    warehouse: Warehouse, settings: Settings, batch: list[tuple[LedgerEntry, int]], intake: Intake
) -> bool:
    """Takes the deliveries in one transaction. False if nothing of them is taken, because one of them is not sound."""
    entries = [entry for entry, _ in batch]
    tried = Intake()
    try:
        with warehouse.without_optimizers(*HARMFUL_OPTIMIZERS), warehouse.transaction():
            _erase(warehouse, [entry.delivery_id for entry in entries], entries[0].found.source.family, tried)
            _load_together(warehouse, settings, batch)
            _write_ledger(warehouse, entries, tried)
    except Exception as error:  # each is then taken alone, and the odd one set aside
        if isinstance(error, OUR_OWN_FAULTS) and not isinstance(error, OUT_OF_MEMORY):
            raise
        for entry in entries:
            entry.forget_rows()
            entry.dt = entry.content_hash = entry.mapping = None
            entry.delivered_columns = []
        return False
    for family, dates in tried.touched_dates.items():
        intake.touched_dates[family].update(dates)
    for entry in entries:
        _count_delivery(entry, intake)
    return True


def _load_together(warehouse: Warehouse, settings: Settings, batch: list[tuple[LedgerEntry, int]]) -> None:
    """Rows of several Parquet files into raw, and what is refused of each into quarantine."""
    first, _ = batch[0]
    source = first.found.source
    for entry, row_count in batch:
        entry.dt = entry.found.delivery_date(settings.zone)
        entry.content_hash = entry.found.content_hash()
        entry.rows_read = row_count
    rows, _ = _read_rows(warehouse, first.found)
    if rows.relation != _build_parquet_sql([first.found.path]) or not _COUNTED.isdisjoint(map(str.lower, rows.columns)):
        raise NotTogetherError
    relation = _build_placed_sql(settings, rows, [entry for entry, _ in batch])
    assert first.dt is not None
    mapping = SourceMapping(warehouse, settings, source, first.dt, replace(rows, relation=relation, has_places=True))
    warehouse.execute(mapping.insert_good())
    days: dict[int, dict[date, int]] = {entry.delivery_id: {} for entry, _ in batch}
    for delivery_id, day, count in warehouse.rows(
        f"select delivery_id, business_date, count(*) from raw.{mapping.family.table} "
        f"where {_OF_DELIVERIES} group by all",
        ids=list(days),
    ):
        days[delivery_id][day] = count
    for entry, _ in batch:
        assert entry.dt is not None
        own = replace(rows, relation=_build_parquet_sql([entry.found.path]))
        entry.delivered_columns = _list_delivered_columns(rows)
        entry.notes += rows.notes
        _map_rows(warehouse, settings, entry, own, _Taken(mapping.narrow(entry.dt, own), days[entry.delivery_id]))
        _settle_delivery(warehouse, entry, own)


_COUNTED = {"file_index", *PLACES}  # names that files taken together must not have


def _build_placed_sql(settings: Settings, rows: DeliveryRows, entries: Sequence[LedgerEntry]) -> str:
    """SQL of the rows of all these files, with PLACES and the day of delivery for expressions."""
    days = [entry.dt for entry in entries if entry.dt]
    ids = ", ".join(str(entry.delivery_id) for entry in entries)
    dates = ", ".join(f"DATE '{day}'" for day in days)
    ends = ", ".join(build_end_sql(settings, day) for day in days)
    places = dict(zip(PLACES, (ids, dates, ends), strict=True))
    if DELIVERY_DATE not in map(str.lower, rows.columns):
        places[DELIVERY_DATE] = dates
    listed = ", ".join(f"([{values}])[file_index::BIGINT + 1] as {name}" for name, values in places.items())
    return f"(select *, {listed} from {_build_parquet_sql([entry.found.path for entry in entries])})"


# -- one file


def _list_row_expressions(source: Source) -> dict[str, str]:
    """Everything that a source declares to be computed for each row, by name."""
    return {**list_expressions(source), **({WHERE: _build_where(source)} if source.where else {})}


def _build_where(source: Source) -> str:
    return prepare_expression(source.where, source.empty_values)


def _keep_earlier_rows(
    warehouse: Warehouse, settings: Settings, entry: LedgerEntry, reason: QuarantineReason, intake: Intake
) -> None:
    """Notes that a database cannot be asked now. What it said before stays: it is down, its rows are not gone."""
    with warehouse.transaction():
        warehouse.execute(
            "delete from quality.quarantine where delivery_id = $id and row_number = 0", id=entry.delivery_id
        )
        _quarantine_file(warehouse, settings, entry, reason)
        is_known = warehouse.value(
            "select count(*) from quality.deliveries where delivery_id = $id", id=entry.delivery_id
        )
        if is_known:
            warehouse.execute(
                "update quality.deliveries set status = $status, message = $message where delivery_id = $id",
                status=entry.status,
                message=entry.message,
                id=entry.delivery_id,
            )
        else:
            _write_ledger(warehouse, [entry], intake)
    intake.quarantined += 1


def _describe_error(error: Exception) -> LocalizedMessage:
    """What the ledger says of a file that could not be read."""
    if isinstance(error, DeliveryError):
        return error.localized_message
    if isinstance(error, OUT_OF_MEMORY):
        return LocalizedMessage("needs_more_memory")
    text = str(error)[:CHARACTERS_OF_AN_ERROR]  # it may repeat a value of any length
    first = escape(hide_secrets(text)).splitlines()[0] if text.strip() else ""
    is_known = not first or isinstance(error, (duckdb.Error, OSError, EOFError))
    return LocalizedMessage("cannot_be_read", error=(first or type(error).__name__) if is_known else repr(error)[:200])


def _load_delivery(warehouse: Warehouse, settings: Settings, entry: LedgerEntry, is_failing: bool) -> None:
    """Rows into raw and quarantine. Raises DeliveryError or DuckDB's error where the file cannot be read."""
    found = entry.found
    assert entry.dt is not None
    entry.content_hash = found.content_hash()
    rows = DeliveryRows("(select 1 where false)", "1", {})
    if entry.stamp.size_bytes or found.source.query:  # a database without a byte is no database without rows
        rows, entry.rows_read = _read_rows(warehouse, found)
        if is_failing and rows.columns:
            rows = mark_failing_rows(warehouse, rows, entry.dt, found.source, _list_row_expressions(found.source))
        entry.delivered_columns = _list_delivered_columns(rows)
        if found.source.where and rows.columns:
            chosen, chosen_count, undecided_count = _select_rows(warehouse, settings, rows, found.source, entry.dt)
            if chosen_count < entry.rows_read:
                entry.notes.append(LocalizedMessage("left_out_by_where", count=str(entry.rows_read - chosen_count)))
            if undecided_count:
                entry.notes.append(LocalizedMessage("undecided_by_where", count=undecided_count))
            rows, entry.rows_read = chosen, chosen_count
        entry.notes += rows.notes
        # A day without such events may have none of their fields.
        if rows.columns and not (rows.absent and not entry.rows_read):
            _map_rows(warehouse, settings, entry, rows)
    _settle_delivery(warehouse, entry, rows)


def _list_delivered_columns(rows: DeliveryRows) -> list[str]:
    return [f"{name} {kind}" for name, kind in rows.columns.items()]


def _settle_delivery(warehouse: Warehouse, entry: LedgerEntry, rows: DeliveryRows) -> None:
    """Takes out what must not be in raw. Raises DeliveryError if the file has changed since it was found."""
    found = entry.found
    if found.stamp() != entry.stamp:
        raise DeliveryError(QuarantineReason.CHANGED, LocalizedMessage("changed"))
    if entry.rows_read != entry.rows_loaded + entry.rows_quarantined:
        raise IngestError(
            f"{found.file}: {entry.rows_read} rows read, but {entry.rows_loaded} loaded and "
            f"{entry.rows_quarantined} quarantined. Nothing of it was stored; please report this as a defect."
        )
    if _settle_pruned(warehouse, entry):
        _show_as_delivered(warehouse, entry.delivery_id, rows)
    _leave_out_erased(warehouse, entry)


def _settle_pruned(warehouse: Warehouse, entry: LedgerEntry) -> int:
    """Takes out rows of pruned days. Returns how many of them are in quarantine."""
    refused, erased = settle_pruned(warehouse, entry.delivery_id, entry.found.source.family, entry.found.file)
    entry.rows_loaded -= refused + erased
    entry.rows_quarantined += refused
    entry.rows_erased += erased
    return refused


def _show_as_delivered(warehouse: Warehouse, delivery_id: int, rows: DeliveryRows) -> None:
    """Gives refused rows that were raw rows before the content that was delivered, for people to read."""
    reasons = f"('{QuarantineReason.DAY_IS_PRUNED.value}', '{QuarantineReason.CONFLICTING_DUPLICATE.value}')"
    warehouse.execute(
        f"""
        update quality.quarantine set content = delivered.content
        from (
            select {rows.row_number} as row_number, {rows.build_content_sql()} as content
            from {rows.relation}
        ) as delivered
        where quarantine.delivery_id = $delivery_id and quarantine.row_number = delivered.row_number
            and dropped_at is null and reason in {reasons}
        """,
        delivery_id=delivery_id,
    )


def show_conflicts_as_delivered(warehouse: Warehouse, settings: Settings) -> None:
    """Gives conflicting duplicates without content that of their files, as other refused rows have it.

    A file that is gone or has changed since is left out, and so is a query, whose rows may come in another order.
    """
    waiting = warehouse.rows(
        "select distinct delivery_id, source, file, content_hash from quality.quarantine "
        "join quality.deliveries using (delivery_id, file) "
        "where reason = 'conflicting_duplicate' and dropped_at is null and content is null"
    )
    wanted = {(source, file): (delivery_id, content_hash) for delivery_id, source, file, content_hash in waiting}
    for source in settings.sources:
        if source.query or not any(name == source.name for name, _ in wanted):
            continue
        for found in find_files(settings, source):
            delivery_id, content_hash = wanted.get((source.name, found.file), (None, None))
            if delivery_id is not None:
                _show_file_as_delivered(warehouse, found, delivery_id, content_hash)


def _show_file_as_delivered(warehouse: Warehouse, found: FoundFile, delivery_id: int, content_hash: str | None) -> None:
    try:
        if found.content_hash() == content_hash:
            rows, _ = _read_rows(warehouse, found)
            _show_as_delivered(warehouse, delivery_id, rows)
            blank_conflicts_of_erased(warehouse, delivery_id)
    except (DeliveryError, duckdb.Error, OSError, EOFError) as error:
        if isinstance(error, OUR_OWN_FAULTS):
            raise


def _leave_out_erased(warehouse: Warehouse, entry: LedgerEntry) -> None:
    loaded, quarantined = leave_out_erased(warehouse, entry.delivery_id, entry.found.source.family)
    entry.rows_loaded -= loaded
    entry.rows_quarantined -= quarantined
    entry.rows_erased += loaded + quarantined
    if entry.rows_erased:
        entry.notes.append(LocalizedMessage("forgotten_left_out", count=str(entry.rows_erased)))


def _map_rows(
    warehouse: Warehouse, settings: Settings, entry: LedgerEntry, rows: DeliveryRows, before: _Taken | None = None
) -> None:
    """Rows into raw, unless a statement for several deliveries has done that before, and the others into quarantine."""
    found = entry.found
    assert entry.dt is not None
    if before:
        mapping = entry.mapping = before.mapping
        entry.rows_loaded, days = sum(before.days.values()), list(before.days)
    else:
        mapping = entry.mapping = SourceMapping(warehouse, settings, found.source, entry.dt, rows)
        entry.rows_loaded = _insert_and_count(warehouse, mapping.insert_good(), delivery_id=entry.delivery_id)
        days = _list_days_taken(warehouse, entry)
    is_short = entry.rows_loaded < entry.rows_read
    others = mapping.count_others(warehouse) if mapping.leaves_others_out and is_short else {}
    entry.rows_read -= sum(others.values())
    if entry.rows_loaded < entry.rows_read:
        entry.rows_quarantined = _insert_and_count(
            warehouse, mapping.insert_bad(), delivery_id=entry.delivery_id, file=found.file
        )
        warehouse.execute(mapping.count_undated(), delivery_id=entry.delivery_id)
    entry.warnings = [*rows.warnings, *mapping.warnings(warehouse, days, entry.rows_quarantined)]
    if others and not entry.rows_read:
        entry.warnings.append(LocalizedMessage("every_type_left_out", types=_describe_others(others)))
    elif others:
        entry.notes.append(
            LocalizedMessage("types_left_out", count=sum(others.values()), types=_describe_others(others))
        )
    entry.notes += entry.warnings
    if empty := [name for name in rows.absent if name in rows.fields]:
        entry.notes.append(LocalizedMessage("fields_nowhere", fields=", ".join(map(rows.describe_absent, empty))))
    if mapping.unused_columns:
        entry.notes.append(LocalizedMessage("columns_not_read", columns=", ".join(mapping.unused_columns)))


def _list_days_taken(warehouse: Warehouse, entry: LedgerEntry) -> list[date]:
    table = FAMILIES[entry.found.source.family].table
    taken = warehouse.rows(
        f"select distinct business_date from raw.{table} where delivery_id = $id", id=entry.delivery_id
    )
    return [day for (day,) in taken]


def _describe_others(others: dict[str, int]) -> str:
    """The event types that are left out and their rows, the largest few by name."""
    named = [f"{value[:SHOWN_CHARACTERS]} {count:,}" for value, count in list(others.items())[:OTHERS_NAMED]]
    rest = list(others.values())[OTHERS_NAMED:]
    return ", ".join([*named, *([f"… {sum(rest):,}"] if rest else [])])


def _read_rows(warehouse: Warehouse, found: FoundFile) -> tuple[DeliveryRows, int]:
    """The rows of a file with all that the source reads of them, and how many they are."""
    if found.source.join:
        rows, row_count = join_files(warehouse, found, _read_records)
    else:
        rows, row_count = _read_records(warehouse, found)
    return read_fields(warehouse, rows, row_count, found.source)


def _read_records(warehouse: Warehouse, found: FoundFile) -> tuple[DeliveryRows, int]:
    """The records of a file as they are delivered, and how many they are."""
    if found.source.query:
        return read_query(warehouse, found.path, found.source.query)
    file_format, compression = found.format()
    if file_format is Format.PARQUET:
        return _read_parquet(warehouse, found.path, found.source)
    if file_format is Format.WORKBOOK:
        return read_workbook(warehouse, found.path, found.source)
    return read_text(warehouse, found.path, found.source, file_format, compression)


def _read_parquet(warehouse: Warehouse, path: Path, source: Source) -> tuple[DeliveryRows, int]:
    if not is_clean(str(path)):
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("name_is_no_text"))
    relation, files = _build_parquet_sql([path]), _list_patterns([path])
    schema = warehouse.rows(f"select name, num_children from parquet_schema({files})")
    paths = _parse_paths(schema)
    names = [path[0] for path in paths if len(path) == 1]
    read = {part.lower() for name in list_field_names(source) for part in name.split(".")}
    nested = [path for path in paths if len(path) > 1 and path[-1] in read]
    if repeated := next((name for name in names if names.count(name) > 1 and is_read(name, source)), ""):
        raise DeliveryError(QuarantineReason.BAD_HEADER, LocalizedMessage("column_twice", column=repr(repeated)))
    if twin := next((path for path in nested if nested.count(path) > 1), ()):
        raise DeliveryError(QuarantineReason.BAD_HEADER, LocalizedMessage("column_twice", column=repr(".".join(twin))))
    if "file_row_number" in names:  # the name under which DuckDB counts the rows
        raise DeliveryError(QuarantineReason.BAD_HEADER, LocalizedMessage("reserved_column"))
    described = warehouse.rows(f"describe select * exclude (file_row_number) from {relation}")
    row_count = int(warehouse.value(f"select sum(num_rows) from parquet_file_metadata({files})") or 0)
    if _is_inflated(row_count, path.stat().st_size):
        raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("too_many_rows", rows=f"{row_count:,}"))
    columns = {name: kind for name, kind, *_ in described}
    _refuse_giant_values(warehouse, relation, files, columns)
    return DeliveryRows(relation, "file_row_number + 1", columns), row_count


def _is_inflated(row_count: int, size_bytes: int) -> bool:
    """Whether a file claims more rows than one of its size holds, if any of them differ."""
    return row_count > ROWS_IN_ANY_CASE and row_count > size_bytes * ROWS_OF_A_BYTE


def _refuse_giant_values(warehouse: Warehouse, relation: str, files: str, columns: dict[str, str]) -> None:
    """Raises DeliveryError for a text too long for memory: two thousand of a column are in it at once."""
    large = warehouse.rows(
        f"select distinct path_in_schema from parquet_metadata({files}) where total_uncompressed_size > $most",
        most=LONGEST_LINE,
    )
    for name in [name for (name,) in large if columns.get(name) in ("VARCHAR", "BLOB")]:
        longest = warehouse.value(f"select max(strlen({quote_identifier(name)}::VARCHAR)) from {relation}") or 0
        if longest > LONGEST_LINE:
            sizes = {"megabytes": f"{longest >> 20:,}", "most": f"{LONGEST_LINE >> 20}"}
            raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage("value_too_long", column=name, **sizes))


def _build_parquet_sql(paths: Iterable[Path]) -> str:
    return f"read_parquet({_list_patterns(paths)}, file_row_number = true, hive_partitioning = false)"


def _list_patterns(paths: Iterable[Path]) -> str:
    """SQL of the files. DuckDB takes [ and * in a path for a pattern: a class of one character stands for itself."""
    patterns = ("".join(f"[{one}]" if one in "*?[" else one for one in str(path)) for path in paths)
    return f"[{', '.join(map(quote_literal, patterns))}]"


def _parse_paths(schema: list[tuple[str, int | None]]) -> list[tuple[str, ...]]:
    """The columns of a Parquet file and the fields below them, in lower case: DuckDB renames where two are alike.

    Args:
        schema: name and number of children of each element, parents before children, the root first.
    """
    (_, columns), *elements = schema
    paths: list[tuple[str, ...]] = []
    open_parents: list[tuple[tuple[str, ...], int]] = [((), columns or 0)]
    for name, children in elements:
        while not open_parents[-1][1]:
            open_parents.pop()
        parent, left = open_parents[-1]
        open_parents[-1] = (parent, left - 1)
        paths.append((*parent, name.lower()))
        open_parents.append((paths[-1], children or 0))
    return paths


def _select_rows(
    warehouse: Warehouse, settings: Settings, rows: DeliveryRows, source: Source, dt: date
) -> tuple[DeliveryRows, int, int]:
    """The rows that belong to the source; those on which the condition fails stay, to be quarantined.

    Returns them, their number, and that of the rows left out because an empty value leaves the condition open.
    """
    where = _build_where(source)
    dated = add_delivery_date(rows, dt)
    raw = ", ".join(f"{quote_identifier(name)} as raw_{number}_" for number, name in enumerate(rows.readable))
    restored = ", ".join(f"raw_{number}_ as {quote_identifier(name)}" for number, name in enumerate(rows.readable))
    kept = ", record_key_" if rows.lines else ""
    marked = ", failing_" if rows.has_failing else ""
    computed = ", ".join(dated.list_computed_columns([where], source))
    judged = f"""(
        select *, {rows.build_guarded_sql(WHERE, where)} as chosen_
        from (
            select {rows.row_number} as row_number_, {rows.problem} as problem_,
                {rows.problem_detail} as problem_detail_, {rows.content} as content_, {rows.line} as line_, {raw}{kept}
                {f", {computed}" if computed else ""}
            from {dated.relation}
        )
    )"""
    is_chosen = "(problem_ is not null or chosen_ is null or coalesce(chosen_.v::BOOLEAN, false))"
    relation = f"""(
        select row_number_, problem_, problem_detail_, content_, line_, chosen_, {restored}{kept}{marked}
        from {judged}
        where {is_chosen}
    )"""
    where_fails = load_words(settings.language).text("refused_rows", "where_fails")
    chosen = replace(
        rows,
        relation=relation,
        row_number="row_number_",
        problem="case when problem_ is null and chosen_ is null then 'failed_expression' else problem_ end",
        problem_detail=(
            f"case when problem_ is null and chosen_ is null then {quote_literal(where_fails)} else problem_detail_ end"
        ),
        content="content_",
        line="line_",
    )
    try:
        ((chosen_count, undecided_count),) = warehouse.rows(
            f"select count(*) filter ({is_chosen}), "
            f"count(*) filter (not {is_chosen} and chosen_.v is null) from {judged}"
        )
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        message = LocalizedMessage("where_does_not_fit", error=hide_secrets(str(error)).splitlines()[0])
        raise DeliveryError(QuarantineReason.FAILED_EXPRESSION, message, (WHERE,)) from None
    return chosen, chosen_count, undecided_count


def _insert_and_count(warehouse: Warehouse, statement: str, **parameters: object) -> int:
    """Runs an insert and returns how many rows it wrote."""
    row = warehouse.execute(statement, **parameters).fetchone()
    return int(row[0]) if row else 0


def _erase(warehouse: Warehouse, delivery_ids: list[int], family: str, intake: Intake) -> None:
    """Takes out all that earlier versions of the deliveries left, but for their lines in the ledger."""
    dates = _list_touched_dates(warehouse, delivery_ids)
    intake.touched_dates[family].update(dates)
    names = ("quarantine", "delivery_dates", "duplicate_events", "excluded_events")
    tables = [f"quality.{name}" for name in names]
    for table in [f"raw.{FAMILIES[family].table}", *tables] if dates else tables:
        warehouse.execute(f"delete from {table} where {_OF_DELIVERIES}", ids=delivery_ids)


_OF_DELIVERIES = "delivery_id in (select unnest($ids))"


def _list_touched_dates(warehouse: Warehouse, delivery_ids: list[int]) -> list[date]:
    """The days that the deliveries have rows of, taken or refused."""
    dates = warehouse.rows(
        f"select business_date from quality.delivery_dates where {_OF_DELIVERIES} "
        f"union select counted_date from quality.quarantine where {_OF_DELIVERIES} and counted_date is not null",
        ids=delivery_ids,
    )
    return [day for (day,) in dates]


def _quarantine_file(warehouse: Warehouse, settings: Settings, entry: LedgerEntry, reason: QuarantineReason) -> None:
    warehouse.execute(
        "insert into quality.quarantine (family, dt, file, row_number, reason, detail, delivery_id, counted_date) "
        "values ($family, $dt, $file, 0, $reason, $detail, $delivery_id, $dt)",
        family=entry.found.source.family,
        dt=entry.dt,
        file=entry.found.file,
        reason=reason.value,
        detail=entry.problem.say_in(settings.language) if entry.problem else entry.message,
        delivery_id=entry.delivery_id,
    )


def _write_ledger(warehouse: Warehouse, entries: list[LedgerEntry], intake: Intake) -> None:
    """Writes the lines of deliveries of one source, and of which days their rows are."""
    source = entries[0].found.source
    family = FAMILIES[source.family]
    delivery_ids = [entry.delivery_id for entry in entries]
    if loaded := [entry for entry in entries if entry.rows_loaded]:
        warehouse.execute(
            f"""
            insert into quality.delivery_dates
            with loaded as (
                select unnest($ids) as delivery_id, unnest($dates::DATE[]) as delivered, unnest($files) as file
            )
            select
                raw_rows.delivery_id, $family, dt, file, business_date, count(*),
                {build_content_hash_sql(family)}
            from raw.{family.table} as raw_rows
            inner join loaded on raw_rows.delivery_id = loaded.delivery_id
            group by raw_rows.delivery_id, dt, file, business_date
            union all
            select pruned_days.delivery_id, $family, delivered, file, business_date, rows, content_hash
            from quality.pruned_days
            inner join loaded on pruned_days.delivery_id = loaded.delivery_id
            order by delivery_id, business_date
            """,
            family=family.name,
            ids=[entry.delivery_id for entry in loaded],
            dates=[entry.dt for entry in loaded],
            files=[entry.found.file for entry in loaded],
        )
    repeats_kept: dict[int, int] = {}
    if source.duplicates == "keep":
        repeats_kept = dict(
            warehouse.rows(
                f"select delivery_id, count(*) from raw.{family.table} "
                f"where {_OF_DELIVERIES} and repeat_number > 0 group by delivery_id",
                ids=delivery_ids,
            )
        )
    warehouse.execute(f"delete from quality.deliveries where {_OF_DELIVERIES}", ids=delivery_ids)
    for entry in entries:
        _write_ledger_line(warehouse, entry, repeats_kept.get(entry.delivery_id, 0))
    intake.touched_dates[family.name].update(_list_touched_dates(warehouse, delivery_ids))


def _write_ledger_line(warehouse: Warehouse, entry: LedgerEntry, repeats_kept: int) -> None:
    warehouse.execute(
        """
        insert into quality.deliveries (
            delivery_id, family, dt, file, source, size_bytes, modified_at, rows_read, rows_loaded,
            rows_quarantined, repeats_kept, status, message, loaded_at, content_hash, rules_hash,
            delivered_columns, warning, told, rows_erased, duplicates
        )
        values (
            $delivery_id, $family, $dt, $file, $source, $size_bytes, $modified_at, $rows_read, $rows_loaded,
            $rows_quarantined, $repeats_kept, $status, $message, $loaded_at, $content_hash, $rules_hash,
            $delivered_columns::VARCHAR[], $warning, $told, $rows_erased, $duplicates
        )
        """,
        delivery_id=entry.delivery_id,
        family=entry.found.source.family,
        dt=entry.dt,
        file=entry.found.file,
        source=entry.found.source.name,
        size_bytes=entry.stamp.size_bytes,
        modified_at=entry.stamp.modified_at,
        rows_read=entry.rows_read,
        rows_loaded=entry.rows_loaded,
        rows_quarantined=entry.rows_quarantined,
        repeats_kept=repeats_kept,
        status=entry.status,
        message=entry.message,
        loaded_at=datetime.now(UTC).replace(tzinfo=None),
        content_hash=entry.content_hash,
        rules_hash=entry.rules_hash,
        delivered_columns=entry.delivered_columns,
        rows_erased=entry.rows_erased,
        duplicates=entry.found.source.duplicates,
        warning="; ".join(entry.warnings) or None,
        told=format_messages_as_json(messages)
        if (messages := [entry.problem] if entry.problem else entry.warnings)
        else None,
    )
