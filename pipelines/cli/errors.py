"""Errors that a user can fix: the command line shows their text without a stack trace."""

import errno

from funnelscope.messages.secrets import hide_secrets

_OF_THE_MACHINE = {
    errno.EACCES: "cannot be read or written; change it with chown or chmod, or set FUNNELSCOPE_HOME elsewhere",
    errno.EPERM: "cannot be read or written; change it with chown or chmod, or set FUNNELSCOPE_HOME elsewhere",
    errno.EROFS: "is on a read-only disk; set FUNNELSCOPE_HOME to a folder that can be written",
    errno.ENOSPC: "does not fit on the disk; earlier publications are kept. Free space, then run the command again",
}


def explain_error(error: Exception) -> str | None:
    """The text for a user about the error; None for an error that needs its stack trace."""
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return f"{error.filename or 'a file'} {_OF_THE_MACHINE[error.errno]}."
    return hide_secrets(str(error)) if _is_fixable(error) else None


def _is_fixable(error: Exception) -> bool:
    if isinstance(error, ValueError | FileNotFoundError):  # includes errors in settings and model files
        return True
    # Imported late: an error in a file need not wait seconds for Dagster's imports.
    from funnelscope.ingest import IngestError
    from funnelscope.warehouse.connection import WarehouseLockedError
    from pipelines.runs import RunFailedError

    return isinstance(error, IngestError | RunFailedError | WarehouseLockedError)
