"""Rows as every source gives them, and the fingerprints of their days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.project import DateOrder, Project
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.dates import is_text, local_days

Window = tuple[dt.date, dt.date]
HASH_MASK = (1 << 64) - 1
MISSING_NUMBERS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None"]


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
    """SourceError when a column that the settings name is not among those found."""
    found = list(found)
    missing = [name for name in project.column_names if name not in found]
    if missing:
        raise SourceError(
            f"{place} lacks the column(s) {', '.join(missing)}; it has {', '.join(found)}"
        )
    repeated = [name for name in project.column_names if found.count(name) > 1]
    if repeated:
        raise SourceError(f"{place} has the column {repeated[0]!r} more than once; rename one")


def finished(
    project: Project,
    table: Any,
    place: str,
    window: Window | None,
    order: DateOrder | None = None,
    first_row: int = 0,
) -> pd.DataFrame:
    """The rows of an Arrow table as a source gives them, those of a window of days if named.

    Numbers are float64; where a text is no number, it is left for the day's own check to name.
    Names are text: the whole numbers among them become their digits. SourceError.
    """
    require(project, table.column_names, place)
    date = project.columns.date
    days = local_days(table[date], f"{place}: column {date!r}", project.time_zone, order, first_row)
    if window is not None:
        inside = within(days, *window)
        if not inside.all():
            table, days = table.filter(pa.array(inside)), days[inside].reset_index(drop=True)
    columns: dict[str, Any] = {}
    for name in project.column_names:
        if name == date:
            columns[name] = days
        elif name in project.number_columns:
            columns[name] = numbers(table[name])
        else:
            columns[name] = _names(table[name])
    return pd.DataFrame(columns)


def _names(column: Any) -> pd.Series[Any]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(kind):
        # as text at once: pandas would make 7 into 7.0 where another value is missing
        kind = pa.string()
    found: pd.Series[Any] = pc.cast(column, kind).to_pandas().astype(object)
    return found


def numbers(column: Any) -> pd.Series[Any]:
    """An Arrow column as float64, or as objects where some text is no number."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    text = is_text(column.type)
    if text:
        column = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(column, value_set=pa.array(MISSING_NUMBERS, column.type))
        column = pc.if_else(missing, pa.scalar(None, column.type), column)
    try:
        whole: pd.Series[Any] = pc.cast(column, pa.float64(), safe=False).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values: pd.Series[Any] = column.to_pandas()
        if not text:
            return values
        parsed = pd.to_numeric(values, errors="coerce")
        return parsed.astype(object).where(parsed.notna() | values.isna(), values)
    return whole.astype("float64")


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
