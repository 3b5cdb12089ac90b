"""The rows of a day to come of which there is one for each hour, or quarter of it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence

from mlops_assets.lazy import pd
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.feature_settings import TimePart

STEP = dt.timedelta(minutes=15)
ONE_DAY = dt.timedelta(days=1)


def clock_of(day: dt.date, time_zone: str) -> Iterator[dict[str, float]]:
    """Every quarter of an hour of a local day: 92, 96 or 100 of them where clocks change."""
    zone = zoneinfo.ZoneInfo(time_zone)
    at, end = (
        dt.datetime.combine(one, dt.time(), zone).astimezone(dt.UTC) for one in (day, day + ONE_DAY)
    )
    while at < end:
        local = at.astimezone(zone)
        yield {
            TimePart.HOUR.value: float(local.hour),
            TimePart.QUARTER_HOUR.value: float(local.minute // 15),
            TimePart.FOLD.value: float(local.fold),
        }
        at += STEP


def times_of(plan: FeaturePlan, rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The times of a day, of those that rows of other days have; in the order of the clock."""
    parts = [str(part) for part in plan.times]
    times = pd.DataFrame([*clock_of(day, plan.time_zone)])[parts].drop_duplicates()
    same = [part for part in parts if part != TimePart.FOLD]
    return times.merge(rows[same].drop_duplicates(), on=same).sort_values(
        [part for part in (TimePart.HOUR, TimePart.FOLD, TimePart.QUARTER_HOUR) if part in parts],
        ignore_index=True,
    )


def every_time(
    plan: FeaturePlan, planned: pd.DataFrame, before: pd.DataFrame, times: pd.DataFrame
) -> tuple[pd.DataFrame, bool]:
    """A row for each series and time of a day to come, and whether the source had all of them.

    `planned` are rows of the day that the source has already, `before` those of the newest known
    day. What is not planned is filled with the inputs of the same time of that day, else of the
    nearest one.
    """
    parts = [*times]
    names = [name for name in plan.columns.series if name not in parts]
    whole = _sizes(planned, names).ge(len(times)).any()
    of_series = planned if whole else pd.concat([planned, before])
    grid = of_series[names].drop_duplicates().merge(times, how="cross") if names else times
    told = planned[plan.columns.names].drop_duplicates(plan.columns.series)
    found = grid.merge(told, on=plan.columns.series, how="left", indicator="planned")
    known = (found.pop("planned") == "both").to_numpy()
    if known.all():
        return found, True
    same = [*names, *(part for part in parts if part != TimePart.FOLD)]
    inputs = [name for name in plan.columns.names if name not in plan.columns.series]
    usual = before[[*same, *inputs]].drop_duplicates(same)
    filled = grid[same].merge(usual, on=same, how="left")[inputs]
    filled = _nearest(filled, grid, names)
    for name in inputs:
        found[name] = found[name].where(known, filled[name])
    return found, False


def _sizes(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series[int]:
    """How many rows each series has."""
    return rows.groupby([*names] or (lambda _: 0)).size()


def _nearest(filled: pd.DataFrame, grid: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Inputs, where a time has none those of the one before it of the series, else after it."""
    key = [grid[name] for name in names] or (lambda _: 0)
    found = filled.copy()
    for rows in filled.groupby(key, dropna=False).indices.values():
        found.iloc[rows] = filled.iloc[rows].ffill().bfill()
    return found
