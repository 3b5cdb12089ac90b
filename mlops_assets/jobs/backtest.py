"""Backtest: a job that tries retraining policies on the past and changes no model."""

import math
import time

import dagster as dg
import pydantic

from mlops_assets.assets.acceptance_checks import accept, held_out
from mlops_assets.assets.reporting import DATA_ERRORS
from mlops_assets.assets.run_config import refuse_flags_as_sent
from mlops_assets.jobs.backtesting.plan import Plan, first_possible_day, learned_days, make_plan
from mlops_assets.jobs.backtesting.policy_config import backtest_config
from mlops_assets.jobs.backtesting.results import (
    policies_html,
    policies_table,
    searched,
    store,
)
from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.executor import telling_executor
from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policies import Course, backtest
from mlops_assets.ml.backtest.workshop import Version, Workshop
from mlops_assets.project import Project
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action, Decisions
from mlops_assets.resources.stores.page_store import POLICIES_PAGE, PageStore, page_url

BACKTEST_JOB = "backtest_policy_job"
FOLDER = "policies"  # of the results, under the storage root


def make_backtest_job(project: Project) -> Job:
    """The job `backtest_policy_job`."""
    config_type = backtest_config(project)

    @dg.op(name=BACKTEST_JOB.removesuffix("_job"), out=dg.Out(str))
    def backtest_policy(
        context: dg.OpExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        datasets: dg.ResourceParam[DatasetStore],
        pages: dg.ResourceParam[PageStore],
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
        pages.write(POLICIES_PAGE, policies_html(project, plan, courses))
        if tried := searched(project, plan, courses):
            log = Decisions(datasets.storage)
            log.record(Action.SEARCH, plan.model.name, after=tried, run_id=context.run_id)
        context.add_output_metadata(
            {
                "policies": policies_table(project, courses),
                "page": dg.MetadataValue.url(page_url(project, POLICIES_PAGE)),
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
