"""A job that decides something: the config that all have, and how a refusal is told."""

from collections.abc import Callable
from typing import Any, NamedTuple

import dagster as dg
from pydantic import Field

from mlops_assets.assets.run_config import RunConfig, refuse_flags_as_sent
from mlops_assets.graph.attribution import decided_by
from mlops_assets.graph.runs import project_tags
from mlops_assets.jobs.evaluate import Job
from mlops_assets.jobs.executor import telling_executor
from mlops_assets.jobs.management.manager import CarryOut, Decided, Manager, RefusedError
from mlops_assets.project import Project
from mlops_assets.project.workspace import location

DECISION_TAG = "mlops_assets/decision"  # of which the instance lets one run at a time per value

MakeManager = Callable[[dg.OpExecutionContext], Manager]


class DecisionConfig(RunConfig):
    reason: str = Field("", description="Why; it is kept.")
    by: str = Field("", description="Who decides; empty: the account that runs this.")

    @property
    def decided(self) -> dict[str, str]:
        """What the audit trail says of who decided."""
        return {"reason": self.reason, "by": self.by}


class Kind(NamedTuple):
    """What a job asks, how it decides from its config or refuses, and what then follows."""

    name: str
    description: str
    config_type: type[DecisionConfig]
    check: Callable[[Manager, Any], Decided]
    carry_out: CarryOut


def make_decision_job(project: Project, make_manager: MakeManager, kind: Kind) -> Job:
    """A job of one op, in which one decides at a time."""
    config_type, name = kind.config_type, kind.name

    @dg.op(name=name.removesuffix("_job"), out=dg.Out(str))
    def decision(
        context: dg.OpExecutionContext,
        config: config_type,  # type: ignore[valid-type]
    ) -> str:
        refuse_flags_as_sent(config, context)
        named = {"by": decided_by(config.by, context.run.tags)}  # type: ignore[attr-defined]
        config = config.model_copy(update=named)  # type: ignore[attr-defined]
        manager = make_manager(context)
        asked = config.model_dump(mode="json", exclude={"reason", "by"})  # type: ignore[attr-defined]
        try:
            summary = manager.decide(name, asked, lambda: kind.check(manager, config))
        except RefusedError as error:
            raise dg.Failure(f"Nothing was changed: {error}", allow_retries=False) from error
        context.log.info(summary)
        if manager.failures:
            reasons = "\n".join(manager.failures)
            raise dg.Failure(
                f"{summary}\nWhat follows from it failed in part:\n{reasons}",
                allow_retries=False,
            )
        return summary

    @dg.job(
        name=name,
        description=kind.description,
        tags={DECISION_TAG: location(project), **project_tags(project)},
        executor_def=telling_executor,
    )
    def job() -> None:
        decision()

    return job
