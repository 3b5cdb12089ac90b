"""Rows of CSV and Parquet files."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mlops_assets.lazy import pa, pd
from mlops_assets.project import FileSettings, Project
from mlops_assets.project.masking import masked
from mlops_assets.resources.sources.base import SourceError, register
from mlops_assets.resources.sources.csv_files import SAMPLE, csv_header, csv_table
from mlops_assets.resources.sources.index import Index, Known
from mlops_assets.resources.sources.parquet_files import (
    evenly,
    file_days,
    open_parquet,
    row_groups,
    some_row_groups,
)
from mlops_assets.resources.sources.places import File, Place
from mlops_assets.resources.sources.rows import (
    DayHashes,
    Window,
    finished,
    joined,
    require,
    with_columns,
    within,
)
from mlops_assets.resources.storage import Storage

ONE_DAY = dt.timedelta(days=1)
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

    def __str__(self) -> str:
        return str(self.place)

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        files = self._files()
        portions = (
            rows
            for file in self._of_days(files, (start, end))
            for rows in self._rows(file, (start, end))
        )
        rows = joined(portions, self.date, self.project.column_names)
        self.index.keep(files)
        return rows

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        files = self._files()
        hashes = DayHashes()
        for file in self._of_days(files, (start, end)):
            hashes.merge(self._days(file))
        self.index.keep(files)
        return hashes.texts(start, end)

    def span(self) -> tuple[dt.date, dt.date] | None:
        files = self._files()
        days = self._folder_days(files[0])
        if days and days[0] == days[1] and self.date not in self._own_columns(files[0]):
            found = map(self._folder_days, files)
        else:
            found = map(self._span, files)
        spans = [span for span in found if span is not None]
        self.index.keep(files)
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def stamp(self) -> str | None:
        files = self.place.files()
        return f"{files[0]} {files[0].stamp}" if files else None

    def columns(self) -> list[str]:
        file = self._files()[0]
        return self._columns_of(file, self._own_columns(file))

    def sample(self, most_files: int, most_rows: int) -> tuple[list[Any], bool]:
        """Tables of all columns of some files, and whether they are all rows. SourceError.

        The files are spread evenly over all. What a folder tells is a column too, CSV is text.
        """
        files = self._files()
        chosen = evenly(files, most_files)
        tables = [self._all_columns(file, most_rows // len(chosen)) for file in chosen]
        whole = len(chosen) == len(files) and all(is_whole for _, is_whole in tables)
        return [table for table, _ in tables], whole

    def _files(self) -> list[File]:
        files = self.place.files()
        if not files:
            raise SourceError(f"no file matches {self.place}; correct source.path")
        return files

    def _of_days(self, files: list[File], window: Window) -> list[File]:
        """The files that may hold rows of the days."""
        days = {file: self._folder_days(file) for file in files}
        near = [file for file in files if _meet(days[file], window, ONE_DAY)]
        inside = [file for file in near if _meet(days[file], window)]
        dated = next((file for file in (*inside, *near, *files) if days[file]), None)
        if dated is not None and self.date in self._own_columns(dated):
            # Files with times of their own: a folder named like their column may be a day of
            # another zone, and year=/month=/day= may be anything, such as when they were loaded.
            inside = near if self.date in dated.keys else files
        known = {file: self.index.get(file) for file in inside}
        return [file for file, about in known.items() if about is None or about.may_hold(*window)]

    def _folder_days(self, file: File) -> Window | None:
        """The first and the last day that the folder of a file names."""
        keys = file.keys
        try:
            if "year" in keys and self.date not in ("year", "month"):
                year = int(keys["year"])
                first = dt.date(year, int(keys.get("month", 1)), int(keys.get("day", 1)))
                if "day" in keys:
                    return first, first
                last_month = first.month if "month" in keys else 12
                length = calendar.monthrange(year, last_month)[1]
                return first, dt.date(year, last_month, length)
            if self.date in keys:
                day = dt.date.fromisoformat(keys[self.date][:10])
                return day, day
        except ValueError:
            raise SourceError(
                f"the folder of {file} names no day; write {self.date}=2026-01-31 or "
                "year=2026/month=1/day=31"
            ) from None
        return None

    def _columns_of(self, file: File, own: list[str]) -> list[str]:
        """The columns of a file, those of its folder included."""
        days = self._folder_days(file)
        dated = [self.date] if days and days[0] == days[1] else []
        added = dict.fromkeys([*file.keys, *dated])
        return [*own, *(name for name in added if name not in own)]

    def _own_columns(self, file: File) -> list[str]:
        with self._opened(file) as handle:
            if self._is_parquet(file):
                return list(open_parquet(handle, str(file)).schema_arrow.names)
            return csv_header(handle.read(SAMPLE), str(file), self.settings.csv, self.project)

    def _is_parquet(self, file: File) -> bool:
        return (self.settings.format or file.format) == "parquet"

    def _rows(self, file: File, window: Window | None) -> Iterator[pd.DataFrame]:
        """The rows of a file, those of the days if named, in portions."""
        if self._is_parquet(file):
            yield from self._parquet_rows(file, window)
            return
        with self._opened(file) as handle:
            data = handle.read()
        table, header = csv_table(data, str(file), self.settings.csv, self.project)
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

    def _all_columns(self, file: File, most_rows: int) -> tuple[Any, bool]:
        whole = True
        with self._opened(file) as handle:
            if self._is_parquet(file):
                table, whole = some_row_groups(open_parquet(handle, str(file)), most_rows)
            else:
                data = handle.read()
                names = csv_header(data[:SAMPLE], str(file), self.settings.csv, self.project)
                known = [name for name in names if name and names.count(name) == 1]
                all_named = with_columns(self.project, categorical=known)
                table, _ = csv_table(data, str(file), self.settings.csv, all_named)
        days = self._folder_days(file)
        told = dict(file.keys)
        if days and days[0] == days[1] and self.date not in table.column_names:
            told[self.date] = str(days[0])
        for name, value in told.items():
            if name not in table.column_names:
                text = pa.repeat(None if value == NO_VALUE else value, len(table))
                table = table.append_column(name, text.cast(pa.string()))
        return table, whole

    def _finished(
        self, file: File, table: Any, own: list[str], window: Window | None, before: int = 0
    ) -> pd.DataFrame:
        """The rows of a table, those columns added that only the file's folder tells."""
        require(self.project, self._columns_of(file, own), str(file))
        for name in self.project.column_names:
            if name not in table.column_names:
                days = self._folder_days(file)
                text = str(days[0]) if name == self.date and days else file.keys[name]
                value = pa.scalar(None if text == NO_VALUE else text, pa.string())
                table = table.append_column(name, pa.repeat(value, len(table)))
        return finished(self.project, table, str(file), window, self.settings.csv.dates, before)

    def _days(self, file: File) -> dict[str, tuple[int, int]]:
        """How many rows each day of a file has, and their hash."""
        known = self.index.get(file)
        if known is None or known.days is None:
            known = self._remember(file, self._rows(file, None))
        return known.days or {}

    def _remember(self, file: File, portions: Iterable[pd.DataFrame]) -> Known:
        hashes = DayHashes()
        for rows in portions:
            hashes.add(rows, self.date)
        days = sorted(hashes.days)
        first, last = (days[0], days[-1]) if days else (None, None)
        known = Known(file.stamp, first, last, hashes.days)
        self.index.put(file, known)
        return known

    def _span(self, file: File) -> Window | None:
        """The first and the last day of a file."""
        known = self.index.get(file)
        if known is None and self._is_parquet(file):
            with self._opened(file) as handle:
                days = file_days(open_parquet(handle, str(file)), self.project)
            if days is not None:
                return days
        if known is None:
            known = self._remember(file, self._rows(file, None))
        if known.first is None or known.last is None:
            return None
        return dt.date.fromisoformat(known.first), dt.date.fromisoformat(known.last)

    @contextmanager
    def _opened(self, file: File) -> Iterator[Any]:
        """The bytes of a file, uncompressed. SourceError when they cannot be read."""
        try:
            with self.place.open(file) as handle:
                yield pa.CompressedInputStream(handle, file.codec) if file.codec else handle
        except (OSError, EOFError, pa.ArrowException) as error:
            raise SourceError(f"cannot read {file}: {masked(str(error))}") from None


def _meet(days: Window | None, window: Window, margin: dt.timedelta = dt.timedelta()) -> bool:
    """Whether a folder's days, if it names any, are among those asked."""
    return days is None or (days[0] < window[1] + margin and days[1] >= window[0] - margin)
