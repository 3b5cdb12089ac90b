"""Rows of series that have none on a day, where that means that nothing happened."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.features.feature_settings import ColumnSettings


def with_absent_rows(
    columns: ColumnSettings, rows: pd.DataFrame, start: dt.date, end: dt.date
) -> pd.DataFrame:
    """The rows of the days [start, end), of all in `rows`, with those that are absent, by day.

    `rows` are sorted by day and reach back to where series begin. Inputs of an absent row are those
    of its day, where all of its rows have the same, else the last ones that its series had.
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
    last_row = pd.Series(np.arange(len(rows))).groupby(key * count + day).last()
    before = last_row.to_numpy()[np.searchsorted(last_row.index.to_numpy(), absent) - 1]
    filled = rows.iloc[before].assign(**{date: all_days[absent % count]})
    filled = filled.assign(**{columns.target: 0.0}).reset_index(drop=True)
    for name in columns.names:
        if name not in (*keys, date, columns.target):
            filled[name] = _of_day(there[name], there[date], filled[date], filled[name])
    joined = pd.concat([there, filled], ignore_index=True) if len(filled) else there
    return joined.sort_values(date, kind="stable", ignore_index=True)


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
