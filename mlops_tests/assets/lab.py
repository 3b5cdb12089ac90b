"""A small project with fixed days: three series, rows from 25 December 2025 to 31 March 2026.

Lags reach back seven days, so training sets begin in January and the first month of service is
February. Nothing here depends on the day on which the tests run.
"""

import copy
import datetime as dt
import itertools
import sqlite3
import types
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.assets.reporting import said
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import days_between, run_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, REGISTRY_JOB, RETRAIN_ALL_JOB
from mlops_assets.project import Project, load_project
from mlops_assets.resources.sources import check_columns
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores import decisions, model_store
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests.small import PROJECT_FILE

FIRST_DAY = dt.date(2025, 12, 25)
END = dt.date(2026, 4, 1)
SERIES = [("bakery", "bread"), ("bakery", "cake"), ("dairy", "milk")]
MOMENTS = itertools.count()
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def make_rows() -> pd.DataFrame:
    """Three series with a weekly rhythm, seeded."""
    random = np.random.default_rng(3)
    days = pd.date_range(FIRST_DAY, END, inclusive="left")
    frames = [
        pd.DataFrame(
            {
                "date": days,
                "department": department,
                "category": category,
                "units": random.poisson(6 + 4 * (days.dayofweek >= 5) + 5 * level).astype(float),
                "unit_price": 1.5 + level,
                "promotion": random.random(len(days)).round(2),
            }
        )
        for level, (department, category) in enumerate(SERIES)
    ]
    return pd.concat(frames, ignore_index=True)


def make_settings() -> dict[str, Any]:
    """The shipped settings, made small."""
    return copy.deepcopy(_shipped_settings()) | {
        "source": {"kind": "file", "path": "rows.parquet"},
        "first_day": FIRST_DAY,
        "features": {"lags": [1, 7], "rolling_means": [7], "calendar": ["day_of_week"]},
        "training": {"window_months": 1, "holdout_days": 7, "min_coverage": 0.9},
        "models": [
            {"name": "seasonal_naive", "family": "seasonal_naive"},
            {"name": "linear", "family": "ridge"},
        ],
    }


@cache
def _shipped_settings() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    return settings


class Lab:
    """A project in a folder, with its stores and an instance in memory.

    It goes on from what `keep` has kept of another instance in that folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instance = dg.DagsterInstance.ephemeral()
        self.storage = LocalStorage(str(folder / "storage"))
        self.datasets, self.models = DatasetStore(self.storage), ModelStore(self.storage)
        self._loaded: tuple[str, Project] | None = None
        self._made: tuple[Project, dict[Path, bytes], dg.Definitions] | None = None
        for file, stored in self._kept().items():
            if file.exists():
                with closing(sqlite3.connect(file)) as kept:
                    kept.backup(stored)

    def _kept(self) -> dict[Path, sqlite3.Connection]:
        """The databases of the instance, by the files in which they are kept."""
        storages: Any = {
            "events.db": self.instance.event_log_storage,
            "runs.db": self.instance.run_storage,
        }
        return {
            self.folder / name: storage._held_conn.connection.driver_connection
            for name, storage in storages.items()
        }

    def keep(self) -> None:
        """Keep what the instance holds, for a lab in a copy of the folder."""
        for file, stored in self._kept().items():
            with closing(sqlite3.connect(file)) as kept:
                stored.backup(kept)

    def write(self, rows: pd.DataFrame | None = None, settings: Any = None) -> None:
        """Replace the source, the settings or both."""
        if rows is not None:
            rows.to_parquet(self.folder / "rows.parquet", index=False)
        if settings is not None:
            (self.folder / "project.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    @property
    def project(self) -> Project:
        """The settings as they are now."""
        file = self.folder / "project.yaml"
        text = file.read_text(encoding="utf-8")
        if self._loaded is None or self._loaded[0] != text:
            self._loaded = text, load_project(file)
        return self._loaded[1]

    @property
    def definitions(self) -> dg.Definitions:
        """Those of the settings and the created models as they are now, and of the same columns."""
        created = (self.folder / "storage" / "registry").rglob("*.yaml")
        registry = {file: file.read_bytes() for file in sorted(created)}
        check_columns(self.project, self.storage)
        if self._made is None or self._made[0] is not self.project or self._made[1] != registry:
            self._made = self.project, registry, make_definitions(self.project, self.storage)
        return self._made[2]

    def run(
        self,
        keys: str,
        first: str = "",
        last: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets, named with spaces between them, for a range of partitions."""
        assets = [dg.AssetKey(key.split("/")) for key in keys.split()]
        kind = assets[0].path[0]
        jobs = dict.fromkeys(("models", "training_set"), RETRAIN_ALL_JOB)
        jobs["model_registry"] = REGISTRY_JOB
        return self.definitions.resolve_job_def(jobs.get(kind, EVALUATE_JOB)).execute_in_process(
            instance=self.instance,
            asset_selection=assets,
            tags=run_tags(first, last or first) if first else {},
            run_config=QUIET | (config or {}),
            raise_on_error=False,
        )

    def done(self, key: str) -> set[str]:
        """The partitions of an asset that are materialized."""
        return self.instance.get_materialized_partitions(dg.AssetKey(key.split("/")))

    def metadata(self, key: str, partition: str) -> dict[str, Any]:
        """The metadata of the newest materialization of a partition."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(key.split("/")), asset_partitions=[partition]), 1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return said(materialization.metadata)

    def file(self, dataset: str, key: str) -> Path:
        """The file of a stored partition."""
        return Path(self.datasets.url(dataset, key))


def train(folder: Path) -> None:
    """Observations, features, training sets and models of the lab in a folder."""
    lab = Lab(folder)
    lab.write(make_rows(), make_settings())
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), "2026-03-31").success
        trained = "training_set models/seasonal_naive models/linear"
        with made_on("2026-02-01"):  # before anything that a test makes besides
            assert lab.run(trained, "2026-02-01", "2026-03-01").success


def make_at(patch: pytest.MonkeyPatch, clock: Callable[[], dt.datetime]) -> None:
    """Have what is trained and decided happen at other times, each a moment after the last."""

    class Clock(dt.datetime):
        @classmethod
        def now(cls, _: dt.tzinfo | None = None) -> dt.datetime:
            return clock() + dt.timedelta(milliseconds=next(MOMENTS))

    for module in (model_store, decisions):
        patch.setattr(module, "dt", types.SimpleNamespace(**vars(dt) | {"datetime": Clock}))


@contextmanager
def made_on(day: str) -> Iterator[None]:
    """What is trained and decided within is so at noon of a day."""
    with pytest.MonkeyPatch.context() as patch:
        noon = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(12), dt.UTC)
        make_at(patch, lambda: noon)
        yield


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed, as the web UI shows it."""
    assert not result.success
    data = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert data.user_failure_data is not None, data.error
    return data.user_failure_data.description or ""


def keys(first: dt.date | str, last: dt.date | str) -> list[str]:
    """The keys of the days from the first to the last, both included."""
    start, end = (dt.date.fromisoformat(str(day)) for day in (first, last))
    return days_between(start, end + dt.timedelta(days=1))
