"""Rows of CSV and Parquet files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from mlops_assets.lazy import pa, pd
from mlops_assets.project import FileSettings, Project
from mlops_assets.project.masking import masked
from mlops_assets.resources.sources.base import SourceError, UnreachableError, register
from mlops_assets.resources.sources.folders import folder_columns, folder_days
from mlops_assets.resources.sources.index import Index, Known
from mlops_assets.resources.sources.parquet_files import (
    file_days,
    open_parquet,
    row_groups,
)
from mlops_assets.resources.sources.places import File, Place, unzipped
from mlops_assets.resources.sources.rows import (
    DayHashes,
    Window,
    finished,
    joined,
    require,
    within,
)
from mlops_assets.resources.sources.whole_files import header_of, read_all
from mlops_assets.resources.storage import Storage

ONE_DAY = dt.timedelta(days=1)
Found = TypeVar("Found")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@register("file")
class FileSource:
    """CSV or Parquet files, each row with its own date or that of its folder.

    A file is opened only when it may hold rows of the asked days, which is known from its folder
    (`date=2026-01-31/`, `year=2026/month=1/`), from the statistics of a Parquet file, or from the
    index of what was read before.
    """

    def __init__(
        self, settings: FileSettings, project: Project, storage: Storage | None = None
    ) -> None:
        self.settings = settings
        self.project = project
        self.date = project.columns.date
        self.place = Place(project.absolute(settings.path))
        self.index = Index(project, self.place.path, storage)
        self._left_out: dict[str, dict[str, None]] = {}
        self._looked_at: tuple[File, Window, list[pd.DataFrame]] | None = None

    def __str__(self) -> str:
        return str(self.place)

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        files = self._files()
        asked = self._of_days(files, (start, end))
        portions = (rows for file in asked for rows in self._sound_rows(file, (start, end)))
        rows = joined(portions, self.date, self.project.column_names)
        self._keep(files)
        return rows

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        files = self._files()
        hashes = DayHashes()
        for file in self._of_days(files, (start, end)):
            hashes.merge(self._days(file, (start, end)))
        self._keep(files)
        return hashes.texts(start, end)

    def span(self) -> tuple[dt.date, dt.date] | None:
        files = self._files()
        days = folder_days(files[0], self.date)
        if days and days[0] == days[1] and not self._has_own_dates(files[0]):
            found = [folder_days(file, self.date) for file in files]
        else:
            found = [self._span(file) for file in files]
        spans = [span for span in found if span is not None]
        self._keep(files)
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def left_out(self) -> list[str]:
        files = self.place.files()
        known = {file: self.index.get(file) for file in files}
        told = [
            [*(about.left_out if about else ()), *self._left_out.get(file.path, ())]
            for file, about in known.items()
        ]
        return list(dict.fromkeys(message for messages in told for message in messages))

    def stamp(self) -> str | None:
        files = self.place.files()
        return f"{files[0]} {files[0].stamp}" if files else None

    def columns(self) -> list[str]:
        """Of the oldest and the newest file by name, since others may have come to have more."""
        files = self._files()
        ends = dict.fromkeys([files[0], files[-1]])
        found = self._each(
            ends, lambda file: folder_columns(file, self.date, self._own_columns(file))
        )
        return list(dict.fromkeys(name for names in found for name in names))

    def _files(self) -> list[File]:
        files = self.place.files()
        if not files:
            raise SourceError(f"no file matches {self.place}; correct source.path")
        named = self._each(files, lambda file: (file, folder_days(file, self.date)))
        return [file for file, _ in named]

    def _each(self, files: Iterable[File], look: Callable[[File], Found]) -> list[Found]:
        """What each file comes to; those that cannot be read are left out. SourceError if all."""
        tried = {file: attempted(look, file) for file in files}
        errors = {file: one for file, one in tried.items() if isinstance(one, SourceError)}
        for file, error in errors.items():
            self._leave_out(file, str(error))
        if errors and len(errors) == len(tried):
            raise next(iter(errors.values()))
        return [one for one in tried.values() if not isinstance(one, SourceError)]

    def _leave_out(self, file: File, *messages: str) -> None:
        self._left_out.setdefault(file.path, {}).update(dict.fromkeys(messages))

    def _keep(self, files: list[File]) -> None:
        """Store what was learned of the files. SourceError where none of them can be read."""
        self.index.keep(files)
        broken = [known.broken for file in files if (known := self.index.get(file))]
        if len(broken) == len(files) and all(broken):
            raise SourceError(str(broken[0]))

    def _sound_rows(self, file: File, window: Window) -> list[pd.DataFrame]:
        """The rows of a file, none of one that cannot be read."""
        if self._looked_at and self._looked_at[:2] == (file, window):
            found, self._looked_at = self._looked_at[2], None
            return found
        rows = attempted(lambda file: list(self._rows(file, window)), file)
        if not isinstance(rows, SourceError):
            return rows
        self._broken(file, rows)
        return []

    def _broken(self, file: File, error: SourceError) -> Known:
        """A file that cannot be read has no rows, until it changes."""
        known = Known(file.stamp, days={}, left_out=[str(error)], broken=str(error))
        self.index.put(file, known)
        return known

    def _of_days(self, files: list[File], window: Window) -> list[File]:
        """The files that may hold rows of the days."""
        days = {file: folder_days(file, self.date) for file in files}
        near = [file for file in files if _meet(days[file], window, ONE_DAY)]
        inside = [file for file in near if _meet(days[file], window)]
        dated = next((file for file in (*inside, *near, *files) if days[file]), None)
        if dated is not None and self._has_own_dates(dated):
            # Files with times of their own: a folder named like their column may be a day of
            # another zone, and year=/month=/day= may be anything, such as when they were loaded.
            inside = near if self.date in dated.keys else files
        known = {file: self.index.get(file) for file in inside}
        return [file for file, about in known.items() if about is None or about.may_hold(*window)]

    def _all_names(self, file: File) -> list[str]:
        return folder_columns(file, self.date, self._own_columns(file))

    def _has_own_dates(self, file: File) -> bool:
        own = attempted(self._own_columns, file)
        return isinstance(own, SourceError) or self.date in own  # what it is, is told when read

    def _own_columns(self, file: File) -> list[str]:
        with self._opened(file) as handle:
            if self._is_parquet(file):
                return list(open_parquet(handle, str(file)).schema_arrow.names)
            return header_of(handle, self._format(file), str(file), self.settings, self.project)

    def _format(self, file: File) -> str:
        return self.settings.format or file.format

    def _is_parquet(self, file: File) -> bool:
        return self._format(file) == "parquet"

    def _rows(self, file: File, window: Window | None) -> Iterator[pd.DataFrame]:
        """The rows of a file, those of the days if named, in portions."""
        if self._is_parquet(file):
            yield from self._parquet_rows(file, window)
            return
        left_out: list[str] = []
        with self._opened(file) as handle:
            data = handle.read()
        kind = self._format(file)
        table, header = read_all(data, kind, str(file), self.settings, self.project, left_out)
        self._leave_out(file, *left_out)
        if self.index.get(file) is not None or window is None:
            yield self._finished(file, table, header, window)
            return
        # All of the file has been read anyway: its days are remembered for the next time.
        rows = self._finished(file, table, header, None)
        self._remember(file, [rows])
        yield rows[within(rows[self.date], *window)]

    def _parquet_rows(self, file: File, window: Window | None) -> Iterator[pd.DataFrame]:
        with self._opened(file) as handle:
            opened = open_parquet(handle, str(file))
            days = file_days(opened, self.project)
            if days is not None and self.index.get(file) is None:
                self.index.put(file, Known(file.stamp, str(days[0]), str(days[1])))
            for table, before in row_groups(opened, self.project, window):
                names = opened.schema_arrow.names
                yield self._finished(file, table, names, window, before)

    def _finished(
        self, file: File, table: Any, own: list[str], window: Window | None, before: int = 0
    ) -> pd.DataFrame:
        """The rows of a table, those columns added that only the file's folder tells."""
        there = folder_columns(file, self.date, own)
        require(self.project, there, str(file))
        for name in self.project.source_columns:
            if name in there and name not in table.column_names:
                days = folder_days(file, self.date)
                text = str(days[0]) if name == self.date and days else file.keys[name]
                value = pa.scalar(None if text == NO_VALUE else text, pa.string())
                table = table.append_column(name, pa.repeat(value, len(table)))
        order, left_out = self.settings.csv.dates, list[str]()
        rows = finished(self.project, table, str(file), window, order, before, left_out)
        self._leave_out(file, *left_out)
        return rows

    def _days(self, file: File, window: Window) -> dict[str, tuple[int, int]]:
        """How many rows each day of a file has, those of the window at least, and their hash."""
        known = self.index.get(file)
        if known is None or not known.tells(*window):
            known = self._look_into(file, window) or self._look_through(file)
        return known.days or {}

    def _look_into(self, file: File, window: Window) -> Known | None:
        """What the rows of some days say of them, and of those between them and days known before.

        None where the statistics of a file do not tell which of it are rows of these days.
        """
        if not self._is_parquet(file) or not (span := attempted(self._days_by_statistics, file)):
            return None
        if isinstance(span, SourceError):
            return self._broken(file, span)
        known = self.index.get(file)
        start, end = window
        parts = [window]
        days: dict[str, tuple[int, int]] = {}
        if known and known.looked and known.days is not None:
            since, until = map(dt.date.fromisoformat, known.looked)
            parts = [part for part in ((start, since), (until, end)) if part[0] < part[1]]
            start, end, days = min(start, since), max(end, until), known.days
        rows: Iterable[pd.DataFrame] = (one for part in parts for one in self._rows(file, part))
        if parts == [window]:  # which is what is read next of it
            found = attempted(lambda _: list(rows), file)
            if isinstance(found, SourceError):
                return self._broken(file, found)
            self._looked_at, rows = (file, window, found), found
        hashes = attempted(lambda _: self._hashed(rows, days), file)
        if isinstance(hashes, SourceError):
            return self._broken(file, hashes)
        looked, left_out = (str(start), str(end)), list(self._left_out.get(file.path, ()))
        known = Known(file.stamp, str(span[0]), str(span[1]), hashes.days, looked, left_out)
        self.index.put(file, known)
        return known

    def _look_through(self, file: File) -> Known:
        """What all rows of a file say of its days."""
        known = attempted(lambda file: self._remember(file, self._rows(file, None)), file)
        return self._broken(file, known) if isinstance(known, SourceError) else known

    def _remember(self, file: File, portions: Iterable[pd.DataFrame]) -> Known:
        found = self._hashed(portions, {}).days
        days = sorted(found)
        first, last = (days[0], days[-1]) if days else (None, None)
        left_out = list(self._left_out.get(file.path, ()))
        known = Known(file.stamp, first, last, found, left_out=left_out)
        self.index.put(file, known)
        return known

    def _hashed(
        self, portions: Iterable[pd.DataFrame], days: Mapping[str, tuple[int, int]]
    ) -> DayHashes:
        """The hashes of days with what rows add to them."""
        hashes = DayHashes(days)
        for rows in portions:
            hashes.add(rows, self.date)
        return hashes

    def _span(self, file: File) -> Window | None:
        """The first and the last day of a file."""
        known = self.index.get(file)
        if known is None and self._is_parquet(file):
            days = attempted(self._days_by_statistics, file)
            if days and not isinstance(days, SourceError):
                return days
        if known is None:
            known = self._look_through(file)
        if known.first is None or known.last is None:
            return None
        return dt.date.fromisoformat(known.first), dt.date.fromisoformat(known.last)

    def _days_by_statistics(self, file: File) -> Window | None:
        with self._opened(file) as handle:
            return file_days(open_parquet(handle, str(file)), self.project)

    @contextmanager
    def _opened(self, file: File) -> Iterator[Any]:
        """The bytes of a file, uncompressed. SourceError when they cannot be read.

        UnreachableError where it is not the file that is at fault.
        """
        try:
            with self.place.open(file) as handle:
                if file.zipped:
                    handle = unzipped(handle, str(file))
                yield pa.CompressedInputStream(handle, file.codec) if file.codec else handle
        except (OSError, EOFError, pa.ArrowException) as error:
            # what packages raise of bytes that make no sense has no number of the system
            unreachable = isinstance(error, OSError) and error.errno is not None
            kind = UnreachableError if unreachable else SourceError
            raise kind(f"cannot read {file}: {masked(str(error))}") from None


def attempted(look: Callable[[File], Found], file: File) -> Found | SourceError:
    """What a file comes to, or why it cannot be read. UnreachableError is nothing that it is at."""
    try:
        return look(file)
    except UnreachableError:
        raise
    except SourceError as error:
        return error


def _meet(days: Window | None, window: Window, margin: dt.timedelta = dt.timedelta()) -> bool:
    """Whether a folder's days, if it names any, are among those asked."""
    return days is None or (days[0] < window[1] + margin and days[1] >= window[0] - margin)
