"""What a check found: the one type of all that judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlops_assets.lazy import pd


@dataclass(frozen=True)
class CheckResult:
    """How a day or a version did; `low` and `high` are the ends of what is allowed."""

    passed: bool
    why: str
    severe: bool = False
    """Whether it failed so that the day is refused, or the version does not serve."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    names: tuple[str, str, str] = ("value", "low", "high")
    """What the three are called where they are shown."""
    also: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by name."""

    @property
    def measures(self) -> dict[str, float]:
        """The numbers that there are, by name."""
        numbers = zip(self.names, (self.value, self.low, self.high), strict=True)
        return {name: number for name, number in numbers if number is not None} | dict(self.also)


@dataclass(frozen=True)
class FailedRows(CheckResult):
    """What a check found wrong with rows."""

    rows: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(), compare=False, repr=False)
    """Some of them."""


CheckResults = Mapping[str, CheckResult]


def not_judged(checks: Iterable[str], why: str) -> dict[str, CheckResult]:
    """What checks say, by name, of what they had nothing to judge by."""
    return dict.fromkeys(checks, CheckResult(True, f"not judged: {why}"))
