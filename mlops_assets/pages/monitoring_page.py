"""Checks: what they found by day, what drifted, and the slices over time."""

from __future__ import annotations

import datetime as dt
from functools import partial

from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.scores import SHORT
from mlops_assets.ml.monitoring.performance import weekly_slices
from mlops_assets.pages.drawing import (
    BAD,
    GOOD,
    INK,
    MUTED,
    PALETTE,
    WARNED,
    Json,
    base_layout,
    day_labels,
    line_style,
    plain_label,
    short_numbers,
    straight_line,
    trace,
    wrapped,
)
from mlops_assets.pages.model_figures import with_gaps
from mlops_assets.pages.parts import Page, Part
from mlops_assets.pages.shelf import Look
from mlops_assets.resources.layout import CHECKS
from mlops_assets.resources.stores.check_results import OLD_NAMES, facts_dataset

PASSED, WARNS, SEVERE = 0, 1, 2
COLOURS = {PASSED: GOOD, WARNS: WARNED, SEVERE: BAD}
ROW_HEIGHT = 20
SHOWN_DAYS = 90


def monitoring_page(look: Look) -> Page:
    """The checks of all assets, and drift and slices of the model that was watched last."""
    day = dt.date.fromisoformat(look.last_day) if look.last_day else look.view.last
    drift = look.read("drift", (day, day))
    model = look.project.first_champion if drift.empty else str(drift["model"].iloc[0])
    if look.view.models:
        model = look.shown[0]
    first = max(look.view.first, look.project.due.back(look.view.last, SHOWN_DAYS - 1))
    between = look.between if "from" in look.view.asked else (first, look.view.last)
    metric = look.project.primary_metric

    def slices() -> pd.DataFrame:
        facts = look.read(facts_dataset(model), between)
        return weekly_slices(metric, facts, look.project.due) if len(facts) else facts

    parts = [
        Part(
            "checks",
            f"Checks by {look.unit}",
            f"Orange failed and warns, red kept the {look.unit} out, blank was not run. Hover for "
            f"the reason and what to do, click to open the {look.unit}.",
            lambda: checks(look, between),
            partial(checks_figure, due=look.project.due),
            later=True,
        ),
        Part(
            "drift",
            "Inputs of the champion, by how much its metric depends on them",
            f"How far the {look.over(look.project.drift.window_days)} through {day} are from what "
            "the "
            "version in service learned from, as a share of what is usual within its training "
            "window: beyond the line, it has drifted.",
            lambda: drift,
            drift_figure,
            later=True,
        ),
        Part(
            "slices",
            f"Slices of {model} over time",
            f"{metric.loss_name} pooled over the {look.over(SHORT)} up to each.",
            slices,
            partial(slices_figure, metric=metric.loss_name),
            later=True,
        ),
    ]
    return Page("Checks", [], parts)


def checks(look: Look, between: tuple[dt.date, dt.date]) -> pd.DataFrame:
    """What the checks of every asset found: asset, check, date, passed, severe and why."""
    assets = [
        "observations",
        "drift",
        *(f"validation/{model.name}" for model in look.project.models),
    ]
    parts = []
    for asset in assets:
        found = look.read(f"{CHECKS}/{asset}", between)
        if len(found):
            parts.append(found.assign(asset=asset).replace({"check": OLD_NAMES}))
    kept = ["asset", "check", "date", "passed", "severe", "why"]
    return pd.concat(parts, ignore_index=True)[kept] if parts else pd.DataFrame()


def checks_figure(checks: pd.DataFrame, due: DueDays = EVERY_DAY) -> Json | None:
    """The state of each check on each day; None without rows."""
    if checks.empty:
        return None
    passed = checks["passed"].astype(bool)
    states = checks.assign(
        line=checks["asset"] + ": " + checks["check"],
        state=(~passed).astype(int) + (~passed & checks["severe"].astype(bool)).astype(int),
        said=checks["why"].where(~passed, "passed").map(wrapped),
        date=pd.to_datetime(checks["date"]),
    )
    states = states.drop_duplicates(["line", "date"], keep="last")
    calendar = due.calendar(states["date"].min().date(), states["date"].max().date())
    lines = list(dict.fromkeys(states["line"]))

    def wide(column: str) -> pd.DataFrame:
        table = states.pivot(index="line", columns="date", values=column)
        return table.reindex(index=lines, columns=calendar)

    share = 1 / len(COLOURS)
    colours = [
        [end, colour] for n, colour in COLOURS.items() for end in (n * share, (n + 1) * share)
    ]
    texts = wide("said").fillna("not run")
    days = day_labels(calendar)
    layout = base_layout(height=110 + ROW_HEIGHT * len(lines), hovermode="closest")
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"type": "date", "showgrid": False, "side": "top"}
    layout["showlegend"] = False
    return {
        "data": [
            {
                "type": "heatmap",
                "x": days,
                "y": [plain_label(line) for line in lines],
                "z": [short_numbers(row) for _, row in wide("state").iterrows()],
                "text": texts.to_numpy().tolist(),
                "zmin": PASSED,
                "zmax": SEVERE,
                "colorscale": colours,
                "showscale": False,
                "xgap": 1,
                "ygap": 2,
                "hoverongaps": False,
                "hovertemplate": "<b>%{y}</b>, %{x|%a %d %b %Y}<br>%{text}<extra></extra>",
            }
        ],
        "layout": layout,
    }


def drift_figure(drift: pd.DataFrame) -> Json | None:
    """How far each input has moved; None without rows."""
    if drift.empty:
        return None
    ratio = drift["distance"] / drift["threshold"]
    states = [WARNS if drifted else PASSED for drifted in drift["drifted"]]
    names = [
        f"{plain_label(column)} ({importance:.0%})"
        for column, importance in zip(drift["column"], drift["importance"], strict=True)
    ]
    layout = base_layout(height=90 + 26 * len(drift), hovermode="closest")
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"]["title"]["text"] = "distance, as a share of what is usual"
    layout["showlegend"] = False
    layout["shapes"] = [straight_line((1, 1), (0, 1), MUTED, xref="x", yref="paper")]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": names,
                "x": short_numbers(ratio),
                "marker": {"color": [COLOURS[state] for state in states]},
                "customdata": list(
                    zip(
                        map(plain_label, drift["kind"]),
                        short_numbers(drift["distance"]),
                        short_numbers(drift["threshold"]),
                        strict=True,
                    )
                ),
                "hovertemplate": "<b>%{y}</b><br>%{customdata[0]}: %{customdata[1]}, usual up to "
                "%{customdata[2]}<extra></extra>",
            }
        ],
        "layout": layout,
    }


def slices_figure(slices: pd.DataFrame, metric: str) -> Json | None:
    """The metric of each slice over time; None without rows."""
    if slices.empty:
        return None
    frame = slices.assign(date=pd.to_datetime(slices["date"])).dropna(subset=["value"])
    hover = "<b>%{fullData.name}</b>, %{x}: %{y:,.4~r}<extra></extra>"
    traces = []
    for n, (name, rows) in enumerate(frame.groupby("slice")):
        ordered = with_gaps(rows.set_index("date").sort_index())
        line = {**line_style(n, [*PALETTE, INK]), "width": 1.5}
        points = {"x": day_labels(ordered.index), "y": short_numbers(ordered["value"])}
        traces.append(trace(name, "lines", line, hover, **points))
    layout = base_layout(height=460, hovermode="closest")
    layout["xaxis"] |= {"type": "date", "showgrid": False}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    return {"data": traces, "layout": layout}
