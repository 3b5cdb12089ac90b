"""Estimators of our own, in the form that scikit-learn expects.

Stored models name these classes by this module: it stays where it is.
"""

from __future__ import annotations

from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Floats: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]


class MissingAsNone(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Categories with one mark, None, for a missing one: encoders refuse pandas' own, `pd.NA`."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Nothing is learned."""
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.object_]]:  # noqa: N803
        """A copy of `X` as objects, shape (rows, columns)."""
        categories = X.to_numpy(dtype=object, copy=True)
        categories[X.isna().to_numpy()] = None
        return categories

    def __sklearn_is_fitted__(self) -> bool:
        return True


class EmptyAsZero(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers whose gaps stay, except in a column that was all gaps when fitted: it becomes 0.

    Histogram boosting takes gaps, but cannot bin a column without a single value.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803
        """Learn which columns of `X`, shape (rows, columns), are empty."""
        self.empty_ = X.isna().to_numpy().all(axis=0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:  # noqa: N803
        """A copy of `X` as floats, shape (rows, columns)."""
        check_is_fitted(self)
        numbers = X.to_numpy(dtype=float, na_value=np.nan, copy=True)
        numbers[:, self.empty_] = 0.0
        return numbers


class SignedLog(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The logarithm of one more than each number, of one below zero with its sign."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Nothing is learned."""
        return self

    def transform(self, X: Any) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:  # noqa: N803
        """Shape (rows, columns)."""
        numbers = np.asarray(X, dtype=float)
        return np.asarray(np.sign(numbers) * np.log1p(np.abs(numbers)))

    def __sklearn_is_fitted__(self) -> bool:
        return True


class SeasonalNaiveRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Repeats its only input, the target one season ago; where that is missing, the mean target."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Learn the statistic of `y`, shape (rows,); `X` has shape (rows, 1)."""
        validate_data(self, X, ensure_all_finite="allow-nan")
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Floats:  # noqa: N803
        """One forecast per row of `X`, shape (rows,)."""
        check_is_fitted(self)
        season = np.asarray(
            validate_data(self, X, reset=False, ensure_all_finite="allow-nan"), dtype=float
        )[:, 0]
        return np.where(np.isnan(season), self.mean_, season)


class HistoricalMeanRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The mean target of the rows with the same keys; of all rows where none had these keys.

    `statistic` may be "median" instead.
    """

    def __init__(self, statistic: str = "mean") -> None:
        self.statistic = statistic

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn the mean of `y`, shape (rows,), of each combination of keys `X`, (rows, keys).

        Rows count by `sample_weight`, of shape (rows,), where it is given.
        """
        target = np.asarray(y, dtype=float)
        self.n_features_in_ = X.shape[1]
        keys = pd.DataFrame(X, dtype=float)
        names = list(keys.columns)
        weight = np.ones(0) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if sample_weight is None:
            self.mean_ = float(getattr(np, self.statistic)(target))
        else:
            one_group = np.zeros(len(target), dtype=np.int64)
            self.mean_ = float(weighted_middle(self.statistic, target, weight, one_group)[0])
        if names:
            groups = keys.assign(mean=target).groupby(names, dropna=False)["mean"]
            means = groups.agg(self.statistic)
            if sample_weight is not None:
                means[:] = weighted_middle(self.statistic, target, weight, groups.ngroup())
            table = means.dropna().reset_index()
        else:
            table = pd.DataFrame({"mean": []})
        self.keys_ = table[names].to_numpy(dtype=float)
        self.means_ = table["mean"].to_numpy(dtype=float)
        return self

    def predict(self, X: Any) -> Floats:  # noqa: N803
        """One forecast per row of keys `X`, shape (rows,)."""
        check_is_fitted(self)
        keys = pd.DataFrame(X, dtype=float)
        names = list(keys.columns)
        if not names:
            return np.full(len(keys), self.mean_)
        known = pd.DataFrame(self.keys_, columns=names).assign(mean=self.means_)
        return keys.merge(known, on=names, how="left")["mean"].fillna(self.mean_).to_numpy()


def weighted_middle(statistic: str, values: Any, weight: Any, group: Any) -> Floats:
    """The mean or median of each group of values, each counting by its weight.

    All are of shape (rows,); `group` counts from 0. NaN where a group has no weight. Where half of
    the weight lies on either side of two values, the median lies between them.
    """
    group = np.asarray(group)
    total = np.bincount(group, weights=weight)
    known = np.where(total > 0, total, np.nan)
    if statistic == "mean":
        return np.bincount(group, weights=weight * values) / known
    order = np.lexsort((values, group))
    of, ordered = group[order], values[order]
    before = np.cumsum(total) - total
    share = (np.cumsum(weight[order]) - before[of]) / known[of]
    begins = np.searchsorted(of, np.arange(len(total)))
    last = np.append(begins[1:], len(of)) - 1
    # to what rounding leaves of a half
    low, high = (
        np.minimum(begins + np.bincount(of, weights=share < half).astype(np.int64), last)
        for half in (0.5 - 1e-9, 0.5 + 1e-9)
    )
    return np.where(total > 0, (ordered[low] + ordered[high]) / 2, np.nan)
