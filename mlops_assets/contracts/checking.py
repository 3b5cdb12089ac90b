"""What there is to check of a settings file or a plugin module, and what is wrong with it."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.contracts.contracts import problems_of
from mlops_assets.contracts.feature_contract import feature_problems
from mlops_assets.contracts.source_contract import source_problems
from mlops_assets.contracts.split_contract import split_problems
from mlops_assets.project import Project, load_project
from mlops_assets.project.folders import settings_file
from mlops_assets.project.plugin_loader import plugins_in_use, use_plugins
from mlops_assets.resources.sources import SourceError, make_source

WEEK = dt.timedelta(days=6)


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
        for feature in self.project.custom_features if self.kind == "feature" else []:
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
