"""Rows of files that keep arriving in a folder: the newest file wins where they meet."""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops_assets.lazy import fsspec, fsspec_local, pd
from mlops_assets.project import FileSettings, LandingSettings, Project
from mlops_assets.project.masking import masked
from mlops_assets.resources.sources.base import LeavesOut, UnreachableError, register
from mlops_assets.resources.sources.file import FileSource
from mlops_assets.resources.sources.index import reading_of
from mlops_assets.resources.sources.rows import joined
from mlops_assets.resources.storage import Storage, StorageError

ACCEPTED, REJECTED = "accepted", "rejected"
CARDS = "landing"  # in the storage, what is known of each accepted file
TEMPORARY = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart")
NAME = re.compile(r"\d{8}T\d{12}_(?P<content>[0-9a-f]{16})_(?P<name>.+)")
UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]")
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Arrival:
    """A file in the landing folder, as it was when it was listed."""

    name: str
    size: int
    modified: dt.datetime

    def kept_as(self, content: str) -> str:
        """Its name among the accepted files, which sort by it from the oldest to the newest."""
        moment = f"{self.modified.astimezone(dt.UTC):%Y%m%dT%H%M%S%f}"
        return f"{moment}_{content}_{UNSAFE.sub('_', self.name)}"


class LandingFolder:
    """A folder, local or behind an fsspec URL, with `accepted/` and `rejected/` inside."""

    def __init__(self, path: str, pattern: str) -> None:
        self.path, self.pattern = path.rstrip("/"), pattern

    def __str__(self) -> str:
        return masked(self.path)

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, folder = fsspec.core.url_to_fs(self.path)
        return filesystem, folder.rstrip("/")

    def _file(self, *parts: str) -> str:
        return "/".join([self._place[1], *parts])

    def url(self, *parts: str) -> str:
        """Where a person finds a file."""
        return "/".join([self.path, *parts])

    def arrivals(self) -> list[Arrival]:
        """The files that wait, oldest first; temporary ones and those of other names left out."""
        found = [self.arrival(name) for name in self._names() if self._wanted(name)]
        there = [arrival for arrival in found if arrival is not None]
        return sorted(there, key=lambda arrival: (arrival.modified, arrival.name))

    def arrival(self, name: str) -> Arrival | None:
        """A file as it is now; None where it is gone."""
        filesystem = self._place[0]
        filesystem.invalidate_cache()
        try:
            about = filesystem.info(self._file(name))
            modified = filesystem.modified(self._file(name))
        except FileNotFoundError:
            return None
        if modified.tzinfo is None:
            modified = modified.replace(tzinfo=dt.UTC)
        return Arrival(name, int(about["size"]), modified)

    def _wanted(self, name: str) -> bool:
        hidden = name.startswith(".") or name.lower().endswith(TEMPORARY)
        return not hidden and fnmatch.fnmatchcase(name, self.pattern)

    def _names(self, *parts: str) -> list[str]:
        filesystem = self._place[0]
        filesystem.invalidate_cache()
        try:
            found = filesystem.ls(self._file(*parts), detail=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnreachableError(f"cannot list {self}: {masked(str(error))}") from None
        files = [entry["name"] for entry in found if entry["type"] == "file"]
        return sorted(name.rsplit("/", 1)[-1] for name in files)

    def accepted(self) -> list[str]:
        """The names of the accepted files, from the oldest to the newest."""
        return [name for name in self._names(ACCEPTED) if NAME.fullmatch(name)]

    def contents(self) -> dict[str, str]:
        """The accepted file of each content."""
        matches = (NAME.fullmatch(name) for name in self.accepted())
        return {match["content"]: match[0] for match in matches if match}

    def content(self, *parts: str) -> str:
        """What tells the bytes of a file from others. OSError."""
        hashed = hashlib.sha256()
        with self._place[0].open(self._file(*parts), "rb") as file:
            while data := file.read(1 << 20):
                hashed.update(data)
        return hashed.hexdigest()[:16]

    def accept(self, arrival: Arrival, content: str) -> str:
        """Move a file to the accepted ones; its name there. Nothing is ever replaced by it."""
        name = arrival.kept_as(content)
        self._move(arrival.name, ACCEPTED, name)
        return name

    def reject(self, arrival: Arrival, content: str, reason: str) -> str:
        """Move a file to the rejected ones, the reason beside it; its name there."""
        name = arrival.name
        if name in self._names(REJECTED) and self.content(REJECTED, name) != content:
            name = arrival.kept_as(content)  # another one of this name is there
        filesystem = self._place[0]
        filesystem.makedirs(self._file(REJECTED), exist_ok=True)
        # the reason first: a file without one would say nothing
        filesystem.pipe_file(self._file(REJECTED, f"{name}.reason.txt"), f"{reason}\n".encode())
        self._move(arrival.name, REJECTED, name)
        return name

    def remove(self, arrival: Arrival) -> None:
        """Delete a file whose content is among the accepted ones."""
        self._place[0].rm_file(self._file(arrival.name))

    def _move(self, name: str, folder: str, to: str) -> None:
        filesystem = self._place[0]
        filesystem.makedirs(self._file(folder), exist_ok=True)
        old, new = self._file(name), self._file(folder, to)
        if isinstance(filesystem, fsspec_local.LocalFileSystem):
            filesystem.mv(old, new)  # at once
        else:
            filesystem.cp_file(old, new)  # whose general move takes brackets for a pattern
            filesystem.rm_file(old)


@register("landing")
class LandingSource(LeavesOut):
    """The accepted files of a landing folder.

    With series, the newest file that has a row of a series and day gives it. Plain rows of a day
    are those of all files with different names; of files with one name, those of the newest that
    has rows of the day.
    """

    def __init__(
        self, settings: LandingSettings, project: Project, storage: Storage | None = None
    ) -> None:
        self.settings, self.project, self.storage = settings, project, storage
        self.folder = LandingFolder(project.absolute(settings.path), settings.pattern)
        self._reading = reading_of(project)
        self._days: dict[str, dict[str, str]] = {}
        super().__init__()

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        asked = [
            name
            for name in self.folder.accepted()
            if any(str(start) <= day < str(end) for day in self.days(name))
        ]
        portions = [(name, self._read(name, start, end)) for name in asked]
        date, names = self.project.columns.date, self.project.column_names
        return joined(self._newest(portions), date, names)

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        told: dict[str, list[str]] = {}
        for name in self.folder.accepted():
            for day, rows in self.days(name).items():
                if str(start) <= day < str(end):
                    told.setdefault(day, []).append(f"{name} {rows}")
        return {
            day: hashlib.sha256("\n".join(files).encode()).hexdigest()[:32]
            for day, files in sorted(told.items())
        }

    def span(self) -> tuple[dt.date, dt.date] | None:
        days = [day for name in self.folder.accepted() for day in self.days(name)]
        if not days:
            return None
        return dt.date.fromisoformat(min(days)), dt.date.fromisoformat(max(days))

    def _read(self, name: str, start: dt.date, end: dt.date) -> pd.DataFrame:
        file = self.file(ACCEPTED, name)
        rows = file.read(start, end)
        self.leave_out(file.left_out())
        return rows

    def stamp(self) -> str | None:
        return next(iter(self.folder.accepted()), None)

    def columns(self) -> list[str]:
        return self.file(ACCEPTED, self.folder.accepted()[0]).columns()

    def file(self, *parts: str) -> FileSource:
        """One file of the folder as a source."""
        settings = FileSettings(
            kind="file",
            path=self.folder.url(*parts),
            format=self.settings.format,
            sheet=self.settings.sheet,
            csv=self.settings.csv,
        )
        return FileSource(settings, self.project)

    def days(self, name: str) -> dict[str, str]:
        """The days of an accepted file with the fingerprints of their rows.

        Kept in the storage, since an accepted file never changes; found again without it.
        """
        if name not in self._days:
            path = f"{CARDS}/{self._reading}/{name}.json"
            try:
                if self.storage is None:
                    raise FileNotFoundError
                self._days[name] = dict(json.loads(self.storage.read(path)))
            except (FileNotFoundError, StorageError, ValueError, TypeError):
                self._days[name] = all_days(self.file(ACCEPTED, name))
                if self.storage is not None:
                    self.storage.write(path, json.dumps(self._days[name]).encode())
        return self._days[name]

    def _newest(self, portions: list[tuple[str, pd.DataFrame]]) -> Iterator[pd.DataFrame]:
        """Of portions from the oldest to the newest file, the rows that no newer one replaces."""
        columns = self.project.columns
        replaced: dict[str, set[Any]] = {}
        for name, rows in reversed(portions):
            match = NAME.fullmatch(name)
            keys = pd.MultiIndex.from_frame(rows[[columns.date, *columns.series]].astype(str))
            seen = replaced.setdefault("" if columns.series or not match else match["name"], set())
            yield rows[[key not in seen for key in keys]]
            seen.update(keys)


def all_days(source: FileSource) -> dict[str, str]:
    """All days of a file with their fingerprints. SourceError."""
    span = source.span()
    return {} if span is None else source.fingerprints(span[0], span[1] + ONE_DAY)
