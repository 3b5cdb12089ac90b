"""The settings: one prediction problem, described in one YAML file, validated when it is read."""

import codecs
import datetime as dt
import json
import os
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mlops_assets.ml.features.custom_features import FEATURES, Feature
from mlops_assets.ml.metrics.labels import label_of
from mlops_assets.ml.metrics.metric import METRICS, Metric, Task, make_metrics
from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.ml.models.families import FAMILIES, Inputs, get_family, parse_hyperparameters
from mlops_assets.ml.models.splits import SPLITS, AgeWeights, Fixed, TrainingWindow
from mlops_assets.ml.registries import choose
from mlops_assets.project.custom_sources import CUSTOM_SOURCES
from mlops_assets.project.old_words import in_new_words
from mlops_assets.project.plugin_loader import PluginError, use_plugins

PROJECT_FILE = Path(__file__).parents[1] / "project.yaml"
SCHEMA_FILE = PROJECT_FILE.with_name("project.schema.json")
DEFAULT_ROOT = Path(__file__).parents[2] / "storage"
REPLAY_DAYS = 364  # 52 weeks: a replayed day keeps its weekday
SEASON = 7  # days, of what seasonal_naive repeats
NOT_SETTINGS = ("folder", "prefix")  # fields of a project that its file does not hold

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


class ProjectError(ValueError):
    """The settings are wrong; the message names the place, the value and what is allowed."""


class CalendarFeature(StrEnum):
    """A number read off the date alone, so that it is known in advance."""

    DAY_OF_WEEK = "day_of_week"
    DAY_OF_MONTH = "day_of_month"
    DAY_OF_YEAR = "day_of_year"
    WEEK_OF_YEAR = "week_of_year"
    MONTH = "month"
    IS_WEEKEND = "is_weekend"


class Cadence(StrEnum):
    """How often a model is retrained by its schedule."""

    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    MANUAL = "manual"


class Statistic(StrEnum):
    """What the rows of days come to."""

    MEAN = "mean"
    SUM = "sum"
    COUNT = "count"
    MIN = "min"
    MAX = "max"


class Reduction(StrEnum):
    """What the rows of a day come to, one by one column."""

    SUM = "sum"
    MEAN = "mean"
    MEDIAN = "median"
    MIN = "min"
    MAX = "max"
    MOST_COMMON = "most_common"


CRON_MONTHS = {Cadence.MONTHLY: "*", Cadence.QUARTERLY: "1,4,7,10"}


def _identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"{value!r} is no identifier: use lower-case letters, digits and underscores, "
            "a letter first, at most 63 characters"
        )
    return value


def check_time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA time zone, such as UTC or Europe/Paris") from error
    return value


def _encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except LookupError as error:
        raise ValueError(f"{value!r} is no encoding, such as utf-8 or latin-1") from error
    return value


def _distinct(values: list[Any]) -> list[Any]:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"named more than once: {', '.join(repeated)}")
    return values


Identifier = Annotated[str, AfterValidator(_identifier)]
AS_LABEL = BeforeValidator(label_of, json_schema_input_type=str | bool | int | float)
Days = Annotated[int, Field(ge=1, le=REPLAY_DAYS * 10)]
Column = Annotated[str, Field(min_length=1)]
Columns = Annotated[list[Column], AfterValidator(_distinct)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DateOrder(StrEnum):
    """How dates such as 01/02/2026 are meant."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class CsvSettings(Settings):
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the fields; found out where it is left out."""
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What surrounds fields that hold the delimiter; found out where it is left out."""
    decimal: Literal[".", ","] | None = None
    """What separates the fraction of a number; found out where it is left out."""
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What groups the digits of large numbers; none where it is left out."""
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    """UTF-8, else Windows' Latin-1, where it is left out; a byte order mark always counts."""
    dates: DateOrder | None = None
    """Whether 01/02/2026 is 1 February (`day_first`) or 2 January (`month_first`); found out
    where a file tells. Dates such as 2026-02-01 need it never."""


class FileSettings(Settings):
    kind: Literal["file"]
    """Rows of files, by their own dates."""
    path: Annotated[str, Field(min_length=1)]
    """CSV or Parquet: one file, a glob or a folder (also one with parts such as
    `date=2026-01-31/`), relative to the folder of this settings file, or an fsspec URL."""
    format: Literal["csv", "parquet"] | None = None
    """Where it is left out: Parquet for names that end in .parquet or .pq, else CSV."""
    csv: CsvSettings = CsvSettings()
    """The dialect of CSV files, where it cannot be found out."""


class LandingSettings(Settings):
    kind: Literal["landing"]
    """Rows of files that keep arriving in a folder."""
    path: Annotated[str, Field(min_length=1)]
    """The folder, relative to that of this settings file, or an fsspec URL."""
    pattern: Annotated[str, Field(min_length=1)] = "*"
    """The names of the files to take, such as `sales_*.csv`."""
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 60
    """For how long size and time of a file must stay the same until it counts as complete."""
    format: Literal["csv", "parquet"] | None = None
    """Where it is left out: Parquet for names that end in .parquet or .pq, else CSV."""
    csv: CsvSettings = CsvSettings()
    """The dialect of CSV files, where it cannot be found out."""


class SqlSettings(Settings):
    kind: Literal["sql"]
    """Rows of a database."""
    url_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The name of the environment variable that holds the SQLAlchemy URL of the database. The
    URL itself, with its password, never stands in the settings."""
    table: Annotated[str, Field(min_length=1)] | None = None
    """A table or view, with its schema before a dot where it needs one. Or a query."""
    query: Annotated[str, Field(min_length=1)] | None = None
    """A SELECT with `:start` and `:end`, the local midnights between which rows are wanted, the
    latter excluded."""
    updated_column: Column | None = None
    """A column that grows whenever a row is written, so that corrected days are found cheaply;
    without one all rows of the days are compared."""
    chunk_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """How many rows are fetched at a time."""

    @pydantic.model_validator(mode="after")
    def _table_or_query(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("name either a table or a query")
        for name in ("start", "end"):
            if self.query is not None and not re.search(rf"(?<![:\w]):{name}\b", self.query):
                raise ValueError(
                    f"the query lacks :{name}; compare the date with :start (included) and "
                    ":end (excluded)"
                )
        return self


class CustomSettings(Settings):
    kind: Literal["custom"]
    """Rows from a source that a plugin registers."""
    use: str | dict[str, dict[str, Any]]
    """Its name, with options where it has any."""

    @pydantic.field_validator("use")
    @classmethod
    def _known(cls, use: str | dict[str, dict[str, Any]]) -> str | dict[str, dict[str, Any]]:
        choose(CUSTOM_SOURCES, use)
        return use


class ReplaySettings(Settings):
    kind: Literal["replay"]
    """A finished recording, played again: every calendar day is mapped onto the recorded day of
    the same weekday, in a loop of 52 weeks, so that it never ends."""
    path: Annotated[str, Field(min_length=1)] | None = None
    """Short for a source of kind `file` with this path."""
    source: (
        Annotated[FileSettings | SqlSettings | CustomSettings, Field(discriminator="kind")] | None
    ) = None
    """Any other source; it must hold 364 days."""

    @pydantic.model_validator(mode="after")
    def _path_or_source(self) -> Self:
        if (self.path is None) == (self.source is None):
            raise ValueError("name either the path of a file or a source to replay")
        return self

    @property
    def recording(self) -> FileSettings | SqlSettings | CustomSettings:
        """The source that is replayed."""
        return self.source or FileSettings(kind="file", path=self.path or "")


SourceSettings = FileSettings | LandingSettings | SqlSettings | CustomSettings | ReplaySettings
SOURCE_SETTINGS: dict[str, type[Settings]] = {
    "file": FileSettings,
    "landing": LandingSettings,
    "sql": SqlSettings,
    "custom": CustomSettings,
    "replay": ReplaySettings,
}


class ColumnSettings(Settings):
    date: Column
    """The column that says which day a row belongs to."""
    target: Column
    """The column to forecast."""
    series: Columns = []
    """Columns that together name a series, one row per series and day; empty for plain rows."""
    numeric: Columns = []
    """Columns known in advance that models read as numbers."""
    categorical: Columns = []
    """Columns known in advance that models read as categories."""


class AggregateSettings(Settings):
    """Makes one row per day and key out of many, such as days out of hours."""

    by: Columns | None = None
    """Columns that tell rows of a day apart; those of the series where they are not named."""
    target: Literal[Reduction.SUM, Reduction.MEAN, Reduction.MEDIAN, Reduction.MIN, Reduction.MAX]
    """What the targets of a day come to. `sum` is missing where one of them is."""
    inputs: dict[str, Reduction] = {}
    """What each input that is not in `by` comes to; `most_common` is for text."""
    min_rows: Annotated[int, Field(ge=1)] = 1
    """The fewest rows of a day and key; a day with fewer is refused. 23 for days of hours."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """The most rows of a day and key; a day with more is refused. 25 for days of hours."""

    @pydantic.model_validator(mode="after")
    def _some_count_fits(self) -> Self:
        if self.max_rows is not None and self.min_rows > self.max_rows:
            raise ValueError(
                f"no day has at least {self.min_rows} and at most {self.max_rows} rows"
            )
        return self


class ClassSettings(Settings):
    labels: Annotated[
        list[Annotated[str, AS_LABEL, Field(min_length=1)]],
        Field(min_length=2, max_length=100),
        AfterValidator(_distinct),
    ]
    """The labels of the target, text, numbers or flags. What is stored refers to them by position:
    add a new one at the end."""
    positive: Annotated[str, AS_LABEL] | None = None
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


class Constraint(Settings):
    min: float | None = None
    """The smallest value allowed."""
    max: float | None = None
    """The largest value allowed."""
    allowed: Annotated[list[str], AfterValidator(_distinct)] | None = None
    """The only values allowed."""
    nullable: bool = False
    """Whether values may be missing."""

    @pydantic.model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no value is at least {self.min:g} and at most {self.max:g}")
        return self


class LaggedAggregate(Settings):
    """What the rows of the days before come to, whichever rows the day itself has."""

    by: Columns = []
    """Series or categorical columns whose values are taken each by itself; none for all rows."""
    of: Column | None = None
    """The target or a numeric column; the target where none is named."""
    statistic: Statistic = Statistic.MEAN
    """What the values come to. `count` and `sum` are 0 on a day without rows of the key."""
    lags: Annotated[list[Days], AfterValidator(_distinct)] = []
    """Of the day so many days ago."""
    windows: Annotated[list[Days], AfterValidator(_distinct)] = []
    """Of all rows together of so many days, up to the last one known: the day before, or earlier
    with evaluation.label_delay_days."""

    @pydantic.model_validator(mode="after")
    def _some_days(self) -> Self:
        if not self.lags and not self.windows:
            raise ValueError("name lags, windows or both, such as lags: [1, 7]")
        return self

    def reach(self, delay_days: int = 0) -> int:
        """How many days before a day it looks back on, where targets are known so much later."""
        return max([*self.lags, *(days + delay_days for days in self.windows)])

    def columns(self, target: str) -> dict[str, tuple[str, int]]:
        """The names of its features, each with `lag` or `last` and the days."""
        stem = "_".join([self.of or target, self.statistic, *(["by", *self.by] if self.by else [])])
        days = [("lag", days) for days in self.lags] + [("last", days) for days in self.windows]
        return {f"{stem}_{kind}_{count}": (kind, count) for kind, count in days}


class FeatureSettings(Settings):
    lags: Annotated[list[Days], AfterValidator(_distinct)] = []
    """The target of the same series so many days ago."""
    rolling_means: Annotated[list[Days], AfterValidator(_distinct)] = []
    """The mean target of the same series over so many days, up to the last one known: the day
    before, or earlier with evaluation.label_delay_days."""
    calendar: Annotated[list[CalendarFeature], AfterValidator(_distinct)] = []
    """Numbers read off the date."""
    lagged_aggregates: list[LaggedAggregate] = []
    """Sums, means and the like of the rows of the days before, by chosen columns."""
    custom: list[str | dict[str, dict[str, Any]]] = []
    """Names of registered features, a plugin's among them, each with options where it has any."""


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


class AcceptanceSettings(Settings):
    tolerance: Annotated[float, Field(ge=0, le=10)] = 0.1
    """By how much, as a share, a new version may do worse on the primary metric than the version
    in service, on the same rows of the holdout."""


class WindowSettings(Settings):
    window_days: int
    min_days: int

    @pydantic.model_validator(mode="after")
    def _window_holds_the_days(self) -> Self:
        if self.min_days > self.window_days:
            raise ValueError(
                f"a window of {self.window_days} days never holds min_days of {self.min_days}"
            )
        return self


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
    """Of the interval that must lie above that gain."""
    block_days: Annotated[int, Field(ge=1, le=28)] = 4
    """Length of the blocks of days that are resampled together."""
    coverage: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    """The share of the actuals that the intervals of the forecasts are to hold."""


class PerformanceSettings(WindowSettings):
    window_days: Annotated[int, Field(ge=28, le=366)] = 56
    """How many days of its own a model is judged by."""
    min_days: Annotated[int, Field(ge=14, le=366)] = 21
    """The fewest days with scores among them; with fewer, a day is not judged."""
    width: Annotated[float, Field(ge=1, le=20)] = 4.0
    """Half-width of what is usual, in robust standard deviations."""
    least_width: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Its least half-width, as a share of the middle."""
    least_bias: Annotated[float, Field(gt=0, le=10)] = 0.1
    """The bias over a week, as a share of the actuals, that is never an alarm."""
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


class ScheduleSettings(Settings):
    evaluate_hour: Annotated[int, Field(ge=0, le=23)] = 1
    """The hour of the day at which yesterday, or with evaluation.label_delay_days the newest day
    that is due, is ingested and evaluated."""
    retrain_hour: Annotated[int, Field(ge=0, le=23)] = 2
    """The hour of the first of the month at which models are retrained."""
    catch_up_days: Annotated[int, Field(ge=1, le=366)] = 14
    """How many days back missed partitions are looked for and requested."""
    late_days: Annotated[int, Field(ge=0, le=366)] = 14
    """How many days back rows that changed at the source are looked for; 0: not at all."""


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


class Project(Settings):
    """One prediction problem."""

    name: Identifier
    """The name of the problem."""
    description: str = ""
    """What is predicted, for whom."""
    owner: Annotated[str, Field(pattern=r"^(team:[A-Za-z0-9_]+|[^@\s]+@[^@\s]+)$")]
    """Who answers for the assets: `team:name` or an e-mail address."""
    time_zone: Annotated[str, AfterValidator(check_time_zone)] = "UTC"
    """The zone in which a day begins and ends."""
    plugins: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(_distinct)] = []
    """Modules that register families, metrics, features or splits: files beside this one, entry
    points of the group mlops_assets.plugins, or modules that can be imported."""
    first_day: dt.date | None = None
    """The first daily partition. A replayed source may leave it out: then the history begins
    early enough for six monthly trainings when the storage is first used, and stays there."""
    task: Task = "regression"
    """Whether the target is a number or one of some classes."""
    classes: ClassSettings | None = None
    """What the classes of a classification are."""
    source: Annotated[SourceSettings, Field(discriminator="kind")]
    """Where rows come from."""
    columns: ColumnSettings
    aggregate: AggregateSettings | None = None
    """How many rows of the source become one row per day and key; left out, rows stay as read."""
    constraints: dict[str, Constraint] = {}
    """What the values of a column must be; a day that breaks them is not stored."""
    features: FeatureSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    acceptance: AcceptanceSettings = AcceptanceSettings()
    champion: ChampionSettings = ChampionSettings()
    quality: QualitySettings = QualitySettings()
    performance: PerformanceSettings = PerformanceSettings()
    reactions: ReactionSettings = ReactionSettings()
    drift: DriftSettings = DriftSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    models: Annotated[list[ModelSettings], Field(min_length=1)]
    """The models to train and compare."""
    folder: Path = Field(default=Path(), exclude=True, repr=False)
    prefix: str = Field(default="", exclude=True, repr=False)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = self.columns
        roles = [columns.date, columns.target, *columns.numeric, *columns.categorical]
        _refuse(
            sorted({name for name in roles if roles.count(name) > 1}),
            "columns",
            "have more than one role among date, target, numeric and categorical",
        )
        _refuse(
            [name for name in columns.series if name in (columns.date, columns.target)],
            "columns.series",
            "cannot name a series, being the date or the target",
        )
        declared = self.column_names
        _refuse(_missing(self.constraints, declared), "constraints", _not_in(declared))
        self._constraints_apply()
        known = [*columns.series, *columns.categorical]
        _refuse(_missing(self.evaluation.slices, known), "evaluation.slices", _not_in(known))
        _at("features.custom", lambda: self.custom_features)
        _refuse(
            sorted({name for name in self.custom_columns if self._taken(name)}),
            "features.custom",
            "is the name of another column too; rename one of them",
        )
        names = [model.name for model in self.models]
        _refuse(
            sorted({name for name in names if names.count(name) > 1}),
            "models",
            "are the names of more than one model; give each its own",
        )
        _refuse(
            [name for name in names if name == "all"],
            "models",
            "is no name for a model, since retrain_all_job retrains them all",
        )
        _refuse(_missing([self.evaluation.baseline], names), "evaluation.baseline", _not_in(names))
        if self.champion.initial is not None:
            _refuse(_missing([self.champion.initial], names), "champion.initial", _not_in(names))
        try:
            metrics = make_metrics(self.evaluation.metrics)
        except ValueError as error:
            raise ValueError(f"at evaluation.metrics: {error}") from error
        self._fit_the_task(metrics)
        needy = [name for name, metric in metrics.items() if metric.non_negative]
        if needy and not self.non_negative:
            raise ValueError(
                f"at evaluation.metrics: {', '.join(needy)} needs a target of at least 0; set "
                f"constraints.{columns.target}.min to 0, or leave the metric out"
            )
        if self.constraints.get(columns.target, Constraint()).nullable:
            raise ValueError(
                f"at constraints: {columns.target!r} is the target and cannot be nullable; "
                "leave such rows out of the source"
            )
        _refuse(
            _missing([self.evaluation.primary], list(metrics)),
            "evaluation.primary",
            _not_in(list(metrics)),
        )
        if not columns.series and (self.features.lags or self.features.rolling_means):
            raise ValueError(
                "at features: lags and rolling_means follow a series; "
                "name columns.series, or use lagged_aggregates in their place"
            )
        self._aggregates_apply(known)
        self._targets_are_known()
        self._names_are_free()
        for model in self.models:
            hyperparameters = parse_hyperparameters(model.family, model.hyperparameters)
            try:
                get_family(model.family).check(hyperparameters, self.inputs)
            except ValueError as error:
                raise ValueError(f"at models: {model.name!r} {error}") from error
        _at("training.split", lambda: self.training_window)
        fewest, most = self.training_window.split.days(self.training.window_months)
        if self.training.holdout_days >= fewest:
            raise ValueError(
                f"at training.holdout_days: {self.training.holdout_days} days leave nothing of "
                f"a window of {self._window_in_words} to learn from"
            )
        if self.source.kind != "replay" and self.first_day is None:
            raise ValueError("at first_day: missing; name the first day of the source to use")
        if self.first_day is not None:
            earliest = self.first_day + dt.timedelta(days=self.longest_lag)
            _at("training.split", lambda: self.training_window.first_month(earliest))
        elif isinstance(self.training_window.split, Fixed):
            raise ValueError("at first_day: missing; fixed dates to learn from need it")
        if self.source.kind == "replay" and most is None:
            raise ValueError(
                f"at training.split: a recording replayed in a loop of {REPLAY_DAYS} days would be "
                f"learned from twice by {self.training_window.split.name}; choose trailing"
            )
        reach = (most or 0) + self.longest_lag + self.training_window.days_left_out
        if self.source.kind == "replay" and reach >= REPLAY_DAYS:
            raise ValueError(
                f"at training.window_months: {self._window_in_words} and the longest "
                f"lag of {self.longest_lag} days reach back {reach} days; a recording replayed in "
                f"a loop of {REPLAY_DAYS} days would be learned from twice; shorten either"
            )
        return self

    def _constraints_apply(self) -> None:
        """ValueError for a constraint that nothing would ever compare with its column."""
        numbers = self.number_columns
        for name, constraint in self.constraints.items():
            bounds = [key for key in ("min", "max") if getattr(constraint, key) is not None]
            if bounds and name not in numbers:
                raise ValueError(
                    f"at constraints.{name}: {' and '.join(bounds)} bound numbers, and {name!r} is "
                    f"none; use allowed, or bound one of: {', '.join(numbers)}"
                )
            if constraint.allowed is not None and name in [*numbers, self.columns.date]:
                raise ValueError(
                    f"at constraints.{name}: allowed lists texts, and {name!r} is none; "
                    "use min and max"
                )

    def _aggregates_apply(self, keys: list[str]) -> None:
        """ValueError for columns that cannot be aggregated, or not by those that are named."""
        columns = self.columns
        for n, lagged in enumerate(self.features.lagged_aggregates):
            place = f"features.lagged_aggregates.{n}"
            _refuse(_missing(lagged.by, keys), f"{place}.by", _not_in(keys))
            values = [] if lagged.of is None else [lagged.of]
            numbers = self.number_columns
            _refuse(_missing(values, numbers), f"{place}.of", _not_in(numbers))
        if self.aggregate is None:
            return
        by = self.aggregate_by
        _refuse(_missing(by, keys), "aggregate.by", _not_in(keys))
        _refuse(
            _missing(columns.series, by), "aggregate.by", "is part of the series and must be in it"
        )
        rest = [name for name in [*columns.numeric, *columns.categorical] if name not in by]
        reduced = self.aggregate.inputs
        _refuse(_missing(reduced, rest), "aggregate.inputs", _not_in(rest))
        _refuse(_missing(rest, reduced), "aggregate.inputs", "missing: say what they come to")
        for name, reduction in reduced.items():
            if (reduction == Reduction.MOST_COMMON) != (name in columns.categorical):
                raise ValueError(
                    f"at aggregate.inputs.{name}: {reduction.value} does not suit it; text comes "
                    "to most_common, numbers to sum, mean, median, min or max"
                )

    def _targets_are_known(self) -> None:
        """ValueError for features of targets that are not known when a forecast is issued."""
        delay, ahead = self.evaluation.label_delay_days, self.days_ahead
        because = (
            f"with evaluation.label_delay_days of {delay}, the newest target that is known when a "
            f"day is forecast is that of {ahead} days before"
        )
        naive = [model.name for model in self.models if model.family == "seasonal_naive"]
        if naive and ahead > SEASON:
            raise ValueError(
                f"at models: {', '.join(map(repr, naive))} repeats the target of {SEASON} days "
                f"before, but {because}; take historical_mean in its place"
            )
        lags = {"features.lags": self.features.lags} | {
            f"features.lagged_aggregates.{n}.lags": lagged.lags
            for n, lagged in enumerate(self.features.lagged_aggregates)
        }
        for place, days in lags.items():
            if early := [str(lag) for lag in days if lag < ahead]:
                raise ValueError(
                    f"at {place}: {', '.join(early)} cannot be used: {because}; name lags of "
                    f"{ahead} or more"
                )

    def _names_are_free(self) -> None:
        """ValueError for columns named like those that are stored beside them."""
        columns = self.columns
        # without series, rows of forecasts are told apart by their inputs
        inputs = [] if columns.series else [*columns.numeric, *columns.categorical]
        stored = dict.fromkeys([*columns.series, *self.evaluation.slices, *inputs])
        _refuse(
            [name for name in stored if name in RESERVED_COLUMNS],
            "columns",
            "stored beside forecasts under that name already; rename it in the source. "
            f"Names taken: {', '.join(RESERVED_COLUMNS)}",
        )
        computed = [*self.inputs.numeric[: len(self.inputs.numeric) - len(columns.numeric)]]
        _refuse(
            sorted({name for name in computed if computed.count(name) > 1}),
            "features.lagged_aggregates",
            "are named more than once",
        )
        _refuse(
            [name for name in self.column_names if name in computed],
            "columns",
            "named like a computed feature; rename it in the source",
        )

    def _fit_the_task(self, metrics: Mapping[str, Metric]) -> None:
        """ValueError for a metric, family or setting that is for another kind of target."""
        target = self.columns.target
        for place, names, known in (
            ("evaluation.metrics", list(metrics), METRICS),
            ("models", [model.family for model in self.models], FAMILIES),
        ):
            fitting = [name for name, kind in known.items() if self.task in kind.tasks]
            _refuse(
                sorted({name for name in names if name not in fitting}),
                place,
                f"are not for a task of {self.task}; choose of: {', '.join(fitting)}",
            )
        if (self.classes is None) != (self.task == "regression"):
            raise ValueError(
                "at classes: missing; name the labels of the target, and the positive one of two"
                if self.classes is None
                else "at classes: only a task of classification has them; set task"
            )
        if self.classes is None:
            return
        _refuse(
            [name for name in [target] if name in self.constraints],
            "constraints",
            "is the target, whose labels are those of classes.labels; leave it out",
        )
        if len(self.labels) > 2 and self.longest_lag:
            raise ValueError(
                f"at features: lags and rolling_means need a target of numbers or two classes, not "
                f"of {len(self.labels)}; leave them empty"
            )

    def with_models(self, models: Iterable[ModelSettings]) -> Self:
        """The same problem with other models. ValueError when they do not fit it."""
        return self.model_validate({**dict(self), "models": list(models)})

    def model(self, name: str) -> ModelSettings:
        """The settings of a model. ValueError that lists the known ones."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise ValueError(f"{name!r} is no model; the models are: {known}")

    @property
    def primary_metric(self) -> Metric:
        """The metric that ranks the models."""
        return make_metrics(self.evaluation.metrics)[self.evaluation.primary]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of the numbers that stand for them, none for a regression."""
        return () if self.classes is None else self.classes.ordered

    @property
    def threshold(self) -> float:
        """The probability from which on a row counts as positive: that of accuracy, else 0.5."""
        metrics = make_metrics(self.evaluation.metrics)
        return float(getattr(metrics.get("accuracy"), "threshold", 0.5))

    @property
    def first_champion(self) -> str:
        """The model that is champion before anything was decided."""
        return self.champion.initial or self.evaluation.baseline

    @property
    def column_names(self) -> list[str]:
        """Every column that is read from the source, in a fixed order."""
        c = self.columns
        return list(dict.fromkeys([c.date, *c.series, c.target, *c.numeric, *c.categorical]))

    @property
    def number_columns(self) -> list[str]:
        """The columns of the source that hold numbers: the target unless of classes, inputs."""
        return [*([] if self.labels else [self.columns.target]), *self.columns.numeric]

    @property
    def days_ahead(self) -> int:
        """How many days after the newest one with a known target the day to forecast lies."""
        return 1 + self.evaluation.label_delay_days

    def day_to_come(self, day: dt.date) -> dt.date:
        """The day on which the target of a day becomes known, and which is forecast then."""
        return day + dt.timedelta(days=self.days_ahead)

    @property
    def newest_day_in_words(self) -> str:
        """What the newest day with a known target is called in a sentence."""
        return "yesterday" if self.days_ahead == 1 else f"the day {self.days_ahead} days ago"

    @property
    def longest_lag(self) -> int:
        """How many days before a day its features reach back."""
        delay = self.evaluation.label_delay_days
        means = (days + delay for days in self.features.rolling_means)
        lagged = (one.reach(delay) for one in self.features.lagged_aggregates)
        own = (feature.reach + delay for feature in self.custom_features if feature.reach)
        return max([*self.features.lags, *means, *lagged, *own], default=0)

    @property
    def days_read(self) -> list[int]:
        """How many days before its own the days lie whose rows the features of a day read."""
        windows = [*self.features.rolling_means, *(own.reach for own in self.custom_features)]
        lags = [*self.features.lags]
        for lagged in self.features.lagged_aggregates:
            windows += lagged.windows
            lags += lagged.lags
        longest = max(windows, default=0)
        return sorted({0, *lags, *range(self.days_ahead, self.days_ahead + longest)})

    @property
    def lag_columns(self) -> dict[str, int]:
        return {f"{self.columns.target}_lag_{days}": days for days in self.features.lags}

    @property
    def rolling_columns(self) -> dict[str, int]:
        return {f"{self.columns.target}_mean_{days}": days for days in self.features.rolling_means}

    @property
    def aggregate_columns(self) -> dict[str, LaggedAggregate]:
        """The lagged aggregates by the names of their features."""
        return {
            name: lagged
            for lagged in self.features.lagged_aggregates
            for name in lagged.columns(self.columns.target)
        }

    @property
    def aggregate_by(self) -> list[str]:
        """The columns that tell rows of a day apart once they are aggregated."""
        by = None if self.aggregate is None else self.aggregate.by
        return self.columns.series if by is None else by

    @property
    def row_columns(self) -> list[str]:
        """The columns that say which row a forecast is of: the series, else all inputs; slices."""
        c = self.columns
        told_by = c.series or [*c.numeric, *c.categorical]
        return list(dict.fromkeys([*told_by, *self.evaluation.slices]))

    @property
    def custom_features(self) -> list[Feature]:
        """The registered features that the settings name, with their options."""
        return [choose(FEATURES, choice) for choice in self.features.custom]

    @property
    def custom_columns(self) -> list[str]:
        return [name for feature in self.custom_features for name in feature.columns]

    def _custom_columns_of(self, kind: str) -> list[str]:
        return [name for one in self.custom_features if one.kind == kind for name in one.columns]

    def _taken(self, name: str) -> bool:
        """Whether a column of a feature of one's own has a name that another column has."""
        calendar = [feature.value for feature in self.features.calendar]
        computed = [*self.lag_columns, *self.rolling_columns, *self.aggregate_columns, *calendar]
        others = [*self.column_names, *computed]
        return name in others or self.custom_columns.count(name) > 1

    @property
    def _window_in_words(self) -> str:
        split = self.training_window.split
        months = f"{self.training.window_months} months"
        return "its fixed dates" if isinstance(split, Fixed) else months

    @property
    def training_window(self) -> TrainingWindow:
        """Which days a model learns from."""
        training = self.training
        return TrainingWindow(
            choose(SPLITS, training.split),
            training.window_months,
            training.gap_days,
            self.evaluation.label_delay_days,
        )

    @property
    def weights(self) -> AgeWeights | None:
        """How much each row counts; None where all count alike."""
        half_life = self.training.half_life_days
        return None if half_life is None else AgeWeights(self.columns.date, half_life)

    @property
    def inputs(self) -> Inputs:
        """The columns that models read."""
        seasonal = f"{self.columns.target}_lag_{SEASON}"
        return Inputs(
            numeric=(
                *self.lag_columns,
                *self.rolling_columns,
                *(
                    name
                    for lagged in self.features.lagged_aggregates
                    for name in lagged.columns(self.columns.target)
                ),
                *(feature.value for feature in self.features.calendar),
                *self._custom_columns_of("numeric"),
                *self.columns.numeric,
            ),
            categorical=(*self.columns.categorical, *self._custom_columns_of("categorical")),
            seasonal=seasonal if seasonal in self.lag_columns else None,
            non_negative=self.non_negative,
        )

    def constraint(self, column: str) -> Constraint:
        """What the values of a column must be."""
        if self.labels and column == self.columns.target:
            return Constraint(allowed=list(self.labels))
        return self.constraints.get(column, Constraint())

    @property
    def non_negative(self) -> bool:
        """Whether forecasts are clipped at zero."""
        lower = self.constraints.get(self.columns.target, Constraint()).min
        return lower is not None and lower >= 0

    @property
    def text_columns(self) -> list[str]:
        """The columns of the source that hold names, never guessed into numbers."""
        other = {self.columns.date, *self.number_columns}
        return [name for name in self.column_names if name not in other]

    def absolute(self, path: str) -> str:
        """A path of the settings, made absolute; a URL as it is."""
        return path if "://" in path else str(self.folder / path)

    def today(self) -> dt.date:
        """The current day in the project's time zone."""
        return dt.datetime.now(zoneinfo.ZoneInfo(self.time_zone)).date()


def _missing(names: Iterable[str], known: Iterable[str]) -> list[str]:
    known = set(known)
    return [name for name in names if name not in known]


def _not_in(known: Iterable[str]) -> str:
    return f"not among: {', '.join(known)}"


def _refuse(names: list[str], place: str, reason: str) -> None:
    if names:
        raise ValueError(f"at {place}: {', '.join(map(repr, names))} {reason}")


def _at(place: str, look: Callable[[], object]) -> None:
    """Look at what the settings of a place mean; ValueError that names the place."""
    try:
        look()
    except ValueError as error:
        raise ValueError(f"at {place}: {error}") from error


def load_project(path: str | Path | None = None) -> Project:
    """Read and validate the settings.

    Reads `path`, else the file that MLOPS_PROJECT names, else the one beside this module.
    Raises ProjectError with one message for all mistakes found.
    """
    file = Path(path or os.environ.get("MLOPS_PROJECT") or PROJECT_FILE).resolve()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ProjectError(
            f"cannot read the settings {file}: {error.strerror}; set MLOPS_PROJECT to a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{file} is no text in UTF-8: {error}; save it as UTF-8") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-31
        raise ProjectError(f"{file} is no valid YAML: {error}") from error
    if repeated := list(_repeated_keys(node)):
        raise ProjectError("\n".join([f"{file} has {len(repeated)} mistake(s):", *repeated]))
    if not isinstance(values, dict):
        raise ProjectError(f"{file}: expected a mapping of settings, found {values!r}")
    if foreign := [name for name in NOT_SETTINGS if name in values]:
        raise ProjectError(f"{file}, {foreign[0]}: unknown setting")
    try:
        values = in_new_words(values, file)
    except ValueError as error:
        raise ProjectError(f"{file}, {error}") from error
    try:
        use_plugins(file.parent, _plugins_named(values))
    except PluginError as error:
        line = _line(node, ("plugins", error.position))
        raise ProjectError(f"{file}, line {line}, plugins: {error}") from error
    try:
        project = Project.model_validate({**values, "folder": file.parent})
    except pydantic.ValidationError as error:
        lines = [_explain(detail, node) for detail in error.errors()]
        raise ProjectError("\n".join([f"{file} has {len(lines)} mistake(s):", *lines])) from error
    return project


def _plugins_named(values: Mapping[str, Any]) -> list[str]:
    """The plugins of settings that are not validated yet; what is wrong is left to validation."""
    named = values.get("plugins") or []
    named = named if isinstance(named, list) else []
    names = [name for name in named if isinstance(name, str) and name]
    return list(dict.fromkeys(names)) if len(names) == len(named) else []


def _explain(detail: Mapping[str, Any], node: yaml.Node | None) -> str:
    location, message, value = detail["loc"], str(detail["msg"]), detail["input"]
    message = message.removeprefix("Value error, ")
    allowed = _allowed_keys(location)
    location = tuple(  # the kind of a source is no part of the file
        part for at, part in enumerate(location) if not _is_kind(location, at)
    )
    inner = re.match(r"at ([\w.]+): ", message)
    if not location and inner:
        location = tuple(inner.group(1).split("."))
        message = message[inner.end() :]
    line = _line(node, location)
    if detail["type"] == "extra_forbidden":
        message = f"unknown setting{allowed}"
    elif detail["type"] == "missing":
        message = "missing"
    elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        location = (*location, "kind")
        kind = value.get("kind") if isinstance(value, dict) else value
        known = detail["ctx"].get("expected_tags") or ", ".join(map(repr, SOURCE_SETTINGS))
        found = "missing" if kind is None else f"{kind!r} is no kind of source"
        message = f"{found}; the kinds are: {known}"
    elif not isinstance(value, dict | BaseModel) and repr(value) not in message:
        message = f"{message}, not {value!r}"
    path = ".".join(str(part) for part in location if part != "str")
    return f"  line {line}, {path}: {message}"


def _repeated_keys(
    node: yaml.Node | None, path: str = "", above: tuple[yaml.Node, ...] = ()
) -> Iterable[str]:
    """What to say of each key that its mapping has already; YAML would keep the last silently."""
    if node is None or node in above:  # an alias of what it is part of
        return
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if str(key.value) in lines and isinstance(key, yaml.ScalarNode):
                yield (
                    f"  line {line}, {path}{key.value}: named already on line "
                    f"{lines[str(key.value)]}; keep one of the two"
                )
            lines[str(key.value)] = line
            yield from _repeated_keys(value, f"{path}{key.value}.", above)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield from _repeated_keys(value, f"{path}{position}.", above)


def _allowed_keys(location: tuple[Any, ...]) -> str:
    """The keys allowed beside an unknown one, read off the schema."""
    settings: Any = Project
    for at, part in enumerate(location[:-1]):
        if _is_kind(location, at):
            settings = SOURCE_SETTINGS[str(part)]
            continue
        field = settings.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            found = list(_settings_in(field.annotation))
            if found:
                settings = found[0]
    return f"; allowed here: {', '.join(k for k in settings.model_fields if k not in NOT_SETTINGS)}"


def _is_kind(location: tuple[Any, ...], at: int) -> bool:
    """Whether a part of the location is the kind by which pydantic tells sources apart."""
    return at > 0 and location[at - 1] == "source" and location[at] in SOURCE_SETTINGS


def _settings_in(annotation: Any) -> Iterable[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _settings_in(argument)


def _line(node: yaml.Node | None, location: Iterable[Any]) -> int:
    """The line, counted from one, of the deepest part of the location that the file has."""
    line = 1
    for part in location:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            break
        node = child
    return line


def storage_root() -> str:
    """Where everything is stored: MLOPS_ROOT, a folder or an fsspec URL, else `storage/`."""
    return os.environ.get("MLOPS_ROOT") or str(DEFAULT_ROOT)


def json_schema() -> str:
    """The JSON schema of the settings, for editors."""
    schema = Project.model_json_schema()
    for name in NOT_SETTINGS:
        schema["properties"].pop(name)
    model = schema["$defs"]["ModelSettings"]
    model["properties"]["family"]["enum"] = list(FAMILIES)
    model["allOf"] = []
    for name, family in FAMILIES.items():
        hyperparameters = family.hyperparameters.model_json_schema(ref_template="#/$defs/{model}")
        schema["$defs"].update(hyperparameters.pop("$defs", {}))
        schema["$defs"][family.hyperparameters.__name__] = hyperparameters
        model["allOf"].append(
            {
                "if": {"properties": {"family": {"const": name}}},
                "then": {
                    "properties": {
                        "hyperparameters": {"$ref": f"#/$defs/{family.hyperparameters.__name__}"}
                    }
                },
            }
        )
    evaluation = schema["$defs"]["EvaluationSettings"]["properties"]
    evaluation["primary"]["enum"] = list(METRICS)
    evaluation["metrics"]["items"] = {
        "anyOf": [
            {"enum": list(METRICS)},
            {"type": "object", "propertyNames": {"enum": list(METRICS)}},
        ]
    }
    return json.dumps(schema, indent=2) + "\n"
