"""The settings of what is watched: when a day's rows, scores or inputs are an alarm."""

from typing import Annotated, Self

import pydantic
from pydantic import Field

from mlops_assets.ml.settings import Settings, WindowSettings


class MonitoringSettings(Settings):
    false_alarms_per_year: Annotated[float, Field(gt=0, le=366)] = 6.0
    """How many alarms are expected in a year in which nothing changes, of the level of the target
    and of what a model comes to: its metric, its bias and its slices, however many these are."""


class QualitySettings(WindowSettings):
    """When the rows of a day are sound, by the days before it."""

    window_days: Annotated[int, Field(ge=7, le=366)] = 56
    """How many days are looked back on."""
    min_days: Annotated[int, Field(ge=1, le=366)] = 14
    """The fewest days with rows among them; with fewer, a day is not judged."""
    width: Annotated[float, Field(ge=1, le=100)] = 6.0
    """Half-width of a usual range, in robust standard deviations."""
    least_width: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Its least half-width, as a share of the middle."""
    min_completeness: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The share of a day's rows that must have a target. Rows without one are left out of learning
    and scoring; below it, the day is refused."""
    more_missing: Annotated[float, Field(ge=0, le=1)] = 0.05
    """By how much, as a share of the rows, missing values may exceed the most of late; and so may
    rows that are there twice where they are of no series."""
    beyond: Annotated[float, Field(ge=0, le=100)] = 0.5
    """How far beyond the days of late an input may lie, as a share of the range between them."""
    more_repeated: Annotated[float, Field(ge=0, le=1)] = 0.25
    """By how much, as a share of the series, values of the day before may exceed those of late."""
    nearly_all: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of days on which a category was there that is said to have vanished."""
    missed_rows: Annotated[int, Field(ge=1)] = 3
    """With as many rows of it on each of these days, none at all is no chance."""
    missed_width: Annotated[float, Field(ge=0, le=100)] = 3.0
    """Nor is it where its usual number of rows lies so many robust standard deviations above 0."""


class PerformanceSettings(WindowSettings):
    window_days: Annotated[int, Field(ge=28, le=366)] = 56
    """How many days of its own a model is judged by, before those in which a change is sought."""
    min_days: Annotated[int, Field(ge=14, le=366)] = 21
    """The fewest days with scores among them; with fewer, a day is not judged."""
    width: Annotated[float, Field(ge=1, le=20)] = 4.0
    """Half-width of what is usual of a day, in robust standard deviations; none counts as further
    away, so that a single day is no alarm."""
    least_width: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Its least half-width, as a share of the middle; a loss higher by less is never an alarm."""
    least_bias: Annotated[float, Field(gt=0, le=10)] = 0.1
    """The bias since a change, as a share of the actuals, that is never an alarm."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Of the statement that a model is worse than the baseline."""
    min_completeness: Annotated[float, Field(ge=0, le=1)] = 0.8
    """The share of the usual rows of a day below which a high loss is put down to its rows."""


class DriftSettings(WindowSettings):
    window_days: Annotated[int, Field(ge=7, le=56, multiple_of=7)] = 7
    """The days up to today that are compared with the training window; whole weeks."""
    min_days: Annotated[int, Field(ge=2, le=56)] = 6
    """The fewest of them with rows; with fewer, a day is not judged."""
    width: Annotated[float, Field(ge=1, le=100)] = 4.0
    """How many robust standard deviations above its median a distance may lie, by windows of
    training."""
    margin: Annotated[float, Field(ge=1, le=100)] = 2.0
    """By how much, as a factor, a distance may exceed the largest one of training."""
    min_importance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """The share of all importance that an input needs for its drift to be an alarm."""


class ReactionSettings(Settings):
    days: Annotated[int, Field(ge=1, le=60)] = 5
    """How many of the last days are looked at."""
    failures: Annotated[int, Field(ge=1, le=60)] = 3
    """On how many of them, the newest one that is known included, a model must have failed to be
    trained again."""
    cool_down_days: Annotated[int, Field(ge=1, le=366)] = 14
    """The fewest days between two such trainings; doubled each time that one brought nothing."""

    @pydantic.model_validator(mode="after")
    def _days_hold_the_failures(self) -> Self:
        if self.failures > self.days:
            raise ValueError(f"{self.days} days never hold {self.failures} failures")
        return self
