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
    return DayFacts(
        rows=len(rows),
        series=frozenset(
            rows[list(series)].dropna().itertuples(index=False, name=None) if series else ()
        ),
        missing={name: float(rows[name].isna().mean()) for name in inputs},
        duplicates=int(rows.duplicated().sum()),
        target=float(rows[target].mean()),
        categories={
            name: {str(value): int(count) for value, count in rows[name].value_counts().items()}
            for name in categorical
        },
        middles={name: _middle(rows[name]) for name in numbers},
        **_since_yesterday(values, None if before is None else before.values, series, numbers),
        values=values,
    )


def _since_yesterday(
    values: pd.DataFrame | None,
    before: pd.DataFrame | None,
    series: Sequence[str],
    numbers: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Which share of the series repeats each number, and by how much their median one has moved."""
    if values is None or before is None:
        return {}
    both = values.merge(before, on=list(series), suffixes=("", " before"))
    if both.empty:
        return {}
    now, then = both[numbers], both[[f"{name} before" for name in numbers]]
    then = then.set_axis(list(numbers), axis="columns")
    ratios = now.where(now > 0) / then.where(then > 0)
    factors = ratios.median().where(ratios.notna().mean() >= 0.5)
    return {
        "repeated": {name: float((now[name] == then[name]).mean()) for name in numbers},
        "moves": {name: math.log(factors[name]) for name in numbers if factors[name] > 0},
    }


def _middle(values: pd.Series[float]) -> float:
    """The mean without the highest and the lowest tenth, NaN without any value."""
    known = np.sort(values.dropna().to_numpy(dtype=float))
    cut = len(known) // 10
    return float(known[cut : len(known) - cut].mean()) if len(known) else math.nan
