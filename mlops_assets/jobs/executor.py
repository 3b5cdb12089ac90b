"""The executor of all jobs: it says on the run which process carries that out.

By default steps run one after another in that process. `compute.executor` chooses another one of
Dagster's for runs of assets.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import dagster as dg

from mlops_assets.graph.runs import keep_connections, process_tags
from mlops_assets.project import Executor, ProjectError

# the package of Dagster's that brings one, and its name there; the extra is called as the setting
EXECUTORS = {
    Executor.IN_PROCESS: ("dagster", "in_process_executor"),
    Executor.MULTIPROCESS: ("dagster", "multiprocess_executor"),
    Executor.CELERY: ("dagster_celery", "celery_executor"),
    Executor.K8S: ("dagster_k8s", "k8s_job_executor"),
}
# of Celery: where its queue is, and where its workers tell what came of it
PLACES = {"broker": "CELERY_BROKER", "backend": "CELERY_BACKEND"}


class TellingExecutor(dg.Executor):
    """Another executor, once its process stands on the run."""

    def __init__(self, other: dg.Executor) -> None:
        self._other = other

    @property
    def retries(self) -> Any:
        return self._other.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._other.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        run_id = plan_context.run_id
        keep_connections(plan_context.instance)
        plan_context.instance.add_run_tags(run_id, process_tags(run_id))
        yield from self._other.execute(plan_context, execution_plan)


@cache
def make_executor(chosen: Executor) -> dg.ExecutorDefinition:
    """The executor that the settings name. ProjectError where its package is not installed."""
    package, name = EXECUTORS[chosen]
    if find_spec(package) is None:
        raise ProjectError(
            f"compute.executor = {chosen}: {package.replace('_', '-')} is not installed; "
            f"pip install 'mlops_assets[{chosen}]'"
        )
    other: dg.ExecutorDefinition = getattr(import_module(package), name)
    if chosen is Executor.CELERY:
        other = other.configured({key: {"env": variable} for key, variable in PLACES.items()})
    make, schema = other.executor_creation_fn, other.config_schema
    assert make is not None

    def telling(init_context: dg.InitExecutorContext) -> dg.Executor:
        return TellingExecutor(make(init_context))

    return dg.ExecutorDefinition(
        other.name,
        config_schema=schema,  # type: ignore[arg-type]  # of a type that Dagster gives
        requirements=other.get_requirements,
        executor_creation_fn=telling,
        description=f"Dagster's {other.name}; its process stands on the run.",
    )


telling_executor = make_executor(Executor.IN_PROCESS)
