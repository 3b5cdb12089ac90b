"""What flags say."""

from dataclasses import dataclass

KEEP = "none"  # the answer that leaves rows as they are
REDUCTIONS = ("sum", "mean", "median", "min", "max")
ABSENT = ("zero", "missing")
REFUSE = "refuse"  # the answer that leaves the days of repeated rows out
REPEATS = ("sum", "mean", "last", REFUSE)


@dataclass(frozen=True)
class Wishes:
    """What the flags say; None where a flag is not given."""

    name: str
    owner: str
    date: str | None = None
    target: str | None = None
    task: str | None = None
    positive: str | None = None
    series: list[str] | None = None
    leave_out: list[str] | None = None
    keep: list[str] | None = None
    aggregate: str | None = None
    repeated: str | None = None
    absent: str | None = None
    replay: bool | None = None
    time_zone: str | None = None
    holidays: str | None = None
    week_begins: str | None = None
    weight: str | None = None
