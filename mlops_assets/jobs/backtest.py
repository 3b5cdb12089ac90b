"""Backtest: a job that tries retraining policies on the past and changes nothing."""

import contextlib
import datetime as dt
import io
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.acceptance_checks import accept
from mlops_assets.assets.datasets import missing_days
from mlops_assets.assets.models import explained
from mlops_assets.assets.reporting import DATA_ERRORS, PartitionError, markdown_table
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.jobs.evaluate import Job
from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policies import (
    CADENCES,
    TRIGGERS,
    Course,
    Policy,
    backtest,
    format_figure,
)
from mlops_assets.ml.backtest.workshop import ONE_DAY, Learned, Version, Workshop
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.pages.policies_page import policies_page
from mlops_assets.project import (
    DriftSettings,
    ModelSettings,
    PerformanceSettings,
    Project,
    ReactionSettings,
    Settings,
    TrainingSettings,
)
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.page_store import POLICIES_PAGE, PageStore, page_url

BACKTEST_JOB = "backtest_policy_job"
FOLDER = "policies"  # of the results, under the storage root
LONGEST_NAME = 60
MOST_POLICIES = 50

# The dials of a policy: the settings that they stand in for.
DIALS: dict[str, tuple[type[Settings], str]] = {
    "window_months": (TrainingSettings, "window_months"),
    "days": (ReactionSettings, "days"),
    "failures": (ReactionSettings, "failures"),
    "cool_down_days": (ReactionSettings, "cool_down_days"),
    "performance_width": (PerformanceSettings, "width"),
    "performance_least_width": (PerformanceSettings, "least_width"),
    "performance_least_bias": (PerformanceSettings, "least_bias"),
    "drift_width": (DriftSettings, "width"),
    "drift_margin": (DriftSettings, "margin"),
}
SECTIONS = {
    TrainingSettings: "training",
    ReactionSettings: "reactions",
    PerformanceSettings: "performance",
    DriftSettings: "drift",
}
BOTH = list(TRIGGERS)
TIGHT = {
    **{"failures": 2, "performance_width": 3.0, "performance_least_width": 0.05},
    **{"performance_least_bias": 0.05, "drift_width": 3.0, "drift_margin": 1.2},
}
LOOSE = {
    **{"failures": 4, "performance_width": 6.0, "performance_least_width": 0.2},
    **{"performance_least_bias": 0.2, "drift_width": 6.0, "drift_margin": 2.5},
}
DEFAULT_POLICIES: list[dict[str, Any]] = [
    {"name": "monthly"},
    {"name": "monthly, triggers", "triggers": BOTH},
    {"name": "monthly, tight triggers", "triggers": BOTH, **TIGHT},
    {"name": "monthly, loose triggers", "triggers": BOTH, **LOOSE},
    {"name": "quarterly", "cadence": "quarterly"},
    {"name": "never", "cadence": "never"},
]


@dataclass(frozen=True)
class Plan:
    """What was asked, checked: nothing of it can be refused any more."""

    model: ModelSettings
    policies: list[Policy]
    features: "pd.DataFrame"
    known: frozenset[str]
    """The days that have features."""
    first: dt.date
    last: dt.date


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
            "seconds. It changes nothing: no version, no dataset, no asset."
        ),
        executor_def=dg.in_process_executor,
    )
    def backtest_policy_job() -> None:
        backtest_policy()

    return backtest_policy_job


def backtest_config(project: Project) -> type[dg.Config]:
    """The run config of the job, with the project's own settings as defaults."""
    dials: dict[str, Any] = {name: _dial(project, name) for name in DIALS}
    policy: Any = pydantic.create_model(
        "PolicyConfig",
        __base__=dg.Config,
        name=(str, pydantic.Field(description="How the policy is called in the table.")),
        cadence=(
            str,
            pydantic.Field(
                default="monthly",
                description=(
                    f"When it is trained whatever happens: {', '.join(CADENCES)}, or a number of "
                    "days such as `10 days`."
                ),
            ),
        ),
        triggers=(
            list[str],
            pydantic.Field(
                default=[],
                description=(
                    f"Which failed checks cause a training as well: any of {', '.join(TRIGGERS)}. "
                    "None: alarms of performance are counted, and nothing follows."
                ),
            ),
        ),
        hyperparameters=(
            dict[str, Any],
            pydantic.Field(default={}, description="Where they differ from the model's own."),
        ),
        **dials,
    )
    fields: dict[str, Any] = {
        "model": (
            str,
            pydantic.Field(
                default=project.models[-1].name,
                description=f"One of {', '.join(model.name for model in project.models)}.",
            ),
        ),
        "first_day": (
            str,
            pydantic.Field(
                default="",
                description=(
                    "The first day to replay, such as 2026-01-31; empty: the first one before "
                    "which the shortest window of the policies is there."
                ),
            ),
        ),
        "last_day": (
            str,
            pydantic.Field(
                default="",
                description="The last day to replay; empty: the newest that has features.",
            ),
        ),
        "policies": (
            list[policy],
            pydantic.Field(
                default=DEFAULT_POLICIES,
                description=f"The policies to compare, at most {MOST_POLICIES}.",
            ),
        ),
    }
    config: type[dg.Config] = pydantic.create_model("BacktestConfig", __base__=dg.Config, **fields)
    return config


def _dial(project: Project, name: str) -> tuple[Any, Any]:
    """A field of a policy: that of the settings, empty for the value that it has there."""
    section, setting = DIALS[name]
    field = section.model_fields[setting]
    usual = getattr(getattr(project, SECTIONS[section]), setting)
    described = f"{explained(field)} Left out: {usual:g}, as {SECTIONS[section]}.{setting}."
    return (field.annotation or Any) | None, pydantic.Field(default=None, description=described)


def make_plan(project: Project, datasets: DatasetStore, asked: Mapping[str, Any]) -> Plan:
    """What is to be replayed on which days. ValueError or StorageError where it cannot be."""
    model = project.model(asked["model"])
    policies = [make_policy(project, model, policy) for policy in asked["policies"]]
    names = [policy.name for policy in policies]
    if not 0 < len(names) <= MOST_POLICIES:
        raise ValueError(f"{len(names)} policies; name at least one and at most {MOST_POLICIES}")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"more than one policy is called {', '.join(map(repr, repeated))}")
    known = datasets.keys("features")
    if not known:
        raise ValueError("no features are stored; materialize observations and features first")
    first, last = _days(project, policies, known, asked["first_day"], asked["last_day"])
    learned = learned_days(project, known)
    starts = [first]
    for policy in policies:
        with contextlib.suppress(*DATA_ERRORS):  # a policy without a window says so in its row
            starts.append(learned(first, policy.window_months, True).start)
    start = min(starts) - project.drift.window_days * ONE_DAY
    damaged: dict[str, StorageError] = {}
    features = datasets.read("features", days_between(start, last + ONE_DAY), damaged)
    if damaged:
        raise next(iter(damaged.values()))
    inputs = [*project.inputs.numeric, *project.inputs.categorical]
    if absent := [name for name in inputs if name not in features.columns]:
        raise ValueError(
            f"features lack {', '.join(absent)}, which the settings name; materialize features "
            "of all days again"
        )
    return Plan(model, policies, features, frozenset(known), first, last)


def make_policy(project: Project, model: ModelSettings, asked: Mapping[str, Any]) -> Policy:
    """A policy as asked, every dial left out being as in the settings. ValueError if it is none."""
    name = asked["name"].strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"{name!r} is no name of a policy: 1 to {LONGEST_NAME} characters")

    def settings(section: type[Settings]) -> Any:
        given = {
            setting: asked[dial]
            for dial, (of, setting) in DIALS.items()
            if of is section and asked[dial] is not None
        }
        usual = getattr(project, SECTIONS[section])
        return section.model_validate({**usual.model_dump(), **given})

    try:
        return Policy(
            name=name,
            cadence=asked["cadence"],
            triggers=tuple(dict.fromkeys(asked["triggers"])),
            window_months=settings(TrainingSettings).window_months,
            reactions=settings(ReactionSettings),
            performance=settings(PerformanceSettings),
            drift=settings(DriftSettings),
            hyperparameters=parse_hyperparameters(
                model.family, {**model.hyperparameters, **asked["hyperparameters"]}
            ),
        )
    except pydantic.ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, detail['loc'])) or error.title} = {detail['input']!r}: "
            f"{detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors()
        ]
        raise ValueError(f"policy {name!r}: {'; '.join(mistakes)}") from error
    except ValueError as error:
        raise ValueError(f"policy {name!r}: {error}") from error


def _days(
    project: Project,
    policies: Sequence[Policy],
    known: Sequence[str],
    first_day: str,
    last_day: str,
) -> tuple[dt.date, dt.date]:
    """The first and the last day to replay."""
    newest = day_of(known[-1])
    shortest = min(policy.window_months for policy in policies)
    earliest = first_possible_day(project, known, shortest)
    if earliest is None:
        raise ValueError(
            f"features from {known[0]} to {known[-1]} hold no window of {shortest} months with a "
            "day after it; materialize features of more days, or shorten the window"
        )
    first = _parse_day("first_day", first_day) if first_day else earliest
    last = _parse_day("last_day", last_day) if last_day else newest
    if not earliest <= first <= last <= newest:
        raise ValueError(
            f"the days from {first} to {last} cannot be replayed; those from {earliest} to "
            f"{newest} can, with the shortest window of the policies"
        )
    return first, last


def _parse_day(field: str, text: str) -> dt.date:
    try:
        return day_of(text)
    except ValueError as error:
        raise ValueError(f"{field} = {text!r} is no day; write such as 2026-01-31") from error


def learned_days(project: Project, known: Collection[str]) -> Learned:
    """Which days a version learns from, as the settings say it; ValueError where too few are there.

    `known` are the days that have features.
    """
    days = frozenset(known)
    earliest = day_of(min(days)) + project.longest_lag * ONE_DAY

    def learned(end: dt.date, months: int, gap: bool) -> Window:
        window = replace(project.training_window, months=months).of(end, earliest, gap=gap)
        if window.start < earliest:
            raise PartitionError(
                f"features can be made from {earliest} on, and the window begins {window.start}"
            )
        missing_days(project, days, window)
        return window

    return learned


def first_possible_day(project: Project, known: Sequence[str], months: int) -> dt.date | None:
    """The first known day before which there is a window of so many months; None without one.

    The days before the longest lag has its rows do not count, as for the first month of service.
    """
    learned = learned_days(project, known)
    for day in map(day_of, known):
        try:
            learned(day, months, True)
        except DATA_ERRORS:
            continue
        return day
    return None


def backtest_all(project: Project, plan: Plan, log: dg.DagsterLogManager) -> list[Course]:
    """Try one policy after another; one that cannot be has its problem in place of days."""
    workshop = Workshop(
        project,
        plan.model.family,
        plan.features,
        learned_days(project, plan.known),
        lambda version, in_service: accept(
            project, plan.model, version.window, version.inputs, in_service, Version.pipeline
        ),
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
            course = Course(policy, pd.DataFrame(), [], [], problem)
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
    shown = [name for name in rows[0] if name != "problem" or any(row["problem"] for row in rows)]
    return markdown_table(
        shown,
        [
            [format_figure(row[name]).replace("|", "\\|").replace("\n", " ") for name in shown]
            for row in rows
        ],
    )


def policies_html(project: Project, plan: Plan, courses: Sequence[Course]) -> str:
    return policies_page(
        courses,
        metric=project.primary_metric.name,
        title=f"{project.name}: retraining policies for {plan.model.name}",
        through=f"replayed from {plan.first} through {plan.last}",
    )


def store(
    project: Project, plan: Plan, courses: Sequence[Course], storage: Storage, folder: str
) -> None:
    """The table, every training and alarm as JSON, and the days of all policies as Parquet."""
    days = pd.concat([c.days.reset_index().assign(policy=c.policy.name) for c in courses])
    buffer = io.BytesIO()
    days.to_parquet(buffer, index=False)
    storage.write(f"{folder}/days.parquet", buffer.getvalue())
    metric = project.primary_metric.name
    found = {
        "model": plan.model.name,
        "metric": metric,
        "first_day": str(plan.first),
        "last_day": str(plan.last),
        "table": [course.summary(metric) for course in courses],
        "policies": [
            {
                **asdict(course.policy),
                "hyperparameters": course.policy.hyperparameters.model_dump(mode="json"),
                "reactions": course.policy.reactions.model_dump(mode="json"),
                "performance": course.policy.performance.model_dump(mode="json"),
                "drift": course.policy.drift.model_dump(mode="json"),
                "trainings": [asdict(training) for training in course.trainings],
                "alarms": [asdict(alarm) for alarm in course.alarms],
            }
            for course in courses
        ],
    }
    text = json.dumps(found, indent=2, default=str)
    storage.write(f"{folder}/policies.json", text.encode())
