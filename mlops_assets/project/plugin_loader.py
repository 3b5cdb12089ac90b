"""Loads the modules that settings name under `plugins:`, and forgets those of other settings."""

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from mlops_assets.ml.features.custom_features import FEATURES
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.ml.models.splits import SPLITS
from mlops_assets.ml.registries import Place, Registry
from mlops_assets.project.custom_sources import CUSTOM_SOURCES

GROUP = "mlops_assets.plugins"
PACKAGE = "project_plugins"
"""The package that plugin files lie in while their project is in use; it is no real one."""
REGISTRIES: tuple[Registry[Any], ...] = (FAMILIES, METRICS, FEATURES, SPLITS, CUSTOM_SOURCES)


class PluginError(ValueError):
    """A plugin cannot be used; the message names it, the place and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.position = 0
        """Which of the plugins asked for it is, counted from zero."""


@dataclass(frozen=True)
class Entry:
    """Something that a plugin registered."""

    registry: Registry[Any]
    name: str
    value: Any
    place: Place


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin and what it registered."""

    name: str
    module: ModuleType
    entries: list[Entry] = field(default_factory=list)


_in_use: list[Plugin] = []
_installed: dict[str, Plugin] = {}  # Python runs an installed module once in a process


def plugins_in_use() -> list[Plugin]:
    """The plugins of the settings that were read last."""
    return [*_in_use]


def use_plugins(folder: Path, names: Sequence[str]) -> list[Plugin]:
    """Load plugins of a project in `folder`, and forget those that were in use before.

    The registries hold what is built in and what these plugins register, nothing else. Files
    beside the settings are read anew each time. PluginError for the first one that cannot be used;
    then none is in use.
    """
    _forget()
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    for position, name in enumerate(names):
        try:
            _in_use.append(_load(folder, name))
        except PluginError as error:
            _forget()
            error.position = position
            raise
    return plugins_in_use()


def _forget() -> None:
    for plugin in _in_use:
        for entry in plugin.entries:
            entry.registry.remove(entry.name)
    _in_use.clear()
    for module in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[module]


def _load(folder: Path, name: str) -> Plugin:
    """One plugin, whose entries are in the registries afterwards."""
    module_name = _module_name(folder, name)
    if module_name in _installed:
        return _use_again(_installed[module_name])
    before = {id(registry): len(registry.log) for registry in REGISTRIES}
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(module_name)
    except Exception as error:  # what a plugin's own code raises is told with its place
        for entry in list(_registered(before)):
            entry.registry.remove(entry.name)
        raise PluginError(_failed(name, module_name, error)) from error
    entries = list(_registered(before)) or list(_of_module(module))
    plugin = Plugin(name, module, entries)
    if not entries:
        raise PluginError(
            f"{name!r} ({module.__file__}) registers nothing; decorate a class in it with a "
            "decorator of mlops_assets.plugin, or take it out of plugins"
        )
    if not module_name.startswith(PACKAGE):
        _installed[module_name] = plugin
    return plugin


def _module_name(folder: Path, name: str) -> str:
    """The module that a plugin's name stands for. PluginError when there is none."""
    if name.isidentifier() and (
        (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()
    ):
        return f"{PACKAGE}.{name}"
    points = importlib.metadata.entry_points(group=GROUP)
    if name in points.names:
        return points[name].module
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        known = ", ".join(sorted(points.names)) or "none"
        raise PluginError(
            f"there is no plugin {name!r}: no file {folder / name}.py, no entry point of the "
            f"group {GROUP} (there are: {known}), and no module of that name that can be imported; "
            "correct the name, write the file or install the package"
        )
    return name


def _use_again(plugin: Plugin) -> Plugin:
    try:
        for entry in plugin.entries:
            entry.registry.restore(entry.name, entry.value, entry.place)
    except ValueError as error:
        raise PluginError(f"{plugin.name!r}: {error}") from error
    return plugin


def _registered(before: dict[int, int]) -> Iterator[Entry]:
    """What was registered since."""
    for registry in REGISTRIES:
        for name in dict.fromkeys(registry.log[before[id(registry)] :]):
            yield Entry(registry, name, registry[name], registry.places[name])


def _of_module(module: ModuleType) -> Iterator[Entry]:
    """What a module registered that had been imported before it was named as a plugin."""
    for registry in REGISTRIES:
        for name, place in list(registry.places.items()):
            if f"{place.module}.".startswith(f"{module.__name__}."):
                yield Entry(registry, name, registry[name], place)


def _failed(name: str, module_name: str, error: Exception) -> str:
    """Why an import failed, with the innermost line of the plugin's own code."""
    own = PACKAGE if module_name.startswith(PACKAGE) else module_name
    where = module_name
    for frame, line in traceback.walk_tb(error.__traceback__):
        if f"{frame.f_globals.get('__name__')}.".startswith(f"{own}."):
            where = f"{frame.f_code.co_filename}, line {line}"
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    remedy = "correct it there"
    if isinstance(error, ModuleNotFoundError) and error.name:
        remedy = f"install {error.name}, or correct its name there"
    return f"{name!r} cannot be loaded, {where}: {type(error).__name__}: {error}; {remedy}"
