"""Kinds of model for a target of classes; each forecasts a probability of every class."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import (
    Family,
    Hyperparameters,
    Inputs,
    NoHyperparameters,
    register,
)
from mlops_assets.ml.models.pipelines import linear_pipeline
from mlops_assets.ml.models.regressors import RandomForestHyperparameters
from mlops_assets.ml.models.trees import (
    HistFamily,
    TreeFamily,
    free_depth,
    leaf_count,
    leaf_penalty,
    leaf_rows,
    tree_count,
    tree_weight,
)


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

    def build(
        self, hyperparameters: NoHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
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
    ) -> sklearn.pipeline.Pipeline:
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

    def estimator(self, **options: Any) -> Any:
        return sklearn.tree.DecisionTreeClassifier(**options)


class RandomForestClassifierHyperparameters(RandomForestHyperparameters):
    min_samples_leaf: int = leaf_rows(10)


@register
class RandomForestClassifierFamily(TreeFamily):
    name = "random_forest_classifier"
    description = "The mean of many classification trees, each on a resample of the rows."
    tasks = ("classification",)
    hyperparameters = RandomForestClassifierHyperparameters

    def estimator(self, **options: Any) -> Any:
        # One thread: with more, probabilities are added up in the order in which threads arrive.
        return sklearn.ensemble.RandomForestClassifier(**options, n_jobs=1)


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

    def estimator(self, **options: Any) -> Any:
        return sklearn.ensemble.HistGradientBoostingClassifier(**options)
