"""Versions: every one with its hyperparameters, its holdout metrics and what it depends on."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from markupsafe import Markup

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.metric import term_sums
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.models.splits import LONGEST_MONTH
from mlops_assets.pages.comparing import difference, sums_by_day
from mlops_assets.pages.drawing import (
    MUTED,
    Json,
    base_layout,
    day_labels,
    line_style,
    plain_label,
    short_numbers,
    trace,
)
from mlops_assets.pages.parts import Page, Part, external, plain, signed
from mlops_assets.pages.shelf import SINCE, Look
from mlops_assets.resources.stores.decisions import shown
from mlops_assets.resources.stores.model_store import DEFAULTS, MONTH, VERSION, ModelCard, short
from mlops_assets.resources.web import asset_page, web_url

MOST_INPUTS = 8
FACTS = ["model", "version"]


def versions_page(look: Look) -> Page:
    model = look.shown[0]
    unit = "log loss" if look.project.labels else f"mean absolute error, in {look.project.counted},"
    parts = [
        Part(
            "since",
            "Did training again help?",
            f"{look.metric.loss_name} that the newest version trained since would have had on days "
            "that it may serve, beside what these days were judged by, on the same rows: below "
            f"zero, the newer one is better. Of the last {look.over(LONG)}.",
            partial(since, look),
            forms=dict.fromkeys(["difference", "from", "up to"], signed),
            later=True,
            empty="No version was trained after days that it may serve.",
        ),
        Part(
            "versions",
            "Versions",
            f"Of the months from {look.view.first:%B %Y} on, newest first: what each "
            "learned from and through which day, its hyperparameters, and its metrics on the "
            "holdout, the last days that it was not fitted on at first.",
            partial(versions, look),
        ),
        Part(
            "coordinates",
            "Hyperparameters and holdout metrics",
            "A line for each version, from the least of each axis to the most; click a name to "
            "hide or show a model.",
            partial(numbers, look),
            lambda frame: coordinates_figure(look, frame),
            later=True,
        ),
        Part(
            "importance",
            f"What {model} depends on",
            f"By how much the {unit} on the holdout grows when an input is shuffled, for each "
            f"version; the {MOST_INPUTS} largest of the newest.",
            lambda: importance(look, model),
            importance_figure,
            later=True,
        ),
    ]
    way = Markup("Train one by hand in the web UI: {}, the arrow beside Materialize.").format(
        external(web_url(asset_page(look.project, "models", model)), f"models/{model}")
    )
    return Page("Versions", [way], parts)


def since(look: Look) -> pd.DataFrame:
    """The metric of versions trained since over the last days, beside that of those in service."""
    other, again = SINCE
    metric, settings, days = look.metric, look.project.champion, look.back(LONG)

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        found = frame.reindex(columns=frame.columns.union([*SINCE]))
        found = found.dropna(subset=[*SINCE])
        found = found[found[other].ne(found["version"])]
        if found.empty:
            return pd.DataFrame()
        sides = {"then": found, "now": found.assign(forecast=found[again])}
        by, metrics = ["date", "model", other], {metric.name: metric}
        sums = [term_sums(metrics, rows, by).assign(side=side) for side, rows in sides.items()]
        return pd.concat(sums).reset_index()

    datasets = [f"validation/{name}" for name in look.models]
    sums = look.reduced(("since", metric, look.project.labels), datasets, reduce, days)
    lines = []
    for (model, version), rows in sums.groupby(["model", other]) if len(sums) else ():
        calendar = look.project.due.calendar(*days)
        now, then = (
            sums_by_day(metric, rows[rows["side"] == side], calendar) for side in ("now", "then")
        )
        card = look.card(str(model), str(version))
        if found := difference(metric, now, then, settings):
            lines.append({
                "model": model,
                "version": version,
                "hyperparameters": (card and shown(card.chosen)) or DEFAULTS,
                f"{look.unit}s": found.days,
                metric.loss_name: found.one,
                "as judged": found.other,
                "difference": found.difference,
                "from": found.low,
                "up to": found.high,
            })  # fmt: skip
    return pd.DataFrame(lines)


def cards(look: Look) -> list[ModelCard]:
    """The cards of the versions of the models chosen, of the months shown, newest first."""
    first = str(look.view.first.replace(day=1))
    last = str(look.view.last + dt.timedelta(days=LONGEST_MONTH))
    found = []
    for model in look.view.models or [model.name for model in look.project.models]:
        for name in look.shelf.storage.names(f"models/{model}"):
            if VERSION.fullmatch(name) and first <= name[:MONTH] <= last:
                card = look.card(model, name)
                found += [] if card is None else [card]
    return sorted(found, key=lambda card: (card.month, card.created), reverse=True)


def versions(look: Look) -> pd.DataFrame:
    """A row for each version."""
    return pd.DataFrame([line_of(look, card) for card in cards(look)])


def line_of(look: Look, card: ModelCard) -> dict[str, Any]:
    """A version in a table."""
    failed = [name for name, check in card.checks.items() if not check.passed]
    retired = card.version in look.shelf.models.decisions.retired(card.model)
    state = "retired" if retired else "refused" if failed else "accepted"
    return {
        "model": card.model,
        "version": card.version,
        "created": look.project.day_of(card.created),
        "learned from": card.trained_from,
        "through": card.trained_through,
        "serves from": card.serves_from,
        "state": f"{state}: {', '.join(failed)}" if failed else state,
        "hyperparameters": shown(card.chosen) or DEFAULTS,
        **{f"holdout {name}": value for name, value in card.holdout.items()},
        "rows": card.rows,
        "fit seconds": card.fit_seconds,
    }


def numbers(look: Look) -> pd.DataFrame:
    """The numbers among the hyperparameters and metrics of versions, where these differ."""
    lines = [
        {
            "model": card.model,
            "version": card.version,
            **card.hyperparameters,
            **{f"holdout {name}": value for name, value in card.holdout.items()},
            "fit seconds": card.fit_seconds,
        }
        for card in cards(look)
    ]
    found = pd.DataFrame(lines)
    if found.empty:
        return found
    wide = found.drop(columns=FACTS).select_dtypes("number")
    kept = [name for name in wide if wide[name].nunique() > 1]
    return found[FACTS].join(wide[kept])


def coordinates_figure(look: Look, found: pd.DataFrame) -> Json | None:
    """Parallel coordinates: each version as a line over axes of their own."""
    if found.empty:
        return None
    axes = [str(name) for name in found if name not in FACTS]
    low, high = found[axes].min(), found[axes].max()
    shares = ((found[axes] - low) / (high - low)).clip(0, 1)
    traces = []
    for model, rows in found.groupby("model"):
        line: Json = {"x": [], "y": [], "customdata": []}
        of_model = zip(rows.to_dict("records"), shares.loc[rows.index].to_numpy(), strict=True)
        for version, heights in of_model:
            told = [f"{short(version['version'])}, {n} {plain(version[n])}" for n in axes]
            line["x"] += [*range(len(axes)), None]
            line["y"] += [*short_numbers(heights.tolist()), None]
            line["customdata"] += [*map(plain_label, told), None]
        style = {**look.lines[str(model)], "width": 1.5}
        hover = "<b>%{fullData.name}</b> %{customdata}<extra></extra>"
        traces.append(
            trace(model, "lines+markers", style, hover, marker={"size": 5}, opacity=0.7, **line)
        )
    layout = base_layout(height=420, hovermode="closest")
    layout["xaxis"] |= {
        "tickvals": [*range(len(axes))],
        "ticktext": [plain_label(name.replace("holdout ", "")) for name in axes],
        "range": [-0.3, len(axes) - 0.7],
        "zeroline": False,
    }
    layout["yaxis"] |= {"visible": False, "range": [-0.12, 1.12]}
    ends = [(high, 1.02, "bottom"), (low, -0.02, "top")]
    layout["annotations"] = [
        {
            "x": n,
            "y": y,
            "text": plain(float(end[name])),
            "showarrow": False,
            "yanchor": anchor,
            "font": {"size": 11, "color": MUTED},
        }
        for n, name in enumerate(axes)
        for end, y, anchor in ends
    ]
    return {"data": traces, "layout": layout}


def importance(look: Look, model: str) -> pd.DataFrame:
    """Of each version of a model, how much its metric depends on each input; a column for each."""
    of_model = [card for card in reversed(cards(look)) if card.model == model and card.importance]
    lines = [
        {"date": card.trained_through, "version": card.version, **card.importance}
        for card in of_model
    ]
    return pd.DataFrame(lines)


def importance_figure(found: pd.DataFrame) -> Json | None:
    """Importances over the versions, the largest of the newest first."""
    if found.empty:
        return None
    inputs = found.drop(columns=["date", "version"]).astype(float)
    largest = inputs.iloc[-1].nlargest(MOST_INPUTS).index
    hover = "<b>%{fullData.name}</b> %{y:,.3~r}, version %{customdata}<extra></extra>"
    versions = [short(version) for version in found["version"]]
    traces = [
        trace(
            name,
            "lines+markers",
            {**line_style(n), "width": 2},
            hover,
            x=day_labels(found["date"]),
            y=short_numbers(inputs[name]),
            customdata=versions,
        )
        for n, name in enumerate(largest)
    ]
    layout = base_layout(height=340, hovermode="closest")
    layout["xaxis"] |= {"type": "date", "showgrid": False}
    layout["yaxis"]["rangemode"] = "tozero"
    return {"data": traces, "layout": layout}
