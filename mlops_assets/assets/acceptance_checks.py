"""Acceptance checks of a new version, on the month that it was trained under."""

from __future__ import annotations

from collections.abc import Callable

from mlops_assets.assets.reporting import DATA_ERRORS
from mlops_assets.lazy import pd, sklearn, threadpoolctl
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import FloatArray, finite_rows
from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
from mlops_assets.ml.models.training import FittedWindow, fit_rows, forecast
from mlops_assets.ml.selection.acceptance import (
    CHECKS,
    COMPARISONS,
    forecast_rows,
    judged,
    not_surely_worse,
    reproducible,
    sound_forecasts,
)
from mlops_assets.ml.selection.gate import paired
from mlops_assets.ml.selection.versions import V, may_serve
from mlops_assets.project import ModelSettings, Project


def held_out(project: Project, window: FittedWindow) -> pd.DataFrame:
    """What the twin forecast of the holdout, row by row, to be compared with later versions."""
    return _rows(project, window.holdout, window.fit.forecasts)


def accept(
    project: Project,
    model: ModelSettings,
    window: FittedWindow,
    inputs: list[str],
    in_service: V | None,
    load: Callable[[V], sklearn.pipeline.Pipeline],
    held_out_by: Callable[[V], pd.DataFrame | None],
) -> dict[str, CheckResult]:
    """Every acceptance check of a version that is not stored yet, fitted on a window.

    `in_service` would score the day from which on the new one may serve; `load` gives its pipeline,
    and `held_out_by` what its twin forecast of its own holdout, None where that was not kept.
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
        if finite_rows(fit.forecasts).all():
            checks["beats_baseline"] = _beats_baseline(project, model, window, inputs)
            checks["no_worse_than_in_service"] = _no_worse(
                project, window, in_service, load, held_out_by
            )
        else:
            unscored = judged(False, "forecasts that are not finite have no score")
            checks |= dict.fromkeys(COMPARISONS, unscored)
    return {name: checks[name] for name in CHECKS}


def _beats_baseline(
    project: Project, model: ModelSettings, window: FittedWindow, inputs: list[str]
) -> CheckResult:
    baseline = project.model(project.evaluation.baseline)
    if model.name == baseline.name:
        return judged(True, "it is the baseline itself")
    built = FAMILIES[baseline.family].build(
        parse_hyperparameters(baseline.family, baseline.hyperparameters), project.inputs
    )
    fitted = fit_rows(built, window.learning, inputs, project.columns.target, project.weights)
    values = forecast(
        fitted, window.holdout[inputs], non_negative=project.non_negative, classes=project.labels
    )
    return _compared(project, window, _rows(project, window.holdout, values), baseline.name)


def _no_worse(
    project: Project,
    window: FittedWindow,
    card: V | None,
    load: Callable[[V], sklearn.pipeline.Pipeline],
    held_out_by: Callable[[V], pd.DataFrame | None],
) -> CheckResult:
    """Against the version in service, on rows of days that both it and the twin may serve."""
    if card is None:
        return judged(True, "no version is in service yet")
    holdout, date = window.holdout, project.columns.date
    last = holdout[date].max().date()
    unseen = holdout[may_serve(card, holdout[date]).to_numpy()]
    try:
        if card.trained_through == last:
            # both learned from the holdout in the end; their twins did not
            theirs = held_out_by(card)
            if theirs is None:
                why = f"not compared: of {card.version} no forecasts of the holdout were kept"
                return judged(True, why)
        elif 2 * unseen[date].nunique() >= holdout[date].nunique():
            values = forecast(
                load(card),
                unseen[card.inputs],
                non_negative=card.non_negative,
                classes=card.classes,
            )
            theirs = _rows(project, unseen, values)
        else:
            why = f"not compared: {card.version} itself learned through {card.trained_through}"
            return judged(True, why)
    except (*DATA_ERRORS, KeyError) as error:
        return judged(True, f"not compared: {card.version} cannot forecast the holdout: {error}")
    return _compared(project, window, theirs, card.version, project.acceptance.tolerance)


def _compared(
    project: Project,
    window: FittedWindow,
    theirs: pd.DataFrame,
    other: str,
    tolerance: float = 0.0,
) -> CheckResult:
    """A version beside what another one forecast, on the rows of the holdout that both did."""
    rows = {"other": theirs, "version": held_out(project, window)}
    if len({frame["forecast"].dtype for frame in rows.values()}) > 1:
        return judged(True, f"not compared: {other} and it do not forecast the same classes")
    both = pd.concat([frame.assign(model=name) for name, frame in rows.items()])
    found = paired(project.primary_metric, both, *rows)
    return not_surely_worse(found, other, tolerance=tolerance)


def _rows(project: Project, rows: pd.DataFrame, values: FloatArray) -> pd.DataFrame:
    columns = project.columns
    actual = target_numbers(rows[columns.target], project.labels)
    return forecast_rows(rows[columns.date], actual, values, **columns.weights_of(rows))
