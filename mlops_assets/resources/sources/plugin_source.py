"""A source that a plugin brings, made as careful as the ones that ship."""

from __future__ import annotations

import datetime as dt

from mlops_assets.lazy import pa, pd
from mlops_assets.ml.registries import choose
from mlops_assets.ml.values import array
from mlops_assets.project import CustomSettings, Project
from mlops_assets.project.custom_sources import CUSTOM_SOURCES
from mlops_assets.resources.sources.base import LeavesOut, SourceError, register
from mlops_assets.resources.sources.rows import DayHashes, finished, joined
from mlops_assets.resources.storage import Storage


@register("custom")
class PluginSource(LeavesOut):
    """What a plugin reads, with the columns, types and days that every source gives."""

    def __init__(
        self, settings: CustomSettings, project: Project, storage: Storage | None = None
    ) -> None:
        self.project = project
        self.source = choose(CUSTOM_SOURCES, settings.use)
        super().__init__()

    def __str__(self) -> str:
        return f"source {self.source.name}"

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        names, date = self.project.column_names, self.project.columns.date
        found = self._ask(start, end)
        if found.empty:
            return joined([], date, names)
        table = pa.table([array(found[name]) for name in found], names=[*map(str, found)])
        left_out: list[str] = []
        rows = finished(self.project, table, str(self), (start, end), left_out=left_out)
        self.leave_out(left_out)
        return joined([rows], date, names)

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        hashes = DayHashes()
        rows = self.read(start, end)
        if len(rows):
            hashes.add(rows, self.project.columns.date)
        return hashes.texts(start, end)

    def span(self) -> tuple[dt.date, dt.date] | None:
        return self.source.span()

    def stamp(self) -> str | None:
        """None: asking a plugin for its columns whenever definitions load might cost anything."""
        return None

    def columns(self) -> list[str]:
        day = self.project.today()
        return list(self._ask(day, day).columns)

    def _ask(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        try:
            return self.source.read(start, end, self.project.source_columns)
        except Exception as error:  # a plugin's code may raise anything; the run says what it was
            raise SourceError(f"{self}: {type(error).__name__}: {error}") from error
