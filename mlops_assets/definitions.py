"""Wires the project together."""

import logging
import warnings

import dagster as dg

from mlops_assets.alerting import make_alert_sensor, make_alerts_asset
from mlops_assets.assets.champion import make_champion
from mlops_assets.assets.datasets import make_dataset_assets
from mlops_assets.assets.drift import make_drift
from mlops_assets.assets.models import make_model_assets
from mlops_assets.assets.registry import make_model_registry
from mlops_assets.assets.serving import make_forecast
from mlops_assets.assets.validation import make_validation_assets
from mlops_assets.jobs import make_jobs
from mlops_assets.management import make_management_jobs
from mlops_assets.partitions import make_partitions
from mlops_assets.project import Project, load_project, storage_root
from mlops_assets.reactions import make_reaction_sensors
from mlops_assets.resources.datasets import DatasetStore
from mlops_assets.resources.pages import PageStore
from mlops_assets.resources.registry import Registry
from mlops_assets.resources.sources import check_columns, make_source
from mlops_assets.resources.storage import Storage, make_storage
from mlops_assets.resources.versions import ModelStore
from mlops_assets.schedules import make_schedules
from mlops_assets.sensors import make_sensors

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
    models = ModelStore(storage)
    partitions = make_partitions(project, storage)
    jobs = make_jobs(project)
    return dg.Definitions(
        assets=[
            *make_dataset_assets(project, partitions),
            *make_model_assets(project, partitions),
            make_model_registry(project, left_out),
            *make_validation_assets(project, partitions),
            make_champion(project, partitions),
            make_forecast(project, partitions),
            make_drift(project, partitions),
            make_alerts_asset(project),
        ],
        jobs=[*jobs, *make_management_jobs(base, project.models, storage, make_definitions)],
        schedules=make_schedules(project),
        sensors=[
            *make_sensors(project, partitions, jobs, models),
            *make_reaction_sensors(project, jobs, storage),
            make_alert_sensor(project, partitions, storage),
        ],
        resources={
            "source": make_source(project, storage),
            "datasets": DatasetStore(storage),
            "models": models,
            "pages": PageStore(storage),
        },
        executor=dg.in_process_executor,
    )


defs = make_definitions(load_project(), make_storage(storage_root()))
