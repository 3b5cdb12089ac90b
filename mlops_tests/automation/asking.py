"""What the upkeep sensor asks for, by the state of an instance alone."""

import datetime as dt

import dagster as dg

from mlops_assets.automation.staleness import Plan
from mlops_assets.automation.upkeep import Upkeep
from mlops_assets.graph.partitions import Partitions
from mlops_assets.project import Project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore


class TrainedModels(ModelStore):
    """A version of each model that anybody asks for, in the place of a store."""

    def cards(self, model: str, damaged: object = None) -> list[ModelCard]:
        return [ModelCard.model_construct(model=model)]


def stale_days(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    models: ModelStore,
    now: dt.datetime | None = None,
) -> list[dg.RunRequest]:
    """Runs over the days that are older than what they were made from."""
    upkeep = Upkeep(instance, project, partitions, models, now or dt.datetime.now(dt.UTC))
    return upkeep.stale(upkeep.plan())


def missing_days(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, now: dt.datetime
) -> list[dg.RunRequest]:
    """Runs over the recent days that are not there, while nothing is stale and all is trained."""
    models = TrainedModels(LocalStorage("nowhere"))
    return Upkeep(instance, project, partitions, models, now).missing(Plan())[0]
