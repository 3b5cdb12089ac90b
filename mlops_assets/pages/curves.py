"""Calibration and ROC curves of probabilities, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.class_metrics import SCORE_BINS, one_vs_rest, score_counts
from mlops_assets.ml.metrics.metric import BoolArray, FloatArray, as_array
from mlops_assets.pages.page import (
    MUTED,
    Json,
    base_layout,
    plain_label,
    short_numbers,
    straight_line,
    trace,
)

Choice = tuple[Json, Json]  # what changes of each trace, and in the layout

CALIBRATION_BINS = 10
LARGEST_MARKER = 22
MARKER = {"opacity": 0.85}


@dataclass(frozen=True)
class Curves:
    """The curves of each model and class, of two classes those of the positive one.

    calibration: columns model, class, probability (the mean forecast of a bin), share (of the class
    among the rows of it) and rows. roc: columns model, class, others and of_class, the shares of
    rows of other classes and of the class that rank above each step.
    """

    calibration: pd.DataFrame
    roc: pd.DataFrame
    classes: Sequence[str]


def curves_of(forecasts: pd.DataFrame, labels: Sequence[str]) -> Curves:
    """The curves of forecasts with the columns model, actual and forecast."""
    shown = list(labels[1:]) if len(labels) == 2 else list(labels)
    calibration, roc = [], []
    for model, rows in forecasts.groupby("model"):
        actual = rows["actual"].to_numpy(dtype=float)
        of_class, probability = one_vs_rest(actual, as_array(rows["forecast"]))
        pairs = zip(shown, of_class.T, probability.T, strict=False)
        for label, is_of_class, forecast in pairs:
            named = {"model": str(model), "class": label}
            calibration.append(_calibration(is_of_class, forecast).assign(**named))
            roc.append(_roc(is_of_class, forecast).assign(**named))
    return Curves(_together(calibration), _together(roc), shown)


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _calibration(of_class: BoolArray, forecast: FloatArray) -> pd.DataFrame:
    bins = np.minimum((forecast * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    rows = pd.DataFrame({"probability": forecast, "share": of_class.astype(float), "rows": 1})
    return rows.groupby(bins).agg({"probability": "mean", "share": "mean", "rows": "sum"})


def _roc(of_class: BoolArray, forecast: FloatArray) -> pd.DataFrame:
    """From (0, 0) to (1, 1), a step for each bin of scores that has rows; empty for one class."""
    one_group = np.zeros(len(forecast), dtype=np.int64)
    counts = [
        histogram.sums(one_group, 1).reshape(SCORE_BINS)[::-1]
        for histogram in score_counts(of_class[:, None], forecast[:, None])
    ]
    if any(count.sum() == 0 for count in counts):
        return pd.DataFrame({"of_class": [], "others": []}, dtype=float)
    filled = (counts[0] + counts[1]) > 0
    steps = [np.concatenate([[0.0], count[filled].cumsum() / count.sum()]) for count in counts]
    return pd.DataFrame({"of_class": steps[0], "others": steps[1]})


def class_choice(label: str) -> str:
    """What the menu of a figure calls a class."""
    return f"class {label}"


def calibration_figure(
    curves: Curves, models: Sequence[str], lines: Mapping[str, Json]
) -> tuple[Json, dict[str, Choice]] | None:
    """The figure of how often a class came by how probable it was, and its choices by class."""
    table = curves.calibration
    if table.empty:
        return None
    most = float(table["rows"].max())
    hover = (
        "<b>%{fullData.name}</b><br>forecast %{x:.1%}, came %{y:.1%}<br>"
        "%{customdata:,} rows<extra></extra>"
    )
    traces = [
        trace(model, "lines+markers", {**lines[model], "width": 2}, hover, marker={**MARKER})
        for model in models
    ]

    def choice(label: str) -> Choice:
        parts = [_rows_of(table, model, label) for model in models]
        sizes = [LARGEST_MARKER * np.sqrt(part["rows"] / most).clip(lower=0.25) for part in parts]
        return {
            "x": [short_numbers(part["probability"]) for part in parts],
            "y": [short_numbers(part["share"]) for part in parts],
            "customdata": [short_numbers(part["rows"]) for part in parts],
            "marker.size": [short_numbers(size) for size in sizes],
        }, {"yaxis.title.text": f"share of {plain_label(label)}"}

    layout = _unit_square("probability forecast")
    return {"data": traces, "layout": layout}, _choices(curves, choice)


def roc_figure(
    curves: Curves, models: Sequence[str], lines: Mapping[str, Json]
) -> tuple[Json, dict[str, Choice]] | None:
    """The figure of the ROC curves, and its choices by class."""
    table = curves.roc
    if table.empty:
        return None
    hover = (
        "<b>%{fullData.name}</b><br>finds %{y:.1%} of the class<br>"
        "with %{x:.1%} of the others<extra></extra>"
    )
    traces = [
        trace(model, "lines", {**lines[model], "width": 2}, hover, marker={**MARKER})
        for model in models
    ]

    def choice(label: str) -> Choice:
        parts = [_rows_of(table, model, label) for model in models]
        return {
            "x": [short_numbers(part["others"]) for part in parts],
            "y": [short_numbers(part["of_class"]) for part in parts],
        }, {"yaxis.title.text": f"share of {plain_label(label)} found"}

    layout = _unit_square("share of the others taken for it")
    return {"data": traces, "layout": layout}, _choices(curves, choice)


def _choices(curves: Curves, choice: Callable[[str], Choice]) -> dict[str, Choice]:
    return {class_choice(label): choice(label) for label in curves.classes}


def _rows_of(table: pd.DataFrame, model: str, label: str) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["class"] == label)]


def _unit_square(title: str) -> Json:
    layout = base_layout(height=500, hovermode="closest")
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"range": [-0.02, 1.02], "tickformat": ".0%", "zeroline": False}
    layout["xaxis"]["title"]["text"] = title
    layout["legend"]["itemsizing"] = "constant"
    layout["shapes"] = [straight_line((0, 1), (0, 1), MUTED, layer="below")]
    return layout
