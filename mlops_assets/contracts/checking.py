"""What every family, metric, feature, split and source must hold, and what is wrong with one.

Each kind has its module, whose functions yield problems in words. The command `mlops-assets check`,
the pytest plugin and the tests of the built-in entries share them.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_assets.contracts.family_contract import family_problems
from mlops_assets.contracts.feature_contract import feature_problems
from mlops_assets.contracts.metric_contract import metric_problems
from mlops_assets.contracts.source_contract import custom_source_problems, source_problems
from mlops_assets.contracts.split_contract import split_problems
from mlops_assets.contracts.wording import Problems
from mlops_assets.ml.features.custom_features import FEATURES
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.ml.models.splits import SPLITS
from mlops_assets.ml.registries import Registry
from mlops_assets.project import ColumnSettings, Project, load_project
from mlops_assets.project.custom_sources import CUSTOM_SOURCES
from mlops_assets.project.folders import settings_file
from mlops_assets.project.plugin_loader import plugins_in_use, use_plugins
from mlops_assets.resources.sources import SourceError, make_source

WEEK = dt.timedelta(days=6)
CONTRACTS: dict[str, tuple[Registry[Any], Callable[[Any], Problems]]] = {
    "family": (FAMILIES, family_problems),
    "metric": (METRICS, metric_problems),
    "feature": (FEATURES, feature_problems),
    "split": (SPLITS, split_problems),
    "source": (CUSTOM_SOURCES, custom_source_problems),
}


def problems_of(kind: str, name: str, columns: ColumnSettings | None = None) -> Problems:
    """The problems of a registered entry by its kind, such as `family`, and its name.

    A feature is tried on rows of these columns, where they are given.
    """
    registry, find = CONTRACTS[kind]
    try:
        entry = registry.find(name)
        if kind == "feature" and columns is not None:
            yield from feature_problems(entry, columns)
        else:
            yield from find(entry)
    except Exception as error:  # an entry's code may raise anything, which is what is asked here
        yield f"it raises {type(error).__name__}: {error}"


@dataclass(frozen=True)
class Contract:
    """An entry of a plugin that is to keep the contract of its kind."""

    kind: str
    name: str
    place: str
    project: Project | None = None
    """The settings that name it, where there are any; their options and columns are tried."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def problems(self) -> list[str]:
        """What is wrong with it, in words."""
        columns = self.project.columns if self.project else None
        found = [*problems_of(self.kind, self.name, columns)]
        return found + [f"as the settings use it, {problem}" for problem in self._as_used()]

    def _as_used(self) -> Iterator[str]:
        """The problems with the options of the settings, and of their source."""
        if self.project is None:
            return
        for feature in self.project.feature_plan.custom if self.kind == "feature" else []:
            if feature.name == self.name and feature.model_fields_set:
                yield from feature_problems(feature, self.project.columns)
        split = self.project.training_window.split
        if self.kind == "split" and split.name == self.name and split.model_fields_set:
            yield from split_problems(split)
        if self.kind == "source" and self.project.source.kind == "custom":
            yield from _source_problems(self.project)


def _source_problems(project: Project) -> Iterator[str]:
    """The problems of a project's source, over its first week."""
    source = make_source(project)
    last = project.today() - dt.timedelta(days=project.days_ahead)
    first = project.first_day
    try:
        if span := source.span():
            first, last = span
        days = first or last, min(last, (first or last) + WEEK)
        yield from source_problems(source, project.columns.date, project.column_names, *days)
    except SourceError as error:
        yield str(error)


def contracts(target: str = "") -> Iterator[Contract]:
    """What there is to check of a target. ProjectError or PluginError when it cannot be loaded."""
    file = Path(target) if target else settings_file()
    project = None
    if file.suffix in {".yaml", ".yml"}:
        project = load_project(file)
    elif file.suffix == ".py":
        use_plugins(file.resolve().parent, [file.stem])
    else:
        use_plugins(Path.cwd(), [target])
    for plugin in plugins_in_use():
        for entry in plugin.entries:
            yield Contract(entry.registry.noun, entry.name, str(entry.place), project)
