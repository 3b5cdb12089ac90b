"""The settings of models: their families, what they learn from, and how often."""

from enum import StrEnum
from typing import Annotated, Any, Self

import pydantic
from pydantic import Field

from mlops_assets.ml.due_days import DueDays
from mlops_assets.ml.models.families import get_family, parse_hyperparameters
from mlops_assets.ml.models.splits import SPLITS, TrainingWindow, Weights
from mlops_assets.ml.registries import choose
from mlops_assets.ml.settings import Identifier, Settings


class Cadence(StrEnum):
    """How often a model is retrained by its schedule."""

    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    MANUAL = "manual"


CRON_MONTHS = {Cadence.MONTHLY: "*", Cadence.QUARTERLY: "1,4,7,10"}


class TrainingSettings(Settings):
    window_months: Annotated[int, Field(ge=1, le=120)]
    """How many whole months before the month of service a model learns from; the fewest, where
    the window expands."""
    split: str | dict[str, dict[str, Any]] = "trailing"
    """Which days a model learns from: `trailing` months, `expanding` from the first day on, the
    same days for ever (`fixed`), or a split of a plugin; with options where it has any."""
    gap_days: Annotated[int, Field(ge=0, le=366)] = 0
    """Days left out between the last one to learn from and the month of service."""
    half_life_days: Annotated[float, Field(gt=0, le=36600)] | None = None
    """The age at which a row counts half; none: every row counts alike."""
    holdout_days: Annotated[int, Field(ge=1, le=366)] = 14
    """The last days of the window, on which a version is judged before it is fitted on all."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of the window's days that must be there for a training to start."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Threads of one fit. On a shared machine one is often many times faster than all."""

    def window(self, label_delay_days: int, loop_days: int, due: DueDays) -> TrainingWindow:
        """Which days a model learns from, where targets are known so much later.

        After `loop_days` rows come again; 0 where they never do.
        """
        split = choose(SPLITS, self.split)
        months, gap = self.window_months, self.gap_days
        return TrainingWindow(split, months, gap, label_delay_days, loop_days, due)

    def weights(self, date: str, due: DueDays, column: str | None = None) -> Weights | None:
        """How much each row counts by its date and a column; None where all count alike."""
        half_life = self.half_life_days
        return Weights(date, half_life, due, column) if half_life or column else None


class ModelSettings(Settings):
    name: Identifier
    """The name of the model's assets, schedule and stored versions."""
    family: str
    """The kind of model."""
    hyperparameters: dict[str, Any] = {}
    """Defaults of this model, where they differ from the family's."""
    cadence: Cadence = Cadence.MONTHLY
    """How often the model is retrained by its schedule."""

    @pydantic.field_validator("family")
    @classmethod
    def _known_family(cls, family: str) -> str:
        get_family(family)
        return family

    @pydantic.model_validator(mode="after")
    def _known_hyperparameters(self) -> Self:
        parse_hyperparameters(self.family, self.hyperparameters)
        return self
