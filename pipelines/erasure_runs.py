"""Erases a person completely: rows, the days built on them, published copies, and Dagster's own history."""

import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from funnelscope.publication.erasure import Person, begin_erasure, end_erasure, scrub, select_telling_texts
from funnelscope.publication.erasure_note import read_erasure_note
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_warehouse
from pipelines.instance import open_instance
from pipelines.runs import bring_up_to_date

_NUMBER = re.compile(rb"-?\d{10,19}")


@dataclass(frozen=True)
class Forgotten:
    """The result of an erasure. `left`: columns and files that still hold an id and are not ours to change."""

    person: Person
    built: tuple[str, ...]
    left: tuple[str, ...]


def forget(settings: Settings, ids: Sequence[str] = ()) -> Forgotten:
    """Erases the person with these ids, and whoever an interrupted erasure left to erase.

    If it is interrupted at any point, repeating it completes it, with or without ids; so does the next run.

    Raises:
        ErasureError: an id is empty.
        RunFailedError: a day could not be built again; what is erased stays erased.
        WarehouseLockedError: a run is writing and does not end in time.
    """
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        person = begin_erasure(warehouse, settings, ids)
    shutil.rmtree(settings.data_docs, ignore_errors=True)  # they quote rows; the next run creates them again
    pieces = bring_up_to_date(settings, [])
    left = [*scrub(settings), *_scrub_history(settings)]
    end_erasure(settings)
    return Forgotten(person, tuple(f"{piece.from_date} to {piece.to_date}" for piece in pieces), tuple(left))


def _scrub_history(settings: Settings) -> list[str]:
    """Removes runs whose events name an id, usually in an error, from Dagster's history.

    Returns files that still do.
    """
    note = read_erasure_note(settings)
    texts = [text.encode() for text in select_telling_texts(note.texts)]

    def named_in(file: Path) -> bool:
        content = file.read_bytes()
        return any(text in content for text in texts) or any(
            int(found) in note.numbers for found in _NUMBER.findall(content)
        )

    def files() -> list[Path]:
        return sorted(path for path in settings.dagster_home.rglob("*") if path.is_file())

    named = [file for file in files() if named_in(file)]
    if not named:
        return []
    with open_instance(settings) as instance:
        runs = {record.dagster_run.run_id for record in instance.get_run_records()}
        named_runs = {part.split(".")[0] for file in named for part in file.parts} & runs
        for run_id in named_runs:
            instance.delete_run(run_id)
    for file in named:
        if file.exists() and file.suffix == ".db":
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("vacuum")
                connection.execute("pragma wal_checkpoint(truncate)")
        elif file.exists() and file.suffix not in (".yaml", ".db-wal", ".db-shm"):
            file.unlink()  # captured output of a step
    return [str(file) for file in files() if named_in(file)]
