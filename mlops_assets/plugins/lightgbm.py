"""The family `lightgbm`: `pip install "mlops_assets[lightgbm]"`, then `plugins: [lightgbm]`."""

from typing import Any

from pydantic import Field

from mlops_assets.lazy import lightgbm
from mlops_assets.plugin import Family, Hyperparameters, Inputs, family, tree_pipeline


class LightGBMHyperparameters(Hyperparameters):
    n_estimators: int = Field(100, ge=1, le=5000, description="Number of trees.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Weight of each further tree.")
    num_leaves: int = Field(31, ge=2, le=4096, description="Most leaves of a tree.")
    min_child_samples: int = Field(20, ge=1, le=100_000, description="Fewest rows in a leaf.")


@family
class LightGBM(Family):
    name = "lightgbm"
    description = "Boosted trees of LightGBM, grown leaf by leaf."
    hyperparameters = LightGBMHyperparameters
    # A booster is stored as the text of its trees, which LightGBM's own parser reads.
    trusted_types = (
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMRegressor",
    )

    def build(self, hyperparameters: LightGBMHyperparameters, inputs: Inputs, seed: int = 0) -> Any:
        fixed: dict[str, Any] = {
            "random_state": seed,
            "deterministic": True,
            "n_jobs": 1,
            "verbose": -1,
        }
        regressor = lightgbm.LGBMRegressor(**hyperparameters.model_dump(), **fixed)
        return tree_pipeline(regressor, inputs, seed)
