"""Managing models while the system runs: make, update, rename, drop, retire and restore.

Each job checks first, then writes down what is decided, applies it and computes at once what
follows from it. One decides at a time, and what a killed one had begun is completed by the next.
"""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.management.create_model import creation
from mlops_assets.jobs.management.decision_job import make_decision_job
from mlops_assets.jobs.management.drop_model import DROP
from mlops_assets.jobs.management.manager import MakeDefinitions, Manager
from mlops_assets.jobs.management.rename_model import RENAME
from mlops_assets.jobs.management.update_model import update_of
from mlops_assets.jobs.management.versions_in_service import RESTORE, RETIRE
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import Storage


def make_management_jobs(
    project: Project,
    models: Sequence[ModelSettings],
    storage: Storage,
    make_definitions: MakeDefinitions,
) -> list[Job]:
    """The six jobs; `project` is that of `project.yaml` alone, `models` are all there are."""
    kinds = [creation(project), update_of(models), RENAME, DROP, RETIRE, RESTORE]
    carry_out = {kind.name: kind.carry_out for kind in kinds}

    def make_manager(context: dg.OpExecutionContext) -> Manager:
        return Manager(project, storage, make_definitions, context, carry_out)

    return [make_decision_job(project, make_manager, kind) for kind in kinds]
