"""Intervals around forecasts, by how far off the forecasts of the days before were."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.metric import FloatArray, IntArray


def conformal_radius(errors: FloatArray, coverage: float) -> float:
    """The half-width of an interval that holds the next actual with probability `coverage`.

    The ceil((n + 1) coverage)-th smallest of n absolute errors, infinite where n is too small for
    it: split-conformal prediction (Lei et al., Distribution-free predictive inference for
    regression, 2018). Holds when the errors to come are like those, in whichever order.
    """
    rank = math.ceil((len(errors) + 1) * coverage)
    if rank > len(errors):
        return math.inf
    return float(np.partition(np.abs(errors), rank - 1)[rank - 1])


def conformal_radii(
    residuals: pd.DataFrame, rows: pd.DataFrame, series: Sequence[str], coverage: float
) -> FloatArray:
    """The half-width of the interval of each row, of shape (rows,), in units of the target.

    `residuals` has a column `residual` and the columns of `series`. Each series has a width of
    its own (Vovk's Mondrian taxonomy); one with too few residuals, or unknown, has that of all
    of them together. Infinite where even these are too few.
    """
    errors = residuals["residual"].to_numpy(dtype=float)
    named = [frame[list(series)] for frame in (residuals, rows)]
    code = series_numbers(pd.concat(named, ignore_index=True), series)
    return radii_of_numbered(errors, code[: len(errors)], code[len(errors) :], coverage)


def series_numbers(rows: pd.DataFrame, series: Sequence[str]) -> IntArray:
    """The number of the series of each row; -1 without one, or where a part of its name is missing.

    Of shape (rows,).
    """
    if not series:
        return np.full(len(rows), -1, dtype=np.int64)
    codes = rows.groupby(list(series), observed=True, sort=False).ngroup()
    return codes.fillna(-1).to_numpy().astype(np.int64)


def radii_of_numbered(
    errors: FloatArray, known: IntArray, wanted: IntArray, coverage: float
) -> FloatArray:
    """As `conformal_radii`: of rows of the series `wanted`, from the errors of the series `known`.

    Series are numbers as of `series_numbers`.
    """
    sizes = np.bincount(known[known >= 0], minlength=wanted.max(initial=-1) + 1)
    order = np.lexsort((np.abs(errors), known))
    ordered = np.abs(errors)[order][(known < 0).sum() :]
    # the error of the wanted rank in each series, as conformal_radius picks it
    ranks = np.ceil((sizes + 1) * coverage).astype(int)
    at = np.cumsum(sizes) - sizes + ranks - 1
    enough = ranks <= sizes
    own = np.full(len(sizes) + 1, np.nan)  # the last is that of rows without a name
    own[:-1][enough] = ordered[at[enough]]
    return np.where(np.isnan(own[wanted]), conformal_radius(errors, coverage), own[wanted])
