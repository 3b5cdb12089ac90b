"""A day: what its data, scores and checks were, and what was decided, trained and told on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from markupsafe import Markup

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.models.splits import LONGEST_MONTH
from mlops_assets.ml.monitoring.performance import LIMITS
from mlops_assets.pages.drawing import MUTED, day_line
from mlops_assets.pages.model_figures import daily_figure
from mlops_assets.pages.models_page import daily_scores
from mlops_assets.pages.parts import Form, Page, Part, external, percent, plain, swatch
from mlops_assets.pages.rows import SERIES
from mlops_assets.pages.series_data import totals, worst
from mlops_assets.pages.series_page import series_link
from mlops_assets.pages.shelf import Look
from mlops_assets.pages.versions_page import line_of
from mlops_assets.pages.view import ViewError
from mlops_assets.resources.stores.champions import CHAMPION, Record
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.decisions import shown
from mlops_assets.resources.stores.model_store import MONTH, VERSION
from mlops_assets.resources.web import asset_page, web_url

MOST_WORST = 20
AROUND = 14  # days before and after that are drawn


def day_page(look: Look) -> Page:
    if not look.days:
        raise ViewError("no day is evaluated yet; mlops-assets history builds the history")
    due = look.project.due
    day = due.start(look.view.on or dt.date.fromisoformat(look.last_day or look.days[-1]))
    # all that it shows is of the day, whichever days are chosen
    look = replace(look, view=replace(look.view, first=day, last=day))
    record = _record(look, day)
    model = record.champion if record else look.project.first_champion
    checks = _checks(look, day)
    watched = checks["asset"].isin(["observations", "drift", f"validation/{model}"])
    failed = checks[watched & ~checks["passed"]]
    # each check counts in its own unit
    forms: dict[str, Form] = dict.fromkeys(("value", "low", "high"), plain)
    forms["asset"] = partial(_asset, look, day)
    parts = [
        Part(
            "scores",
            "Scores",
            f"On the {look.unit}, and over the {LONG} up to it; on the rows that all models "
            "forecast.",
            partial(_scores, look),
        ),
        Part(
            "failed",
            f"Checks that failed, of the data and of {model}",
            "" if len(failed) else "None.",
            lambda: failed.drop(columns="passed") if len(failed) else failed,
            forms=forms,
            empty="",
        ),
        *_worst(look, model),
        Part(
            "happened",
            "Decided, trained and told",
            f"Alerts, decisions and versions of the {look.unit}, and versions that serve from it "
            "on.",
            partial(_happened, look, day),
            empty="nothing",
        ),
        Part(
            "around",
            f"The {look.unit}s around it",
            f"{look.metric.name} of each model; the line is the {look.unit}.",
            partial(_around, look, day),
            partial(
                daily_figure,
                metric=look.metric.name,
                models=look.models,
                lines=look.lines,
                marks=[day_line(str(day), MUTED)],
                unit=look.unit,
            ),
            later=True,
        ),
        Part("checks", "Every check of every model", "", lambda: checks, forms=forms),
    ]
    step = {
        name: look.view.link("day", on=str(on))
        for name, on in (("before", due.before(day)), ("after", due.after(day)))
    }
    title = f"{day:%A, %d %B %Y}" if due.daily else f"{look.unit.capitalize()} of {day}"
    return Page(title, [*_lead(look, day, record, model, checks)], parts,
                {"steps": step, "day": str(day)})  # fmt: skip


def _record(look: Look, day: dt.date) -> Record | None:
    found = look.read(CHAMPION, (day, day))
    return Record.of(found.to_dict("records")[0]) if len(found) else None


def _lead(
    look: Look, day: dt.date, record: Record | None, model: str, checks: pd.DataFrame
) -> Iterator[str | Markup]:
    """What a day came to, in sentences."""
    if str(day) not in look.days:
        yield f"It is not evaluated; the newest evaluated day is {look.days[-1]}."
    if day in look.holidays:
        yield f"A holiday: {look.holidays[day]}."
    if record is not None:
        yield Markup("{} was champion, since {}: {}.").format(
            swatch(look, model), record.since, record.why
        )
        if record.next_champion != record.champion:
            yield Markup("{} takes over from {} on: {}.").format(
                swatch(look, record.next_champion), record.next_from, record.next_why
            )
    sums = totals(look, model, (day, day))
    for line in sums[sums["date"] == pd.Timestamp(day)].dropna(subset="actual").to_dict("records"):
        off = line["forecast"] / line["actual"] - 1 if line["actual"] else 0.0
        yield Markup("{}: <strong>{}</strong>, forecast {} ({}).").format(
            look.project.counted, f"{line['actual']:,.0f}", f"{line['forecast']:,.0f}", percent(off)
        )
    usual = checks[checks["asset"].eq(f"validation/{model}") & checks["check"].eq(LIMITS)]
    yield from (f"{model}: {why}." for why in usual["why"])


def _checks(look: Look, day: dt.date) -> pd.DataFrame:
    """What every check found on the day; those that failed first."""
    names = [model.name for model in look.project.models]
    assets = ["observations", *(f"validation/{name}" for name in names), "drift"]
    found = CheckStore(look.shelf.datasets).read(assets, [str(day)], look.damaged)
    kept = found[["asset", "check", "passed", "why", "value", "low", "high"]]
    return kept.assign(passed=kept["passed"].astype(bool)).sort_values("passed", kind="stable")


def _asset(look: Look, day: dt.date, asset: Any) -> Markup:
    page = web_url(asset_page(look.project, str(asset)))
    return external(f"{page}?view=partitions&partition={day}", asset)


def _scores(look: Look) -> pd.DataFrame:
    if look.board.empty or look.last_day != str(look.view.last):
        return pd.DataFrame()
    primary = look.project.evaluation.primary
    metrics = [primary, *(n for n in look.project.evaluation.made_metrics if n != primary)]
    kept = ["model", *metrics, f"{primary}_{LONG}d", "rows", "version", "trained_through", "live"]
    return look.board.reindex(columns=kept).rename(columns={f"{primary}_{LONG}d": look.over(LONG)})


def _worst(look: Look, model: str) -> Iterator[Part]:
    by_series = [SERIES] if look.project.columns.series else []
    for by in [*look.project.evaluation.slices, *by_series]:
        yield Part(
            f"worst-{by}",
            f"The worst by {by}",
            f"What {model} was off by, the largest sum of errors first.",
            partial(_worst_of, look, model, by),
            forms={by: partial(series_link, look)},
            later=True,
        )


def _worst_of(look: Look, model: str, by: str) -> pd.DataFrame:
    return worst(look, model, days=1, by=by).head(MOST_WORST)


def _around(look: Look, day: dt.date) -> pd.DataFrame:
    first, last = (look.project.due.back(day, reach) for reach in (AROUND, -AROUND))
    return daily_scores(replace(look, view=replace(look.view, first=first, last=last)))


def _happened(look: Look, day: dt.date) -> pd.DataFrame:
    """Alerts, decisions and versions of the day, one after the other."""
    period_of = look.project.period_of
    found: list[tuple[dt.datetime, str, str | Markup]] = []
    for alert in look.shelf.alerts.all([]).values():
        if day == period_of(alert.at) or alert.day == str(day):
            linked = Markup("{} {}").format(alert.subject, external(alert.url, "in the web UI"))
            found.append((alert.at, f"alert: {alert.severity.value}", linked))
    for decision in look.shelf.models.decisions.all():
        if period_of(decision.at) == day:
            about = " ".join(filter(None, [decision.model, decision.version]))
            why = "; ".join(filter(None, [shown(decision.after), decision.reason]))
            told = f"{about}: {why}, by {decision.by}"
            found.append((decision.at, decision.action.value, told))
    for model in look.project.models:
        for name in look.shelf.storage.names(f"models/{model.name}"):
            card = look.card(model.name, name) if _may_be_of(look, name, day) else None
            serves = card and look.project.due.start(card.serves_from)
            if card is not None and day in (period_of(card.created), serves):
                told = (
                    f"{card.version} of {model.name}, {line_of(look, card)['state']}; learned "
                    f"through {card.trained_through}"
                )
                what = f"serves from the {look.unit} on" if serves == day else "trained"
                found.append((card.created, what, told))
    found.sort(key=lambda line: line[0])
    return pd.DataFrame(found, columns=["at", "what", "told"])


def _may_be_of(look: Look, version: str, day: dt.date) -> bool:
    """Whether a version may be made on a day, or be the first to serve it, by its name."""
    if not VERSION.fullmatch(version):
        return False
    ends = day - dt.timedelta(days=1), look.project.due.end(day)  # in any time zone
    first, last = (f"{end:%Y%m%d}" for end in ends)
    month = dt.date.fromisoformat(version[:MONTH])
    return first <= version.split("_")[1][:8] <= last or look.project.due.start(month) <= day <= (
        month + dt.timedelta(days=LONGEST_MONTH)
    )
