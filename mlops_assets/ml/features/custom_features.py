"""Features as entries of a registry: each day's is made from its rows and from earlier days."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.features.feature_settings import ColumnSettings
from mlops_assets.ml.registries import Configurable, Registry


class FeatureError(ValueError):
    """A feature cannot be made; the message names the feature, the day and why."""


class Feature(Configurable, ABC):
    """Model inputs of a day; the fields of a subclass are the options of its users."""

    kind: ClassVar[Literal["numeric", "categorical"]] = "numeric"
    """How models read its columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, which may depend on its options."""
        return (self.name,)

    @property
    def reach(self) -> int:
        """How many days it reads, up to the last one known when a day is forecast."""
        return 0

    @abstractmethod
    def compute(self, rows: pd.DataFrame, earlier: pd.DataFrame, columns: ColumnSettings) -> Any:
        """Its values for the rows of one day: an array or series of shape (rows,).

        With several columns, a mapping of them to such arrays. `rows` are all rows of the day
        without the target. `earlier` are the observations of the `reach` days up to the last one
        known, target included: the day before, or with evaluation.label_delay_days so many days
        earlier. It may hold fewer days, or none. Both are copies. `columns` says which column is
        what.
        """


FEATURES: Registry[type[Feature]] = Registry("feature")
register = FEATURES.register


@register
class WeekdayMean(Feature):
    name = "weekday_mean"
    description = "Mean target of the same series on the same weekday of the weeks before."

    weeks: int = Field(4, ge=1, le=52, description="How many weeks.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (f"weekday_mean_{self.weeks}",)

    @property
    def reach(self) -> int:
        return 7 * self.weeks

    def compute(self, rows: pd.DataFrame, earlier: pd.DataFrame, columns: ColumnSettings) -> Any:
        if rows.empty or earlier.empty:
            return [float("nan")] * len(rows)
        weekday = rows[columns.date].iloc[0].dayofweek
        same = earlier[earlier[columns.date].dt.dayofweek == weekday]
        if not columns.series:
            return [same[columns.target].mean()] * len(rows)
        means = same.groupby(columns.series)[columns.target].mean()
        keys = pd.MultiIndex.from_frame(rows[columns.series])
        return means.reindex(keys if len(columns.series) > 1 else keys.get_level_values(0))


def add_custom_features(
    features: Sequence[Feature],
    columns: ColumnSettings,
    observations: pd.DataFrame,
    rows: pd.DataFrame,
    broken: dict[str, FeatureError] | None = None,
    delay_days: int = 0,
    due: DueDays = EVERY_DAY,
) -> pd.DataFrame:
    """The rows, of one or more days, with the columns of these features.

    A feature gets a day at a time, its target left out, and only observations of earlier days, the
    last `delay_days` before it left out. Where one cannot be made, FeatureError; with `broken`, the
    day is left out and named there.
    """
    if not features or rows.empty:
        return rows.assign(**{name: [] for one in features for name in one.columns})
    dates = observations[columns.date]
    if not dates.is_monotonic_increasing:
        observations = observations.sort_values(columns.date, kind="stable")
        dates = observations[columns.date]
    parts = []
    for day, of_day in rows.groupby(columns.date, sort=False):
        try:
            made = [
                _of_one_day(
                    feature,
                    columns,
                    of_day.drop(columns=columns.target).reset_index(drop=True),
                    observations.iloc[slice(*_earlier(dates, day, feature.reach, delay_days, due))],
                )
                for feature in features
            ]
        except FeatureError as error:
            if broken is None:
                raise
            broken[f"{day:%Y-%m-%d}"] = error
        else:
            values = {name: column for one in made for name, column in one.items()}
            parts.append(of_day.assign(**values))
    return pd.concat(parts).sort_index() if parts else rows.iloc[:0]


def _earlier(
    dates: pd.Series[pd.Timestamp], day: Any, reach: int, delay_days: int, due: DueDays
) -> tuple[int, int]:
    """The positions of the days [day - delay - reach, day - delay)."""
    end = due.back(day.date(), delay_days)
    first, last = dates.searchsorted([pd.Timestamp(due.back(end, reach)), pd.Timestamp(end)])
    return int(first), int(last)


def _of_one_day(
    feature: Feature, columns: ColumnSettings, rows: pd.DataFrame, earlier: pd.DataFrame
) -> dict[str, Any]:
    """The columns of one feature for the rows of a day, checked."""
    day = f"{rows[columns.date].iloc[0]:%Y-%m-%d}"
    try:
        found = feature.compute(rows.copy(), earlier.reset_index(drop=True), columns)
        return checked(feature, found, len(rows))
    except Exception as error:  # a plugin's code may raise anything; the day alone pays for it
        raise FeatureError(
            f"feature {feature.name} of {day}: {type(error).__name__}: {error}; "
            f"`mlops-assets check` tests what plugins register"
        ) from error


def checked(feature: Feature, found: Any, rows: int) -> dict[str, Any]:
    """What `compute` returned as arrays by column. ValueError when it is not what was declared."""
    by_column = found if isinstance(found, Mapping) else dict.fromkeys(feature.columns[:1], found)
    if sorted(by_column) != sorted(feature.columns):
        raise ValueError(
            f"it declares the columns {', '.join(feature.columns)}, "
            f"but makes {', '.join(map(str, by_column))}"
        )
    arrays = {}
    for name in feature.columns:
        values = np.asarray(by_column[name], dtype=float if feature.kind == "numeric" else object)
        if values.shape != (rows,):
            raise ValueError(
                f"{name} has shape {values.shape} for {rows} rows; make one value per row"
            )
        if feature.kind == "categorical":
            values = np.array(
                [None if value is None or value != value else str(value) for value in values],
                dtype=object,
            )
        elif np.isinf(values).any():
            raise ValueError(f"{name} holds infinity; use NaN for what is not known")
        arrays[name] = values
    return arrays
