"""Rows of series that have none on a day, where that means that nothing happened."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.features.feature_settings import ColumnSettings
from mlops_assets.ml.metrics.metric import BoolArray, IntArray

# A series has ended after so many times its longest time without a row, but at least so many days:
# of items that are sold on one day in fifty by chance, 2 % of the zeros are lost by it, and of more
# usual ones next to none.
LONGER, SHORTEST_PAUSE = 3, 84


def with_absent_rows(
    columns: ColumnSettings,
    rows: pd.DataFrame,
    start: dt.date,
    end: dt.date,
    *,
    ending: bool = True,
) -> pd.DataFrame:
    """The rows of the days [start, end), of all in `rows`, with those that are absent, by day.

    `rows` are sorted by day and reach back to where series begin. Inputs of an absent row are those
    of its day, where all of its rows have the same, else the last ones that its series had. A
    series that had no row for much longer than its longest gap by then has ended, and has none
    until it comes again; unless series are said not to be `ending`.
    """
    date, keys = columns.date, columns.series
    rows = rows.reset_index(drop=True)
    asked = (rows[date] >= pd.Timestamp(start)) & (rows[date] < pd.Timestamp(end))
    there = rows[asked]
    if there.empty:
        return there.reset_index(drop=True)
    day, all_days = pd.factorize(rows[date])  # counts up, as the rows are sorted
    key = rows.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    wanted = np.unique(day[asked])
    count = len(all_days)
    places = np.unique(key * count + day)  # of a series' rows, one after another
    begun = np.full(key.max() + 1, count)
    np.minimum.at(begun, key, day)
    grid_key, grid_day = np.nonzero(begun[:, None] <= wanted[None, :])
    cells = grid_key * count + wanted[grid_day]
    absent = cells[~np.isin(cells, places, assume_unique=True)]
    if ending:
        absent = absent[_goes_on(absent, places, count)]
    last_row = pd.Series(np.arange(len(rows))).groupby(key * count + day).last()
    before = last_row.to_numpy()[np.searchsorted(last_row.index.to_numpy(), absent) - 1]
    filled = rows.iloc[before].assign(**{date: all_days[absent % count]})
    filled = filled.assign(**{columns.target: 0.0}).reset_index(drop=True)
    for name in columns.names:
        if name not in (*keys, date, columns.target):
            filled[name] = _of_day(there[name], there[date], filled[date], filled[name])
    joined = pd.concat([there, filled], ignore_index=True) if len(filled) else there
    return joined.sort_values(date, kind="stable", ignore_index=True)


def _goes_on(absent: IntArray, places: IntArray, count: int) -> BoolArray:
    """Whether the series of each absent row has not ended by its day.

    Both hold days numbered by series and, of `count` days, the day; `places`, where rows are, in
    ascending order.
    """
    of = pd.Series(places // count)
    gaps = pd.Series(places).groupby(of).diff().fillna(1.0) - 1.0
    longest = gaps.groupby(of).cummax().to_numpy()
    last = np.searchsorted(places, absent) - 1
    allowed = np.maximum(LONGER * longest[last], SHORTEST_PAUSE)
    return np.asarray(absent - places[last] <= allowed)


def _of_day(
    values: pd.Series[Any],
    days: pd.Series[pd.Timestamp],
    wanted: pd.Series[pd.Timestamp],
    else_: pd.Series[Any],
) -> pd.Series[Any]:
    """What all of several rows of a day have in common, for each of the days wanted."""
    groups = values.groupby(days)
    common = groups.first()[(groups.nunique(dropna=False) == 1) & (groups.size() > 1)]
    known = wanted.isin(common.index)
    found: pd.Series[Any] = else_.mask(known, wanted.map(common))
    return found.astype(else_.dtype)
