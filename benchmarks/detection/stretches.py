"""The stretches of days that are followed, and the versions that forecast them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from benchmarks.detection.plant import CHANGES, OF_BIKES, OF_PEDESTRIANS, Change
from mlops_assets.graph.partitions import months_before
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
from mlops_assets.ml.models.splits import HoldoutSplit
from mlops_assets.ml.models.training import fit, forecast
from mlops_assets.project import REPLAY_DAYS, load_project
from mlops_assets.resources.sources import make_source

MODEL = "hist_boosting"
LEARNED_DAYS = 240  # before the first stretch, with all that is learned from
CADENCE = 28  # days from one version to the next
VERSIONS_BEFORE = 3  # whose days the limits of a model are learnt from
STEP = 14  # days from one stretch of the sample to the next
FOLLOWED, HORIZON = 42, 18  # days of a stretch, and of a planted change in it


@dataclass(frozen=True)
class Stretch:
    """42 days after a training, by their number in a table and the first day of that table."""

    number: int
    recorded_from: dt.date
    step: int = FOLLOWED
    """Days from one stretch to the next."""

    @property
    def start(self) -> dt.date:
        return self.recorded_from + dt.timedelta(days=LEARNED_DAYS + self.step * self.number)

    @property
    def planted(self) -> dt.date:
        """The first day of a change, on each weekday in turn, with 18 to 24 days before it."""
        return self.start + dt.timedelta(days=HORIZON + self.number % 7)

    @property
    def horizon(self) -> dt.date:
        """The end of the days in which a change is looked for."""
        return self.planted + dt.timedelta(days=HORIZON)

    @property
    def end(self) -> dt.date:
        return self.start + dt.timedelta(days=FOLLOWED)

    @property
    def version_starts(self) -> list[dt.date]:
        """When the versions took over that forecast its days and those before it."""
        return [
            self.start - dt.timedelta(days=CADENCE * before)
            for before in range(VERSIONS_BEFORE, -1, -1)
        ]


ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Table:
    """Rows that changes are planted into, and the stretches of them that are followed."""

    settings: Path
    recorded_from: dt.date
    days: int
    """Those that are read."""
    changes: tuple[Change, ...]
    tuned_on: list[Stretch]
    """Defaults were looked at on these, the others are reported."""
    reported: list[Stretch]
    every: int = 1
    """Changes are planted into every so many of the reported ones."""


def _table(name: str, recorded_from: dt.date, days: int, changes: tuple[Change, ...]) -> Table:
    """Stretches that do not overlap; defaults were looked at on the first half of them."""
    count = (days - LEARNED_DAYS) // FOLLOWED
    stretches = [Stretch(number, recorded_from) for number in range(count)]
    half = count // 2
    settings = ROOT / "benchmarks" / "tables" / f"{name}.yaml"
    return Table(settings, recorded_from, days, changes, stretches[:half], stretches[half:])


# Of the sample, played in a loop, a stretch begins every two weeks of the year.
_YEAR = [Stretch(number, dt.date(2017, 1, 1), STEP) for number in range(REPLAY_DAYS // STEP)]
TABLES = {
    "sample": Table(
        ROOT / "project.yaml",
        dt.date(2017, 1, 1),
        2 * REPLAY_DAYS,
        CHANGES,
        _YEAR[2:23:4],
        [stretch for stretch in _YEAR if stretch not in _YEAR[2:23:4]],
        every=2,
    ),
    "bikes": _table("bikes", dt.date(2011, 1, 1), 731, OF_BIKES),
    "pedestrians": _table("pedestrians", dt.date(2022, 4, 4), 1066, OF_PEDESTRIANS),
}


@dataclass(frozen=True)
class Version:
    """A fitted pipeline and how much the metric depends on its inputs."""

    pipeline: Pipeline
    importance: dict[str, float]


class World:
    """An untouched table and its features; the sample is replayed in a loop for two years."""

    def __init__(self, table: Table) -> None:
        self.table, self.project = table, load_project(table.settings)
        self.end = table.recorded_from + dt.timedelta(days=table.days)
        rows = make_source(self.project).read(table.recorded_from, self.end)
        self.observations = rows.astype(dict.fromkeys(self.project.number_columns, "float64"))

    @cached_property
    def features(self) -> pd.DataFrame:
        first = self.table.recorded_from + dt.timedelta(days=self.project.longest_lag)
        return make_features(self.project.feature_plan, self.observations, first, self.end)

    @property
    def inputs(self) -> list[str]:
        return [*self.project.inputs.numeric, *self.project.inputs.categorical]

    def between(self, rows: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
        """The rows of the days [start, end)."""
        days = rows[self.project.columns.date]
        return rows[(days >= pd.Timestamp(start)) & (days < pd.Timestamp(end))]

    def learned_from(self, start: dt.date) -> pd.DataFrame:
        """The training window of the version that takes over on a day."""
        months = self.project.training.window_months
        return self.between(self.features, months_before(start, months), start)

    def train(self, start: dt.date) -> Version:
        """The version that takes over on a day."""
        project, settings = self.project, self.project.model(MODEL)
        hyperparameters = parse_hyperparameters(settings.family, settings.hyperparameters)
        split = HoldoutSplit(project.training.holdout_days)
        learning, holdout = split.split(self.learned_from(start), project.columns.date, start)
        result = fit(
            FAMILIES[settings.family].build(hyperparameters, project.inputs),
            learning,
            holdout,
            pd.concat([learning, holdout]),
            inputs=self.inputs,
            target=project.columns.target,
            non_negative=project.non_negative,
            metrics=make_metrics(project.evaluation.metrics),
        )
        return Version(result.pipeline, result.importance)

    def baseline(self, start: dt.date) -> Pipeline:
        """The baseline, which learns nothing but the mean level."""
        settings = self.project.model(self.project.evaluation.baseline)
        hyperparameters = parse_hyperparameters(settings.family, settings.hyperparameters)
        pipeline = FAMILIES[settings.family].build(hyperparameters, self.project.inputs)
        rows = self.learned_from(start)
        return pipeline.fit(rows[self.inputs], rows[self.project.columns.target])

    def forecast(self, pipeline: Pipeline, rows: pd.DataFrame) -> np.ndarray:
        return forecast(pipeline, rows[self.inputs], non_negative=self.project.non_negative)


def versions_needed(stretches: Sequence[Stretch]) -> list[dt.date]:
    """When the versions take over that the stretches need, each once."""
    return sorted({start for stretch in stretches for start in stretch.version_starts})
