"""Where the settings in use lie, and what lies beside them unless a variable names it elsewhere."""

import os
from pathlib import Path

from mlops_assets.ml.settings import IDENTIFIER

SETTINGS = "project.yaml"
PROJECT_VARIABLE = "MLOPS_PROJECT"
ROOT_VARIABLE = "MLOPS_ROOT"
WORKSPACE_VARIABLE = "MLOPS_WORKSPACE"
INSTANCE_VARIABLE = "DAGSTER_HOME"


def settings_file() -> Path:
    """The settings in use, which need not exist: MLOPS_PROJECT, else the nearest `project.yaml`.

    The nearest is that of the working folder or of the first folder above it that has one; with
    MLOPS_WORKSPACE it is looked for from the folder of the workspace, wherever a command runs.
    MLOPS_PROJECT may also be the name of a project of the workspace, and then names no file.
    """
    named = os.environ.get(PROJECT_VARIABLE, "")
    if named and not IDENTIFIER.fullmatch(named):
        return Path(named).resolve()
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    start = Path(workspace).resolve().parent if workspace else Path.cwd()
    for folder in (start, *start.parents):
        if (folder / SETTINGS).is_file():
            return folder / SETTINGS
    return start / SETTINGS


def storage_root() -> str:
    """Where everything is stored: MLOPS_ROOT, a folder or an fsspec URL, else `storage/`."""
    return os.environ.get(ROOT_VARIABLE) or str(settings_file().with_name("storage"))


def workspace_file() -> Path:
    """The workspace that is served: MLOPS_WORKSPACE, else `workspace.yaml`, if there is one."""
    named = os.environ.get(WORKSPACE_VARIABLE)
    return Path(named).absolute() if named else settings_file().with_name("workspace.yaml")


def instance_folder() -> Path:
    """Where runs and events are kept: DAGSTER_HOME, else `.dagster/`."""
    named = os.environ.get(INSTANCE_VARIABLE)
    return Path(named).absolute() if named else settings_file().with_name(".dagster")
