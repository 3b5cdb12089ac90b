"""Wires the project together."""

import warnings

import dagster as dg

from mlops_assets.assets.datasets import make_dataset_assets
from mlops_assets.assets.models import make_model_assets
from mlops_assets.assets.validation import make_validation_assets
from mlops_assets.jobs import make_jobs
from mlops_assets.partitions import make_partitions
from mlops_assets.project import Project, load_project, storage_root
from mlops_assets.resources.datasets import DatasetStore
from mlops_assets.resources.pages import PageStore
from mlops_assets.resources.sources import check_columns, make_source
from mlops_assets.resources.storage import Storage, make_storage
from mlops_assets.resources.versions import ModelStore
from mlops_assets.schedules import make_schedules
from mlops_assets.sensors import make_sensors

# Backfill policies and mappings to partitions before the first are beta, and relied upon here.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


def make_definitions(project: Project, storage: Storage) -> dg.Definitions:
    """The definitions of a project whose data lie in `storage`."""
    check_columns(project, storage)
    partitions = make_partitions(project, storage)
    jobs = make_jobs(project)
    return dg.Definitions(
        assets=[
            *make_dataset_assets(project, partitions),
            *make_model_assets(project, partitions),
            *make_validation_assets(project, partitions),
        ],
        jobs=jobs,
        schedules=make_schedules(project),
        sensors=make_sensors(project, partitions, jobs),
        resources={
            "source": make_source(project),
            "datasets": DatasetStore(storage),
            "models": ModelStore(storage),
            "pages": PageStore(storage),
        },
        executor=dg.in_process_executor,
    )


defs = make_definitions(load_project(), make_storage(storage_root()))
