"""`rename_model_job`: calls a model otherwise, with all that is known of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.graph.keys import OF_MODELS, asset_key
from mlops_assets.jobs.management.decision_job import DecisionConfig, Kind
from mlops_assets.jobs.management.manager import Decided, Manager, RefusedError
from mlops_assets.project import IDENTIFIER
from mlops_assets.project.workspace import location
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.switches import paused_models, retraining_schedule_name
from mlops_assets.resources.web import reload_definitions

RENAME_JOB = "rename_model_job"
AT_ONCE = 1000  # so many events are read at once


class RenameConfig(DecisionConfig):
    model: str = Field(description="The name of a model.")
    to: str = Field(description="The one that it has from now on: no model ever had it.")


def rename(manager: Manager, config: RenameConfig) -> Decided:
    """Decide that a model is called otherwise. RefusedError where it cannot be."""
    name, to = config.model, config.to
    manager.known_model(name)
    if not IDENTIFIER.fullmatch(to) or to == "all":
        raise RefusedError(
            f"{to!r} is no name for a model: use lower-case letters, digits and underscores, a "
            "letter first, at most 63 characters, and not `all`"
        )
    decided = {decision.model for decision in manager.models.decisions.all()}
    known = {model.name for model in manager.project.models} | {*manager.registry.created()}
    used = known | decided | {*manager.storage.renamed} | {*manager.storage.names("models")}
    if to in used:
        raise RefusedError(f"there is, or was, a model {to!r}; choose a name that none ever had")
    if name in paused_models(manager.context.instance, manager.project):
        raise RefusedError(
            f"{retraining_schedule_name(name)} is switched off, and that of {to} would be on; "
            "switch it on, rename the model, and switch the new one off"
        )
    return Decided(
        manager.made(
            Action.RENAME, name, before={"name": name}, after={"name": to}, **config.decided
        )
    )


def carry_out_rename(manager: Manager, decision: Decision, _: Mapping[str, Any]) -> str:
    """Call the model so, for the event log as well; a sentence that sums it up."""
    name, to = decision.before["name"], decision.after["name"]
    manager.registry.rename(name, to)
    for kind in OF_MODELS:  # before its definitions, which would ask for all that is not there
        before, after = (asset_key(manager.base, kind, one) for one in (name, to))
        _tell(manager, before, after)
    shown = reload_definitions(location(manager.base), manager.context.run_id)
    definitions = manager.definitions
    manager.rank(definitions, manager.datasets.keys("leaderboard")[-1:])
    manager.refresh_registry(definitions)
    return f"{name} is called {to} from now on ({shown})"


def _tell(manager: Manager, before: dg.AssetKey, after: dg.AssetKey) -> None:
    """Tell the event log of an asset under another key what it knows of it, then forget it."""
    instance = manager.context.instance
    if not instance.has_asset_key(before):
        return
    known = manager.materialized(after)
    newest: dict[str, dg.AssetMaterialization] = {}
    for made in _materializations(instance, before):
        if made.partition is not None and made.partition not in known:
            newest.setdefault(made.partition, made)
    for partition, made in sorted(newest.items()):
        told = dg.AssetMaterialization(after, partition=partition, metadata=made.metadata)
        instance.report_runless_asset_event(told)
    instance.wipe_assets([before])


def _materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey
) -> Iterator[dg.AssetMaterialization]:
    """All of an asset, the newest first."""
    cursor: str | None = None
    while True:
        found = instance.fetch_materializations(key, AT_ONCE, cursor=cursor)
        for record in found.records:
            if record.asset_materialization is not None:
                yield record.asset_materialization
        if not found.has_more:
            return
        cursor = found.cursor


RENAME = Kind(
    RENAME_JOB,
    "Calls a model otherwise, with its versions, forecasts, scores and decisions.",
    RenameConfig,
    rename,
    carry_out_rename,
)
