"""The settings of columns and features: which there are, and what they are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field

from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import Place
from mlops_assets.ml.metrics.metric import WEIGHT
from mlops_assets.ml.settings import UNLESS_EMPTY, Column, Columns, Days, Settings, distinct
from mlops_assets.ml.values import text_of

AS_NAME = BeforeValidator(text_of, json_schema_input_type=str | bool | int | float)
Marker = Annotated[str, AS_NAME, Field(min_length=1)]


class CalendarFeature(StrEnum):
    """A number read off the date alone, so that it is known in advance."""

    DAY_OF_WEEK = "day_of_week"
    DAY_OF_MONTH = "day_of_month"
    DAY_OF_YEAR = "day_of_year"
    WEEK_OF_YEAR = "week_of_year"
    MONTH = "month"
    IS_WEEKEND = "is_weekend"


HOLIDAYS = "is_holiday"
EVES = "is_holiday_eve"


class TimePart(StrEnum):
    """A number read off the time of a row, by the name of the column that holds it."""

    HOUR = "hour"
    QUARTER_HOUR = "quarter_hour"
    FOLD = "fold"


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
    LAST = "last"


class DateParts(Settings):
    """Columns that together say the day of a row, and perhaps the hour."""

    year: Column
    month: Column
    """Numbers, or names such as Jan."""
    day: Column
    hour: Column | None = None

    @property
    def names(self) -> list[str]:
        """The columns, the year first."""
        return [name for name in (self.year, self.month, self.day, self.hour) if name]


class ColumnSettings(Settings):
    date: Column
    """The column that says which day a row belongs to."""
    date_parts: DateParts | None = None
    """Columns of the source that the date is made of, where none holds it."""
    target: Column
    """The column to forecast."""
    series: Columns = []
    """Columns that together name a series, one row per series and day; empty for plain rows."""
    numeric: Columns = []
    """Columns known in advance that models read as numbers."""
    categorical: Columns = []
    """Columns known in advance that models read as categories."""
    weight: Annotated[Column, UNLESS_EMPTY] | None = None
    """The column that says how much a row counts, in training and in all metrics: a number of at
    least 0, such as how many people answered. None: every row counts alike."""
    absent: Literal["missing", "zero"] = "missing"
    """What a series without a row is on a day on which others have one: nothing, or a row with
    the target 0, from its first row on, as where rows are written only when something is sold."""
    units: dict[str, Column] = {}
    """What stands before or after the numbers of a column, such as € or kg, and is no part of
    them."""
    source_names: dict[str, Column] = {}
    """What columns are called in the source, where that is not their name here: names such as
    `row` are taken by what is stored beside forecasts."""
    missing: dict[str, Annotated[list[Marker], Field(min_length=1), AfterValidator(distinct)]] = {}
    """What stands in a column where there is no value: texts such as N/A, numbers such as -999, and
    bounds such as `> 1000`, beyond which no value is believed."""
    time_of_day: Annotated[list[TimePart], AfterValidator(distinct), UNLESS_EMPTY] = []
    """Columns made of the times in the date column, for use among those above: `hour` (0 to 23),
    `quarter_hour` (0 to 3), and `fold`: 1 in an hour that comes again as clocks are put back."""

    @pydantic.model_validator(mode="after")
    def _weight_of_its_own(self) -> Self:
        others = [self.date, self.target, *self.series, *self.categorical, *self.time_of_day]
        if self.weight in others:
            raise ValueError(
                f"weight {self.weight!r} has another role already; name a column of numbers, which "
                "may be one of numeric as well"
            )
        return self

    def weights_of(self, rows: pd.DataFrame) -> dict[str, pd.Series[float]]:
        """The column beside forecasts that says how much rows count, where they differ."""
        return {} if self.weight is None else {WEIGHT: rows[self.weight]}

    def in_source_names(self) -> Self:
        """The same columns as the source calls them."""
        called = self.source_names
        told: dict[str, Any] = {
            kind: [called.get(name, name) for name in getattr(self, kind)]
            for kind in ("series", "numeric", "categorical")
        }
        single = {kind: getattr(self, kind) for kind in ("date", "target", "weight")}
        told |= {kind: called.get(name, name) for kind, name in single.items()}
        missing = {called.get(name, name): found for name, found in self.missing.items()}
        units = {called.get(name, name): unit for name, unit in self.units.items()}
        more = {"missing": missing, "units": units, "source_names": {}}
        return self.model_copy(update={**told, **more})

    @property
    def names(self) -> list[str]:
        """Every column of the rows that a source gives, in a fixed order."""
        inputs = [*self.numeric, *self.categorical, *([self.weight] if self.weight else [])]
        return list(dict.fromkeys([self.date, *self.series, self.target, *inputs]))


class AggregateSettings(Settings):
    """Makes one row per day and key out of many, such as days out of hours."""

    by: Columns | None = None
    """Columns that tell rows of a day apart; those of the series where they are not named."""
    target: Literal[
        Reduction.SUM,
        Reduction.MEAN,
        Reduction.MEDIAN,
        Reduction.MIN,
        Reduction.MAX,
        Reduction.LAST,
    ]
    """What the targets of a day come to. `sum` is missing where one of them is; `last` is the last
    one that is there, in the order of the source."""
    inputs: dict[str, Reduction] = {}
    """What each input that is not in `by` comes to; `most_common` is for text, `last` for all."""
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

    def key(self, series: list[str]) -> list[str]:
        """The columns that tell rows of a day apart once they are aggregated."""
        return series if self.by is None else self.by


class LaggedAggregate(Settings):
    """What the rows of the days before come to, whichever rows the day itself has."""

    by: Columns = []
    """Series or categorical columns whose values are taken each by itself; none for all rows."""
    of: Column | None = None
    """The target or a numeric column; the target where none is named."""
    statistic: Statistic = Statistic.MEAN
    """What the values come to. `count` and `sum` are 0 on a day without rows of the key."""
    lags: Annotated[list[Days], AfterValidator(distinct)] = []
    """Of the day so many days ago."""
    windows: Annotated[list[Days], AfterValidator(distinct)] = []
    """Of all rows together of so many days, up to the last one known: the day before, or earlier
    with evaluation.label_delay_days."""

    @pydantic.model_validator(mode="after")
    def _some_days(self) -> Self:
        if not self.lags and not self.windows:
            raise ValueError("name lags, windows or both, such as lags: [1, 7]")
        return self

    def reach(self, delay_days: int = 0, gap: int = 0) -> int:
        """How many days before a day it looks back on, where targets are known so much later.

        And where rows are not due on as many days as the gap in a row.
        """
        lags = (days + gap for days in self.lags)
        return max([*lags, *(days + delay_days for days in self.windows)])

    def columns(self, target: str) -> dict[str, tuple[str, int]]:
        """The names of its features, each with `lag` or `last` and the days."""
        stem = "_".join([self.of or target, self.statistic, *(["by", *self.by] if self.by else [])])
        days = [("lag", days) for days in self.lags] + [("last", days) for days in self.windows]
        return {f"{stem}_{kind}_{count}": (kind, count) for kind, count in days}


class FeatureSettings(Settings):
    lags: Annotated[list[Days], AfterValidator(distinct)] = []
    """The target of the same series so many days ago."""
    rolling_means: Annotated[list[Days], AfterValidator(distinct)] = []
    """The mean target of the same series over so many days, up to the last one known: the day
    before, or earlier with evaluation.label_delay_days."""
    calendar: Annotated[list[CalendarFeature], AfterValidator(distinct)] = []
    """Numbers read off the date."""
    holidays: Place | None = None
    """Whose public holidays make the inputs `is_holiday` and `is_holiday_eve`: a country such as
    DE, a part of one such as DE-BY, or a market such as XNYS."""
    lagged_aggregates: list[LaggedAggregate] = []
    """Sums, means and the like of the rows of the days before, by chosen columns."""
    custom: list[str | dict[str, dict[str, Any]]] = []
    """Names of registered features, a plugin's among them, each with options where it has any."""
