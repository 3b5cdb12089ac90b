"""Charts of how models do: a line of block characters, and a page of interactive figures."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence

from mlops_assets.lazy import pd
from mlops_assets.pages.curves import Curves, calibration_figure, class_choice, roc_figure
from mlops_assets.pages.page import (
    DASHES,
    EDGE,
    GRID,
    INK,
    PALETTE,
    UNKNOWN,
    Json,
    base_layout,
    day_labels,
    make_page,
    page_section,
    plain_label,
    short_numbers,
)

BLOCKS = "▁▂▃▄▅▆▇█"
CONSTANT, MISSING = "▄", "·"
MEAN_DAYS = 7
SHORT_DAYS = 14  # up to here a line is drawn with markers: one day alone has no line
MOST_SLICES = 40
LEAST_GAIN = -0.3  # where the axis of the intervals ends


PATTERNS = dict(zip(DASHES, ("", "/", "x", "."), strict=True))  # the same for bars


def sparkline(values: Sequence[float]) -> str:
    """One character per value: eight heights between the least and the largest finite value.

    A value that is not finite is `·`; where all finite values are equal, each is `▄`.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)

    def block(value: float) -> str:
        if not math.isfinite(value):
            return MISSING
        if low == high:
            return CONSTANT
        share = (value - low) / (high - low)
        return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]

    return "".join(block(value) for value in values)


def interval_chart(intervals: Mapping[str, tuple[float, float, float]], threshold: float) -> str:
    """Markdown of a small picture: low, middle and high end of each interval on one axis.

    A dotted line is at zero, a dashed one at the threshold; the axis ends at LEAST_GAIN. Kept
    below the thousand characters that the web UI shows in place: at most six intervals.
    """
    shown = list(intervals.items())[:6]
    ends = [end for _, (low, _, high) in shown for end in (low, high)]
    least, most = max(min([0.0, *ends]), LEAST_GAIN), max([threshold, *ends])
    scale = 140 / (most - least or 1.0)

    def x(value: float) -> int:
        return round(105 + (max(value, least) - least) * scale)

    height = 15 * len(shown) + 4
    bars = "".join(
        f"M{x(low)} {15 * n + 9}H{x(high)}M{x(middle)} {15 * n + 5}v8"
        for n, (_, (low, middle, high)) in enumerate(shown)
    )
    names = "".join(
        f'<text y="{15 * n + 12}">{html.escape(name[:17])}</text>'
        for n, (name, _) in enumerate(shown)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 250 {height}" width="375" '
        f'font-family="Arial" font-size="11" stroke-width="2"><path d="M{x(0)} 0V{height}" '
        f'stroke="#999" stroke-dasharray="1 2"/><path d="M{x(threshold)} 0V{height}" stroke="#999" '
        f'stroke-dasharray="4 2"/><path d="{bars}" stroke="{PALETTE[0]}"/>{names}</svg>'
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![gain and interval of each challenger](data:image/svg+xml;base64,{encoded})"


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

    daily: one row per date and model; columns date, model, each metric, rows, version and
    trained_through. slices: one row per model and slice over the trailing 28 days; columns model,
    slice, rows and each metric. totals: one row per date and model; columns date, model, actual
    and forecast, summed over the day. gains: one row per date and model whose version in service
    has one before it; columns date, model, gain, rows, version and trained_through, the gain being
    the primary metric, or what `loss` says, of the version before, less that of the one in service.
    A frame may be empty, a value missing.
    metrics maps each metric to its description; best_first ranks the models. Where slice_name is
    None, the figure by slice is left out, where totals is None, that of totals. With
    curves, of classes over the trailing 28 days, it has those of calibration and ROC as well.

    Raises ValueError when primary is no metric or a frame lacks a column.
    """
    if primary not in metrics:
        raise ValueError(f"primary {primary!r} is no metric; choose one of: {', '.join(metrics)}")
    names = [primary, *(name for name in metrics if name != primary)]
    _check_columns("daily", daily, ["date", "model", *names, "rows", "version", "trained_through"])
    _check_columns("slices", slices, ["model", "slice", "rows", *names])
    totals_columns = ["date", "model", "actual", "forecast"]
    shows_totals = totals is not None
    totals = pd.DataFrame(columns=totals_columns) if totals is None else totals
    _check_columns("totals", totals, totals_columns)
    _check_columns("gains", gains, ["date", "model", "gain", "rows", "version", "trained_through"])
    models = _ranked(best_first, [daily, slices, totals, gains])
    lines = _model_lines(models)

    figures: dict[str, Json | None] = {"daily": _daily_figure(daily, names, models, lines)}
    sections = [
        page_section(
            "daily",
            "Day by day",
            f"Thin lines are single days, bold lines the mean of the last {MEAN_DAYS}; "
            "a dotted line marks the first day of a new version.",
            figures["daily"],
            metrics[primary],
        )
    ]
    if slice_name is not None:
        figures["slices"] = _slices_figure(slices, names, models, lines)
        sections.append(
            page_section(
                "slices",
                f"By {slice_name}",
                _slices_sentence(slices, models, slice_name),
                figures["slices"],
                metrics[primary],
            )
        )
    if shows_totals:
        figures["totals"] = _totals_figure(totals, models, lines, target)
        sections.append(
            page_section(
                "totals",
                "Forecast against actual",
                f"The sum of {target} over all rows of a day, as it was and as the best model "
                "forecast it; click another model's name to add it.",
                figures["totals"],
            )
        )
    choices: dict[str, str] = {}
    if curves is not None:
        choices = {
            class_choice(label): f"Rows of {label} against all others." for label in curves.classes
        }
        sections += _curve_sections(figures, curves, models, lines, choices)
    figures["gains"] = _daily_figure(gains, ["gain"], models, lines)
    sections.append(
        page_section(
            "gains",
            "Was retraining worth it?",
            f"{loss or primary} of the version before, which goes on in shadow, less that of the "
            "version in service, on the same rows: above zero, the newer version is better.",
            figures["gains"],
        )
    )
    return make_page(
        sections,
        figures,
        title=title,
        through=_through([daily, totals]),
        header=_ranking(models, lines, primary),
        descriptions={**metrics, **choices},
    )


def _curve_sections(
    figures: dict[str, Json | None],
    curves: Curves,
    models: Sequence[str],
    lines: Mapping[str, Json],
    choices: Mapping[str, str],
) -> list[str]:
    """The sections of the curves, whose figures are added to the others."""
    made = {
        "calibration": calibration_figure(curves, models, lines),
        "roc": roc_figure(curves, models, lines),
    }
    figures |= {
        name: None if found is None else _with_choice(*found) for name, found in made.items()
    }
    described = next(iter(choices.values())) if len(choices) > 1 else None
    return [
        page_section(
            "calibration",
            "Are the probabilities true?",
            "How often the class came by how probable it was said to be, over the last 28 days: "
            "on the dotted line they agree, below it too much was promised. Larger marks hold more "
            "rows.",
            figures["calibration"],
            described,
        ),
        page_section(
            "roc",
            "ROC curve",
            "Over the last 28 days, how many rows of the class are found with how many of the "
            "others, from the largest probability down: the further above the dotted line, the "
            "better the two are told apart.",
            figures["roc"],
            described,
        ),
    ]


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


def _model_lines(models: Sequence[str]) -> dict[str, Json]:
    """Colour and dash by name, not by rank, so that a model looks the same every day."""
    return {
        model: {
            "color": PALETTE[i % len(PALETTE)],
            "dash": DASHES[i // len(PALETTE) % len(DASHES)],
        }
        for i, model in enumerate(sorted(models))
    }


def _by_model(frame: pd.DataFrame, models: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The rows of each model that has any, by day, with a row for each day in between."""
    frame = frame.assign(date=pd.to_datetime(frame["date"]))
    groups = {str(model): rows for model, rows in frame.groupby("model", sort=False, observed=True)}
    return {
        model: groups[model].set_index("date").sort_index().asfreq("D")
        for model in models
        if model in groups
    }


def _daily_figure(
    daily: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    if daily.empty:
        return None
    frames = _by_model(daily, models)
    mode = "lines+markers" if _is_short(daily) else "lines"
    traces: list[Json] = []
    for model, rows in frames.items():
        shared = {
            "type": "scatter",
            "x": day_labels(rows.index),
            "name": plain_label(model),
            "legendgroup": model,
            "customdata": _versions(rows),
            "hoverlabel": {"bordercolor": lines[model]["color"]},
        }
        single = {
            "mode": mode,
            "line": {**lines[model], "width": 1},
            "marker": {"size": 5},
            "opacity": 0.35,
            "showlegend": False,
            "hovertemplate": _daily_hover(day="%{y:,.4~r}", mean="%{text}"),
        }
        mean = {
            "mode": "lines",
            "line": {**lines[model], "width": 3},
            "hovertemplate": _daily_hover(day="%{text}", mean="%{y:,.4~r}"),
        }
        traces += [{**shared, **single}, {**shared, **mean}]

    def choice(metric: str) -> tuple[Json, Json]:
        values: list[list[float | None]] = []
        texts: list[list[str]] = []
        for rows in frames.values():
            single = pd.to_numeric(rows[metric], errors="coerce")
            mean = single.rolling(MEAN_DAYS, min_periods=1).mean().where(single.notna())
            values += [short_numbers(single), short_numbers(mean)]
            texts += [_texts(mean), _texts(single)]
        return {"y": values, "text": texts}, {"yaxis.title.text": metric, "yaxis.autorange": True}

    layout = base_layout(height=440, hovermode="closest")
    layout["xaxis"] |= _day_axis(daily)
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": day,
            "x1": day,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": EDGE, "width": 1.5, "dash": "dot"},
        }
        for day in _version_changes(frames.values())
    ]
    return _with_choice({"data": traces, "layout": layout}, {m: choice(m) for m in metrics})


def _daily_hover(*, day: str, mean: str) -> str:
    return (
        f"<b>%{{fullData.name}}</b>, %{{x}}<br>{day} on the day, {mean} over {MEAN_DAYS} days<br>"
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


def _slices_sentence(slices: pd.DataFrame, models: Sequence[str], slice_name: str) -> str:
    if slices.empty:
        return f"Each {slice_name} over the last 28 days."
    count = slices["slice"].nunique()
    which = f"Each {slice_name}" if count <= MOST_SLICES else f"The first {MOST_SLICES} of {count}"
    best = next(model for model in models if (slices["model"] == model).any())
    return f"{which} over the last 28 days, from the largest value of {best} to its smallest."


def _slices_figure(
    slices: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], lines: Mapping[str, Json]
) -> Json | None:
    if slices.empty:
        return None
    groups = {
        str(model): rows for model, rows in slices.groupby("model", sort=False, observed=True)
    }
    frames = {model: groups[model] for model in models if model in groups}
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
    return _with_choice({"data": traces, "layout": layout}, {m: choice(m) for m in metrics})


def _totals_figure(
    totals: pd.DataFrame, models: Sequence[str], lines: Mapping[str, Json], target: str
) -> Json | None:
    if totals.empty:
        return None
    frames = _by_model(totals, models)
    actual = pd.concat([rows["actual"] for rows in frames.values()]).groupby(level=0).first()
    mode = "lines+markers" if _is_short(totals) else "lines"
    hover = "<b>%{fullData.name}</b> %{y:,.6~r}<extra></extra>"
    best = next(iter(frames))
    traces: list[Json] = [
        {
            "type": "scatter",
            "mode": mode,
            "name": "actual",
            "x": day_labels(actual.index),
            "y": short_numbers(actual),
            "line": {"color": INK, "width": 2},
            "hovertemplate": hover,
        }
    ]
    traces += [
        {
            "type": "scatter",
            "mode": mode,
            "name": plain_label(model),
            "x": day_labels(rows.index),
            "y": short_numbers(rows["forecast"]),
            "line": {**lines[model], "width": 2},
            "visible": True if model == best else "legendonly",
            "hovertemplate": hover,
        }
        for model, rows in frames.items()
    ]
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


def _with_choice(figure: Json, choices: Mapping[str, tuple[Json, Json]]) -> Json:
    """The figure of the first metric, with a menu that changes to the others.

    A choice holds what changes by dotted path: of the traces, one value each, and in the layout.
    """
    by_trace, in_layout = next(iter(choices.values()))
    for path, values in by_trace.items():
        for trace, value in zip(figure["data"], values, strict=True):
            _put(trace, path, value)
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
