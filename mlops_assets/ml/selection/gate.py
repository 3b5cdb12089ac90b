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

from mlops_assets.lazy import np, pd, scipy
from mlops_assets.ml.metrics.metric import (
    DENOMINATOR,
    ROWS,
    FloatArray,
    Metric,
    finish_sums,
    group_scores,
    term_sums,
)

SIDES = ("champion", "challenger")
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
    """What two models forecast of the same rows, in the order of their days.

    `rows` has the columns date, actual and those of SIDES, which hold forecasts; `sums` are by side
    those of the terms of each day, as from `term_sums`, of a metric that they say exactly.
    """

    metric: Metric
    rows: pd.DataFrame
    sums: dict[str, pd.DataFrame]

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> Paired:
        """The days from the first to the last."""
        at = slice(*self.rows["date"].searchsorted([first, last + pd.Timedelta(days=1)]))
        sums = {side: days.loc[first:last] for side, days in self.sums.items()}
        return replace(self, rows=self.rows.iloc[at], sums=sums)

    def _side(self, side: str) -> pd.DataFrame:
        return self.rows[["date", "actual"]].assign(forecast=self.rows[side])

    def losses(self) -> FloatArray:
        """The loss of each side of all rows, of shape (2,)."""
        metrics = {self.metric.name: self.metric}
        if self.sums:
            totals = pd.DataFrame([self.sums[side].sum() for side in SIDES])
            scores = finish_sums(metrics, totals)
        else:
            sides = pd.concat(self._side(side).assign(side=side) for side in SIDES)
            scores = group_scores(metrics, sides, ["side"]).loc[[*SIDES]]
        return self.metric.loss(scores[self.metric.name].to_numpy())

    def day_sums(self) -> list[pd.DataFrame]:
        """The sums of each side by day, without days on which nothing counts for either."""
        metrics = {self.metric.name: self.metric}
        sums = [
            self.sums[side] if self.sums else term_sums(metrics, self._side(side), ["date"])
            for side in SIDES
        ]
        nothing = [(days.drop(columns=ROWS) == 0).all(axis=1) for days in sums]
        return [days[~(nothing[0] & nothing[1])] for days in sums]


def paired(metric: Metric, forecasts: pd.DataFrame, champion: str, challenger: str) -> Paired:
    """Two models on the rows that both forecast.

    `forecasts` has the columns date, row, model, actual and forecast.
    """
    # a day that came again in another order, or corrected, is not the same row for both until both
    # were scored on it
    same = ["date", "row", "actual"]
    ours, theirs = (
        forecasts.loc[forecasts["model"] == model, [*same, "forecast"]]
        for model in (champion, challenger)
    )
    both = ours.merge(theirs, on=same, suffixes=("", f"_{SIDES[1]}"))
    both = both.sort_values("date", kind="stable")
    rows = both[["date", "actual"]].assign(
        **{SIDES[0]: both["forecast"], SIDES[1]: both[f"forecast_{SIDES[1]}"]}
    )
    found = Paired(metric, rows, {})
    if metric.needs_rows or rows.empty:
        return found
    metrics = {metric.name: metric}
    return replace(
        found, sums={side: term_sums(metrics, found._side(side), ["date"]) for side in SIDES}
    )


def compare(rule: Rule, challenger: str, window: Paired, candidates: int = 1) -> Evidence:
    """Judge a challenger by what both forecast in a window.

    The interval is at the rule's confidence, widened for the number of `candidates` among which
    the challenger was found (Bonferroni), so that the best of any number of equal ones takes over
    by chance no more often than a single one.
    """
    rows = len(window.rows)
    sums = window.day_sums() if rows else [pd.DataFrame()] * 2
    days = len(sums[0])

    def judged(
        why: str, gain: float = math.nan, low: float = math.nan, high: float = math.nan
    ) -> Evidence:
        wins = low > 0 and low >= rule.min_gain
        return Evidence(challenger, days, rows, gain, low, high, wins, why)

    if days < rule.min_days:
        return judged(f"{days} common days, fewer than {rule.min_days}")
    ours, theirs = map(float, window.losses())
    if not np.isfinite([ours, theirs]).all():
        return judged(f"{window.metric.name} is not defined on these days")
    if not ours > 0:
        return judged("the champion makes no errors")
    parts = independent_parts(window.metric, sums[0], rule.block_days)
    if parts < FEWEST_PARTS:
        return judged(f"{days} days that say no more than {parts:.1f} blocks of them would")
    alike = independent_parts(window.metric, sums[0], 1)
    wide = quantile((1 - rule.confidence) / candidates / 2, parts, alike)
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


def independent_parts(metric: Metric, sums: pd.DataFrame, block_days: int) -> float:
    """How many parts of a window say something by themselves: its blocks, or its days of weight.

    Where few days hold nearly all that counts there are few, however many blocks there are (Kish,
    Survey Sampling, 1965).
    """
    weight = sums.get(metric.name + DENOMINATOR, sums[ROWS]).abs().to_numpy(dtype=float)
    alike = weight.sum() ** 2 / (weight**2).sum() if weight.any() else 0.0
    return min(len(sums) / block_days, float(alike))


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
    metric: Metric, sums: Sequence[pd.DataFrame], block_days: int, ours: float, theirs: float
) -> float:
    """That of the logarithm of the challenger's loss over the champion's.

    `sums` are of both by day, `ours` and `theirs` the losses of all of them.
    """
    if not theirs > 0:
        return 0.0
    errors = [_block_error(metric, sums, block, theirs / ours) for block in (1, block_days)]
    return max(errors) / theirs


def _block_error(metric: Metric, sums: Sequence[pd.DataFrame], block: int, ratio: float) -> float:
    """The standard error of the challenger's loss less `ratio` times the champion's."""
    days, parts = len(sums[0]), independent_parts(metric, sums[0], block)
    ours, theirs = (_losses_without(metric, side, block) for side in sums)
    left = theirs - ratio * ours
    left = left[np.isfinite(left)]
    if len(left) < FEWEST_PARTS:
        return math.inf
    # as the spread of the means of blocks, of which a window holds days / block
    spread = float(np.var(left)) * (days - block) ** 2 / block**2
    return math.sqrt(spread * block / days * parts / (parts - 1))


def _losses_without(metric: Metric, sums: pd.DataFrame, block: int) -> FloatArray:
    """The loss of the other days without each block in turn, of shape (days - block + 1,)."""
    values = sums.to_numpy(dtype=float)
    none = np.zeros((1, values.shape[1]))
    # added up from both ends, since what is taken away again from a total is never quite zero
    before = np.concatenate([none, values.cumsum(axis=0)])
    after = np.concatenate([values[::-1].cumsum(axis=0)[::-1], none])
    others = pd.DataFrame(before[: len(values) - block + 1] + after[block:], columns=sums.columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = finish_sums({metric.name: metric}, others)
    return metric.loss(scores[metric.name].to_numpy())
