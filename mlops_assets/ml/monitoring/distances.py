"""How far values lie from others: numbers by their quantiles, categories by their counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.metric import FloatArray
from mlops_assets.ml.monitoring.learned_rows import Shares, positions

NUMBERS, CATEGORIES, MISSING, REPEATED = "numbers", "categories", "missing", "repeated"
IQR_TO_DEVIATION = 1.349  # of a normal distribution


def quantiles(ordered: FloatArray) -> FloatArray:
    """Those of a sorted sample, of which the missing values come last and do not count."""
    present = len(ordered) - int(np.isnan(ordered).sum())
    values: FloatArray = ordered[positions(present)]
    return values


def wasserstein(first: FloatArray, second: FloatArray, spread: float) -> float:
    """The Wasserstein distance of two sorted samples, or their quantiles, in units of a spread.

    The mean distance of their quantiles (Vallender, 1974). 0 where one is empty.
    """
    ours, theirs = quantiles(first), quantiles(second)
    if not len(ours) or not len(theirs):
        return 0.0
    return float(abs(ours - theirs).mean()) / spread


def robust_spread(values: FloatArray) -> float:
    """The standard deviation by the quartiles; where they meet, the plain one, and 1 of a constant.

    Missing values do not count.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return 1.0
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / IQR_TO_DEVIATION or values.std() or 1.0)


def jensen_shannon(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """The Jensen-Shannon distance of two counts of the same categories, from 0 to 1 (base 2)."""
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(x > 0, x * np.log2(x / middle), 0.0).sum() for x in (p, q)]
    return float(np.sqrt(max(sum(terms) / 2, 0.0)))


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: its quantiles, what is missing and what repeats."""

    quantiles: FloatArray
    missing: float
    repeated: float
    spread: float

    @property
    def told(self) -> dict[str, Any]:
        return {**vars(self), "quantiles": self.quantiles.tolist()}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Numbers:
        return cls(**{**told, "quantiles": np.array(told["quantiles"], dtype=float)})

    def measure(self, values: FloatArray, repeats: FloatArray) -> dict[str, float]:
        flags = np.isnan(values).astype(float), repeats
        missing, repeated = (Shares(of).of(0, len(values)) for of in flags)
        return {
            NUMBERS: wasserstein(self.quantiles, np.sort(values), self.spread),
            MISSING: abs(missing - self.missing),
            REPEATED: abs(repeated - self.repeated),
        }


@dataclass(frozen=True)
class Categories:
    """A column of categories: the counts of each, a missing one being one of them."""

    counts: pd.Series[float]

    def measure(self, values: pd.Series[Any]) -> float:
        recent = texts(values).value_counts(dropna=False)
        known = self.counts.index.union(recent.index, sort=False)
        first, second = (
            counts.reindex(known, fill_value=0).to_numpy(dtype="float64")
            for counts in (self.counts, recent)
        )
        return jensen_shannon(first, second)


def texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Categories with one mark for a missing one, whatever the frame holds in its place."""
    return values.astype(object).where(values.notna(), math.nan)
