"""Each row on its local day, or refused in words."""

import datetime as dt
import decimal
import zoneinfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.project import DateOrder
from mlops_assets.resources.sources import SourceError
from mlops_assets.resources.sources.dates import local_times

BERLIN = "Europe/Berlin"
# Berlin put its clocks forward on 29 March 2026 and back on 25 October: days of 23 and 25 hours.
SWITCHES = {"2026-03-29": 23, "2026-10-25": 25}


def days(values: list[object], zone: str = "UTC", order: DateOrder | None = None) -> list[str]:
    found = local_times(pa.array(values), "rows.csv: column 'date'", zone, order).days
    assert str(found.dtype) == "datetime64[ns]"
    assert (found == found.dt.normalize()).all()
    return [f"{day:%Y-%m-%d}" for day in found]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31 23:59:59.999", "2026-01-31"),
        ("2026-01-31T23:59", "2026-01-31"),
        ("2026/1/5", "2026-01-05"),
        ("31.1.2026 8:15", "2026-01-31"),
        ("31/01/2026", "2026-01-31"),
        ("1/31/2026 3:00 PM", "2026-01-31"),
        ("5.1.2026", "2026-01-05"),
        (" 2026-01-31 ", "2026-01-31"),
        ("5-Jan-26", "2026-01-05"),
        ("5-Jan-2026 10:15", "2026-01-05"),
        ("5 January 2026", "2026-01-05"),
        ("Jan 5 2026", "2026-01-05"),
        ("September 3rd, 2026", "2026-09-03"),
        ("20260131", "2026-01-31"),
    ],
)
def test_dates_as_people_write_them(text: str, day: str) -> None:
    assert days([text]) == [day]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["yesterday"],
            "rows.csv: column 'date' is no date: 'yesterday' in row 1; write dates such",
        ),
        (["2026-02-31"], "no date: '2026-02-31'"),
        (["2026-01/31"], "no date: '2026-01/31'"),
        (["31.1.26"], "no date: '31.1.26'"),
        (["20261331"], "no date: '20261331'"),
        ([12, 13, 14], "is no date: 12 in row 1 and 2 more; write"),
        ([True, False], "is no date: True in row 1"),
        ([dt.date(9999, 12, 31)], "is no date: 9999-12-31"),
        (["2026-01-01", "02.01.2026"], "two formats: '2026-01-01' and '02.01.2026'"),
        (["31/01/2026", "01/31/2026"], "'31/01/2026' has the day first, '01/31/2026' the month"),
        (["01/02/2026", "03/03/2026"], "'01/02/2026', which could be 1 February or 2 January"),
        (["2026-01-01 10:00", "2026-01-01T10:00Z"], "with and without a time zone: '2026-01-01"),
        (["2026-01-01", "", None, " "], r"empty in 3 row\(s\): row 2, 3, 4; give them a date"),
        ([None, dt.date(2026, 1, 1)], r"empty in 1 row\(s\): row 1"),
    ],
)
def test_what_is_no_date_or_could_be_two(values: list[object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        days(values)


NOON = 1769860800  # 2026-01-31 12:00 in UTC


@pytest.mark.parametrize("digits", [1, 10**3, 10**6, 10**9])
def test_numbers_are_days_or_count_from_1970(digits: int) -> None:
    for value in (
        NOON * digits,
        float(NOON * digits),
        decimal.Decimal(NOON * digits),
        str(NOON * digits),
    ):
        assert days([value]) == ["2026-01-31"]
        assert days([value], "Pacific/Apia") == ["2026-02-01"]  # 13 hours ahead
    for value in (20260131, 20260131.0, decimal.Decimal("20260131.00"), "20260131"):
        assert days([value], BERLIN) == ["2026-01-31"]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("n/a", "is no date: 'n/a' in row 3"),
        ("Total", "is no date: 'Total' in row 3"),
        ("9999-12-31", "is no date: '9999-12-31' in row 3"),
        ("", "is empty in 1 row(s): row 3"),
        (None, "is empty in 1 row(s): row 3"),
        ("02.01.2026", "holds dates in two formats: '2026-01-01' and '02.01.2026' in row 3"),
        ("2026-01-01T10:00Z", "with and without a time zone: '2026-01-01' and '2026-01-01T10:00Z'"),
    ],
)
def test_a_row_without_a_day_is_told_and_the_others_have_theirs(odd: str | None, said: str) -> None:
    left_out: list[str] = []
    values = ["2026-01-01"] * 2 + [odd] + ["2026-01-02"] * 8
    where = "rows.csv: column 'date'"
    found = local_times(pa.array(values), where, "UTC", left_out=left_out).days
    known = [pd.Timestamp("2026-01-01")] * 2 + [pd.Timestamp("2026-01-02")] * 8
    assert found.isna().tolist() == [n == 2 for n in range(11)]
    assert found.dropna().tolist() == known
    assert len(left_out) == 1
    assert said in left_out[0]


def test_columns_that_are_hardly_dates_are_refused() -> None:
    for values in (["n/a", "2026-01-01"], ["2026-01-01", "2026-01-01", "02.01.2026"]):
        with pytest.raises(SourceError, match=r"no date|two formats"):
            local_times(pa.array(values), "x", "UTC", left_out=[])


def test_the_order_may_be_set() -> None:
    assert days(["01/02/2026"], order=DateOrder.DAY_FIRST) == ["2026-02-01"]
    assert days(["01/02/2026"], order=DateOrder.MONTH_FIRST) == ["2026-01-02"]
    with pytest.raises(SourceError, match=r"'13/02/2026', which is not month_first"):
        days(["13/02/2026"], order=DateOrder.MONTH_FIRST)


@pytest.mark.parametrize("day", SWITCHES)
def test_days_on_which_the_clocks_change(day: str) -> None:
    noon = pd.Timestamp(day, tz=BERLIN)
    hours = pd.date_range(
        noon - pd.Timedelta(hours=2), noon + pd.Timedelta(hours=27), freq="h", tz=BERLIN
    )
    utc = hours.tz_convert("UTC")
    forms = {
        "offsets": pa.array([hour.isoformat() for hour in hours]),
        "offsets without colon": pa.array(hours.strftime("%Y-%m-%d %H:%M:%S%z")),
        "UTC": pa.array(utc.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "zoned": pa.array(hours),
        "zoned in UTC": pa.array(utc),
    }
    for name, values in forms.items():
        found = local_times(values, "x", BERLIN).days
        assert (found == pd.Timestamp(day)).sum() == SWITCHES[day], name
        assert (found < pd.Timestamp(day)).sum() == 2, name
    # the hour that comes twice, or not at all, is on its day where no zone is written either
    assert days([f"{day} 02:30:00"], BERLIN) == [day]
    assert days([dt.datetime.fromisoformat(f"{day}T02:30:00")], BERLIN) == [day]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.datetimes(
            dt.datetime(1990, 1, 1),
            dt.datetime(2060, 1, 1),
            timezones=st.sampled_from(["UTC", "Asia/Tokyo", "America/St_Johns"]).map(
                zoneinfo.ZoneInfo
            ),
        ),
        min_size=1,
    ),
    st.sampled_from([BERLIN, "America/New_York", "Pacific/Apia", "Asia/Kolkata"]),
)
def test_text_and_timestamps_fall_on_the_day_that_python_says(
    instants: list[dt.datetime], zone: str
) -> None:
    expected = [str(i.astimezone(zoneinfo.ZoneInfo(zone)).date()) for i in instants]
    assert days([instant.isoformat() for instant in instants], zone) == expected
    utc = [instant.astimezone(dt.UTC) for instant in instants]
    assert days(list(utc), zone) == expected
