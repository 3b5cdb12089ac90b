"""The family `xgboost`: `pip install "mlops_assets[xgboost]"`, then `plugins: [xgboost]`."""

from typing import Any

from pydantic import Field

from mlops_assets.lazy import xgboost
from mlops_assets.plugin import Family, Hyperparameters, Inputs, family, tree_pipeline


class XGBoostHyperparameters(Hyperparameters):
    n_estimators: int = Field(100, ge=1, le=5000, description="Number of trees.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Weight of each further tree.")
    max_depth: int = Field(6, ge=1, le=32, description="Most questions from root to leaf.")
    min_child_weight: float = Field(
        1.0, ge=0, le=100_000, description="Fewest rows in a leaf, by weight."
    )


@family
class XGBoost(Family):
    name = "xgboost"
    description = "Boosted trees of XGBoost, on binned inputs."
    hyperparameters = XGBoostHyperparameters
    # A booster is stored as the bytes of its trees, which XGBoost's own parser reads.
    trusted_types = (
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBRegressor",
    )

    def build(self, hyperparameters: XGBoostHyperparameters, inputs: Inputs, seed: int = 0) -> Any:
        regressor = xgboost.XGBRegressor(
            **hyperparameters.model_dump(), random_state=seed, n_jobs=1
        )
        return tree_pipeline(regressor, inputs, seed)
