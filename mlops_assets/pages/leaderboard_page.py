"""The leaderboard as a page of interactive figures."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import SHORT
from mlops_assets.pages.curves import Curves, calibration_figure, class_choice, roc_figure
from mlops_assets.pages.leaderboard_figures import (
    daily_figure,
    model_lines,
    slices_figure,
    slices_sentence,
    totals_figure,
    with_choice,
)
from mlops_assets.pages.page import Json, make_page, page_section

TOTALS_COLUMNS = ("date", "model", "actual", "forecast")
VERSION_COLUMNS = ("rows", "version", "trained_through")


# What each figure is called, and what is said of it.
SAID = {
    "daily": (
        "Day by day",
        "Thin lines are single days, bold lines the last {days}, their rows pooled; a dotted line "
        "marks the first day of a new version. Days on grey ground are reconstructed: nobody had "
        "forecast them in advance.",
    ),
    "totals": (
        "Forecast against actual",
        "The sum of {target} over all rows of a day, as it was and as the best model forecast it; "
        "click another model's name to add it.",
    ),
    "gains": (
        "Was retraining worth it?",
        "{loss} of the version before, which goes on in shadow, less that of the version in "
        "service, on the same rows: above zero, the newer version is better.",
    ),
    "calibration": (
        "Are the probabilities true?",
        "How often the class came by how probable it was said to be, over the last 28 days: on the "
        "dotted line they agree, below it too much was promised. Larger marks hold more rows.",
    ),
    "roc": (
        "ROC curve",
        "Over the last 28 days, how many rows of the class are found with how many of the others, "
        "from the largest probability down: the further above the dotted line, the better the two "
        "are told apart.",
    ),
}


@dataclass(frozen=True)
class Section:
    """A figure with what is said of it."""

    name: str
    heading: str
    sentence: str
    figure: Json | None
    note: str | None = None

    def __str__(self) -> str:
        return page_section(self.name, self.heading, self.sentence, self.figure, self.note)


def leaderboard_page(
    daily: pd.DataFrame,
    slices: pd.DataFrame,
    totals: pd.DataFrame | None,
    gains: pd.DataFrame,
    *,
    title: str,
    primary: str,
    metrics: Mapping[str, str],
    best_first: Sequence[str],
    target: str,
    slice_name: str | None,
    loss: str = "",
    curves: Curves | None = None,
) -> str:
    """An HTML page of figures, which needs `plotly.min.js` beside it and nothing else.

    daily: one row per date and model; columns date, model, each metric, the same over SHORT days
    as METRIC_7d, rows, version and trained_through. slices: one row per model and slice over the
    trailing 28 days; columns model, slice, rows and each metric. totals: one row per date and
    model; columns date, model, actual and forecast, summed over the day. gains: one row per date
    and model whose version in service has one before it; columns date, model, gain, gain_7d, rows,
    version and trained_through, the gain being the primary metric, or what `loss` says, of the
    version before, less that in service. A frame may be empty, a value missing. metrics maps each
    metric to its description; best_first ranks the models. Where slice_name is None, the figure by
    slice is left out, where totals is None, that of totals. With curves, those of 28 days as well.
    Raises ValueError when primary is no metric or a frame lacks a column.
    """
    if primary not in metrics:
        raise ValueError(f"primary {primary!r} is no metric; choose one of: {', '.join(metrics)}")
    names = [primary, *(name for name in metrics if name != primary)]
    known = pd.DataFrame(columns=list(TOTALS_COLUMNS)) if totals is None else totals
    pooled = (f"{name}_{SHORT}d" for name in names)
    _check_columns("daily", daily, ["date", "model", *names, *pooled, *VERSION_COLUMNS])
    _check_columns("slices", slices, ["model", "slice", "rows", *names])
    _check_columns("totals", known, TOTALS_COLUMNS)
    _check_columns("gains", gains, ["date", "model", "gain", f"gain_{SHORT}d", *VERSION_COLUMNS])
    models = _ranked(best_first, [daily, slices, known, gains])
    lines = model_lines(models)
    figure = daily_figure(daily, names, models, lines)
    sections = [_section("daily", figure, metrics[primary], days=SHORT)]
    if slice_name is not None:
        sentence = slices_sentence(slices, models, slice_name)
        figure = slices_figure(slices, names, models, lines)
        sections.append(Section("slices", f"By {slice_name}", sentence, figure, metrics[primary]))
    if totals is not None:
        figure = totals_figure(totals, models, lines, target)
        sections.append(_section("totals", figure, target=target))
    curved, choices = _curve_sections(curves, models, lines)
    sections += curved
    figure = daily_figure(gains, ["gain"], models, lines)
    sections.append(_section("gains", figure, loss=loss or primary))
    return make_page(
        map(str, sections),
        {section.name: section.figure for section in sections},
        title=title,
        through=_through([daily, known]),
        header=_ranking(models, lines, primary),
        descriptions={**metrics, **choices},
    )


def _section(name: str, figure: Json | None, note: str | None = None, **told: object) -> Section:
    heading, sentence = SAID[name]
    return Section(name, heading, sentence.format(**told), figure, note)


def _curve_sections(
    curves: Curves | None, models: Sequence[str], lines: Mapping[str, Json]
) -> tuple[list[Section], dict[str, str]]:
    """Those of the curves, and what their menu offers with the description of each choice."""
    if curves is None:
        return [], {}
    choices = {class_choice(name): f"Rows of {name} against all others." for name in curves.classes}
    calibration, roc = (
        None if found is None else with_choice(*found)
        for found in (
            calibration_figure(curves, models, lines),
            roc_figure(curves, models, lines),
        )
    )
    described = next(iter(choices.values())) if len(choices) > 1 else None
    sections = [_section("calibration", calibration, described), _section("roc", roc, described)]
    return sections, choices


def _check_columns(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing and not frame.empty:
        raise ValueError(
            f"{name} lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )


def _ranked(best_first: Sequence[str], frames: Iterable[pd.DataFrame]) -> list[str]:
    """The models that have rows, those without a rank last."""
    found = {str(model) for frame in frames if not frame.empty for model in frame["model"].unique()}
    return [
        *(model for model in best_first if model in found),
        *sorted(found - set(best_first)),
    ]


def _through(frames: Iterable[pd.DataFrame]) -> str:
    days = [pd.to_datetime(frame["date"]).max() for frame in frames if not frame.empty]
    return f"through {max(days):%Y-%m-%d}" if days else "no day evaluated yet"


def _ranking(models: Sequence[str], lines: Mapping[str, Json], primary: str) -> str:
    if not models:
        return ""
    items = "".join(
        f'<li><i style="background:{lines[model]["color"]}"></i>{html.escape(model)}</li>'
        for model in models
    )
    return f"<span>Best first by {html.escape(primary)}</span><ol>{items}</ol>"
