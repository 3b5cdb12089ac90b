"""The databases of instances in memory: each a copy of one that was just made, on one connection.

Dagster makes their tables anew for each instance, and an engine for which every statement is
compiled again. The event log stores events together, as the shipped one does.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.runs import InMemoryRunStorage
from sqlalchemy.pool import NullPool

from mlops_assets.resources.event_log import StoresTogether

ENGINE = sa.create_engine(
    "sqlite://", poolclass=NullPool, connect_args={"check_same_thread": False}
)


def database(connection: sa.Connection) -> sqlite3.Connection:
    """What an open connection is of."""
    found: Any = connection.connection.driver_connection
    return found


def copy_of(connection: sa.Connection) -> sa.Connection:
    """A connection to a database of its own, for any thread."""
    copy = ENGINE.connect()
    database(connection).backup(database(copy))
    return copy


@cache
def just_made(kind: type) -> sa.Connection:
    """A connection to the database of a storage of Dagster's that was just made."""
    return copy_of(kind()._held_conn)


def copied(kind: type) -> sa.Connection:
    """A connection to a database of its own, as a storage has it that was just made."""
    connection = copy_of(just_made(kind))
    connection.exec_driver_sql("PRAGMA foreign_keys=ON")
    connection.commit()
    return connection


class OneConnection:
    """Whoever asks for a connection within a transaction gets the same."""

    _held_conn: sa.Connection
    _db_lock: Any

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        with self._db_lock:
            if self._held_conn.in_transaction():
                yield self._held_conn
            else:
                with self._held_conn.begin():
                    yield self._held_conn


class RunsInMemory(OneConnection, InMemoryRunStorage):
    def __init__(self, preload: None = None) -> None:
        self._engine, self._held_conn = ENGINE, copied(InMemoryRunStorage)
        self._db_lock = threading.RLock()

    connect = OneConnection._connect


class TogetherInMemory(OneConnection, StoresTogether, InMemoryEventLogStorage):
    def __init__(self, preload: None = None) -> None:
        self._inst_data, self._handlers, self._storage_id = None, defaultdict(set), 0
        self._tables, self._columns = set(), set()
        self._engine, self._held_conn = ENGINE, copied(InMemoryEventLogStorage)
        self._db_lock = threading.RLock()
