"""Finds the files that a source declares in the landing zone, with their delivery days."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.ingest.readers.encoding_detection import detect_other_format
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import MODIFIED, Format, Settings, Source
from funnelscope.settings.patterns import Pattern, PatternTooSlowError

DELIVERY_FOLDER = re.compile(r"dt=(\d{4}-\d{2}-\d{2})(?=/|$)")
UNFINISHED = (".tmp", ".part", ".crdownload", ".download")
SNIFFED_BYTES = 1_000
WILDCARD = re.compile(r"[*?\[]")
LIKE_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2})")
LOOKS_AT_A_FOLDER = 3  # so often, if others remove folders meanwhile
# A file may claim any time. Those between these bounds can be moved to every time zone.
EARLIEST, LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
FORMATS = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".xlsx": Format.WORKBOOK,
    ".xlsm": Format.WORKBOOK,
    ".xls": Format.WORKBOOK,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".json": Format.JSON_LINES,
}


_compile_pattern = lru_cache(maxsize=100)(Pattern)


@dataclass(frozen=True)
class Stamp:
    """Size and time of a file, which distinguish its versions without reading it."""

    size_bytes: int
    modified_at: datetime  # UTC, without zone, microseconds


@dataclass(frozen=True)
class FoundFile:
    """A file of a source. `file` is its name in the ledger, relative to the home folder if it is inside it."""

    source: Source
    path: Path
    file: str
    root: Path  # the folder that the file must be in, once links are resolved
    joined: tuple["FoundFile", ...] = ()  # the files of another export that its rows are joined to

    def stamp(self) -> Stamp:
        """Size and time of the file. Raises OSError if it is gone or unreachable."""
        status = self.path.stat()
        try:
            modified = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC).replace(tzinfo=None)
        except (ValueError, OverflowError, OSError):
            modified = EARLIEST if status.st_mtime_ns < 0 else LATEST
        return Stamp(status.st_size, min(max(modified, EARLIEST), LATEST))

    def read_stamp_or_empty(self) -> Stamp:
        """Size and time of the file; none for a broken link or a forbidden file, until it can be read."""
        try:
            return self.stamp()
        except OSError:
            return Stamp(0, datetime(1970, 1, 1))

    def content_hash(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def delivery_date(self, zone: ZoneInfo) -> date:
        """The day of delivery: the day the file was last written, if so declared, and of an attached database.

        Raises:
            DeliveryError: neither the settings nor the path give a date, or the file is gone that should.
        """
        declared = self.source.delivery_date
        if isinstance(declared, date):
            return declared
        pattern = _compile_pattern(declared) if declared else DELIVERY_FOLDER
        try:
            match = pattern.search(self.path.as_posix()) if declared != MODIFIED else None
        except PatternTooSlowError:
            message = LocalizedMessage("pattern_too_slow", pattern=declared or "")
            raise DeliveryError(QuarantineReason.NO_DELIVERY_DATE, message) from None
        if match:
            digits = re.sub(r"\D", "", match.group(1) or "")
            try:
                return datetime.strptime(digits, "%Y%m%d").date()
            except ValueError:
                pass
        if declared == MODIFIED or (self.source.query and not declared):
            try:
                return self.stamp().modified_at.replace(tzinfo=UTC).astimezone(zone).date()
            except OSError:
                message = LocalizedMessage("not_there", file=self.file)
                raise DeliveryError(QuarantineReason.NOT_A_FILE, message) from None
        message = LocalizedMessage("no_date_folder", file=self.file)
        if declared:
            message = LocalizedMessage("no_date_found", declared=repr(declared), file=self.file)
        raise DeliveryError(QuarantineReason.NO_DELIVERY_DATE, message)

    def check_place(self) -> None:
        """Raises DeliveryError if the path is not a plain file, or leads out of its folder."""
        try:
            self.path.resolve()
        except (OSError, RuntimeError):  # a link that leads to itself
            raise DeliveryError(
                QuarantineReason.NOT_A_FILE, LocalizedMessage("no_plain_file", file=self.file)
            ) from None
        if not self.path.resolve().is_relative_to(self.root.resolve()):
            places = {"target": str(self.path.resolve()), "folder": str(self.root)}
            raise DeliveryError(
                QuarantineReason.OUTSIDE_LANDING_ZONE, LocalizedMessage("leads_outside", file=self.file, **places)
            )
        if not self.path.exists() and not self.path.is_symlink():
            raise DeliveryError(QuarantineReason.NOT_A_FILE, LocalizedMessage("not_there", file=self.file))
        if self.path.is_dir():
            key = "is_a_folder" if is_listable(self.path) else "locked_folder"
            raise DeliveryError(QuarantineReason.NOT_A_FILE, LocalizedMessage(key, file=self.file))
        if not self.path.is_file():
            raise DeliveryError(QuarantineReason.NOT_A_FILE, LocalizedMessage("no_plain_file", file=self.file))

    def _start(self, compression: str) -> bytes:
        """The first bytes of the decompressed file; empty if they cannot be read."""
        opened = gzip.open if compression == "gzip" else open
        with suppress(OSError, EOFError, zlib.error), opened(self.path, "rb") as stream:
            return stream.read(SNIFFED_BYTES)
        return b""

    def format(self) -> tuple[Format, str]:
        """Format and compression ('', 'gzip' or 'zstd'). Raises DeliveryError for an unknown file extension."""
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        compression = COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
        inner = suffixes[:-1] if compression else suffixes
        found = self.source.format or (FORMATS.get(inner[-1]) if inner else None)
        if found is None and (other := detect_other_format(self._start(compression))):
            raise DeliveryError(QuarantineReason.UNREADABLE, LocalizedMessage(other))
        if found is None:
            endings = ", ".join(FORMATS)
            raise DeliveryError(
                QuarantineReason.UNKNOWN_FORMAT, LocalizedMessage("unknown_ending", file=self.file, endings=endings)
            )
        return found, compression


def find_files(settings: Settings, source: Source) -> Iterator[FoundFile]:
    """Every completely delivered file that matches the source's pattern, sorted by path.

    The file of a query is included even if it does not exist: such a source is down, not empty. So is a folder that
    may not be listed, in place of its files.
    """
    others = _find_dated_others(settings, source)
    root, pattern = split_pattern(settings, source.pattern)
    is_one_database = source.query and not WILDCARD.search(pattern)
    for path in [root / pattern] if is_one_database else _list_matching(root, pattern):
        if is_finished(path, root):
            found = FoundFile(source, path, build_ledger_name(settings, path), root)
            day = _read_day(found, settings) if others else None
            yield replace(found, joined=tuple(other for other, dated in others if dated in (None, day)))


def _list_matching(root: Path, pattern: str) -> list[Path]:
    """The paths of a glob, and the folders in which it would look and may not, sorted."""
    for look in range(1, LOOKS_AT_A_FOLDER + 1):
        try:
            folders = str(Path(pattern).parent)
            locked = [each for each in root.glob(folders) if not is_listable(each)] if folders != "." else []
            return sorted({*root.glob(pattern), *locked} - {root})
        except FileNotFoundError:  # a folder was removed meanwhile
            if look == LOOKS_AT_A_FOLDER:
                raise
    return []


def is_listable(folder: Path) -> bool:
    """Whether the files in a folder can be seen and opened; also for what is no folder."""
    try:
        return not folder.is_dir() or os.access(folder, os.R_OK | os.X_OK, effective_ids=True)
    except OSError:
        return False


def _find_dated_others(settings: Settings, source: Source) -> list[tuple[FoundFile, date | None]]:
    """The files of the export that the source's rows are joined to, each with the day whose files it belongs to.

    A file that is named without a pattern belongs to every day.
    """
    if source.join is None:
        return []
    given = {name: getattr(source.join, name) for name in source.join.model_fields_set if name != "on"}
    read = [*source.columns.values(), *source.expressions.values(), source.where]  # which must not be there twice
    keys = {name: name for name in source.join.on.values()}
    nothing: dict[str, object] = {
        "expressions": {},
        "constants": {},
        "event_types": None,
        "lines": "",
        "records": "",
        "join": None,
        "names": (),
    }
    other = source.model_copy(update={**nothing, "header": None, "where": " ".join(read), "columns": keys, **given})
    is_of_every_day = not WILDCARD.search(source.join.files)
    found = list(find_files(settings, other))
    if is_of_every_day:
        return [(each, None) for each in found]
    dated = [(each, _read_day(each, settings)) for each in found]
    return [(each, day) for each, day in dated if day]


def _read_day(found: FoundFile, settings: Settings) -> date | None:
    try:
        return found.delivery_date(settings.zone)
    except (DeliveryError, OSError):
        return None


def is_finished(path: Path, root: Path) -> bool:
    """Whether the file below `root` is complete: neither hidden nor named like a file still being written."""
    is_hidden = any(part.startswith((".", "_", "~$")) for part in path.relative_to(root).parts)
    return not is_hidden and not path.name.endswith(UNFINISHED)


def split_pattern(settings: Settings, pattern: str) -> tuple[Path, str]:
    """Splits a glob into its leading folder without wildcards and the rest."""
    given = Path(pattern).expanduser()
    parts = given.parts
    fixed = next((index for index, part in enumerate(parts) if WILDCARD.search(part)), len(parts) - 1)
    return settings.home.joinpath(*parts[:fixed]), str(Path(*parts[fixed:]))


def build_ledger_name(settings: Settings, path: Path) -> str:
    r"""The name of a file in the ledger: relative to the home folder if it is inside it, else absolute.

    Bytes that are no UTF-8, as zip programs leave them in names, are written as \xb6; a name that looks so has \x5c in
    place of its backslash, since no two files may have one name.
    """
    name = path.relative_to(settings.home).as_posix() if path.is_relative_to(settings.home) else path.as_posix()
    name = LIKE_ESCAPED.sub(r"\\x5c", name)
    return os.fsencode(name).decode("utf-8", "backslashreplace")
