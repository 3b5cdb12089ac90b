"""Values that mean that there is none: `N/A`, -999, or whatever is beyond a bound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import np, pa, pc, pd
from mlops_assets.ml.values import is_text, names, numbers, plain

BOUND = re.compile(r"([<>]) *([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)")
WORDS = (
    *("n/a", "na", "#n/a", "#na", "n.a.", "k.a.", "nan", "null", "(null)", "<na>", "nil", "none"),
    *("missing", "-", "--", "---", ".", "?", "\\n", "#value!", "#div/0!", "#ref!", "#num!"),
)


def is_word(text: str) -> bool:
    """Whether people write a text where there is no value."""
    return text.strip().lower() in WORDS


def unmarked_numbers(column: Any, markers: Sequence[str]) -> pd.Series[Any]:
    """An Arrow column as numbers, missing where a marker says so.

    Markers are texts and numbers, by value, and bounds such as `> 1000`.
    """
    column = plain(column)
    if markers and is_text(column):
        words = pa.array([marker.strip() for marker in markers], column.type)
        marked = pc.is_in(pc.utf8_trim_whitespace(column), value_set=words)
        column = pc.if_else(marked, pa.scalar(None, column.type), column)
    found = numbers(column)
    if not markers:
        return found
    values = pd.to_numeric(found, errors="coerce")
    marked_too = values.isin([number for text in markers if (number := _number(text)) is not None])
    for sign, bound in (match.groups() for text in markers if (match := BOUND.fullmatch(text))):
        marked_too |= values > float(bound) if sign == ">" else values < float(bound)
    return found.mask(marked_too, np.nan)


def unmarked_names(
    column: Any, markers: Sequence[str], labels: Sequence[str] = ()
) -> pd.Series[Any]:
    """An Arrow column as names, or labels, None where a marker says so."""
    found = names(column, labels)
    if not markers:
        return found
    known = found.to_numpy(dtype=object, copy=True)
    known[found.isin(list(markers))] = None
    return pd.Series(known, dtype=object)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
