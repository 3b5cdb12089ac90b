"""The monitoring page: what the checks found by day, what drifted, and the slices over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from mlops_assets.graph.keys import asset_page
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.graph.reads import CHECKS_SHOWN
from mlops_assets.lazy import pd
from mlops_assets.ml.monitoring.performance import weekly_slices
from mlops_assets.pages.page import (
    INK,
    MUTED,
    PALETTE,
    Json,
    base_layout,
    day_labels,
    line_style,
    make_page,
    page_section,
    plain_label,
    short_numbers,
    straight_line,
    trace,
    wrapped,
)
from mlops_assets.project import Project
from mlops_assets.resources.stores.check_results import CheckStore, facts_dataset
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.web import web_url

PASSED, WARNED, SEVERE = 0, 1, 2
COLOURS = {PASSED: "#cfe3d8", WARNED: "#E69F00", SEVERE: "#B3261E"}
ROW_HEIGHT = 20


def monitoring_html(project: Project, datasets: DatasetStore, newest: str) -> str:
    """The page through a day; what is damaged is a gap in it."""
    end = day_of(newest) + dt.timedelta(days=1)
    days = days_between(project.due.back(day_of(newest), CHECKS_SHOWN - 1), end)
    names = [model.name for model in project.models]
    assets = ["observations", "drift", *(f"validation/{name}" for name in names)]
    drift = datasets.read("drift", [newest], {})
    model = project.first_champion if drift.empty else str(drift["model"].iloc[0])
    metric = project.primary_metric
    facts = datasets.read(facts_dataset(model), days, {})
    return monitoring_page(
        CheckStore(datasets).read(assets, days, {}),
        drift,
        weekly_slices(metric, facts, project.due) if len(facts) else facts,
        title=f"{project.name}: monitoring",
        metric=metric.loss_name,
        model=model,
        pages={asset: web_url(asset_page(project, *asset.split("/"))) for asset in assets},
    )


def monitoring_page(
    checks: pd.DataFrame,
    drift: pd.DataFrame,
    slices: pd.DataFrame,
    *,
    title: str,
    metric: str,
    model: str,
    pages: Mapping[str, str],
) -> str:
    """An HTML page of three figures, which needs `plotly.min.js` beside it and nothing else.

    checks: one row per asset, check and day; columns asset, check, date, passed, severe and why.
    drift: one row per column of the newest day, the most important first; columns column, kind,
    distance, threshold, importance and drifted. slices: one row per slice and day; columns slice,
    date and value, that of the metric over 7 days. Each may be empty. `model` is the one that drift
    and slices are of; `pages` maps assets to their page in the web UI, opened by a click on a day.
    """
    figures = {
        "checks": _checks_figure(checks, pages),
        "drift": _drift_figure(drift),
        "slices": _slices_figure(slices, metric),
    }
    sections = [
        page_section(
            "checks",
            "Checks by day",
            "Orange failed and warns, red kept the day out, white was not run. Hover "
            "for the reason and what to do, click to open the day of the asset in the web UI.",
            figures["checks"],
        ),
        page_section(
            "drift",
            f"Inputs of {model}, by how much its metric depends on them",
            "How far the last 7 days are from what the version in service learned from, as a share "
            "of what is usual within its training window: beyond the line, it has drifted.",
            figures["drift"],
        ),
        page_section(
            "slices",
            f"Slices of {model} over time",
            f"{metric} pooled over the 7 days up to each day.",
            figures["slices"],
        ),
    ]
    days = pd.to_datetime(checks["date"]).max() if len(checks) else None
    through = "no day checked yet" if days is None else f"through {days:%Y-%m-%d}"
    return make_page(sections, figures, title=title, through=through)


def _checks_figure(checks: pd.DataFrame, pages: Mapping[str, str]) -> Json | None:
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
    calendar = pd.date_range(states["date"].min(), states["date"].max())
    lines = list(dict.fromkeys(states["line"]))

    def wide(column: str) -> pd.DataFrame:
        table = states.pivot(index="line", columns="date", values=column)
        return table.reindex(index=lines, columns=calendar)

    share = 1 / len(COLOURS)
    colours = [
        [end, colour] for n, colour in COLOURS.items() for end in (n * share, (n + 1) * share)
    ]
    asset_of = dict(zip(states["line"], states["asset"], strict=True))
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
                "customdata": [
                    [
                        f"{pages.get(asset_of[line], '')}?view=partitions&partition={day}"
                        for day in days
                    ]
                    for line in lines
                ],
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


def _drift_figure(drift: pd.DataFrame) -> Json | None:
    if drift.empty:
        return None
    ratio = drift["distance"] / drift["threshold"]
    states = [WARNED if drifted else PASSED for drifted in drift["drifted"]]
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


def _slices_figure(slices: pd.DataFrame, metric: str) -> Json | None:
    if slices.empty:
        return None
    frame = slices.assign(date=pd.to_datetime(slices["date"])).dropna(subset=["value"])
    hover = "<b>%{fullData.name}</b>, %{x}: %{y:,.4~r}<extra></extra>"
    traces = []
    for n, (name, rows) in enumerate(frame.groupby("slice")):
        ordered = rows.set_index("date").sort_index().asfreq("D")
        line = {**line_style(n, [*PALETTE, INK]), "width": 1.5}
        points = {"x": day_labels(ordered.index), "y": short_numbers(ordered["value"])}
        traces.append(trace(name, "lines", line, hover, **points))
    layout = base_layout(height=460, hovermode="closest")
    layout["xaxis"] |= {"type": "date", "showgrid": False}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    return {"data": traces, "layout": layout}
