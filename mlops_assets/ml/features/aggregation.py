"""Many rows of a day become one per key, such as a day out of its hours."""

from __future__ import annotations

from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.features.feature_settings import (
    AggregateSettings,
    ColumnSettings,
    Reduction,
)


def aggregated(
    columns: ColumnSettings,
    settings: AggregateSettings | None,
    rows: pd.DataFrame,
    *,
    to_come: bool = False,
) -> pd.DataFrame:
    """Rows of any number of days, one per day and key where the settings aggregate.

    `rows` have the types of the settings and the columns in their order, and so has the result,
    sorted by day and key. A day is the local one, however many hours it has. A `sum` is missing
    where one of its values is; the other reductions use the values that are there. ValueError that
    names the first day and key with fewer or more rows than the settings allow; of days `to_come`,
    such a key is not known yet, and left out.
    """
    if settings is None or rows.empty:
        return rows
    keys = [columns.date, *settings.key(columns.series)]
    group = rows.groupby(keys, sort=True, dropna=False).ngroup()
    firsts = rows[~group.duplicated()]
    firsts = firsts.set_axis(group[~group.duplicated()].to_numpy()).sort_index()
    counts = group.value_counts().sort_index()
    most = settings.max_rows or int(counts.max())
    odd = counts[(counts < settings.min_rows) | (counts > most)]
    if len(odd) and not to_come:
        raise _odd_count(settings, firsts[keys].loc[odd.index[0]].to_list(), odd)
    reductions = {columns.target: Reduction(settings.target), **settings.inputs}
    reduced = {name: _reduced(rows[name], group, how) for name, how in reductions.items()}
    whole = firsts.assign(**reduced).drop(index=odd.index)
    return whole[columns.names].reset_index(drop=True)


def _reduced(values: pd.Series[Any], group: pd.Series[int], reduction: Reduction) -> pd.Series[Any]:
    """What the values of each group come to, by its number."""
    groups = values.groupby(group)
    match reduction:
        case Reduction.SUM:
            return groups.sum().where(groups.count() == groups.size())
        case Reduction.LAST:
            return groups.last()
        case Reduction.MOST_COMMON:
            # sorted by value, so that the first in order wins among equally common ones
            counts = values.groupby([group, values]).size()
            counts = counts.sort_values(ascending=False, kind="stable")
            numbers, texts = (counts.index.get_level_values(level) for level in (0, 1))
            common: pd.Series[Any] = texts.to_series(index=numbers)
            return common[~numbers.duplicated()]
        case _:
            reduced: pd.Series[Any] = groups.agg(reduction.value)
            return reduced


def _odd_count(settings: AggregateSettings, first: list[Any], counts: pd.Series[int]) -> ValueError:
    """What to say of keys with too few or too many rows; `first` is the first day and key."""
    day, *key = first
    of_key = f" of {', '.join(map(str, key))}" if key else ""
    less = counts.iloc[0] < settings.min_rows
    bound = (
        f"fewer than aggregate.min_rows of {settings.min_rows}"
        if less
        else f"more than aggregate.max_rows of {settings.max_rows}"
    )
    remedy = "once the source has the rest" if less else "once they are removed at the source"
    return ValueError(
        f"{day:%Y-%m-%d} has {counts.iloc[0]} row(s){of_key}, {bound} ({len(counts)} such key(s)); "
        f"run the day again {remedy}"
    )
