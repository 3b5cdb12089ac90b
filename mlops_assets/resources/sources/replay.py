"""A finished recording, played again for ever."""

from __future__ import annotations

import datetime as dt

from mlops_assets.lazy import pd
from mlops_assets.project import REPLAY_DAYS, Project, ReplaySettings
from mlops_assets.resources.layout import REPLAYED
from mlops_assets.resources.sources.base import SourceError, make_source, register
from mlops_assets.resources.sources.replayed_days import by_calendar, in_loop
from mlops_assets.resources.sources.rows import joined
from mlops_assets.resources.storage import Storage, damaged_file

ONE_DAY = dt.timedelta(days=1)


@register("replay")
class ReplaySource:
    """Day D gets the recorded day of the same weekday within three days of its date.

    The storage keeps the last day that is played: rows that are added to the recording do not
    change what is stored. A history that was begun by version 0.1, which kept none, goes on in a
    loop of 52 weeks from the first recorded day on.
    """

    def __init__(
        self, settings: ReplaySettings, project: Project, storage: Storage | None = None
    ) -> None:
        self.recording = make_source(project, storage, settings.recording)
        self.date = project.columns.date
        self.names = project.column_names
        self.storage = storage

    def __str__(self) -> str:
        return str(self.recording)

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        recorded = self._recorded(start, end)
        rows = joined(
            (self.recording.read(first, last + ONE_DAY) for first, last in _runs(recorded)),
            self.date,
            self.names,
        )
        days = pd.DataFrame(
            {
                "replayed": pd.DatetimeIndex(list(recorded)).as_unit("ns"),
                self.date: pd.DatetimeIndex(list(recorded.values())).as_unit("ns"),
            }
        )
        played = days.merge(rows, on=self.date, how="inner")
        return played.assign(**{self.date: played["replayed"]})[self.names]

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        recorded = self._recorded(start, end)
        found: dict[str, str] = {}
        for first, last in _runs(recorded):
            found |= self.recording.fingerprints(first, last + ONE_DAY)
        return {str(day): found[str(of)] for day, of in recorded.items() if str(of) in found}

    def span(self) -> tuple[dt.date, dt.date] | None:
        return dt.date.min, dt.date.max

    def left_out(self) -> list[str]:
        return self.recording.left_out()

    def stamp(self) -> str | None:
        return self.recording.stamp()

    def columns(self) -> list[str]:
        return self.recording.columns()

    def _recorded(self, start: dt.date, end: dt.date) -> dict[dt.date, dt.date]:
        """The recorded day of each day [start, end)."""
        span = self.recording.span()
        if span is None:
            raise SourceError(f"{self.recording} holds no rows to replay")
        first, last = span
        if (last - first).days + 1 < REPLAY_DAYS:
            raise SourceError(
                f"{self.recording} reaches from {first} to {last}; a replay needs "
                f"{REPLAY_DAYS} days"
            )
        days = [start + dt.timedelta(days=n) for n in range((end - start).days)]
        through = self.through(last)
        if through is None:
            return {day: in_loop(day, first, REPLAY_DAYS) for day in days}
        found = ((day, by_calendar(day, first, through)) for day in days)
        return {day: recorded for day, recorded in found if recorded is not None}

    def through(self, last: dt.date) -> dt.date | None:
        """The last recorded day that is played; None for the loop of version 0.1."""
        if self.storage is None:
            return last
        try:
            data = self.storage.read(REPLAYED)
        except FileNotFoundError:
            if self.storage.names("datasets/observations"):
                return None
            self.storage.write(REPLAYED, f"{last}\n".encode())
            return last
        try:
            return dt.date.fromisoformat(data.decode().strip())
        except ValueError as error:
            raise damaged_file(self.storage, REPLAYED, f"holds no day ({error})") from error


def _runs(recorded: dict[dt.date, dt.date]) -> list[tuple[dt.date, dt.date]]:
    """The first and last day of each run of consecutive recorded days."""
    runs: list[tuple[dt.date, dt.date]] = []
    for day in sorted(set(recorded.values())):
        if runs and day - runs[-1][1] == ONE_DAY:
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    return runs
