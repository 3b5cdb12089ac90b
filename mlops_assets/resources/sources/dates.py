"""The local day of a row, from whatever a source writes in its date column."""

from __future__ import annotations

import calendar
import datetime as dt
import zoneinfo
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.project import DateOrder
from mlops_assets.resources.sources.base import SourceError

WRITE = "write dates such as 2026-01-31"
# The year is the number with four digits, first or last; RE2, which pyarrow uses, knows no
# back reference, so that the second separator is compared afterwards.
DATE_TEXT = (
    r"^\s*(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P<t>[-/.])(?P<c>\d{1,4})"
    r"(?:[T ]\s*(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)"
    r"(?:[.,]\d{1,9})?)?\s*"
    r"(?:(?P<zone>Z|z|UTC|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?)|[AaPp][Mm])?)?\s*$"
)


def local_days(
    values: Any,
    place: str,
    time_zone: str,
    order: DateOrder | None = None,
    first_row: int = 0,
) -> pd.Series[pd.Timestamp]:
    """Midnight of the local day of each value of an Arrow array, `datetime64[ns]`, without a zone.

    Values without a zone are local times; those with one are converted. `place` names file and
    column in errors, in which rows count from 1 after `first_row`. SourceError for missing
    values, for what is no date, and for what could be read in two ways.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = is_text(values.type)
    empty = pc.equal(pc.utf8_trim_whitespace(values), "") if text else pc.is_null(values)
    _refuse_missing(pc.fill_null(empty, True), place, first_row)
    try:
        if text:
            days = _days_of_text(values, place, time_zone, order)
        elif pa.types.is_timestamp(values.type):
            stamps = values.to_pandas()
            days = stamps.dt.normalize() if stamps.dt.tz is None else _local(stamps, time_zone)
        elif pa.types.is_date(values.type):
            days = pc.cast(values, pa.timestamp("ms")).to_pandas()
        else:
            example = values[0].as_py() if len(values) else "nothing"
            raise SourceError(f"{place} is no date: {example!r} is a number; {WRITE}")
        return pd.Series(days).astype("datetime64[ns]")
    except pd.errors.OutOfBoundsDatetime as error:
        raise SourceError(f"{place} is no date: {error}; {WRITE}") from error


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _local(instants: pd.Series[pd.Timestamp], time_zone: str) -> pd.Series[pd.Timestamp]:
    # The name of a zone would do, but ends daylight saving in 2037.
    local = instants.dt.tz_convert(zoneinfo.ZoneInfo(time_zone))
    return local.dt.tz_localize(None).dt.normalize()


def _refuse_missing(missing: Any, place: str, first_row: int) -> None:
    rows = pc.indices_nonzero(missing)
    if len(rows):
        where = ", ".join(str(first_row + row.as_py() + 1) for row in rows[:3])
        more = ", ..." if len(rows) > 3 else ""
        raise SourceError(
            f"{place} is empty in {len(rows)} row(s): row {where}{more}; give them a date, or "
            "remove them from the source"
        )


def _days_of_text(
    values: Any, place: str, time_zone: str, order: DateOrder | None
) -> pd.Series[pd.Timestamp]:
    encoded = values.dictionary_encode()
    texts = encoded.dictionary.to_pandas()
    if not len(texts):
        return pd.Series(dtype="datetime64[ns]")
    found = pc.extract_regex(encoded.dictionary, pattern=DATE_TEXT)
    names = [found.type[at].name for at in range(found.type.num_fields)]
    columns = [values.to_pandas() for values in found.flatten()]
    parts = pd.DataFrame(dict(zip(names, columns, strict=True)))
    broken = parts["a"].isna() | (parts["s"] != parts["t"])
    year_first = parts["a"].str.len() == 4
    broken |= ~year_first & (parts["c"].str.len() != 4)
    broken |= year_first & (parts["c"].str.len() > 2)
    broken |= ~year_first & (parts["a"].str.len() > 2)
    if broken.any():
        wrong = texts[broken].iloc[0]
        why = f"{wrong} is a number" if wrong.strip().isdigit() else f"{wrong!r}"
        raise SourceError(f"{place} is no date: {why}; {WRITE}")
    _refuse_two(texts, year_first.map(str) + parts["s"], place, "dates in two formats")
    zoned = parts["zone"] != ""
    _refuse_two(texts, zoned, place, "times with and without a time zone")
    if year_first.all():
        year, month, day = parts["a"], parts["b"], parts["c"]
    else:
        year = parts["c"]
        day, month = parts["a"], parts["b"]
        if _order(texts, parts, place, order) is DateOrder.MONTH_FIRST:
            day, month = month, day
    numbers = {"year": year.astype(int), "month": month.astype(int), "day": day.astype(int)}
    days = pd.to_datetime(pd.DataFrame(numbers), errors="coerce")
    if days.isna().any():
        wrong = texts[days.isna()].iloc[0]
        raise SourceError(f"{place} is no date: {wrong!r}; {WRITE}")
    if zoned.any():
        offset = _minutes(parts["hours"], parts["minutes"])
        offset = offset.where(parts["sign"] != "-", -offset)
        utc = days + _minutes(parts["hour"], parts["minute"]) - offset
        days = (
            utc.dt.tz_localize("UTC")
            .dt.tz_convert(zoneinfo.ZoneInfo(time_zone))
            .dt.tz_localize(None)
        )
        days = days.dt.normalize()
    return days.take(encoded.indices.to_numpy()).reset_index(drop=True)


def _minutes(hours: pd.Series[str], minutes: pd.Series[str]) -> pd.Series[pd.Timedelta]:
    whole = pd.to_numeric(hours).fillna(0) * 60 + pd.to_numeric(minutes).fillna(0)
    return pd.to_timedelta(whole, unit="min")


def _refuse_two(texts: pd.Series[str], kinds: pd.Series[Any], place: str, what: str) -> None:
    first = texts.iloc[0]
    others = texts[kinds != kinds.iloc[0]]
    if len(others):
        raise SourceError(
            f"{place} holds {what}: {first!r} and {others.iloc[0]!r}; write them all in one way"
        )


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
