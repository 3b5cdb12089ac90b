"""Problems in words, and what the contracts of all kinds compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlops_assets.lazy import np

Problems = Iterator[str]
"""What is wrong with an entry; none means that its contract is kept."""

TOLERANCE = 1e-9


def description_problems(description: object) -> Problems:
    """Whether a description is a sentence."""
    if not isinstance(description, str) or not description.endswith("."):
        yield f"description is {description!r}; say in a sentence, with a full stop, what it is"


def differ(first: Any, second: Any) -> bool:
    """Whether two arrays differ in any bit, missing values apart."""
    return not np.array_equal(
        np.asarray(first, dtype=float), np.asarray(second, dtype=float), equal_nan=True
    )


def close(first: float, second: float) -> bool:
    """Whether two numbers differ by no more than rounding."""
    return abs(first - second) <= TOLERANCE * max(1.0, abs(first), abs(second))
