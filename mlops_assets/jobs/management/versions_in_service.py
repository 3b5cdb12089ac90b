"""`retire_version_job` and `restore_version_job`: which versions of a model may serve."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from mlops_assets.assets.overviews import LATER
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.jobs.management.decision_job import DecisionConfig, Kind
from mlops_assets.jobs.management.manager import Decided, Manager, RefusedError
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.selection.versions import serving
from mlops_assets.resources.stores.champions import CHAMPION
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.stores.model_store import ModelCard

RETIRE_JOB, RESTORE_JOB = "retire_version_job", "restore_version_job"


class VersionConfig(DecisionConfig):
    version: str = Field(description="A version, as on its model's page.")
    evaluate_past: bool = Field(
        False,
        description=(
            "Whether the past days that this touches are evaluated again, in one run: beside what "
            "they are judged by, which stays, they show what the version in service by now makes."
        ),
    )


def retire(manager: Manager, config: VersionConfig) -> Decided:
    """Decide that a version goes out of service; the one before it takes over."""
    models = manager.models
    card = manager.find(config.version)
    version = card.version
    manager.known_model(card.model)
    if not card.accepted:
        raise RefusedError(f"{version} was not accepted: it never serves")
    if version in models.decisions.retired(card.model):
        raise RefusedError(f"{version} is retired already")
    others = [other for other in models.fit_to_serve(card.model) if other != card]
    successor = serving(others, manager.base.today())
    if card.model == manager.champion and successor is None:
        raise RefusedError(
            f"{version} is the only version of the champion that may serve; train another, or "
            "materialize champion with a pin of another model first"
        )
    return _decided_on(manager, Action.RETIRE, card, successor, config)


def restore(manager: Manager, config: VersionConfig) -> Decided:
    """Decide that a version that was retired may serve again."""
    models = manager.models
    card = manager.find(config.version)
    version = card.version
    manager.known_model(card.model)
    if version not in models.decisions.retired(card.model):
        raise RefusedError(f"{version} is not retired")
    now = serving(_with(models.fit_to_serve(card.model), card), manager.base.today())
    return _decided_on(manager, Action.RESTORE, card, now, config)


def _decided_on(
    manager: Manager,
    action: Action,
    card: ModelCard,
    successor: ModelCard | None,
    config: VersionConfig,
) -> Decided:
    """What is decided on a version, and which past days it touches if these are asked for."""
    decision = manager.made(
        action,
        card.model,
        version=card.version,
        before=_in_service(manager.models.in_service(card.model, manager.base.today())),
        after=_in_service(successor),
        **config.decided,
    )
    cards = [other for other in manager.models.fit_to_serve(card.model) if other != card]
    if action == Action.RESTORE:
        cards = _with(cards, card)
    return Decided(
        decision, {"days": _days_of(manager, card, cards) if config.evaluate_past else None}
    )


def carry_out_decision(manager: Manager, decision: Decision, facts: Mapping[str, Any]) -> str:
    """Compute what follows from a decision on a version; a sentence that sums it up."""
    definitions, name, days = manager.definitions, decision.model, facts["days"]
    if days:
        baseline = name == manager.base.evaluation.baseline
        judged = [model.name for model in manager.project.models] if baseline else [name]
        scores = [asset_key(manager.base, "validation", other) for other in judged]
        manager.evaluate(definitions, scores, days)
        last = manager.project.due.back(day_of(days[-1]), -LONG)
        manager.rank(definitions, days_between(day_of(days[0]), last))
    newest = manager.datasets.keys(CHAMPION)[-1:]
    if newest:
        names = ["issued", *(["champion", "forecast"] if name == manager.champion else [])]
        keys = [asset_key(manager.base, name) for name in names]
        manager.run(definitions, EVALUATE_JOB, keys, newest[0], newest[0])
    manager.refresh_registry(definitions)
    done = "retired" if decision.action == Action.RETIRE else "restored"
    past = "past days stay" if days is None else f"{len(days)} past days were evaluated again"
    serves = decision.after["in service"]
    return f"{decision.version} of {decision.model} is {done}; in service: {serves}; {past}"


def _with(cards: Sequence[ModelCard], card: ModelCard) -> list[ModelCard]:
    return sorted([*cards, card], key=lambda known: (known.trained_through, known.created))


def _in_service(card: ModelCard | None) -> Mapping[str, str]:
    """What the audit trail says of a version that serves."""
    return {"in service": card.version if card else "none"}


def _days_of(manager: Manager, card: ModelCard, cards: Sequence[ModelCard]) -> list[str]:
    """The evaluated days that show a version but will not by now, or that will show it.

    `cards` are those of the versions that may serve from now on: what would serve a day by now is
    shown beside what it is scored by.
    """
    dataset = f"validation/{card.model}"
    first = card.trained_through
    done = manager.materialized(asset_key(manager.base, "validation", card.model))
    known = {*manager.datasets.keys(dataset), *done}
    days = sorted(key for key in known if day_of(key) > first)
    frame = manager.datasets.read(dataset, days, {})
    if len(frame):
        shown = frame.get(f"{LATER}_version", frame["version"]).fillna(frame["version"])
        frame = frame.assign(version=shown)
    stored = {} if frame.empty else frame.groupby("date")["version"].first().to_dict()
    found = {f"{day:%Y-%m-%d}": version for day, version in stored.items()}
    affected = []
    for key in days:
        serves = serving(cards, day_of(key))
        versions = {found.get(key, ""), serves.version if serves else ""}
        if len(versions) > 1 and card.version in versions:
            affected.append(key)
    return affected


RETIRE = Kind(
    RETIRE_JOB,
    "Rolls back: a version serves no more day, the one before it takes over.",
    VersionConfig,
    retire,
    carry_out_decision,
)
RESTORE = Kind(
    RESTORE_JOB,
    "Takes back that a version was retired.",
    VersionConfig,
    restore,
    carry_out_decision,
)
