"""What each asset reads of which other, and how far back: said here and nowhere else.

Lineage and partition mappings, the order in which a history is built, the assets of each job, what
a change makes stale, and what an asset may read all follow from it. Days are counted back from a
partition's own: of a month from its first day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from graphlib import TopologicalSorter
from itertools import groupby

from mlops_assets.ml.features.due_series import WINDOW
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.models.splits import LONGEST_MONTH
from mlops_assets.ml.monitoring import performance, quality
from mlops_assets.ml.monitoring.sequential import WEEK
from mlops_assets.project import ModelSettings, Project

A_CENTURY = 36_525
EVER = range(A_CENTURY)  # every day up to its own
ANY = range(-A_CENTURY, A_CENTURY)


class Every(Enum):
    """What there is one partition of an asset for."""

    DAY = "day"
    MONTH = "month"
    PROJECT = "project"  # no partitions


class Again(Enum):
    """Which partitions are made again once what they were made from has changed."""

    EVERY = "every one"
    NEWEST = "the newest one only"
    FAILED = "the newest one, and those whose checks failed on other rows"
    NEVER = "none: what was decided stays"


@dataclass(frozen=True)
class Reads:
    """Reading of an asset the partitions so many days before its own, in ascending order.

    Between months so many months before. The facts, checks and first sights of an asset are read
    as that asset.
    """

    asset: str
    back: Sequence[int] = (0,)
    shown: bool = False
    """Whether it is only shown along, so that a change of it makes nothing stale."""
    champion: bool = False
    """Whether it is read only where the model of the asset is champion."""


@dataclass(frozen=True)
class ReadsVersions:
    """Reading which versions a model has, with the one in service so many days after its own.

    And of these the one before it.
    """

    model: str
    ahead: int = 0
    shown: bool = False
    champion: bool = False

    @property
    def asset(self) -> str:
        return f"models/{self.model}"


@dataclass(frozen=True)
class Node:
    """An asset by its key without a project's prefix, joined by slashes."""

    asset: str
    reads: tuple[Reads | ReadsVersions, ...] = ()
    every: Every = Every.DAY
    again: Again = Again.EVERY
    needs_model: bool = False
    """Whether there is nothing to make before the first month of service."""

    @property
    def kind(self) -> str:
        """What it is called with those of the other models."""
        return self.asset.partition("/")[0]

    @property
    def upstream(self) -> list[str]:
        """The other assets that it reads."""
        return [*dict.fromkeys(read.asset for read in self.reads if read.asset != self.asset)]


def declared(project: Project) -> dict[str, Node]:
    """All assets of a project by key, each after those that it reads."""
    nodes = {node.asset: node for node in _nodes(project)}
    order = TopologicalSorter({name: node.upstream for name, node in nodes.items()})
    return {name: nodes[name] for name in order.static_order()}


def layers(project: Project) -> list[list[Node]]:
    """The assets in the same order; those that there is one of per model together."""
    return [list(nodes) for _, nodes in groupby(declared(project).values(), lambda n: n.kind)]


def _nodes(project: Project) -> Iterator[Node]:
    past = quality.days_looked_back(project.quality)
    yield Node(
        "observations",
        (
            Reads("observations", range(past + 1)),
            # those after it that failed checks are judged anew
            Reads("observations", range(-past, 0), shown=True),
        ),
        again=Again.NEVER,  # what is new at the source is ingested, whatever the days before
    )
    yield Node("features", (Reads("observations", project.feature_plan.days_read),))
    yield Node("training_set", (Reads("features", _learned(project)),), Every.MONTH, Again.NEVER)
    for model in project.models:
        yield _model(model)
    yield Node(
        "issued",
        (
            Reads("observations", rows_to_come(project)),
            # what was issued before, and whether its inputs were right, as far as that is told
            Reads("issued", range(WEEK + _days_before(project).stop - 1), shown=True),
            Reads("observations", range(WEEK), shown=True),
            *(ReadsVersions(model.name, project.days_ahead) for model in project.models),
        ),
        again=Again.NEWEST,  # what was issued for a day that is over is what it is scored by
        needs_model=True,
    )
    for model in project.models:
        yield _validation(project, model)
    yield from _compared(project)
    yield from _served(project)


def _model(model: ModelSettings) -> Node:
    return Node(
        f"models/{model.name}",
        (
            Reads("training_set"),
            Reads("features", ANY),  # with `through`, a window that ends on a day of its own
            ReadsVersions(model.name),
        ),
        Every.MONTH,
        Again.NEVER,
    )


def _validation(project: Project, model: ModelSettings) -> Node:
    own = f"validation/{model.name}"
    versions = dict.fromkeys([model.name, project.evaluation.baseline])
    # for its intervals the forecasts of the days before, for its verdicts their facts
    judged_by = performance.days_judged_by(project.performance)
    past = max(project.champion.window_days, judged_by)
    return Node(
        own,
        (
            Reads("features"),
            # it is a fact by the time that the day is over
            Reads("issued", _days_before(project), shown=True),
            *(ReadsVersions(name) for name in versions),
            Reads("observations"),  # how many of the rows that are usual are there
            Reads(own, range(past + 1)),
            Reads(own, EVER, shown=True),  # what its version has gained since it serves
        ),
        needs_model=True,
    )


def _compared(project: Project) -> Iterator[Node]:
    """What sets the models side by side."""
    names = [model.name for model in project.models]
    yield Node(
        "leaderboard",
        (*(Reads(f"validation/{name}", range(LONG)) for name in names),),
        needs_model=True,
    )
    yield Node(
        "champion",
        (
            *(Reads(f"validation/{name}", range(project.champion.window_days)) for name in names),
            *(ReadsVersions(name, project.days_ahead) for name in names),
            Reads("champion", EVER),  # the newest before, mostly of the day before, and its own
        ),
        again=Again.NEVER,  # who was live on a day is a fact, whatever is learned of it later
        needs_model=True,
    )


def _served(project: Project) -> Iterator[Node]:
    """What comes of the champion, and what is told of all models."""
    names = [model.name for model in project.models]
    yield Node(
        "forecast",
        (
            Reads("champion"),
            Reads("issued"),
            Reads("observations", days_before_next(project)),
            *(ReadsVersions(name, project.days_ahead, champion=True) for name in names),
            *_intervals(project),
        ),
        again=Again.NEWEST,  # what was forecast for a day that is over has been read by others
        needs_model=True,
    )
    yield Node(
        "drift",
        (
            Reads("champion"),
            Reads("features", range(project.drift.window_days)),
            Reads("features", EVER, shown=True),  # what the version learned from, as stored now
            *(ReadsVersions(name, champion=True) for name in names),
        ),
        # an alarm of a day that is over would come too late to act on; its end does not
        again=Again.FAILED,
        needs_model=True,
    )
    yield Node(
        "model_registry",
        (
            *(ReadsVersions(name) for name in names),
            Reads("leaderboard", EVER),
            Reads("champion", EVER),
        ),
        Every.PROJECT,
        Again.NEWEST,
    )


def _intervals(project: Project) -> list[Reads]:
    """What the intervals of forecasts are made from; a probability says itself how sure it is."""
    if project.labels:
        return []
    window = project.champion.window_days
    return [
        *(
            Reads(f"validation/{model.name}", range(window), champion=True)
            for model in project.models
        ),
        # issued for days of the window
        Reads("forecast", range(1, window + _days_before(project).stop - 1)),
    ]


def _learned(project: Project) -> range:
    """The days that a month's models learn from."""
    window = project.training_window
    if window.reach_months is None:
        return EVER[1:]
    return range(1, window.reach_months * LONGEST_MONTH + 1)


def _days_before(project: Project) -> range:
    """How many days before a day those may lie of which it is the day to come."""
    return range(project.days_ahead, project.days_ahead + project.due.longest_gap + 1)


def days_to_come(project: Project) -> list[int]:
    """The days whose rows the features of the day to come need, counted from the day itself."""
    days_read = project.feature_plan.days_read
    back = {days - ahead for days in days_read for ahead in _days_before(project)}
    return sorted({0, *(days for days in back if days >= 0)})


def rows_to_come(project: Project) -> list[int]:
    """The same, and the days that tell which series are due."""
    looked_back_on = range(WINDOW if project.feature_plan.by_series else 0)
    return sorted({*days_to_come(project), *looked_back_on})


def days_before_next(project: Project) -> list[int]:
    """The same, and the days of the trailing coverage of intervals."""
    covered = [] if project.labels else range(project.champion.window_days)
    return sorted({*days_to_come(project), *covered})
