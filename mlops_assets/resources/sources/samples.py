"""A sample of a table whose columns nobody has named yet, read as its source reads it later."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.markers import is_word
from mlops_assets.ml.values import (
    beyond_floats,
    is_flags,
    is_text,
    joined_tables,
    names,
    numbers,
    plain,
)
from mlops_assets.ml.written_numbers import ungrouped, unit_of, without_unit
from mlops_assets.project import (
    ColumnSettings,
    DateOrder,
    DateParts,
    FeatureSettings,
    FileSettings,
    Project,
    SqlSettings,
)
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.csv_files import (
    COMMA,
    SAMPLE,
    csv_header,
    csv_table,
)
from mlops_assets.resources.sources.date_parts import find_parts, joined_parts, told_period
from mlops_assets.resources.sources.dates import (
    DATE_TEXT,
    DIGITS,
    MOST_OTHERWISE,
    Times,
    local_times,
    times_of_numbers,
    with_months_as_numbers,
)
from mlops_assets.resources.sources.file import NO_VALUE, FileSource
from mlops_assets.resources.sources.folders import folder_days
from mlops_assets.resources.sources.parquet_files import evenly, open_parquet, some_row_groups
from mlops_assets.resources.sources.periods import are_periods
from mlops_assets.resources.sources.places import File
from mlops_assets.resources.sources.rows import repeated_columns, with_columns
from mlops_assets.resources.sources.sql import SqlSource
from mlops_assets.resources.sources.whole_files import whole_table

MOST_FILES, MOST_ROWS = 60, 500_000
MADE_DATE = "date"  # what the day is called that several columns tell
NOWHERE = "\0"  # no table has a column of that name
FOLDER_DATE = "date"  # what the day is called that folders year=/month=/day= tell
LOOKS_LIKE = 200  # values that show whether a text may be a date
LIKELY_YEARS = 1980, 2100  # of numbers that may be dates
INSTANTS = 10**8  # numbers as large are no dates such as 20260131, but may count from 1970
TIME_NAME = re.compile(r"(^|_)(date|day|ds|dt|time|timestamp|datetime|ts|at|epoch)($|_)", re.I)
CODE = r"^\s*0\d+\s*$"  # 007 is a name
NUMBER = r"(?i)^\s*(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?inf(?:inity)?)?\s*$"
# in the singular: `items` counts them
CODE_NAME = re.compile(
    r"(^|_)(id|code|nr|no|key|sku|ean|store|shop|item|product|site|sensor|station|region|branch|"
    r"department|customer|line)($|_)",
    re.IGNORECASE,
)
MOST_TEXTS, MOST_MARKERS, MOST_SHOWN = 0.02, 20, 3  # of a column of numbers


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
    times: Times
    """When its rows are."""
    left_out: list[str] = field(default_factory=list)
    """What to say of the rows that have no day."""
    offsets: pd.Series[Any] | None = None
    """How many minutes ahead of UTC its times are written; None where none is."""
    zone: str | None = None
    """The zone of its type, other than UTC."""


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
    notes: list[str] = field(default_factory=list)
    """What was found wrong with single values and rows, and is left out."""
    repeated: dict[str, str] = field(default_factory=dict)
    """What to say of columns that are there more than once, which are not in the frame."""
    markers: dict[str, list[str]] = field(default_factory=dict)
    """What stands in a column where there is no value, and is missing in the frame."""
    units: dict[str, str] = field(default_factory=dict)
    """What stands beside the numbers of a column."""
    parts: DateParts | None = None
    """The columns that the date is made of, which are not in the frame."""


class SampledFiles(FileSource):
    """Files of which some rows are looked at."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.repeated: dict[str, str] = {}
        """What to say of columns that are there more than once, and are not read."""

    def sample(self, most_files: int, most_rows: int) -> tuple[list[Any], bool]:
        """Tables of all columns of some files, and whether they are all rows. SourceError.

        The files are spread evenly over all. What a folder tells is a column too, CSV is text.
        """
        files = self._files()
        chosen = evenly(files, most_files)
        tables = self._each(chosen, lambda file: self._all_columns(file, most_rows // len(chosen)))
        whole = len(chosen) == len(files) and all(is_whole for _, is_whole in tables)
        return [table for table, _ in tables], whole

    def _all_columns(self, file: File, most_rows: int) -> tuple[Any, bool]:
        whole = True
        with self._opened(file) as handle:
            if self._is_parquet(file):
                opened = open_parquet(handle, str(file))
                names = opened.schema_arrow.names
                table, whole = some_row_groups(opened, most_rows)
            elif self._format(file) != "csv":
                table = whole_table(
                    handle.read(), self._format(file), str(file), self.settings.sheet
                )
                names = table.column_names
            else:
                data = handle.read()
                names = csv_header(data[:SAMPLE], str(file), self.settings.csv, self.project)
                known = [name for name in names if name and names.count(name) == 1]
                all_named = with_columns(self.project, categorical=known)
                left_out: list[str] = []
                table, _ = csv_table(data, str(file), self.settings.csv, all_named, left_out)
                self._leave_out(file, *left_out)
        if len(names) == len(table.column_names):
            table = table.select([at for at, name in enumerate(names) if names.count(name) == 1])
        self.repeated |= {name: f"{file} {said}" for name, said in repeated_columns(names).items()}
        days = folder_days(file, self.date)
        told = dict(file.keys)
        if days and days[0] == days[1] and self.date not in table.column_names:
            told[self.date] = str(days[0])
        for name, value in told.items():
            if name not in table.column_names:
                text = pa.repeat(None if value == NO_VALUE else value, len(table))
                table = table.append_column(name, text.cast(pa.string()))
        return table, whole


def reading(
    source: FileSettings | SqlSettings,
    time_zone: str = "UTC",
    columns: ColumnSettings | None = None,
    due: DueDays = EVERY_DAY,
) -> Project:
    """A project of which only the source and the columns are known, to read with."""
    return Project.model_construct(
        source=source,
        time_zone=time_zone,
        columns=columns or ColumnSettings(date=FOLDER_DATE, target=NOWHERE),
        features=FeatureSettings(),
        grain=due.grain,
        week_begins=due.week_begins,
    )


def read_sample(source: FileSettings | SqlSettings, time_zone: str) -> Sample:
    """A sample of the rows of a source. SourceError."""
    project = reading(source, time_zone)
    table, whole, place, left_out, repeated = _table(source, project)
    if not len(table):
        raise SourceError(f"{place} holds no rows; a project begins with some")
    csv = source.csv if isinstance(source, FileSettings) else None
    dates: dict[str, DateColumn] = {}
    unclear: dict[str, str] = {}
    periods: dict[str, str] = {}
    longer: dict[str, Any] = {}
    fractional: list[str] = []
    flags: list[str] = []
    strange: list[str] = []
    columns: dict[str, Any] = {}
    markers: dict[str, list[str]] = {}
    units: dict[str, str] = {}
    notes = [*left_out, *(f"{said}: not read; rename one" for said in repeated.values())]
    for name in filter(str.strip, table.column_names):  # a column without a name has no use
        column = plain(table[name])
        if _looks_like_dates(name, column):
            try:
                where = f"{place}: column {name!r}"
                dates[name] = _dates(column, where, time_zone, csv.dates if csv else None)
            except SourceError as error:
                unclear[name] = str(error)
                columns[name] = names(column)
            continue
        if is_text(column) and (why := told_period(name, pc.drop_null(column)[:LOOKS_LIKE])):
            periods[name] = why
        elif is_text(column) and are_periods(pc.drop_null(column)[:LOOKS_LIKE]):
            longer[name] = column
        unit = None if CODE_NAME.search(name) else unit_of(column)
        if unit is not None:
            column, units[name] = without_unit(column, unit), unit
            notes.append(f"column {name!r} is of numbers in {unit}")
        column, texts, are_missing = _texts_among_numbers(name, column)
        if texts:
            shown = told(dict(list(texts.items())[:MOST_SHOWN]))
            taken = "so missing there" if are_missing else "so that all of it is taken for names"
            notes.append(f"column {name!r} of numbers holds {shown}: no numbers, {taken}")
        if are_missing:
            markers[name] = list(texts)
        values = _values(column, csv.thousands if csv else None)
        if values is None:
            strange.append(name)
        else:
            columns[name] = values
            exact = pa.types.is_integer(column.type) or is_text(column)
            fractional += [] if exact else [name]
            flags += [name] if is_flags(column) else []
    for name in [] if dates else longer:  # beside dates, they are names
        dates[name] = _dates(longer[name], f"{place}: column {name!r}", time_zone, None)
        columns.pop(name, None)
    unclear |= {} if dates else periods
    parts = None
    if csv is not None and not dates and (parts := find_parts(table.column_names)):
        where = f"{place}: columns {', '.join(parts.names)}"
        dates[MADE_DATE] = _dates(joined_parts(table, parts), where, time_zone, None)
        columns = {name: values for name, values in columns.items() if name not in parts.names}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    return Sample(
        frame, whole, dates, unclear, fractional, flags, strange, notes, repeated, markers, units,
        parts,
    )  # fmt: skip


def told(found: Mapping[str, tuple[int, int]]) -> str:
    """What values, with their numbers of rows and the first of these, are said to be."""
    return ", ".join(
        f"{value!r} in {count} row(s), the first of them row {first + 1}"
        for value, (count, first) in found.items()
    )


def _texts_among_numbers(name: str, column: Any) -> tuple[Any, dict[str, tuple[int, int]], bool]:
    """The texts in a column of numbers, with their rows and the first one, and whether they mean
    that there is no number: then the column is without them.

    Words such as N/A do; other texts only where they are rare, and the column is not called like
    one of names.
    """
    if not is_text(column) or pc.any(pc.match_substring_regex(column, CODE)).as_py():
        return column, {}, False
    bare = pc.replace_substring_regex(column, "[.,']", "")
    odd = pc.fill_null(pc.invert(pc.match_substring_regex(bare, NUMBER)), False)
    texts = pc.utf8_trim_whitespace(column.filter(odd)).value_counts().to_pylist()
    counts = {one["values"]: one["counts"] for one in texts}
    others = {text: count for text, count in counts.items() if not is_word(text)}
    known = len(column) - column.null_count
    is_name = others and CODE_NAME.search(name)
    rare = sum(others.values()) <= MOST_TEXTS * known and len(others) <= MOST_MARKERS
    if not counts or sum(counts.values()) > known / 2 or is_name:
        return column, {}, False
    trimmed, shown = pc.utf8_trim_whitespace(column), list(counts.items())[:MOST_MARKERS]
    found = {text: (count, pc.index(trimmed, text).as_py()) for text, count in shown}
    if not rare:
        return column, found, False
    return pc.if_else(odd, pa.scalar(None, column.type), column), found, True


def without_stray_days(sample: Sample, date: str, latest: dt.date) -> Sample:
    """The rows that have a day which belongs to the others.

    A few days, at most one of a hundred, further from the others than these reach are none, nor is
    a day after the latest one.
    """
    column = sample.dates[date]
    days = column.days
    known = pd.Series(days.dropna().unique()).sort_values(ignore_index=True)
    few = max(1, len(known) // 100)
    first, last = 0, len(known) - 1
    while last > first and known[last] > pd.Timestamp(latest):
        last -= 1
    gaps = known.diff()
    for at in range(1, min(few, last) + 1):  # the days before `at` are stray
        if gaps[at] > known[last] - known[at]:
            first = at
    for at in range(last, max(first, last - few), -1):  # those from `at` on
        if gaps[at] > known[at - 1] - known[first]:
            last = at - 1
    kept = days.between(known[first], known[last])
    if kept.all():
        return replace(sample, notes=[*sample.notes, *column.left_out])
    stray = days[days.notna() & ~kept]
    notes = [*sample.notes, *column.left_out]
    if len(stray):
        shown = ", ".join(sorted({f"{day:%Y-%m-%d}" for day in stray})[:3])
        notes.append(f"{len(stray)} row(s) of {shown} are far from all others: left out")
    dates = {
        name: replace(
            one,
            days=_of(one.days, kept),
            moments=_of(one.moments, kept),
            times=one.times.of(kept),
        )
        for name, one in sample.dates.items()
    }
    frame = sample.frame[kept].reset_index(drop=True)
    return replace(sample, frame=frame, dates=dates, notes=notes)


def _of(values: pd.Series[Any], kept: pd.Series[bool]) -> pd.Series[Any]:
    return values[kept].reset_index(drop=True)


def _table(
    source: FileSettings | SqlSettings, project: Project
) -> tuple[Any, bool, str, list[str], dict[str, str]]:
    if isinstance(source, SqlSettings):
        database = SqlSource(source, project)
        table, whole = database.sample(MOST_ROWS)
        return table, whole, str(database), [], {}
    files = SampledFiles(source, project)
    tables, whole = files.sample(MOST_FILES, MOST_ROWS)
    return joined_tables(tables), whole, str(files), files.left_out(), files.repeated


def _looks_like_dates(name: str, column: Any) -> bool:
    """Whether most of its first values are written as dates."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return bool(column.null_count < len(column))
    first = pc.drop_null(column)[:LOOKS_LIKE]
    if not is_text(column):
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        return any(is_kind(column.type) for is_kind in kinds) and _days_as_numbers(name, first)
    written = with_months_as_numbers(first)
    fitting = pc.sum(pc.match_substring_regex(written, DATE_TEXT)).as_py() or 0
    if len(first) and fitting <= len(first) / 2 and pc.all(_digits(first)).as_py():
        return _days_as_numbers(name, pc.cast(pc.utf8_trim_whitespace(first), pa.float64()))
    return len(first) > 0 and fitting > len(first) / 2


def _digits(texts: Any) -> Any:
    return pc.match_substring_regex(texts, DIGITS)


def _days_as_numbers(name: str, counts: Any) -> bool:
    """Whether whole numbers are days such as 20260131, or by the name of the column instants."""
    years = times_of_numbers(counts, "UTC").local.dt.year
    sound = years.between(*LIKELY_YEARS)
    told = pc.all(pc.less(counts, INSTANTS)).as_py() or TIME_NAME.search(name) is not None
    return bool(len(sound) and told and sound.all())


def _dates(column: Any, place: str, time_zone: str, order: DateOrder | None) -> DateColumn:
    left_out: list[str] = []
    times = local_times(column, place, time_zone, order, left_out=left_out)
    days = times.days
    if left_out and days.isna().mean() > MOST_OTHERWISE:
        raise SourceError(left_out[0])
    parts = None
    if is_text(column) and not pc.all(_digits(column)).as_py():
        parts = pc.extract_regex(with_months_as_numbers(column), pattern=DATE_TEXT)
        hour, minute, zone = (pc.struct_field(parts, name) for name in ("hour", "minute", "zone"))
        late = pc.or_(_some(hour), _some(minute))
        timed, zoned = pc.any(late).as_py(), pc.any(pc.not_equal(zone, "")).as_py()
        moments: pd.Series[Any] = column.to_pandas()
    elif pa.types.is_timestamp(column.type):
        moments = column.to_pandas()
        zoned = column.type.tz is not None
        timed = bool((moments.dt.normalize() != moments).any())
    else:
        moments = days if pa.types.is_date(column.type) else numbers(column)
        timed = zoned = bool(moments.nunique() > days.nunique())
    offsets = zone = None
    if zoned and is_text(column) and parts is not None:
        offsets = _offsets(parts)
    elif zoned and pa.types.is_timestamp(column.type) and "/" in column.type.tz:
        zone = column.type.tz
    return DateColumn(days, moments, bool(timed), bool(zoned), times, left_out, offsets, zone)


def _offsets(parts: Any) -> pd.Series[Any]:
    """How many minutes ahead of UTC texts of times are, by what their expression found."""
    found = (pc.struct_field(parts, name).to_pandas() for name in ("sign", "hours", "minutes"))
    sign, hours, minutes = found
    size = pd.to_numeric(hours).fillna(0) * 60 + pd.to_numeric(minutes).fillna(0)
    offsets: pd.Series[Any] = size.where(sign != "-", -size)
    return offsets


def _some(part: Any) -> Any:
    """Which of the texts are a number above zero."""
    return pc.match_substring_regex(part, "[1-9]")


def _values(column: Any, thousands: str | None) -> pd.Series[Any] | None:
    """The column as float64 where all its values are numbers, else as text; None if neither."""
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind):
        return None
    if pa.types.is_null(kind) or beyond_floats(column):
        return names(column)
    if not is_text(column):
        return numbers(column)
    if pc.any(pc.match_substring_regex(column, CODE)).as_py():
        return names(column)
    bare = pc.replace_substring(column, thousands, "") if thousands else column
    bare = ungrouped(bare)
    if pc.any(pc.match_substring_regex(bare, COMMA)).as_py():
        bare = pc.replace_substring(bare, ",", ".", max_replacements=1)
    found = numbers(bare)
    return found if found.dtype == "float64" and found.notna().any() else names(column)
