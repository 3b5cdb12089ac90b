"""What a step says to Dagster's event log while it goes on, and what the log says of its checks.

Apart from the log's own class: that brings SQLAlchemy, which loading the definitions does not need.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster import DagsterEvent
from dagster._core.definitions.assets.definition.asset_spec import AssetExecutionType
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_step import _get_output_asset_events

# Of an output whose events are recorded already: Dagster records none of its own.
RECORDED = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}


def record_now(
    context: dg.AssetExecutionContext,
    partitions: Sequence[str],
    said: Sequence[dg.AssetCheckEvaluation],
) -> list[DagsterEvent]:
    """Record partitions of a step while it goes on, just as Dagster does at its end.

    With what was added to their metadata and with data versions, and what checks said of them, as
    one batch where the event log takes both together.
    """
    step = context.op_execution_context.get_step_execution_context()
    output, kind = dg.Output(None), AssetExecutionType.MATERIALIZATION
    definition = step.op_def.output_defs[0]
    recorded: list[Any] = []
    if not getattr(context.instance.event_log_storage, "stores_checks_together", False):
        recorded, said = [DagsterEvent.asset_check_evaluation(step, one) for one in said], []
    made: list[Any] = [*said]
    if partitions:
        made += _get_output_asset_events(
            context.asset_key, partitions, output, definition, {}, step, kind
        )
    batch = str(uuid.uuid4())
    for one in made:
        part = DagsterEventBatchMetadata(batch, is_end=one is made[-1])
        if isinstance(one, dg.AssetMaterialization):
            recorded.append(DagsterEvent.asset_materialization(step, one, part))
        else:
            recorded.append(_said(step, one, part))
    return recorded


def _said(
    step: StepExecutionContext, said: dg.AssetCheckEvaluation, part: DagsterEventBatchMetadata
) -> DagsterEvent:
    """What `DagsterEvent.asset_check_evaluation` records, as part of a batch."""
    of = f"Asset check '{said.check_name}' on '{said.asset_key.to_user_string()}'"
    why = "" if said.description is None else f" Description: '{said.description}'"
    message = f"{of} {'passed' if said.passed else 'did not pass'}.{why}"
    return DagsterEvent.from_step(
        dg.DagsterEventType.ASSET_CHECK_EVALUATION, step, said, message, part
    )


def said_of_newer(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partition: str
) -> list[dg.AssetCheckEvaluation]:
    """What checks of an asset said last of its newest partition, if that is newer than one."""
    log = instance.event_log_storage
    known = log.get_asset_check_partition_info(checks[:1])
    newest = max((info.partition_key for info in known if info.partition_key), default="")
    if newest <= partition:
        return []
    found = log.get_latest_asset_check_execution_by_key(checks, PartitionKeyFilter(key=newest))
    said = (record.evaluation for record in found.values())  # or only planned, where a run failed
    return [one for one in said if isinstance(one, dg.AssetCheckEvaluation)]
