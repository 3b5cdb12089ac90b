"""What the rows of a day come to: what its checks are judged by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.lazy import np, pd

Name = tuple[str, ...]
BEFORE = " the day before"


class StoredNames(Set[Name]):
    """The names of the series of a day of which is known how many there are; else read when asked.

    They are told only where series are lost, and of a large table take more room than all else.
    """

    def __init__(self, count: int, read: Callable[[], frozenset[Name]]) -> None:
        self._count, self._read = count, read
        self._names: frozenset[Name] | None = None

    @property
    def names(self) -> frozenset[Name]:
        if self._names is None:
            self._names = self._read()
        return self._names

    @classmethod
    def _from_iterable(cls, names: Iterable[Any]) -> frozenset[Any]:
        return frozenset(names)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Name]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


@dataclass(frozen=True)
class DayFacts:
    """What the rows of a day come to."""

    rows: int
    series: Set[Name]
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
    """The inputs of numbers by series, the index, for the day after."""

    @property
    def told(self) -> dict[str, Any]:
        """All but names and values, in JSON's types, as `facts_of` takes it."""
        told = {name: value for name, value in vars(self).items() if name != "values"}
        return told | {"series": len(self.series)}


def facts_of(told: dict[str, Any], read: Callable[[], frozenset[Name]]) -> DayFacts:
    """Facts as they were told; `read` gives the names of the series."""
    return DayFacts(**told | {"series": StoredNames(told["series"], read)})


def names_of_series(rows: pd.DataFrame, series: Sequence[str]) -> frozenset[Name]:
    """The names of the series that rows have; of plain rows none."""
    if not series:
        return frozenset()
    return frozenset(zip(*(rows[name].tolist() for name in series), strict=True))


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
    names = list(series)
    values = rows[[*names, *numbers]].set_index(names) if names else None
    one_each = values is not None and values.index.is_unique
    missing = {name: float(rows[name].isna().mean()) for name in {*inputs, *names}}
    whole = rows.dropna(subset=names) if any(missing[name] for name in names) else rows
    return DayFacts(
        rows=len(rows),
        series=names_of_series(whole, names),
        missing={name: missing[name] for name in inputs},
        duplicates=0 if one_each else int(rows.duplicated().sum()),
        target=float(rows[target].mean()),
        categories={
            name: {str(value): int(count) for value, count in rows[name].value_counts().items()}
            for name in categorical
        },
        middles={name: _middle(rows[name]) for name in numbers},
        **_since_yesterday(values, None if before is None else before.values),
        values=values,
    )


def _since_yesterday(
    values: pd.DataFrame | None, before: pd.DataFrame | None
) -> dict[str, dict[str, float]]:
    """Which share of the series repeats each number, and by how much their median one has moved."""
    if values is None or before is None:
        return {}
    if values.index.equals(before.index) and values.index.is_unique:
        now, then = values, before  # as most days are
    elif values.index.is_unique and before.index.is_unique:
        at = before.index.get_indexer(values.index)
        now, then = values[at >= 0], before.iloc[at[at >= 0]]
    else:
        both = values.join(before, how="inner", rsuffix=BEFORE)
        now, then = both[values.columns], both[[f"{name}{BEFORE}" for name in values]]
        then = then.set_axis(values.columns, axis="columns")
    if now.empty:
        return {}
    repeated, moves = {}, {}
    for name in map(str, values):
        new, old = (frame[name].to_numpy(dtype=float) for frame in (now, then))
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
