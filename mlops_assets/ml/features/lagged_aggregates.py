"""Lagged aggregates: what the rows of earlier days come to, by chosen columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeAlias

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import ONE_DAY
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.feature_settings import LaggedAggregate, Statistic
from mlops_assets.ml.metrics.metric import FloatArray, IntArray, rolling_sum

# days x keys
Table: TypeAlias = "np.ndarray[tuple[int, int], np.dtype[np.float64]]"


def lagged_aggregates(
    plan: FeaturePlan,
    observations: pd.DataFrame,
    rows: pd.DataFrame,
    start: dt.date,
    end: dt.date,
) -> dict[str, FloatArray]:
    """The lagged aggregates of each row of the days [start, end), by the names of the features.

    Each is of shape (rows,) and knows only days that lie `plan.days_ahead` or more before the
    day of its row: those of `observations` in the reach of the aggregate. Values that are missing
    do not count. A day of which nothing is stored says nothing: its lag is missing, and a window
    leaves it out. On a day that is stored, a key without rows has the count 0 and the sum 0, and no
    mean, least or largest value. A key without rows in the whole reach, such as one never seen
    before, has nothing at all.
    """
    columns: dict[str, FloatArray] = {}
    for aggregate in plan.features.lagged_aggregates:
        columns |= _Aggregate(plan, aggregate, observations, rows, start, end).columns()
    return columns


class _Aggregate:
    """One aggregate as tables of days x keys, of which a lag or a window is a slice."""

    def __init__(
        self,
        plan: FeaturePlan,
        aggregate: LaggedAggregate,
        observations: pd.DataFrame,
        rows: pd.DataFrame,
        start: dt.date,
        end: dt.date,
    ) -> None:
        self.target, self.aggregate = plan.columns.target, aggregate
        self.ahead = plan.days_ahead
        self.reach = aggregate.reach(plan.label_delay_days, plan.due.longest_gap)
        date = plan.columns.date
        days = plan.due.calendar(plan.due.back(start, self.reach), end - ONE_DAY)
        day = days.get_indexer(pd.DatetimeIndex(observations[date]))
        known = observations[day >= 0]
        self.row_day = days.get_indexer(pd.DatetimeIndex(rows[date]))
        keys, self.row_key = _keys(aggregate.by, known, rows)
        values = known[aggregate.of or self.target].to_numpy(dtype=float)
        there = ~np.isnan(values)
        self.shape = (len(days), int(max(keys.max(initial=0), self.row_key.max(initial=0))) + 1)
        cells = (day[day >= 0] * self.shape[1] + keys)[there]
        self.counts = self._table(np.bincount(cells, minlength=self._size))
        self.values = self._of_days(cells, values[there])
        self.stored = np.isin(np.arange(len(days)), day)[:, None]
        self.last_due = plan.due.last_due(days)

    @property
    def _size(self) -> int:
        return self.shape[0] * self.shape[1]

    def _table(self, flat: np.ndarray[Any, Any]) -> Table:
        table: Table = flat.astype(float).reshape(self.shape)
        return table

    def _of_days(self, cells: IntArray, values: FloatArray) -> Table:
        """Least, largest or summed value of each day and key; infinite or 0 without values."""
        match self.aggregate.statistic:
            case Statistic.MIN:
                table = np.full(self._size, np.inf)
                np.minimum.at(table, cells, values)
            case Statistic.MAX:
                table = np.full(self._size, -np.inf)
                np.maximum.at(table, cells, values)
            case _:
                table = np.bincount(cells, weights=values, minlength=self._size)
        return self._table(table)

    def columns(self) -> dict[str, FloatArray]:
        # whatever is known of the reach
        seen = self._window(self.counts, self.reach + 1 - self.ahead, np.sum) > 0
        columns: dict[str, FloatArray] = {}
        for name, (kind, days) in self.aggregate.columns(self.target).items():
            if kind == "lag":
                counts, values, stored = (
                    self._lagged(table, days) for table in (self.counts, self.values, self.stored)
                )
            else:
                counts = self._window(self.counts, days, np.sum)
                values = self._window(self.values, days, self._pool)
                stored = self._window(self.stored, days, np.max)
            table = np.where((stored > 0) & seen, self._finished(counts, values), np.nan)
            columns[name] = table[self.row_day, self.row_key]
        return columns

    def _lagged(self, table: np.ndarray[Any, Any], days: int) -> np.ndarray[Any, Any]:
        """What the last due day through so many days before each was; of none before it nothing."""
        later = np.zeros(table.shape)
        at = self.last_due[: len(table) - days]
        later[days:] = np.where((at >= 0)[:, None], table[at], 0.0)
        return later

    @property
    def _pool(self) -> Any:
        """How values of days become that of a window."""
        pools = {Statistic.MIN: np.min, Statistic.MAX: np.max}
        return pools.get(self.aggregate.statistic, np.sum)

    def _window(self, table: np.ndarray[Any, Any], days: int, pool: Any) -> Table:
        """A table pooled over so many days up to the last one known of each day.

        The first `reach` days, of which no row is, stay empty.
        """
        pooled = np.zeros((len(table), table.shape[1]))
        first = days + self.ahead - 1
        if len(table) > first:
            known = table[: -self.ahead]
            if pool is np.sum:
                pooled[first:] = rolling_sum(known.astype(float), days)[days - 1 :]
            else:
                windows = np.lib.stride_tricks.sliding_window_view(known, days, axis=0)
                pooled[first:] = pool(windows, axis=-1)
        return pooled

    def _finished(self, counts: Table, values: Table) -> Table:
        match self.aggregate.statistic:
            case Statistic.COUNT:
                return counts
            case Statistic.SUM:
                return values
            case Statistic.MEAN:
                missing = np.full_like(values, np.nan)
                return np.divide(values, counts, out=missing, where=counts > 0)
            case _:
                return np.where(counts > 0, values, np.nan)


def _keys(by: list[str], known: pd.DataFrame, rows: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """The number of the key of each row of both frames; a missing value is a key of its own."""
    if not by:
        return np.zeros(len(known), dtype="int64"), np.zeros(len(rows), dtype="int64")
    both = pd.concat([known[by], rows[by]], ignore_index=True)
    numbers = both.groupby(by, dropna=False, sort=False).ngroup().to_numpy().astype("int64")
    return numbers[: len(known)], numbers[len(known) :]
