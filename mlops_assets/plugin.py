"""Everything that a plugin needs: a decorator and a base class for each kind of entry.

A plugin is a module that `plugins:` in `project.yaml` names. See docs/extend.md.
"""

import warnings
from typing import Any

from mlops_assets.ml.features.custom_features import Feature
from mlops_assets.ml.features.custom_features import register as feature
from mlops_assets.ml.metrics.metric import Metric
from mlops_assets.ml.metrics.metric import register as metric
from mlops_assets.ml.models.families import Family, Hyperparameters, Inputs
from mlops_assets.ml.models.families import register as family
from mlops_assets.ml.models.pipelines import input_pipeline, linear_pipeline, tree_pipeline
from mlops_assets.ml.models.splits import Split, Window
from mlops_assets.ml.models.splits import register as split
from mlops_assets.project.custom_sources import CustomSource
from mlops_assets.project.custom_sources import register as source

__all__ = [
    "CustomSource",
    "Family",
    "Feature",
    "Hyperparameters",
    "Inputs",
    "Metric",
    "Split",
    "Window",
    "family",
    "feature",
    "input_pipeline",
    "linear_pipeline",
    "metric",
    "source",
    "split",
    "tree_pipeline",
]


def __getattr__(name: str) -> Any:
    """Names that plugins of versions before 0.2 import."""
    if name == "OwnSource":
        warnings.warn("OwnSource is called CustomSource now", FutureWarning, stacklevel=2)
        return CustomSource
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
