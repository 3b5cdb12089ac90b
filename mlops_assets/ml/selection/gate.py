"""Whether a challenger is truly better than the champion: a paired bootstrap of daily scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.metric import ROWS, Metric, group_scores

RESAMPLES = 5000


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
    """Of the interval, shared among the challengers of a day."""
    block_days: int
    """Length of the blocks that are resampled, so that neighbouring days stay together."""


@dataclass(frozen=True)
class Evidence:
    """How a challenger did against the champion on the same rows.

    `gain` is the mean daily difference of the losses as a share of the champion's mean loss, above
    zero where the challenger is better; `low` and `high` are the ends of its interval.
    """

    challenger: str
    days: int
    rows: int
    gain: float
    low: float
    high: float
    wins: bool
    why: str

    @property
    def judged(self) -> bool:
        """Whether there was enough to compare for a gain and its interval."""
        return not math.isnan(self.gain)


def paired_losses(
    metric: Metric, forecasts: pd.DataFrame, champion: str, challenger: str
) -> pd.DataFrame:
    """Daily losses of two models on the rows that both forecast.

    `forecasts` has the columns date, row, model, actual and forecast. Indexed by date, with the
    columns champion, challenger and rows; a day without common rows, or on which the metric is not
    defined, is left out.
    """
    # a day that came again in another order, or corrected, is not the same row for both until both
    # were scored on it
    same = ["date", "row", "actual"]
    ours, theirs = (
        forecasts.loc[forecasts["model"] == model, [*same, "forecast"]]
        for model in (champion, challenger)
    )
    both = ours.merge(theirs, on=same, suffixes=("", "_challenger"))
    metrics = {metric.name: metric}
    losses = {}
    for side, column in (("champion", "forecast"), ("challenger", "forecast_challenger")):
        rows = both[["date", "actual"]].assign(forecast=both[column])
        scores = group_scores(metrics, rows, ["date"])
        losses[side] = pd.Series(metric.loss(scores[metric.name].to_numpy()), scores.index)
    return pd.DataFrame({**losses, ROWS: scores[ROWS].astype(int)}).dropna()


def compare(rule: Rule, challenger: str, losses: pd.DataFrame, challengers: int = 1) -> Evidence:
    """Judge a challenger by the daily losses of a window, as from `paired_losses`.

    The interval is that of a moving-block bootstrap of the daily differences (Kuensch, The
    jackknife and the bootstrap for general stationary observations, 1989) at the rule's
    confidence, widened for the number of `challengers` (Bonferroni). Seeded: the same losses give
    the same interval.
    """
    days, rows = len(losses), int(losses[ROWS].sum())

    def judged(
        why: str, gain: float = np.nan, low: float = np.nan, high: float = np.nan
    ) -> Evidence:
        return Evidence(
            challenger, days, rows, gain, low, high, low > 0 and low >= rule.min_gain, why
        )

    if days < rule.min_days:
        return judged(f"{days} common days, fewer than {rule.min_days}")
    ours = losses["champion"].to_numpy(dtype=float)
    if not ours.mean() > 0:
        return judged("the champion makes no errors")
    differences = (ours - losses["challenger"].to_numpy(dtype=float)) / ours.mean()
    means = resampling_weights(days, min(rule.block_days, days)) @ differences
    tail = (1 - rule.confidence) / challengers / 2
    low, high = (float(end) for end in np.quantile(means, [tail, 1 - tail]))
    if high < 0:
        why = "worse"
    elif low <= 0:
        why = "no sure difference"
    elif low < rule.min_gain:
        why = f"surely better, but not surely by {rule.min_gain:.1%}"
    else:
        why = f"surely better by at least {low:.1%}"
    return judged(why, float(differences.mean()), low, high)


@lru_cache(maxsize=64)
def resampling_weights(days: int, block: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How much each day counts in each resample, of shape (RESAMPLES, days); rows add up to one.

    A resample pastes together blocks of `block` neighbouring days until it is as long as the
    window. Seeded.
    """
    random = np.random.default_rng(0)
    starts = random.integers(0, days - block + 1, size=(RESAMPLES, -(-days // block)))
    chosen = (starts[:, :, None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :days]
    cells = chosen + days * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(cells.ravel(), minlength=RESAMPLES * days)
    return counts.reshape(RESAMPLES, days) / days
