"""Whether a challenger is truly better than the champion, on the rows that both forecast.

The gain is that of the leaderboard: sums of days are pooled, and the metric is finished once. How
sure it is says the moving-block jackknife: the metric is finished again without each block of
neighbouring days in turn (Kuensch, The jackknife and the bootstrap for general stationary
observations, 1989). A standard error from few blocks is itself unsure. So it is taken as no smaller
than that of days which have nothing to do with each other, and the interval is Student's: that of
a normal distribution would be far too narrow where many candidates share its tails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mlops_assets.lazy import np, pd, scipy
from mlops_assets.ml.metrics.metric import (
    WEIGHT,
    BoolArray,
    FloatArray,
    Histogram,
    IntArray,
    Metric,
    Term,
    as_array,
    weight_of,
)

FEWEST_PARTS = 2.0
FAR = math.log(1000)  # ends of an interval that lie further away are cut off there


@dataclass(frozen=True)
class Rule:
    """What it takes to replace a champion."""

    window_days: int
    """How many days are looked back on."""
    min_days: int
    """The fewest days on which both must have been scored."""
    min_gain: float
    """The least gain, as a share of the champion's loss, that the interval must lie above."""
    confidence: float
    """Of the interval, shared among all candidates that were tried."""
    block_days: int
    """Length of the blocks that are left out, so that neighbouring days stay together."""


@dataclass(frozen=True)
class Evidence:
    """How a challenger did against the champion on the same rows.

    `gain` is the difference of the losses of the window as a share of the champion's, above zero
    where the challenger is better; `low` and `high` are the ends of its interval.
    """

    challenger: str
    days: int
    rows: int
    gain: float
    low: float
    high: float
    wins: bool
    why: str
    tried: str = ""
    """Among how many candidates it was found, in words; empty in evidence of before."""

    @property
    def judged(self) -> bool:
        """Whether there was enough to compare for a gain and its interval."""
        return not math.isnan(self.gain)


@dataclass(frozen=True)
class Paired:
    """What two models, champion and challenger, forecast of the same rows, by the order of days.

    `actual` is of shape (rows,), as `dates`; forecasts are as `Metric.terms` takes them.
    """

    metric: Metric
    dates: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    actual: FloatArray
    forecasts: tuple[FloatArray, FloatArray]
    weight: FloatArray | None = None
    """How much each row counts, of shape (rows,); None where all count alike."""

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.actual)

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> Paired:
        """The days from the first to the last."""
        return self._rows(_between(self.dates, first, last))

    def without(self, day: np.datetime64) -> Paired:
        """The other days."""
        return self._rows(self.dates != day)

    def _rows(self, at: slice | BoolArray) -> Paired:
        ours, theirs = (forecast[at] for forecast in self.forecasts)
        weight = None if self.weight is None else self.weight[at]
        return Paired(self.metric, self.dates[at], self.actual[at], (ours, theirs), weight)

    def losses(self) -> list[float]:
        """The loss of each of all rows."""
        one = np.zeros(len(self.actual), dtype=np.int64)
        start, rows = np.array([0]), np.array([float(len(one))])
        found = []
        for forecast in self.forecasts:
            if self.metric.needs_rows:
                value = self.metric.of_rows(self.actual, forecast, one, 1, self.weight)
            else:
                above, below = self.metric.counted(self.actual, forecast, self.weight)
                value = self.metric.finish(_sums(above, start, one), _sums(below, start, one), rows)
            found.append(float(self.metric.loss(value)[0]))
        return found

    def day_sums(self) -> list[Sums]:
        """The sums of each by day, without days on which nothing counts for either."""
        _, starts, counts = np.unique(self.dates, return_index=True, return_counts=True)
        day = np.repeat(np.arange(len(starts)), counts)
        terms = [
            tuple(
                _sums(term, starts, day)
                for term in self.metric.counted(self.actual, forecast, self.weight)
            )
            for forecast in self.forecasts
        ]
        return _that_count(terms, counts.astype(float))


@dataclass(frozen=True)
class PairedDays:
    """What two models came to on days on which they forecast the same rows, by ascending dates.

    `terms` are the sums of the metric's terms by day, of the champion and of the challenger, as
    those of `Sums`; `rows` are their numbers of rows, of shape (days,).
    """

    metric: Metric
    dates: np.ndarray[Any, Any]
    rows: FloatArray
    terms: Sequence[tuple[FloatArray, FloatArray]]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return int(self.rows.sum())

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> PairedDays:
        """The days from the first to the last."""
        at = _between(self.dates, first, last)
        terms = [(above[at], below[at]) for above, below in self.terms]
        return replace(self, dates=self.dates[at], rows=self.rows[at], terms=terms)

    def losses(self) -> list[float]:
        """The loss of each of all rows."""
        rows = self.rows.sum(keepdims=True)
        pooled = [[term.sum(axis=0, keepdims=True) for term in pair] for pair in self.terms]
        values = (self.metric.finish(above, below, rows) for above, below in pooled)
        return [float(self.metric.loss(value)[0]) for value in values]

    def day_sums(self) -> list[Sums]:
        """The sums of each by day, without days on which nothing counts for either."""
        return _that_count(self.terms, self.rows)


def _between(dates: np.ndarray[Any, Any], first: pd.Timestamp, last: pd.Timestamp) -> slice:
    """Where the days from the first to the last are among ascending dates."""
    ends = [first.to_datetime64(), (last + pd.Timedelta(days=1)).to_datetime64()]
    return slice(*np.searchsorted(dates, ends))


def _that_count(terms: Sequence[tuple[FloatArray, ...]], rows: FloatArray) -> list[Sums]:
    """The sums of days, without those on which nothing counts for either."""
    anything = [values.reshape(len(rows), -1).any(axis=1) for pair in terms for values in pair]
    kept = np.any(anything, axis=0)
    return [Sums(above[kept], below[kept], rows[kept]) for above, below in terms]


class Sums(NamedTuple):
    """Sums of a metric's terms by day, of shape (days,) or (days, n), and of rows."""

    numerator: FloatArray
    denominator: FloatArray
    rows: FloatArray


def _sums(term: Term, starts: IntArray, day: IntArray) -> FloatArray:
    """Those of each day; days begin at the rows `starts`."""
    if isinstance(term, Histogram):
        return term.sums(day, len(starts))
    sums: FloatArray = np.add.reduceat(term, starts, axis=0)
    return sums


def paired(metric: Metric, forecasts: pd.DataFrame, champion: str, challenger: str) -> Paired:
    """Two models on the rows that both forecast.

    `forecasts` has the columns date, row, model, actual and forecast, and row_weight where rows do
    not count alike.
    """
    # a day that came again in another order, or corrected, is not the same row for both until both
    # were scored on it
    same = ["date", "row", "actual", *([WEIGHT] if WEIGHT in forecasts else [])]
    ours, theirs = (
        forecasts.loc[forecasts["model"] == model, [*same, "forecast"]]
        for model in (champion, challenger)
    )
    both = ours.merge(theirs, on=same, suffixes=("", "_challenger"))
    both = both.sort_values("date", kind="stable")
    return Paired(
        metric,
        both["date"].to_numpy(),
        both["actual"].to_numpy(dtype=float),
        (as_array(both["forecast"]), as_array(both["forecast_challenger"])),
        weight_of(both),
    )


def compare(
    rule: Rule, challenger: str, window: Paired | PairedDays, candidates: int = 1
) -> Evidence:
    """Judge a challenger by what both forecast in a window.

    The interval is at the rule's confidence, widened for the number of `candidates` among which
    the challenger was found (Bonferroni), so that the best of any number of equal ones takes over
    by chance no more often than a single one.
    """
    rows = window.size
    sums = window.day_sums() if rows else []
    days = len(sums[0].rows) if rows else 0

    def judged(
        why: str, gain: float = math.nan, low: float = math.nan, high: float = math.nan
    ) -> Evidence:
        wins = low > 0 and low >= rule.min_gain
        return Evidence(challenger, days, rows, gain, low, high, wins, why)

    if days < rule.min_days:
        return judged(f"{days} common days, fewer than {rule.min_days}")
    ours, theirs = window.losses()
    if not np.isfinite([ours, theirs]).all():
        return judged(f"{window.metric.name} is not defined on these days")
    if not ours > 0:
        return judged("the champion makes no errors")
    if few := too_few(sums[0], rule.block_days):
        return judged(few)
    wide = quantiles(sums[0], rule.block_days, (1 - rule.confidence) / candidates / 2)
    error = standard_error(window.metric, sums, rule.block_days, ours, theirs)
    gain, low, high = _interval(ours, theirs, wide * error)
    if high < 0:
        why = "worse"
    elif not low > 0:
        why = "no sure difference"
    elif low < rule.min_gain:
        why = f"surely better, but not surely by {rule.min_gain:.1%}"
    else:
        why = f"surely better by at least {low:.1%}"
    return judged(why, gain, low, high)


def _interval(ours: float, theirs: float, margin: float) -> tuple[float, float, float]:
    """The gain with the ends of its interval; `margin` is that of the logarithm of the ratio.

    By logarithms, a model is surely better than another one where that is surely worse than it.
    """
    if not theirs > 0:
        return 1.0, 1.0, 1.0
    ratio = math.log(theirs / ours)
    worst, best = min(ratio + margin, max(ratio, FAR)), max(ratio - margin, min(ratio, -FAR))
    return -math.expm1(ratio), -math.expm1(worst), -math.expm1(best)


def independent_parts(sums: Sums, block_days: int) -> float:
    """How many parts of a window say something by themselves: its blocks, or its days of weight.

    Where few days hold nearly all that counts there are few, however many blocks there are (Kish,
    Survey Sampling, 1965).
    """
    weight = abs(sums.denominator) if sums.denominator.ndim == 1 else sums.rows
    alike = weight.sum() ** 2 / (weight**2).sum() if weight.any() else 0.0
    return min(len(weight) / block_days, float(alike))


def too_few(sums: Sums, block_days: int) -> str:
    """Why a window says nothing of chance, in words; empty where it does."""
    parts = independent_parts(sums, block_days)
    if parts >= FEWEST_PARTS:
        return ""
    return f"{len(sums.rows)} days that say no more than {parts:.1f} blocks of them would"


def quantiles(sums: Sums, block_days: int, tail: float) -> float:
    """How many standard errors the end of an interval lies away in a window."""
    return quantile(tail, independent_parts(sums, block_days), independent_parts(sums, 1))


def quantile(tail: float, parts: float, days: float) -> float:
    """How many standard errors lie between an estimate and the end of its interval.

    `parts` and `days` say something by themselves. Blocks that overlap have 1.5 times the degrees
    of freedom of others (Meketon and Schmeiser, Overlapping batch means: something for nothing?,
    1984); an error that is no smaller than that of single days lies halfway to these.
    """
    of_days = days - 1
    free = (min(1.5 * (parts - 1), of_days) + of_days) / 2
    return -float(scipy.special.stdtrit(free, tail))


def standard_error(
    metric: Metric, sums: Sequence[Sums], block_days: int, ours: float, theirs: float
) -> float:
    """That of the logarithm of the challenger's loss over the champion's.

    `sums` are of both by day, `ours` and `theirs` the losses of all of them.
    """
    if not theirs > 0:
        return 0.0
    return error_of_difference(metric, sums, block_days, theirs / ours) / theirs


def error_of_difference(
    metric: Metric, sums: Sequence[Sums], block_days: int, ratio: float
) -> float:
    """The standard error of the challenger's loss less `ratio` times the champion's.

    No smaller than that of days which have nothing to do with each other.
    """
    return max(_block_error(metric, sums, block, ratio) for block in (1, block_days))


def _block_error(metric: Metric, sums: Sequence[Sums], block: int, ratio: float) -> float:
    """That of `error_of_difference` by blocks of one length."""
    days, parts = len(sums[0].rows), independent_parts(sums[0], block)
    ours, theirs = (_losses_without(metric, side, block) for side in sums)
    left = theirs - ratio * ours
    left = left[np.isfinite(left)]
    if len(left) < FEWEST_PARTS:
        return math.inf
    # as the spread of the means of blocks, of which a window holds days / block
    spread = float(np.var(left)) * (days - block) ** 2 / block**2
    return math.sqrt(spread * block / days * parts / (parts - 1))


def _losses_without(metric: Metric, sums: Sums, block: int) -> FloatArray:
    """The loss of the other days without each block in turn, of shape (days - block + 1,)."""

    def without(values: FloatArray) -> FloatArray:
        # added up from both ends, since what is taken away again from a total is never quite zero
        none = np.zeros((1, *values.shape[1:]))
        before = np.concatenate([none, values.cumsum(axis=0)])
        after = np.concatenate([values[::-1].cumsum(axis=0)[::-1], none])
        left: FloatArray = before[: len(values) - block + 1] + after[block:]
        return left

    with np.errstate(divide="ignore", invalid="ignore"):
        return metric.loss(metric.finish(*map(without, sums)))
