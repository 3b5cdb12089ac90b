"""The time zone that the offsets of times tell of."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator

from mlops_assets.lazy import np
from mlops_assets.resources.sources.samples import DateColumn

TRIED = 200  # times, spread over all
COMMON = (
    *("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Los_Angeles", "Asia/Kolkata", "Asia/Tokyo", "Asia/Shanghai", "Australia/Sydney"),
    *("Europe/Athens", "Europe/Istanbul", "America/Sao_Paulo", "Asia/Dubai", "Asia/Singapore"),
)


def zone_of(column: DateColumn) -> str | None:
    """A zone in which the times of a column have the offsets that are written; None without one.

    Several zones may keep the same time: a common one is taken first.
    """
    if column.zone is not None:
        return column.zone
    if column.offsets is None or column.times.instants is None:
        return None
    known = column.times.instants.notna() & column.offsets.notna()
    instants, minutes = column.times.instants[known], column.offsets[known]
    if not len(minutes) or not minutes.any():
        return None
    spread = np.linspace(0, len(minutes) - 1, TRIED).astype(int)
    # and on both sides of changes of the clock: not only their months, their days must be right
    turns = np.flatnonzero(np.diff(minutes.to_numpy()))[:TRIED]
    at = np.unique(np.concatenate([spread, turns, turns + 1])).astype(int)
    asked = [
        (instant.to_pydatetime(), dt.timedelta(minutes=float(ahead)))
        for instant, ahead in zip(instants.iloc[at], minutes.iloc[at], strict=True)
    ]
    for name in _zones():
        zone = zoneinfo.ZoneInfo(name)
        if all(instant.astimezone(zone).utcoffset() == ahead for instant, ahead in asked):
            return name
    return None


def _zones() -> Iterator[str]:
    yield from COMMON
    yield from sorted(name for name in zoneinfo.available_timezones() if "/" in name)
