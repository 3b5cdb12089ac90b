"""Rows as every source gives them, and the fingerprints of their days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlops_assets.lazy import pa, pd
from mlops_assets.ml.markers import unmarked_names, unmarked_numbers
from mlops_assets.ml.values import plain
from mlops_assets.ml.written_numbers import without_unit
from mlops_assets.project import DateOrder, Project
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.date_parts import joined_parts
from mlops_assets.resources.sources.dates import local_times
from mlops_assets.resources.sources.time_of_day import time_of_day

Window = tuple[dt.date, dt.date]
HASH_MASK = (1 << 64) - 1


class DayHashes:
    """The number of rows of each day and their hash, whatever order and portions they come in."""

    def __init__(self, days: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.days = dict(days or {})

    def add(self, rows: pd.DataFrame, date: str) -> None:
        """Count rows in. They have the columns and types that every source gives."""
        # A sum does not mind the order, and counts equal rows as often as they come.
        hashes = pd.util.hash_pandas_object(rows, index=False)
        for day, group in hashes.groupby(rows[date].to_numpy()):
            self._count(f"{day:%Y-%m-%d}", len(group), int(group.sum()))

    def merge(self, days: Mapping[str, tuple[int, int]]) -> None:
        """Count in what was counted elsewhere."""
        for day, (count, total) in days.items():
            self._count(day, count, total)

    def _count(self, day: str, count: int, total: int) -> None:
        before, so_far = self.days.get(day, (0, 0))
        self.days[day] = before + count, (so_far + total) & HASH_MASK

    def texts(self, start: dt.date, end: dt.date) -> dict[str, str]:
        """The fingerprint of each day of [start, end)."""
        return {
            day: f"{count} rows {total:016x}"
            for day, (count, total) in sorted(self.days.items())
            if str(start) <= day < str(end)
        }


def require(project: Project, found: Iterable[str], place: str) -> None:
    """SourceError when a column that the settings name is not among those found.

    One whose values may be missing may be missing itself.
    """
    found = list(found)
    if missing := missing_columns(project, found):
        raise SourceError(
            f"{place} lacks the column(s) {', '.join(missing)}; it has {', '.join(found)}"
        )
    repeated = [name for name in project.source_columns if found.count(name) > 1]
    if repeated:
        raise SourceError(f"{place} {repeated_columns(found)[repeated[0]]}; rename one")


def repeated_columns(found: Sequence[str]) -> dict[str, str]:
    """What to say of each column that is there more than once."""
    places: dict[str, list[str]] = {}
    for at, name in enumerate(found):
        places.setdefault(name, []).append(str(at + 1))
    return {
        name: f"has the column {name!r} more than once, as columns {' and '.join(at)}"
        for name, at in places.items()
        if name.strip() and len(at) > 1
    }


def missing_columns(project: Project, found: Iterable[str]) -> list[str]:
    """The columns that the settings name and rows must have, of which those found are none."""
    known = set(found)
    return [
        name
        for name in project.source_columns
        if name not in known and not project.constraint(name).nullable
    ]


def finished(
    project: Project,
    table: Any,
    place: str,
    window: Window | None,
    order: DateOrder | None = None,
    first_row: int = 0,
    left_out: list[str] | None = None,
) -> pd.DataFrame:
    """The rows of an Arrow table as a source gives them, those of a window of days if named.

    Numbers are float64; where a text is no number, it is left for the day's own check to name.
    Names are text. Rows without a day are left out, and what to say of them goes to `left_out`, as
    of `local_times`. SourceError.
    """
    require(project, table.column_names, place)
    date = project.columns.date
    where = f"{place}: column {date!r}"
    if (parts := project.columns.date_parts) is not None:
        written, where = joined_parts(table, parts), f"{place}: columns {', '.join(parts.names)}"
    else:
        written = table[date]
    times = local_times(written, where, project.time_zone, order, first_row, left_out)
    days = times.days
    inside = days.notna() if window is None else within(days, *window)
    kept = None if inside.all() else pa.array(inside)
    columns = {
        name: _column(project, table, name, place, kept)
        for name in project.source_columns
        if name in project.column_names
    }
    columns[date] = days[inside].reset_index(drop=True)
    if made := project.columns.time_of_day:
        times = times.of(inside)
        alike = [columns[name] for name in project.columns.series if name not in made]
        columns |= {part: time_of_day(part, times, project.time_zone, alike) for part in made}
    return pd.DataFrame({name: columns[name] for name in project.column_names})


def _column(project: Project, table: Any, name: str, place: str, kept: Any) -> pd.Series[Any]:
    """The kept rows of names, labels or numbers; a column that is not there is missing in all."""
    column = table[name] if name in table.column_names else pa.nulls(len(table))
    try:
        column = plain(column)
        column = column if kept is None else column.filter(kept)
        if name in project.columns.units:
            column = without_unit(column, project.columns.units[name])
        markers = project.columns.missing.get(name, ())
        if name in project.number_columns:
            return unmarked_numbers(column, markers)
        labels = project.labels if name == project.columns.target else ()
        return unmarked_names(column, markers, labels)
    except ValueError as error:
        raise SourceError(f"{place}: column {name!r} {error}") from error


def with_columns(project: Project, **columns: Any) -> Project:
    """The same project with other columns, to read with; it is not validated."""
    return project.model_copy(update={"columns": project.columns.model_copy(update=columns)})


def within(days: pd.Series[Any], start: dt.date, end: dt.date) -> pd.Series[bool]:
    """Which of the days are among [start, end)."""
    return (days >= pd.Timestamp(start)) & (days < pd.Timestamp(end))


def joined(portions: Iterable[pd.DataFrame], date: str, columns: list[str]) -> pd.DataFrame:
    """All portions sorted by day, the order of the source kept within one."""
    filled = [rows for rows in portions if len(rows)]
    if not filled:
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
        return empty.astype({date: "datetime64[ns]"})
    rows = pd.concat(filled, ignore_index=True)
    return rows.sort_values(date, kind="stable", ignore_index=True)
