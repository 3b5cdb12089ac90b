"""Versions of past windows with what they forecast, each made once whoever asks for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.metrics.metric import FloatArray, Metric
from mlops_assets.ml.models.families import Hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.ml.models.training import (
    FitPlan,
    FittedWindow,
    fit_window,
    forecast,
    input_columns,
)
from mlops_assets.ml.monitoring.distribution import Drift, Reference, forecast_columns, reference_of
from mlops_assets.ml.monitoring.monitoring_settings import DriftSettings

ONE_DAY = dt.timedelta(days=1)

Key = tuple[str, str, dt.date, dt.date]
Distances = dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Version:
    """What was fitted on a window: a TrainedVersion that is not stored."""

    key: Key
    """Family, hyperparameters, first and last day learned from."""
    window: FittedWindow
    inputs: list[str]
    non_negative: bool
    classes: list[str]
    serves_from: dt.date
    serves_before: dt.date | None

    @property
    def version(self) -> str:
        return f"the version that learned from {self.trained_from} through {self.trained_through}"

    @property
    def trained_from(self) -> dt.date:
        return self.key[2]

    @property
    def trained_through(self) -> dt.date:
        return self.key[3]

    def pipeline(self) -> sklearn.pipeline.Pipeline:
        return self.window.fit.pipeline


Learned = Callable[[dt.date, int, bool], Window]
Accept = Callable[[Version, Version | None], "Mapping[str, CheckResult]"]


@dataclass
class _Forecasts:
    """Of all rows, those of the positions [start, stop) being known."""

    values: FloatArray
    start: int
    stop: int


@dataclass
class Workshop:
    """The features of a project by day, and what was made of them.

    `learned` says which days a version learns from that serves from a day on, with so many months
    and with or without the gap of the settings, and raises ValueError where too few of them are
    there; `serves_before` which day is the first that comes again of those from a day on, if any
    does. `accept` is asked for the acceptance checks of a version against the one in service.
    """

    feature_plan: FeaturePlan
    fit_plan: FitPlan
    metric: Metric
    """The one that ranks the models."""
    family: str
    features: pd.DataFrame
    """Sorted by date."""
    learned: Learned
    accept: Accept
    serves_before: Callable[[dt.date], dt.date | None]
    fits: int = 0
    _versions: dict[Key, Version] = field(default_factory=dict)
    _accepted: dict[tuple[Key, Key | None], str] = field(default_factory=dict)
    _forecasts: dict[Key, _Forecasts] = field(default_factory=dict)
    _references: dict[tuple[Key, int], Reference] = field(default_factory=dict)
    _judges: dict[tuple[Key, DriftSettings], Reference] = field(default_factory=dict)
    _distances: dict[tuple[Key, int, dt.date], Distances | None] = field(default_factory=dict)

    def rows(self, first: dt.date, last: dt.date) -> slice:
        """The positions of the rows of the days from the first to the last."""
        dates = self.features[self.fit_plan.date]
        start, stop = dates.searchsorted([pd.Timestamp(first), pd.Timestamp(last + ONE_DAY)])
        return slice(int(start), int(stop))

    def version(
        self, hyperparameters: Hyperparameters, end: dt.date, months: int, *, gap: bool
    ) -> Version:
        """What the days before `end` teach. ValueError where too few of them are there."""
        learned = self.learned(end, months, gap)
        rows = self.features.iloc[self.rows(learned.start, learned.end - ONE_DAY)]
        dates = rows[self.fit_plan.date]
        first, last = dates.min().date(), dates.max().date()
        key = (self.family, hyperparameters.model_dump_json(), first, last)
        if key not in self._versions:
            window = fit_window(self.fit_plan, self.family, hyperparameters, rows, learned.end)
            self.fits += 1
            self._versions[key] = Version(
                key,
                window,
                input_columns(self.fit_plan.inputs),
                self.fit_plan.inputs.non_negative,
                list(self.fit_plan.classes),
                self.feature_plan.due.back(last, -self.feature_plan.days_ahead),
                self.serves_before(first),
            )
        return self._versions[key]

    def refusal(self, version: Version, in_service: Version | None) -> str:
        """Why a version does not enter service, empty where it does."""
        key = (version.key, None if in_service is None else in_service.key)
        if key not in self._accepted:
            checks = self.accept(version, in_service)
            self._accepted[key] = "; ".join(
                f"{name}: {check.why}" for name, check in checks.items() if not check.passed
            )
        return self._accepted[key]

    def forecast(self, version: Version, first: dt.date, last: dt.date) -> FloatArray:
        """What `ml.training.forecast` gives for the days from the first to the last.

        NaN where it is not finite.
        """
        asked = self.rows(first, last)
        several = (len(version.classes),) if len(version.classes) > 2 else ()
        known = self._forecasts.setdefault(
            version.key,
            _Forecasts(np.full((len(self.features), *several), np.nan), asked.start, asked.start),
        )
        for start, stop in ((asked.start, known.start), (known.stop, asked.stop)):
            if start < stop:
                values = forecast(
                    version.pipeline(),
                    self.features.iloc[start:stop][version.inputs],
                    non_negative=version.non_negative,
                    classes=version.classes,
                )
                known.values[start:stop] = np.where(np.isfinite(values), values, np.nan)
        known.start, known.stop = min(known.start, asked.start), max(known.stop, asked.stop)
        return known.values[asked]

    def drifts(self, version: Version, settings: DriftSettings, day: dt.date) -> list[Drift] | None:
        """How far what counts has moved in the days up to one, by importance and excess.

        None where too few days are there to be compared.
        """
        measured = self._measure(version, settings, day)
        if measured is None:
            return None
        key = (version.key, settings)
        if key not in self._judges:
            self._judges[key] = self._reference(version, settings).judged_by(settings)
        return self._judges[key].judge(measured)

    def _measure(self, version: Version, settings: DriftSettings, day: dt.date) -> Distances | None:
        """The distances of the columns, which do not depend on any limit."""
        key = (version.key, settings.window_days, day)
        if key not in self._distances:
            first = self.feature_plan.due.back(day, settings.window_days - 1)
            recent = self._with_forecasts(version, first, day)
            reference = self._reference(version, settings)
            enough = recent[self.fit_plan.date].nunique() >= settings.min_days
            self._distances[key] = (
                reference.measure(recent) if enough and reference.measured else None
            )
        return self._distances[key]

    def _reference(self, version: Version, settings: DriftSettings) -> Reference:
        """Of the inputs whose drift is an alarm: the others are only listed by the live system."""
        key = (version.key, settings.window_days)
        if key not in self._references:
            importance = version.window.fit.importance
            total = sum(max(value, 0.0) for value in importance.values()) or 1.0
            self._references[key] = reference_of(
                self.feature_plan,
                settings,
                self._with_forecasts(version, version.trained_from, version.trained_through),
                [
                    name
                    for name in version.inputs
                    if importance.get(name, 0.0) / total > settings.min_importance
                ],
                importance,
            )
        return self._references[key]

    def _with_forecasts(self, version: Version, first: dt.date, last: dt.date) -> pd.DataFrame:
        rows = self.features.iloc[self.rows(first, last)]
        values = self.forecast(version, first, last).reshape(len(rows), -1)
        names = forecast_columns(version.classes)
        return rows.assign(**dict(zip(names, values.T, strict=True)))
