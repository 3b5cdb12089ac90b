"""Rows of CSV and Parquet files."""

import datetime as dt
import glob
import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_assets.project import FileSettings, Project
from mlops_assets.resources.sources.base import SourceError, register
from mlops_assets.resources.sources.rows import DayHashes, within

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.resources.storage import Storage

PARQUET_ENDINGS = (".parquet", ".pq")
OFFSET = re.compile(r":\d\d.*([+-]\d\d:?\d\d|Z)$")


@register("file")
class FileSource:
    """CSV or Parquet files, each row with its own date."""

    def __init__(
        self, settings: FileSettings, project: Project, storage: "Storage | None" = None
    ) -> None:
        self.pattern = project.absolute(settings.path)
        self.date = project.columns.date
        self.names = project.column_names
        self.time_zone = project.time_zone

    def __str__(self) -> str:
        return self.pattern

    @cached_property
    def rows(self) -> "pd.DataFrame":
        """All rows, sorted by day."""
        import pandas as pd

        frames = [self._read_file(file) for file in self._files()]
        rows = pd.concat(frames, ignore_index=True)
        return rows.sort_values(self.date, kind="stable", ignore_index=True)

    def read(self, start: dt.date, end: dt.date) -> "pd.DataFrame":
        return within(self.rows, self.date, start, end).reset_index(drop=True)

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        self.__dict__.pop("rows", None)
        hashes = DayHashes()
        hashes.add(self.read(start, end), self.date)
        return hashes.texts()

    def span(self) -> tuple[dt.date, dt.date] | None:
        days = self.rows[self.date]
        return (days.iloc[0].date(), days.iloc[-1].date()) if len(days) else None

    def stamp(self) -> str | None:
        file = next(iter(sorted(glob.glob(self.pattern, recursive=True))), None)
        return file and f"{file} {os.stat(file).st_mtime_ns}"

    def columns(self) -> list[str]:
        file = self._files()[0]
        try:
            if file.endswith(PARQUET_ENDINGS):
                import pyarrow.parquet as pq

                return list(pq.read_schema(file).names)
            import pandas as pd

            return list(pd.read_csv(file, nrows=0).columns)
        except (ValueError, OSError) as error:  # empty, damaged or of another kind
            raise SourceError(f"cannot read the columns of {file}: {error}") from error

    def _files(self) -> list[str]:
        files = sorted(glob.glob(self.pattern, recursive=True))
        if not files:
            raise SourceError(f"no file matches {self.pattern}; correct source.path")
        return files

    def _read_file(self, file: str) -> "pd.DataFrame":
        import pandas as pd

        try:
            frame = pd.read_parquet(file) if file.endswith(PARQUET_ENDINGS) else pd.read_csv(file)
        except (ValueError, OSError) as error:
            raise SourceError(f"cannot read {file}: {error}") from error
        missing = [column for column in self.names if column not in frame.columns]
        if missing:
            raise SourceError(
                f"{file} lacks the column(s) {', '.join(missing)}; "
                f"it has {', '.join(frame.columns)}"
            )
        frame = frame[self.names]
        try:
            if len(frame) and pd.api.types.is_numeric_dtype(frame[self.date]):
                raise ValueError(f"{frame[self.date].iloc[0]} is a number; write 2026-01-31")
            # Offsets differ between summer and winter: read as UTC, they meet in one type.
            offset = OFFSET.search(str(frame[self.date].iloc[0])) if len(frame) else None
            days = pd.to_datetime(frame[self.date], utc=offset is not None)
        except (ValueError, TypeError) as error:
            raise SourceError(f"{file}: column {self.date!r} is no date: {error}") from error
        if days.dt.tz is not None:
            days = days.dt.tz_convert(self.time_zone).dt.tz_localize(None)
        return frame.assign(**{self.date: days.dt.normalize().astype("datetime64[ns]")})
