"""All sections of a project, and what follows from several of them."""

import datetime as dt
import zoneinfo
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from mlops_assets.ml.due_days import DueDays, Grain, Weekday
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.feature_settings import (
    AggregateSettings,
    ColumnSettings,
    FeatureSettings,
)
from mlops_assets.ml.metrics.metric import Metric, Task
from mlops_assets.ml.models.families import Inputs
from mlops_assets.ml.models.splits import HoldoutSplit, TrainingWindow, Weights
from mlops_assets.ml.models.training import FitPlan
from mlops_assets.ml.models.training_settings import ModelSettings, TrainingSettings
from mlops_assets.ml.monitoring.monitoring_settings import (
    DriftSettings,
    MonitoringSettings,
    PerformanceSettings,
    QualitySettings,
    ReactionSettings,
)
from mlops_assets.ml.settings import UNLESS_DEFAULT, Identifier, Settings, distinct
from mlops_assets.project.sections import (
    AcceptanceSettings,
    AlertSettings,
    ChampionSettings,
    ClassSettings,
    ComputeSettings,
    Constraint,
    EvaluationSettings,
    ExpectedSettings,
    ScheduleSettings,
    ServingSettings,
)
from mlops_assets.project.source_settings import REPLAY_DAYS, SourceSettings

NOT_SETTINGS = ("folder", "prefix")  # fields of a project that its file does not hold


def check_time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA time zone, such as UTC or Europe/Paris") from error
    return value


class Problem(Settings):
    """The sections, each of them valid by itself; a Project's fit together as well."""

    name: Identifier
    """The name of the problem."""
    description: str = ""
    """What is predicted, for whom."""
    owner: Annotated[str, Field(pattern=r"^(team:[A-Za-z0-9_]+|[^@\s]+@[^@\s]+)$")]
    """Who answers for the assets: `team:name` or an e-mail address."""
    time_zone: Annotated[str, AfterValidator(check_time_zone)] = "UTC"
    """The zone in which a day begins and ends."""
    plugins: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(distinct)] = []
    """Modules that register families, metrics, features or splits: files beside this one, entry
    points of the group mlops_assets.plugins, or modules that can be imported."""
    first_day: dt.date | None = None
    """The first daily partition. A replayed source may leave it out: then the history begins
    early enough for six monthly trainings when the storage is first used, and stays there."""
    grain: Annotated[Grain, Field(exclude_if=lambda grain: grain is Grain.DAY)] = Grain.DAY
    """What rows are of and evaluated by, once it has ended: a day, week, month or quarter. What
    other settings count in days, such as lags, counts these then."""
    week_begins: Annotated[Weekday, Field(exclude_if=lambda day: day is Weekday.MON)] = Weekday.MON
    """The first day of a week, where rows are of weeks, on whichever of its days they are dated."""
    expected: Annotated[ExpectedSettings, UNLESS_DEFAULT] = ExpectedSettings()
    """On which days rows are due: every day where nothing is said."""
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
    serving: ServingSettings = ServingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    quality: QualitySettings = QualitySettings()
    performance: PerformanceSettings = PerformanceSettings()
    reactions: ReactionSettings = ReactionSettings()
    drift: DriftSettings = DriftSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    alerts: AlertSettings = AlertSettings()
    compute: Annotated[ComputeSettings, UNLESS_DEFAULT] = ComputeSettings()
    models: Annotated[list[ModelSettings], Field(min_length=1)]
    """The models to train and compare."""
    folder: Path = Field(default=Path(), exclude=True, repr=False)
    prefix: str = Field(default="", exclude=True, repr=False)

    @property
    def primary_metric(self) -> Metric:
        """The metric that ranks the models."""
        return self.evaluation.made_metrics[self.evaluation.primary]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of the numbers that stand for them, none for a regression."""
        return () if self.classes is None else self.classes.ordered

    @property
    def has_totals(self) -> bool:
        """Whether the target of a day adds up: not if it is one of several classes."""
        return len(self.labels) <= 2

    @property
    def counted(self) -> str:
        """What adds up over rows: the target, or how many are of the positive class."""
        target = self.columns.target
        return f"{target} = {self.labels[1]}" if self.labels else target

    @property
    def first_champion(self) -> str:
        """The model that is champion before anything was decided."""
        return self.champion.initial or self.evaluation.baseline

    @property
    def column_names(self) -> list[str]:
        """Every column of the rows that a source gives, in a fixed order."""
        return self.columns.names

    @property
    def source_columns(self) -> list[str]:
        """Those of them that are read, rather than made of others, and what these are made of."""
        made = [
            *self.columns.time_of_day,
            *([self.columns.date] if self.columns.date_parts else []),
        ]
        read = self.columns.date_parts.names if self.columns.date_parts else []
        return [*dict.fromkeys([*(n for n in self.column_names if n not in made), *read])]

    def in_source_names(self) -> Self:
        """The same with the columns as the source calls them, to read with; it is not validated."""
        called = self.columns.source_names
        limits = {called.get(name, name): limit for name, limit in self.constraints.items()}
        columns = self.columns.in_source_names()
        return self.model_copy(update={"columns": columns, "constraints": limits})

    @property
    def number_columns(self) -> list[str]:
        """The columns of numbers: the target unless of classes, inputs, times, the weight."""
        c = self.columns
        others = [*c.numeric, *c.time_of_day, *([c.weight] if c.weight else [])]
        return [*([] if self.labels else [c.target]), *dict.fromkeys(others)]

    @property
    def text_columns(self) -> list[str]:
        """The columns that hold names, never guessed into numbers."""
        other = {self.columns.date, *self.number_columns}
        return [name for name in self.column_names if name not in other]

    @property
    def row_columns(self) -> list[str]:
        """The columns that say which row a forecast is of: the series, else all inputs; slices."""
        c = self.columns
        told_by = c.series or [*c.numeric, *c.categorical]
        return list(dict.fromkeys([*told_by, *self.evaluation.slices]))

    @property
    def inputs_in_advance(self) -> list[str]:
        """The inputs of a row that are said to be known in advance, the series left out."""
        c = self.columns
        return [name for name in [*c.numeric, *c.categorical] if name not in c.series]

    @property
    def days_ahead(self) -> int:
        """How many days after the newest one with a known target the day to forecast lies."""
        return self.feature_plan.days_ahead

    def day_to_come(self, day: dt.date) -> dt.date:
        """The day on which the target of a day becomes known, and which is forecast then."""
        return self.feature_plan.day_to_come(day)

    def known_before(self, day: dt.date) -> dt.date:
        """The newest day that is known when a day is forecast: whose day to come it is."""
        return self.feature_plan.newest_known(day)

    @property
    def due(self) -> DueDays:
        """The days on which rows are due, or the periods that they are of."""
        weekdays, place = tuple(self.expected.weekdays), self.expected.holidays
        return DueDays(weekdays, place, self.grain, self.week_begins)

    @property
    def newest_day_in_words(self) -> str:
        """What the newest day with a known target is called in a sentence."""
        if not self.due.daily:
            return f"the {self.grain} that has ended"
        return "yesterday" if self.days_ahead == 1 else f"the day {self.days_ahead} days ago"

    @property
    def feature_plan(self) -> FeaturePlan:
        """What the features of a day are made of."""
        return FeaturePlan(
            self.columns,
            self.features,
            self.labels,
            self.evaluation.label_delay_days,
            self.time_zone,
            self.due,
        )

    @property
    def longest_lag(self) -> int:
        """How many days before a day its features reach back."""
        return self.feature_plan.longest_lag

    @property
    def training_window(self) -> TrainingWindow:
        """Which days a model learns from."""
        loop_days = REPLAY_DAYS if self.source.kind == "replay" else 0
        return self.training.window(self.evaluation.label_delay_days, loop_days, self.due)

    @property
    def weights(self) -> Weights | None:
        """How much each row counts; None where all count alike."""
        return self.training.weights(self.columns.date, self.due, self.columns.weight)

    @property
    def inputs(self) -> Inputs:
        """The columns that models read."""
        plan = self.feature_plan
        seasonal = f"{self.columns.target}_lag_{self.due.season}"
        return Inputs(
            numeric=tuple(plan.numeric),
            categorical=tuple(plan.categorical),
            seasonal=seasonal if seasonal in plan.lag_columns else None,
            non_negative=self.non_negative,
        )

    @property
    def fit_plan(self) -> FitPlan:
        """What every fit is told, whatever its family."""
        return FitPlan(
            date=self.columns.date,
            target=self.columns.target,
            inputs=self.inputs,
            metrics=self.evaluation.made_metrics,
            classes=self.labels,
            holdout=HoldoutSplit(
                self.training.holdout_days, self.evaluation.label_delay_days, self.due
            ),
            threads=self.training.threads,
            weights=self.weights,
        )

    def constraint(self, column: str) -> Constraint:
        """What the values of a column must be."""
        if self.labels and column == self.columns.target:
            return Constraint(allowed=list(self.labels))
        limits = self.constraints.get(column, Constraint())
        least = 0.0 if limits.min is None else max(limits.min, 0.0)
        weighs = column == self.columns.weight
        return limits.model_copy(update={"min": least}) if weighs else limits

    @property
    def non_negative(self) -> bool:
        """Whether forecasts are clipped at zero."""
        lower = self.constraints.get(self.columns.target, Constraint()).min
        return lower is not None and lower >= 0

    def model(self, name: str) -> ModelSettings:
        """The settings of a model. ValueError that lists the known ones."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise ValueError(f"{name!r} is no model; the models are: {known}")

    def absolute(self, path: str) -> str:
        """A path of the settings, made absolute; a URL as it is."""
        return path if "://" in path else str(self.folder / path)

    def today(self) -> dt.date:
        return self.day_of(dt.datetime.now(dt.UTC))

    def day_of(self, time: dt.datetime) -> dt.date:
        """The day of a time in the project's time zone."""
        return time.astimezone(zoneinfo.ZoneInfo(self.time_zone)).date()

    def period_of(self, time: dt.datetime) -> dt.date:
        """The day of a time, or the first one of its week, month or quarter."""
        return self.due.start(self.day_of(time))
