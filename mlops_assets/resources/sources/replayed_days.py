"""Which recorded day a day plays."""

import datetime as dt

WEEK = dt.timedelta(days=7)
NEAR = 3  # days around a date, among which each weekday is once


def in_loop(day: dt.date, first: dt.date, days: int) -> dt.date:
    """The recorded day in a loop of so many days from the first one on."""
    return first + (day - first) % dt.timedelta(days=days)


def by_calendar(day: dt.date, first: dt.date, last: dt.date) -> dt.date | None:
    """The recorded day of the same weekday at most three days from the same date of the calendar.

    Of a recording from the first through the last day it is the newest that there is. None where
    that lies before the first one: a year is longer than 52 weeks, and every five or six years a
    week more is played.

    The same recorded day is played again after 364 or 371 days at the earliest.
    """
    year = last.year + 1
    while (found := _near(day, year)) > last:
        year -= 1
    if found == _near(day - WEEK, year):  # 29 February lies between them, and it is played already
        found = _near(day, year - 1)
    return found if found >= first else None


def _near(day: dt.date, year: int) -> dt.date:
    """The day of the same weekday that is nearest to the same date of a year."""
    leap = (day.month, day.day) == (2, 29)
    same = dt.date(year, 3, 1) if leap else day.replace(year=year)
    return same + dt.timedelta(days=(day.weekday() - same.weekday() + NEAR) % 7 - NEAR)
