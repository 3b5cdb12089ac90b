"""The settings of the target, its values, its judgement and the hours of the day."""

from enum import StrEnum
from typing import Annotated, Literal, Self

import pydantic
from pydantic import AfterValidator, Field

from mlops_assets.ml.due_days import Place, Weekday
from mlops_assets.ml.features.feature_settings import AS_NAME
from mlops_assets.ml.metrics.metric import Metric, make_metrics
from mlops_assets.ml.settings import Columns, Identifier, Settings, WindowSettings, distinct


class ClassSettings(Settings):
    labels: Annotated[
        list[Annotated[str, AS_NAME, Field(min_length=1)]],
        Field(min_length=2, max_length=100),
        AfterValidator(distinct),
    ]
    """The labels of the target, text, numbers or flags. What is stored refers to them by position:
    add a new one at the end."""
    positive: Annotated[str, AS_NAME] | None = None
    """Of two labels, the one whose probability is forecast."""

    @pydantic.model_validator(mode="after")
    def _positive_of_two(self) -> Self:
        known = ", ".join(self.labels)
        if len(self.labels) == 2 and self.positive not in self.labels:
            raise ValueError(f"positive must be one of {known}, not {self.positive}")
        if len(self.labels) > 2 and self.positive is not None:
            raise ValueError(
                f"positive is for two labels; of {len(self.labels)} each has its probability: "
                "leave it out"
            )
        return self

    @property
    def ordered(self) -> tuple[str, ...]:
        """The labels in the order of the numbers that stand for them: of two, the positive last."""
        if self.positive is None:
            return tuple(self.labels)
        return (*(label for label in self.labels if label != self.positive), self.positive)


class ExpectedSettings(Settings):
    weekdays: Annotated[list[Weekday], Field(min_length=1), AfterValidator(distinct)] = [*Weekday]
    """The weekdays on which rows are due, such as [mon, tue, wed, thu, fri]."""
    holidays: Place | None = None
    """Whose public holidays are no such days: a country such as DE, a part of one such as DE-BY,
    or a market such as XNYS."""


class Constraint(Settings):
    min: float | None = None
    """The smallest value allowed."""
    max: float | None = None
    """The largest value allowed."""
    allowed: Annotated[list[Annotated[str, AS_NAME]], AfterValidator(distinct)] | None = None
    """The only values allowed."""
    nullable: bool = False
    """Whether values may be missing."""

    @pydantic.model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no value is at least {self.min:g} and at most {self.max:g}")
        return self


class EvaluationSettings(Settings):
    metrics: Annotated[list[str | dict[str, dict[str, float]]], Field(min_length=1)]
    """Names of metrics, each with options where it has any."""
    primary: str
    """The metric that ranks the models."""
    baseline: Identifier
    """The model that the others are compared with."""
    slices: Columns = []
    """Columns whose values the metrics are broken down by."""
    label_delay_days: Annotated[int, Field(ge=0, le=60)] = 0
    """So many days after a day has ended is its target known, and the day ingested and evaluated.
    Every forecast then uses only targets that were known when it was issued."""

    @property
    def made_metrics(self) -> dict[str, Metric]:
        """The metrics by their names. ValueError for an unknown one, or options that do not fit."""
        return make_metrics(self.metrics)

    @property
    def threshold(self) -> float:
        """The probability from which on a row counts as positive: that of accuracy, else 0.5."""
        return float(getattr(self.made_metrics.get("accuracy"), "threshold", 0.5))


class AcceptanceSettings(Settings):
    tolerance: Annotated[float, Field(ge=0, le=10)] = 0.1
    """By how much, as a share, a new version may do worse on the primary metric than the version
    in service, on the same rows of the holdout. It is refused where it does worse than that
    beyond chance, at a confidence of 95 %."""


class ChampionSettings(WindowSettings):
    initial: Identifier | None = None
    """The first champion; the baseline where none is named."""
    window_days: Annotated[int, Field(ge=7, le=366)] = 28
    """The days up to today on which a challenger is compared with the champion."""
    min_days: Annotated[int, Field(ge=7, le=366)] = 21
    """The fewest days on which both must have been scored."""
    min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """The least gain, as a share of the champion's loss, that must be sure for a switch."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Of the interval that must lie above that gain, for the best of all candidates that were tried
    in the window together."""
    block_days: Annotated[int, Field(ge=1, le=28)] = 4
    """Length of the blocks of days that stay together where chance is measured."""
    coverage: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    """The share of the actuals that the intervals of the forecasts are to hold."""


Hold = Literal["never", "severe", "warn"]


class ServingSettings(Settings):
    hold: Hold = "severe"
    """From which failed checks of a day's data on no forecast is issued from it, so that the one
    before stays: severe ones, which refuse the day; warnings as well; or never."""


class Executor(StrEnum):
    """Where the steps of a run run: one after another in its process, in processes beside it, on
    Celery workers, as jobs of Kubernetes."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"
    CELERY = "celery"
    K8S = "k8s"


class ComputeSettings(Settings):
    executor: Executor = Executor.IN_PROCESS
    """Where the steps of a run of assets run, such as those of many models in a wide evaluation:
    in its process, in processes beside it, or each on a machine of its own, by Celery or Kubernetes
    (the extras celery and k8s)."""


class ScheduleSettings(Settings):
    evaluate_hour: Annotated[int, Field(ge=0, le=23)] = 1
    """The hour of the day at which yesterday, or with evaluation.label_delay_days the newest day
    whose target is known, is ingested and evaluated."""
    retrain_hour: Annotated[int, Field(ge=0, le=23)] = 2
    """The hour of the first of the month at which models are retrained."""
    catch_up_days: Annotated[int, Field(ge=1, le=366)] = 14
    """How many days back missed partitions are looked for and requested."""
    late_days: Annotated[int, Field(ge=0, le=366)] = 14
    """How many days back rows that changed at the source are looked for; 0: not at all."""


VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
Variables = Annotated[list[Annotated[str, Field(pattern=VARIABLE)]], AfterValidator(distinct)]
ALERT_URLS = "MLOPS_ALERT_URLS"


class AlertSettings(Settings):
    """Environment variables that hold the URLs of channels, for URLs are secrets."""

    inform: Variables = [ALERT_URLS]
    """Who hears of changes, such as another champion: nothing is to be done."""
    warn: Variables = [ALERT_URLS]
    """Who hears of failed checks: something is off, and work goes on."""
    act: Variables = [ALERT_URLS]
    """Who hears of failed runs, refused days and missed evaluations: work stands still."""

    @property
    def variables(self) -> dict[str, list[str]]:
        """The variables by what an alert asks of whoever hears of it."""
        return {"inform": self.inform, "warn": self.warn, "act": self.act}
