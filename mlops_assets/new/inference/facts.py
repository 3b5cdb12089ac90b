"""What columns hold, and which of them say the day and the target."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from mlops_assets.lazy import pd
from mlops_assets.resources.sources.samples import CODE_NAME

Value = TypeVar("Value")

DATE_NAMES = ("date", "day", "ds", "dt", "timestamp", "datetime", "time", "dteday")
TARGET_NAMES = (
    *("target", "y", "label", "demand", "sales", "units", "quantity", "qty", "cnt", "count"),
    *("value", "amount", "total", "revenue", "load", "consumption", "delay"),
    *("umsatz", "absatz", "menge", "anzahl", "verbrauch"),
)


class UndecidableError(ValueError):
    """The rows do not make a project; the message says why and what to do."""


class Decision(NamedTuple, Generic[Value]):
    """Something that was inferred."""

    value: Value
    reason: str


@dataclass(frozen=True)
class Target:
    """The column to forecast."""

    name: str
    reason: str
    labels: tuple[str, ...] = ()
    """Its classes; none for numbers."""
    positive: str | None = None
    """Of two classes, the one whose probability is forecast."""

    @property
    def lagged(self) -> bool:
        """Whether its past can be an input: several classes are no numbers."""
        return len(self.labels) <= 2


@dataclass(frozen=True)
class Facts:
    """What a column holds."""

    number: bool
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False
    """Whether it holds whole numbers only."""
    nameable: bool = True
    """Whether its values can be names: text, or numbers of a type that knows no fraction."""
    common: tuple[str, ...] = ()
    """Its commonest texts."""

    @property
    def countable(self) -> bool:
        """Whether it holds whole numbers that can be names."""
        return self.number and self.whole and self.nameable

    @property
    def negative(self) -> bool:
        return self.low is not None and self.low < 0


def facts_of(frame: pd.DataFrame, fractional: Collection[str] = ()) -> dict[str, Facts]:
    """The facts of each column of a frame of numbers (float64) and text.

    `fractional` are columns whose type has fractions, whether there are any or not.
    """
    return {str(name): _facts(frame[name], name not in fractional) for name in frame.columns}


def _facts(values: pd.Series[Any], nameable: bool) -> Facts:
    known = values.dropna()
    missing, distinct = len(values) - len(known), int(known.nunique())
    if values.dtype == "float64":
        whole = bool((known == known.round()).all()) and len(known) > 0
        low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
        return Facts(True, missing, distinct, low, high, whole, nameable)
    common = tuple(str(value) for value in known.value_counts().index[:3])
    return Facts(False, missing, distinct, common=common)


def choose_date(spans: Mapping[str, int]) -> Decision[str]:
    """The column that says the day, of those that hold dates with their numbers of days."""
    if len(spans) == 1:
        return Decision(next(iter(spans)), "the only column that holds dates")
    others = ", ".join(spans)
    for name in DATE_NAMES:
        for column in spans:
            if column.lower() == name:
                return Decision(column, f"by its name, of {others}")
    best = max(spans, key=lambda name: spans[name])
    return Decision(best, f"it has the most days of {others}")


def target_candidates(facts: Mapping[str, Facts]) -> list[str]:
    """The columns that hold numbers worth a forecast, the likeliest first."""
    numeric = [name for name, fact in facts.items() if fact.number and fact.distinct > 2]
    clued = [name for known in TARGET_NAMES for name in numeric if _bare(name) == known]
    return list(dict.fromkeys([*clued, *(name for name in numeric if not CODE_NAME.search(name))]))


def _bare(name: str) -> str:
    """A name in small letters, without the unit after it."""
    return re.split(r"[ (\[]", name.strip().lower())[0]


def choose_target(candidates: Sequence[str]) -> Decision[str] | None:
    """The target, where a name or being the only candidate tells; None where nothing does."""
    if len(candidates) == 1:
        return Decision(candidates[0], "the only column of numbers that vary")
    if candidates and _bare(candidates[0]) in TARGET_NAMES:
        return Decision(candidates[0], f"by its name, of {', '.join(candidates)}")
    return None
