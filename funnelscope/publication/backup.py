"""Backup and restore: warehouse, published copies and reports as one consistent folder with checksums.

A backup is a folder with the parts as they are in the home, and a manifest with the SHA-256 of every file. It is made
under the warehouse's lock in a temporary folder next to its destination and then renamed: there is a complete backup or
none. Only its owner can read it. It never contains the identity key, only a fingerprint to recognize it.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from funnelscope.ingest.identity import IdentityKeyError, load_identity_key
from funnelscope.publication.erasure_note import ask_to_begin_again, is_erasure_unfinished
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import connect_to_file, create_privately, hold_write_lock, locate_log
from funnelscope.warehouse.replacement import begin_replacement, commit_replacement, read_interrupted

FORMAT = 1
MANIFEST = "manifest.json"
PARTS = (
    "published",
    "reports",
    "alerts.log",
    "finding_marks.jsonl",
    "warehouse.duckdb",
)
HISTORY = "dagster"
SQLITE_SIDE_FILES = ("-wal", "-shm", "-journal")  # not needed by a copy that SQLite makes

Advance = Callable[[int, int], None]  # files done, files in total


class BackupError(ValueError):
    """A backup cannot be made or restored. The text gives the reason and what to do."""


def back_up(
    settings: Settings, folder: Path, *, with_history: bool = False, key_copy: Path | None = None, advance: Advance
) -> dict[str, Any]:
    """Writes the backup to `folder`, which must not exist yet. Returns its manifest.

    Args:
        with_history: include Dagster's own history of runs.
        key_copy: a file outside the backup that gets the identity key, readable by its owner only.

    Raises:
        BackupError: `folder` or `key_copy` exists, or there is nothing to back up.
        WarehouseLockedError: a run is writing and does not end in time.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists already; name a new folder, such as {folder}-2")
    if not settings.warehouse_path.exists():
        raise BackupError(f"{settings.warehouse_path} does not exist: nothing has been run here, nothing to back up")
    if key_copy and key_copy.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{key_copy} is inside the backup; keep the key apart from the data that it opens")
    if is_erasure_unfinished(settings):
        raise BackupError(
            "a person was being erased when the process ended, and the backup would still hold the person. "
            "Finish it: funnelscope forget"
        )
    with create_privately():
        return _make_backup(settings, folder, with_history, key_copy, advance)


def _make_backup(
    settings: Settings, folder: Path, with_history: bool, key_copy: Path | None, advance: Advance
) -> dict[str, Any]:
    building = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    with hold_write_lock(settings.lock_path, settings.lock_wait_seconds):
        with connect_to_file(settings.warehouse_path, settings.lock_wait_seconds) as connection:
            connection.execute("checkpoint")
        parts = [part for part in (*PARTS, *([HISTORY] if with_history else [])) if (settings.home / part).exists()]
        files = _copy_parts(settings.home, building, parts, advance)
    manifest = {
        "format": FORMAT,
        "funnelscope": importlib.metadata.version("funnelscope"),
        "duckdb": duckdb.__version__,
        "shop": settings.shop,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "key_fingerprint": _compute_fingerprint(load_identity_key(settings)),
        "parts": parts,
        "files": files,
    }
    (building / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    if key_copy:
        _write_key(key_copy, load_identity_key(settings))
    os.sync()  # a backup that has its name is whole, even if the machine stops now
    building.rename(folder)
    return manifest


def restore(
    settings: Settings, folder: Path, *, force: bool = False, key: Path | None = None, advance: Advance
) -> dict[str, Any]:
    """Restores a backup into the home, after verifying every checksum. Returns its manifest.

    If it is killed, the home is as it was, or the next command that takes the lock completes it.

    Args:
        force: replace the content of the home; else a home that is not empty is refused.
        key: the file in which the identity key was kept; not needed if the home has the key.

    Raises:
        BackupError: the folder is not a backup or damaged, the home is not empty, or the key is missing or wrong.
        WarehouseLockedError: a run is writing in the home.
    """
    manifest = _read_manifest(folder)
    file = key or settings.identity_key_path
    text = file.read_text().strip() if file.exists() else ""
    if _compute_fingerprint(text) != manifest["key_fingerprint"]:
        problem = "is not the key that this backup was made with" if text else "holds no identity key"
        raise BackupError(
            f"{file} {problem}: no new delivery could be joined to the backup. "
            "Give the file in which the key was kept: --identity-key FILE"
        )
    _check_key_of_home(settings, text)
    interrupted = read_interrupted(settings.home)
    with hold_write_lock(settings.lock_path, 0):  # which completes what was interrupted
        if interrupted and interrupted["manifest"] == manifest:
            return manifest
        names = (*PARTS, HISTORY, locate_log(settings.warehouse_path).name)
        present = [name for name in names if (settings.home / name).exists()]
        if present and not force:
            raise BackupError(
                f"{settings.home} holds {', '.join(present)} already; restore into an empty FUNNELSCOPE_HOME, "
                "or give --force to replace them"
            )
        _verify(folder, manifest)
        incoming = begin_replacement(settings.home)
        _copy_parts(folder, incoming, manifest["parts"], advance)
        (incoming / settings.warehouse_path.name).chmod(0o600)
        if not settings.identity_key_path.exists():
            _write_key(incoming / settings.identity_key_path.name, text)
        ask_to_begin_again(settings)
        commit_replacement(settings.home, present, manifest=manifest)
    return manifest


def _check_key_of_home(settings: Settings, key: str) -> None:
    path = settings.identity_key_path
    if path.exists() and path.read_text().strip() != key:
        raise BackupError(
            f"{path} is another key than that of the backup, and the only one that opens what was loaded with it. "
            "Move it to a safe place, then restore again"
        )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        raise BackupError(f"{folder} is not a backup: it holds no {MANIFEST}")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise BackupError(
            f"{path} is of format {manifest['format']}, this version reads {FORMAT}; "
            f"restore it with funnelscope {manifest['funnelscope']}"
        )
    return manifest


def _verify(folder: Path, manifest: dict[str, Any]) -> None:
    for name, wanted in manifest["files"].items():
        path = folder / name
        if "link" in wanted:
            found: Any = str(path.readlink()) if path.is_symlink() else None
            is_right = found == wanted["link"]
        else:
            is_right = path.is_file() and _compute_checksum(path) == wanted["sha256"]
        if not is_right:
            raise BackupError(
                f"{path} is missing or differs from what was backed up; nothing was restored. Use another backup."
            )


def _copy_parts(source: Path, target: Path, parts: list[str], advance: Advance) -> dict[str, dict[str, Any]]:
    """Copies files and links, keeping hard links. Returns name to checksum and size, or to the target of a link."""
    found = [path for part in parts for path in _list_files(source / part)]
    copies: dict[tuple[int, int], Path] = {}
    written: dict[str, dict[str, Any]] = {}
    for number, path in enumerate(found, start=1):
        name = path.relative_to(source).as_posix()
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            copy.symlink_to(path.readlink())
            written[name] = {"link": str(path.readlink())}
        else:
            status = path.stat()
            first = copies.setdefault((status.st_dev, status.st_ino), copy)
            if first is not copy:
                os.link(first, copy)
                written[name] = written[first.relative_to(target).as_posix()]
            else:
                _copy_file(path, copy)
                written[name] = {"bytes": copy.stat().st_size, "sha256": _compute_checksum(copy)}
        advance(number, len(found))
    return written


def _list_files(part: Path) -> Iterator[Path]:
    if part.is_dir():
        found = (path for path in part.rglob("*") if path.is_symlink() or path.is_file())
        yield from sorted(path for path in found if not path.name.endswith(SQLITE_SIDE_FILES))
    else:
        yield part


def _copy_file(path: Path, copy: Path) -> None:
    """Copies a file. SQLite files are copied by SQLite, because the UI may be writing to Dagster's history."""
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as given, closing(sqlite3.connect(copy)) as made:
            given.backup(made)
    else:
        shutil.copyfile(path, copy)


def _compute_checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _compute_fingerprint(key: str) -> str:
    """A fingerprint that identifies a key. The key has 108 random bits, so it cannot be recovered from this."""
    return hashlib.sha256(f"fingerprint of {key}".encode()).hexdigest()[:16]


def _write_key(path: Path, key: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.read_text().strip() != key:
            raise IdentityKeyError(f"{path} exists and holds a different key; name another file") from None
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
