"""`update_model_job`: gives a model other default hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.models import hyperparameters_form
from mlops_assets.jobs.management.decision_job import DecisionConfig, Kind
from mlops_assets.jobs.management.manager import Decided, Manager, RefusedError
from mlops_assets.jobs.management.one_of import Form, chosen, one_of
from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
from mlops_assets.project import ModelSettings
from mlops_assets.project.workspace import location
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.web import reload_definitions

UPDATE_JOB = "update_model_job"


class UpdateConfig(DecisionConfig):
    model: dg.Config
    """One of the forms of the models."""


class ChangeConfig(dg.Config):
    adopt_version: str = pydantic.Field("", description="A version to take them from.")


def update_of(models: Sequence[ModelSettings]) -> Kind:
    """The job `update_model_job` of these models."""
    config_type = pydantic.create_model(
        "UpdateModelConfig",
        __base__=UpdateConfig,
        model=one_of(
            {model.name: _form(model) for model in models},
            first=models[-1].name,
            description="The model, and under it one of the two.",
            hyperparameters={},
        ),
    )
    told = "Gives a model other default hyperparameters, such as those of a version."
    return Kind(UPDATE_JOB, told, config_type, update, carry_out_update)


def _form(model: ModelSettings) -> Form:
    """What is asked of a model, whose present hyperparameters fill in what is left out."""
    values: Any = hyperparameters_form(model.family, model.hyperparameters)
    described = pydantic.Field(default=None, description=f"Hyperparameters of {model.family}.")
    return Form(ChangeConfig, fields={"hyperparameters": (values | None, described)})


def update(manager: Manager, config: UpdateConfig) -> Decided:
    """Decide on other default hyperparameters, those of a version or those given."""
    name, change = chosen(config.model)
    model = manager.known_model(name)
    version, values = change["adopt_version"], change["hyperparameters"] or {}
    if bool(version) == bool(values):
        raise RefusedError("give adopt_version or hyperparameters, one of them")
    before, after = _change(manager, model, version, values)
    changed = [key for key in after if before[key] != after[key]]
    decision = manager.made(
        Action.UPDATE,
        name,
        version=version,
        before={key: before[key] for key in changed},
        after={key: after[key] for key in changed},
        **config.decided,
    )
    return Decided(decision, {"hyperparameters": after})


def carry_out_update(manager: Manager, decision: Decision, facts: Mapping[str, Any]) -> str:
    """Give the model its new defaults; a sentence that sums it up."""
    name, before, after = decision.model, decision.before, decision.after
    manager.registry.update(manager.base, name, facts["hyperparameters"])
    shown = reload_definitions(location(manager.base), manager.context.run_id)
    manager.refresh_registry(manager.definitions)
    changes = ", ".join(f"{key} {before[key]} to {after[key]}" for key in after)
    return f"{name} is trained from now on with {changes} ({shown})"


def _change(
    manager: Manager, model: ModelSettings, version: str, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All hyperparameters before and after. RefusedError where nothing would change."""
    if version:
        values = _adopted(manager, model, version)
    try:
        changed_to = parse_hyperparameters(model.family, values)
        FAMILIES[model.family].check(changed_to, manager.project.inputs)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    after = changed_to.model_dump(mode="json")
    before = parse_hyperparameters(model.family, model.hyperparameters).model_dump(mode="json")
    if before == after:
        raise RefusedError(f"{model.name} has these hyperparameters already: {after}")
    return before, after


def _adopted(manager: Manager, model: ModelSettings, version: str) -> Mapping[str, Any]:
    """The hyperparameters of a version of the model."""
    card = manager.find(version)
    if card.model != model.name:
        raise RefusedError(f"{version} is a version of {card.model}, not of {model.name}")
    if card.family != model.family:
        raise RefusedError(f"{version} is of the family {card.family}, {model.name} {model.family}")
    return card.hyperparameters
