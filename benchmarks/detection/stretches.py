"""The stretches of days that are followed, and the versions that forecast them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from mlops_assets.graph.partitions import months_before
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
from mlops_assets.ml.models.splits import HoldoutSplit
from mlops_assets.ml.models.training import fit, forecast
from mlops_assets.project import REPLAY_DAYS, Project
from mlops_assets.resources.sources import make_source

MODEL = "hist_boosting"
RECORDED_FROM = dt.date(2017, 1, 1)
FIRST_START = RECORDED_FROM + dt.timedelta(days=240)  # with all that is learned from before it
CADENCE = 28  # days from one version to the next
VERSIONS_BEFORE = 3  # whose days the limits of a model are learnt from
STEP = 14  # days from one stretch to the next
FOLLOWED, HORIZON = 42, 18  # days of a stretch, and of a planted change in it


@dataclass(frozen=True)
class Stretch:
    """42 days after a training, by its number in the year."""

    number: int

    @property
    def start(self) -> dt.date:
        return FIRST_START + dt.timedelta(days=STEP * self.number)

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


# One begins every two weeks of the year. Defaults were tuned on some, the others are reported.
YEAR = [Stretch(number) for number in range(REPLAY_DAYS // STEP)]
TUNED_ON = YEAR[2:23:4]
REPORTED = [stretch for stretch in YEAR if stretch not in TUNED_ON]


@dataclass(frozen=True)
class Version:
    """A fitted pipeline and how much the metric depends on its inputs."""

    pipeline: Pipeline
    importance: dict[str, float]


class World:
    """The untouched sample, replayed in a loop for two years, and its features."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.end = RECORDED_FROM + dt.timedelta(days=2 * REPLAY_DAYS)
        rows = make_source(project).read(RECORDED_FROM, self.end)
        self.observations = rows.astype(dict.fromkeys(project.number_columns, "float64"))

    @cached_property
    def features(self) -> pd.DataFrame:
        first = RECORDED_FROM + dt.timedelta(days=self.project.longest_lag)
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
