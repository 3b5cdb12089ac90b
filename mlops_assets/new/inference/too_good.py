"""Columns that tell more of the target than can be known before its day."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from mlops_assets.lazy import np, pd, sklearn, threadpoolctl
from mlops_assets.new.inference.leaks import correlation

MOST_ROWS = 5_000  # that are looked at
FEWEST_ROWS = 100
FOLDS = 3
ALONE, BEYOND = 0.9, 0.5  # the share of the variance, and of what the past leaves open of it
FAR_BEYOND = 0.9  # of what the past leaves open, whatever a column tells alone
BINS = 50
NEAR = 2e-3  # as a share of a product, what rounding may make of it
NEARLY_ALL = 0.98  # of the rows
WEEK = 7


def find_products(
    frame: pd.DataFrame, target: pd.Series[Any], names: Sequence[str]
) -> dict[str, str]:
    """The columns that with another one give the target, as a product or quotient.

    Of the two it is the one that goes with the target; the other may be known, such as a price.
    """
    rows = frame[list(names)].assign(**{str(target.name): target}).dropna()
    rows = rows[rows[target.name] != 0]
    if len(rows) < FEWEST_ROWS or target.dtype != "float64":
        return {}
    rows = rows.sample(min(len(rows), MOST_ROWS), random_state=0)
    ranks = rows.rank()
    told = {name: abs(correlation(ranks[name], ranks[target.name])) for name in names}
    found: dict[str, str] = {}
    for one, other in combinations(names, 2):
        left, right, values = (rows[name].to_numpy() for name in (one, other, target.name))
        with np.errstate(all="ignore"):
            ways = {
                f"{one} x {other}": left * right,
                f"{one} / {other}": left / right,
                f"{other} / {one}": right / left,
            }
            same = [
                way
                for way, made in ways.items()
                if (abs(made - values) <= NEAR * abs(values)).mean() >= NEARLY_ALL
            ]
        if same and one not in found and other not in found:
            late = max(one, other, key=lambda name: told[name])
            found[late] = f"{same[0]} is the target, so it is known no earlier"
    return found


def find_too_good(
    frame: pd.DataFrame,
    target: pd.Series[Any],
    names: Sequence[str],
    series: Sequence[str],
    days: pd.Series[pd.Timestamp],
) -> dict[str, str]:
    """The columns that tell the target beyond what is plausible, each with the reason.

    Of each, a model of that column alone is tried, and one that knows the past of the series as
    well, out of fold. What an item is like, or what is as good as its past, is nothing to wonder.
    """
    known = target.notna().to_numpy()
    if target.dtype != "float64" or known.sum() < FEWEST_ROWS or target.nunique() < 2 or not names:
        return {}
    past = _past(target, frame[list(series)], days)
    random = np.random.default_rng(0)
    chosen = np.flatnonzero(known)
    if len(chosen) > MOST_ROWS:
        chosen = np.sort(random.choice(chosen, MOST_ROWS, replace=False))
    values, base = target.to_numpy()[chosen], past.to_numpy()[chosen]
    return _found(frame.iloc[chosen], names, values, base, random.permutation(len(chosen)))


def _found(
    frame: pd.DataFrame,
    names: Sequence[str],
    values: np.ndarray[Any, Any],
    base: np.ndarray[Any, Any],
    order: np.ndarray[Any, Any],
) -> dict[str, str]:
    folds = order % FOLDS
    left_open = values - _out_of_fold(base, values, folds)
    found: dict[str, str] = {}
    for name in names:
        column = _numbers(frame[name], values, folds)
        known = ~np.isnan(column)
        if known.sum() < FEWEST_ROWS:
            continue
        column, truth, inside = column[known], values[known], folds[known]
        rest = left_open[known]
        if _between(column, truth) < ALONE and _between(column, rest) < BEYOND:
            continue
        alone = _share(_out_of_fold(column[:, None], truth, inside), truth, truth.mean())
        both = _out_of_fold(np.column_stack([base[known], column]), truth, inside)
        beyond = _share(both, truth, truth - rest)
        if (alone >= ALONE and beyond >= BEYOND) or beyond >= FAR_BEYOND:
            found[name] = (
                f"alone it tells {max(alone, 0):.0%} of the target's variance, and {beyond:.0%} of "
                "what the past leaves open: more than is known before the day"
            )
    return found


def _share(said: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], plain: Any) -> float:
    """How much of the squared misses of a plainer forecast another one saves, as a share."""
    misses = float(((truth - plain) ** 2).sum())
    return 1 - float(((truth - said) ** 2).sum()) / misses if misses else 0.0


def _past(
    target: pd.Series[Any], keys: pd.DataFrame, days: pd.Series[pd.Timestamp]
) -> pd.DataFrame:
    """What the days before tell of each row: of its series, else of all rows."""
    code = pd.Series(0, keys.index)
    if len(keys.columns):
        code = keys.groupby(list(keys.columns), dropna=False).ngroup()
    daily = target.groupby([code, days]).mean()
    before = daily.groupby(level=0).shift(1)
    by_key = before.groupby(level=0)
    told = pd.DataFrame(
        {
            "last": before,
            "week": daily.groupby(level=0).shift(WEEK),
            "lately": by_key.rolling(WEEK, min_periods=1).mean().droplevel(0),
            "so_far": by_key.expanding().mean().droplevel(0),
        }
    )
    rows = pd.MultiIndex.from_arrays([code, days])
    return told.reindex(rows).assign(weekday=days.dt.dayofweek.to_numpy()).set_axis(keys.index)


def _numbers(
    column: pd.Series[Any], values: np.ndarray[Any, Any], folds: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """A column as floats: of names, the mean target of each in the other folds."""
    if column.dtype == "float64":
        return column.to_numpy()
    codes = pd.factorize(column)[0]
    means = np.full(len(values), np.nan)
    for fold in range(FOLDS):
        others = pd.Series(values[folds != fold]).groupby(codes[folds != fold]).mean()
        means[folds == fold] = others.reindex(codes[folds == fold]).to_numpy()
    return np.where(codes < 0, np.nan, means)


def _between(column: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> float:
    """The share of the variance of values between the quantiles of a column."""
    bins = pd.qcut(pd.Series(column), BINS, labels=False, duplicates="drop").fillna(-1)
    means = pd.Series(values).groupby(bins).transform("mean")
    total = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - means) ** 2).sum()) / total if total else 0.0


def _out_of_fold(
    inputs: np.ndarray[Any, Any], values: np.ndarray[Any, Any], folds: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """What boosted trees say of each row that have not seen its fold."""
    said = np.empty(len(values))
    for fold in range(FOLDS):
        trees = sklearn.ensemble.HistGradientBoostingRegressor(
            max_iter=60, min_samples_leaf=10, random_state=0
        )
        # so few rows are sooner done by one thread; told once scikit-learn has loaded its threads
        with threadpoolctl.threadpool_limits(1):
            trees.fit(inputs[folds != fold], values[folds != fold])
            said[folds == fold] = trees.predict(inputs[folds == fold])
    return said
