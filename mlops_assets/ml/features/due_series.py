"""Which series have a row due on a day: those that are there on days like it, and have not ended.

Known from where a series was seen alone: it begins with its first row, pauses on days like those on
which it mostly had none, and has ended once it was not seen for longer than twice its longest gap.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import DueDays
from mlops_assets.ml.metrics.metric import BoolArray, IntArray

WINDOW = 28  # days, or weeks or months, that are looked back on
ALIKE = 4  # of them, so many that are like the day
SHORTEST_PAUSE = 7  # no series has ended before, however regular it was


def due_rows(
    rows: pd.DataFrame, date: str, series: Sequence[str], day: dt.date, due: DueDays
) -> pd.DataFrame:
    """The last row of each series that is due on a day, as far as the rows before it tell.

    `rows` hold the WINDOW days before it, or those of them that are known by then. Days on which
    there is no row at all are no gap of any series.
    """
    first = pd.Timestamp(due.back(day, WINDOW))
    known = rows[(rows[date] >= first) & (rows[date] < pd.Timestamp(day))]
    if known.empty:
        return known
    at, days = pd.factorize(known[date], sort=True)
    code = known.groupby([*series], sort=False, dropna=False).ngroup().to_numpy()
    there = np.zeros((len(days), code.max() + 1), dtype=bool)
    there[at, code] = True
    like = due.all_alike(pd.DatetimeIndex(days)) == due.alike(day)
    kept = np.flatnonzero(~_ended(there) & _usual(there, np.flatnonzero(like)[-ALIKE:]))
    # the rows of the newest day first and as they are, then those of series that pause
    newest = np.lexsort((np.arange(len(at)), -at))
    newest = newest[~pd.Series(code[newest]).duplicated().to_numpy()]
    return known.iloc[newest[np.isin(code[newest], kept)]]


def _usual(there: BoolArray, like: IntArray) -> BoolArray:
    """Whether each series had a row on half of the days like it since it began, or was not yet."""
    begun = np.logical_or.accumulate(there, axis=0)[like].sum(axis=0)
    return np.asarray(2 * there[like].sum(axis=0) >= begun)


def _ended(there: BoolArray) -> BoolArray:
    """Whether each series was not seen for longer than twice its longest gap."""
    gap, longest = np.zeros(there.shape[1], dtype=int), np.zeros(there.shape[1], dtype=int)
    begun = np.zeros(there.shape[1], dtype=bool)
    for row in there:
        longest = np.where(row & begun, np.maximum(longest, gap), longest)
        gap = np.where(row, 0, gap + 1)
        begun |= row
    return np.asarray(gap > np.maximum(2 * longest, SHORTEST_PAUSE))
