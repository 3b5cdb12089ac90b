"""What a stored version forecasts for rows of features, and for which days it cannot."""

from typing import TYPE_CHECKING

from mlops_assets.assets.datasets import by_day
from mlops_assets.assets.reporting import PartitionError
from mlops_assets.resources.versions import ModelCard, ModelStore

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.metrics import FloatArray


def forecast_rows(
    card: ModelCard, rows: "pd.DataFrame", date: str, models: ModelStore
) -> tuple["FloatArray", dict[str, PartitionError]]:
    """One forecast per row, and the error of each day that has one that is not finite.

    StorageError when the version cannot be loaded, PartitionError when the features lack one of
    its inputs.
    """
    import numpy as np

    from mlops_assets.ml.training import forecast

    if absent := [column for column in card.inputs if column not in rows.columns]:
        raise PartitionError(
            f"{card.version} reads {', '.join(absent)}, which features lack since the settings "
            f"changed; materialize training_set and models/{card.model} to train again"
        )
    values = forecast(models.load(card), rows[card.inputs], non_negative=card.non_negative)
    infinite = rows[~np.isfinite(values)]
    reason = PartitionError(f"{card.version} forecasts values that are not finite; retrain it")
    return values, dict.fromkeys(by_day(infinite, date), reason)
