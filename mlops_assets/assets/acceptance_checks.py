"""Acceptance checks of a new version, on the month that it was trained under."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from mlops_assets.assets.reporting import DATA_ERRORS
from mlops_assets.lazy import np, pd, sklearn, threadpoolctl
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import FloatArray, Metric, score
from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
from mlops_assets.ml.models.training import Fit, FittedWindow, fit_rows, forecast
from mlops_assets.ml.selection.acceptance import (
    CHECKS,
    judged,
    reproducible,
    sound_forecasts,
    within,
)
from mlops_assets.ml.selection.versions import V, may_serve
from mlops_assets.project import ModelSettings, Project


def accept(
    project: Project,
    model: ModelSettings,
    window: FittedWindow,
    inputs: list[str],
    in_service: V | None,
    load: Callable[[V], sklearn.pipeline.Pipeline],
) -> dict[str, CheckResult]:
    """Every acceptance check of a version that is not stored yet, fitted on a window.

    `in_service` would score the day from which on the new one may serve; `load` gives its pipeline.
    """
    learning, holdout, fit = window.learning, window.holdout, window.fit
    target = project.columns.target
    with threadpoolctl.threadpool_limits(project.training.threads):
        checks = {
            "sound_forecasts": sound_forecasts(
                fit.forecasts,
                target_numbers(holdout[target], project.labels),
                may_be_constant=FAMILIES[model.family].may_be_constant,
            ),
            "reproducible": reproducible(window.pipeline, learning, inputs, target, project.labels),
        }
        if fit.holdout:
            checks["beats_baseline"] = _beats_baseline(
                project, model, learning, holdout, fit, inputs
            )
            checks["no_worse_than_in_service"] = _no_worse(
                project, holdout, window.holdout_from, fit, in_service, load
            )
        else:
            unscored = judged(False, "forecasts that are not finite have no score")
            checks |= dict.fromkeys(["beats_baseline", "no_worse_than_in_service"], unscored)
    return {name: checks[name] for name in CHECKS}


def _beats_baseline(
    project: Project,
    model: ModelSettings,
    learning: pd.DataFrame,
    holdout: pd.DataFrame,
    fit: Fit,
    inputs: list[str],
) -> CheckResult:
    baseline = project.model(project.evaluation.baseline)
    if model.name == baseline.name:
        return judged(True, "it is the baseline itself")
    target = project.columns.target
    built = FAMILIES[baseline.family].build(
        parse_hyperparameters(baseline.family, baseline.hyperparameters), project.inputs
    )
    fitted = fit_rows(built, learning, inputs, target, project.weights)
    values = forecast(
        fitted, holdout[inputs], non_negative=project.non_negative, classes=project.labels
    )
    limit = _loss(project, target_numbers(holdout[target], project.labels), values)
    return within(
        _loss(project, target_numbers(holdout[target], project.labels), fit.forecasts),
        limit,
        f"the {project.primary_metric.loss_name} of {baseline.name} on the holdout",
    )


def _no_worse(
    project: Project,
    holdout: pd.DataFrame,
    holdout_from: dt.date,
    fit: Fit,
    card: V | None,
    load: Callable[[V], sklearn.pipeline.Pipeline],
) -> CheckResult:
    """Against the version in service, on rows of days that both it and the twin may serve."""
    date, target = project.columns.date, project.columns.target
    primary, loss_name = project.evaluation.primary, project.primary_metric.loss_name
    tolerance = project.acceptance.tolerance
    if card is None:
        return judged(True, "no version is in service yet")
    last = holdout[date].max().date()
    unseen = may_serve(card, holdout[date]).to_numpy()
    rows = holdout[unseen]
    twins = (card.holdout_from, card.trained_through) == (holdout_from, last)
    if twins and card.holdout_rows == len(holdout) and primary in card.holdout:
        # both learned from the holdout in the end; their twins did not
        limit = _as_loss(project.primary_metric, card.holdout[primary])
        loss = _loss(project, target_numbers(holdout[target], project.labels), fit.forecasts)
    elif 2 * rows[date].nunique() >= holdout[date].nunique():
        try:
            values = forecast(
                load(card),
                rows[card.inputs],
                non_negative=card.non_negative,
                classes=card.classes,
            )
            limit = _loss(project, target_numbers(rows[target], project.labels), values)
        except (*DATA_ERRORS, KeyError) as error:
            why = f"not compared: {card.version} cannot forecast the holdout: {error}"
            return judged(True, why)
        loss = _loss(project, target_numbers(rows[target], project.labels), fit.forecasts[unseen])
    else:
        why = f"not compared: {card.version} itself learned through {card.trained_through}"
        return judged(True, why)
    return within(
        loss,
        limit * (1 + tolerance),
        f"{tolerance:.0%} more than the {loss_name} of {card.version} on the same "
        f"{len(holdout) if twins else len(rows)} rows",
    )


def _loss(project: Project, actual: FloatArray, forecasts: FloatArray) -> float:
    """The primary metric as a number that is better when lower."""
    metric = project.primary_metric
    return _as_loss(metric, score({metric.name: metric}, actual, forecasts)[metric.name])


def _as_loss(metric: Metric, value: float) -> float:
    return float(metric.loss(np.array([value]))[0])
