"""`drop_model_job`: takes a created model out of the running system."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from mlops_assets.assets.candidates import CANDIDATES, recipes_of
from mlops_assets.assets.performance_checks import forget
from mlops_assets.graph.keys import OF_MODELS, asset_key
from mlops_assets.jobs.management.decision_job import DecisionConfig, Kind
from mlops_assets.jobs.management.manager import Decided, Manager, RefusedError
from mlops_assets.project import IDENTIFIER
from mlops_assets.project.workspace import location
from mlops_assets.resources.stores.decisions import STORED, Action, Decision, Pin
from mlops_assets.resources.web import reload_definitions

DROP_JOB = "drop_model_job"


class DropConfig(DecisionConfig):
    model: str = Field(description="A model made by create_model_job.")
    delete_stored: str = Field(
        "", description="The name again, to delete its stored versions and metrics for good."
    )


def drop(manager: Manager, config: DropConfig) -> Decided:
    """Decide that a created model goes, and what is stored of it if asked."""
    name, delete_stored = config.model, config.delete_stored
    _refuse_to_drop(manager, name, delete_stored)
    stored = "deleted" if delete_stored else "kept"
    after = {STORED: stored, CANDIDATES: recipes_of(manager.models, name)}
    return Decided(manager.made(Action.DROP, name, after=after, **config.decided))


def carry_out_drop(manager: Manager, decision: Decision, _: Mapping[str, Any]) -> str:
    """Take the model out of the running system; a sentence that sums it up."""
    name, stored = decision.model, decision.after[STORED]
    manager.registry.drop(name)
    shown = reload_definitions(location(manager.base), manager.context.run_id)
    if stored == "deleted":
        _delete(manager, name)
    definitions = manager.definitions
    manager.rank(definitions, manager.datasets.keys("leaderboard")[-1:])
    manager.refresh_registry(definitions)
    return f"{name} is dropped, its stored versions are {stored} ({shown})"


def _refuse_to_drop(manager: Manager, name: str, delete_stored: str) -> None:
    if name in (model.name for model in manager.base.models):
        raise RefusedError(f"{name} is named in project.yaml; remove it there")
    if delete_stored not in ("", name):
        raise RefusedError(
            f"delete_stored = {delete_stored!r} does not repeat the name {name!r}; type it "
            "again to delete its stored versions and metrics, or leave it empty to keep them"
        )
    if name == manager.champion:
        raise RefusedError(
            f"{name} is the champion; materialize champion with a pin of another model first"
        )
    pin = manager.models.decisions.newest_pin(dt.date.max)
    if pin is not None and (pin.action, pin.model) == (Action.PIN, name):
        until = Pin.model_validate(pin.after).until
        if until is None or until >= manager.base.today():
            raise RefusedError(f"{name} is pinned; materialize champion with `unpin: true` first")
    created = manager.registry.created()
    plain = IDENTIFIER.fullmatch(name) is not None
    leftovers = plain and bool(manager.storage.names(f"models/{name}"))
    if name not in created and not (leftovers and delete_stored):
        names = ", ".join(created) or "none"
        raise RefusedError(f"{name!r} is no created model; those that can be dropped: {names}")


def _delete(manager: Manager, name: str) -> None:
    """Its versions, its metrics, and what the event log says of its assets."""
    manager.models.delete(name)
    forget(name, manager.datasets)
    instance = manager.context.instance
    assets = [asset_key(manager.base, kind, name) for kind in OF_MODELS]
    if known := [key for key in assets if instance.has_asset_key(key)]:
        instance.wipe_assets(known)


DROP = Kind(
    DROP_JOB,
    "Takes a created model out of the running system: its assets and its schedule.",
    DropConfig,
    drop,
    carry_out_drop,
)
