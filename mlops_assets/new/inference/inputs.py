"""Which columns models may learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.new.inference.facts import Decision, Facts
from mlops_assets.new.inference.leaks import find_leaks
from mlops_assets.new.inference.too_good import find_products, find_too_good
from mlops_assets.resources.sources.samples import CODE_NAME

FEW = 20  # so many different texts are always categories
MOST_CATEGORIES = 1_000
IDENTIFIER_ROWS = 30  # with fewer rows all values may differ by chance


@dataclass(frozen=True)
class Columns:
    """The inputs, and why the other columns are none."""

    numeric: list[str]
    categorical: list[str]
    left_out: dict[str, str]
    leaks: Sequence[str] = ()
    """Of those left out, which tell the target."""
    doubted: Sequence[str] = ()
    """Of these, which do so beyond what is plausible, and might yet be known."""


def choose_inputs(
    frame: pd.DataFrame,
    facts: Mapping[str, Facts],
    target: pd.Series[Any],
    series: Sequence[str],
    left_out: Mapping[str, str],
    days: pd.Series[pd.Timestamp],
    kept: Sequence[str] = (),
) -> Columns:
    """Numeric and categorical inputs: all but those that say nothing or too much.

    `target` has the name of its column, and numbers for two classes. `left_out` are columns that
    are none already, with the reasons; `kept` are known before the day, whatever they say.
    """
    out = dict(left_out)
    able = [name for name in facts if name not in out and name != target.name]
    for name in able:
        reason = _useless(name, facts[name], len(frame))
        if reason is not None and name not in series:
            out[name] = reason
    named = {
        name: "too many values to be an input; it names series only"
        for name in series
        if facts[name].distinct > MOST_CATEGORIES
    }
    rest = [name for name in able if name not in out and name not in series]
    asked = [name for name in rest if name not in kept]
    leaks = find_leaks(frame, target, asked)
    asked = [name for name in asked if name not in leaks]
    leaks |= find_products(frame, target, [name for name in asked if facts[name].number])
    asked = [name for name in asked if name not in leaks]
    doubted = find_too_good(frame, target, asked, series, days)
    leaks |= doubted
    told = [name for name in rest if name not in leaks]
    numeric = [name for name in told if facts[name].number and not _is_code(name, facts[name])]
    return Columns(
        numeric=numeric,
        categorical=[
            *(name for name in series if name not in named),
            *(name for name in told if name not in numeric),
        ],
        left_out={**out, **leaks, **named},
        leaks=list(leaks),
        doubted=list(doubted),
    )


def _is_code(name: str, fact: Facts) -> bool:
    """Whether its numbers are names, of which none is more than another."""
    return fact.countable and CODE_NAME.search(name) is not None


def _useless(name: str, fact: Facts, rows: int) -> str | None:
    if not fact.distinct:
        return "empty"
    if fact.distinct == 1 and not fact.missing:
        return "the same in all rows"
    if fact.distinct == rows - fact.missing and rows > IDENTIFIER_ROWS:
        if not fact.number:
            return "different in every row, so it names rows and says nothing of others"
        span = (fact.high or 0.0) - (fact.low or 0.0)
        if fact.whole and span < 2 * rows:
            return "a running number"
    if not fact.number and fact.distinct > max(FEW, (rows - fact.missing) / 2):
        return f"text with {fact.distinct} different values in {rows} rows"
    if (not fact.number or _is_code(name, fact)) and fact.distinct > MOST_CATEGORIES:
        return f"{fact.distinct} different names are more than models can tell apart"
    return None


def useful_key(
    frame: pd.DataFrame,
    facts: Mapping[str, Facts],
    target: pd.Series[Any],
    names: Sequence[str],
) -> Decision[str] | None:
    """The category whose values tell most of the target: by it the past of events is summed up."""
    shares = {
        name: _explained(frame[name], target)
        for name in names
        if 2 <= facts[name].distinct <= min(MOST_CATEGORIES, len(frame) / FEW)
    }
    if not shares:
        return None
    best = max(shares, key=lambda name: shares[name])
    return Decision(best, f"its values tell {max(0.0, shares[best]):.0%} of the target's variance")


def _explained(groups: pd.Series[Any], target: pd.Series[Any]) -> float:
    """The share of the variance between groups, less what chance would give (epsilon squared)."""
    known = target.notna() & groups.notna()
    values, names = target[known], groups[known]
    total = float(((values - values.mean()) ** 2).sum())
    inside = float(((values - values.groupby(names).transform("mean")) ** 2).sum())
    free = len(values) - names.nunique()
    if not total or free < 1:
        return 0.0
    return (total - inside - (names.nunique() - 1) * inside / free) / total
