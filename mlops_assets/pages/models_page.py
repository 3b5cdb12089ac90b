"""Models: their scores side by side, over time and by slice, and any two of them compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.metric import WEIGHT, finish_sums
from mlops_assets.ml.metrics.scores import LONG, SHORT, TRAILING_DAYS, common_rows
from mlops_assets.pages.comparing import VALUE, by_slice, day_sums, over_time, scores
from mlops_assets.pages.curves import (
    calibration_figure,
    calibration_of,
    roc_figure,
    roc_of,
    shown_classes,
)
from mlops_assets.pages.model_figures import (
    daily_figure,
    difference_figure,
    holiday_marks,
    slice_differences_figure,
    slices_figure,
)
from mlops_assets.pages.parts import Page, Part, signed
from mlops_assets.pages.rows import check_rows, rows_of
from mlops_assets.pages.shelf import Look

GAIN, GAIN_SHORT = "gain_over_previous", f"gain_over_previous_{SHORT}d"
VERSION_COLUMNS = ["rows", "version", "trained_through"]


def models_page(look: Look) -> Page:
    check_rows(look)
    project, metric = look.project, look.metric
    of = f" of {look.view.of}" if look.view.of else ""
    parts = [
        Part(
            "scores",
            f"{metric.name}{of}",
            f"{metric.description} On the rows that all models forecast, pooled. The last columns "
            f"are the difference of {metric.loss_name} to the baseline over {look.over(LONG)} and "
            "its "
            f"interval ({project.champion.confidence:.0%}): below zero is better.",
            lambda: scores(look, TRAILING_DAYS),
            forms=dict.fromkeys([f"less {project.evaluation.baseline}", "from", "up to"], signed),
            later=True,
        ),
        Part(
            "daily",
            f"{look.unit.capitalize()} by {look.unit}",
            f"Thin lines are single {look.unit}s, bold lines the last {SHORT}, their rows pooled; "
            "a "
            "dotted line marks the first of a new version. Those on grey ground are reconstructed: "
            f"nobody had forecast them in advance. A click opens the {look.unit}. Of all rows.",
            partial(daily_scores, look),
            lambda frame: daily_figure(
                frame,
                metric.name,
                look.models,
                look.lines,
                holiday_marks(look.holidays),
                look.unit,
            ),
            later=True,
        ),
        *_pair(look),
        *_slices(look),
        Part(
            "metrics",
            "Every metric",
            f"Over the {look.over(LONG)} through {look.last_day or look.view.last}. Of all rows.",
            partial(_metrics, look),
        ),
        Part(
            "gains",
            "Was retraining worth it?",
            f"{project.primary_metric.loss_name} of the version before, which goes on in shadow, "
            "less that of the version in service, on the same rows: above zero, the newer version "
            "is better. Of all rows.",
            partial(_gains, look),
            lambda frame: daily_figure(frame, "gain", look.models, look.lines, unit=look.unit),
            later=True,
        ),
        *_curves(look),
    ]
    return Page("Models", [], parts)


def daily_scores(look: Look) -> pd.DataFrame:
    """The metric of each model and day, and the same over the windows up to it."""
    boards = look.boards()
    name = look.metric.name
    kept = ["date", "model", name, *(f"{name}_{days}d" for days in TRAILING_DAYS)]
    return boards.reindex(columns=[*kept, *VERSION_COLUMNS, "live"]) if len(boards) else boards


def _metrics(look: Look) -> pd.DataFrame:
    if look.board.empty:
        return pd.DataFrame()
    names = {f"{name}_{LONG}d": name for name in look.project.evaluation.made_metrics}
    facts = {"rank": "rank", "model": "model", **names, f"days_{LONG}d": "days"}
    return look.board.reindex(columns=[*facts]).rename(columns=facts)


def _gains(look: Look) -> pd.DataFrame:
    boards = look.boards()
    if GAIN not in boards:
        return pd.DataFrame()
    found = boards.rename(columns={GAIN: "gain", GAIN_SHORT: f"gain_{SHORT}d"})
    kept = ["date", "model", "gain", f"gain_{SHORT}d", *VERSION_COLUMNS]
    return found.reindex(columns=kept).dropna(subset="gain")


def chosen_pair(look: Look) -> tuple[str, str]:
    """The two models that are compared: those of the address, else the best and the baseline."""
    best = look.view.one or look.models[0]
    others = [look.view.other, look.project.evaluation.baseline, *look.models]
    return best, next(name for name in others if name and name != best)


def _pair(look: Look) -> Iterator[Part]:
    if len(look.project.models) < 2:
        return
    one, other = chosen_pair(look)
    loss, sure = look.metric.loss_name, f"{look.project.champion.confidence:.0%}"
    said = (
        f"{loss} of {one} less that of {other} on the same rows, with the interval that holds what "
        f"is not chance ({sure}, by a jackknife over {look.unit}s, as challengers are judged): "
        "below zero, "
        f"{one} is better."
    )
    yield Part(
        "difference",
        f"{one} against {other}",
        f"{said} Over the {look.over(LONG)} up to each {look.unit}.",
        lambda: over_time(look, one, other),
        lambda frame: difference_figure(frame, one, other, loss, holiday_marks(look.holidays)),
        later=True,
        choice="pair",
    )
    for column in look.project.evaluation.slices:
        yield Part(
            f"difference-{column}",
            f"{one} against {other} by {column}",
            f"{said} Over the {look.over(LONG)} through {look.view.last}.",
            partial(by_slice, look, one, other, column),
            partial(slice_differences_figure, column=column, one=one, other=other, loss=loss),
            later=True,
        )


def _slices(look: Look) -> Iterator[Part]:
    for column in look.project.evaluation.slices:
        yield Part(
            f"slices-{column}",
            f"By {column}",
            f"{look.metric.name} over the {look.over(LONG)} through {look.view.last}, from the "
            "largest "
            "value of the best model to its smallest.",
            partial(slice_scores, look, column),
            lambda frame: slices_figure(frame, look.metric.name, look.models, look.lines),
            later=True,
        )


def slice_scores(look: Look, column: str) -> pd.DataFrame:
    """The metric of each model by slice over the last 28 days: model, slice, rows, the metric."""
    sums = day_sums(look, look.back(LONG), by=column)
    sums = sums[sums["model"].isin(look.models)] if len(sums) else sums
    if sums.empty:
        return pd.DataFrame()
    groups = sums.drop(columns="date").groupby(["model", VALUE]).sum()
    found = finish_sums({look.metric.name: look.metric}, groups).reset_index()
    return found.rename(columns={VALUE: "slice"})


def _curves(look: Look) -> Iterator[Part]:
    labels = look.project.labels
    for number, label in enumerate(shown_classes(labels) if labels else []):
        yield Part(
            f"calibration-{number}",
            f"Are the probabilities of {label} true?",
            "How often it came by how probable it was said to be, over the last "
            f"{look.over(LONG)}: on "
            "the dotted line they agree, below it too much was promised. Larger marks hold more "
            "rows.",
            partial(_curve, look, calibration_of, label),
            partial(calibration_figure, label=label, models=look.models, lines=look.lines),
            later=True,
        )
        yield Part(
            f"roc-{number}",
            f"ROC curve of {label}",
            f"Over the last {look.over(LONG)}, how many rows of it are found with how many of the "
            "others, from the largest probability down: the further above the dotted line, the "
            "better they are told apart.",
            partial(_curve, look, roc_of, label),
            partial(roc_figure, label=label, models=look.models, lines=look.lines),
            later=True,
        )


def _curve(look: Look, curve: Callable[..., pd.DataFrame], label: str) -> pd.DataFrame:
    """A curve of the forecasts of the last 28 days on common rows, of the models chosen."""

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        rows = rows_of(look.project, common_rows(frame), look.view.of)
        return rows[["date", "model", "actual", "forecast", *([WEIGHT] if WEIGHT in rows else [])]]

    every = [f"validation/{model.name}" for model in look.project.models]
    found = look.reduced(("recent", look.view.of), every, reduce, look.back(LONG))
    found = found[found["model"].isin(look.models)] if len(found) else found
    return curve(found, look.project.labels, label)
