"""Errors that a user can mend; the command line shows their text without a stack trace."""

from assets.ingest import IngestError
from assets.settings import SettingsError
from pipelines.runs import RunFailedError
from sql.models import ModelError
from sql.warehouse import WarehouseLockedError

MENDABLE = (SettingsError, IngestError, ModelError, RunFailedError, WarehouseLockedError, FileNotFoundError, ValueError)
