"""Recipes compared on the past: each learns before a stretch of days and is scored on it.

Nothing else decides what is learned from than the window of the settings, as for a version that
serves, and every forecast is of a day after the last one learned from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlops_assets.lazy import np, pd, threadpoolctl
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import (
    WEIGHT,
    FloatArray,
    Metric,
    as_column,
    finish_sums,
    finite_rows,
    term_sums,
)
from mlops_assets.ml.models.families import FAMILIES, Hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.ml.models.training import FitPlan, fit_rows, forecast, input_columns

ONE_DAY = dt.timedelta(days=1)
BLOCK_DAYS = 7  # errors of a week have much in common


@dataclass(frozen=True)
class Blocks:
    """What errs together: so many days, or weeks or months, on end."""

    due: DueDays = EVERY_DAY
    size: int = BLOCK_DAYS


WEEKS = Blocks()


@dataclass(frozen=True)
class Stretch:
    """Days that are forecast by what the days before them taught."""

    first: dt.date
    last: dt.date


@dataclass(frozen=True, eq=False)
class Entry:
    """A family with all that it is told: what a model of the settings would be fitted by."""

    plan: FitPlan
    family: str
    hyperparameters: Hyperparameters
    features: pd.DataFrame
    """Sorted by date; rows without a target are neither learned from nor scored."""
    learned: Callable[[dt.date], Window]
    """The days that are learned from for service from a day on; ValueError where too few are."""


def errors(entry: Entry, metric: Metric, stretch: Stretch) -> pd.DataFrame:
    """The sums of the metric of each day of a stretch. ValueError where it cannot be forecast."""
    plan = entry.plan
    window = entry.learned(stretch.first)
    if window.end > stretch.first:
        raise ValueError(f"would learn from {window} for {stretch.first}")
    inputs = input_columns(plan.inputs)
    learning = _rows(entry, window.start, window.end - ONE_DAY)
    asked = _rows(entry, stretch.first, stretch.last)
    if learning.empty or asked.empty:
        raise ValueError(f"no rows to learn from or to forecast from {stretch.first} on")
    if plan.classes and learning[plan.target].nunique() < 2:
        raise ValueError(f"all rows of {window} are of one class")
    pipeline = FAMILIES[entry.family].build(entry.hyperparameters, plan.inputs)
    with threadpoolctl.threadpool_limits(plan.threads):
        fitted = fit_rows(pipeline, learning, inputs, plan.target, plan.weights)
    values = forecast(
        fitted, asked[inputs], non_negative=plan.inputs.non_negative, classes=plan.classes
    )
    if not finite_rows(values).all():
        raise ValueError(f"forecasts from {stretch.first} on are not finite")
    scored = pd.DataFrame(
        {
            "date": asked[plan.date].to_numpy(),
            "actual": target_numbers(asked[plan.target], plan.classes),
            "forecast": as_column(values),
        }
    )
    if plan.weights is not None and (told := plan.weights.told(asked)) is not None:
        scored[WEIGHT] = told
    return term_sums({metric.name: metric}, scored, ["date"])


def _rows(entry: Entry, first: dt.date, last: dt.date) -> pd.DataFrame:
    dates = entry.features[entry.plan.date]
    ends = [pd.Timestamp(first), pd.Timestamp(last + ONE_DAY)]
    start, stop = dates.searchsorted(ends)
    return entry.features.iloc[start:stop].dropna(subset=entry.plan.target)


def pooled(metric: Metric, sums: pd.DataFrame) -> float:
    """The loss of all days together."""
    return float(_losses(metric, sums.sum().to_frame().T)[0])


def sampling_error(metric: Metric, sums: pd.DataFrame, blocks: Blocks = WEEKS) -> float:
    """The standard error of the pooled loss by leaving out one week after the other (jackknife)."""
    return _spread(_without_each(metric, sums, blocks))


def difference(
    metric: Metric, sums: pd.DataFrame, others: pd.DataFrame, blocks: Blocks = WEEKS
) -> tuple[float, float]:
    """By how much the pooled loss is above that of others, as a share, and its standard error."""
    both = sums.index.intersection(others.index)
    ours, theirs = sums.loc[both], others.loc[both]
    left = _without_each(metric, ours, blocks), _without_each(metric, theirs, blocks)
    shares = left[0] / left[1] - 1.0
    return pooled(metric, ours) / pooled(metric, theirs) - 1.0, _spread(shares)


def _without_each(metric: Metric, sums: pd.DataFrame, blocks: Blocks) -> FloatArray:
    days = blocks.due.numbers(pd.DatetimeIndex(sums.index))
    weeks = sums.groupby((days - days.min()) // blocks.size).sum()
    return _losses(metric, sums.sum() - weeks if len(weeks) > 1 else sums.iloc[:0])


def _spread(values: FloatArray) -> float:
    blocks = len(values)
    if blocks < 2:
        return float("nan")
    return float(np.sqrt((blocks - 1) / blocks * ((values - values.mean()) ** 2).sum()))


def _losses(metric: Metric, sums: pd.DataFrame) -> FloatArray:
    values = finish_sums({metric.name: metric}, sums)[metric.name].to_numpy(dtype=float)
    return np.asarray(metric.loss(values), dtype=np.float64)


def stretches(
    first: dt.date, last: dt.date, offsets: Sequence[int], days: int, due: DueDays = EVERY_DAY
) -> list[Stretch]:
    """Stretches of so many days, the last of which lie that many days before the last day."""
    found = []
    for offset in offsets:
        end = due.back(last, offset)
        start = due.back(end, days - 1)
        if start > first:
            found.append(Stretch(start, end))
    return found
