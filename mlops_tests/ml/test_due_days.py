"""Days on which rows are due, by hand."""

import datetime as dt

import pandas as pd
import pytest

from mlops_assets.ml.due_days import EVERY_DAY, DueDays, Grain, Weekday, holidays_of

BUSINESS = DueDays(tuple(Weekday)[:5])
GERMAN = DueDays(tuple(Weekday)[:5], "DE")
WEEKS = DueDays(grain=Grain.WEEK)
FROM_SUNDAY = DueDays(grain=Grain.WEEK, week_begins=Weekday.SUN)
MONTHS = DueDays(grain=Grain.MONTH)
QUARTERS = DueDays(grain=Grain.QUARTER)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("due", "of", "before", "after", "gap"),
    [
        (EVERY_DAY, "2026-11-28", "2026-11-27", "2026-11-29", 0),
        # 27 November 2026 is a Friday
        (BUSINESS, "2026-11-27", "2026-11-26", "2026-11-30", 2),
        (BUSINESS, "2026-11-29", "2026-11-27", "2026-11-30", 2),
        (DueDays((Weekday.SAT, Weekday.SUN)), "2026-11-29", "2026-11-28", "2026-12-05", 5),
        # Good Friday is 3 April 2026, Easter Monday the 6th: from Thursday to Tuesday
        (GERMAN, "2026-04-07", "2026-04-02", "2026-04-08", 4),
        (GERMAN, "2026-04-02", "2026-04-01", "2026-04-07", 4),
    ],
)
def test_the_due_days_around_a_day(
    due: DueDays, of: str, before: str, after: str, gap: int
) -> None:
    assert due.before(day(of)) == day(before)
    assert due.after(day(of)) == day(after)
    assert due.longest_gap == gap


def test_the_days_between_are_those_that_are_due() -> None:
    found = GERMAN.between(day("2026-04-30"), day("2026-05-06"))
    # 1 May is a Friday and a holiday
    assert [str(one) for one in found] == ["2026-04-30", "2026-05-04", "2026-05-05"]
    assert EVERY_DAY.between(day("2026-05-01"), day("2026-05-01")) == []


def test_each_day_repeats_the_last_due_one() -> None:
    days = pd.date_range("2026-11-28", "2026-12-06")  # Saturday to Sunday
    assert BUSINESS.last_due(days).tolist() == [-1, -1, 2, 3, 4, 5, 6, 6, 6]
    assert EVERY_DAY.last_due(days).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_holidays_are_those_of_a_country_a_part_of_it_or_a_market() -> None:
    assert day("2026-10-03") in holidays_of("DE", 2026)
    assert day("2026-06-04") not in holidays_of("DE", 2026)  # Corpus Christi
    assert day("2026-06-04") in holidays_of("DE-BY", 2026)
    assert day("2026-11-26") in holidays_of("XNYS", 2026)  # Thanksgiving
    with pytest.raises(ValueError, match=r"known of 'XX': write a country such as DE"):
        holidays_of("XX", 2026)
    with pytest.raises(ValueError, match=r"known of 'DE-ZZ'; its parts are BB, BE"):
        holidays_of("DE-ZZ", 2026)


@pytest.mark.parametrize(
    ("due", "start", "before", "after", "year_before"),
    [
        # 28 February 2024 is a Wednesday, in a leap year
        (EVERY_DAY, "2024-02-28", "2024-02-27", "2024-02-29", "2023-03-01"),
        (WEEKS, "2024-02-26", "2024-02-19", "2024-03-04", "2023-02-27"),
        (FROM_SUNDAY, "2024-02-25", "2024-02-18", "2024-03-03", "2023-02-26"),
        (MONTHS, "2024-02-01", "2024-01-01", "2024-03-01", "2023-02-01"),
        (QUARTERS, "2024-01-01", "2023-10-01", "2024-04-01", "2023-01-01"),
    ],
)
def test_a_day_lies_in_a_period_among_others(
    due: DueDays, start: str, before: str, after: str, year_before: str
) -> None:
    of = day("2024-02-28")
    assert due.start(of) == day(start)
    assert due.before(of) == day(before)
    assert due.after(of) == due.end(of) == day(after)
    assert due.back(of, due.year) == day(year_before)
    assert due.count(day(year_before), of) == due.year
    assert (of in due) == due.daily
    assert day(start) in due
    assert due.longest_gap == 0
    assert due.all


def test_periods_are_numbered_one_by_one() -> None:
    for due in (EVERY_DAY, WEEKS, FROM_SUNDAY, MONTHS, QUARTERS):
        first = due.number(day("2019-12-15"))
        starts = [due.nth(number) for number in range(first, first + 60)]
        assert [due.number(one) - first for one in starts] == list(range(60))
        last = [due.nth(due.number(one) + 1) - dt.timedelta(days=1) for one in starts]
        assert [due.number(one) - first for one in last] == list(range(60))
        assert list(due.calendar(starts[0], last[-1])) == [pd.Timestamp(one) for one in starts]
        assert due.between(starts[0], starts[-1]) == starts[:-1]
        dates = pd.Series([pd.Timestamp(last[3]), pd.Timestamp(starts[3]), pd.Timestamp(last[0])])
        assert (due.numbers(dates) - first).tolist() == [3, 3, 0]
        assert due.starts(dates).tolist() == [pd.Timestamp(starts[n]) for n in (3, 3, 0)]


def test_periods_between_days_are_those_that_begin_there() -> None:
    found = WEEKS.between(day("2026-11-01"), day("2026-11-16"))
    assert [str(one) for one in found] == ["2026-11-02", "2026-11-09"]
    assert MONTHS.between(day("2026-11-02"), day("2026-12-01")) == []
    assert MONTHS.between(day("2026-11-01"), day("2026-11-01")) == []
    assert QUARTERS.between(day("2026-01-01"), day("2027-01-01"))[-1] == day("2026-10-01")


def test_no_period_of_days_is_like_one_of_a_weekday() -> None:
    days = pd.DatetimeIndex(["2026-11-01", "2026-12-01"])  # a Sunday and a Tuesday
    assert EVERY_DAY.all_alike(days).tolist() == [6, 1]
    assert MONTHS.all_alike(days).tolist() == [0, 0]
    assert [MONTHS.alike(one.date()) for one in days] == [0, 0]


def test_a_date_that_is_missing_has_no_period() -> None:
    found = MONTHS.starts(pd.Series([pd.Timestamp("2026-11-30"), pd.NaT]))
    assert found.isna().tolist() == [False, True]


def test_periods_in_words() -> None:
    assert EVERY_DAY.named("2026-11-23") == "2026-11-23"
    assert WEEKS.named("2026-11-23") == "the week of 2026-11-23"
    assert (MONTHS.in_words(1), MONTHS.in_words(2)) == ("1 month", "2 months")
    assert [due.cron for due in (EVERY_DAY, WEEKS, FROM_SUNDAY, MONTHS, QUARTERS)] == [
        *("* * *", "* * 1", "* * 0", "1 * *", "1 1,4,7,10 *")
    ]
