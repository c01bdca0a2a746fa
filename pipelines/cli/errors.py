"""Errors that a user can fix: the command line shows their text without a stack trace."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from funnelscope.messages.secrets import hide_secrets

_PERMISSION = "cannot be read or written; change it with chown or chmod, or set FUNNELSCOPE_HOME elsewhere"
_OF_THE_MACHINE = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "is on a read-only disk; set FUNNELSCOPE_HOME to a folder that can be written",
    errno.ENOSPC: "does not fit on the disk; earlier publications are kept. Free space, then run the command again",
    errno.ENAMETOOLONG: "is longer than a file may be called; look for it in funnelscope.yaml, and shorten it",
    errno.ELOOP: "is a link that leads to itself; replace it by the file or folder that is meant",
}
# What SQLite, DuckDB and the system say when the home cannot be written. SQLite's words may have other causes too.
_FULL = ("No space left on device", "database or disk is full", "Disk quota exceeded", "File too large")
_FAILING = ("disk I/O error", "Input/output error")
_ANY_CAUSE = (
    "Read-only file system",
    "readonly database",
    "unable to open database file",
    "Permission denied",
    "failed to offload data block",
)
_MOST_SHOWN = 4_096
_LANGUAGE = re.compile(r"""^language:\s*["']?(\w+)""", re.MULTILINE)
_LITTLE = 16 * 1024 * 1024  # bytes free: a file that did not fit may be gone again


def explain_error(error: Exception, language: str = "en") -> str | None:
    """The text for a user about the error; None for an error that needs its stack trace."""
    if words := _explain_home(error):
        return words
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return f"{str(error.filename or 'a file')[:_MOST_SHOWN]} {_OF_THE_MACHINE[error.errno]}."
    return hide_secrets(_say_error(error, language)) if _is_fixable(error) else None


def list_error_lines(error: Exception) -> list[str]:
    """What the terminal says of the error: in the shop's language, or in each if it is not known; else nothing."""
    from funnelscope.messages.wording import load_words

    told = {language: explain_error(error, language) for language in find_languages()}
    lines = {text: language for language, text in told.items() if text is not None}
    return [load_words(language).text("terminal", "error", text=text) for text, language in lines.items()]


def _say_error(error: Exception, language: str) -> str:
    from funnelscope.messages.check_observations import LocalizedMessage
    from funnelscope.settings import SettingsError

    if isinstance(error, SettingsError):
        return error.say_in(language)
    text = error.args[0] if len(error.args) == 1 else None
    return text.say_in(language) if isinstance(text, LocalizedMessage) else str(error)


def find_languages() -> list[str]:
    """The shop's language, even if its settings are wrong; all, without settings or a language in them.

    English is the last: where all say the same, it is told as English.
    """
    from funnelscope.messages.wording import list_languages
    from funnelscope.settings import find_config_path, load_settings

    try:
        return [load_settings().language]
    except (OSError, ValueError):
        pass
    every = sorted(list_languages(), reverse=True)
    try:
        declared = _LANGUAGE.search(find_config_path().read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return every
    return [declared[1]] if declared and declared[1] in every else every


def _explain_home(error: Exception) -> str | None:
    """In the shop's language, that the home folder cannot be written; None if that is not why."""
    from funnelscope.settings import find_home_folder

    home = find_home_folder().absolute()
    texts = "\n".join(f"{each}\n{getattr(each, 'strerror', '')}" for each in _list_causes(error))
    file = getattr(error, "filename", None)
    if file and not Path(os.fsdecode(file)).absolute().is_relative_to(home):
        return None
    if not any(words in texts for words in (*_FULL, *_FAILING, *_ANY_CAUSE)):
        return None
    trouble = _find_trouble(home)
    if trouble is None and not isinstance(error, OSError):  # the limit of a process or a user: the disk has room
        trouble = "full" if any(words in texts for words in _FULL) else None
        trouble = trouble or ("failing" if any(words in texts for words in _FAILING) else None)
    return _say(trouble, home) if trouble else None


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _find_trouble(home: Path) -> str | None:
    """The key of the text about the home's disk; None if it can be written."""
    folder = next(each for each in (home, *home.parents) if each.exists())
    disk = os.statvfs(folder)
    if disk.f_flag & os.ST_RDONLY:
        return "failing"
    if disk.f_bavail * disk.f_frsize < _LITTLE or (disk.f_files and not disk.f_favail):
        return "full"
    places = [folder, *(folder / name for name in ("dagster", "published", "warehouse.duckdb", "warehouse.lock"))]
    return None if all(os.access(each, os.W_OK) for each in places if each.exists()) else "not_permitted"


def _say(key: str, home: Path) -> str:
    from funnelscope.messages.wording import load_words

    return "\n".join(load_words(language).text("home", key, home=str(home)) for language in find_languages())


def _is_fixable(error: Exception) -> bool:
    if isinstance(error, ValueError | FileNotFoundError):  # includes errors in settings and model files
        return True
    # Imported late: an error in a file need not wait seconds for Dagster's imports.
    from funnelscope.ingest import IngestError
    from funnelscope.warehouse.connection import WarehouseLockedError
    from pipelines.runs import RunFailedError

    return isinstance(error, IngestError | RunFailedError | WarehouseLockedError)
