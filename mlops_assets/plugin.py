"""Everything that a plugin needs: a decorator and a base class for each kind of entry.

A plugin is a module that `plugins:` in `project.yaml` names. See docs/extend.md.
"""

from mlops_assets.ml.families import (
    Family,
    Hyperparameters,
    Inputs,
    linear_pipeline,
    tree_pipeline,
)
from mlops_assets.ml.families import _pipeline as input_pipeline
from mlops_assets.ml.families import register as family
from mlops_assets.ml.metrics import Metric
from mlops_assets.ml.metrics import register as metric
from mlops_assets.ml.own_features import Feature
from mlops_assets.ml.own_features import register as feature
from mlops_assets.ml.own_sources import OwnSource
from mlops_assets.ml.own_sources import register as source
from mlops_assets.ml.splits import Split, Window
from mlops_assets.ml.splits import register as split

__all__ = [
    "Family",
    "Feature",
    "Hyperparameters",
    "Inputs",
    "Metric",
    "OwnSource",
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
