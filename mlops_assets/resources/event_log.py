"""Dagster's event log of a local instance, with its connections kept open.

Dagster's own SQLite storage builds a new engine for every event and some statements for each of its
rows, which is most of what a materialized partition costs. This and `assets/recording.py` reach
into Dagster's private modules, nothing else does.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from alembic.script import ScriptDirectory
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import (
    SqlEventLogStorage,
    SqlEventLogStorageTable,
    SqliteEventLogStorage,
)
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

from mlops_assets.lazy import sa
from mlops_assets.resources.disk import why_not_recorded
from mlops_assets.resources.storage import DiskError

KEPT_SHARDS = 16
BUSY_SECONDS = 60

# Whenever a database is opened it is compared with the newest of Dagster's 70 migrations, all of
# which are read from files for that: three times at each tick of a sensor, most of what it costs.
ScriptDirectory.from_config = cache(ScriptDirectory.from_config)  # type: ignore[method-assign]

# Runs and schedules are looked at through an engine that is made for each look, so that SQLAlchemy
# compiles every statement anew. One that keeps no connection can as well be kept itself.
for storage in (sqlite_run_storage, sqlite_schedule_storage):
    storage.create_engine = cache(storage.create_engine)  # type: ignore[attr-defined]


def _without_waiting_for_the_disk(connection: Any, _: Any) -> None:
    """Let a commit return before the disk has confirmed it, which halves the cost of an event.

    With a write-ahead log, as Dagster has it, nothing is damaged by that: a power cut, but no
    crash of a process, may lose the newest events (SQLite, PRAGMA synchronous).
    """
    connection.execute("PRAGMA synchronous=NORMAL")


class StoresTogether(SqlEventLogStorage):
    """Stores events of one run as one transaction, those of assets and checks in few statements.

    For storages of which a connection that is asked for within another is the same transaction.
    """

    stores_checks_together = True  # of what checks said, other storages refuse batches
    _tables: set[str]
    _columns: set[str]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        with self.index_connection(), self.run_connection(events[0].run_id):
            for kind, some in groupby(events, _kind):
                if kind is ASSET_EVENTS:
                    self._store_asset_events(list(some))
                elif kind is not None:
                    self._store_check_events(list(some))
                else:
                    for event in some:
                        super().store_event(event)

    def _insert(self, rows: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Insert the rows of events; their ids, by which other tables know them."""
        insert = SqlEventLogStorageTable.insert()
        returned = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self.index_connection() as connection:
            return connection.scalars(returned, rows).all()

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in ascending order; of each asset, the newest one is its newest state."""
        rows = [self._event_to_row(event) for event in events]
        ids = self._insert(rows)
        newest = {row["asset_key"]: at for at, row in enumerate(rows)}
        with self.index_connection() as connection:
            self._store_asset_event_tags(connection, events, ids)
            for at in newest.values():
                self._store_asset_event(connection, events[at], ids[at])

    def _store_check_events(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in ascending order; what was planned of a partition is now what was said."""
        rows = [self._event_to_row(event) for event in events]
        ids = self._insert(rows)
        made = [_execution(*of) for of in zip(events, rows, ids, strict=True)]
        said = {(row["asset_key"], row["check_name"], row["partition"]): row for row in made}
        table = AssetCheckExecutionsTable
        among = (table.c[of].in_({row[of] for row in made}) for of in ("asset_key", "check_name"))
        planned = sa.select(table.c.asset_key, table.c.check_name, table.c.partition, table.c.id)
        with self.index_connection() as connection:
            found = connection.execute(planned.where(*among, table.c.run_id == rows[0]["run_id"]))
            known = [(tuple(key), at) for *key, at in found if tuple(key) in said]
            if len(said) < len(made) or len(dict(known)) < len(known):
                for event, at in zip(events, ids, strict=True):  # more than once: as Dagster does
                    self.store_asset_check_event(event, at)
                return
            if new := [row for key, row in said.items() if key not in dict(known)]:
                connection.execute(table.insert(), new)
            if known:
                update = table.update().where(table.c.id == sa.bindparam("known"))
                connection.execute(update, [said[key] | {"known": at} for key, at in known])

    def has_table(self, table_name: str) -> bool:
        """Whether there is a table, which is asked for each event; one that is there stays."""
        if table_name not in self._tables:
            with self.index_connection() as connection:
                if connection.dialect.has_table(connection, table_name):
                    self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(
            conn, column_name
        ):
            self._columns.add(column_name)
        return column_name in self._columns


def _kind(event: EventLogEntry) -> Any:
    """What is stored together: events of assets, what checks said in a run, or neither."""
    kind = event.dagster_event_type
    if kind is DagsterEventType.ASSET_CHECK_EVALUATION and event.run_id:
        return kind
    return ASSET_EVENTS if kind in ASSET_EVENTS else None


def _execution(event: EventLogEntry, row: dict[str, Any], event_id: int) -> dict[str, Any]:
    """The row of what a check said, in the table of what checks said last in each run."""
    said = event.get_dagster_event().asset_check_evaluation_data
    status, target = AssetCheckExecutionRecordStatus, said.target_materialization_data
    return {
        "asset_key": said.asset_key.to_string(),
        "check_name": said.check_name,
        "partition": said.partition,
        "run_id": event.run_id,
        "execution_status": (status.SUCCEEDED if said.passed else status.FAILED).value,
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": event_id,
        "materialization_event_storage_id": target.storage_id if target else None,
    }


class PooledSqliteEventLogStorage(StoresTogether, SqliteEventLogStorage):
    """Dagster's SQLite event log, same tables, in `events/` of a folder, one engine per file."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        self._open: dict[str, sa.Connection] = {}
        self._tables: set[str] = set()
        self._columns: set[str] = set()
        super().__init__(str(Path(base_dir, "events")), inst_data)
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # see `_connect`

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        return cls(config_value["base_dir"], inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and say so to those who watch the run's file, such as the web UI.

        While its connection is kept open, what is written stays in the write-ahead log beside it.
        """
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run as one transaction, those of assets in one statement.

        DiskError where the disk takes nothing more.
        """
        run_id = events[0].run_id
        with self._saying_why():
            super().store_event_batch(events)
        with suppress(FileNotFoundError):  # an event without a run has no file of its own
            os.utime(self.path_for_shard(run_id))

    @contextmanager
    def _saying_why(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError as error:
            folder = Path(self.path_for_shard("index")).parent
            why = why_not_recorded(str(error), folder)
            if why is None:
                raise
            raise DiskError(why) from error

    def _insert(self, rows: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Into the file of the run as well."""
        with self.run_connection(rows[0]["run_id"]) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        return super()._insert(rows)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        """A transaction in a file; whoever asks for one within it gets that one."""
        with self._db_lock:
            if shard in self._open:
                yield self._open[shard]
                return
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                self._open[shard] = connection
                try:
                    yield connection
                finally:
                    del self._open[shard]

    def _engine(self, shard: str) -> sa.Engine:
        """The engine of a file; the one used longest ago is closed when there are too many."""
        if shard not in self._engines:
            engine = sa.create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            sa.event.listen(engine, "connect", _without_waiting_for_the_disk)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT_SHARDS:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()
