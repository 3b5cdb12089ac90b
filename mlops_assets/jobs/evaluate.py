"""Jobs: what a schedule, a sensor or a person runs."""

from typing import Any

import dagster as dg

from mlops_assets.graph.keys import node_key
from mlops_assets.graph.reads import Every, declared
from mlops_assets.graph.runs import project_tags
from mlops_assets.project import Project

EVALUATE_JOB = "evaluate_job"

RETRAIN_ALL_JOB = "retrain_all_job"
REGISTRY_JOB = "registry_job"
HISTORY_TAG = "mlops_assets/history"  # of the runs that build the history

Job = Any  # what define_asset_job returns, a type that Dagster does not export


def retrain_job_name(model: str) -> str:
    return f"retrain_{model}_job"


def make_jobs(project: Project) -> list[Job]:
    """Evaluation of a day, retraining of one model and of all for a month."""
    nodes, tags, unit = declared(project), project_tags(project), project.grain

    def assets(every: Every, last: str = "") -> dg.AssetSelection:
        """All of those, or the last one and what it reads of them."""
        names = [last, *nodes[last].upstream] if last else nodes
        keys = [node_key(project, name) for name in names if nodes[name].every is every]
        return dg.AssetSelection.assets(*keys)

    a_month = "A month: its training set and a new version of {}."
    jobs = {
        EVALUATE_JOB: (
            assets(Every.DAY),
            f"A {unit}: its observations and features, every model's metrics, the ranking, the "
            f"champion, its forecasts for the {unit} after, and how far its inputs have drifted.",
        ),
        RETRAIN_ALL_JOB: (assets(Every.MONTH), a_month.format("every model")),
        REGISTRY_JOB: (
            assets(Every.PROJECT),
            "The table of all models and versions, and of what was decided.",
        ),
    }
    for model in (model.name for model in project.models):
        selection = assets(Every.MONTH, f"models/{model}")
        jobs[retrain_job_name(model)] = (selection, a_month.format(model))
    return [
        dg.define_asset_job(name, selection=selection, tags=tags, description=description)
        for name, (selection, description) in jobs.items()
    ]
