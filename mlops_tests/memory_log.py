"""The event log of instances in memory, which stores events together as the shipped one does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log import InMemoryEventLogStorage
from sqlalchemy.pool import NullPool

from mlops_assets.resources.event_log import StoresTogether


class TogetherInMemory(StoresTogether, InMemoryEventLogStorage):
    """One connection, of which whoever asks for one within a transaction gets the same."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._tables: set[str] = set()
        self._columns: set[str] = set()
        super().__init__(*args, **options)
        made, self._db_lock = self._held_conn, threading.RLock()  # type: ignore[assignment]
        self._engine = sa.create_engine(
            self._engine.url, poolclass=NullPool, connect_args={"check_same_thread": False}
        )
        self._held_conn = self._engine.connect()
        self._held_conn.exec_driver_sql("PRAGMA foreign_keys=ON")
        self._held_conn.commit()
        made.close()

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        with self._db_lock:
            if self._held_conn.in_transaction():
                yield self._held_conn
            else:
                with self._held_conn.begin():
                    yield self._held_conn
