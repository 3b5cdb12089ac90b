"""The switches of the schedules: a model is paused by switching its retraining off."""

import dagster as dg

from mlops_assets.project import Project
from mlops_assets.project.workspace import location, project_names

EVALUATION_SCHEDULE = "evaluation_schedule"


def retraining_schedule_name(model: str) -> str:
    return f"retrain_{model}_schedule"


def paused_schedules(instance: dg.DagsterInstance, project: Project) -> set[str]:
    """The schedules of a project that somebody has switched off."""
    if instance.schedule_storage is None:  # an instance in memory runs no schedules
        return set()
    states = instance.all_instigator_state()
    others = set() if project.prefix else set(project_names())
    return {
        state.name
        for state in states
        if state.status.value == "STOPPED" and _is_of(project, state.origin.location_name, others)
    }


def _is_of(project: Project, name: str, others: set[str]) -> bool:
    """Whether a code location is a project's; the one project's may be called anything."""
    return name == location(project) if project.prefix else name not in others


def paused_models(instance: dg.DagsterInstance, project: Project) -> set[str]:
    """The models whose retraining schedule somebody has switched off."""
    paused = paused_schedules(instance, project)
    names = (model.name for model in project.models)
    return {name for name in names if retraining_schedule_name(name) in paused}
