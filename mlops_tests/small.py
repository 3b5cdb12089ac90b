"""A small project for tests that run the real thing: two departments, three models."""

import datetime as dt
import os
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.cli import history
from mlops_assets.cli.instance import SHIPPED
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import add_months, make_partitions
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_tests import clock

REPOSITORY = Path(__file__).parents[1]
PROJECT_FILE = REPOSITORY / "project.yaml"
SAMPLE = REPOSITORY / "data" / "retail_demand.parquet"
DEPARTMENTS = ["PASTRY", "SEAFOOD"]
MODELS = ["seasonal_naive", "linear", "hist_boosting"]


def write_small_project(folder: Path) -> Path:
    """Write the settings and the sample of a small replayed project; the path of its settings.

    Its history begins two months before this one, so that last month and this one are evaluated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = pd.read_parquet(SAMPLE)
    rows[rows["department"].isin(DEPARTMENTS)].to_parquet(folder / "demand.parquet", index=False)
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    settings["source"]["path"] = "demand.parquet"
    settings["time_zone"] = clock.time_zone()
    settings["features"] |= {"lags": [1, 7], "rolling_means": [7]}
    last_month = add_months(dt.date.today(), -1)
    settings["first_day"] = add_months(last_month, -1) - dt.timedelta(days=7)
    # what is trained in a test is trained by it, whatever the sample holds on the day it runs
    settings["reactions"] = {"days": 60, "failures": 60}
    settings["training"] |= {"window_months": 1, "holdout_days": 7}
    settings["models"] = [model for model in settings["models"] if model["name"] in MODELS]
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return file


def small_environment(folder: Path) -> dict[str, str]:
    """The environment of a small project in a folder that `build_small_history` filled."""
    return os.environ | {
        "MLOPS_PROJECT": str(folder / "problem" / "project.yaml"),
        "MLOPS_ROOT": str(folder / "storage"),
        "DAGSTER_HOME": str(folder / "home"),
        "MLOPS_TESTS_HASTE": "yes",
    }


def use_copy(folder: Path, copy: Path, patch: pytest.MonkeyPatch) -> None:
    """Copy the folder of a small project, for the commands of this process to use."""
    shutil.copytree(folder, copy)
    for name in ("MLOPS_PROJECT", "MLOPS_ROOT", "DAGSTER_HOME"):
        patch.setenv(name, small_environment(copy)[name])


def prepare_instance(folder: Path) -> None:
    """An instance as it is shipped, in `home/` of a folder."""
    (folder / "home").mkdir()
    shutil.copy(SHIPPED, folder / "home")


def build_small_history(folder: Path) -> None:
    """A small project, its storage and its instance, with the history built as `make` does."""
    write_small_project(folder / "problem")
    assert build_history(folder) == []


def build_history(folder: Path) -> list[str]:
    """What `make` builds of the project in `problem/` of a folder, in this process: what failed."""
    prepare_instance(folder)
    project = load_project(folder / "problem" / "project.yaml")
    storage = LocalStorage(str(folder / "storage"))
    definitions, partitions = make_definitions(project, storage), make_partitions(project, storage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        with dg.DagsterInstance.get() as instance:
            return history.build_history(project, definitions, partitions, instance)
