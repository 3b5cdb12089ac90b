"""Where rows come from. Every source gives the rows of a half-open window of days."""

import datetime as dt
import glob
import json
import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from mlops_assets.project import REPLAY_DAYS, Project, ProjectError
from mlops_assets.resources.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

PARQUET_ENDINGS = (".parquet", ".pq")
COLUMNS_FILE = "source_columns.json"
OFFSET = re.compile(r":\d\d.*([+-]\d\d:?\d\d|Z)$")


class SourceError(RuntimeError):
    """The source cannot be read; the message names it and the remedy."""


class Source(Protocol):
    """Rows by day."""

    def read(self, start: dt.date, end: dt.date) -> "pd.DataFrame":
        """The rows of the days [start, end), their date column at midnight of the day."""


class FileSource:
    """CSV or Parquet files, each row with its own date."""

    def __init__(self, pattern: str, date: str, columns: list[str], time_zone: str) -> None:
        self.pattern = pattern
        self.date = date
        self.columns = columns
        self.time_zone = time_zone

    @cached_property
    def rows(self) -> "pd.DataFrame":
        """All rows, sorted by day."""
        import pandas as pd

        frames = [self._read_file(file) for file in self._files()]
        rows = pd.concat(frames, ignore_index=True)
        return rows.sort_values(self.date, kind="stable", ignore_index=True)

    def read(self, start: dt.date, end: dt.date) -> "pd.DataFrame":
        import pandas as pd

        first, last = self.rows[self.date].searchsorted([pd.Timestamp(start), pd.Timestamp(end)])
        return self.rows.iloc[first:last].reset_index(drop=True)

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
        missing = [column for column in self.columns if column not in frame.columns]
        if missing:
            raise SourceError(
                f"{file} lacks the column(s) {', '.join(missing)}; "
                f"it has {', '.join(frame.columns)}"
            )
        frame = frame[self.columns]
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


class ReplaySource:
    """A finished recording, played again for ever.

    Day D gets the recorded day of the same weekday in a loop of 52 weeks.
    """

    def __init__(self, recording: FileSource) -> None:
        self.recording = recording

    def read(self, start: dt.date, end: dt.date) -> "pd.DataFrame":
        import pandas as pd

        rows, date = self.recording.rows, self.recording.date
        first, last = rows[date].iloc[0], rows[date].iloc[-1]
        if (last - first).days + 1 < REPLAY_DAYS:
            raise SourceError(
                f"{self.recording.pattern} reaches from {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
                f"a replay needs {REPLAY_DAYS} days"
            )
        days = pd.DataFrame({"replayed": pd.date_range(start, end, inclusive="left")})
        offsets = (days["replayed"] - first).dt.days % REPLAY_DAYS
        days[date] = first + pd.to_timedelta(offsets, unit="D")
        played = days.merge(rows, on=date, how="inner")
        return played.assign(**{date: played["replayed"]}).drop(columns="replayed")[rows.columns]


def make_source(project: Project) -> Source:
    """The source that the settings name."""
    files = FileSource(
        project.source_path, project.columns.date, project.column_names, project.time_zone
    )
    return ReplaySource(files) if project.source.kind == "replay" else files


def check_columns(project: Project, storage: Storage) -> None:
    """ProjectError when the source's first file lacks a column that the settings name.

    A file that is not there yet is left to the first run. What was found is kept until the file
    changes, since reading a Parquet header costs more than all the rest of loading.
    """
    file = next(iter(sorted(glob.glob(project.source_path, recursive=True))), None)
    if file is None:
        return
    stamp = f"{file} {os.stat(file).st_mtime_ns}"
    try:
        kept = json.loads(storage.read(COLUMNS_FILE))
    except (FileNotFoundError, ValueError):
        kept = {}
    if kept.get("stamp") != stamp:
        try:
            kept = {"stamp": stamp, "columns": _header(file)}
        except (ValueError, OSError) as error:  # empty, damaged or of another kind
            raise ProjectError(
                f"source.path: cannot read the columns of {file}: {error}"
            ) from error
        storage.write(COLUMNS_FILE, json.dumps(kept).encode())
    missing = [name for name in project.column_names if name not in kept["columns"]]
    if missing:
        raise ProjectError(
            f"columns: {file} has no column {', '.join(map(repr, missing))}; "
            f"it has: {', '.join(kept['columns'])}"
        )


def _header(file: str) -> list[str]:
    """The names of a file's columns."""
    if file.endswith(PARQUET_ENDINGS):
        import pyarrow.parquet as pq

        return list(pq.read_schema(file).names)
    import pandas as pd

    return list(pd.read_csv(file, nrows=0).columns)
