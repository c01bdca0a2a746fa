"""Maps the newest file of a source without building: what its declaration makes of the export, in seconds."""

import difflib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest.deliveries import HARMFUL_OPTIMIZERS, WHERE, LedgerEntry, try_delivery
from funnelscope.ingest.duplicates import find_duplicates
from funnelscope.ingest.landing_zone import COMPRESSIONS, FORMATS, FoundFile, find_files, is_finished, split_pattern
from funnelscope.ingest.ledger import reconcile
from funnelscope.ingest.line_numbers import describe_row_number
from funnelscope.ingest.mapping.source_mapping import (
    DeliveryError,
    ShownRow,
    SourceMapping,
    find_expression_key,
    list_expressions,
)
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers.record_stage import is_read
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import KeyPath, Settings, Source
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

ROWS_SHOWN = 5
NEAREST_SHOWN = 3
FILES_LOOKED_AT = 5_000


@dataclass(frozen=True)
class Refusal:
    """The rows refused for one reason, and for one expression where that is the reason; with the first of them."""

    reason: str
    count: int
    row_number: int
    detail: str
    content: str  # as it came
    error: str = ""  # of the database, for an expression that fails
    place: KeyPath = ()  # the key below the source that declares it

    @property
    def row(self) -> str:
        """The first of the rows in its file, for people."""
        return describe_row_number(self.row_number)


@dataclass(frozen=True)
class SourceCheck:
    """What the declaration of a source makes of its newest file. Times are on the shop's clock."""

    source: Source
    file: str = ""
    file_count: int = 0
    nearest: tuple[str, ...] = ()  # existing files, where none matches
    problem: str = ""  # why the file as a whole is not taken
    place: KeyPath = ()  # the key below the source that does not fit the file
    delivered_on: date | None = None
    rows_read: int = 0
    accepted: int = 0
    duplicates: int = 0
    superseded: int = 0  # of the duplicates: other versions of an event
    first_time: datetime | None = None
    last_time: datetime | None = None
    refusals: list[Refusal] = field(default_factory=list)
    rows: list[ShownRow] = field(default_factory=list)  # accepted ones first
    refused_rows: set[int] = field(default_factory=set)  # those of `rows` that are refused
    unmapped_types: dict[str, int] = field(default_factory=dict)  # event types that nobody maps, to their rows
    unread_columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[LocalizedMessage] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to do."""
        is_there = bool(self.file) or not self.source.required
        return is_there and not (self.problem or self.refusals or self.warnings)


def check_source(settings: Settings, source: Source) -> SourceCheck:
    """Maps the newest file of the source in memory. Reads and writes nothing of the shop's own warehouse."""
    files = list(find_files(settings, source))
    if not files:
        return SourceCheck(source, nearest=tuple(_find_nearest_files(settings, source)))
    newest = max(files, key=lambda found: (_read_delivery_date(found, settings), found.path.as_posix()))
    warehouse = open_in_memory_warehouse()
    try:
        entry = try_delivery(warehouse, settings, newest)
        with warehouse.without_optimizers(*HARMFUL_OPTIMIZERS):
            return _describe(warehouse, settings, entry, len(files))
    finally:
        warehouse.connection.close()


def _read_delivery_date(found: FoundFile, settings: Settings) -> date:
    try:
        return found.delivery_date(settings.zone)
    except (DeliveryError, OSError):
        return date.min


def _describe(warehouse: Warehouse, settings: Settings, entry: LedgerEntry, file_count: int) -> SourceCheck:
    source, mapping = entry.found.source, entry.mapping
    checked = SourceCheck(source, entry.found.file, file_count, delivered_on=entry.dt)
    if entry.status != "loaded":
        (problem,) = entry.notes
        return replace(checked, problem=problem, place=entry.misfit)
    find_duplicates(warehouse, date.min, date.max)
    (counted,) = reconcile(warehouse)
    checked = replace(
        checked,
        rows_read=counted["rows_read"],
        accepted=counted["accepted"],
        duplicates=counted["duplicates"],
        superseded=counted["superseded"],
        notes=[note for note in entry.notes if note not in entry.warnings and not _is_shown_otherwise(note)],
        warnings=entry.warnings,
    )
    if mapping is None:
        return checked
    table = f"raw.{FAMILIES[source.family].table}"
    local = "date_trunc('second', timezone($zone, event_time::TIMESTAMPTZ))"
    ((first, last),) = warehouse.rows(f"select min({local}), max({local}) from {table}", zone=settings.timezone)
    read = [name for name in mapping.rows.columns if is_read(name, source)]
    fields = mapping.rows.fields
    holders = {name for name in read if any(each.lower().startswith(f"{name.lower()}.") for each in fields)}
    shown = [name for name in mapping.rows.readable if name in fields or name in {*read} - holders]
    kept = f"(from {table} anti join quality.duplicate_events using (delivery_id, row_number))"
    accepted, refused = (
        [number for (number,) in warehouse.rows(f"select row_number from {rows} order by all limit {ROWS_SHOWN}")]
        for rows in (kept, "quality.quarantine")
    )
    numbers = [*accepted, *(number for number in refused if number not in accepted)][:ROWS_SHOWN]
    return replace(
        checked,
        first_time=first,
        last_time=last,
        refusals=list(_list_refusals(warehouse, mapping)),
        rows=mapping.show_rows(warehouse, numbers, shown) if numbers else [],
        refused_rows=set(refused),
        unmapped_types=mapping.count_others(warehouse),
        unread_columns=mapping.unused_columns or [name for name in mapping.rows.columns if name not in read],
    )


def _is_shown_otherwise(note: str) -> bool:
    return isinstance(note, LocalizedMessage) and note.record["key"] in ("columns_not_read", "types_left_out")


def _list_refusals(warehouse: Warehouse, mapping: SourceMapping) -> Iterator[Refusal]:
    """The refused rows by reason, the most frequent first."""
    failed = QuarantineReason.FAILED_EXPRESSION.value
    for reason, count, number, detail, content in warehouse.rows(
        f"""
        select reason, count(*), min(row_number), arg_min(detail, row_number), arg_min(content, row_number)
        from quality.quarantine
        group by reason, case when reason = '{failed}' then detail end
        order by count(*) desc, reason
        """
    ):
        names = [name for name in list_expressions(mapping.source) if f" {name} " in f" {detail} "]
        if reason != failed:
            yield Refusal(reason, count, number, detail, content or "")
        elif names:
            error = mapping.explain_failure(warehouse, names[0], number)
            yield Refusal(
                reason, count, number, detail, content or "", error, find_expression_key(mapping.source, names[0])
            )
        else:
            yield Refusal(reason, count, number, detail, content or "", place=(WHERE,))


def _find_nearest_files(settings: Settings, source: Source) -> list[str]:
    """The existing files whose path is most like the pattern that matches nothing."""
    root, pattern = split_pattern(settings, source.pattern)
    wanted = (root / pattern).as_posix()
    while not root.is_dir() and root != root.parent:
        root = root.parent
    if root == root.parent:
        return []
    found = [path.as_posix() for path in itertools.islice(_walk(settings, root), FILES_LOOKED_AT)]
    return difflib.get_close_matches(wanted, found, n=NEAREST_SHOWN, cutoff=0.3)


def _walk(settings: Settings, root: Path) -> Iterator[Path]:
    """The files below `root` that might be deliveries; none of what Funnelscope generates."""
    generated = {settings.published, settings.reports, settings.data_docs, settings.dagster_home}
    for name, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if Path(name, one) not in generated)
        for file in sorted(files):
            path = Path(name, file)
            if {*path.suffixes} & {*FORMATS, *COMPRESSIONS} and is_finished(path, root):
                yield path
