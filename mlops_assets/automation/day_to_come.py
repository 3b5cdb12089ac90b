"""The day to come: whether what was forecast for it is by the version that will be scored on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.assets.forecast import why_held
from mlops_assets.assets.issued import is_over
from mlops_assets.assets.reporting import said
from mlops_assets.assets.schemas import FAILED_CHECKS
from mlops_assets.automation.changes import Log, day_key
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import day_of
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore


@dataclass(frozen=True)
class NewestDay:
    """The newest day of an asset: its entry in the event log, and what it shows."""

    day: int
    number: int
    shown: Mapping[str, Any]


@dataclass(frozen=True)
class Outdated:
    """What was forecast for the day to come, where it is no longer what others should read."""

    day: int
    """The day whose partitions forecast the day to come."""
    number: int
    """Of the entry in the event log."""
    why: str
    assets: Sequence[str]
    """What is to be made again of that day."""


def outdated_forecasts(
    instance: dg.DagsterInstance, project: Project, models: ModelStore
) -> Iterator[Outdated]:
    """The newest forecasts for whose day another version will be scored.

    What was forecast is compared with the versions and pins that there are, so it does not matter
    what changed them, nor whether that was told in the event log. A damaged card is reported by the
    evaluation of the days that need it. Of a day that is over what was forecast stays.
    """
    made = _to_come(instance, project, "issued", "versions")
    if made is not None and (why := _issued_otherwise(project, models, made.shown)):
        yield Outdated(made.day, made.number, why, ["issued", "forecast"])
    made = _to_come(instance, project, "forecast", "version")
    if made is None:
        yield from _released(instance, project, DatasetStore(models.storage))
    else:
        with suppress(StorageError):
            if found := _scored_otherwise(models, made.shown):
                why, decide = found
                yield Outdated(
                    made.day, made.number, why, ["champion", "forecast"] if decide else ["forecast"]
                )


def _released(
    instance: dg.DagsterInstance, project: Project, datasets: DatasetStore
) -> Iterator[Outdated]:
    """The newest forecast, where it is held for what the checks of its day do not find any more."""
    made = newest_made(instance, asset_key(project, "forecast").to_user_string())
    if made is None or FAILED_CHECKS not in made.shown or "version" in made.shown:
        return
    key = day_key(made.day)
    if is_over(project, project.day_to_come(day_of(key))):
        return
    if not why_held(project, key, datasets):
        why = f"the checks of {key} find nothing any more for which its forecast is held"
        yield Outdated(made.day, made.number, why, ["forecast"])


def _to_come(
    instance: dg.DagsterInstance, project: Project, asset: str, told: str
) -> NewestDay | None:
    """The newest day of an asset, if it forecasts a day that is not over and tells by what."""
    made = newest_made(instance, asset_key(project, asset).to_user_string())
    if made is None or told not in made.shown:  # no rows are known in advance
        return None
    return None if is_over(project, day_of(made.shown["forecast_for"])) else made


def _issued_otherwise(project: Project, models: ModelStore, shown: Mapping[str, Any]) -> str | None:
    """Why another version of a model than the one shown will be scored."""
    day = day_of(shown["forecast_for"])
    for model in project.models:
        issued = shown["versions"].get(model.name)
        try:
            card = models.scored(model.name, day)
        except StorageError:
            continue
        if card is None and issued:
            return f"{model.name} has no version to be scored on {day} any more"
        if card is not None and card.version != issued:
            return f"{card.version} is scored on {day}, not {issued or 'issued yet'}"
    return None


def newest_made(instance: dg.DagsterInstance, asset: str) -> NewestDay | None:
    """The newest day of an asset; None where there is none."""
    newest = Log(instance).last_made(asset)
    if newest < 0:
        return None
    of_newest = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey.from_user_string(asset), asset_partitions=[day_key(newest)]
    )
    [record] = instance.fetch_materializations(of_newest, limit=1).records
    made = record.asset_materialization
    shown = {} if made is None else said(made.metadata)
    return NewestDay(newest, record.storage_id, shown)


def _scored_otherwise(models: ModelStore, shown: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Why another version than the one shown will be scored, and whether that is to be decided."""
    day = day_of(shown["forecast_for"])
    pin = models.decisions.pin_on(day)
    if pin is not None and pin.model != shown["model"] and models.in_service(pin.model, day):
        return f"{pin.model} is pinned on {day}", True
    card = models.in_service(shown["model"], day)
    if card is None:
        return f"{shown['model']} has no version in service on {day}", True
    if card.version != shown["version"]:
        return f"{card.version} is in service on {day}, not {shown['version']}", False
    return None
