"""The days, weeks, months or quarters of which rows are due: of other days nothing is asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from mlops_assets.lazy import holidays as holidays_package
from mlops_assets.lazy import np, pd

IntArray: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
ONE_DAY = dt.timedelta(days=1)
GAP_YEARS = range(1990, 2050)  # in which the longest run of days without rows is looked for
MONDAY = dt.date(2024, 1, 1)


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


ALL_WEEK = tuple(Weekday)


class Grain(StrEnum):
    """What rows are of, and evaluated by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


YEAR_OF = {Grain.DAY: 364, Grain.WEEK: 52, Grain.MONTH: 12, Grain.QUARTER: 4}  # in whole periods
LONGEST = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 31, Grain.QUARTER: 92}  # in days
MONTHS_OF = {Grain.MONTH: 1, Grain.QUARTER: 3}


@dataclass(frozen=True)
class DueDays:
    """Some weekdays, without the public holidays of a country where one is named.

    Or every week, month or quarter, each named by its first day. Whatever counts days counts these
    periods then: they have numbers that count up by one, and a period is found by its number.
    """

    weekdays: tuple[Weekday, ...] = ALL_WEEK
    holidays: str | None = None
    """As `holidays_of` takes it."""
    grain: Grain = Grain.DAY
    week_begins: Weekday = Weekday.MON

    @property
    def all(self) -> bool:
        """Whether rows are due on every day, or of every period."""
        return len(self.weekdays) == len(ALL_WEEK) and self.holidays is None

    @property
    def daily(self) -> bool:
        """Whether rows are of days."""
        return self.grain is Grain.DAY

    def __contains__(self, day: dt.date) -> bool:
        if not self.daily:
            return self.start(day) == day
        return ALL_WEEK[day.weekday()] in self.weekdays and (
            self.holidays is None or day not in holidays_of(self.holidays, day.year)
        )

    def number(self, day: dt.date) -> int:
        """That of the period that holds a day; of days that of `toordinal`."""
        if self.daily:
            return day.toordinal()
        if self.grain is Grain.WEEK:
            return (day.toordinal() - 1 - ALL_WEEK.index(self.week_begins)) // 7
        return (day.year * 12 + day.month - 1) // MONTHS_OF[self.grain]

    def nth(self, number: int) -> dt.date:
        """The first day of the period with a number."""
        if self.daily:
            return dt.date.fromordinal(number)
        if self.grain is Grain.WEEK:
            return dt.date.fromordinal(7 * number + 1 + ALL_WEEK.index(self.week_begins))
        year, month = divmod(number * MONTHS_OF[self.grain], 12)
        return dt.date(year, month + 1, 1)

    def start(self, day: dt.date) -> dt.date:
        """The first day of the period that holds a day."""
        return day if self.daily else self.nth(self.number(day))

    def end(self, day: dt.date) -> dt.date:
        """The first day after the period that holds a day."""
        return self.back(day, -1)

    def back(self, day: dt.date, periods: int) -> dt.date:
        """The first day of the one so many periods before that of a day, due or not."""
        return self.nth(self.number(day) - periods)

    def count(self, start: dt.date, end: dt.date) -> int:
        """How many periods after that of `start` that of `end` is."""
        return self.number(end) - self.number(start)

    def calendar(self, first: dt.date, last: dt.date) -> pd.DatetimeIndex:
        """Every period from that of a first day to that of a last one, due or not."""
        if self.daily:
            return pd.date_range(first, last)
        numbers = range(self.number(first), self.number(last) + 1)
        return pd.DatetimeIndex([self.nth(number) for number in numbers])

    def numbers(self, dates: pd.Series[pd.Timestamp] | pd.DatetimeIndex) -> IntArray:
        """The number of the period of each date, of shape (dates,)."""
        if self.daily:
            since_1970 = np.asarray(dates, dtype="datetime64[D]").astype(np.int64)
            return since_1970 + dt.date(1970, 1, 1).toordinal()
        days = pd.DatetimeIndex(dates).normalize()
        known = pd.DatetimeIndex(days.unique())
        numbers = np.array([self.number(day.date()) for day in known], dtype=np.int64)
        return numbers[known.get_indexer(days)]

    def starts(self, dates: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
        """The first day of the period of each date, missing where that is."""
        known = dates.dropna().unique()
        return dates.map({day: pd.Timestamp(self.start(day.date())) for day in known})

    def alike(self, day: dt.date) -> int:
        """Which days a day is like: those of its weekday; a week is like all others."""
        return day.weekday() if self.daily else 0

    def all_alike(self, days: pd.DatetimeIndex) -> IntArray:
        """The same of each day, of shape (days,)."""
        return days.dayofweek.to_numpy() if self.daily else np.zeros(len(days), dtype=np.int64)

    def after(self, day: dt.date) -> dt.date:
        """The first one after a day."""
        if not self.daily:
            return self.end(day)
        while (day := day + ONE_DAY) not in self:
            pass
        return day

    def before(self, day: dt.date) -> dt.date:
        """The last one before that of a day."""
        if not self.daily:
            return self.back(day, 1)
        while (day := day - ONE_DAY) not in self:
            pass
        return day

    def between(self, start: dt.date, end: dt.date) -> list[dt.date]:
        """Those that begin on the days [start, end)."""
        if not self.daily:
            numbers = range(self.number(start - ONE_DAY) + 1, self.number(end - ONE_DAY) + 1)
            return [self.nth(number) for number in numbers]
        days = (start + n * ONE_DAY for n in range((end - start).days))
        return [day for day in days if self.all or day in self]

    @property
    def longest_gap(self) -> int:
        """The most days in a row on which none are due."""
        return _longest_gap(self) if self.daily else 0

    def last_due(self, days: pd.DatetimeIndex) -> IntArray:
        """The position of each of consecutive days, or of the last one before it that is due.

        -1 where it lies before all of them.
        """
        if self.all:
            return np.arange(len(days))
        due = [day.date() in self for day in days]
        return np.maximum.accumulate(np.where(due, np.arange(len(days)), -1))

    @property
    def year(self) -> int:
        """How many periods a year has, of days those of whole weeks."""
        return YEAR_OF[self.grain]

    @property
    def season(self) -> int:
        """After how many the usual pattern comes again: the week of days, else the year."""
        return 7 if self.daily else self.year

    @property
    def cron(self) -> str:
        """The days on which periods begin, as cron names them: of the month, months, weekdays."""
        weekday = (ALL_WEEK.index(self.week_begins) + 1) % len(ALL_WEEK)  # Sunday is 0
        days = {Grain.DAY: "* * *", Grain.MONTH: "1 * *", Grain.QUARTER: "1 1,4,7,10 *"}
        return days.get(self.grain, f"* * {weekday}")

    def named(self, day: dt.date | str) -> str:
        """What a period is called in a sentence."""
        return str(day) if self.daily else f"the {self.grain} of {day}"

    def in_words(self, periods: int) -> str:
        """A number of periods in words, such as `1 week`."""
        return f"{periods} {self.grain}{'' if periods == 1 else 's'}"

    @property
    def of_usual(self) -> str:
        """Of which days something is usual, in words."""
        return "on that weekday" if self.daily else "of late"


EVERY_DAY = DueDays()


@cache
def _longest_gap(due: DueDays) -> int:
    first, end = MONDAY, MONDAY + 21 * ONE_DAY
    if due.holidays is not None:
        first, end = (dt.date(year, 1, 1) for year in (GAP_YEARS.start, GAP_YEARS.stop))
    days = [] if due.all else due.between(first, end)
    return max(((day - before).days - 1 for before, day in pairwise(days)), default=0)


def known_place(value: str) -> str:
    """The same. ValueError where no holidays are known of it."""
    holidays_of(value, 2026)
    return value


def _place(value: object) -> object:
    return "NO" if value is False else value  # which is what YAML takes Norway for


Place = Annotated[str, BeforeValidator(_place), AfterValidator(known_place)]


@cache
def holidays_of(place: str, year: int) -> dict[dt.date, str]:
    """The public holidays of a year by day.

    `place` is a country by its code of ISO 3166, a part of one (DE-BY), or a market (XNYS).
    ValueError that says what is known of it.
    """
    country, _, part = place.partition("-")
    known = holidays_package.list_supported_countries()
    try:
        if country not in known:
            return dict(holidays_package.financial_holidays(country, years=year))
        return dict(holidays_package.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        parts = f"; its parts are {', '.join(known[country])}" if country in known else ""
        raise ValueError(
            f"no holidays are known of {place!r}{parts or ': write a country such as DE, a part '}"
            f"{'' if parts else 'of one such as DE-BY, or a market such as XNYS'}"
        ) from None
