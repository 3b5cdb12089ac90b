"""Turns: one decision about the models at a time, each written down before it is carried out.

Whoever decides takes the turn after the last one, by a file that only one can create. A turn that
a killed process has left behind holds what it had begun, and the next one completes it first.
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import Field

from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.decisions import Decision
from mlops_assets.resources.stores.record_log import RecordLog, StoredRecord

FOLDER = "registry/turns"
LOOK_SECONDS = 1.0


class Turn(StoredRecord):
    """Who decides, and what was decided: nothing yet while it is being checked."""

    process: str
    run_id: str
    job: str
    asked: dict[str, Any]
    """The run config of the job, without who asks and why."""
    decision: Decision | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    """What carrying it out needs beside the decision, as it was when that was made."""


class Turns:
    """The turns that have not ended, under `registry/turns/` of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.log = RecordLog(storage, FOLDER, Turn, what="turn")

    def take(
        self, turn: Turn, is_held: Callable[[Turn], bool], wait: Callable[[Turn], None]
    ) -> str:
        """Take the next turn, once nobody holds one; its name. `wait` is told of the holder."""
        while True:
            names = self.log.names()
            holder = self._read(names[-1]) if names else None
            if holder is not None and is_held(holder):
                wait(holder)
                time.sleep(LOOK_SECONDS)
                continue
            number = int(names[-1].partition(".")[0]) + 1 if names else 1
            name = f"{number:08d}.json"
            try:
                self.log.add(name, turn)
            except FileExistsError:
                continue
            return name

    def begun_before(self, name: str) -> dict[str, Turn]:
        """The turns before one that were left behind, oldest first."""
        found = {older: self._read(older) for older in self.log.names() if older < name}
        return {older: turn for older, turn in found.items() if turn is not None}

    def keep(self, name: str, turn: Turn) -> None:
        """Write down what is decided in a turn."""
        self.log.replace(name, turn)

    def end(self, name: str) -> None:
        self.log.storage.delete(self.log.path(name))

    def url(self, name: str) -> str:
        """Where a person finds a turn."""
        return self.log.storage.url(self.log.path(name))

    def _read(self, name: str) -> Turn | None:
        try:
            return self.log.read(name)
        except FileNotFoundError:  # it has just ended
            return None
