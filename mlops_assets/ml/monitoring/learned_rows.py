"""The rows that a version learned from, of which many windows of days are compared with the rest.

A column is sorted once, in blocks; how many values of each day a block holds tells where the
quantiles of a window, and of all other days, lie. So a window costs the same on a table of any
length, and says to the last bit what sorting its values would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import FloatArray, IntArray

QUANTILES = 200


class Span(NamedTuple):
    """A window of days, and where its rows lie; its later rows are not of its first day."""

    first_day: int
    end_day: int
    start: int
    later: int
    end: int


class LearnedRows:
    """Rows in the order of days, and within one of the names of series."""

    def __init__(
        self, rows: pd.DataFrame, date: str, series: Sequence[str], due: DueDays = EVERY_DAY
    ) -> None:
        self._rows = rows
        keys = rows[[date, *series]].reset_index(drop=True)
        self._order = keys.sort_values([date, *series], kind="stable").index.to_numpy()
        numbers = due.numbers(keys[date])[self._order]
        self.day = numbers - numbers[0]
        self._previous = rows_before(keys, date, series, self._order)

    def __len__(self) -> int:
        return len(self._order)

    def spans(self, days: int) -> list[Span]:
        """The windows of so many days that hold some of the rows, but not all."""
        last = int(self.day[-1])
        edge = np.searchsorted(self.day, np.arange(last + 2))
        spans = [
            Span(first, end, int(edge[first]), int(edge[first + 1]), int(edge[end]))
            for first in range(last - days + 2)
            if (end := min(first + days, last + 1))
        ]
        return [s for s in spans if s.start < s.end and (s.start, s.end) != (0, len(self))]

    def column(self, name: str) -> pd.Series[Any]:
        """A column in this order."""
        return self._rows[name].iloc[self._order]

    def numbers(self, name: str) -> FloatArray:
        values: FloatArray = self._rows[name].to_numpy(dtype=float)[self._order]
        return values

    def repeats(self, values: FloatArray) -> FloatArray:
        """Of each row 1 where a number is that of the series' row before, missing at the first."""
        return repeats(values, self._previous)

    def some(self, most: int, without: Span | None = None, within: Span | None = None) -> Any:
        """At most so many rows by chance, of all or of those outside or inside of a window."""
        inside = np.arange(len(self))
        if within is not None:
            inside = inside[within.start : within.end]
        if without is not None:
            inside = np.delete(inside, slice(without.start, without.end))
        # any first n of them are those that were drawn if n were asked for
        drawn = np.random.RandomState(0).choice(len(inside), min(most, len(inside)), replace=False)
        return self._rows.iloc[self._order[inside[drawn]]]


class Shares:
    """How many rows have a flag, of those where it is known: in a run of rows, and outside."""

    def __init__(self, flags: FloatArray) -> None:
        known = ~np.isnan(flags)
        self._sums = [
            np.concatenate([[0.0], np.cumsum(one, dtype=float)])
            for one in (np.where(known, flags, 0.0), known)
        ]

    def of(self, start: int, end: int) -> float:
        return _share(*(float(sums[end] - sums[start]) for sums in self._sums))

    def rest(self, start: int, end: int) -> float:
        return _share(*(float(sums[-1] - (sums[end] - sums[start])) for sums in self._sums))


class Ordered:
    """A column of numbers sorted, with how many values of each day are in each of its blocks."""

    def __init__(self, values: FloatArray, day: IntArray) -> None:
        order = np.argsort(values)  # missing ones last
        self.values = values[order][: len(values) - int(np.isnan(values).sum())]
        count = len(self.values)
        self._days = day[order[:count]].astype("int32")
        self._size = math.isqrt(count) + 1
        blocks, days = -(-count // self._size), int(day[-1]) + 1
        cells = np.arange(count) // self._size * days + self._days
        counts = np.bincount(cells, minlength=blocks * days).reshape(blocks, days)
        self._until = np.zeros((blocks, days + 1), dtype=np.int64)
        np.cumsum(counts, axis=1, out=self._until[:, 1:])

    def quantiles(self, first: int, end: int, *, rest: bool) -> FloatArray:
        """Those of the values of the days [first, end), or of all others."""
        counts = self._until[:, end] - self._until[:, first]
        if rest:
            counts = self._until[:, -1] - counts
        before = np.concatenate([[0], counts.cumsum()])
        wanted = positions(int(before[-1]))
        if not len(wanted):
            return self.values[:0]
        block = np.searchsorted(before, wanted, side="right") - 1
        at = np.minimum(block[:, None] * self._size + np.arange(self._size), len(self.values) - 1)
        inside = (self._days[at] >= first) & (self._days[at] < end)
        passed = np.cumsum(inside != rest, axis=1, dtype=np.int32)
        found = (passed > (wanted - before[block])[:, None]).argmax(axis=1)
        values: FloatArray = self.values[block * self._size + found]
        return values


def positions(count: int) -> IntArray:
    """Where the quantiles of so many sorted values lie; of none, none."""
    levels = (np.arange(QUANTILES if count else 0) + 0.5) / QUANTILES
    found: IntArray = (levels * count).astype(np.int64)
    return found


def rows_before(
    keys: pd.DataFrame, date: str, series: Sequence[str], order: IntArray | None = None
) -> IntArray | None:
    """Where the row before each of the same series is, -1 of the first; None of plain rows.

    By date, then as they come; in the `order` of which places are told, if one is given.
    """
    if not series:
        return None
    code = keys.groupby(list(series), sort=False, dropna=False).ngroup().to_numpy()
    stamp = keys[date].to_numpy()
    if order is not None:
        code, stamp = code[order], stamp[order]
    at = np.lexsort((stamp, code))
    found: IntArray = np.full(len(at), -1)
    same = code[at[1:]] == code[at[:-1]]
    found[at[1:][same]] = at[:-1][same]
    return found


def repeats(values: FloatArray, before: IntArray | None) -> FloatArray:
    """Of each row 1 where its value is that of the row before, else 0; missing at the first.

    So a column that no longer moves is seen although its distribution stays.
    """
    if before is None:
        return np.full(len(values), np.nan)
    return np.where(before < 0, np.nan, values[before] == values)


def _share(having: float, known: float) -> float:
    """Their quotient; 0 where nothing is known."""
    return having / known if known else 0.0
