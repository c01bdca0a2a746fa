"""The note of an erasure: whom it erases, from its beginning until nothing of the person is left.

A file of its own in the home, because the warehouse is cleaned before the last traces are: whatever kills the erasure
leaves the note, and with it the next `funnelscope forget` or `run` ends what was begun.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from funnelscope.settings import Settings
from funnelscope.warehouse.connection import create_privately


@dataclass(frozen=True)
class ErasureNote:
    """Whom an erasure erases.

    Attributes:
        texts: the ids as they were given.
        numbers: the keyed hashes of all ids of the person that were found so far.
        is_begun: whether the person's rows were found and removed, so that their relatives cannot be found any more.
    """

    texts: tuple[str, ...] = ()
    numbers: frozenset[int] = frozenset()
    is_begun: bool = False


def is_erasure_unfinished(settings: Settings) -> bool:
    """Whether an erasure was begun and not brought to its end."""
    return _locate_note(settings).exists()


def read_erasure_note(settings: Settings) -> ErasureNote:
    """The note; an empty one if nothing is being erased."""
    path = _locate_note(settings)
    if not path.exists():
        return ErasureNote()
    content = json.loads(path.read_text(encoding="utf-8"))
    return ErasureNote(tuple(content["texts"]), frozenset(content["numbers"]), content["is_begun"])


def write_erasure_note(settings: Settings, note: ErasureNote) -> None:
    """Replaces the note, atomically and readable by its owner only."""
    path = _locate_note(settings)
    draft = path.with_name(f"{path.name}.draft")
    content = {"texts": sorted(set(note.texts)), "numbers": sorted(note.numbers), "is_begun": note.is_begun}
    with create_privately():
        draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def ask_to_begin_again(settings: Settings) -> None:
    """Has an unfinished erasure look for the person once more, because other rows come into the home."""
    if is_erasure_unfinished(settings):
        write_erasure_note(settings, replace(read_erasure_note(settings), is_begun=False))


def remove_erasure_note(settings: Settings) -> None:
    """Ends the erasure: only when nothing of the person is left."""
    _locate_note(settings).unlink(missing_ok=True)


def _locate_note(settings: Settings) -> Path:
    return settings.home / ".forgetting"
