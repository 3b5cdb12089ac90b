"""Dates of several columns, and periods that are no days."""

import pyarrow as pa
import pytest

from mlops_assets.project import ColumnSettings, DateParts, FileSettings
from mlops_assets.resources.sources.date_parts import find_parts, joined_parts, told_period
from mlops_assets.resources.sources.rows import finished
from mlops_assets.resources.sources.samples import reading

PARTS = DateParts(year="year", month="month", day="day", hour="hour")


@pytest.mark.parametrize(
    ("year", "month", "day", "hour", "local"),
    [
        (2026, 1, 5, 7, "2026-01-05 07:00"),
        ("2026", " 12", "31", "23", "2026-12-31 23:00"),
        (2026.0, 2.0, 28.0, 0.0, "2026-02-28 00:00"),
        ("2026", "Feb", "3", "9", "2026-02-03 09:00"),
        ("2026", "february", "3", "9", "2026-02-03 09:00"),
    ],
)
def test_columns_make_a_date(
    year: object, month: object, day: object, hour: object, local: str
) -> None:
    columns = ColumnSettings(
        date="when", date_parts=PARTS, target="n", time_of_day=["hour"], numeric=["hour"]
    )
    project = reading(FileSettings(kind="file", path="x.csv"), "UTC", columns)
    table = {"year": [year], "month": [month], "day": [day], "hour": [hour], "n": [1.5]}
    found = finished(project, pa.table(table), "x.csv", None)
    assert list(found) == ["when", "n", "hour"]
    assert f"{found['when'][0]:%Y-%m-%d}" == local[:10]
    assert found["hour"][0] == float(local[11:13])


def test_what_is_no_date_is_left_out() -> None:
    columns = ColumnSettings(date="when", date_parts=PARTS, target="n")
    project = reading(FileSettings(kind="file", path="x.csv"), "UTC", columns)
    table = pa.table(
        {
            "year": [2026, 2026, None, 2026],
            "month": [2, 2, 2, 2],
            "day": [3, 30, 3, 4],
            "hour": [0, 0, 0, 1],
            "n": [1.0, 2.0, 3.0, 4.0],
        }
    )
    left_out: list[str] = []
    found = finished(project, table, "x.csv", None, left_out=left_out)
    assert found["n"].tolist() == [1.0, 4.0]
    assert "columns year, month, day, hour is empty in 1 row(s): row 3" in left_out[0]
    assert "is no date: '2026-2-30 0:00' in row 2" in left_out[1]


def test_parts_are_known_by_their_names() -> None:
    assert find_parts(["Year", "MONTH", "day", "n"]) == DateParts(
        year="Year", month="MONTH", day="day"
    )
    assert find_parts(["yr", "mon", "dd", "hr"]) == DateParts(
        year="yr", month="mon", day="dd", hour="hr"
    )
    assert find_parts(["year", "month", "n"]) is None


def test_a_part_that_is_missing_is_missing() -> None:
    table = pa.table({"year": [2026, None], "month": [1, 1], "day": [2, 2], "hour": [3, 3]})
    assert joined_parts(table, PARTS).to_pylist() == ["2026-1-2 3:00", None]


@pytest.mark.parametrize(
    ("text", "told"),
    [("Jan-26", True), ("January 26", True), ("2026-01", False), ("may", False), ("A-26", False)],
)
def test_months_of_two_digits_are_told(text: str, told: bool) -> None:
    found = told_period("when", pa.array([text] * 10))
    assert (found is not None) == told
    if found is not None:
        assert f"column 'when' holds {text!r}, which may be a day or a month" in found
        assert "write months such as 2026-01, weeks such as 2026-W05, and dates such as" in found
