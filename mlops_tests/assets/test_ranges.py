"""A day that is made alone equals the same day made in a range, to the last bit.

The history of a lab is made twice from the same rows and versions: in one run of all its days, and
in runs of a few days each. Every stored file, every number of the metadata and every verdict must
be the same. Bodies of assets are called as their runs call them, with what they may read.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.champion import decide
from mlops_assets.assets.drift import Watch
from mlops_assets.assets.features import compute
from mlops_assets.assets.forecast import issue
from mlops_assets.assets.leaderboard import compare_models
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.observations import ingest
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.validation import evaluate
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.graph.reads import declared
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_tests.assets.class_lab import make_class_settings, make_loans
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_rows, make_settings
from mlops_tests.assets.rows_lab import make_flight_settings, make_flights
from mlops_tests.shared import shared_folder

FIRST, LAST = "2026-02-01", "2026-03-24"  # longer than a verdict looks back
DAYS = keys(FIRST_DAY, LAST)
WARM_UP = 36
Told = dict[tuple[str, str], Any]  # by asset and day

SHORT = {"window_days": 28, "min_days": 14}


def uneven(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    """Targets of many digits, days without rows, and a category that comes late and goes again."""
    random = np.random.default_rng(1)
    rows = rows.assign(**{target: rows[target] + random.random(len(rows)) / 3})
    return rows[~rows["date"].isin(pd.to_datetime(["2026-02-03", "2026-03-04"]))]


def series() -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = uneven(make_rows(), "units")
    late = (rows["category"] == "cake") & ~rows["date"].between("2026-02-10", "2026-03-10")
    settings = make_settings() | {"performance": SHORT, "quality": SHORT}
    settings["features"] = {"lags": [1, 7], "rolling_means": [7], "calendar": ["day_of_week"]}
    return rows[~late], settings


def plain() -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = uneven(make_flights().rename(columns={"flown": "date"}), "delay")
    made = make_flight_settings() | {"performance": SHORT, "quality": SHORT}
    return rows.rename(columns={"date": "flown"}), made


def classes(target: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = make_loans()
    made = make_class_settings(target) | {"performance": SHORT, "quality": SHORT}
    made["models"] = made["models"][:2]
    return rows[rows.index % 6 == 0], made


LABS: Mapping[str, Callable[[], tuple[pd.DataFrame, dict[str, Any]]]] = {
    "series": series,
    "plain": plain,
    "classes": lambda: classes("outcome"),
}


def trained(name: str, folder: Path) -> None:
    """The rows, settings and versions of a lab."""
    lab = Lab(folder)
    lab.write(*LABS[name]())
    with lab.instance:
        for asset in ("observations", "features"):  # the days without rows fail
            lab.run(asset, DAYS[0], "2026-02-28")
        models = " ".join(f"models/{model.name}" for model in lab.project.models)
        assert lab.run(f"training_set {models}", "2026-02-01", "2026-03-01").success
    shutil.rmtree(folder / "storage" / "datasets")


class Made:
    """A history that is made run by run, and what was told of its days."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        shutil.copytree(lab.folder, folder)
        self.root = folder / "storage"
        self.project, self.storage = lab.project, LocalStorage(str(self.root))
        self.source = make_source(self.project, self.storage)
        self.graph = Graph(
            self.project, make_partitions(self.project, self.storage), declared(self.project)
        )
        self.told: Told = {}

    def run(self, run: Sequence[str]) -> None:
        """Make the days of a run, one asset after another."""
        project, graph, days = self.project, self.graph, list(run)
        readers = Readers(graph.nodes, self.storage)
        ingested, _ = ingest(
            project, days, self.source, readers.datasets("observations", days), accept=False
        )
        self._tell("observations", {key: outcome for key, (outcome, _) in ingested.items()})
        self._tell("observations checks", {key: checks for key, (_, checks) in ingested.items()})
        found = compute(project, graph.partitions, days, readers.datasets("features", days))
        self._tell("features", found)
        days = [key for key in days if key >= FIRST]
        if not days:
            return
        for model in project.models:
            asset = f"validation/{model.name}"
            stores = readers.datasets(asset, days), readers.models(asset)
            outcomes, verdicts = evaluate(project, model.name, days, *stores)
            self._tell(asset, outcomes)
            self._tell(f"{asset} checks", verdicts)
        datasets = readers.datasets("leaderboard", days)
        self._tell("leaderboard", compare_models(graph, days, datasets, set()))
        stores = readers.datasets("champion", days), readers.models("champion")
        self._tell("champion", decide(project, graph.partitions, days, *stores))
        stores = readers.datasets("forecast", days), readers.models("forecast")
        made = issue(project, graph.partitions, days, self.source, *stores, "never")
        self._tell("forecast", made)
        stores = readers.datasets("drift", days), readers.models("drift")
        watch = Watch(project, days, *stores)
        for key in days:
            try:
                outcome, checks = watch.day(key)
            except Exception as error:
                self._tell("drift", {key: error})
                continue
            self._tell("drift", {key: outcome})
            self._tell("drift checks", {key: checks})
            CheckStore(stores[0]).write("drift", key, checks)

    def _tell(self, asset: str, outcomes: Mapping[str, Any]) -> None:
        for key, outcome in outcomes.items():
            self.told[asset, key] = _plain(outcome, str(self.root))

    def files(self) -> dict[str, bytes]:
        """Everything that is stored."""
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
        }


def _plain(outcome: Any, root: str) -> Any:
    """What was told, without where it is stored."""
    if not isinstance(outcome, Mapping):
        return str(outcome)
    return {name: str(value).replace(root, "") for name, value in outcome.items()}


def differences(one: Made, other: Made) -> list[str]:
    """What differs between two histories, in words."""
    return [*_told(one, other), *_stored(one, other)]


def _told(one: Made, other: Made) -> Iterator[str]:
    assert one.told.keys() == other.told.keys()
    for (asset, key), outcome in one.told.items():
        if outcome != (theirs := other.told[asset, key]):
            if isinstance(outcome, dict) and isinstance(theirs, dict):
                for name in sorted({*outcome, *theirs}):
                    if outcome.get(name) != theirs.get(name):
                        yield f"{asset} {key} {name}: {outcome.get(name)} / {theirs.get(name)}"
            else:
                yield f"{asset} {key}: {outcome} / {theirs}"


def _stored(one: Made, other: Made) -> Iterator[str]:
    ours, theirs = one.files(), other.files()
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield f"file {name}"


@pytest.fixture(scope="module", params=LABS)
def lab(request: pytest.FixtureRequest) -> Lab:
    return Lab(shared_folder(f"ranges-{request.param}", lambda to: trained(request.param, to)))


@pytest.fixture(scope="module")
def whole(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(lab, tmp_path_factory.mktemp("ranges") / "whole")
    made.run(DAYS)
    return made


def test_a_day_alone_is_as_in_a_range(
    lab: Lab, whole: Made, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = Made(lab, tmp_path_factory.mktemp("ranges") / "parts")
    random = np.random.default_rng(len(lab.project.name))
    made.run(DAYS[:WARM_UP])
    position = WARM_UP
    while position < len(DAYS):
        length = int(random.choice([1, 3, 9]))
        made.run(DAYS[position : position + length])
        position += length
    assert differences(whole, made) == []
