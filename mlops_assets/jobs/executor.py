"""The executor of all jobs: in the process of the run, which says on the run which one it is."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlops_assets.graph.runs import process_tags

IN_PROCESS = dg.in_process_executor


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
        plan_context.instance.add_run_tags(run_id, process_tags(run_id))
        yield from self._other.execute(plan_context, execution_plan)


def make_executor(init_context: dg.InitExecutorContext) -> dg.Executor:
    make = IN_PROCESS.executor_creation_fn
    assert make is not None
    return TellingExecutor(make(init_context))


schema: Any = IN_PROCESS.config_schema  # of a type that Dagster gives and does not take
telling_executor = dg.ExecutorDefinition(
    IN_PROCESS.name,
    config_schema=schema,
    executor_creation_fn=make_executor,
    description="Runs all steps one after another in the process of the run.",
)
