"""What people say of findings: done, known, or a false alarm.

The marks stand in a file of the home, one JSON object a line, the latest of a finding last: nothing that is built
again touches them, and no writer is in the way.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

FILE_NAME = "finding_marks.jsonl"
WORSE_BY = 1.5
"""A known finding is told again when its effect is so many times what it was when it was marked."""


class MarkKind(StrEnum):
    """What became of a finding."""

    DONE = "done"
    KNOWN = "known"
    FALSE = "false"


@dataclass(frozen=True)
class StoredMark:
    """One mark: of which finding, on the report of which day, with what effect it had then (passed / expected − 1)."""

    finding_id: str
    mark: MarkKind
    business_date: date
    marked_at: datetime
    note: str = ""
    effect: float | None = None

    def is_quiet(self, effect: float | None) -> bool:
        """Whether a finding of this effect needs no further telling: known or false, and not much worse since."""
        if self.mark is MarkKind.DONE:
            return False
        return self.effect is None or effect is None or abs(effect) < WORSE_BY * abs(self.effect)


def add_mark(home: Path, mark: StoredMark) -> None:
    """Appends the mark. A line that a killed process left unfinished is ended first."""
    from funnelscope.warehouse.connection import create_privately  # heavy, and `funnelscope --help` reads this module

    path = home / FILE_NAME
    line = json.dumps(asdict(mark), ensure_ascii=False, default=str) + "\n"
    with create_privately(), path.open("ab+") as file:
        if file.tell() and _read_last_byte(path) != b"\n":
            line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _read_last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def read_marks(home: Path) -> dict[str, StoredMark]:
    """The latest mark of each finding, by its id. Lines that are none are left out."""
    marks: dict[str, StoredMark] = {}
    path = home / FILE_NAME
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            given = json.loads(line)
            mark = StoredMark(
                str(given["finding_id"]),
                MarkKind(given["mark"]),
                date.fromisoformat(given["business_date"]),
                datetime.fromisoformat(given["marked_at"]),
                str(given.get("note") or ""),
                float(given["effect"]) if given.get("effect") is not None else None,
            )
        except (ValueError, TypeError, KeyError):
            continue
        marks[mark.finding_id] = mark
    return marks


def make_mark(finding_id: str, mark: MarkKind, business_date: date, note: str, effect: float | None) -> StoredMark:
    """A mark of now."""
    return StoredMark(finding_id, mark, business_date, datetime.now(UTC).replace(microsecond=0), note, effect)
