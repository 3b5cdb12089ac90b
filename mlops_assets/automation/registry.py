"""The registry and the newest leaderboard, when they no longer show what there is."""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.assets.leaderboard import NOBODY, PAUSED, paused_names
from mlops_assets.assets.model_registry import STATE, registry_state
from mlops_assets.assets.reporting import said
from mlops_assets.automation.changes import day_key
from mlops_assets.automation.day_to_come import newest_made
from mlops_assets.automation.requests import BECAUSE_TAG, make_sensor, range_requests, seen_of
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions
from mlops_assets.jobs.evaluate import REGISTRY_JOB, Job
from mlops_assets.project import Project
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.switches import paused_models


def make_registry_sensor(
    project: Project, partitions: Partitions, jobs: Sequence[Job], models: ModelStore
) -> dg.SensorDefinition:
    """The sensor that keeps the registry up to date, on by default."""
    return make_sensor(
        "registry_sensor",
        project,
        jobs,
        lambda instance: stale_registry(instance, project, partitions, models),
        seconds=30,
        nothing="The registry shows everything that there is.",
        description="Makes the registry anew after a training, a decision or a pause.",
        seen=lambda instance: f"{seen_of(instance, project)} {models.decisions.count()}",
    )


def stale_registry(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, models: ModelStore
) -> list[dg.RunRequest]:
    """Runs for the registry and the newest leaderboard when what they show has changed."""
    state = registry_state(instance, project, models)
    key = asset_key(project, "model_registry")
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event else None
    before = str(said(made.metadata).get(STATE, "")) if made else ""
    requests = []
    if state != before:
        run_key = f"registry:{state}:{before}"
        tags = {BECAUSE_TAG: state}
        requests.append(dg.RunRequest(run_key=run_key, job_name=REGISTRY_JOB, tags=tags))
    return [*requests, *_stale_leaderboard(instance, project, partitions)]


def _stale_leaderboard(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions
) -> list[dg.RunRequest]:
    """A run for the newest leaderboard when it names other models as paused than there are."""
    key = asset_key(project, "leaderboard")
    made = newest_made(instance, key.to_user_string())
    paused = paused_names(paused_models(instance, project))
    if made is None or str(made.shown.get(PAUSED, NOBODY)) == paused:
        return []
    attempt, because = f"{paused}:{made.number}", f"{paused} paused"
    return range_requests({key: {day_key(made.day)}}, partitions, attempt, because)
