"""Replaces what a home holds, all or nothing, at whatever moment the process is killed.

The new parts are put together in `.restoring/incoming`. The note `.restoring/ready` decides: before it is written, the
home is as it was and the folder is waste; after it, whoever takes the write lock next completes the replacement. What
was there before lies in `.restoring/replaced` until every new part stands.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = ".restoring"
_INCOMING, _REPLACED, _NOTE = "incoming", "replaced", "ready"


def begin_replacement(home: Path) -> Path:
    """An empty folder for the new parts, under the home, for its owner only. The caller must hold the write lock."""
    folder = home / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / _INCOMING).mkdir()
    return folder / _INCOMING


def commit_replacement(home: Path, old: Sequence[str], **about: Any) -> None:
    """Replaces the parts `old` of the home by what lies in the folder of `begin_replacement`.

    Args:
        about: what `read_interrupted` returns if the process is killed before the end.
    """
    folder = home / FOLDER
    plan = {"old": list(old), "new": sorted(path.name for path in (folder / _INCOMING).iterdir()), "about": about}
    draft = folder / f"{_NOTE}.draft"
    draft.write_text(json.dumps(plan), encoding="utf-8")
    os.sync()  # the parts reach the disk before the note
    draft.rename(folder / _NOTE)
    finish_replacement(home)


def read_interrupted(home: Path) -> dict[str, Any] | None:
    """What `commit_replacement` was told about a replacement that was interrupted; None if none was."""
    note = home / FOLDER / _NOTE
    if not note.exists():
        return None
    about: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))["about"]
    return about


def finish_replacement(home: Path) -> None:
    """Completes a replacement that was interrupted, or removes what it left if it was not decided.

    The caller must hold the write lock.
    """
    folder = home / FOLDER
    incoming, replaced, note = folder / _INCOMING, folder / _REPLACED, folder / _NOTE
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        return
    plan = json.loads(note.read_text(encoding="utf-8"))
    replaced.mkdir(exist_ok=True)
    if incoming.exists():
        for name in plan["old"]:
            # A new part has left the folder once it stands: what has its name now must not be taken for the old one.
            if (home / name).exists() and (name not in plan["new"] or (incoming / name).exists()):
                (home / name).rename(replaced / f"{len(list(replaced.iterdir()))}-{name}")
        for name in plan["new"]:
            if (incoming / name).exists():
                (incoming / name).rename(home / name)
        incoming.rmdir()
    shutil.rmtree(replaced)
    note.unlink()
    shutil.rmtree(folder, ignore_errors=True)
