"""The contract of a family finds each way of breaking it, and says it in words."""

from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from mlops_assets.contracts.examples import example_rows, example_target
from mlops_assets.contracts.family_contract import family_problems
from mlops_assets.ml.models.families import (
    FAMILIES,
    Family,
    Hyperparameters,
    Inputs,
    NoHyperparameters,
)


class Bent(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Breaks what it is told to break."""

    def __init__(self, how: str = "") -> None:
        self.how = how

    def fit(self, X: Any, y: Any) -> "Bent":  # noqa: N803 - scikit-learn's name
        if self.how == "picky" and X.isna().to_numpy().any():
            raise ValueError("no gaps, please")
        self.mean_ = float(np.mean(y))
        if self.how == "rude":
            X.loc[:, X.columns[0]] = 0
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        values = np.full(len(X), self.mean_)
        match self.how:
            case "infinite":
                values[:3] = np.inf
            case "one":
                return values[:1]
            case "nosy":
                return values + ("note" in X)
        return values


class Odd(Family):
    name = "odd"
    description = "For tests."
    hyperparameters: ClassVar[type[Hyperparameters]] = NoHyperparameters
    trusted_types = ("mlops_tests.contracts.test_family_contract.Bent",)

    def __init__(self, how: str = "") -> None:
        self.how = how

    def build(self, hyperparameters: Any, inputs: Inputs, seed: int = 0) -> Any:
        numbers = ColumnTransformer([("numbers", SimpleImputer(), ["units_lag_7"])])
        match self.how:
            case "bare":
                return LinearRegression()
            case "fitted":
                pipeline = make_pipeline(Bent())
                return pipeline.fit(example_rows(20, seed=1), example_target(20))
            case "unseeded":
                return make_pipeline(numbers, ExtraTreesRegressor(3, bootstrap=True))
        return make_pipeline(Bent(self.how))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("bare", "build returns LinearRegression, not a scikit-learn Pipeline"),
        ("fitted", "fitted already"),
        ("unseeded", "two fits on the same rows forecast differently"),
        ("picky", "does not fit and forecast rows with missing values"),
        ("infinite", "3 of 60 forecasts are not finite"),
        ("one", "forecasts shape (1,) for 60 rows"),
        ("nosy", "depend on columns that are no inputs"),
        ("rude", "changes the rows that it is given"),
    ],
)
def test_families(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = Odd(how)
    monkeypatch.setitem(FAMILIES, "odd", family)
    assert words in " ".join(family_problems(family))


def test_types_that_nobody_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    family = Odd()
    monkeypatch.setitem(FAMILIES, "odd", family)
    assert list(family_problems(family)) == []
    monkeypatch.setattr(Odd, "trusted_types", ())
    assert (
        "holds mlops_tests.contracts.test_family_contract.Bent, which no family declares"
        in " ".join(family_problems(family))
    )


def test_hyperparameters_without_default_bounds_or_description() -> None:
    class Loose(Hyperparameters):
        depth: int
        rate: float = 0.1

    class Sloppy(Odd):
        description = "no full stop"
        hyperparameters = Loose

    assert list(family_problems(Sloppy())) == [
        "description is 'no full stop'; say in a sentence, with a full stop, what it is",
        "hyperparameter depth has no default: a model that leaves it out cannot be trained",
        "hyperparameter depth has no description: the launchpad shows none",
        "hyperparameter depth has no bounds: give Field its ge, gt, le or lt",
        "hyperparameter rate has no description: the launchpad shows none",
        "hyperparameter rate has no bounds: give Field its ge, gt, le or lt",
    ]
