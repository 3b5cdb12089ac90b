"""Families, the kinds of model: what each says of itself, and those that are known by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from mlops_assets.lazy import sklearn
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.ml.registries import Registry, parse_options
from mlops_assets.ml.settings import NoFlags

Pipeline: TypeAlias = "sklearn.pipeline.Pipeline"

# What a stored pipeline may hold beyond the types that skops trusts by itself. Each was read:
# none runs code when it is restored, and a partial may only hold a function that is trusted too.
TRUSTED_TYPES = (
    "functools.partial",
    "mlops_assets.ml.estimators.EmptyAsZero",
    "mlops_assets.ml.estimators.HistoricalMeanRegressor",
    "mlops_assets.ml.estimators.MissingAsNone",
    "mlops_assets.ml.estimators.SeasonalNaiveRegressor",
    "mlops_assets.ml.estimators.SignedLog",
    "numpy.dtype",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)


@dataclass(frozen=True)
class Inputs:
    """The columns that a pipeline reads."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    seasonal: str | None
    """The numeric column that holds the target one season ago, where there is one."""
    non_negative: bool = True
    """Whether the target is never below zero."""


class Hyperparameters(NoFlags):
    """What a person may choose of a family: each field with a default, bounds and a description."""


class NoHyperparameters(Hyperparameters):
    """Nothing to choose."""


class Family(ABC):
    """A kind of model. `build` returns an unfitted, seeded scikit-learn pipeline.

    The pipeline reads a frame with the columns of `inputs`, encodes and imputes them itself and
    takes categories that it has never seen.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    """What kinds of target it is for."""
    hyperparameters: ClassVar[type[Hyperparameters]]
    trusted_types: ClassVar[tuple[str, ...]] = ()
    """Types that its fitted pipeline holds beyond those trusted already, such as
    `module.Class`. Loading a version restores them: read that none runs code when restored."""
    may_be_constant: ClassVar[bool] = False
    """Whether one forecast for all rows is sound."""

    def check(self, hyperparameters: Any, inputs: Inputs) -> None:  # noqa: B027 - most refuse none
        """ValueError when such a model cannot be built for these inputs; light, unlike `build`."""

    @abstractmethod
    def build(self, hyperparameters: Any, inputs: Inputs, seed: int = 0) -> Pipeline: ...


FAMILIES: Registry[Family] = Registry("family")


def register(family: type[Family]) -> type[Family]:
    """Make a family known under its name."""
    FAMILIES.add(family, family())
    return family


def get_family(name: str) -> Family:
    """The family of that name. ValueError that lists the known ones."""
    return FAMILIES.find(name)


def trusted_types() -> list[str]:
    """What a stored pipeline of the known families may hold."""
    declared = (name for family in FAMILIES.values() for name in family.trusted_types)
    return list(dict.fromkeys([*TRUSTED_TYPES, *declared]))


def parse_hyperparameters(family: str, values: Mapping[str, object]) -> Hyperparameters:
    """The hyperparameters of a family, defaults filled in.

    ValueError that names the family, the field, the value and what is allowed.
    """
    return parse_options(get_family(family).hyperparameters, values, family, "hyperparameter")


SHORT_NAMES = {
    "decision_tree_classifier": "tree",
    "hist_gradient_boosting_classifier": "hist_boosting",
    "logistic_regression": "logistic",
    "random_forest_classifier": "forest",
    "hist_gradient_boosting": "hist_boosting",
    "gradient_boosting": "boosting",
    "decision_tree": "tree",
    "random_forest": "forest",
    "learning_rate": "lr",
    "max_leaf_nodes": "leaves",
    "min_samples_leaf": "leaf",
    "max_iter": "trees",
    "n_estimators": "trees",
    "max_depth": "depth",
    "max_features": "features",
    "l2_regularization": "l2",
}


def default_name(family: str, hyperparameters: Hyperparameters) -> str:
    """A name that says the family and what differs from its defaults: hist_boosting_lr005."""
    parts = [SHORT_NAMES.get(family, family)]
    for name, value in hyperparameters.model_dump(mode="json").items():
        if value == type(hyperparameters).model_fields[name].default:
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value).lower()
        text = "".join(character for character in text if character.isalnum())
        # a word such as poisson says enough without the name of what it is chosen for
        named = isinstance(value, int | float) or value is None
        parts.append(f"{SHORT_NAMES.get(name, name)}{text}" if named else text)
    return "_".join(parts)
