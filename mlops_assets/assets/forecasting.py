"""What a stored version forecasts for rows of features, and for which days it cannot."""

from __future__ import annotations

from typing import Any

from mlops_assets.assets.datasets import by_day
from mlops_assets.assets.reporting import Metadata, PartitionError, number
from mlops_assets.assets.schemas import CLASS, probability_column
from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.class_metrics import predicted
from mlops_assets.ml.metrics.metric import FloatArray, finite_rows
from mlops_assets.ml.models.training import forecast
from mlops_assets.project import Project
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore


def forecast_rows(
    card: ModelCard, rows: pd.DataFrame, date: str, models: ModelStore
) -> tuple[FloatArray, dict[str, PartitionError]]:
    """What `ml.training.forecast` gives, and the error of each day with one that is not finite.

    StorageError when the version cannot be loaded, PartitionError when the features lack one of
    its inputs.
    """
    if absent := [column for column in card.inputs if column not in rows.columns]:
        raise PartitionError(
            f"{card.version} reads {', '.join(absent)}, which features lack since the settings "
            f"changed; materialize training_set and models/{card.model} to train again"
        )
    values = forecast(
        models.load(card),
        rows[card.inputs],
        non_negative=card.non_negative,
        classes=card.classes,
    )
    infinite = rows[~finite_rows(values)]
    reason = PartitionError(f"{card.version} forecasts values that are not finite; retrain it")
    return values, dict.fromkeys(by_day(infinite, date), reason)


def issued_columns(project: Project, values: FloatArray) -> dict[str, Any]:
    """Forecasts as others read them, by column.

    Of classes the one that is forecast, and its probability, or that of the positive one of two;
    of several the probability of each as well.
    """
    labels = project.labels
    if not labels:
        return {"forecast": values}
    columns = {CLASS: np.array(labels)[predicted(values, project.threshold).astype(int)]}
    if values.ndim == 1:
        return {"forecast": values, **columns}
    each = {probability_column(label): values[:, n] for n, label in enumerate(labels)}
    return {"forecast": values.max(axis=1), **columns, **each}


def forecast_sums(project: Project, frame: pd.DataFrame) -> Metadata:
    """The target forecast for a day in sum, or how many rows of the classes are to be expected."""
    labels = project.labels
    if not labels:
        return {f"total_{project.columns.target}_forecast": number(frame["forecast"].sum())}
    if len(labels) == 2:
        return {f"expected_{labels[1]}": number(frame["forecast"].sum())}
    return {f"expected_{label}": number(frame[probability_column(label)].sum()) for label in labels}
