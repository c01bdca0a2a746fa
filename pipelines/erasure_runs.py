"""Erases a person end to end: rows, the days built on them, published copies, and Dagster's own history."""

import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from funnelscope.publication.erasure import Person, begin_erasure, read_erased_numbers, scrub, select_telling_texts
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_warehouse
from pipelines.instance import open_instance
from pipelines.runs import bring_up_to_date

_NUMBER = re.compile(rb"-?\d{10,19}")


@dataclass(frozen=True)
class Forgotten:
    """What was erased. `left`: columns and files that still hold an id, and are not ours to change."""

    person: Person
    built: tuple[str, ...]
    left: tuple[str, ...]


def forget(settings: Settings, ids: Sequence[str]) -> Forgotten:
    """Erases the person behind the ids; killed at any point, it is finished by being repeated.

    Raises:
        ForgetError: an id is empty.
        RunFailedError: a day could not be built again; what is erased stays erased.
        WarehouseLockedError: a run is writing and does not end in time.
    """
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        person = begin_erasure(warehouse, settings, ids)
        numbers = read_erased_numbers(warehouse)
    shutil.rmtree(settings.data_docs, ignore_errors=True)  # quote rows; the next run makes them again
    pieces = bring_up_to_date(settings, [])
    left = [*scrub(settings, ids), *_scrub_history(settings, numbers, ids)]
    return Forgotten(person, tuple(f"{piece.from_date} to {piece.to_date}" for piece in pieces), tuple(left))


def _scrub_history(settings: Settings, numbers: frozenset[int], ids: Sequence[str]) -> list[str]:
    """Takes runs whose events name an id, mostly in an error, out of Dagster's history; returns files that still do."""
    texts = [text.encode() for text in select_telling_texts(ids)]

    def named_in(file: Path) -> bool:
        content = file.read_bytes()
        return any(text in content for text in texts) or any(
            int(found) in numbers for found in _NUMBER.findall(content)
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
