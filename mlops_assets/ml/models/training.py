"""Fit a pipeline, judge it on a holdout, and forecast with it."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.lazy import np, pd, sklearn, threadpoolctl
from mlops_assets.ml.metrics.class_metrics import LogLoss
from mlops_assets.ml.metrics.labels import class_probabilities, target_numbers
from mlops_assets.ml.metrics.metric import FloatArray, Metric, score
from mlops_assets.ml.models.families import FAMILIES, Hyperparameters, Inputs, Pipeline
from mlops_assets.ml.models.splits import HoldoutSplit, Weights

IMPORTANCE_ROWS = 1000
IMPORTANCE_REPEATS = 2
# Products of matrices add up in another order in the rows that are left over of whole blocks.
BLOCK = 32


@dataclass(frozen=True)
class FitPlan:
    """What every fit of a project is told, whatever its family and rows."""

    date: str
    target: str
    inputs: Inputs
    metrics: Mapping[str, Metric]
    classes: tuple[str, ...]
    """The classes in the order of the numbers that stand for them, none for a regression."""
    holdout: HoldoutSplit
    threads: int
    weights: Weights | None


@dataclass(frozen=True)
class Fit:
    """A pipeline fitted on the whole window, and how its twin did on the holdout.

    The twin was fitted without the holdout, and without the days that were not known before it.
    `forecasts` are its own, as from `forecast`; where one of them is not finite, there are no
    scores and no importance.
    """

    pipeline: Pipeline
    forecasts: FloatArray
    holdout: dict[str, float]
    importance: dict[str, float]
    fit_seconds: float


@dataclass(frozen=True)
class FittedWindow:
    """A window of rows, split by time, and what was fitted on it; `pipeline` is unfitted."""

    pipeline: Pipeline
    learning: pd.DataFrame
    holdout: pd.DataFrame
    holdout_from: dt.date
    fit: Fit


def fit_window(
    plan: FitPlan,
    family: str,
    hyperparameters: Hyperparameters,
    rows: pd.DataFrame,
    end: dt.date,
) -> FittedWindow:
    """Fit a family on rows of the days before `end`, the last of which judge it first.

    ValueError when the holdout takes all rows or none.
    """
    learning, holdout = plan.holdout.split(rows, plan.date, end)
    pipeline = FAMILIES[family].build(hyperparameters, plan.inputs)
    fitted = fit(
        pipeline,
        learning,
        holdout,
        rows,
        inputs=input_columns(plan.inputs),
        target=plan.target,
        non_negative=plan.inputs.non_negative,
        metrics=plan.metrics,
        threads=plan.threads,
        weights=plan.weights,
        classes=plan.classes,
    )
    return FittedWindow(pipeline, learning, holdout, plan.holdout.first_day(end), fitted)


def input_columns(inputs: Inputs) -> list[str]:
    """The columns that a pipeline reads, each once."""
    return [*inputs.numeric, *dict.fromkeys(inputs.categorical)]


def fit(
    pipeline: Pipeline,
    learning: pd.DataFrame,
    holdout: pd.DataFrame,
    window: pd.DataFrame,
    *,
    inputs: list[str],
    target: str,
    non_negative: bool,
    metrics: Mapping[str, Metric],
    threads: int = 1,
    weights: Weights | None = None,
    classes: Sequence[str] = (),
) -> Fit:
    """Fit on `learning`, score and weigh the inputs on `holdout`, then fit again on `window`.

    The window holds both, and between them the days whose targets the twin could not know.

    `fit_seconds` is the time of both fits. The pipeline passed in stays unfitted. A metric that is
    not defined on the holdout is left out. ValueError when all rows are of one of the `classes`.
    """
    if classes and learning[target].nunique() < 2:
        raise ValueError(
            f"all {len(learning)} rows before the holdout are of the class "
            f"{learning[target].iloc[0]}; widen training.window_months, so that there are others"
        )
    with threadpoolctl.threadpool_limits(threads):
        started = time.perf_counter()
        judged = fit_rows(pipeline, learning, inputs, target, weights)
        seconds = time.perf_counter() - started
        forecasts = forecast(judged, holdout[inputs], non_negative=non_negative, classes=classes)
        scores: dict[str, float] = {}
        importance: dict[str, float] = {}
        if np.isfinite(forecasts).all():
            told = None if weights is None else weights.told(holdout)
            scores = score(metrics, target_numbers(holdout[target], classes), forecasts, told)
            scores = {name: value for name, value in scores.items() if math.isfinite(value)}
            importance = input_importance(judged, holdout[inputs], holdout[target], classes, told)
        started = time.perf_counter()
        final = fit_rows(pipeline, window, inputs, target, weights)
        seconds += time.perf_counter() - started
    return Fit(final, forecasts, scores, importance, seconds)


def fit_rows(
    pipeline: Pipeline,
    rows: pd.DataFrame,
    inputs: list[str],
    target: str,
    weights: Weights | None,
) -> Pipeline:
    """A copy of a pipeline, fitted on rows; by weights where its estimator takes them."""
    given = {}
    counted = weights(rows) if weights is not None and takes_weights(pipeline) else None
    if counted is not None:
        given = {f"{pipeline.steps[-1][0]}__sample_weight": counted}
    fitted: Pipeline = sklearn.base.clone(pipeline).fit(rows[inputs], rows[target], **given)
    return fitted


def takes_weights(pipeline: Pipeline) -> bool:
    """Whether the last step of a pipeline can count rows unequally."""
    return bool(sklearn.utils.validation.has_fit_parameter(pipeline.steps[-1][1], "sample_weight"))


def weights_in_words(pipeline: Pipeline, weights: Weights | None, family: str) -> str:
    """What a version says of the weights of its rows; nothing where none were asked for."""
    if weights is None:
        return ""
    if not takes_weights(pipeline):
        return f"{family} takes no weights: every row counts alike"
    return str(weights)


def forecast(
    pipeline: Pipeline,
    inputs: pd.DataFrame,
    *,
    non_negative: bool = False,
    classes: Sequence[str] = (),
) -> FloatArray:
    """One forecast per row in units of the target, not below zero for a non-negative target.

    Of classes their probabilities, as from `class_probabilities`. That of a row does not depend on
    which others are forecast along with it.
    """
    rows = len(inputs)
    if rows:
        more = -rows % BLOCK
        inputs = inputs.iloc[[*range(rows), *[rows - 1] * more]]
    with threadpoolctl.threadpool_limits(1):
        if classes:
            return class_probabilities(pipeline, inputs, classes)[:rows]
        values = np.asarray(pipeline.predict(inputs), dtype=float)[:rows]
    return np.maximum(values, 0.0) if non_negative else values


def input_importance(
    pipeline: Pipeline,
    inputs: pd.DataFrame,
    target: pd.Series[Any],
    classes: Sequence[str] = (),
    weight: FloatArray | None = None,
) -> dict[str, float]:
    """How much the mean absolute error grows, in units of the target, when an input is shuffled.

    Of classes it is the log loss that grows. Permutation importance (Breiman, Random Forests,
    2001) on at most 1,000 rows, largest first. Rows count by their `weight`, of shape (rows,),
    where it is given.
    """
    rows = inputs.sample(min(len(inputs), IMPORTANCE_ROWS), random_state=0)
    counted = None if weight is None else pd.Series(weight, inputs.index).loc[rows.index].to_numpy()
    if counted is not None and not counted.any():
        counted = None  # a mean of nothing
    result = sklearn.inspection.permutation_importance(
        pipeline,
        rows,
        target.loc[rows.index],
        scoring=_negative_log_loss(classes) if classes else "neg_mean_absolute_error",
        n_repeats=IMPORTANCE_REPEATS,
        random_state=0,
        sample_weight=counted,
    )
    ranked = sorted(zip(inputs.columns, result.importances_mean, strict=True), key=lambda p: -p[1])
    return {name: float(value) for name, value in ranked}


def _negative_log_loss(
    classes: Sequence[str],
) -> Callable[..., float]:
    """In the form of a scorer; scikit-learn's own wants every class in every holdout."""
    metric = LogLoss()

    def scorer(
        pipeline: Pipeline,
        inputs: pd.DataFrame,
        target: pd.Series[Any],
        sample_weight: FloatArray | None = None,
    ) -> float:
        probabilities = class_probabilities(pipeline, inputs, classes)
        actual = target_numbers(target, classes)
        return -score({metric.name: metric}, actual, probabilities, sample_weight)[metric.name]

    return scorer
