"""Every day plays a recorded one near its date, and none twice within 52 weeks."""

import datetime as dt

import pytest

from mlops_assets.resources.sources.replayed_days import by_calendar

ONE_DAY = dt.timedelta(days=1)
FROM, YEARS = dt.date(2026, 1, 1), 12
DAYS = [FROM + n * ONE_DAY for n in range((dt.date(FROM.year + YEARS, 1, 1) - FROM).days)]
# of the sample and of the flights, around 29 February of leap years and others, and amid a year
LASTS = [
    *("2017-12-31", "2013-12-31", "2016-12-31", "2020-01-01", "2021-01-03", "2019-07-17"),
    *("2016-02-28", "2016-02-29", "2016-03-01", "2017-03-01", "2018-02-28", "2019-03-03"),
]


def apart(day: dt.date, recorded: dt.date) -> int:
    """The days between a recorded day and the same date of its year, or of one beside it."""
    leap = (day.month, day.day) == (2, 29)
    month, of_month = (3, 1) if leap else (day.month, day.day)
    years = (recorded.year - 1, recorded.year, recorded.year + 1)
    return min(abs((dt.date(year, month, of_month) - recorded).days) for year in years)


@pytest.mark.parametrize("length", [364, 365, 366, 371, 1000])
@pytest.mark.parametrize("last", LASTS)
@pytest.mark.long
def test_each_day_of_twelve_years(last: str, length: int) -> None:
    through = dt.date.fromisoformat(last)
    first = through - (length - 1) * ONE_DAY
    played = {day: by_calendar(day, first, through) for day in DAYS}
    before: dict[dt.date, dt.date] = {}
    for day, recorded in played.items():
        if recorded is None:
            continue
        assert first <= recorded <= through
        assert recorded.weekday() == day.weekday()
        assert apart(day, recorded) <= 3, (day, recorded)
        if recorded in before:
            assert (day - before[recorded]).days >= 364, (day, before[recorded], recorded)
        before[recorded] = day
    gone = [day for day, recorded in played.items() if recorded is None]
    # 12 years are longer by 15 days than 52 weeks each: at most three weeks are too many, and a day
    # where 29 February lies between
    assert len(gone) <= (22 if length < 371 else 8 if length < 735 else 0)
    # and the last year is what is played, but for the week more of it
    assert sum(r >= through - 363 * ONE_DAY for r in played.values() if r) >= len(DAYS) - 28
