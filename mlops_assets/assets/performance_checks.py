"""The checks of a model's days: what they need to know is stored, what they found as well."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_assets.assets.datasets import by_day
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.monitoring.daily_facts import covered_rows, daily_facts
from mlops_assets.ml.monitoring.performance import (
    BASELINE,
    BIAS,
    CHECKS,
    COVERAGE,
    allow_incomplete,
    days_judged_by,
    judge_days,
)
from mlops_assets.project import Project
from mlops_assets.resources.stores.check_results import CheckStore, facts_dataset
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.first_seen import FirstSeenStore


def judge_performance(
    project: Project,
    name: str,
    forecasts: pd.DataFrame,
    baseline: pd.DataFrame | None,
    completeness: Mapping[str, float | None],
    datasets: DatasetStore,
) -> dict[str, dict[str, CheckResult]]:
    """Judge days of a model by their forecasts and the days before them, by key and check.

    `forecasts` are those of the days, not of the baseline, which has its own or none;
    `completeness` is the share of the usual rows of each day. The facts of the days and the
    verdicts are stored.
    """
    metric, due = project.primary_metric, project.due
    first = forecasts["date"].min().date()
    radius_days = project.champion.window_days
    rows = forecasts.assign(covered=float("nan"), baseline_forecast=float("nan"))
    if not project.labels:  # a class lies in no interval
        window = days_between(due.back(first, radius_days), first)
        before = datasets.read(f"validation/{name}", window, {})
        rows["covered"] = covered_rows(
            forecasts,
            before,
            project.columns.series,
            coverage=project.champion.coverage,
            window_days=radius_days,
            due=due,
        )
    if baseline is not None:
        theirs = baseline.set_index(["date", "row"])["forecast"]
        asked = pd.MultiIndex.from_frame(forecasts[["date", "row"]])
        rows["baseline_forecast"] = theirs.reindex(asked).to_numpy()
    facts = daily_facts(metric, rows, project.evaluation.slices)
    days = by_day(facts, "date")
    for key, frame in days.items():
        datasets.write(facts_dataset(name), key, frame)
    reach = days_judged_by(project.performance)
    known = datasets.read(facts_dataset(name), days_between(due.back(first, reach), first), {})
    judged = judge_days(
        project.performance,
        metric,
        pd.concat([known, facts], ignore_index=True) if len(known) else facts,
        [day_of(key) for key in days],
        against_baseline=name != project.evaluation.baseline,
        false_alarms_per_year=project.monitoring.false_alarms_per_year,
        due=due,
    )
    asked_of = checks_of(project, name)
    judged = {
        key: allow_incomplete(
            project.performance, {check: found[check] for check in asked_of}, completeness.get(key)
        )
        for key, found in judged.items()
    }
    checks = CheckStore(datasets)
    for key, found in judged.items():
        checks.write(f"validation/{name}", key, found)
    return judged


def forget(name: str, datasets: DatasetStore, key: str | None = None) -> None:
    """Remove what is stored of a day of a model, or of all its days.

    How a day looked at first is a fact that stays as long as the model does.
    """
    for dataset in (f"validation/{name}", facts_dataset(name)):
        datasets.delete(dataset, key)
    CheckStore(datasets).delete(f"validation/{name}", key)
    if key is None:
        FirstSeenStore(datasets).delete(name)


def checks_of(project: Project, name: str) -> dict[str, str]:
    """The checks of a model's days with what they ask.

    The baseline is not compared to itself; classes have no intervals, and several no bias.
    """
    left_out = {
        BASELINE: name == project.evaluation.baseline,
        COVERAGE: bool(project.labels),
        BIAS: len(project.labels) > 2,
    }
    return {check: asks for check, asks in CHECKS.items() if not left_out.get(check)}
