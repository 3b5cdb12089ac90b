"""The settings: one prediction problem, described in one YAML file, validated when it is read."""

import datetime as dt
import json
import os
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mlops_assets.ml.classes import label_of
from mlops_assets.ml.families import FAMILIES, Inputs, get_family, parse_hyperparameters
from mlops_assets.ml.metrics import METRICS, Metric, Task, make_metrics

PROJECT_FILE = Path(__file__).with_name("project.yaml")
SCHEMA_FILE = Path(__file__).with_name("project.schema.json")
DEFAULT_ROOT = Path(__file__).parents[1] / "storage"
REPLAY_DAYS = 364  # 52 weeks: a replayed day keeps its weekday
LONGEST_MONTH = 31

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


CRON_MONTHS = {Cadence.MONTHLY: "*", Cadence.QUARTERLY: "1,4,7,10"}


def _identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"{value!r} is no identifier: use lower-case letters, digits and underscores, "
            "a letter first, at most 63 characters"
        )
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA time zone, such as UTC or Europe/Paris") from error
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


class SourceSettings(Settings):
    kind: Literal["file", "replay"]
    """`file` reads rows by their own dates; `replay` maps every calendar day onto the recorded
    day of the same weekday, in a loop of 52 weeks, so that a finished recording never ends."""
    path: Annotated[str, Field(min_length=1)]
    """CSV or Parquet: one file or a glob, relative to the folder of this settings file."""


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


class FeatureSettings(Settings):
    lags: Annotated[list[Days], AfterValidator(_distinct)] = []
    """The target of the same series so many days ago."""
    rolling_means: Annotated[list[Days], AfterValidator(_distinct)] = []
    """The mean target of the same series over so many days, up to the day before."""
    calendar: Annotated[list[CalendarFeature], AfterValidator(_distinct)] = []
    """Numbers read off the date."""


class TrainingSettings(Settings):
    window_months: Annotated[int, Field(ge=1, le=120)]
    """How many whole months before the month of service a model learns from."""
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
    yardstick: Identifier
    """The model that the others are compared with."""
    slices: Columns = []
    """Columns whose values the metrics are broken down by."""


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


class ChampionSettings(WindowSettings):
    initial: Identifier | None = None
    """The first champion; the yardstick where none is named."""
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


class ControlSettings(WindowSettings):
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
    """Of the statement that a model is worse than the yardstick."""


class DriftSettings(WindowSettings):
    window_days: Annotated[int, Field(ge=7, le=56, multiple_of=7)] = 7
    """The days up to today that are compared with the training window; whole weeks."""
    min_days: Annotated[int, Field(ge=2, le=56)] = 6
    """The fewest of them with rows; with fewer, a day is not judged."""
    width: Annotated[float, Field(ge=1, le=100)] = 4.0
    """How many robust standard deviations above its median a distance may lie, by windows of
    training."""
    margin: Annotated[float, Field(ge=1, le=100)] = 1.5
    """By how much, as a factor, a distance may exceed the largest one of training."""
    min_importance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """The share of all importance that an input needs for its drift to be an alarm."""


class ReactionSettings(Settings):
    days: Annotated[int, Field(ge=1, le=60)] = 5
    """How many of the last days are looked at."""
    failures: Annotated[int, Field(ge=1, le=60)] = 3
    """On how many of them, yesterday included, a model must have failed to be trained again."""
    cool_down_days: Annotated[int, Field(ge=1, le=366)] = 14
    """The fewest days between two such trainings; doubled each time that one brought nothing."""

    @pydantic.model_validator(mode="after")
    def _days_hold_the_failures(self) -> Self:
        if self.failures > self.days:
            raise ValueError(f"{self.days} days never hold {self.failures} failures")
        return self


class ScheduleSettings(Settings):
    evaluate_hour: Annotated[int, Field(ge=0, le=23)] = 1
    """The hour of the day at which yesterday is ingested and evaluated."""
    retrain_hour: Annotated[int, Field(ge=0, le=23)] = 2
    """The hour of the first of the month at which models are retrained."""
    catch_up_days: Annotated[int, Field(ge=1, le=366)] = 14
    """How many days back missed partitions are looked for and requested."""


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
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The zone in which a day begins and ends."""
    first_day: dt.date | None = None
    """The first daily partition. A replayed source may leave it out: then the history begins
    early enough for six monthly trainings when the storage is first used, and stays there."""
    task: Task = "regression"
    """Whether the target is a number or one of some classes."""
    classes: ClassSettings | None = None
    """What the classes of a classification are."""
    source: SourceSettings
    columns: ColumnSettings
    constraints: dict[str, Constraint] = {}
    """What the values of a column must be; a day that breaks them is not stored."""
    features: FeatureSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    acceptance: AcceptanceSettings = AcceptanceSettings()
    champion: ChampionSettings = ChampionSettings()
    control: ControlSettings = ControlSettings()
    reactions: ReactionSettings = ReactionSettings()
    drift: DriftSettings = DriftSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    models: Annotated[list[ModelSettings], Field(min_length=1)]
    """The models to train and compare."""
    folder: Path = Field(default=Path(), exclude=True, repr=False)

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
        known = [*columns.series, *columns.categorical]
        _refuse(_missing(self.evaluation.slices, known), "evaluation.slices", _not_in(known))
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
        _refuse(
            _missing([self.evaluation.yardstick], names), "evaluation.yardstick", _not_in(names)
        )
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
                "name columns.series or leave them empty"
            )
        for model in self.models:
            if model.family == "seasonal_naive" and self.inputs.seasonal is None:
                raise ValueError(
                    f"at models: {model.name!r} repeats the target of a week ago; "
                    "add 7 to features.lags"
                )
        if self.training.holdout_days >= 28 * self.training.window_months:
            raise ValueError(
                f"at training.holdout_days: {self.training.holdout_days} days leave nothing of "
                f"a window of {self.training.window_months} months to learn from"
            )
        if self.source.kind == "file" and self.first_day is None:
            raise ValueError("at first_day: missing; name the first day of the source to use")
        reach = self.training.window_months * LONGEST_MONTH + self.longest_lag
        if self.source.kind == "replay" and reach >= REPLAY_DAYS:
            raise ValueError(
                f"at training.window_months: {self.training.window_months} months and the longest "
                f"lag of {self.longest_lag} days reach back {reach} days; a recording replayed in "
                f"a loop of {REPLAY_DAYS} days would be learned from twice; shorten either"
            )
        return self

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
        return self.champion.initial or self.evaluation.yardstick

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
    def longest_lag(self) -> int:
        """How many days before a day its features reach back."""
        return max([*self.features.lags, *self.features.rolling_means], default=0)

    @property
    def lag_columns(self) -> dict[str, int]:
        return {f"{self.columns.target}_lag_{days}": days for days in self.features.lags}

    @property
    def rolling_columns(self) -> dict[str, int]:
        return {f"{self.columns.target}_mean_{days}": days for days in self.features.rolling_means}

    @property
    def inputs(self) -> Inputs:
        """The columns that models read."""
        seasonal = f"{self.columns.target}_lag_7"
        return Inputs(
            numeric=(
                *self.lag_columns,
                *self.rolling_columns,
                *(feature.value for feature in self.features.calendar),
                *self.columns.numeric,
            ),
            categorical=tuple(self.columns.categorical),
            seasonal=seasonal if seasonal in self.lag_columns else None,
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
    def source_path(self) -> str:
        """The source's path or glob, made absolute."""
        return str(self.folder / self.source.path)

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
    if not isinstance(values, dict):
        raise ProjectError(f"{file}: expected a mapping of settings, found {values!r}")
    if "folder" in values:
        raise ProjectError(f"{file}, folder: unknown setting")
    try:
        project = Project.model_validate({**values, "folder": file.parent})
    except pydantic.ValidationError as error:
        lines = [_explain(detail, node) for detail in error.errors()]
        raise ProjectError("\n".join([f"{file} has {len(lines)} mistake(s):", *lines])) from error
    return project


def _explain(detail: Mapping[str, Any], node: yaml.Node | None) -> str:
    location, message, value = detail["loc"], str(detail["msg"]), detail["input"]
    message = message.removeprefix("Value error, ")
    inner = re.match(r"at ([\w.]+): ", message)
    if not location and inner:
        location = tuple(inner.group(1).split("."))
        message = message[inner.end() :]
    line = _line(node, location)
    if detail["type"] == "extra_forbidden":
        message = f"unknown setting{_allowed_keys(location)}"
    elif detail["type"] == "missing":
        message = "missing"
    elif not isinstance(value, dict | BaseModel) and repr(value) not in message:
        message = f"{message}, not {value!r}"
    path = ".".join(str(part) for part in location if part != "str")
    return f"  line {line}, {path}: {message}"


def _allowed_keys(location: tuple[Any, ...]) -> str:
    """The keys allowed beside an unknown one, read off the schema."""
    settings: Any = Project
    for part in location[:-1]:
        field = settings.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            found = list(_settings_in(field.annotation))
            if found:
                settings = found[0]
    return f"; allowed here: {', '.join(k for k in settings.model_fields if k != 'folder')}"


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
    schema["properties"].pop("folder")
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


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema(), encoding="utf-8")
