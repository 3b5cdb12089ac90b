"""The figures of the leaderboard's page, as Plotly reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import SHORT
from mlops_assets.pages.page import (
    DASHES,
    EDGE,
    GRID,
    INK,
    UNKNOWN,
    Json,
    base_layout,
    day_labels,
    line_style,
    plain_label,
    short_numbers,
    straight_line,
    trace,
)

SHORT_DAYS = 14  # up to here a line is drawn with markers: one day alone has no line
MOST_SLICES = 40
BEHIND = {"xref": "x", "yref": "paper", "layer": "below"}  # over the height of the figure
PATTERNS = dict(zip(DASHES, ("", "/", "x", "."), strict=True))  # the same for bars


def model_lines(models: Sequence[str]) -> dict[str, Json]:
    """Colour and dash by name, not by rank, so that a model looks the same every day."""
    return {model: line_style(n) for n, model in enumerate(sorted(models))}


def _by_model(frame: pd.DataFrame, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The rows of each model that has any, by day, with a row for each day in between."""
    frame = frame.assign(date=pd.to_datetime(frame["date"]))
    return {
        model: rows.set_index("date").sort_index().asfreq("D")
        for model, rows in _rows_of(frame, models).items()
    }


def _rows_of(frame: pd.DataFrame, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    groups = {str(model): rows for model, rows in frame.groupby("model", sort=False, observed=True)}
    return {model: groups[model] for model in models if model in groups}


def daily_figure(
    daily: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    """Each metric of each model, of single days and of the short window up to each day.

    None without rows. Its rows are pooled, as a busy day weighs more than a quiet one.
    """
    if daily.empty:
        return None
    frames = _by_model(daily, models)
    mode = "lines+markers" if _is_short(daily) else "lines"
    traces: list[Json] = []
    for model, rows in frames.items():
        shared = {
            "x": day_labels(rows.index),
            "legendgroup": model,
            "customdata": _versions(rows),
            "hoverlabel": {"bordercolor": lines[model]["color"]},
        }
        pale = {"marker": {"size": 5}, "opacity": 0.35, "showlegend": False}
        single = _daily_hover(day="%{y:,.4~r}", pooled="%{text}")
        pooled = _daily_hover(day="%{text}", pooled="%{y:,.4~r}")
        traces += [
            trace(model, mode, {**lines[model], "width": 1}, single, **shared, **pale),
            trace(model, "lines", {**lines[model], "width": 3}, pooled, **shared),
        ]

    def choice(metric: str) -> tuple[Json, Json]:
        values: list[list[float | None]] = []
        texts: list[list[str]] = []
        for rows in frames.values():
            single = pd.to_numeric(rows[metric], errors="coerce")
            pooled = pd.to_numeric(rows[f"{metric}_{SHORT}d"], errors="coerce")
            values += [short_numbers(single), short_numbers(pooled)]
            texts += [_texts(pooled), _texts(single)]
        return {"y": values, "text": texts}, {"yaxis.title.text": metric, "yaxis.autorange": True}

    layout = base_layout(height=440, hovermode="closest")
    layout["xaxis"] |= _day_axis(daily)
    layout["shapes"] = [*_reconstructed(daily)] + [
        straight_line((day, day), (0, 1), EDGE, **BEHIND)
        for day in _version_changes(frames.values())
    ]
    return with_choice({"data": traces, "layout": layout}, {m: choice(m) for m in metrics})


def _reconstructed(daily: pd.DataFrame) -> Iterator[Json]:
    """A grey ground for each stretch of days that no model was forecast for in advance."""
    if "live" not in daily:
        return
    live = daily["live"].eq(True).groupby(pd.to_datetime(daily["date"])).any().asfreq("D")
    half = pd.Timedelta(hours=12)
    for _, days in live[live.ne(True)].groupby(live.eq(True).cumsum()):
        ends = {"x0": str(days.index[0] - half), "x1": str(days.index[-1] + half), "y0": 0, "y1": 1}
        grey = {"line": {"width": 0}, "fillcolor": GRID, "opacity": 0.5}
        yield {"type": "rect", **ends, **grey, **BEHIND}


def _daily_hover(*, day: str, pooled: str) -> str:
    return (
        f"<b>%{{fullData.name}}</b>, %{{x}}<br>{day} on the day, {pooled} over {SHORT} days<br>"
        "version %{customdata[0]}<br>trained through %{customdata[1]}<extra></extra>"
    )


def _texts(values: pd.Series) -> list[str]:
    return [
        f"{float(f'{value:.4g}'):,.12g}" if math.isfinite(value) else UNKNOWN for value in values
    ]


def _is_short(frame: pd.DataFrame) -> bool:
    return bool(frame["date"].nunique() <= SHORT_DAYS)


def _day_axis(frame: pd.DataFrame) -> Json:
    axis: Json = {"type": "date", "hoverformat": "%a %d %b %Y", "showgrid": False}
    if _is_short(frame):
        axis |= {"tickformat": "%d %b", "dtick": 24 * 60 * 60 * 1000}
    return axis


def _versions(rows: pd.DataFrame) -> list[list[str]]:
    """Version and last day of training of each row, as hover text."""
    versions = [
        plain_label(UNKNOWN if pd.isna(version) else version) for version in rows["version"]
    ]
    return [list(pair) for pair in zip(versions, day_labels(rows["trained_through"]), strict=True)]


def _version_changes(frames: Iterable[pd.DataFrame]) -> list[str]:
    """The days on which a model was first judged in another version than on its day before."""
    days: set[str] = set()
    for rows in frames:
        versions = rows["version"].dropna().astype(str)
        changed = versions.ne(versions.shift()) & versions.shift().notna()
        days.update(day_labels(versions.index[changed.to_numpy()]))
    return sorted(days)


def _slice_order(slices: pd.DataFrame, model: str, metric: str) -> list[str]:
    """All slices, the one with the model's largest value first, those it has no value for last."""
    own = slices[slices["model"] == model]
    values = dict(zip(own["slice"].astype(str), short_numbers(own[metric]), strict=True))

    def key(name: str) -> tuple[bool, float, str]:
        value = values.get(name)
        return value is None, -(value or 0.0), name

    return sorted(slices["slice"].astype(str).unique(), key=key)


def slices_sentence(slices: pd.DataFrame, models: Sequence[str], slice_name: str) -> str:
    """Which slices are shown, and in what order."""
    if slices.empty:
        return f"Each {slice_name} over the last 28 days."
    count = slices["slice"].nunique()
    which = f"Each {slice_name}" if count <= MOST_SLICES else f"The first {MOST_SLICES} of {count}"
    best = next(model for model in models if (slices["model"] == model).any())
    return f"{which} over the last 28 days, from the largest value of {best} to its smallest."


def slices_figure(
    slices: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    """Each metric of each model by slice, the worst of the best model first; None without rows."""
    if slices.empty:
        return None
    frames = _rows_of(slices, models)
    best = next(iter(frames))
    kept = _slice_order(slices, best, metrics[0])[:MOST_SLICES]
    frames = {model: rows[rows["slice"].astype(str).isin(kept)] for model, rows in frames.items()}
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain_label(model),
            "y": [plain_label(name) for name in rows["slice"]],
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

    def choice(metric: str) -> tuple[Json, Json]:
        order = [name for name in _slice_order(slices, best, metric) if name in kept]
        return {"x": [short_numbers(rows[metric]) for rows in frames.values()]}, {
            "xaxis.title.text": metric,
            "xaxis.autorange": True,
            "yaxis.categoryarray": [plain_label(name) for name in order],
        }

    height = 130 + len(kept) * (16 + 9 * len(frames))
    layout = base_layout(height=height, hovermode="closest")
    layout |= {"bargap": 0.24, "bargroupgap": 0.0}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    return with_choice({"data": traces, "layout": layout}, {m: choice(m) for m in metrics})


def totals_figure(
    totals: pd.DataFrame, models: Sequence[str], lines: Mapping[str, Json], target: str
) -> Json | None:
    """The target of each day as it was and as each model forecast it; None without rows."""
    if totals.empty:
        return None
    frames = _by_model(totals, models)
    actual = pd.concat([rows["actual"] for rows in frames.values()]).groupby(level=0).first()
    mode = "lines+markers" if _is_short(totals) else "lines"
    hover = "<b>%{fullData.name}</b> %{y:,.6~r}<extra></extra>"
    best = next(iter(frames))
    points = {"x": day_labels(actual.index), "y": short_numbers(actual)}
    traces = [trace("actual", mode, {"color": INK, "width": 2}, hover, **points)]
    for model, rows in frames.items():
        points = {"x": day_labels(rows.index), "y": short_numbers(rows["forecast"])}
        visible = True if model == best else "legendonly"
        line = {**lines[model], "width": 2}
        traces.append(trace(model, mode, line, hover, visible=visible, **points))
    layout = base_layout(height=420, hovermode="x unified")
    layout["xaxis"] |= _day_axis(totals)
    layout["xaxis"]["rangeselector"] = {
        "buttons": [
            {"label": "4 weeks", "step": "day", "count": 28, "stepmode": "backward"},
            {"label": "3 months", "step": "month", "count": 3, "stepmode": "backward"},
            {"label": "all", "step": "all"},
        ],
        "bgcolor": "#fff",
        "activecolor": GRID,
        "bordercolor": EDGE,
        "borderwidth": 1,
        "y": 1.03,
    }
    layout["yaxis"]["title"]["text"] = plain_label(target)
    return {"data": traces, "layout": layout}


def with_choice(figure: Json, choices: Mapping[str, tuple[Json, Json]]) -> Json:
    """The figure of the first metric, with a menu that changes to the others.

    A choice holds what changes by dotted path: of the traces, one value each, and in the layout.
    """
    by_trace, in_layout = next(iter(choices.values()))
    for path, values in by_trace.items():
        for drawn, value in zip(figure["data"], values, strict=True):
            _put(drawn, path, value)
    for path, value in in_layout.items():
        _put(figure["layout"], path, value)
    buttons = [
        {"label": plain_label(metric), "name": metric, "method": "update", "args": list(choice)}
        for metric, choice in choices.items()
    ]
    menu = {
        "buttons": buttons,
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"b": 10},
        "bgcolor": "#fff",
        "bordercolor": EDGE,
        "font": {"size": 13},
        "showactive": True,
    }
    figure["layout"]["updatemenus"] = [menu] if len(buttons) > 1 else []
    return figure


def _put(place: Json, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        place = place[parent]
    place[last] = value
