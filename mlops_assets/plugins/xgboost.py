"""The family `xgboost`: `pip install "mlops_assets[xgboost]"`, then `plugins: [xgboost]`."""

from typing import Any

from pydantic import Field

from mlops_assets.lazy import xgboost
from mlops_assets.ml.models.trees import TreeFamily, bounded_depth, tree_count, tree_weight
from mlops_assets.plugin import Hyperparameters, family


class XGBoostHyperparameters(Hyperparameters):
    n_estimators: int = tree_count(100, 5000)
    learning_rate: float = tree_weight(0.1)
    max_depth: int = bounded_depth(6)
    min_child_weight: float = Field(
        1.0, ge=0, le=100_000, description="Fewest rows in a leaf, by weight."
    )


@family
class XGBoost(TreeFamily):
    name = "xgboost"
    description = "Boosted trees of XGBoost, on binned inputs."
    hyperparameters = XGBoostHyperparameters
    # A booster is stored as the bytes of its trees, which XGBoost's own parser reads.
    trusted_types = (
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBRegressor",
    )

    def estimator(self, **options: Any) -> Any:
        return xgboost.XGBRegressor(**options, n_jobs=1)
