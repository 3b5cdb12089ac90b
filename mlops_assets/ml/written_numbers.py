"""Numbers as people write them: with a unit beside them, and groups of thousands."""

from __future__ import annotations

import re
from typing import Any

from mlops_assets.lazy import pc
from mlops_assets.ml.values import is_text

CURRENCIES = ("€", "$", "£", "¥", "EUR", "USD", "GBP", "CHF", "Fr.")
UNITS = (
    *("%", "kg", "g", "t", "l", "m", "cm", "mm", "km", "°C", "°F", "h", "min", "s", "kWh", "MWh"),
    *("Wh", "kW", "MW", "W", "km/h", "mph", "hPa", "mbar", "pcs", "pcs.", "Stk", "Stk.", "Stück"),
)
NUMBER = r"[-+]?\d[\d.,'\x{2019}]*"
MOSTLY = 0.9  # of the values of a column have its unit
# groups of thousands by their mark, with what all numbers that have it then look like
GROUPED = {
    ".": (r"\.\d{3},\d", r"^\s*[-+]?[\d.,]*\.\d", r"^\s*[-+]?\d{1,3}(?:\.\d{3})+(?:,\d+)?\s*$"),
    ",": (r",\d{3}\.\d", r"^\s*[-+]?[\d.,]*,\d", r"^\s*[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*$"),
    "'": (
        r"\d['\x{2019}]\d{3}",
        r"['\x{2019}]",
        r"^\s*[-+]?\d{1,3}(?:['\x{2019}]\d{3})+(?:[.,]\d+)?\s*$",
    ),
}


def grouped_by(column: Any, mark: str) -> bool:
    """Whether texts are numbers whose thousands are grouped by a mark, and it does nothing else."""
    clue, has_mark, whole = GROUPED[mark]
    marked = column.filter(pc.match_substring_regex(column, has_mark))
    found = pc.any(pc.match_substring_regex(marked, clue)).as_py()
    return bool(found and pc.all(pc.match_substring_regex(marked, whole)).as_py())


def ungrouped(column: Any, decimal: str | None = None) -> Any:
    """A column of texts without the marks that group thousands, as far as it tells them.

    What is said to begin the fraction groups none.
    """
    for mark in GROUPED:
        if mark != decimal and grouped_by(column, mark):
            return pc.replace_substring_regex(
                column, r"['\x{2019}]" if mark == "'" else f"[{mark}]", ""
            )
    return column


def unit_of(column: Any) -> str | None:
    """The unit or currency beside nearly all numbers of a column of texts; None without one."""
    if not is_text(column):
        return None
    known = pc.drop_null(column)
    first = known[:200]
    for unit in (*CURRENCIES, *UNITS):
        pattern = _beside(unit, before=unit in CURRENCIES)
        if len(first) and _share(first, pattern) >= MOSTLY and _share(known, pattern) >= MOSTLY:
            return unit
    return None


def without_unit(column: Any, unit: str) -> Any:
    """A column with numbers in place of those with a unit before or after them; others stay."""
    if not is_text(column):
        return column
    return pc.replace_substring_regex(column, _beside(unit, before=True), r"\1\2\3")


def _beside(unit: str, *, before: bool) -> str:
    escaped = re.escape(unit)
    pattern = rf"({NUMBER}) *{escaped}"
    if before:
        pattern = rf"(?:([-+]?){escaped} *({NUMBER})|{pattern})"
    return rf"^\s*{pattern}\s*$"


def _share(column: Any, pattern: str) -> float:
    return float(pc.mean(pc.match_substring_regex(column, pattern)).as_py() or 0.0)
