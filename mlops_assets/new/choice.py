"""What models are chosen for a project, and what was found of those that were tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Model:
    """A model of the settings."""

    name: str
    family: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a recipe came to in the backtest."""

    recipe: str
    error: float
    sampling_error: float
    """Of the error, as its standard error."""
    above: float
    """By how much the error is above that of the one taken, as a share."""
    above_error: float
    name: str = ""
    """Of the model that it became; empty where it became none."""


@dataclass(frozen=True)
class Backtest:
    """What was tried on the table before the settings were written."""

    metric: str
    days: str
    """Which days were scored, in words."""
    results: tuple[Result, ...]
    """Best first."""
    stopped: bool
    """Whether the time was over before all was tried."""


@dataclass(frozen=True)
class Choice:
    """The models of a project, and what they learn from beyond the span of its days."""

    baseline: Model
    models: tuple[Model, ...]
    means: tuple[int, ...]
    """Means of the target over so many days before."""
    split: str = "trailing"
    half_life_days: int | None = None
    backtest: Backtest | None = None
    """None where nothing was tried."""
    untried: str = ""
    """Why nothing was."""
