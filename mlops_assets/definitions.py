"""Wires the project together."""

import gc
import logging
import warnings
from functools import cache

import dagster as dg

# Dagster is set aside: looking for garbage in it while what follows is imported would take longer
# than importing that.
gc.freeze()

from mlops_assets.assets.champion import make_champion
from mlops_assets.assets.drift import make_drift
from mlops_assets.assets.features import make_features_asset
from mlops_assets.assets.forecast import make_forecast
from mlops_assets.assets.issued import make_issued
from mlops_assets.assets.leaderboard import make_leaderboard
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.model_registry import make_model_registry
from mlops_assets.assets.models import make_model_asset
from mlops_assets.assets.observations import make_observations
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.training_set import make_training_set
from mlops_assets.assets.validation import make_validation_asset
from mlops_assets.automation.alerts import make_alert_sensor, make_alerts_asset
from mlops_assets.automation.landing import make_landing_sensor
from mlops_assets.automation.late_data import make_late_data_sensor
from mlops_assets.automation.registry import make_registry_sensor
from mlops_assets.automation.retraining import make_reaction_sensors
from mlops_assets.automation.schedules import make_schedules
from mlops_assets.automation.upkeep import make_upkeep_sensor
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.graph.reads import declared
from mlops_assets.jobs.backtest import make_backtest_job
from mlops_assets.jobs.evaluate import make_jobs
from mlops_assets.jobs.executor import make_executor
from mlops_assets.jobs.last_word import have_the_last_word
from mlops_assets.jobs.manage import make_management_jobs
from mlops_assets.project import LandingSettings, Project
from mlops_assets.project.made_for import made_for
from mlops_assets.project.workspace import ATTRIBUTE, has_project, load_named
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.sources import check_columns, make_source
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import KeepingModelStore

gc.unfreeze()

# Backfill policies and mappings to partitions before the first are beta, checks of a partition a
# preview, and relied upon here.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def make_definitions(project: Project, storage: Storage) -> dg.Definitions:
    """The definitions of a project whose data lie in `storage`, created models included."""
    check_columns(project, storage)
    base = project
    project, left_out = Registry(storage).apply(base)
    for name, reason in left_out.items():
        logging.getLogger(__name__).warning("left out: %s: %s", name, reason)
    models = KeepingModelStore(storage)
    partitions = make_partitions(project, storage)
    graph = Graph(project, partitions, declared(project))
    jobs, made = make_jobs(project), made_for(project)
    return dg.Definitions(
        assets=[
            make_observations(graph),
            make_features_asset(graph),
            make_training_set(graph),
            *(make_model_asset(graph, model) for model in project.models),
            make_model_registry(graph, left_out),
            make_issued(graph),
            *(make_validation_asset(graph, model) for model in project.models),
            make_leaderboard(graph),
            make_champion(graph),
            make_forecast(graph),
            make_drift(graph),
            make_alerts_asset(project),
        ],
        jobs=[
            *jobs,
            *make_management_jobs(base, project.models, storage, make_definitions),
            make_backtest_job(project),
        ],
        schedules=make_schedules(project, partitions),
        sensors=[
            make_upkeep_sensor(project, partitions, jobs, models),
            make_registry_sensor(project, partitions, jobs, models),
            *make_reaction_sensors(project, partitions, jobs, storage),
            make_landing_sensor(project, landing, partitions, jobs, storage)
            if isinstance(landing := project.source, LandingSettings)
            else make_late_data_sensor(project, partitions, jobs, storage),
            make_alert_sensor(project, partitions, storage),
        ],
        resources={
            "source": make_source(project, storage),
            "datasets": DatasetStore(storage, made),
            # anew for each run: it keeps what the run has read
            "readers": dg.ResourceDefinition(
                lambda _: Readers(graph.nodes, storage, made, project.due)
            ),
        },
        executor=make_executor(project.compute.executor),
    )


@cache
def load_definitions(name: str = "") -> dg.Definitions:
    """The definitions of a project of the workspace; without a name those of the one project."""
    have_the_last_word()
    project = load_named(name)
    return make_definitions(project, project_storage(project))


# Dagster loads an attribute of this module, and only that project is then read: `defs`, which it
# finds by itself, is the one project, any other name a project of the workspace.
def __getattr__(name: str) -> dg.Definitions:
    if name == ATTRIBUTE:
        return load_definitions()
    if has_project(name):
        return load_definitions(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}, nor is it a project")


def __dir__() -> list[str]:
    return [*globals(), ATTRIBUTE]
