"""What is known of the days of files, kept until a file changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from mlops_assets.ml.values import READING
from mlops_assets.project import Project
from mlops_assets.resources.sources.places import File
from mlops_assets.resources.storage import Storage, StorageError

INDEX_FILE = "source_index.json"


@dataclass(frozen=True)
class Known:
    """The days of one file."""

    stamp: str
    first: str | None = None
    last: str | None = None
    days: dict[str, tuple[int, int]] | None = None
    """How many rows each day has, and their hash; None where only the first and last are known."""
    looked: Sequence[str] | None = None
    """The window [start, end) of days of which these are known; None where they are all there."""
    left_out: list[str] = field(default_factory=list)
    """What to say of its rows that could not be read."""
    broken: str | None = None
    """Why nothing of it can be read."""

    def tells(self, start: dt.date, end: dt.date) -> bool:
        """Whether it is known how many rows each day of [start, end) has."""
        if self.looked is None:
            return self.days is not None
        return self.looked[0] <= str(start) and str(end) <= self.looked[1]

    def may_hold(self, start: dt.date, end: dt.date) -> bool:
        """Whether rows of [start, end) may be in the file."""
        if self.first is None or self.last is None:
            return False
        return self.first < str(end) and self.last >= str(start)


def reading_of(project: Project, path: str = "") -> str:
    """What the rows of a file are read by: of another, their days and hashes are others."""
    sections = {"source", "columns", "time_zone", "constraints", "classes"}
    told = project.model_dump_json(include=sections, exclude_defaults=True)
    return hashlib.sha256(f"{READING} {path} {told}".encode()).hexdigest()[:16]


class Index:
    """The days of each file, in memory and, where there is a storage, from run to run.

    It is only ever a short cut: without it, or when it is damaged, the files are read again.
    """

    def __init__(self, project: Project, path: str, storage: Storage | None) -> None:
        self._key = reading_of(project, path)
        self._storage = storage
        self._known: dict[str, Known] | None = None
        self._changed = False

    @property
    def _files(self) -> dict[str, Known]:
        if self._known is None:
            self._known = {}
            try:
                kept = json.loads(self._storage.read(INDEX_FILE)) if self._storage else {}
                if kept.get("key") == self._key:
                    self._known = {path: Known(**known) for path, known in kept["files"].items()}
            except (
                *(FileNotFoundError, StorageError),
                *(ValueError, TypeError, KeyError, AttributeError),
            ):
                pass
        return self._known

    def get(self, file: File) -> Known | None:
        """What is known of a file as it is now."""
        known = self._files.get(file.path)
        return known if known and known.stamp == file.stamp else None

    def put(self, file: File, known: Known) -> None:
        self._files[file.path] = known
        self._changed = True

    def keep(self, files: list[File]) -> None:
        """Store what was learned; files that are gone are forgotten."""
        if not self._changed or self._storage is None:
            return
        there = {file.path for file in files}
        self._known = {path: known for path, known in self._files.items() if path in there}
        kept = {path: asdict(known) for path, known in self._known.items()}
        self._storage.write(INDEX_FILE, json.dumps({"key": self._key, "files": kept}).encode())
        self._changed = False
