"""What a backtest replays: policies and days as asked, checked against what is stored."""

import contextlib
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pydantic

from mlops_assets.assets.reporting import DATA_ERRORS, PartitionError
from mlops_assets.assets.training_set import missing_days
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.jobs.backtesting.policy_config import DIALS, MOST_POLICIES
from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policy import EVERY, Policy
from mlops_assets.ml.backtest.workshop import ONE_DAY, Learned
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore

LONGEST_NAME = 60


@dataclass(frozen=True)
class Plan:
    """What was asked, checked: nothing of it can be refused any more."""

    model: ModelSettings
    policies: list[Policy]
    features: "pd.DataFrame"
    known: frozenset[str]
    """The days that have features."""
    first: dt.date
    last: dt.date


def make_plan(project: Project, datasets: DatasetStore, asked: Mapping[str, Any]) -> Plan:
    """What is to be replayed on which days. ValueError or StorageError where it cannot be."""
    model = project.model(asked["model"])
    policies = [make_policy(project, model, policy) for policy in asked["policies"]]
    names = [policy.name for policy in policies]
    if not 0 < len(names) <= MOST_POLICIES:
        raise ValueError(f"{len(names)} policies; name at least one and at most {MOST_POLICIES}")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"more than one policy is called {', '.join(map(repr, repeated))}")
    known = datasets.keys("features")
    if not known:
        raise ValueError("no features are stored; materialize observations and features first")
    first, last = _days(project, policies, known, asked)
    learned = learned_days(project, known)
    starts = [first]
    for policy in policies:
        with contextlib.suppress(*DATA_ERRORS):  # a policy without a window says so in its row
            starts.append(learned(first, policy.window_months, True).start)
    start = project.due.back(min(starts), project.drift.window_days)
    damaged: dict[str, StorageError] = {}
    features = datasets.read("features", days_between(start, last + ONE_DAY), damaged)
    if damaged:
        raise next(iter(damaged.values()))
    inputs = [*project.inputs.numeric, *project.inputs.categorical]
    if absent := [name for name in inputs if name not in features.columns]:
        raise ValueError(
            f"features lack {', '.join(absent)}, which the settings name; materialize features "
            "of all days again"
        )
    return Plan(model, policies, features, frozenset(known), first, last)


def make_policy(project: Project, model: ModelSettings, asked: Mapping[str, Any]) -> Policy:
    """A policy as asked, every dial left out being as in the settings. ValueError if it is none."""
    name = asked["name"].strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"{name!r} is no name of a policy: 1 to {LONGEST_NAME} characters")

    def settings(section: str) -> Any:
        given = {
            setting: asked[dial]
            for dial, (of, setting) in DIALS.items()
            if of == section and asked[dial] is not None
        }
        usual = getattr(project, section)
        return usual.model_validate({**usual.model_dump(), **given})

    if EVERY.fullmatch(asked["cadence"]) and not asked["cadence"].endswith(f" {project.grain}s"):
        raise ValueError(f"policy {name!r}: {asked['cadence']!r} is no number of {project.grain}s")
    try:
        return Policy(
            name=name,
            cadence=asked["cadence"],
            triggers=tuple(dict.fromkeys(asked["triggers"])),
            window_months=settings("training").window_months,
            reactions=settings("reactions"),
            monitoring=settings("monitoring"),
            performance=settings("performance"),
            drift=settings("drift"),
            hyperparameters=parse_hyperparameters(
                model.family, {**model.hyperparameters, **asked["hyperparameters"]}
            ),
        )
    except pydantic.ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, detail['loc'])) or error.title} = {detail['input']!r}: "
            f"{detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors()
        ]
        raise ValueError(f"policy {name!r}: {'; '.join(mistakes)}") from error
    except ValueError as error:
        raise ValueError(f"policy {name!r}: {error}") from error


def _days(
    project: Project, policies: Sequence[Policy], known: Sequence[str], asked: Mapping[str, Any]
) -> tuple[dt.date, dt.date]:
    newest = day_of(known[-1])
    shortest = min(policy.window_months for policy in policies)
    earliest = first_possible_day(project, known, shortest)
    if earliest is None:
        raise ValueError(
            f"features from {known[0]} to {known[-1]} hold no window of {shortest} months with a "
            "day after it; materialize features of more days, or shorten the window"
        )
    first = _parse_day(project, asked, "first_day") or earliest
    last = _parse_day(project, asked, "last_day") or newest
    if not earliest <= first <= last <= newest:
        raise ValueError(
            f"the days from {first} to {last} cannot be replayed; those from {earliest} to "
            f"{newest} can, with the shortest window of the policies"
        )
    return first, last


def _parse_day(project: Project, asked: Mapping[str, Any], field: str) -> dt.date | None:
    text = asked[field]
    try:
        return project.due.start(day_of(text)) if text else None
    except ValueError as error:
        raise ValueError(f"{field} = {text!r} is no day; write such as 2026-01-31") from error


def learned_days(project: Project, known: Collection[str]) -> Learned:
    """Which days a version learns from, as the settings say it; ValueError where too few are there.

    `known` are the days that have features.
    """
    days = frozenset(known)
    earliest = project.due.back(day_of(min(days)), -project.longest_lag)

    def learned(end: dt.date, months: int, gap: bool) -> Window:
        window = replace(project.training_window, months=months).of(end, earliest, gap=gap)
        if window.start < earliest:
            raise PartitionError(
                f"features can be made from {earliest} on, and the window begins {window.start}"
            )
        missing_days(project, days, window)
        return window

    return learned


def first_possible_day(project: Project, known: Sequence[str], months: int) -> dt.date | None:
    """The first known day before which there is a window of so many months; None without one.

    The days before the longest lag has its rows do not count, as for the first month of service.
    """
    learned = learned_days(project, known)
    for day in map(day_of, known):
        try:
            learned(day, months, True)
        except DATA_ERRORS:
            continue
        return day
    return None
