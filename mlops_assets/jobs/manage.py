"""Managing models while the system runs: create, update and drop them, retire and restore versions.

Each job checks first, then records what was decided, and computes at once what follows from it.
"""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.management.create_model import make_create_job
from mlops_assets.jobs.management.drop_model import make_drop_job
from mlops_assets.jobs.management.manager import MakeDefinitions, Manager
from mlops_assets.jobs.management.update_model import make_update_job
from mlops_assets.jobs.management.versions_in_service import make_restore_job, make_retire_job
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import Storage


def make_management_jobs(
    project: Project,
    models: Sequence[ModelSettings],
    storage: Storage,
    make_definitions: MakeDefinitions,
) -> list[Job]:
    """The five jobs; `project` is that of `project.yaml` alone, `models` are all there are."""

    def make_manager(context: dg.OpExecutionContext) -> Manager:
        return Manager(project, storage, make_definitions, context)

    return [
        make_create_job(project, make_manager),
        make_update_job(project, models, make_manager),
        make_drop_job(project, make_manager),
        make_retire_job(project, make_manager),
        make_restore_job(project, make_manager),
    ]
