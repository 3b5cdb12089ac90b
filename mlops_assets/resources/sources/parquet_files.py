"""Parquet, of which only the row groups of the asked days are read."""

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from mlops_assets.lazy import pa, pq
from mlops_assets.project import Project
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.dates import YEARS
from mlops_assets.resources.sources.rows import Window

ONE_DAY = dt.timedelta(days=1)
Item = TypeVar("Item")


def open_parquet(handle: Any, place: str) -> Any:
    """The file behind a path or handle. SourceError when it is none."""
    try:
        return pq.ParquetFile(handle)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise SourceError(f"cannot read {place}: {error}") from error


def row_groups(file: Any, project: Project, window: Window | None) -> Iterator[tuple[Any, int]]:
    """The row groups that may hold rows of the days, and the number of rows before each.

    They hold the columns that the settings name, as far as the file has them. One in which dates
    are missing is always among them, so that this is noticed.
    """
    schema = file.schema_arrow
    names = [name for name in project.source_columns if name in schema.names]
    dates = schema.field(project.columns.date).type if project.columns.date in names else pa.null()
    if not pa.types.is_temporal(dates):
        # No statistics tell the days of text; read as one, its dates are compared with each other.
        yield file.read(columns=names), 0
        return
    before = 0
    for group in range(file.metadata.num_row_groups):
        days = group_days(file, group, project)
        inside = window is None or days is None or (days[0] < window[1] and days[1] >= window[0])
        if inside:
            yield file.read_row_group(group, columns=names), before
        before += file.metadata.row_group(group).num_rows


def some_row_groups(file: Any, most_rows: int) -> tuple[Any, bool]:
    """All columns of row groups spread evenly over a file, and whether they are all of it."""
    count = file.metadata.num_row_groups
    if not count:
        return file.read(), True
    each = max(1, file.metadata.num_rows // count)
    groups = evenly(range(count), max(1, most_rows // each))
    return file.read_row_groups(groups), len(groups) == count


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, the first and the last among them where two are wanted."""
    if len(items) <= most:
        return list(items)
    if most < 2:
        return [items[-1]]
    return [items[round(n * (len(items) - 1) / (most - 1))] for n in range(most)]


def file_days(file: Any, project: Project) -> Window | None:
    """The first and the last day of a file by its statistics; None where they do not tell."""
    groups = [group_days(file, group, project) for group in range(file.metadata.num_row_groups)]
    known = [days for days in groups if days is not None]
    if not known or len(known) < len(groups):
        return None
    return min(first for first, _ in known), max(last for _, last in known)


def group_days(file: Any, group: int, project: Project) -> Window | None:
    """The first and the last day of a row group; None where its statistics do not tell."""
    about = file.metadata.row_group(group)
    for column in map(about.column, range(about.num_columns)):
        if column.path_in_schema == project.columns.date:
            found = column.statistics
            if found is None or not found.has_min_max or found.null_count:
                return None
            first, last = _day(found.min, project), _day(found.max, project)
            return (first, last) if first and last else None
    return None


def _day(value: Any, project: Project) -> dt.date | None:
    """The local day of a statistic; None for text, whose order is not that of the days.

    And for what is no day, since it is left out once it is read.
    """
    if not isinstance(value, dt.date) or not YEARS[0].year <= value.year < YEARS[1].year:
        return None
    if isinstance(value, dt.datetime):
        zone = zoneinfo.ZoneInfo(project.time_zone) if value.tzinfo else None
        local: dt.datetime = value.astimezone(zone) if zone else value
        return local.date()
    return value
