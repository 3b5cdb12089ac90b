"""The switches of the schedules: a model is paused by switching its retraining off."""

import dagster as dg

from mlops_assets.project import Project

EVALUATION_SCHEDULE = "evaluation_schedule"


def retraining_schedule_name(model: str) -> str:
    return f"retrain_{model}_schedule"


def paused_schedules(instance: dg.DagsterInstance) -> set[str]:
    """The schedules that somebody has switched off."""
    if instance.schedule_storage is None:  # an instance in memory runs no schedules
        return set()
    states = instance.all_instigator_state()
    return {state.name for state in states if state.status.value == "STOPPED"}


def paused_models(instance: dg.DagsterInstance, project: Project) -> set[str]:
    """The models whose retraining schedule somebody has switched off."""
    paused = paused_schedules(instance)
    names = (model.name for model in project.models)
    return {name for name in names if retraining_schedule_name(name) in paused}
