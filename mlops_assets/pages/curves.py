"""Calibration and ROC curves of probabilities, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.class_metrics import SCORE_BINS, one_vs_rest, score_counts
from mlops_assets.ml.metrics.metric import (
    BoolArray,
    FloatArray,
    Histogram,
    as_array,
    times,
    weight_of,
)
from mlops_assets.pages.drawing import (
    MUTED,
    Json,
    base_layout,
    plain_label,
    short_numbers,
    straight_line,
    trace,
)

CALIBRATION_BINS = 10
LARGEST_MARKER = 22
MARKER = {"opacity": 0.85}


def shown_classes(labels: Sequence[str]) -> list[str]:
    """Those that have curves: of two classes the positive one."""
    return list(labels[1:]) if len(labels) == 2 else list(labels)


def calibration_of(forecasts: pd.DataFrame, labels: Sequence[str], label: str) -> pd.DataFrame:
    """How often a class came by how probable it was said to be.

    Columns model, probability (the mean forecast of a bin), share (of the class among the rows of
    it) and rows. `forecasts` has the columns model, actual and forecast.
    """
    return _of_models(forecasts, labels, label, _calibration)


def roc_of(forecasts: pd.DataFrame, labels: Sequence[str], label: str) -> pd.DataFrame:
    """The ROC curve of a class.

    Columns model, others and of_class, the shares of rows of other classes and of the class that
    rank above each step.
    """
    return _of_models(forecasts, labels, label, _roc)


def _of_models(
    forecasts: pd.DataFrame,
    labels: Sequence[str],
    label: str,
    curve: Callable[[BoolArray, FloatArray, FloatArray], pd.DataFrame],
) -> pd.DataFrame:
    position = shown_classes(labels).index(label)
    parts = []
    for model, rows in forecasts.groupby("model") if len(forecasts) else ():
        actual = rows["actual"].to_numpy(dtype=float)
        of_class, probability = one_vs_rest(actual, as_array(rows["forecast"]))
        weight = weight_of(rows)
        counted = np.ones(len(rows)) if weight is None else weight
        found = curve(of_class[:, position], probability[:, position], counted)
        parts.append(found.assign(model=str(model)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _calibration(of_class: BoolArray, forecast: FloatArray, weight: FloatArray) -> pd.DataFrame:
    bins = np.minimum((forecast * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    terms = {"probability": forecast * weight, "share": of_class * weight, "of": weight, "rows": 1}
    sums = pd.DataFrame(terms).groupby(bins).sum()
    sums = sums[sums["of"] > 0]
    means = sums[["probability", "share"]].div(sums["of"], axis=0)
    return means.assign(rows=sums["rows"])


def _roc(of_class: BoolArray, forecast: FloatArray, weight: FloatArray) -> pd.DataFrame:
    """From (0, 0) to (1, 1), a step for each bin of scores that has rows; empty for one class."""
    one_group = np.zeros(len(forecast), dtype=np.int64)
    counted = (times(one, weight) for one in score_counts(of_class[:, None], forecast[:, None]))
    counts = [
        one.sums(one_group, 1).reshape(SCORE_BINS)[::-1]
        for one in counted
        if isinstance(one, Histogram)
    ]
    if any(count.sum() == 0 for count in counts):
        return pd.DataFrame({"of_class": [], "others": []}, dtype=float)
    filled = (counts[0] + counts[1]) > 0
    steps = [np.concatenate([[0.0], count[filled].cumsum() / count.sum()]) for count in counts]
    return pd.DataFrame({"of_class": steps[0], "others": steps[1]})


def calibration_figure(
    table: pd.DataFrame, label: str, models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    """The figure of `calibration_of`; None without rows."""
    if table.empty:
        return None
    most = float(table["rows"].max())
    hover = (
        "<b>%{fullData.name}</b><br>forecast %{x:.1%}, came %{y:.1%}<br>"
        "%{customdata:,} rows<extra></extra>"
    )
    traces = []
    for model in models:
        part = table[table["model"] == model]
        size = LARGEST_MARKER * np.sqrt(part["rows"] / most).clip(lower=0.25)
        points = {
            "x": short_numbers(part["probability"]),
            "y": short_numbers(part["share"]),
            "customdata": short_numbers(part["rows"]),
            "marker": {**MARKER, "size": short_numbers(size)},
        }
        traces.append(trace(model, "lines+markers", {**lines[model], "width": 2}, hover, **points))
    return {"data": traces, "layout": _unit_square("probability forecast", f"share of {label}")}


def roc_figure(
    table: pd.DataFrame, label: str, models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    """The figure of `roc_of`; None without rows."""
    if table.empty:
        return None
    hover = (
        "<b>%{fullData.name}</b><br>finds %{y:.1%} of the class<br>"
        "with %{x:.1%} of the others<extra></extra>"
    )
    traces = []
    for model in models:
        part = table[table["model"] == model]
        points = {"x": short_numbers(part["others"]), "y": short_numbers(part["of_class"])}
        traces.append(trace(model, "lines", {**lines[model], "width": 2}, hover, **points))
    layout = _unit_square("share of the others taken for it", f"share of {label} found")
    return {"data": traces, "layout": layout}


def _unit_square(across: str, up: str) -> Json:
    layout = base_layout(height=500, hovermode="closest")
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"range": [-0.02, 1.02], "tickformat": ".0%", "zeroline": False}
    layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"] = across, plain_label(up)
    layout["legend"]["itemsizing"] = "constant"
    layout["shapes"] = [straight_line((0, 1), (0, 1), MUTED, layer="below")]
    return layout
