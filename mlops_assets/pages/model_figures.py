"""The figures of models, as Plotly reads them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import SHORT
from mlops_assets.pages.drawing import (
    BEHIND,
    DASHES,
    EDGE,
    GRID,
    MUTED,
    PALETTE,
    UNKNOWN,
    Json,
    band,
    base_layout,
    day_labels,
    day_line,
    line_style,
    plain_label,
    short_numbers,
    straight_line,
    trace,
)
from mlops_assets.resources.stores.model_store import short

ONE_DAY = dt.timedelta(days=1)
SHORT_DAYS = 14  # up to here a line is drawn with markers: one day alone has no line
MOST_SLICES = 40
PATTERNS = dict(zip(DASHES, ("", "/", "x", "."), strict=True))  # the same for bars


def by_model(frame: pd.DataFrame, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The rows of each model that has any, by day, with a row for each day in between."""
    frame = frame.assign(date=pd.to_datetime(frame["date"]))
    return {
        model: with_gaps(rows.set_index("date").sort_index())
        for model, rows in rows_of_models(frame, models).items()
    }


def with_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by day with one for each day in between; of longer periods those that there are."""
    return rows.asfreq("D") if step_of(rows.index) == ONE_DAY else rows


def step_of(days: pd.Index[Any]) -> pd.Timedelta:
    """The shortest time between two days in order; a day where there are none."""
    steps = pd.Series(pd.DatetimeIndex(days)).diff().dropna()
    return min(steps[steps > pd.Timedelta(0)], default=pd.Timedelta(ONE_DAY))


def rows_of_models(frame: pd.DataFrame, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    groups = {str(model): rows for model, rows in frame.groupby("model", sort=False, observed=True)}
    return {model: groups[model] for model in models if model in groups}


def daily_figure(
    daily: pd.DataFrame,
    metric: str,
    models: Sequence[str],
    lines: Mapping[str, Json],
    marks: Iterable[Json] = (),
    unit: str = "day",
) -> Json | None:
    """A metric of each model, of single days and of the short window up to each day.

    `daily` has a row per date and model: date, model, the metric, the same as METRIC_7d, version,
    trained_through and, where that is known, live. None without rows.
    """
    if daily.empty or metric not in daily:
        return None
    frames = by_model(daily, models)
    mode = "lines+markers" if is_short(daily) else "lines"
    traces: list[Json] = []
    of_single = f"<b>%{{fullData.name}}</b>, %{{x}}: %{{y:,.4~r}} on the {unit}<extra></extra>"
    of_pooled = (
        f"<b>%{{fullData.name}}</b>, %{{x}}<br>%{{text}} on the {unit}, %{{y:,.4~r}} over {SHORT} "
        "of them<br>version %{customdata[0]}<br>trained through %{customdata[1]}<extra></extra>"
    )
    for model, rows in frames.items():
        single = pd.to_numeric(rows[metric], errors="coerce")
        pooled = pd.to_numeric(rows[f"{metric}_{SHORT}d"], errors="coerce")
        shared = {"x": day_labels(rows.index), "legendgroup": model}
        pale = {"marker": {"size": 5}, "opacity": 0.35, "showlegend": False}
        of_week = {
            "y": short_numbers(pooled),
            "text": _texts(single),
            "customdata": _versions(rows),
            "hoverlabel": {"bordercolor": lines[model]["color"]},
        }
        thin, bold = ({**lines[model], "width": width} for width in (1, 3))
        traces += [
            trace(model, mode, thin, of_single, y=short_numbers(single), **shared, **pale),
            trace(model, "lines", bold, of_pooled, **shared, **of_week),
        ]
    layout = base_layout(height=420, hovermode="closest")
    layout["xaxis"] |= day_axis(daily)
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    changes = [day_line(day) for day in version_changes(frames.values())]
    layout["shapes"] = [*_reconstructed(daily), *changes, *marks]
    return {"data": traces, "layout": layout}


def _reconstructed(daily: pd.DataFrame) -> Iterator[Json]:
    """A grey ground for each stretch of days that no model was forecast for in advance."""
    if "live" not in daily:
        return
    by_date = daily["live"].eq(True).groupby(pd.to_datetime(daily["date"])).any()
    live = with_gaps(by_date.to_frame())["live"]
    half = step_of(live.index) / 2
    for _, days in live[live.ne(True)].groupby(live.eq(True).cumsum()):
        ends = {"x0": str(days.index[0] - half), "x1": str(days.index[-1] + half), "y0": 0, "y1": 1}
        grey = {"line": {"width": 0}, "fillcolor": GRID, "opacity": 0.5}
        yield {"type": "rect", **ends, **grey, **BEHIND}


def _texts(values: pd.Series) -> list[str]:
    return [
        f"{float(f'{value:.4g}'):,.12g}" if math.isfinite(value) else UNKNOWN for value in values
    ]


def is_short(frame: pd.DataFrame) -> bool:
    return bool(frame["date"].nunique() <= SHORT_DAYS)


def day_axis(frame: pd.DataFrame) -> Json:
    axis: Json = {"type": "date", "hoverformat": "%a %d %b %Y", "showgrid": False}
    if is_short(frame):
        axis |= {"tickformat": "%d %b"}
        if step_of(pd.Index(sorted(frame["date"].unique()))) == ONE_DAY:
            axis["dtick"] = 24 * 60 * 60 * 1000
    return axis


def _versions(rows: pd.DataFrame) -> list[list[str]]:
    """Version and last day of training of each row, as hover text."""
    versions = [
        plain_label(UNKNOWN if pd.isna(version) else short(version)) for version in rows["version"]
    ]
    return [list(pair) for pair in zip(versions, day_labels(rows["trained_through"]), strict=True)]


def version_changes(frames: Iterable[pd.DataFrame]) -> list[str]:
    """The days on which a model was first judged in another version than on its day before."""
    days: set[str] = set()
    for rows in frames:
        versions = rows["version"].dropna().astype(str)
        changed = versions.ne(versions.shift()) & versions.shift().notna()
        days.update(day_labels(versions.index[changed.to_numpy()]))
    return sorted(days)


def holiday_marks(names: Mapping[dt.date, str]) -> list[Json]:
    """A line on each holiday, which says what it is called."""
    label = {"font": {"size": 10, "color": MUTED}, "textposition": "end", "textangle": -90}
    return [
        {**day_line(str(day), MUTED), "label": {**label, "text": plain_label(name)}}
        for day, name in names.items()
    ]


def slice_order(slices: pd.DataFrame, model: str, metric: str) -> list[str]:
    """All slices, the one with the model's largest value first, those it has no value for last."""
    own = slices[slices["model"] == model]
    values = dict(zip(own["slice"].astype(str), short_numbers(own[metric]), strict=True))

    def key(name: str) -> tuple[bool, float, str]:
        value = values.get(name)
        return value is None, -(value or 0.0), name

    return sorted(slices["slice"].astype(str).unique(), key=key)


def slices_figure(
    slices: pd.DataFrame, metric: str, models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    """A metric of each model by slice, the worst of the best model first; None without rows.

    `slices` has a row per model and slice: model, slice, rows and the metric.
    """
    if slices.empty:
        return None
    frames = rows_of_models(slices, models)
    kept = slice_order(slices, next(iter(frames)), metric)[:MOST_SLICES]
    frames = {model: rows[rows["slice"].astype(str).isin(kept)] for model, rows in frames.items()}
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain_label(model),
            "y": [plain_label(name) for name in rows["slice"]],
            "x": short_numbers(rows[metric]),
            "marker": {
                "color": lines[model]["color"],
                "pattern": {"shape": PATTERNS[lines[model]["dash"]]},
            },
            "customdata": short_numbers(rows["rows"]),
            "hovertemplate": "<b>%{fullData.name}</b>, %{y}: %{x:,.4~r} over "
            "%{customdata:,} rows<extra></extra>",
        }
        for model, rows in frames.items()
    ]
    layout = base_layout(height=110 + len(kept) * (16 + 9 * len(frames)), hovermode="closest")
    layout |= {"bargap": 0.24, "bargroupgap": 0.0}
    layout["xaxis"]["title"]["text"] = plain_label(metric)
    layout["yaxis"] |= {
        "type": "category",
        "autorange": "reversed",
        "showgrid": False,
        "categoryarray": [plain_label(name) for name in kept],
    }
    return {"data": traces, "layout": layout}


def difference_figure(
    found: pd.DataFrame, one: str, other: str, loss: str, marks: Iterable[Json] = ()
) -> Json | None:
    """The difference of two models over time with its interval; None without rows."""
    if found.empty:
        return None
    rows = with_gaps(found.set_index("date"))
    days = day_labels(rows.index)
    hover = (
        "%{x}: <b>%{y:+,.3~r}</b>, %{customdata[0]:+,.3~r} to %{customdata[1]:+,.3~r}"
        "<extra></extra>"
    )
    ends = [
        list(pair) for pair in zip(*map(short_numbers, (rows["low"], rows["high"])), strict=True)
    ]
    points = {"x": days, "y": short_numbers(rows["difference"]), "customdata": ends}
    line = {**line_style(0), "width": 2}
    layout = base_layout(height=320, hovermode="x")
    layout["showlegend"] = False
    layout["xaxis"] |= day_axis(found)
    layout["yaxis"]["title"]["text"] = plain_label(f"difference of {loss}")
    layout["yaxis"] |= {"zeroline": True, "zerolinewidth": 2}
    layout["shapes"] = [*marks]
    mode = "lines+markers" if is_short(found) else "lines"
    return {
        "data": [
            *band(days, rows["low"], rows["high"], "var(--shade)"),
            trace(f"{one} less {other}", mode, line, hover, **points),
        ],
        "layout": layout,
    }


def slice_differences_figure(
    found: pd.DataFrame, column: str, one: str, other: str, loss: str
) -> Json | None:
    """The difference of two models in each slice with its interval; None without rows."""
    if found.empty:
        return None
    shown = found.head(MOST_SLICES)
    middle = shown["difference"]
    errors = {
        "type": "data",
        "symmetric": False,
        "array": short_numbers(shown["high"] - middle),
        "arrayminus": short_numbers(middle - shown["low"]),
        "color": MUTED,
        "thickness": 1.5,
    }
    layout = base_layout(height=90 + 24 * len(shown), hovermode="closest")
    layout["showlegend"] = False
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"]["title"]["text"] = plain_label(f"{loss}: {one} less {other}")
    layout["shapes"] = [straight_line((0, 0), (0, 1), EDGE, yref="paper")]
    points = {
        "x": short_numbers(middle),
        "y": [plain_label(name) for name in shown[column]],
        "error_x": errors,
        "marker": {"size": 9, "color": PALETTE[0]},
        "customdata": short_numbers(shown["rows"]),
    }
    hover = "<b>%{y}</b>: %{x:+,.3~r} over %{customdata:,} rows<extra></extra>"
    return {"data": [trace(one, "markers", {}, hover, **points)], "layout": layout}
