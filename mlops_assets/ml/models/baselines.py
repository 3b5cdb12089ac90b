"""Kinds of model that learn next to nothing, which any other has to beat."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import (
    Family,
    Hyperparameters,
    Inputs,
    Pipeline,
    register,
)
from mlops_assets.ml.models.pipelines import input_pipeline


class SeasonalNaiveHyperparameters(Hyperparameters):
    repeats: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description=(
            "The number that is repeated: another lag such as units_lag_1 or units_lag_364, or a "
            "mean of the past; null for the target of a week ago."
        ),
    )


@register
class SeasonalNaive(Family):
    name = "seasonal_naive"
    description = "Repeats the target of a week ago: the baseline that a model has to beat."
    hyperparameters = SeasonalNaiveHyperparameters

    def check(self, hyperparameters: SeasonalNaiveHyperparameters, inputs: Inputs) -> None:
        repeated = hyperparameters.repeats
        if repeated is not None and repeated not in inputs.numeric:
            raise ValueError(
                f"repeats {repeated!r}, which is no input of numbers; these are: "
                f"{', '.join(inputs.numeric)}"
            )
        if repeated is None and inputs.seasonal is None:
            raise ValueError(
                "repeats the target of a week ago; add 7 to features.lags, or take historical_mean"
            )

    def build(
        self, hyperparameters: SeasonalNaiveHyperparameters, inputs: Inputs, seed: int = 0
    ) -> Pipeline:
        from mlops_assets.ml.estimators import SeasonalNaiveRegressor

        self.check(hyperparameters, inputs)
        repeated = hyperparameters.repeats or inputs.seasonal
        assert repeated is not None
        season = Inputs(numeric=(repeated,), categorical=(), seasonal=repeated)
        return input_pipeline(
            SeasonalNaiveRegressor(), season, numeric="passthrough", categorical="passthrough"
        )


class Middle(StrEnum):
    MEAN = "mean"
    MEDIAN = "median"


class HistoricalMeanHyperparameters(Hyperparameters):
    by: list[str] = Field(
        [],
        max_length=8,
        description=(
            "Inputs whose values are taken each by itself, such as day_of_week; none for one mean."
        ),
    )
    statistic: Middle = Field(
        Middle.MEAN,
        description="What is taken of like rows; the median has the least absolute error.",
    )


@register
class HistoricalMean(Family):
    name = "historical_mean"
    description = "The mean target of like rows: a baseline where nothing repeats by the week."
    hyperparameters = HistoricalMeanHyperparameters
    may_be_constant = True

    def check(self, hyperparameters: HistoricalMeanHyperparameters, inputs: Inputs) -> None:
        known = [*inputs.numeric, *inputs.categorical]
        unknown = [name for name in hyperparameters.by if name not in known]
        if unknown:
            raise ValueError(
                f"takes means by {unknown[0]!r}, which is no input; the inputs are: "
                f"{', '.join(known)}"
            )

    def build(
        self, hyperparameters: HistoricalMeanHyperparameters, inputs: Inputs, seed: int = 0
    ) -> Pipeline:
        from mlops_assets.ml.estimators import HistoricalMeanRegressor

        self.check(hyperparameters, inputs)
        by = hyperparameters.by
        keys = Inputs(
            numeric=tuple(name for name in inputs.numeric if name in by),
            categorical=tuple(name for name in inputs.categorical if name in by),
            seasonal=None,
        )
        return input_pipeline(
            HistoricalMeanRegressor(hyperparameters.statistic.value),
            keys,
            numeric="passthrough",
            categorical=sklearn.preprocessing.OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=-1
            ),
        )
