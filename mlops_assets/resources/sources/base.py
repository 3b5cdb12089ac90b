"""What every source is, and the register of the kinds."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import ONE_DAY
from mlops_assets.ml.features.absent_rows import with_absent_rows
from mlops_assets.project import REPLAY_DAYS, Project
from mlops_assets.resources.storage import Storage


class SourceError(RuntimeError):
    """The source cannot be read; the message names it and the remedy."""


class UnreachableError(SourceError):
    """The source does not answer now; nothing says that the settings are wrong."""


class Source(Protocol):
    """Rows by day. Days are local days of the project's time zone; windows are half open.

    Its `str` names the file or table for people, and never a secret.
    """

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        """The rows of the days [start, end), sorted by day.

        They hold the columns that the settings name, in that order; the date column is at
        midnight of the local day, `datetime64[ns]` without a zone. SourceError with the remedy.
        """

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        """A short text for each day of [start, end) that has rows, by its key (YYYY-MM-DD).

        It changes whenever rows of that day may have changed at the source, and is the same in
        every process. SourceError with the remedy.
        """

    def span(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last day that have rows; None without any. SourceError."""

    def left_out(self) -> list[str]:
        """What of the source could not be read so far: rows and files, with a value and the remedy.

        All else of it is read as if these were not there.
        """

    def stamp(self) -> str | None:
        """What the columns are kept for until it changes; None where the source is not there yet.

        Quick, since it is asked whenever the definitions load.
        """

    def columns(self) -> list[str]:
        """The names of all columns of the source. SourceError when they cannot be read."""


class LeavesOut:
    """What a source could not read so far, each message once."""

    def __init__(self) -> None:
        self._left_out: dict[str, None] = {}

    def leave_out(self, messages: Iterable[str]) -> None:
        self._left_out |= dict.fromkeys(messages)

    def left_out(self) -> list[str]:
        return list(self._left_out)


class SourceClass(Protocol):
    """A kind of source is made from its own settings, the project and the storage."""

    def __call__(self, settings: Any, project: Project, storage: Storage | None) -> Source: ...


SOURCES: dict[str, SourceClass] = {}
Class = TypeVar("Class", bound=SourceClass)


def register(kind: str) -> Callable[[Class], Class]:
    """Make a class the source of a kind. ValueError when the kind is taken."""

    def add(source: Class) -> Class:
        if kind in SOURCES:
            raise ValueError(f"{kind!r} is a kind of source already")
        SOURCES[kind] = source
        return source

    return add


def get_source(kind: str) -> SourceClass:
    """The class of a kind. ValueError that lists the known ones."""
    if kind not in SOURCES:
        raise ValueError(f"{kind!r} is no kind of source; the kinds are: {', '.join(SOURCES)}")
    return SOURCES[kind]


class Wrapped:
    """A source whose rows are those of another one, made anew."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __str__(self) -> str:
        return str(self.source)

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        return self.source.fingerprints(start, end)

    def span(self) -> tuple[dt.date, dt.date] | None:
        return self.source.span()

    def left_out(self) -> list[str]:
        return self.source.left_out()

    def stamp(self) -> str | None:
        return self.source.stamp()

    def columns(self) -> list[str]:
        return self.source.columns()


class Renamed(Wrapped):
    """A source that calls some columns otherwise than the settings do."""

    def __init__(self, source: Source, project: Project) -> None:
        super().__init__(source)
        self.names = project.column_names
        self.called = {there: name for name, there in project.columns.source_names.items()}

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        return self.source.read(start, end).rename(columns=self.called)[self.names]

    def columns(self) -> list[str]:
        return [self.called.get(name, name) for name in self.source.columns()]


class OfPeriods(Wrapped):
    """Dates each row by the first day of its week, month or quarter, whichever of its days it has.

    Windows are those of whole periods: one begun by the window is read from its first day on.
    """

    def __init__(self, source: Source, project: Project) -> None:
        super().__init__(source)
        self.date, self.due = project.columns.date, project.due

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        rows = self.source.read(*self._whole(start, end))
        dated = rows.assign(**{self.date: self.due.starts(rows[self.date])})
        return dated.astype({self.date: "datetime64[ns]"})

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        told: dict[str, list[str]] = {}
        for day, text in sorted(self.source.fingerprints(*self._whole(start, end)).items()):
            period = str(self.due.start(dt.date.fromisoformat(day)))
            told.setdefault(period, []).append(f"{day} {text}")
        return {
            period: hashlib.sha256("\n".join(days).encode()).hexdigest()[:32]
            for period, days in told.items()
        }

    def span(self) -> tuple[dt.date, dt.date] | None:
        span = self.source.span()
        return None if span is None else (self.due.start(span[0]), self.due.start(span[1]))

    def _whole(self, start: dt.date, end: dt.date) -> tuple[dt.date, dt.date]:
        return self.due.start(start), self.due.end(end - ONE_DAY)


class WithAbsentRows(Wrapped):
    """Gives each series that has begun a row on every day on which any has one.

    What is not there is a row with the target 0. A series begins with its first row since the first
    day of the project, and ends as `with_absent_rows` says; a replayed one is there always. A day
    without any row stays without.
    """

    def __init__(self, source: Source, project: Project) -> None:
        super().__init__(source)
        self.project = project

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        rows = self.source.read(self._begin(start), end)
        ending = self.project.source.kind != "replay"
        return with_absent_rows(self.project.columns, rows, start, end, ending=ending)

    def _begin(self, start: dt.date) -> dt.date:
        """The day from which on rows tell that a series has begun."""
        if self.project.source.kind == "replay":
            return start - dt.timedelta(days=REPLAY_DAYS)  # all that is recorded
        return min(self.project.first_day or start, start)


def make_source(project: Project, storage: Storage | None = None, settings: Any = None) -> Source:
    """The source that the settings name, else the one of `settings`, which gives no absent rows.

    In `storage`, a source may keep what it has learned of its files.
    """
    asked = settings or project.source
    source = get_source(asked.kind)(asked, project.in_source_names(), storage)
    if project.columns.source_names:
        source = Renamed(source, project)
    if not project.due.daily:
        source = OfPeriods(source, project)
    if settings is None and project.columns.absent == "zero":
        return WithAbsentRows(source, project)
    return source
