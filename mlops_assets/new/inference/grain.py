"""Whether rows stand for days, or for weeks, months or quarters."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from mlops_assets.ml.due_days import ALL_WEEK, DueDays, Grain, Weekday
from mlops_assets.ml.features.feature_settings import CalendarFeature
from mlops_assets.new.inference.facts import Decision, UndecidableError
from mlops_assets.resources.sources.dates import Times
from mlops_assets.resources.sources.samples import Sample

COARSE_DAYS = 6  # from one day with rows to the next, from which on no row stands for a day
STEPS = {Grain.WEEK: (7, 7), Grain.MONTH: (28, 31), Grain.QUARTER: (89, 92)}  # days, usually
PERIODS = {6: "few days", 13: "week", 14: "two weeks", 31: "month", 92: "quarter", 366: "year"}
MOSTLY = 0.9  # of the days with rows, those of one weekday
TWICE = 0.02  # of the periods, those that may have rows of two days
SHOWN = 3
NAMES = {
    Weekday.MON: "Monday", Weekday.TUE: "Tuesday", Weekday.WED: "Wednesday",
    Weekday.THU: "Thursday", Weekday.FRI: "Friday", Weekday.SAT: "Saturday",
    Weekday.SUN: "Sunday",
}  # fmt: skip


def find_grain(days: Sequence[dt.date], begins: str | None = None) -> Decision[DueDays] | None:
    """The periods that rows stand for, by all days that have some, in ascending order.

    None where these are days. `begins` is the weekday with which weeks begin, where it is named.
    UndecidableError where rows stand for what is no week, month or quarter.
    """
    steps = [(day - before).days for before, day in pairwise(days)]
    usual = median(steps) if len(steps) > 1 else 0
    if usual < COARSE_DAYS:
        return None
    found = [grain for grain, (low, high) in STEPS.items() if low <= usual <= high]
    if found == [Grain.WEEK]:
        due, why = _weeks(days, begins)
    elif found:
        due, why = DueDays(grain=found[0]), _dated(days, DueDays(grain=found[0]))
    if not found or not _once(days, due) or not why:
        raise _refused(days, usual)
    return Decision(due, f"the days with rows are {usual:g} days apart: {why}")


def ends_with(days: Sequence[dt.date], due: DueDays) -> Weekday | None:
    """The weekday on which rows are dated, where that is taken for the last one of a week."""
    last = ALL_WEEK[ALL_WEEK.index(due.week_begins) - 1]
    dated = sum(ALL_WEEK[day.weekday()] is last for day in days)
    return last if due.grain is Grain.WEEK and dated >= MOSTLY * len(days) else None


def of_periods(sample: Sample, date: str, due: DueDays) -> Sample:
    """The rows dated by the first day of the period that they stand for."""
    column = sample.dates[date]
    days = due.starts(column.days).astype("datetime64[ns]")
    dated = replace(column, days=days, moments=days, timed=False, zoned=False, times=Times(days))
    return replace(sample, dates={**sample.dates, date: dated})


def with_other_date(
    sample: Sample, date: Decision[str]
) -> tuple[Sample, Decision[str], dict[str, str]]:
    """The sample with another name for a column of dates called like a feature, such as `month`.

    And what it is called in the source.
    """
    if date.value not in [*CalendarFeature] or sample.parts is not None:
        return sample, date, {}
    name = "date"
    while name in {*sample.frame, *sample.dates}:
        name += "_"
    dates = {name if old == date.value else old: column for old, column in sample.dates.items()}
    return replace(sample, dates=dates), Decision(name, date.reason), {name: date.value}


def _weeks(days: Sequence[dt.date], begins: str | None) -> tuple[DueDays, str]:
    """A week begins on a Monday on which rows are dated, else it ends on the weekday of most."""
    weekday, count = Counter(ALL_WEEK[day.weekday()] for day in days).most_common(1)[0]
    if begins is not None:
        due = DueDays(grain=Grain.WEEK, week_begins=Weekday(begins))
        return due, f"weeks that begin on {NAMES[due.week_begins]}, as named"
    if count < MOSTLY * len(days):
        return DueDays(grain=Grain.WEEK), "weeks from Monday to Sunday"
    if weekday is Weekday.MON:
        return DueDays(grain=Grain.WEEK), "weeks, dated on Monday, with which they begin"
    after = ALL_WEEK[(ALL_WEEK.index(weekday) + 1) % len(ALL_WEEK)]
    return DueDays(grain=Grain.WEEK, week_begins=after), (
        f"weeks, dated on {NAMES[weekday]}, with which they are taken to end; where they begin "
        f"with it: --week-begins {weekday}"
    )


def _dated(days: Sequence[dt.date], due: DueDays) -> str:
    """Where in its month or quarter a row is dated; nothing of quarters that are no calendar's."""
    begun = sum((day - due.start(day)).days < 7 for day in days) / len(days)
    ended = sum((due.end(day) - day).days <= 7 for day in days) / len(days)
    if begun >= MOSTLY or ended >= MOSTLY:
        return f"{due.grain}s, dated when they {'begin' if begun >= MOSTLY else 'end'}"
    return "" if due.grain is Grain.QUARTER else "months, dated on some day within"


def _once(days: Sequence[dt.date], due: DueDays) -> bool:
    """Whether a period has rows of one day, but for a few."""
    periods = {due.number(day) for day in days}
    return len(days) - len(periods) <= TWICE * len(periods)


def _refused(days: Sequence[dt.date], usual: float) -> UndecidableError:
    shown = ", ".join(map(str, days[-SHOWN:]))
    what = next((name for most, name in PERIODS.items() if usual <= most), "long time")
    return UndecidableError(
        f"the days with rows are {usual:g} days apart, such as {shown}, so that a row stands for a "
        f"{what}; a project is evaluated by the day, week, calendar month or calendar quarter: "
        "give the table rows of one of these"
    )
