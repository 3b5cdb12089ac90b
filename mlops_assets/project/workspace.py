"""The projects that one instance serves side by side: an entry each in `workspace.yaml`.

An entry that loads `mlops_assets.definitions` as it is stands for the one project in the settings.
One with an `attribute` stands for the project in the folder of that name beside the workspace.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops_assets.ml.settings import IDENTIFIER
from mlops_assets.project.folders import (
    PROJECT_VARIABLE,
    ROOT_VARIABLE,
    SETTINGS,
    WORKSPACE_VARIABLE,
    settings_file,
    storage_root,
    workspace_file,
)
from mlops_assets.project.project import Project
from mlops_assets.project.reading import ProjectError, load_project

MODULE, ATTRIBUTE = "mlops_assets.definitions", "defs"
LOCATION = "mlops_assets"
# They would be taken for the start of a key or of a path that has no project's name in it.
TAKEN = (ATTRIBUTE, LOCATION, "models", "validation")


def environment() -> dict[str, str]:
    """The variables that say what is served, meaning the same in a process in another folder."""
    root, workspace = storage_root(), workspace_file()
    found = {}
    if WORKSPACE_VARIABLE in os.environ or workspace.exists():
        found[WORKSPACE_VARIABLE] = str(workspace)
    if "://" not in root:
        found[ROOT_VARIABLE] = str(Path(root).absolute())
    if not IDENTIFIER.fullmatch(os.environ.get(PROJECT_VARIABLE, "")):  # a file, not a name
        found[PROJECT_VARIABLE] = str(settings_file())
    return found


def location(project: Project) -> str:
    return project.prefix or LOCATION


def project_names() -> list[str]:
    """The names of the workspace's projects; an empty one is the project in the settings.

    ProjectError when the workspace cannot be read, or an entry is not as it must be.
    """
    file = workspace_file()
    if not file.exists() and WORKSPACE_VARIABLE not in os.environ:
        return [""]
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        entries = [entry.get("python_module") for entry in content["load_from"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"{file} is no workspace ({error!r}); set {WORKSPACE_VARIABLE} to a YAML file with "
            "`load_from`"
        ) from error
    names = list(_names(file, entries))
    if not names:
        raise ProjectError(f"no entry of {file} loads {MODULE}")
    if repeated := sorted({name or ATTRIBUTE for name in names if names.count(name) > 1}):
        raise ProjectError(f"{file} names more than once: {', '.join(repeated)}")
    return names


def _names(file: Path, entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        settings = {"module_name": entry} if isinstance(entry, str) else entry or {}
        if settings.get("module_name") != MODULE:
            continue
        name = settings.get("attribute", ATTRIBUTE)
        if name == ATTRIBUTE:
            yield ""
            continue
        _refuse_name(name)
        if settings.get("location_name") != name:
            raise ProjectError(
                f"{file}: the location of the project {name!r} is called "
                f"{settings.get('location_name')!r}; add location_name: {name}"
            )
        yield name


def has_project(name: str) -> bool:
    """Whether a folder of the name beside the workspace holds a project of several."""
    return _may_name(name) and _settings_of(name).exists()


def _may_name(name: str) -> bool:
    return IDENTIFIER.fullmatch(name) is not None and name not in TAKEN


def _refuse_name(name: str) -> None:
    if not _may_name(name):
        raise ProjectError(
            f"{name!r} is no name for a project of several: use lower-case letters, digits and "
            f"underscores, a letter first, and none of: {', '.join(TAKEN)}"
        )


def _settings_of(name: str) -> Path:
    return workspace_file().parent / name / SETTINGS


def load_named(name: str = "") -> Project:
    """The settings of a project of the workspace; without a name those of MLOPS_PROJECT.

    That may be the name of a project of the workspace as well. ProjectError as of `load_project`,
    and where there is no such project.
    """
    chosen = os.environ.get(PROJECT_VARIABLE, "")
    name = name or (chosen if IDENTIFIER.fullmatch(chosen) else "")
    if not name:
        return load_project()
    _refuse_name(name)
    file = _settings_of(name)
    if not file.exists():
        raise ProjectError(
            f"there is no project {name!r}: {file} is missing; projects lie beside their "
            f"workspace, which {WORKSPACE_VARIABLE} names"
        )
    project = load_project(file)
    if project.name != name:
        raise ProjectError(
            f"{file}, name: {project.name!r}; a project of several is called like its folder, "
            f"{name!r}"
        )
    return project.model_copy(update={"prefix": name})
