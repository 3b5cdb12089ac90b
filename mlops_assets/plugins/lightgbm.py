"""The family `lightgbm`: `pip install "mlops_assets[lightgbm]"`, then `plugins: [lightgbm]`."""

from typing import Any

from mlops_assets.lazy import lightgbm
from mlops_assets.ml.models.trees import TreeFamily, leaf_count, leaf_rows, tree_count, tree_weight
from mlops_assets.plugin import Hyperparameters, family


class LightGBMHyperparameters(Hyperparameters):
    n_estimators: int = tree_count(100, 5000)
    learning_rate: float = tree_weight(0.1)
    num_leaves: int = leaf_count(31)
    min_child_samples: int = leaf_rows(20)


@family
class LightGBM(TreeFamily):
    name = "lightgbm"
    description = "Boosted trees of LightGBM, grown leaf by leaf."
    hyperparameters = LightGBMHyperparameters
    # A booster is stored as the text of its trees, which LightGBM's own parser reads.
    trusted_types = (
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMRegressor",
    )

    def estimator(self, **options: Any) -> Any:
        return lightgbm.LGBMRegressor(**options, deterministic=True, n_jobs=1, verbose=-1)
