"""What families of trees share: the hyperparameters that several have, and how they are built."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar

from pydantic import Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import Family, Inputs, Pipeline
from mlops_assets.ml.models.pipelines import hist_pipeline, tree_pipeline

# Each is a field of hyperparameters, with the default of the family that has it.


def tree_count(default: int, most: int, description: str = "Number of trees.") -> Any:
    return Field(default, ge=1, le=most, description=description)


def tree_weight(default: float) -> Any:
    return Field(default, gt=0, le=1, description="Weight of each further tree.")


def free_depth(default: int | None) -> Any:
    return Field(
        default,
        ge=1,
        le=64,
        description="Most questions from root to leaf; null for no limit.",
    )


def bounded_depth(default: int) -> Any:
    return Field(default, ge=1, le=32, description="Most questions from root to leaf.")


def leaf_count(default: int) -> Any:
    return Field(default, ge=2, le=4096, description="Most leaves of a tree.")


def leaf_rows(default: int, description: str = "Fewest rows in a leaf.") -> Any:
    return Field(default, ge=1, le=100_000, description=description)


def input_share(default: float) -> Any:
    return Field(default, gt=0, le=1, description="Share of the inputs tried at each split.")


def leaf_penalty(default: float) -> Any:
    return Field(
        default, ge=0, le=1_000_000, description="Strength of the penalty on large leaf values."
    )


class TreeFamily(Family):
    """A family whose estimator takes the hyperparameters by their names, and a seed."""

    made_by: ClassVar[str]
    """The class of its estimator in scikit-learn, such as `tree.DecisionTreeRegressor`."""
    fixed: ClassVar[Mapping[str, Any]] = {}
    """What it is told besides."""

    def estimator(self, **options: Any) -> Any:
        return attrgetter(self.made_by)(sklearn)(**options, **self.fixed)

    def build(self, hyperparameters: Any, inputs: Inputs, seed: int = 0) -> Pipeline:
        made = self.estimator(**hyperparameters.model_dump(mode="json"), random_state=seed)
        of_classes = "classification" in self.tasks
        return tree_pipeline(made, inputs, seed, target="auto" if of_classes else "continuous")


class HistFamily(TreeFamily):
    """A histogram boosting, which takes missing numbers and categories as they are."""

    def build(self, hyperparameters: Any, inputs: Inputs, seed: int = 0) -> Pipeline:
        values = hyperparameters.model_dump(mode="json")
        made = self.estimator(**values, early_stopping=False, random_state=seed)
        return hist_pipeline(made, inputs)
