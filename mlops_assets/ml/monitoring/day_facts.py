"""What the rows of a day come to: what its checks are judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlops_assets.lazy import np, pd


@dataclass(frozen=True)
class DayFacts:
    """What the rows of a day come to."""

    rows: int
    series: frozenset[tuple[str, ...]]
    missing: Mapping[str, float]
    """The share of missing values of each input."""
    duplicates: int
    target: float
    """The mean target of a row."""
    categories: Mapping[str, Mapping[str, int]]
    """How many rows each category has, by input."""
    middles: Mapping[str, float] = field(default_factory=dict)
    """The mean of each input of numbers without its highest and lowest tenth."""
    repeated: Mapping[str, float] = field(default_factory=dict)
    """The share of series with the value of the day before, by input; empty without it."""
    moves: Mapping[str, float] = field(default_factory=dict)
    """The median change of the series since the day before, as a logarithm, by input, where at
    least half of them are amounts above zero."""
    values: pd.DataFrame | None = field(default=None, compare=False, repr=False)
    """The inputs of numbers by series, for the day after."""


def day_facts(
    rows: pd.DataFrame,
    *,
    target: str,
    series: Sequence[str],
    inputs: Sequence[str],
    categorical: Sequence[str],
    before: DayFacts | None = None,
) -> DayFacts:
    """The facts of the rows of one day, of which there is at least one.

    `before` are those of the day before, where they are known.
    """
    numbers = [name for name in inputs if name not in categorical and name not in series]
    values = rows[[*series, *numbers]] if series and numbers else None
    alike = values is not None and before is not None and _same_series(values, before, series)
    return DayFacts(
        rows=len(rows),
        series=before.series if before and alike else _series_of(rows, series),
        missing={name: float(rows[name].isna().mean()) for name in inputs},
        duplicates=int(rows.duplicated().sum()),
        target=float(rows[target].mean()),
        categories={
            name: {str(value): int(count) for value, count in rows[name].value_counts().items()}
            for name in categorical
        },
        middles={name: _middle(rows[name]) for name in numbers},
        **_since_yesterday(values, before, series, numbers, alike=alike),
        values=values,
    )


def _series_of(rows: pd.DataFrame, series: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The series that rows are of; none of rows that lack a part of its name."""
    if not series:
        return frozenset()
    return frozenset(rows[list(series)].dropna().itertuples(index=False, name=None))


def _same_series(values: pd.DataFrame, before: DayFacts, series: Sequence[str]) -> bool:
    """Whether rows are of the series of the day before, each there once, in the same order."""
    then = before.values
    if then is None or not len(values) == len(then) == len(before.series):
        return False
    return all(values[name].equals(then[name].set_axis(values.index)) for name in series)


def _since_yesterday(
    values: pd.DataFrame | None,
    before: DayFacts | None,
    series: Sequence[str],
    numbers: list[str],
    *,
    alike: bool,
) -> dict[str, dict[str, float]]:
    """Which share of the series repeats each number, and by how much their median one has moved.

    `alike` says whether both days hold the same series in the same order, as most do.
    """
    then = None if before is None else before.values
    if values is None or then is None:
        return {}
    if not alike:
        both = values.merge(then, on=list(series), suffixes=("", " before"))
        values = both[numbers]
        then = both[[f"{name} before" for name in numbers]].set_axis(numbers, axis="columns")
    if values.empty:
        return {}
    repeated, moves = {}, {}
    for name in numbers:
        new, old = (frame[name].to_numpy(dtype=float) for frame in (values, then))
        repeated[name] = float((new == old).mean())
        amounts = (new > 0) & (old > 0)
        with np.errstate(invalid="ignore"):
            factors = new[amounts] / old[amounts]
        factors = factors[~np.isnan(factors)]
        if 2 * len(factors) >= len(new) and (factor := float(np.median(factors))) > 0:
            moves[name] = math.log(factor)
    return {"repeated": repeated, "moves": moves}


def _middle(values: pd.Series[float]) -> float:
    """The mean without the highest and the lowest tenth, NaN without any value."""
    known = np.sort(values.dropna().to_numpy(dtype=float))
    cut = len(known) // 10
    return float(known[cut : len(known) - cut].mean()) if len(known) else math.nan
