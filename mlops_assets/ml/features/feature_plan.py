"""What the features of a day are made of: the sections that say so, and what follows from them."""

import datetime as dt
from dataclasses import dataclass

from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.features.custom_features import FEATURES, Feature
from mlops_assets.ml.features.feature_settings import (
    EVES,
    HOLIDAYS,
    ColumnSettings,
    FeatureSettings,
    LaggedAggregate,
    TimePart,
)
from mlops_assets.ml.registries import choose


@dataclass(frozen=True)
class FeaturePlan:
    """Which features there are, of which columns, and how late the target of a day is known."""

    columns: ColumnSettings
    features: FeatureSettings
    classes: tuple[str, ...] = ()
    """The classes in the order of the numbers that stand for them, none for a regression."""
    label_delay_days: int = 0
    """How many days after a day has ended its target is known."""
    time_zone: str = "UTC"
    due: DueDays = EVERY_DAY
    """The days on which rows are due; a lag of another day is that of the last one before it."""

    @property
    def days_ahead(self) -> int:
        """How many days after the newest one with a known target the day to forecast lies."""
        return 1 + self.label_delay_days

    @property
    def times(self) -> list[TimePart]:
        """The parts of the time that tell rows of a series apart, where it has many a day."""
        return [part for part in self.columns.time_of_day if part in self.columns.series]

    @property
    def by_series(self) -> bool:
        """Whether each series has its own days, rather than a row, or a 0, on every day."""
        absent = self.columns.absent == "missing"
        return bool(self.columns.series) and absent and not self.times

    @property
    def followed(self) -> list[str]:
        """What names the series whose past is followed: an hour that comes again has that of it."""
        return [name for name in self.columns.series if name != TimePart.FOLD]

    def newest_known(self, day: dt.date) -> dt.date:
        """The newest day that is known when a day is forecast: the last due one so long before."""
        return self.due.before(self.due.back(day, self.label_delay_days))

    def day_to_come(self, day: dt.date) -> dt.date:
        """The day that is forecast when a day is the newest one that is known."""
        return self.due.after(self.due.back(day, -self.label_delay_days))

    @property
    def longest_lag(self) -> int:
        """How many days before a day its features reach back."""
        delay = self.label_delay_days
        means = (days + delay for days in self.features.rolling_means)
        lagged = (one.reach(delay) for one in self.features.lagged_aggregates)
        custom = (feature.reach + delay for feature in self.custom if feature.reach)
        return max([*self.features.lags, *means, *lagged, *custom], default=0)

    @property
    def days_read(self) -> list[int]:
        """How many days before its own the days lie whose rows the features of a day read."""
        windows = [*self.features.rolling_means, *(feature.reach for feature in self.custom)]
        lags = [*self.features.lags]
        for lagged in self.features.lagged_aggregates:
            windows += lagged.windows
            lags += lagged.lags
        lags = [lag + back for lag in lags for back in range(self.due.longest_gap + 1)]
        longest = max(windows, default=0)
        return sorted({0, *lags, *range(self.days_ahead, self.days_ahead + longest)})

    @property
    def lag_columns(self) -> dict[str, int]:
        """The lags by the names of their features."""
        return {f"{self.columns.target}_lag_{days}": days for days in self.features.lags}

    @property
    def rolling_columns(self) -> dict[str, int]:
        """The windows of the rolling means by the names of their features."""
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
    def custom(self) -> list[Feature]:
        """The registered features that the settings name, with their options."""
        return [choose(FEATURES, choice) for choice in self.features.custom]

    @property
    def custom_columns(self) -> list[str]:
        return [name for feature in self.custom for name in feature.columns]

    @property
    def built_in_columns(self) -> list[str]:
        """The columns of features that are not custom; one named more than once is there so."""
        target = self.columns.target
        lagged = (one.columns(target) for one in self.features.lagged_aggregates)
        return [
            *self.lag_columns,
            *self.rolling_columns,
            *(name for columns in lagged for name in columns),
            *(feature.value for feature in self.features.calendar),
            *((HOLIDAYS, EVES) if self.features.holidays else ()),
        ]

    @property
    def computed_numbers(self) -> list[str]:
        """The columns of features that models read as numbers, the known inputs left out."""
        return [*self.built_in_columns, *self._custom_of("numeric")]

    @property
    def numeric(self) -> list[str]:
        """All columns that models read as numbers."""
        return [*self.computed_numbers, *self.columns.numeric]

    @property
    def categorical(self) -> list[str]:
        """All columns that models read as categories."""
        return [*self.columns.categorical, *self._custom_of("categorical")]

    def _custom_of(self, kind: str) -> list[str]:
        return [name for one in self.custom if one.kind == kind for name in one.columns]
