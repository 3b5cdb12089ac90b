"""Changes that are planted into a table from a day on. None of them mutates its rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

DATE, DEPARTMENT, CATEGORY = "date", "department", "category"
UNITS, PRICE, PROMOTION = "units", "unit_price", "promotion"
SERIES = [DEPARTMENT, CATEGORY]

Random = np.random.Generator
Plant = Callable[[pd.DataFrame, pd.Timestamp, Random, int], pd.DataFrame]
"""Rows, the first day changed, a source of chance and the sign of a change of level, +1 or -1."""


@dataclass(frozen=True)
class Change:
    """A change by the name that the table gives it."""

    name: str
    plant: Plant


def level(
    share: float, value: str | None = None, *, column: str = DEPARTMENT, target: str = UNITS
) -> Plant:
    """Demand higher or lower by a share, in all rows or in those with a value of a column.

    Each unit sells once more, or not at all, with that probability: counts stay counts.
    """

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        shares = np.where(rows[DATE] >= first, share, 0.0)
        if value is not None:
            shares = np.where(rows[column] == value, shares, 0.0)
        return _shifted(rows, target, shares, random, sign)

    return plant


def trend(per_day: float, *, target: str = UNITS) -> Plant:
    """Demand that moves away by a share per day, added up."""

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        days = (rows[DATE] - first).dt.days.to_numpy() + 1
        return _shifted(rows, target, np.clip(per_day * days, 0.0, 1.0), random, sign)

    return plant


def frozen(column: str, series: Sequence[str] = SERIES) -> Plant:
    """Each series keeps the value that it had on the day before."""

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        before = rows[rows[DATE] == first - pd.Timedelta(days=1)]
        keys = list(series)
        last = rows[keys].merge(before[[*keys, column]], on=keys, how="left")[column]
        since = rows[DATE] >= first
        return rows.assign(**{column: rows[column].mask(since, last.set_axis(rows.index))})

    return plant


def rescaled(column: str, factor: float) -> Plant:
    """A column in other units."""

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        since = rows[DATE] >= first
        return rows.assign(**{column: rows[column].mask(since, rows[column] * factor)})

    return plant


def renamed(column: str, old: str, new: str) -> Plant:
    """A category under another name."""

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        since = (rows[DATE] >= first) & (rows[column] == old)
        return rows.assign(**{column: rows[column].mask(since, new)})

    return plant


def halved() -> Plant:
    """Half of the rows of each day, drawn anew every day, are lost."""

    def plant(rows: pd.DataFrame, first: pd.Timestamp, random: Random, sign: int) -> pd.DataFrame:
        order = pd.Series(random.random(len(rows)), index=rows.index)
        rank = order.groupby(rows[DATE]).rank(method="first", pct=True)
        return rows[(rows[DATE] < first) | (rank <= 0.5)].reset_index(drop=True)

    return plant


def stopped(column: str) -> Plant:
    """A column that is zero from then on."""
    return rescaled(column, 0.0)


def _shifted(
    rows: pd.DataFrame, target: str, shares: np.ndarray, random: Random, sign: int
) -> pd.DataFrame:
    units = rows[target].to_numpy()
    moved = random.binomial(units.astype("int64"), shares)
    return rows.assign(**{target: (units + sign * moved).astype(units.dtype)})


def of_demand(target: str, column: str, value: str, which: str) -> tuple[Change, ...]:
    """Changes of the target: in all rows, in those with a value of a column, and day by day."""
    shares = (0.1, 0.2, 0.4)
    return (
        *(Change(f"level {share:.0%}, all", level(share, target=target)) for share in shares),
        *(
            Change(
                f"level {share:.0%}, one {which}",
                level(share, value, column=column, target=target),
            )
            for share in shares
        ),
        Change("trend of 1% a day", trend(0.01, target=target)),
    )


CHANGES = (
    *of_demand(UNITS, DEPARTMENT, "PRODUCE", "department"),
    Change("price frozen", frozen(PRICE)),
    Change("price times 1.2", rescaled(PRICE, 1.2)),
    Change("price times 100", rescaled(PRICE, 100.0)),
    Change("category renamed", renamed(CATEGORY, "SOFT DRINKS", "SODA")),
    Change("rows halved", halved()),
    Change("promotions stopped", stopped(PROMOTION)),
)
OF_BIKES = (
    *of_demand("rides", "part", "evening", "part of the day"),
    Change("temperature frozen", frozen("temperature", ["part", "rider"])),
    Change("temperature times 1.2", rescaled("temperature", 1.2)),
    Change("temperature times 100", rescaled("temperature", 100.0)),
    Change("kind of rider renamed", renamed("rider", "casual", "guest")),
    Change("rows halved", halved()),
)
OF_PEDESTRIANS = (
    *of_demand("people", "street", "K Road", "street"),
    Change("sensor renamed", renamed("sensor", "45 Queen Street", "45 Queen St")),
    Change("rows halved", halved()),
)
