"""Which runs of an instance are a project's own: several projects may share it."""

import dagster as dg

from mlops_assets.graph.keys import own_parts
from mlops_assets.project import Project

PROJECT_TAG = "mlops_assets/project"  # of the jobs of one of several projects
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def project_tags(project: Project) -> dict[str, str]:
    """The tags of a project's runs: its name, where it is one of several."""
    return {PROJECT_TAG: project.prefix} if project.prefix else {}


def is_own(run: dg.DagsterRun, project: Project) -> bool:
    """Whether a run is of a project: by the assets that it selects, else by the tag of its job."""
    if run.asset_selection:
        return any(own_parts(project, key) for key in run.asset_selection)
    return run.tags.get(PROJECT_TAG, "") == project.prefix


def unfinished_runs(
    instance: dg.DagsterInstance, project: Project, tags: dict[str, str] | None = None
) -> list[dg.DagsterRun]:
    """The runs of a project that are queued or under way, of those with some tags."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=tags or {}))
    return [run for run in runs if is_own(run, project)]
