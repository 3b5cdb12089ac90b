"""What the checks of a day find."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """How a day did in one check; `low` and `high` are the ends of what is allowed."""

    passed: bool
    why: str
    severe: bool = False
    """Whether the day is refused for it."""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def measures(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}
