"""Dagster's SQLite event log: connections kept open, no passwords in its errors, nothing left of a deleted run.

The standard storage creates a database engine for each event and compiles its statements again every time: about 15 ms
per event, and a range of days writes two events per table and day. Keeping the engines reduces this to a few
milliseconds, and storing the events of a table together to one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, pack_value, unpack_value

from funnelscope.messages.secrets import hide_secrets

KEPT_ENGINES = 16


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """Uses the same files and tables, with one engine per database file. `base_dir` is Dagster's home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sqlalchemy.Engine] = {}
        self._present_tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KeptSqliteEventLogStorage":
        """The storage from Dagster's configuration."""
        return cls(str(Path(config_value["base_dir"]) / "history"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        if shard not in self._engines:
            if len(self._engines) >= KEPT_ENGINES:
                self._engines.pop(next(iter(self._engines))).dispose()
            self._engines[shard] = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            )
            sqlalchemy.event.listen(self._engines[shard], "connect", _write_ahead)
        return self._engines[shard]

    def store_event(self, event: EventLogEntry) -> None:
        """Stores the event; of an error, its text and stack without passwords."""
        super().store_event(_hide_secrets_of_error(event))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run, those of assets together: the last one of each asset is its state.

        Dagster calls it for the days of a table where DAGSTER_EVENT_BATCH_SIZE is set.
        """
        of_assets = []
        for event in events:
            if event.dagster_event_type in ASSET_EVENTS:
                of_assets.append(_hide_secrets_of_error(event))
            else:
                self.store_event(event)
        if not of_assets:
            return
        statements = [self.prepare_insert_event(event) for event in of_assets]
        with self.run_connection(of_assets[0].run_id) as connection:
            for statement in statements:
                connection.execute(statement)
        with self.index_transaction() as connection:
            ids = [connection.execute(statement).lastrowid for statement in statements]
            self._store_asset_event_tags(connection, of_assets, ids)
            last = {event.get_dagster_event().asset_key: place for place, event in enumerate(of_assets)}
            for place in last.values():
                self._store_asset_event(connection, of_assets[place], ids[place])

    def delete_events(self, run_id: str) -> None:
        """Also the results of the run's checks, and its file, which the standard storage leaves behind emptied."""
        super().delete_events(run_id)
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
        with self._db_lock:
            if run_id in self._engines:
                self._engines.pop(run_id).dispose()
            self._initialized_dbs.discard(run_id)
            for ending in ("", "-wal", "-shm", "-journal"):
                Path(self.path_for_shard(run_id) + ending).unlink(missing_ok=True)

    def has_table(self, table_name: str) -> bool:
        """Asked before every event of an asset; a table that is there stays."""
        if table_name not in self._present_tables and super().has_table(table_name):
            self._present_tables.add(table_name)
        return table_name in self._present_tables

    def dispose(self) -> None:
        """Closes all engines."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _hide_secrets_of_error(event: EventLogEntry) -> EventLogEntry:
    data = event.dagster_event and event.dagster_event.event_specific_data
    if event.error_info is None and getattr(data, "error", None) is None:
        return event
    return unpack_value(_hide_in(pack_value(event)), as_type=EventLogEntry)


def _hide_in(packed: Any) -> Any:
    if isinstance(packed, str):
        return hide_secrets(packed)
    if isinstance(packed, Mapping):
        return {name: _hide_in(value) for name, value in packed.items()}
    return [_hide_in(value) for value in packed] if isinstance(packed, list | tuple) else packed


def _write_ahead(connection: Any, _: Any) -> None:
    """In WAL mode a commit need not wait for the disk: a crash of the machine loses at most the last events."""
    connection.execute("PRAGMA synchronous = NORMAL")
