"""Kinds of model for a target of classes; each forecasts a probability of every class."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import (
    Family,
    Hyperparameters,
    Inputs,
    NoHyperparameters,
    hist_pipeline,
    linear_pipeline,
    register,
    tree_pipeline,
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
    max_depth: int | None = Field(
        6, ge=1, le=64, description="Most questions from root to leaf; null for no limit."
    )
    min_samples_leaf: int = Field(
        50, ge=1, le=100_000, description="Fewest rows in a leaf, whose shares it forecasts."
    )
    criterion: Impurity = Field(Impurity.LOG_LOSS, description="What a split reduces.")


@register
class DecisionTreeClassifierFamily(Family):
    name = "decision_tree_classifier"
    description = "One tree that forecasts the shares of the classes in each leaf."
    tasks = ("classification",)
    hyperparameters = DecisionTreeClassifierHyperparameters

    def build(
        self, hyperparameters: DecisionTreeClassifierHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return tree_pipeline(
            sklearn.tree.DecisionTreeClassifier(
                **hyperparameters.model_dump(mode="json"), random_state=seed
            ),
            inputs,
            seed,
            target="auto",
        )


class RandomForestClassifierHyperparameters(Hyperparameters):
    n_estimators: int = Field(100, ge=1, le=2000, description="Number of trees.")
    max_depth: int | None = Field(
        None, ge=1, le=64, description="Most questions from root to leaf; null for no limit."
    )
    min_samples_leaf: int = Field(10, ge=1, le=100_000, description="Fewest rows in a leaf.")
    max_features: float = Field(
        0.33, gt=0, le=1, description="Share of the inputs tried at each split."
    )


@register
class RandomForestClassifierFamily(Family):
    name = "random_forest_classifier"
    description = "The mean of many classification trees, each on a resample of the rows."
    tasks = ("classification",)
    hyperparameters = RandomForestClassifierHyperparameters

    def build(
        self, hyperparameters: RandomForestClassifierHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        # One thread: with more, probabilities are added up in the order in which threads arrive.
        return tree_pipeline(
            sklearn.ensemble.RandomForestClassifier(
                **hyperparameters.model_dump(), random_state=seed, n_jobs=1
            ),
            inputs,
            seed,
            target="auto",
        )


class HistGradientBoostingClassifierHyperparameters(Hyperparameters):
    learning_rate: float = Field(0.1, gt=0, le=1, description="Weight of each further tree.")
    max_iter: int = Field(100, ge=1, le=5000, description="Number of trees, of each class.")
    max_leaf_nodes: int = Field(15, ge=2, le=4096, description="Most leaves of a tree.")
    min_samples_leaf: int = Field(20, ge=1, le=100_000, description="Fewest rows in a leaf.")
    l2_regularization: float = Field(
        0.0, ge=0, le=1_000_000, description="Strength of the penalty on large leaf values."
    )


@register
class HistGradientBoostingClassifierFamily(Family):
    name = "hist_gradient_boosting_classifier"
    description = "Boosted trees of the log odds on binned inputs, with native categories."
    tasks = ("classification",)
    hyperparameters = HistGradientBoostingClassifierHyperparameters

    def build(
        self,
        hyperparameters: HistGradientBoostingClassifierHyperparameters,
        inputs: Inputs,
        seed: int = 0,
    ) -> sklearn.pipeline.Pipeline:
        return hist_pipeline(
            sklearn.ensemble.HistGradientBoostingClassifier(
                **hyperparameters.model_dump(mode="json"), early_stopping=False, random_state=seed
            ),
            inputs,
        )
