"""Kinds of model that learn: first for a target of numbers, then for one of classes.

Those of classes forecast a probability of every class.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import (
    Family,
    Hyperparameters,
    Inputs,
    NoHyperparameters,
    Pipeline,
    register,
)
from mlops_assets.ml.models.pipelines import linear_pipeline
from mlops_assets.ml.models.trees import (
    HistFamily,
    TreeFamily,
    bounded_depth,
    free_depth,
    input_share,
    leaf_count,
    leaf_penalty,
    leaf_rows,
    tree_count,
    tree_weight,
)

# One thread: with more, what trees say is added up in the order in which the threads arrive.
ONE_THREAD = {"n_jobs": 1}
# The matrix that a pipeline makes is for its estimator alone.
IN_PLACE = {"copy_X": False}


@register
class LinearRegressionFamily(Family):
    name = "linear_regression"
    description = "Ordinary least squares on scaled numbers and one column per category."
    hyperparameters = NoHyperparameters

    def build(self, hyperparameters: NoHyperparameters, inputs: Inputs, seed: int = 0) -> Pipeline:
        return linear_pipeline(sklearn.linear_model.LinearRegression(**IN_PLACE), inputs)


class RidgeHyperparameters(Hyperparameters):
    alpha: float = Field(
        1.0, gt=0, le=1_000_000, description="Strength of the penalty on large coefficients."
    )


@register
class RidgeFamily(Family):
    name = "ridge"
    description = "Least squares with a penalty on large coefficients."
    hyperparameters = RidgeHyperparameters

    def build(
        self, hyperparameters: RidgeHyperparameters, inputs: Inputs, seed: int = 0
    ) -> Pipeline:
        estimator = sklearn.linear_model.Ridge(alpha=hyperparameters.alpha, **IN_PLACE)
        return linear_pipeline(estimator, inputs)


class TweedieHyperparameters(Hyperparameters):
    power: float = Field(
        1.5, gt=1, lt=2, description="Of the variance by the mean: 1 for counts, 2 for amounts."
    )
    alpha: float = Field(
        0.01, ge=0, le=1_000_000, description="Strength of the penalty on large coefficients."
    )


@register
class TweedieFamily(Family):
    name = "tweedie_regression"
    description = "A linear model of logarithms, for amounts of at least 0 that are often 0."
    hyperparameters = TweedieHyperparameters

    def check(self, hyperparameters: TweedieHyperparameters, inputs: Inputs) -> None:
        _need_non_negative(inputs, "forecasts amounts of at least 0")

    def build(
        self, hyperparameters: TweedieHyperparameters, inputs: Inputs, seed: int = 0
    ) -> Pipeline:
        from mlops_assets.ml.estimators import SignedLog

        self.check(hyperparameters, inputs)
        estimator = sklearn.linear_model.TweedieRegressor(
            power=hyperparameters.power, alpha=hyperparameters.alpha, link="log", max_iter=1000
        )
        return linear_pipeline(estimator, inputs, SignedLog())


class TreeCriterion(StrEnum):
    SQUARED_ERROR = "squared_error"
    POISSON = "poisson"


class DecisionTreeHyperparameters(Hyperparameters):
    max_depth: int | None = free_depth(10)
    min_samples_leaf: int = leaf_rows(20)
    criterion: TreeCriterion = Field(
        TreeCriterion.SQUARED_ERROR, description="What a split reduces; poisson suits counts."
    )


@register
class DecisionTreeFamily(TreeFamily):
    name = "decision_tree"
    description = "One regression tree."
    hyperparameters = DecisionTreeHyperparameters
    made_by = "tree.DecisionTreeRegressor"

    def check(self, hyperparameters: DecisionTreeHyperparameters, inputs: Inputs) -> None:
        if hyperparameters.criterion == TreeCriterion.POISSON:
            _need_non_negative(inputs, "splits by the criterion poisson")


class RandomForestHyperparameters(Hyperparameters):
    n_estimators: int = tree_count(100, 2000)
    max_depth: int | None = free_depth(None)
    min_samples_leaf: int = leaf_rows(5)
    max_features: float = input_share(0.33)


@register
class RandomForestFamily(TreeFamily):
    name = "random_forest"
    description = "The mean of many trees, each on a resample of the rows."
    hyperparameters = RandomForestHyperparameters
    made_by = "ensemble.RandomForestRegressor"
    fixed = ONE_THREAD


class GradientBoostingHyperparameters(Hyperparameters):
    n_estimators: int = tree_count(60, 5000)
    learning_rate: float = tree_weight(0.15)
    max_depth: int = bounded_depth(3)
    min_samples_leaf: int = leaf_rows(20)
    subsample: float = Field(0.5, gt=0, le=1, description="Share of the rows that a tree sees.")
    max_features: float = input_share(0.5)


@register
class GradientBoostingFamily(TreeFamily):
    name = "gradient_boosting"
    description = "Trees one after another, each on what the ones before left over."
    hyperparameters = GradientBoostingHyperparameters
    made_by = "ensemble.GradientBoostingRegressor"


class HistLoss(StrEnum):
    SQUARED_ERROR = "squared_error"
    ABSOLUTE_ERROR = "absolute_error"
    POISSON = "poisson"


class HistGradientBoostingHyperparameters(Hyperparameters):
    loss: HistLoss = Field(
        HistLoss.SQUARED_ERROR,
        description="What is minimised; poisson suits counts and needs a target of at least 0.",
    )
    learning_rate: float = tree_weight(0.1)
    max_iter: int = tree_count(100, 5000)
    max_leaf_nodes: int = leaf_count(31)
    min_samples_leaf: int = leaf_rows(20)
    l2_regularization: float = leaf_penalty(0.0)


@register
class HistGradientBoostingFamily(HistFamily):
    name = "hist_gradient_boosting"
    description = "Boosted trees on binned inputs: fast, with missing values and native categories."
    hyperparameters = HistGradientBoostingHyperparameters
    made_by = "ensemble.HistGradientBoostingRegressor"

    def check(self, hyperparameters: HistGradientBoostingHyperparameters, inputs: Inputs) -> None:
        if hyperparameters.loss == HistLoss.POISSON:
            _need_non_negative(inputs, "minimises the loss poisson")


@register
class Prior(Family):
    name = "prior"
    description = (
        "The share of each class in the training rows, whatever the inputs: the baseline that a "
        "model has to beat."
    )
    tasks = ("classification",)
    may_be_constant = True
    hyperparameters = NoHyperparameters

    def build(self, hyperparameters: NoHyperparameters, inputs: Inputs, seed: int = 0) -> Pipeline:
        return sklearn.pipeline.Pipeline(
            [
                ("inputs", sklearn.compose.ColumnTransformer([])),  # it reads none of them
                ("estimator", sklearn.dummy.DummyClassifier(strategy="prior")),
            ]
        )


class LogisticRegressionHyperparameters(Hyperparameters):
    C: float = Field(
        1.0, gt=0, le=1_000_000, description="Smaller values penalise large coefficients more."
    )


@register
class LogisticRegressionFamily(Family):
    name = "logistic_regression"
    description = "A linear model of the log odds, on scaled numbers and one column per category."
    tasks = ("classification",)
    hyperparameters = LogisticRegressionHyperparameters

    def build(
        self, hyperparameters: LogisticRegressionHyperparameters, inputs: Inputs, seed: int = 0
    ) -> Pipeline:
        return linear_pipeline(
            sklearn.linear_model.LogisticRegression(
                C=hyperparameters.C, max_iter=1000, random_state=seed
            ),
            inputs,
        )


class Impurity(StrEnum):
    GINI = "gini"
    LOG_LOSS = "log_loss"


class DecisionTreeClassifierHyperparameters(Hyperparameters):
    max_depth: int | None = free_depth(6)
    min_samples_leaf: int = leaf_rows(50, "Fewest rows in a leaf, whose shares it forecasts.")
    criterion: Impurity = Field(Impurity.LOG_LOSS, description="What a split reduces.")


@register
class DecisionTreeClassifierFamily(TreeFamily):
    name = "decision_tree_classifier"
    description = "One tree that forecasts the shares of the classes in each leaf."
    tasks = ("classification",)
    hyperparameters = DecisionTreeClassifierHyperparameters
    made_by = "tree.DecisionTreeClassifier"


class RandomForestClassifierHyperparameters(RandomForestHyperparameters):
    min_samples_leaf: int = leaf_rows(10)


@register
class RandomForestClassifierFamily(TreeFamily):
    name = "random_forest_classifier"
    description = "The mean of many classification trees, each on a resample of the rows."
    tasks = ("classification",)
    hyperparameters = RandomForestClassifierHyperparameters
    made_by = "ensemble.RandomForestClassifier"
    fixed = ONE_THREAD


class HistGradientBoostingClassifierHyperparameters(Hyperparameters):
    learning_rate: float = tree_weight(0.1)
    max_iter: int = tree_count(100, 5000, "Number of trees, of each class.")
    max_leaf_nodes: int = leaf_count(15)
    min_samples_leaf: int = leaf_rows(20)
    l2_regularization: float = leaf_penalty(0.0)


@register
class HistGradientBoostingClassifierFamily(HistFamily):
    name = "hist_gradient_boosting_classifier"
    description = "Boosted trees of the log odds on binned inputs, with native categories."
    tasks = ("classification",)
    hyperparameters = HistGradientBoostingClassifierHyperparameters
    made_by = "ensemble.HistGradientBoostingClassifier"


def _need_non_negative(inputs: Inputs, what: str) -> None:
    if not inputs.non_negative:
        raise ValueError(
            f"{what}, which needs a target of at least 0; choose another, or set min to 0 in the "
            "constraints of the target where it is never below"
        )
