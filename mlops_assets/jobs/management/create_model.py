"""`create_model_job`: records a model, trains it and evaluates it on the past days."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import dagster as dg
import pydantic
import yaml

from mlops_assets.assets.models import hyperparameters_form
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import add_months, ranges
from mlops_assets.jobs.evaluate import retrain_job_name
from mlops_assets.jobs.management.decision_job import DecisionConfig, Kind
from mlops_assets.jobs.management.drop_model import DROP_JOB
from mlops_assets.jobs.management.manager import Decided, Manager, RefusedError
from mlops_assets.jobs.management.one_of import Form, chosen, one_of
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.models.families import FAMILIES, default_name, parse_hyperparameters
from mlops_assets.project import Cadence, ModelSettings, Project
from mlops_assets.project.workspace import location
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.web import asset_page, reload_definitions, web_url

CREATE_JOB = "create_model_job"
FIRST_FAMILY: dict[Task, str] = {
    "regression": "hist_gradient_boosting",
    "classification": "hist_gradient_boosting_classifier",
}
MOST_PAST_DAYS = 3660


class CreateConfig(DecisionConfig):
    family: dg.Config
    """One of the forms of the families."""
    name: str = pydantic.Field(
        "",
        description=(
            "Lower-case letters, digits and underscores; empty: the family and what differs from "
            "its defaults."
        ),
    )
    cadence: str
    evaluate_past_days: int = pydantic.Field(
        LONG,
        description=(
            "How many past days it is evaluated on, each by a version that learned only from days "
            "before; the months needed are trained."
        ),
    )


def creation(project: Project) -> Kind:
    """The job `create_model_job`, which offers the families for the project's kind of target."""
    literal: Any = Literal
    config_type = pydantic.create_model(
        "CreateModelConfig",
        __base__=CreateConfig,
        family=one_of(
            {
                family.name: Form(hyperparameters_form(family.name, {}), family.description)
                for family in FAMILIES.values()
                if project.task in family.tasks
            },
            # what the launchpad starts from: one family, not all of them
            first=FIRST_FAMILY[project.task],
            description="The kind of model, with its hyperparameters under it.",
        ),
        cadence=(
            literal[tuple(cadence.value for cadence in Cadence)],
            pydantic.Field(
                default=Cadence.MONTHLY.value, description="How often its schedule retrains it."
            ),
        ),
    )
    told = "Makes a model: records it, trains it, evaluates it on the past days."
    return Kind(CREATE_JOB, told, config_type, create, carry_out_creation)


def create(manager: Manager, config: CreateConfig) -> Decided:
    """Decide that a model is made. RefusedError where it cannot be."""
    past_days = config.evaluate_past_days
    if not 0 <= past_days <= MOST_PAST_DAYS:
        raise RefusedError(f"evaluate_past_days = {past_days} is not from 0 to {MOST_PAST_DAYS}")
    family, values = chosen(config.family)
    model = _new_model(manager, family, values, config)
    settings = model.model_dump(mode="json", exclude={"name"})
    decision = manager.made(Action.CREATE, model.name, after=settings, **config.decided)
    return Decided(decision, {"past_days": past_days})


def carry_out_creation(manager: Manager, decision: Decision, facts: Mapping[str, Any]) -> str:
    """Record the model, train it and evaluate it on the past days; a sentence that sums it up."""
    model = ModelSettings.model_validate({"name": decision.model, **decision.after})
    with suppress(FileExistsError):
        manager.registry.create(model)
    shown = reload_definitions(location(manager.base), manager.context.run_id)
    _train_and_evaluate(manager, model.name, facts["past_days"])
    return _told(manager, model, shown)


def _new_model(
    manager: Manager, family: str, values: Mapping[str, Any], config: CreateConfig
) -> ModelSettings:
    """The model that is asked for, which fits the project. RefusedError when it does not."""
    try:
        hyperparameters = parse_hyperparameters(family, values)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    project = manager.project
    try:
        model = ModelSettings(
            name=config.name or default_name(family, hyperparameters),
            family=family,
            hyperparameters=hyperparameters.model_dump(mode="json"),
            cadence=Cadence(config.cadence),
        )
        _refuse_taken(manager, project, model.name)
        project.with_models([*project.models, model])
    except pydantic.ValidationError as error:
        mistakes = (detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        raise RefusedError("; ".join(mistakes)) from error
    return model


def _refuse_taken(manager: Manager, project: Project, name: str) -> None:
    for model in project.models:
        if model.name == name:
            raise RefusedError(
                f"there is a model {name!r} already; choose another name. "
                f"It is defined as:\n{_as_yaml(model)}"
            )
    if by_now := manager.storage.renamed.get(name):
        raise RefusedError(
            f"{name!r} is what the model {by_now!r} was called before; choose another name"
        )
    if name in manager.registry.created():
        raise RefusedError(
            f"there is a file of a model {name!r} already, which cannot be used as it is; see "
            "left_out of model_registry, and correct it or drop the model"
        )
    damaged: dict[str, StorageError] = {}
    if manager.models.cards(name, damaged) or damaged:
        raise RefusedError(
            f"versions of a dropped model {name!r} are still stored; choose another name, or "
            f"run {DROP_JOB} with delete_stored: {name}"
        )


def _train_and_evaluate(manager: Manager, name: str, past_days: int) -> None:
    """The versions that the past days and today need, then these days."""
    base, partitions = manager.base, manager.partitions
    today = base.today()
    first = max(base.due.back(today, past_days), partitions.first_month)
    months = []
    month = add_months(first, 0)
    while month <= today:
        months.append(str(month))
        month = add_months(month, 1)
    definitions = manager.definitions
    sets, versions = asset_key(base, "training_set"), asset_key(base, "models", name)
    # those that a creation which was killed has made are not made again
    untrained = set(months) - manager.materialized(versions)
    missing = untrained - set(manager.datasets.keys("training_set"))
    job = retrain_job_name(name)
    for start, end in ranges({sets: missing}, partitions.monthly):
        manager.run(definitions, job, [sets], start, end)
    manager.train(definitions, job, versions, untrained)
    newest = partitions.newest_day()
    days = [] if newest is None else partitions.keys(first, newest + dt.timedelta(days=1))
    scores = asset_key(base, "validation", name)
    manager.evaluate(definitions, [scores], set(days) - manager.materialized(scores))
    manager.rank(definitions, days)
    manager.refresh_registry(definitions)


def _told(manager: Manager, model: ModelSettings, shown: str) -> str:
    """The sentence that sums a creation up; the rest goes into the metadata of the run."""
    base, name = manager.base, model.name
    accepted = manager.models.fit_to_serve(name)
    state = (
        f"in service since {accepted[-1].serves_from}"
        if accepted
        else "not in service, since no version of it was accepted"
    )
    page = web_url(asset_page(base, "models", name))
    manager.context.add_output_metadata(
        {
            "model": dg.MetadataValue.asset(asset_key(base, "models", name)),
            "page": dg.MetadataValue.url(page),
            "days": dg.MetadataValue.url(web_url(asset_page(base, "validation", name))),
            "settings": dg.MetadataValue.md(f"```yaml\n{_as_yaml(model)}```"),
            "definitions": shown,
        }
    )
    return f"{name} is created and {state}: {page} ({shown})"


def _as_yaml(model: ModelSettings) -> str:
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False)
