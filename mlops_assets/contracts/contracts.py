"""What every family, metric, feature, split and source must hold, and what is wrong with one.

Each kind has its module, whose functions yield problems in words. The command `mlops-assets check`,
the pytest plugin and the tests of the built-in entries share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlops_assets.contracts.family_contract import family_problems
from mlops_assets.contracts.feature_contract import feature_problems
from mlops_assets.contracts.metric_contract import metric_problems
from mlops_assets.contracts.source_contract import custom_source_problems
from mlops_assets.contracts.split_contract import split_problems
from mlops_assets.contracts.wording import Problems
from mlops_assets.ml.features.custom_features import FEATURES
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.ml.models.splits import SPLITS
from mlops_assets.ml.registries import Registry
from mlops_assets.project import ColumnSettings
from mlops_assets.project.custom_sources import CUSTOM_SOURCES

CONTRACTS: dict[str, tuple[Registry[Any], Callable[[Any], Problems]]] = {
    "family": (FAMILIES, family_problems),
    "metric": (METRICS, metric_problems),
    "feature": (FEATURES, feature_problems),
    "split": (SPLITS, split_problems),
    "source": (CUSTOM_SOURCES, custom_source_problems),
}


def problems_of(kind: str, name: str, columns: ColumnSettings | None = None) -> Problems:
    """The problems of a registered entry by its kind, such as `family`, and its name.

    A feature is tried on rows of these columns, where they are given.
    """
    registry, find = CONTRACTS[kind]
    try:
        entry = registry.find(name)
        if kind == "feature" and columns is not None:
            yield from feature_problems(entry, columns)
        else:
            yield from find(entry)
    except Exception as error:  # an entry's code may raise anything, which is what is asked here
        yield f"it raises {type(error).__name__}: {error}"
