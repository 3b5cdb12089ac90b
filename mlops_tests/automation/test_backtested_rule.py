"""What a backtest does on the evening of a day, the live sensor asks for on the next morning."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.automation.retraining import THROUGH_TAG, degraded_models, trainings
from mlops_assets.graph.partitions import days_between
from mlops_assets.ml.backtest.policies import REFUSED, Training, _Walk
from mlops_assets.ml.backtest.policy import PERFORMANCE
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.project import Project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.ml.backtest.test_policies import (  # noqa: F401
    FIRST,
    last_two_days,
    make_features,
    make_policy,
    make_workshop,
    project,
)

ONE_DAY = dt.timedelta(days=1)
LAST = FIRST + dt.timedelta(days=75)


class Live:
    """The stores, versions and runs as they are on a morning of what a backtest went through."""

    def __init__(self, root: Path, of: Project, made: list[Training]) -> None:
        self.project, self.made = of, made
        self.today = FIRST
        self.datasets = DatasetStore(LocalStorage(str(root)))
        self.schedule_storage = None  # of an instance in which nothing is paused

    def cards(self, model: str, damaged: object = None) -> list[Any]:
        known = [training for training in self.made if training.day <= self.today]
        return [
            SimpleNamespace(
                model=model,
                version=str(training.number),
                trained_through=training.trained_through,
                serves_from=training.day,
                serves_before=None,
                refused=training.state == REFUSED,
            )
            for training in known
            if model == "linear"
        ]

    def fit_to_serve(self, model: str) -> list[Any]:
        return [card for card in self.cards(model) if not card.refused]

    def in_service(self, model: str, day: dt.date) -> Any:
        return next(iter(self.fit_to_serve(model)[::-1]), None)

    def get_run_records(self, *_: Any, limit: int, ascending: bool) -> list[Any]:
        caused = [t for t in self.made if t.why == PERFORMANCE and t.day <= self.today]
        morning = dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
        return [
            SimpleNamespace(
                dagster_run=SimpleNamespace(tags={THROUGH_TAG: str(training.trained_through)}),
                create_timestamp=morning + (training.day - morning.date()),
            )
            for training in caused[::-1][:limit]
        ]

    def asks(self, today: dt.date) -> bool:
        """Whether a training is asked for on a morning, before which those of the day are not."""
        made, self.made = self.made, [t for t in self.made if t.day < today]
        self.today = today
        stores: Any = (self.project, self.datasets, self)
        looked_at = days_between(today - dt.timedelta(days=self.project.reactions.days), today)
        found = degraded_models(*stores, looked_at)
        now = dt.datetime.combine(today, dt.time(9), tzinfo=dt.UTC)
        instance: Any = self
        asked = trainings(instance, *stores, found, looked_at[-1], now)
        self.made = made
        return bool(asked)


@pytest.mark.long
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), refused=st.sets(st.integers(0, 75), max_size=40))
def test_the_sensor_asks_when_the_backtest_trains(
    project: Project,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    refused: set[int],
) -> None:
    features = make_features(lambda _: False)
    random = np.random.default_rng(seed)
    levels = random.choice([1.0, 3.0], size=12, p=[0.6, 0.4])
    features["units"] *= np.repeat(levels, 12)[: len(features)]
    policy = make_policy()
    workshop = make_workshop(project, features, tuple(FIRST + n * ONE_DAY for n in refused if n))
    walk = _Walk(workshop, policy, FIRST, LAST)
    judged: dict[dt.date, Mapping[str, CheckResult]] = {}
    watch = walk._watch

    def kept(day: dt.date, verdicts: Mapping[str, CheckResult]) -> str:
        judged[day] = verdicts
        return watch(day, verdicts)

    walk._watch = kept  # type: ignore[method-assign]
    course = walk.course()
    rows = pd.concat(walk.served).assign(row=0, previous_version="")
    rows["version"] = rows["version"].astype(str)

    live_project = project.model_copy(update={"reactions": policy.reactions})
    live = Live(tmp_path_factory.mktemp("live"), live_project, course.trainings)
    reacted = {training.day for training in course.trainings if training.why == PERFORMANCE}
    for day, verdicts in judged.items():
        of_day = rows[rows["date"] == pd.Timestamp(day)]
        live.datasets.write("validation/linear", str(day), of_day)
        CheckStore(live.datasets).write("validation/linear", str(day), verdicts)
        if day < LAST:
            assert live.asks(day + ONE_DAY) == (day + ONE_DAY in reacted), day
