"""Columns that tell the target itself, and so cannot be known in advance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import np, pd

ALIKE = 0.999  # of the correlation
EXACT = 1 - 1e-9  # the share of variance that a sum explains which is no forecast but arithmetic
FEW_CLASSES = 20
ENOUGH_ROWS = 10  # for each column; with fewer, any numbers add up


def find_leaks(frame: pd.DataFrame, values: pd.Series[Any], names: Sequence[str]) -> dict[str, str]:
    """The columns among `names` that hold the target in other words, each with the reason.

    `frame` holds numbers as float64 and text; `values` are the target, float64 or text.
    """
    found: dict[str, str] = {}
    for name in names:
        if values.isna().any() and (frame[name].isna() == values.isna()).all():
            found[name] = "missing exactly where the target is, so it is known no earlier"
    classes = values.nunique() <= FEW_CLASSES
    for name in names:
        if classes and name not in found and _determines(frame[name], values):
            found[name] = "each of its values has one class only: the target in other words"
    if values.dtype != "float64":
        return found
    numeric = [name for name in names if name not in found and frame[name].dtype == "float64"]
    for name in numeric:
        if abs(correlation(frame[name], values)) >= ALIKE:
            found[name] = "moves as the target does, so it is the target in other words"
    rest = [name for name in numeric if name not in found]
    for name in _parts(frame, values, rest):
        found[name] = "adds up to the target together with others, so it is known no earlier"
    return found


def correlation(one: pd.Series[Any], other: pd.Series[Any]) -> float:
    known = one.notna() & other.notna()
    one, other = one[known], other[known]
    if one.nunique() < 2 or other.nunique() < 2:
        return 0.0
    return float(one.corr(other))


def _determines(names: pd.Series[Any], values: pd.Series[Any]) -> bool:
    """Whether each of a few names goes with one value of the target only."""
    few = 2 <= names.nunique() <= len(names) / ENOUGH_ROWS
    return few and bool((values.groupby(names, dropna=False).nunique() <= 1).all())


def _parts(frame: pd.DataFrame, target: pd.Series[Any], names: list[str]) -> list[str]:
    """The columns without which the others no longer add up to the target, where all do."""
    known = frame[names].notna().all(axis=1) & target.notna()
    if len(names) < 2 or known.sum() < ENOUGH_ROWS * len(names):
        return []
    values = target[known].to_numpy()
    columns = {name: frame.loc[known, name].to_numpy() for name in names}
    parts: list[str] = []
    while len(columns) > 1 and _explained(list(columns.values()), values) >= EXACT:
        needed = [
            name
            for name in columns
            if _explained([columns[other] for other in columns if other != name], values) < EXACT
        ]
        # where none is needed, another one says the same as the first
        gone = needed or [next(iter(columns))]
        parts += gone
        columns = {name: column for name, column in columns.items() if name not in gone}
    return parts


def _explained(columns: list[Any], target: np.ndarray[Any, Any]) -> float:
    """The share of the target's variance that a weighted sum of the columns explains."""
    table = np.column_stack([*columns, np.ones(len(target))])
    scale = np.abs(table).max(axis=0)
    table = table / np.where(scale > 0, scale, 1)
    weights = np.linalg.lstsq(table, target, rcond=None)[0]
    centred = target - target.mean()
    total = float(centred @ centred)
    rest = target - table @ weights
    return 1 - float(rest @ rest) / total if total else 0.0
