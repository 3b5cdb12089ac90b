"""A small project for tests that run the real thing: two departments, three models."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from mlops_assets.cli.instance import SHIPPED
from mlops_assets.graph.partitions import add_months
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
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
    }


def prepare_instance(folder: Path) -> None:
    """An instance as it is shipped, in `home/` of a folder."""
    (folder / "home").mkdir()
    shutil.copy(SHIPPED, folder / "home")


def build_small_history(folder: Path) -> None:
    """A small project, its storage and its instance, with the history built as `make` does."""
    write_small_project(folder / "problem")
    built = subprocess.run(
        [sys.executable, "-m", "mlops_assets", "history"],
        env=small_environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
