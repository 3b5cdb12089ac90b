"""Columns made of the times of rows: the hour, its quarter, and whether it comes again."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.features.feature_settings import TimePart
from mlops_assets.resources.sources.dates import Times, in_zone

PUT_BACK_MINUTES = (60, 30)  # by which clocks are put back anywhere
ONE_DAY = dt.timedelta(days=1)


def time_of_day(
    part: TimePart, times: Times, time_zone: str, alike: Sequence[pd.Series[Any]] = ()
) -> pd.Series[float]:
    """A part of the time of each row. `alike` are columns that tell rows of the same time apart.

    Without a zone, of equal times in an hour that comes twice the later ones in the order of the
    source come again.
    """
    match part:
        case TimePart.HOUR:
            return times.local.dt.hour.astype("float64")
        case TimePart.QUARTER_HOUR:
            return (times.local.dt.minute // 15).astype("float64")
        case _:
            again = _again(times.instants, time_zone) if times.instants is not None else None
            if again is None:
                again = _nth(times.local, alike) & _comes_twice(times.local, time_zone)
            return again.astype("float64")


def _again(instants: pd.Series[pd.Timestamp], time_zone: str) -> pd.Series[bool]:
    """Which instants had their local time once before."""
    local, found = in_zone(instants, time_zone), pd.Series(False, instants.index)
    for minutes in PUT_BACK_MINUTES:
        found |= in_zone(instants - pd.Timedelta(minutes=minutes), time_zone) == local
    return found


def _nth(local: pd.Series[pd.Timestamp], alike: Sequence[pd.Series[Any]]) -> pd.Series[bool]:
    """Which rows repeat the time of one before them."""
    columns = dict(enumerate([local, *alike]))
    return pd.DataFrame(columns).duplicated()


def _comes_twice(local: pd.Series[pd.Timestamp], time_zone: str) -> pd.Series[bool]:
    """Which local times there are two of."""
    zone = zoneinfo.ZoneInfo(time_zone)
    days = local.dt.normalize()
    put_back = [day for day in days.dropna().unique() if _hours(day.date(), zone) > ONE_DAY]
    near = local[days.isin(put_back)]
    twice = [time for time in near.unique() if _offset(time, zone, 0) > _offset(time, zone, 1)]
    return local.isin(twice)


def _offset(time: pd.Timestamp, zone: zoneinfo.ZoneInfo, fold: int) -> dt.timedelta:
    """How far ahead of UTC the first or the second of two equal local times is."""
    return zone.utcoffset(time.to_pydatetime().replace(fold=fold)) or dt.timedelta()


def changes_clocks(time_zone: str) -> bool:
    """Whether a zone has summer time this year."""
    zone, year = zoneinfo.ZoneInfo(time_zone), dt.date.today().year
    return len({dt.datetime(year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)}) > 1


def _hours(day: dt.date, zone: zoneinfo.ZoneInfo) -> dt.timedelta:
    """How long a day is."""
    ends = (dt.datetime.combine(at, dt.time(), tzinfo=zone) for at in (day, day + ONE_DAY))
    first, last = (end.astimezone(dt.UTC) for end in ends)
    return last - first
