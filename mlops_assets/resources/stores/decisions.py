"""The audit trail: what people and rules decided about models, and what follows from it."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any

from mlops_assets.resources.processes import account
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.record_log import RecordLog, StoredRecord

FOLDER = "registry/decisions"


STORED = "stored versions"
"""What a drop says under: whether they are kept or deleted."""


class Action(StrEnum):
    """What can be decided."""

    CREATE = "create"
    UPDATE = "update"
    DROP = "drop"
    RETIRE = "retire"
    RESTORE = "restore"
    PIN = "pin"
    UNPIN = "unpin"
    RENAME = "rename"
    REVISE = "revise"
    PRUNE = "prune"  # versions that nothing named were removed
    SEARCH = "search"  # other recipes were tried in a backtest; nothing follows but that they count


class Decision(StoredRecord):
    """One entry of the audit trail."""

    at: dt.datetime
    by: str
    action: Action
    model: str
    version: str = ""
    before: Any = None
    after: Any = None
    reason: str = ""
    run_id: str = ""


def made(action: Action, model: str, *, by: str = "", reason: str = "", **facts: Any) -> Decision:
    """A decision as of now, by the account that runs this where nobody else is named."""
    now = dt.datetime.now(dt.UTC)
    return Decision(at=now, by=by or account(), action=action, model=model, reason=reason, **facts)


class Pin(StoredRecord):
    """The days on which a model is champion whatever the scores say."""

    first: dt.date
    until: dt.date | None = None


class Decisions:
    """Decisions under `registry/decisions/` of a storage: a file each, never edited."""

    def __init__(self, storage: Storage, *, keeps: bool = False) -> None:
        self.log = RecordLog(storage, FOLDER, Decision, what="decision", keeps=keeps)

    def as_of_now(self) -> "Decisions":
        """The same, listed once until one is added here."""
        steady = Decisions(self.log.storage)
        steady.log = self.log.as_of_now()
        return steady

    def record(
        self, action: Action, model: str, *, by: str = "", reason: str = "", **facts: Any
    ) -> Decision:
        """Add a decision, by the account that runs this where nobody else is named."""
        decision = made(action, model, by=by, reason=reason, **facts)
        self.add(decision)
        return decision

    def add(self, decision: Decision) -> None:
        """Add a decision; nothing happens where it is there already."""
        told = "\n".join([decision.action, decision.model, decision.version, decision.run_id])
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        with suppress(FileExistsError):
            self.log.add(f"{decision.at:%Y%m%dT%H%M%S%f}_{digest}.json", decision)

    def count(self) -> int:
        return len(self.log.names())

    def all(self) -> list[Decision]:
        """Every decision, oldest first, under the names that models have by now."""
        found, names = list(self.log.all().values()), self.log.storage.renamed
        if not names:
            return found
        return [one.model_copy(update={"model": names.get(one.model, one.model)}) for one in found]

    def retired(self, model: str) -> set[str]:
        """The versions of a model that may not serve."""
        state = {decision.version: decision.action for decision in self.retirements(model)}
        return {version for version, action in state.items() if action == Action.RETIRE}

    def retirements(self, model: str) -> list[Decision]:
        """What was decided on whether versions of a model may serve, oldest first."""
        actions = (Action.RETIRE, Action.RESTORE)
        return [found for found in self.all() if found.model == model and found.action in actions]

    def deletions(self) -> dict[str, dt.datetime]:
        """When the stored versions of models were deleted, the last time, by model."""
        dropped = [decision for decision in self.all() if decision.action is Action.DROP]
        return {one.model: one.at for one in dropped if (one.after or {}).get(STORED) == "deleted"}

    def pin_on(self, day: dt.date) -> Decision | None:
        """The pin that holds on a day: the newest one, unless it has ended or was taken back."""
        newest = self.newest_pin(day)
        if newest is None or newest.action == Action.UNPIN:
            return None
        until = Pin.model_validate(newest.after).until
        return newest if until is None or day <= until else None

    def newest_pin(self, day: dt.date) -> Decision | None:
        """What was decided last on pins that begin by a day."""
        newest: Decision | None = None
        for decision in self.all():
            pins = decision.action in (Action.PIN, Action.UNPIN)
            if pins and Pin.model_validate(decision.after).first <= day:
                newest = decision
        return newest


def shown(value: Any) -> str:
    """A decision's `before` or `after` in a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    return "" if value is None else str(value)
