"""The days on which rows are due: what is asked of the others is nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator

from mlops_assets.lazy import holidays as holidays_package
from mlops_assets.lazy import np, pd

if TYPE_CHECKING:
    from mlops_assets.ml.metrics.metric import IntArray

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


@dataclass(frozen=True)
class DueDays:
    """Some weekdays, without the public holidays of a country where one is named."""

    weekdays: tuple[Weekday, ...] = ALL_WEEK
    holidays: str | None = None
    """As `holidays_of` takes it."""

    @property
    def all(self) -> bool:
        """Whether rows are due on every day."""
        return len(self.weekdays) == len(ALL_WEEK) and self.holidays is None

    def __contains__(self, day: dt.date) -> bool:
        return ALL_WEEK[day.weekday()] in self.weekdays and (
            self.holidays is None or day not in holidays_of(self.holidays, day.year)
        )

    def after(self, day: dt.date) -> dt.date:
        """The first one after a day."""
        while (day := day + ONE_DAY) not in self:
            pass
        return day

    def before(self, day: dt.date) -> dt.date:
        """The last one before a day."""
        while (day := day - ONE_DAY) not in self:
            pass
        return day

    def between(self, start: dt.date, end: dt.date) -> list[dt.date]:
        """Those of the days [start, end)."""
        days = (start + n * ONE_DAY for n in range((end - start).days))
        return [day for day in days if self.all or day in self]

    @property
    def longest_gap(self) -> int:
        """The most days in a row on which none are due."""
        return _longest_gap(self)

    def last_due(self, days: pd.DatetimeIndex) -> IntArray:
        """The position of each of consecutive days, or of the last one before it that is due.

        -1 where it lies before all of them.
        """
        if self.all:
            return np.arange(len(days))
        due = [day.date() in self for day in days]
        return np.maximum.accumulate(np.where(due, np.arange(len(days)), -1))


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
