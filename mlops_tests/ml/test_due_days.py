"""Days on which rows are due, by hand."""

import datetime as dt

import pandas as pd
import pytest

from mlops_assets.ml.due_days import EVERY_DAY, DueDays, Weekday, holidays_of

BUSINESS = DueDays(tuple(Weekday)[:5])
GERMAN = DueDays(tuple(Weekday)[:5], "DE")


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
