"""Errors that a user can mend; the command line shows their text without a stack trace."""

import errno

_OF_THE_MACHINE = {
    errno.EACCES: "may not be written or read; make it yours with chown or chmod, or set FUNNELSCOPE_HOME elsewhere",
    errno.EPERM: "may not be written or read; make it yours with chown or chmod, or set FUNNELSCOPE_HOME elsewhere",
    errno.EROFS: "is on a read-only disk; set FUNNELSCOPE_HOME to a folder that can be written",
    errno.ENOSPC: "does not fit on the disk; what was published before stands. Make room, then give the command again",
}


def explain_error(error: Exception) -> str | None:
    """What to tell a user about the error; None for one that only its stack trace explains."""
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return f"{error.filename or 'a file'} {_OF_THE_MACHINE[error.errno]}."
    return str(error) if _is_fixable(error) else None


def _is_fixable(error: Exception) -> bool:
    if isinstance(error, ValueError | FileNotFoundError):  # mistakes in files of settings and of models among them
        return True
    # Seconds of imports, Dagster's among them, that a mistake in a file need not pay.
    from funnelscope.ingest import IngestError
    from funnelscope.warehouse.connection import WarehouseLockedError
    from pipelines.runs import RunFailedError

    return isinstance(error, IngestError | RunFailedError | WarehouseLockedError)
