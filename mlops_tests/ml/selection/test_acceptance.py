"""Acceptance checks: what passes, what fails, and what they say."""

from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from mlops_assets.ml.selection.acceptance import reproducible, sound_forecasts, within

ACTUAL = np.array([1.0, 2.0, 3.0])


def test_a_loss_may_be_as_large_as_its_limit() -> None:
    assert within(0.5, 0.5, "the limit").passed
    outcome = within(0.6, 0.5, "the mae of another")
    assert not outcome.passed
    assert outcome.why == "0.6 is above 0.5, the mae of another"
    assert (outcome.value, outcome.high) == (0.6, 0.5)


@pytest.mark.parametrize(
    ("forecasts", "why"),
    [
        ([1.0, np.nan, np.inf], "2 of 3 forecasts are not finite"),
        ([2.0, 2.0, 2.0], "all 3 forecasts are 2"),
    ],
)
def test_forecasts_that_say_nothing_are_not_sound(forecasts: list[float], why: str) -> None:
    outcome = sound_forecasts(np.array(forecasts), ACTUAL)
    assert (outcome.passed, outcome.why) == (False, why)


def test_forecasts_that_differ_are_sound() -> None:
    assert sound_forecasts(np.array([1.0, 1.0, 1.5]), ACTUAL).passed


def test_one_forecast_is_enough_for_actuals_that_are_all_the_same() -> None:
    assert sound_forecasts(np.zeros(3), np.full(3, 4.0)).passed


def test_one_forecast_is_enough_of_a_kind_of_model_that_says_one() -> None:
    one, outcome = np.zeros(3), np.array([1.0, 2.0, 4.0])
    assert not sound_forecasts(one, outcome).passed
    assert sound_forecasts(one, outcome, may_be_constant=True).passed
    assert not sound_forecasts(np.full(3, np.inf), outcome, may_be_constant=True).passed


class Unseeded(RegressorMixin, BaseEstimator):
    """Forecasts noise that differs from fit to fit."""

    def fit(self, inputs: Any, target: Any) -> Self:
        self.noise_ = np.random.default_rng().random()
        return self

    def predict(self, inputs: Any) -> Any:
        return np.full(len(inputs), self.noise_)


def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({"x": random.random(700), "y": random.random(700)})


@pytest.mark.parametrize("estimator", [LinearRegression(), DecisionTreeRegressor(random_state=1)])
def test_a_seeded_pipeline_is_reproducible(estimator: Any) -> None:
    outcome = reproducible(make_pipeline(estimator), rows(), ["x"], "y")
    assert outcome.passed
    assert outcome.why == "two fits on 500 rows agree to the last bit"


def test_an_unseeded_one_is_not() -> None:
    outcome = reproducible(make_pipeline(Unseeded()), rows(), ["x"], "y")
    assert not outcome.passed
    assert outcome.why == "500 of 500 forecasts differ between two fits on the same rows"
