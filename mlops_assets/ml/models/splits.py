"""Which rows a version learns from and which ones judge it: by time, never at random."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import FloatArray
from mlops_assets.ml.registries import Configurable, Registry

SHORTEST_MONTH, LONGEST_MONTH = 28, 31
MONTHS_TRIED = 120  # for a first whole window


@dataclass(frozen=True)
class Window:
    """The days [start, end)."""

    start: dt.date
    end: dt.date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a window from {self.start} to before {self.end} holds no day")

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def __str__(self) -> str:
        return f"{self.start} through {self.end - dt.timedelta(days=1)}"


class Split(Configurable, ABC):
    """Which days a model learns from that serves from a given day on.

    `months` below are the settings' training.window_months, `earliest` is the first day of which
    every feature can be made.
    """

    @abstractmethod
    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        """The days to learn from, all of them before `end`."""

    def days(self, months: int) -> tuple[int, int | None]:
        """The fewest and the most days that a window holds; None where it goes on growing."""
        return SHORTEST_MONTH * months, LONGEST_MONTH * months

    def first_end(self, earliest: dt.date, months: int) -> dt.date:
        """The first `end`, the first of a month, for which there can be a whole window."""
        return add_months(month_start_after(earliest), months)

    def judged(self, window: Window, months: int) -> list[Window]:
        """The parts of a window that each must hold training.min_coverage of their days."""
        return [window]


SPLITS: Registry[type[Split]] = Registry("split")
register = SPLITS.register


@register
class Trailing(Split):
    name = "trailing"
    description = "The last months: what is older is forgotten."

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        return Window(months_before(end, months), end)


@register
class Expanding(Split):
    name = "expanding"
    description = "Everything from the first day on, and at least the months of the window."

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        return Window(earliest, end)

    def days(self, months: int) -> tuple[int, int | None]:
        return SHORTEST_MONTH * months, None

    def judged(self, window: Window, months: int) -> list[Window]:
        """The whole, and the last months of it: a long past must not hide a recent gap."""
        return [window, Window(months_before(window.end, months), window.end)]


@register
class Fixed(Split):
    name = "fixed"
    description = "The same days for ever: a frozen reference, whatever happens since."

    start: dt.date = Field(alias="from", description="The first day to learn from.")
    through: dt.date = Field(description="The last one; the model serves from the month after it.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start > self.through:
            raise ValueError(f"from {self.start} lies after through {self.through}")
        return self

    @property
    def _end(self) -> dt.date:
        return self.through + dt.timedelta(days=1)

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        return Window(self.start, min(self._end, end))

    def days(self, months: int) -> tuple[int, int | None]:
        length = (self._end - self.start).days
        return length, length

    def first_end(self, earliest: dt.date, months: int) -> dt.date:
        if self.start < earliest:
            raise ValueError(
                f"from {self.start} lies before {earliest}, the first day of "
                "which every feature can be made; move it, or first_day"
            )
        return month_start_after(self._end)


@dataclass(frozen=True)
class TrainingWindow:
    """A split with what holds for every split: months, and a gap before the day of service.

    `delay_days` after a day has ended its target is known: what serves from a day on never learns
    from the days that are not known by then, whatever the gap. `loop_days` after a day its rows
    come again, as of a recording that is replayed: what learned from a day never serves its twin.
    """

    split: Split
    months: int
    gap_days: int = 0
    delay_days: int = 0
    loop_days: int = 0
    due: DueDays = EVERY_DAY
    """What rows are of: a week is learned from once it has ended."""

    @property
    def days_left_out(self) -> int:
        """The days between the last one to learn from and the month of service."""
        return max(self.gap_days, self.delay_days)

    def of(self, end: dt.date, earliest: dt.date, *, gap: bool = True) -> Window:
        """The days to learn from for service from `end` on.

        ValueError when the split reaches to `end` or beyond it, or holds no day.
        """
        last = self.due.back(end, self.days_left_out if gap else self.delay_days)
        window = self.split.window(last, earliest, self.months)
        if window.end > last:
            raise ValueError(
                f"split {self.split.name} would learn from {window}, but a model that serves from "
                f"{end} on may learn from days before {last} only; correct its `window`"
            )
        before = self.serves_before(window.start)
        if before is not None and before <= end:
            raise ValueError(
                f"what learns from {window} would be scored from {end} on by what it learned: the "
                f"recording comes again after {self.loop_days} days; shorten training.window_months"
            )
        return window

    def serves_before(self, start: dt.date) -> dt.date | None:
        """The first day that comes again of the days from `start` on; None where none does."""
        return start + dt.timedelta(days=self.loop_days) if self.loop_days else None

    def first_month(self, earliest: dt.date) -> dt.date:
        """The first month of service with a whole window. ValueError when there is none."""
        fewest, _ = self.split.days(self.months)
        first = self.split.first_end(earliest, self.months)
        for month in (add_months(first, n) for n in range(MONTHS_TRIED)):
            window = self.of(month, earliest)
            inside = all(part.start >= earliest for part in self.judged(window))
            if inside and window.days >= fewest:
                return month
        raise ValueError(
            f"split {self.split.name} has no whole window for the {MONTHS_TRIED} months from "
            f"{first} on, where features begin on {earliest}; correct its first_end"
        )

    def judged(self, window: Window) -> list[Window]:
        """The parts of a window whose coverage is judged."""
        return self.split.judged(window, self.months)

    @property
    def reach_months(self) -> int | None:
        """How many whole months back a window may reach; None where that is not known."""
        return self.months if type(self.split) is Trailing and not self.days_left_out else None

    def __str__(self) -> str:
        days = self.days_left_out
        gap = f", {days} days before service left out" if days else ""
        return f"{self.split.name}{gap}"


@dataclass(frozen=True)
class Weights:
    """How much rows count: as a column says, and half as much for each half-life of their age."""

    date: str
    half_life_days: float | None = None
    due: DueDays = EVERY_DAY
    column: str | None = None

    def __call__(self, rows: pd.DataFrame) -> FloatArray | None:
        """A weight per row, shape (rows,), with a mean of one; None where all count alike.

        ValueError where the column has no weight for some of them, or none above zero.
        """
        weights = np.ones(len(rows))
        if (told := self.told(rows)) is not None:
            weights = weights * told
        if self.half_life_days is not None:
            number = self.due.numbers(rows[self.date])
            age = (number.max() - number).astype(float)
            weights = weights * np.power(0.5, age / self.half_life_days)
        return None if not np.ptp(weights) else weights / weights.mean()

    def told(self, rows: pd.DataFrame) -> FloatArray | None:
        """What the column says, of shape (rows,); None without one. ValueError as above."""
        if self.column is None:
            return None
        told = rows[self.column].to_numpy(dtype=float)
        if lacking := int(np.isnan(told).sum()):
            first = rows[self.date][np.isnan(told)].iloc[0]
            raise ValueError(
                f"{lacking} of {len(rows)} rows, such as one of {first:%Y-%m-%d}, have no "
                f"{self.column}, by which rows are to count (columns.weight); materialize "
                "observations and features of their days again"
            )
        if not told.any():
            raise ValueError(
                f"{self.column}, by which rows are to count (columns.weight), is 0 in all "
                f"{len(rows)} rows"
            )
        return told

    def __str__(self) -> str:
        told = [] if self.column is None else [f"by {self.column}"]
        if self.half_life_days is not None:
            told.append(f"half for each {self.half_life_days:g} days of age")
        return ", ".join(told)


@dataclass(frozen=True)
class HoldoutSplit:
    """The last days of a window judge what the days before them taught.

    `delay_days` after a day has ended its target is known: what judges learns only from days that
    were known when the first one judged began.
    """

    days: int
    delay_days: int = 0
    due: DueDays = EVERY_DAY

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"a holdout needs at least one day, not {self.days}")

    def first_day(self, window_end: dt.date) -> dt.date:
        """The first day of the holdout of a window that ends before `window_end`."""
        return self.due.back(window_end, self.days)

    def split(
        self, rows: pd.DataFrame, date: str, window_end: dt.date
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows known before the holdout and those in it. ValueError when either is empty."""
        first = self.first_day(window_end)
        held_out = rows[date] >= pd.Timestamp(first)
        known = rows[date] < pd.Timestamp(self.due.back(first, self.delay_days))
        if not known.any() or not held_out.any():
            late = f", with {self.delay_days} days not known by then," if self.delay_days else ""
            raise ValueError(
                f"a holdout of {self.days} days before {window_end}{late} takes {(~known).sum()} "
                f"of {len(rows)} rows; both sides need rows"
            )
        if rows[date].is_monotonic_increasing:  # no copy of what may be most of a large table
            return rows.iloc[: int(known.sum())], rows.iloc[len(rows) - int(held_out.sum()) :]
        return rows[known], rows[held_out]


def add_months(day: dt.date, months: int) -> dt.date:
    """The first of the month so many months later."""
    count = day.year * 12 + day.month - 1 + months
    return dt.date(count // 12, count % 12 + 1, 1)


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day so many months earlier, or the last one of that month where it is shorter."""
    first = add_months(day, -months)
    last = add_months(first, 1) - dt.timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


def month_start_after(day: dt.date) -> dt.date:
    """The day itself where it is the first of a month, else the first of the next one."""
    return day if day.day == 1 else add_months(day, 1)
