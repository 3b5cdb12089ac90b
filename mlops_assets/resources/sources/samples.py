"""A sample of a table whose columns nobody has named yet, read as its source reads it later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.project import (
    ColumnSettings,
    DateOrder,
    FeatureSettings,
    FileSettings,
    Project,
    SqlSettings,
)
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.csv_files import COMMA
from mlops_assets.resources.sources.dates import DATE_TEXT, local_days
from mlops_assets.resources.sources.file import FileSource
from mlops_assets.resources.sources.rows import numbers
from mlops_assets.resources.sources.sql import SqlSource

MOST_FILES, MOST_ROWS = 60, 500_000
NOWHERE = "\0"  # no table has a column of that name
FOLDER_DATE = "date"  # what the day is called that folders year=/month=/day= tell
LOOKS_LIKE = 200  # values that show whether a text may be a date
CODE = r"^\s*0\d+\s*$"  # 007 is a name


@dataclass(frozen=True)
class DateColumn:
    """A column that holds dates."""

    days: pd.Series[pd.Timestamp]
    """The local day of each row."""
    moments: pd.Series[Any]
    """What tells times apart, the times of a day included."""
    timed: bool
    """Whether it holds times of the day."""
    zoned: bool
    """Whether its times have a zone."""


@dataclass(frozen=True)
class Sample:
    """Rows of a table. Columns of `frame` are float64 or text, without those that hold dates."""

    frame: pd.DataFrame
    whole: bool
    """Whether it holds all rows of the table."""
    dates: dict[str, DateColumn]
    unclear: dict[str, str] = field(default_factory=dict)
    """Columns that look like dates, with the reason why they cannot be read as such."""
    fractional: list[str] = field(default_factory=list)
    """Columns of the frame whose type has fractions, whether there are any or not."""
    flags: list[str] = field(default_factory=list)
    """Columns of the frame that are 1 and 0 for true and false."""
    strange: list[str] = field(default_factory=list)
    """Columns of values that are neither numbers nor text, which are not in the frame."""


def reading(
    source: FileSettings | SqlSettings,
    time_zone: str = "UTC",
    columns: ColumnSettings | None = None,
) -> Project:
    """A project of which only the source and the columns are known, to read with."""
    return Project.model_construct(
        source=source,
        time_zone=time_zone,
        columns=columns or ColumnSettings(date=FOLDER_DATE, target=NOWHERE),
        features=FeatureSettings(),
    )


def read_sample(source: FileSettings | SqlSettings, time_zone: str) -> Sample:
    """A sample of the rows of a source. SourceError."""
    project = reading(source, time_zone)
    table, whole, place = _table(source, project)
    if not len(table):
        raise SourceError(f"{place} holds no rows; a project begins with some")
    csv = source.csv if isinstance(source, FileSettings) else None
    dates: dict[str, DateColumn] = {}
    unclear: dict[str, str] = {}
    fractional: list[str] = []
    flags: list[str] = []
    strange: list[str] = []
    columns: dict[str, Any] = {}
    for name in filter(str.strip, table.column_names):  # a column without a name has no use
        column = table[name].combine_chunks()
        if _looks_like_dates(column):
            try:
                where = f"{place}: column {name!r}"
                dates[name] = _dates(column, where, time_zone, csv.dates if csv else None)
            except SourceError as error:
                unclear[name] = str(error)
                columns[name] = _text(column)
            continue
        values = _values(column, csv.thousands if csv else None)
        if values is None:
            strange.append(name)
        else:
            columns[name] = values
            exact = pa.types.is_integer(column.type) or _is_text(column.type)
            fractional += [] if exact else [name]
            flags += [name] if pa.types.is_boolean(column.type) else []
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    return Sample(frame, whole, dates, unclear, fractional, flags, strange)


def _table(source: FileSettings | SqlSettings, project: Project) -> tuple[Any, bool, str]:
    if isinstance(source, SqlSettings):
        database = SqlSource(source, project)
        table, whole = database.sample(MOST_ROWS)
        return table, whole, str(database)
    files = FileSource(source, project)
    tables, whole = files.sample(MOST_FILES, MOST_ROWS)
    try:
        return pa.concat_tables(tables, promote_options="permissive"), whole, str(files)
    except pa.ArrowException as error:
        raise SourceError(f"the files of {files} do not agree: {error}") from error


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _looks_like_dates(column: Any) -> bool:
    """Whether most of its first values are written as dates."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return bool(column.null_count < len(column))
    if not _is_text(column.type):
        return False
    first = pc.drop_null(column)[:LOOKS_LIKE]
    fitting = pc.sum(pc.match_substring_regex(first, DATE_TEXT)).as_py() or 0
    return len(first) > 0 and fitting > len(first) / 2


def _dates(column: Any, place: str, time_zone: str, order: DateOrder | None) -> DateColumn:
    days = local_days(column, place, time_zone, order)
    if _is_text(column.type):
        parts = pc.extract_regex(column, pattern=DATE_TEXT)
        hour, minute, zone = (pc.struct_field(parts, name) for name in ("hour", "minute", "zone"))
        late = pc.or_(_some(hour), _some(minute))
        timed, zoned = pc.any(late).as_py(), pc.any(pc.not_equal(zone, "")).as_py()
        moments: pd.Series[Any] = column.to_pandas()
    elif pa.types.is_timestamp(column.type):
        moments = column.to_pandas()
        zoned = column.type.tz is not None
        timed = bool((moments.dt.normalize() != moments).any())
    else:
        moments, timed, zoned = days, False, False
    return DateColumn(days, moments, bool(timed), bool(zoned))


def _some(part: Any) -> Any:
    """Which of the texts are a number above zero."""
    return pc.match_substring_regex(part, "[1-9]")


def _text(column: Any) -> pd.Series[Any]:
    found: pd.Series[Any] = column.to_pandas().astype(object)
    return found


def _values(column: Any, thousands: str | None) -> pd.Series[Any] | None:
    """The column as float64 where all its values are numbers, else as text; None if neither."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_null(kind):
        return _text(column)
    if not _is_text(kind):
        simple = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
        if not simple or pa.types.is_temporal(kind):
            return None
        return numbers(pa.chunked_array([column]))
    if pc.any(pc.match_substring_regex(column, CODE)).as_py():
        return _text(column)
    bare = pc.replace_substring(column, thousands, "") if thousands else column
    if pc.any(pc.match_substring_regex(bare, COMMA)).as_py():
        bare = pc.replace_substring(bare, ",", ".", max_replacements=1)
    found = numbers(pa.chunked_array([bare]))
    return found if found.dtype == "float64" and found.notna().any() else _text(column)
