"""A series: what was forecast of it, what it came to, and how far off; the worst ones first."""

from __future__ import annotations

from functools import partial

from markupsafe import Markup

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import SHORT
from mlops_assets.pages.drawing import (
    INK,
    Json,
    band,
    base_layout,
    day_labels,
    day_line,
    plain_label,
    short_numbers,
    trace,
)
from mlops_assets.pages.model_figures import (
    by_model,
    day_axis,
    holiday_marks,
    is_short,
    version_changes,
)
from mlops_assets.pages.parts import NOTHING, Page, Part
from mlops_assets.pages.rows import SERIES, check_rows
from mlops_assets.pages.series_data import COLUMNS, totals, worst
from mlops_assets.pages.shelf import Look

MOST_DRAWN = 5  # models
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NO_TOTAL = "a target of several classes does not add up; its scores are under Models"


def series_page(look: Look) -> Page:
    check_rows(look)
    of = look.view.of
    model = look.shown[0]
    what = f"{look.project.counted} of {of}" if of else f"{look.project.counted} of all rows"

    def known() -> pd.DataFrame:
        parts = [totals(look, name) for name in look.shown[:MOST_DRAWN]]
        return pd.concat(parts, ignore_index=True)

    def residuals() -> pd.DataFrame:
        found = totals(look, model)
        found = found[found["actual"].notna()][["date", "actual", "forecast"]]
        return found.assign(residual=found["forecast"] - found["actual"])

    sure = f"{look.project.champion.coverage:.0%}"
    empty = NOTHING if look.project.has_totals else NO_TOTAL
    off = f"What {model} forecast less what came: above zero, too much."
    parts = [
        Part(
            "days",
            of or "All rows",
            f"{what} by {look.unit}, as it was and as forecast. The ground is the interval of "
            f"{model}: "
            f"around the forecast as far as {sure} of the "
            f"{look.over(look.project.champion.window_days)} before were off. A dotted line marks "
            "a new version.",
            known,
            lambda frame: days_figure(look, frame),
            later=True,
            empty=empty,
        ),
        *_worst(look, model),
        *(
            Part(name, heading, f"{off}{more}", residuals, draw, later=True, empty=empty)
            for name, (heading, more, draw) in RESIDUALS.items()
            if name != "weekdays" or look.project.due.daily
        ),
    ]
    return Page(of or "Series", [], parts, {"search": True})


def _worst(look: Look, model: str) -> list[Part]:
    by = SERIES if look.project.columns.series else next(iter(look.project.evaluation.slices), "")
    slices = look.project.evaluation.slices
    of_slice = look.view.of.partition(": ")[0] in slices and by == SERIES
    if not by or (look.view.of and not of_slice):
        return []
    within = f" within {look.view.of}" if look.view.of else ""
    return [
        Part(
            "worst",
            f"The worst of the last {look.over(SHORT)}{within}",
            f"What {model} was off by over the {look.over(SHORT)} through {look.view.last}, the "
            "largest "
            "sum of errors first. A click opens it.",
            lambda: worst(look, model, by=by),
            forms={by: partial(series_link, look)},
            later=True,
        )
    ]


def series_link(look: Look, name: str) -> Markup:
    """A slice or series as a link to its forecasts."""
    return Markup('<a href="{}">{}</a>').format(look.view.link("series", of=name), name)


def days_figure(look: Look, found: pd.DataFrame, height: int = 400) -> Json | None:
    """The actuals, the forecasts of each model, and the interval of the first of them."""
    if found.empty:
        return None
    names = [*dict.fromkeys(found["model"])]
    frames = by_model(found[COLUMNS], names)
    hover = "<b>%{fullData.name}</b> %{y:,.5~r}<extra></extra>"
    mode = "lines+markers" if is_short(found) else "lines"
    first = frames[names[0]]
    known = first["actual"].dropna()
    traces = band(day_labels(first.index), first["low"], first["high"], "var(--shade)")
    for name, rows in frames.items():
        points: Json = {"x": day_labels(rows.index), "y": short_numbers(rows["forecast"])}
        told = hover
        if name == names[0]:
            ends = zip(*(short_numbers(rows[end]) for end in ("low", "high")), strict=True)
            points["customdata"] = [list(pair) for pair in ends]
            told = "<b>%{fullData.name}</b> %{y:,.5~r} (%{customdata[0]:,.5~r} to "
            told += "%{customdata[1]:,.5~r})<extra></extra>"
        line = {**look.lines[name], "width": 2}
        traces.append(trace(name, "lines+markers", line, told, marker={"size": 4}, **points))
    points = {"x": day_labels(known.index), "y": short_numbers(known)}
    traces.append(trace("actual", mode, {"color": INK, "width": 2}, hover, **points))
    layout = base_layout(height=height, hovermode="x unified")
    layout["xaxis"] |= day_axis(found)
    layout["yaxis"]["title"]["text"] = plain_label(look.project.counted)
    changes = [day_line(day) for day in version_changes([first])]
    layout["shapes"] = [*changes, *holiday_marks(look.holidays)]
    return {"data": traces, "layout": layout}


def over_days(found: pd.DataFrame) -> Json | None:
    """Residuals by day."""
    days = found.set_index("date")["residual"]
    points = {"x": day_labels(days.index), "y": short_numbers(days)}
    return _residuals("date", "%{x|%a %d %b %Y}", points, found, "bar")


def by_weekday(found: pd.DataFrame) -> Json | None:
    """Residuals by weekday, as boxes."""
    weekday = pd.to_datetime(found["date"]).dt.dayofweek
    points = {"x": [WEEK[n] for n in weekday], "y": short_numbers(found["residual"])}
    figure = _residuals("category", "%{x}", points, found, "box")
    if figure:
        figure["layout"]["xaxis"] |= {"categoryorder": "array", "categoryarray": [*WEEK]}
    return figure


def by_forecast(found: pd.DataFrame) -> Json | None:
    """Residuals by the size of the forecast."""
    points = {
        "x": short_numbers(found["forecast"]),
        "y": short_numbers(found["residual"]),
        "customdata": day_labels(found["date"]),
        "mode": "markers",
    }
    told = "%{customdata}, forecast %{x:,.4~r}"
    figure = _residuals("linear", told, points, found, "scatter")
    if figure:
        figure["layout"]["xaxis"]["title"]["text"] = "forecast"
    return figure


def _residuals(axis: str, told: str, points: Json, found: pd.DataFrame, kind: str) -> Json | None:
    if found.empty:
        return None
    layout = base_layout(height=280, hovermode="closest")
    layout["showlegend"] = False
    layout["xaxis"] |= {"type": axis, "showgrid": False}
    layout["yaxis"]["title"]["text"] = "forecast less actual"
    hover = f"{told}: <b>%{{y:+,.4~r}}</b><extra></extra>"
    marker = {"color": "var(--c0)", "opacity": 0.75}
    return {
        "data": [{"type": kind, "marker": marker, "hovertemplate": hover, "name": "", **points}],
        "layout": layout,
    }


RESIDUALS = {
    "residuals": ("How far off, over time", "", over_days),
    "weekdays": ("By weekday", " The box holds the middle half of them.", by_weekday),
    "sizes": ("By size of the forecast", " Each point is one of them.", by_forecast),
}
