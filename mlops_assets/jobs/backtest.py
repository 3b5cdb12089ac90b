"""Backtest: a job that tries retraining policies on the past and changes no model."""

import datetime as dt
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.acceptance_checks import accept, held_out
from mlops_assets.assets.reporting import DATA_ERRORS, markdown_table
from mlops_assets.assets.run_config import refuse_flags_as_sent
from mlops_assets.jobs.backtesting.plan import Plan, first_possible_day, learned_days, make_plan
from mlops_assets.jobs.backtesting.policy_config import backtest_config
from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.executor import telling_executor
from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policies import Course, backtest, format_figure
from mlops_assets.ml.backtest.workshop import Version, Workshop
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.dataset_store import DatasetStore, as_parquet
from mlops_assets.resources.stores.decisions import Action, Decisions, shown
from mlops_assets.resources.web import page_url

BACKTEST_JOB = "backtest_policy_job"
FOLDER = "policies"  # of the results, under the storage root


def make_backtest_job(project: Project) -> Job:
    config_type = backtest_config(project)

    @dg.op(name=BACKTEST_JOB.removesuffix("_job"), out=dg.Out(str))
    def backtest_policy(
        context: dg.OpExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        datasets: dg.ResourceParam[DatasetStore],
    ) -> str:
        refuse_flags_as_sent(config, context)
        try:
            plan = make_plan(project, datasets, config.model_dump())  # type: ignore[attr-defined]
        except (*DATA_ERRORS, pydantic.ValidationError) as error:
            raise dg.Failure(f"Nothing was replayed: {error}", allow_retries=False) from error
        courses = backtest_all(project, plan, context.log)
        if all(course.problem for course in courses):
            reasons = "\n".join(f"{c.policy.name}: {c.problem}" for c in courses)
            raise dg.Failure(f"No policy could be tried:\n{reasons}", allow_retries=False)
        folder = f"{FOLDER}/{context.run_id}"
        store(project, plan, courses, datasets.storage, folder)
        if tried := searched(project, plan, courses):
            log = Decisions(datasets.storage)
            log.record(Action.SEARCH, plan.model.name, after=tried, run_id=context.run_id)
        context.add_output_metadata(
            {
                "policies": policies_table(project, courses),
                "page": dg.MetadataValue.url(page_url(project, "policies")),
                "results": dg.MetadataValue.path(datasets.storage.url(folder)),
                "model": plan.model.name,
                "first_day": str(plan.first),
                "last_day": str(plan.last),
            }
        )
        return folder

    @dg.job(
        name=BACKTEST_JOB,
        description=(
            "Tries retraining policies on the past days in one run and compares them: "
            "retrainings, alarms, false alarms, days degraded, mean primary metric and fit "
            "seconds. It changes no version, no dataset, no asset; other recipes that it tries are "
            "noted in the audit trail, as they count for the champion's gate."
        ),
        executor_def=telling_executor,
    )
    def backtest_policy_job() -> None:
        backtest_policy()

    return backtest_policy_job


def backtest_all(project: Project, plan: Plan, log: dg.DagsterLogManager) -> list[Course]:
    """Try one policy after another; one that cannot be has its problem in place of days."""
    workshop = Workshop(
        project.feature_plan,
        project.fit_plan,
        project.primary_metric,
        plan.model.family,
        plan.features,
        learned_days(project, plan.known),
        lambda version, in_service: accept(
            project,
            plan.model,
            version.window,
            version.inputs,
            in_service,
            Version.pipeline,
            lambda other: held_out(project, other.window),
        ),
        project.training_window.serves_before,
    )
    courses = []
    for n, policy in enumerate(plan.policies, 1):
        started, fits = time.perf_counter(), workshop.fits
        try:
            course = backtest(workshop, policy, plan.first, plan.last)
        except DATA_ERRORS as error:
            problem = str(error)
            possible = first_possible_day(project, sorted(plan.known), policy.window_months)
            if possible is not None and possible > plan.first:
                problem += f" (or set first_day to {possible}, from which its window is there)"
            course = Course(policy, pd.DataFrame(), math.nan, [], [], problem)
        courses.append(course)
        log.info(
            f"Policy {n} of {len(plan.policies)}, {policy.name}: "
            + (
                course.problem
                or f"{len(course.retrainings)} retrainings, {workshop.fits - fits} new fits, "
                f"{len(course.alarms)} alarms, in {time.perf_counter() - started:.0f} s."
            )
        )
    return courses


def policies_table(project: Project, courses: Sequence[Course]) -> dg.MarkdownMetadataValue:
    """The policies side by side, for the web UI."""
    metric = project.primary_metric.name
    rows = [course.summary(metric) for course in courses]
    columns = [name for name in rows[0] if name != "problem" or any(row["problem"] for row in rows)]
    return markdown_table(
        columns,
        [
            [format_figure(row[name]).replace("|", "\\|").replace("\n", " ") for name in columns]
            for row in rows
        ],
    )


def searched(project: Project, plan: Plan, courses: Sequence[Course]) -> dict[str, Any]:
    """What was tried beside the settings, which counts for the champion's gate; {} for nothing."""
    usual = parse_hyperparameters(plan.model.family, plan.model.hyperparameters)
    recipes = set()
    for policy in (course.policy for course in courses if not course.problem):
        months = policy.window_months
        other = months != project.training.window_months
        if other or policy.hyperparameters != usual:
            words = shown(policy.hyperparameters.model_dump(mode="json"))
            recipes.add(", ".join(filter(None, [words, f"window_months {months}" * other])))
    days = {"first_day": str(plan.first), "last_day": str(plan.last)}
    return days | {"tried": sorted(recipes)} if recipes else {}


def store(
    project: Project, plan: Plan, courses: Sequence[Course], storage: Storage, folder: str
) -> None:
    """The table, every training and alarm as JSON, and the days of all policies as Parquet."""
    days = pd.concat([c.days.reset_index().assign(policy=c.policy.name) for c in courses])
    storage.write(f"{folder}/days.parquet", as_parquet(days))
    metric = project.primary_metric.name
    found = {
        "made": str(dt.datetime.now(dt.UTC)),
        "model": plan.model.name,
        "metric": metric,
        "first_day": str(plan.first),
        "last_day": str(plan.last),
        "table": [course.summary(metric) for course in courses],
        "policies": [
            {
                **{name: _plain(value) for name, value in vars(course.policy).items()},
                "trainings": [asdict(training) for training in course.trainings],
                "alarms": [asdict(alarm) for alarm in course.alarms],
            }
            for course in courses
        ],
    }
    text = json.dumps(found, indent=2, default=str)
    storage.write(f"{folder}/policies.json", text.encode())


def _plain(value: Any) -> Any:
    """What a policy is made of as JSON takes it."""
    return value.model_dump(mode="json") if isinstance(value, pydantic.BaseModel) else value
