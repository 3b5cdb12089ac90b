"""Forecasts against actuals by day of all rows, a slice or a series, and the worst series."""

from __future__ import annotations

import datetime as dt
import math

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.metric import WEIGHT, Metric, group_scores
from mlops_assets.ml.metrics.scores import LONG, SHORT
from mlops_assets.ml.models.intervals import conformal_radius
from mlops_assets.pages.rows import SERIES, named, rows_of, series_names
from mlops_assets.pages.shelf import Look, ToldSums
from mlops_assets.project import Project

SUMS = ["actual", "forecast"]
COLUMNS = ["date", "model", *SUMS, "low", "high", "version"]
ISSUED = "issued"


def totals(look: Look, model: str, between: tuple[dt.date, dt.date] | None = None) -> pd.DataFrame:
    """The sums of the chosen rows by day, as they were and as a model forecast them; COLUMNS.

    With the interval that held as large a share as the settings ask for of the days before, and
    the days to come, whose actuals are missing. Empty where the target does not add up.
    """
    project, of = look.project, look.view.of
    first, last = between or look.between
    if not project.has_totals:
        return pd.DataFrame(columns=COLUMNS)

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        groups = rows_of(project, frame, of).groupby("date")
        return groups[SUMS].sum().assign(version=groups["version"].first()).reset_index()

    def of_sums(told: ToldSums) -> pd.DataFrame | None:
        [days] = told.values()
        if not all(days.values()):
            return None
        return pd.DataFrame(
            {"date": pd.Timestamp(day), **one["totals"], "version": one["facts"]["version"]}
            for day, one in days.items()
        )

    window = project.champion.window_days
    known = look.reduced(
        ("totals", of, model),
        [f"validation/{model}"],
        reduce,
        (project.due.back(first, window + project.days_ahead), last),
        None if of else of_sums,
    )
    coming = _coming(look, model, last)
    found = pd.concat([part for part in (known, coming) if len(part)] or [pd.DataFrame()])
    if found.empty:
        return pd.DataFrame(columns=COLUMNS)
    found = _with_intervals(project, found.sort_values("date"))
    shown = found["date"] >= pd.Timestamp(first)
    return found[shown].assign(model=model)[COLUMNS].reset_index(drop=True)


def _coming(look: Look, model: str, last: dt.date) -> pd.DataFrame:
    """What is issued for days that are not scored yet, where the newest are shown."""
    if not look.days or str(last) < look.days[-1]:
        return pd.DataFrame()
    datasets = look.shelf.datasets  # their days are after those on which they were issued
    asked = [day for day in datasets.keys(ISSUED) if day >= look.days[-1]]
    issued = datasets.read(ISSUED, asked, look.damaged)
    if issued.empty:
        return issued
    issued = issued[(issued["model"] == model) & (issued["date"] > look.days[-1])]
    groups = rows_of(look.project, issued, look.view.of).groupby("date")
    sums = groups[["forecast"]].sum().assign(actual=math.nan, version=groups["version"].first())
    return sums.reset_index()


def _with_intervals(project: Project, found: pd.DataFrame) -> pd.DataFrame:
    """The ends of each day's interval, by the residuals of the days that were known before it."""
    dates = found["date"].to_numpy()
    errors = (found["actual"] - found["forecast"]).to_numpy(dtype=float)
    radii = np.full(len(found), math.nan)
    for n, date in enumerate(dates):
        last = project.known_before(pd.Timestamp(date).date())
        before = project.due.back(last, project.champion.window_days)
        recent = errors[(dates <= np.datetime64(last)) & (dates > np.datetime64(before))]
        radius = conformal_radius(recent[np.isfinite(recent)], project.champion.coverage)
        radii[n] = radius if math.isfinite(radius) else math.nan
    low, high = found["forecast"] - radii, found["forecast"] + radii
    return found.assign(low=low.clip(lower=0) if project.non_negative else low, high=high)


def scored_rows(
    look: Look, model: str, between: tuple[dt.date, dt.date], of: str = ""
) -> pd.DataFrame:
    """The chosen rows of some days, with their slices and their `series`."""
    project = look.project

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        rows = rows_of(project, frame, of)
        kept = [*project.evaluation.slices, "date", *SUMS, *([WEIGHT] if WEIGHT in rows else [])]
        return rows[kept].assign(series=series_names(project, rows))

    return look.reduced(("rows", of, model), [f"validation/{model}"], reduce, between)


def worst(look: Look, model: str, days: int = SHORT, by: str = SERIES) -> pd.DataFrame:
    """The series, or slices, of the last days with how far off they were, the worst first.

    By the sum of absolute errors; of several classes, by the loss.
    """
    rows = scored_rows(look, model, look.back(LONG), look.view.of)
    if rows.empty:
        return pd.DataFrame()
    if by != SERIES:
        rows = named(rows, [by])
        rows = rows.assign(**{by: f"{by}: " + rows[by].astype(str)})
    recent = rows[rows["date"] >= pd.Timestamp(look.back(days)[0])]
    if recent.empty:
        return pd.DataFrame()
    metric = look.metric
    name = f"{metric.name} {f'of the {look.unit}' if days == 1 else look.over(days)}"
    table = pd.DataFrame({name: _score(metric, recent, by)})
    if look.project.has_totals:
        off = (recent["forecast"] - recent["actual"]).abs()
        sums = recent.groupby(by)[SUMS].sum()
        table = sums.assign(**{"off by": off.groupby(recent[by]).sum()}).join(table)
        order = table["off by"]
    else:
        order = pd.Series(metric.loss(table[name].to_numpy()), table.index)
    table[f"{metric.name} {look.over(LONG)}"] = _score(metric, rows, by)
    return table.loc[order.sort_values(ascending=False).index].reset_index()


def _score(metric: Metric, rows: pd.DataFrame, by: str) -> pd.Series[float]:
    scores = group_scores({metric.name: metric}, rows, [by])
    return scores[metric.name]
