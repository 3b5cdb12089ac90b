"""Managing models while the system runs: create, update and drop them, retire and restore versions.

Each job checks first, then writes down what is decided, applies it and computes at once what
follows from it. One decides at a time, and what a killed one had begun is completed by the next.
"""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.management.create_model import (
    CREATE_JOB,
    carry_out_creation,
    make_create_job,
)
from mlops_assets.jobs.management.drop_model import DROP_JOB, carry_out_drop, make_drop_job
from mlops_assets.jobs.management.manager import CarryOut, MakeDefinitions, Manager
from mlops_assets.jobs.management.update_model import UPDATE_JOB, carry_out_update, make_update_job
from mlops_assets.jobs.management.versions_in_service import (
    RESTORE_JOB,
    RETIRE_JOB,
    carry_out_decision,
    make_restore_job,
    make_retire_job,
)
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import Storage

CARRY_OUT: dict[str, CarryOut] = {
    CREATE_JOB: carry_out_creation,
    UPDATE_JOB: carry_out_update,
    DROP_JOB: carry_out_drop,
    RETIRE_JOB: carry_out_decision,
    RESTORE_JOB: carry_out_decision,
}


def make_management_jobs(
    project: Project,
    models: Sequence[ModelSettings],
    storage: Storage,
    make_definitions: MakeDefinitions,
) -> list[Job]:
    """The five jobs; `project` is that of `project.yaml` alone, `models` are all there are."""

    def make_manager(context: dg.OpExecutionContext) -> Manager:
        return Manager(project, storage, make_definitions, context, CARRY_OUT)

    return [
        make_create_job(project, make_manager),
        make_update_job(project, models, make_manager),
        make_drop_job(project, make_manager),
        make_retire_job(project, make_manager),
        make_restore_job(project, make_manager),
    ]
