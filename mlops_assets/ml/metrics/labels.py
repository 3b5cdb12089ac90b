"""Labels of classes, and the numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.metrics.metric import FloatArray


def target_numbers(values: pd.Series[Any], labels: Sequence[str]) -> FloatArray:
    """The target as numbers, of shape (rows,): itself, or the position of each of its labels.

    `labels` are empty for a target of numbers; of two, the second is the positive one, 1. A missing
    value is NaN. ValueError when there is another label.
    """
    if not labels:
        return np.asarray(values, dtype=np.float64)
    codes = pd.Index(labels).get_indexer(pd.Index(values))
    strange = values[(codes < 0) & values.notna().to_numpy()]
    if len(strange):
        raise ValueError(
            f"{strange.iloc[0]!r} is none of the classes {', '.join(labels)}; add it at the end of "
            "classes.labels, or correct the rows"
        )
    return np.where(codes < 0, np.nan, codes.astype(float))


def class_probabilities(
    pipeline: sklearn.pipeline.Pipeline, inputs: pd.DataFrame, labels: Sequence[str]
) -> FloatArray:
    """The probability of the positive class, of shape (rows,), or of each of several.

    Of shape (rows, labels) then, in their order; a class that the pipeline never saw has 0.
    """
    found = dict(zip(pipeline.classes_, pipeline.predict_proba(inputs).T, strict=True))
    never = np.zeros(len(inputs))
    if len(labels) == 2:
        return np.asarray(found.get(labels[1], never), dtype=np.float64)
    return np.column_stack([found.get(label, never) for label in labels])
