"""The local time of a row, from whatever a source writes in its date column."""

from __future__ import annotations

import calendar
import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mlops_assets.lazy import np, pa, pc, pd
from mlops_assets.ml.values import is_text, plain
from mlops_assets.project import DateOrder
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.periods import MONTHS, with_first_days

WRITE = "write dates such as 2026-01-31"
# The year is the number with four digits, first or last; RE2, which pyarrow uses, knows no
# back reference, so that the second separator is compared afterwards.
DATE_TEXT = (
    r"^\s*(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P<t>[-/.])(?P<c>\d{1,4})"
    r"(?:[T ]\s*(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)"
    r"(?:[.,]\d{1,9})?)?\s*"
    r"(?:(?P<zone>Z|z|UTC|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?)"
    r"|(?P<half>[AaPp])[Mm])?)?\s*$"
)
DAY_MONTH = rf"(?i)^\s*(\d{{1,2}})[-/. ]?\s*({MONTHS})[a-z]*[-/., ]+(\d{{2}}|\d{{4}})\b"
MONTH_DAY = rf"(?i)^\s*({MONTHS})[a-z]*[-/. ]+(\d{{1,2}})(?:st|nd|rd|th)?[, ]+(\d{{4}})\b"
PERIOD = "period"
DIGITS = r"^\s*\d{8,19}(?:\.0+)?\s*$"
# From which number on one counts seconds since 1970, milliseconds and so on, and how many a second.
EPOCHS = ((1e8, 1e0), (1e11, 1e3), (1e14, 1e6), (1e17, 1e9))
YEARS = dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1)  # far within what pandas holds
UTC = "datetime64[ns, UTC]"
MOST_BROKEN = 0.5  # with as large a share of rows that are no dates, none of them is trusted
MOST_OTHERWISE = 0.1  # the share of rows that may be written in another way than the rest


class Odd(NamedTuple):
    """Rows without a day."""

    rows: Any
    """Which, as flags of all rows."""
    what: str
    """What to say of them, with a place for an example."""
    most: float = MOST_BROKEN


class Times(NamedTuple):
    """When rows are: NaT where nobody knows."""

    local: pd.Series[pd.Timestamp]
    """Local times, `datetime64[ns]`, without a zone."""
    instants: pd.Series[pd.Timestamp] | None = None
    """The same in UTC, where the values have a zone."""

    @property
    def days(self) -> pd.Series[pd.Timestamp]:
        """Midnight of each local day."""
        return self.local.dt.normalize()

    def of(self, rows: pd.Series[bool]) -> Times:
        """Those of some of the rows."""
        return self.each(lambda times: times[rows].reset_index(drop=True))

    def each(self, change: Callable[[pd.Series[Any]], pd.Series[Any]]) -> Times:
        """The times once they are changed in the same way as the instants."""
        changed = None if self.instants is None else change(self.instants)
        return Times(change(self.local), changed)


def local_times(
    values: Any,
    place: str,
    time_zone: str,
    order: DateOrder | None = None,
    first_row: int = 0,
    left_out: list[str] | None = None,
) -> Times:
    """The local time of each value of an Arrow array.

    Values without a zone are local times; those with one are converted. Whole numbers are days
    such as 20260131, else instants in seconds, milliseconds or finer since 1970. `place` names file
    and column in errors, in which rows count from 1 after `first_row`.

    What is missing or no date has no time, and what to say of it goes to `left_out`. SourceError
    where that is not given, for what could be read in two ways, and where too many rows are odd.
    """
    values = plain(values)
    odd: list[Odd] = []
    if is_text(values):
        times, odd = _times_of_text(values, time_zone, place, order)
    elif pa.types.is_temporal(values.type) and not pa.types.is_time(values.type):
        times = _times_of_stamps(values, time_zone)
    else:
        times = times_of_numbers(values, time_zone)
    for message, rows, most in _told(values, times.local, odd, place, first_row):
        if left_out is None or rows >= most * len(values):
            raise SourceError(message)
        left_out.append(message)
    return times


def _told(
    values: Any, times: pd.Series[pd.Timestamp], odd: list[Odd], place: str, first_row: int
) -> Iterator[tuple[str, int, float]]:
    """What to say of the rows without a time, of how many, and how large a share they may be."""
    broken = times.isna().to_numpy()
    if not broken.any():
        return
    empty = pc.is_null(values)
    if is_text(values):
        empty = pc.or_kleene(empty, pc.equal(pc.utf8_trim_whitespace(values), ""))
    empty = empty.to_numpy(zero_copy_only=False).astype(bool)
    if count := int(empty.sum()):
        shown = ", ".join(str(first_row + row + 1) for row in np.flatnonzero(empty)[:3])
        more = ", ..." if count > 3 else ""
        yield (
            f"{place} is empty in {count} row(s): row {shown}{more}; give them a date, or remove "
            "them from the source",
            count,
            MOST_BROKEN,
        )
    rest = broken & ~empty
    for one in [*odd, Odd(rest, f"is no date: {{}}; {WRITE}")]:
        rows = np.flatnonzero(one.rows & rest)
        rest &= ~one.rows
        if len(rows):
            value = values[int(rows[0])].as_py()
            example = repr(value) if isinstance(value, str) else str(value)
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            example = f"{example} in row {first_row + rows[0] + 1}{more}"
            yield f"{place} {one.what.format(example)}", len(rows), one.most


def _times_of_stamps(values: Any, time_zone: str) -> Times:
    if pa.types.is_date(values.type):
        values = pc.cast(values, pa.timestamp("ms"))
    many = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    counts = pc.cast(values, pa.int64())
    low, high = (int(end.replace(tzinfo=dt.UTC).timestamp()) * many for end in YEARS)
    possible = pc.and_(pc.greater_equal(counts, low), pc.less(counts, high))
    if not pc.all(possible).as_py():
        values = pc.if_else(possible, values, pa.scalar(None, values.type))
    stamps = values.to_pandas()
    if stamps.dt.tz is None:
        return Times(stamps.astype("datetime64[ns]"))
    return Times(in_zone(stamps, time_zone), stamps.dt.tz_convert("UTC").astype(UTC))


def times_of_numbers(values: Any, time_zone: str) -> Times:
    """Of 20260131 that day, of larger numbers the instant since 1970; else none."""
    if pa.types.is_boolean(values.type) or pa.types.is_nested(values.type):
        values = pa.nulls(len(values))
    counts = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    written = pd.Series(np.where(counts % 1 == 0, counts, np.nan)).astype("Int64").astype("string")
    days = pd.to_datetime(written.where(counts < EPOCHS[0][0]), format="%Y%m%d", errors="coerce")
    local = days.where((days >= YEARS[0]) & (days < YEARS[1])).astype("datetime64[ns]")
    instants = pd.Series(pd.NaT, local.index, dtype=UTC)
    ends = [least for least, _ in EPOCHS[1:]] + [np.inf]
    for (least, many), end in zip(EPOCHS, ends, strict=True):
        here = (counts >= least) & (counts < end) & (counts / many < YEARS[1].timestamp())
        if here.any():
            instants[here] = pd.to_datetime(counts[here] / many, unit="s", utc=True)
    told = instants.notna()
    return Times(local.where(~told, in_zone(instants, time_zone)), instants if told.any() else None)


def in_zone(instants: pd.Series[pd.Timestamp], time_zone: str) -> pd.Series[pd.Timestamp]:
    """The local times of instants, without a zone."""
    # The name of a zone would do, but ends daylight saving in 2037.
    local = instants.dt.tz_convert(zoneinfo.ZoneInfo(time_zone))
    return local.dt.tz_localize(None).astype("datetime64[ns]")


def with_months_as_numbers(texts: Any) -> Any:
    """An Arrow array of texts, of which 5-Jan-26 and January 5, 2026 are written 2026-01-05."""
    if not pc.any(pc.match_substring_regex(texts, f"(?i){MONTHS}")).as_py():
        return texts
    for pattern, to in ((DAY_MONTH, r"\3-\2-\1"), (MONTH_DAY, r"\3-\1-\2")):
        texts = pc.replace_substring_regex(texts, pattern, to)
    texts = pc.replace_substring_regex(texts, r"^(\d\d-[A-Za-z]{3}-)", r"20\1")
    for number, name in enumerate(MONTHS.split("|"), 1):
        texts = pc.replace_substring_regex(texts, rf"(?i)^(\d{{4}})-{name}-", rf"\1-{number}-")
    return texts


def _times_of_text(
    values: Any, time_zone: str, place: str, order: DateOrder | None
) -> tuple[Times, list[Odd]]:
    """The time of each text, and why those have none that are sound by themselves."""
    encoded = values.dictionary_encode()
    texts = encoded.dictionary.to_pandas()
    where = pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False)
    rows = np.bincount(where, minlength=len(texts) + 1)[: len(texts)]
    parts = _parts(encoded.dictionary)
    times, odd = Times(pd.Series(pd.NaT, texts.index, dtype="datetime64[ns]")), []
    kept = parts["form"] != ""
    for kind, what in (
        ("form", "dates in two formats"),
        ("zoned", "times with and without a time zone"),
    ):
        if kept.any():
            usual = pd.Series(rows[kept]).groupby(parts[kind][kept].to_numpy(), sort=False).sum()
            other = kept & (parts[kind] != usual.idxmax())
            kept &= ~other
            said = f"holds {what}: {texts[kept].iloc[0]!r} and {{}}; write them all in one way"
            odd.append(Odd(np.append(other, False)[where], said, MOST_OTHERWISE))
    if kept.any():
        times = _times_of_parts(texts[kept], parts[kept], time_zone, place, order)
    return times.each(lambda one: one.reindex(where).reset_index(drop=True)), odd


def _parts(texts: Any) -> pd.DataFrame:
    """What texts are made of; their form is empty where they are no dates.

    A week, month or quarter is its first day, in a form of its own.
    """
    texts, periods = with_first_days(texts)
    found = pc.extract_regex(with_months_as_numbers(texts), pattern=DATE_TEXT)
    names = [found.type[at].name for at in range(found.type.num_fields)]
    columns = [values.to_pandas() for values in found.flatten()]
    parts = pd.DataFrame(dict(zip(names, columns, strict=True)))
    digits = pc.match_substring_regex(texts, DIGITS).to_numpy(zero_copy_only=False)
    first, last = parts["a"].str.len(), parts["c"].str.len()
    year_first, year_last = (first == 4) & (last <= 2), (first <= 2) & (last == 4)
    sound = (year_first | year_last) & (parts["s"] == parts["t"])
    form = parts["s"].where(~year_first, "year").where(sound, "")
    form = form.where(~digits, "digits").where(~periods, PERIOD)
    return parts.assign(form=form, zoned=parts["zone"].fillna("") != "")


def _times_of_parts(
    texts: pd.Series[str], parts: pd.DataFrame, time_zone: str, place: str, order: DateOrder | None
) -> Times:
    """The times of texts of one form."""
    form, zoned = parts["form"].iloc[0], parts["zoned"].iloc[0]
    if form == "digits":
        found = times_of_numbers(pa.array(texts.astype("float64")), time_zone)
        return found.each(lambda one: one.set_axis(texts.index))
    year, month, day = parts["a"], parts["b"], parts["c"]
    if form not in ("year", PERIOD):
        year, day, month = parts["c"], parts["a"], parts["b"]
        if _order(texts, parts, place, order) is DateOrder.MONTH_FIRST:
            day, month = month, day
    numbers = {"year": year.astype(int), "month": month.astype(int), "day": day.astype(int)}
    days = pd.to_datetime(pd.DataFrame(numbers), errors="coerce")
    days = days.where((days >= YEARS[0]) & (days < YEARS[1]))
    local = (days + _of_day(parts)).astype("datetime64[ns]")
    if not zoned:
        return Times(local)
    offset = _minutes(parts["hours"], parts["minutes"])
    instants = (local - offset.where(parts["sign"] != "-", -offset)).dt.tz_localize("UTC")
    return Times(in_zone(instants, time_zone), instants)


def _of_day(parts: pd.DataFrame) -> pd.Series[pd.Timedelta]:
    """How long after midnight times are, to the minute; 12 AM is midnight."""
    half, hour = parts["half"].str.lower(), pd.to_numeric(parts["hour"]).fillna(0)
    hour = hour.where((half == "") | (hour != 12), 0) + 12 * (half == "p").astype(int)
    return _minutes(hour, parts["minute"])


def _minutes(hours: pd.Series[Any], minutes: pd.Series[str]) -> pd.Series[pd.Timedelta]:
    whole = pd.to_numeric(hours).fillna(0) * 60 + pd.to_numeric(minutes).fillna(0)
    return pd.to_timedelta(whole, unit="min")


def _order(
    texts: pd.Series[str], parts: pd.DataFrame, place: str, order: DateOrder | None
) -> DateOrder:
    """Whether the day or the month comes first in dates whose year comes last."""
    first, second = parts["a"].astype(int) > 12, parts["b"].astype(int) > 12
    if first.any() and second.any():
        raise SourceError(
            f"{place} holds dates in two formats: {texts[first].iloc[0]!r} has the day first, "
            f"{texts[second].iloc[0]!r} the month; write them all in one way"
        )
    found = DateOrder.DAY_FIRST if first.any() else DateOrder.MONTH_FIRST if second.any() else order
    if order is not None and found is not order:
        other = texts[first | second].iloc[0]
        raise SourceError(f"{place} holds {other!r}, which is not {order.value}; correct csv.dates")
    if found is None and (parts["s"] == ".").all():
        found = DateOrder.DAY_FIRST  # 1.2.2026 is written so where the day comes first
    different = parts["a"].astype(int) != parts["b"].astype(int)
    if found is None and different.any():
        day, month = (int(parts.loc[different, part].iloc[0]) for part in "ab")
        raise SourceError(
            f"{place} holds {texts[different].iloc[0]!r}, which could be {day} "
            f"{calendar.month_name[month]} or {month} {calendar.month_name[day]}, and no date "
            "tells; set csv.dates of the source to day_first or month_first"
        )
    return found or DateOrder.DAY_FIRST


def midnight(day: dt.date, time_zone: str) -> dt.datetime:
    """The instant at which a local day begins."""
    return dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(time_zone))
