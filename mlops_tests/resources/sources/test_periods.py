"""Texts of weeks, months and quarters, and sources of rows that are of these."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from mlops_assets.project import Project, load_project
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.sources.dates import local_times
from mlops_assets.resources.sources.periods import are_periods, with_first_days

SETTINGS = {
    "name": "shop",
    "owner": "team:shop",
    "source": {"kind": "file", "path": "rows.csv"},
    "columns": {"date": "when", "target": "units", "series": ["shop"]},
    "features": {"lags": [1]},
    "training": {"window_months": 6, "holdout_days": 2},
    "evaluation": {"metrics": ["mae"], "primary": "mae", "baseline": "naive"},
    "models": [
        {"name": "naive", "family": "seasonal_naive", "hyperparameters": {"repeats": "units_lag_1"}}
    ],
}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-W05", "2026-01-26"),
        ("2026W5", "2026-01-26"),
        ("2026-W05-3", "2026-01-28"),
        ("2020-W53", "2020-12-28"),
        ("2021-W53", None),  # 2021 has 52 weeks
        ("1977-Jan", "1977-01-01"),
        ("Jan 2026", "2026-01-01"),
        ("September 2026", "2026-09-01"),
        ("2026-01", "2026-01-01"),
        ("2026/1", "2026-01-01"),
        ("01/2026", "2026-01-01"),
        ("2026-Q2", "2026-04-01"),
        ("q4 2026", "2026-10-01"),
        ("2026-13", None),
        ("2026.01", None),
        ("2026-01-05", None),
        ("Jan-26", None),
        ("may", None),
    ],
)
def test_a_period_is_its_first_day(text: str, day: str | None) -> None:
    written, told = with_first_days(pa.array([text, None, "x"]))
    assert told.tolist() == [day is not None, False, False]
    assert written.to_pylist() == [day or text, None, "x"]
    assert are_periods(pa.array([text] * 3)) == (day is not None)


def test_a_month_among_days_is_no_date() -> None:
    left_out: list[str] = []
    times = local_times(pa.array([*["2026-01-05"] * 20, "2026-01"]), "f", "UTC", left_out=left_out)
    assert times.days.isna().sum() == 1
    assert "dates in two formats: '2026-01-05' and '2026-01' in row 21" in left_out[0]


def project(folder: Path, rows: str, **settings: object) -> Project:
    (folder / "rows.csv").write_text(f"when,shop,units\n{rows}", encoding="utf-8")
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(SETTINGS | settings), encoding="utf-8")
    return load_project(file)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def test_rows_are_dated_by_the_first_day_of_their_week(tmp_path: Path) -> None:
    rows = "2026-11-15,a,1\n2026-11-16,a,2\n2026-11-18,b,3\n2026-11-22,c,4\n2026-11-23,a,5\n"
    of_weeks = project(tmp_path, rows, grain="week", first_day=dt.date(2024, 1, 1))
    source = make_source(of_weeks)
    monday, tuesday, next_monday = days("2026-11-16", "2026-11-17", "2026-11-23")
    for end in (tuesday, next_monday):  # the end of the day that names the week, or of the week
        found = source.read(monday, end)
        assert found["units"].tolist() == [2, 3, 4]
        assert set(found["when"]) == {pd.Timestamp(monday)}
        assert found["when"].dtype == "datetime64[ns]"
    assert source.span() == (dt.date(2026, 11, 9), dt.date(2026, 11, 23))
    before = source.fingerprints(monday, tuesday)
    assert list(before) == ["2026-11-16"]
    of_weeks = project(
        tmp_path, rows.replace("c,4", "c,6"), grain="week", first_day=dt.date(2024, 1, 1)
    )
    assert make_source(of_weeks).fingerprints(monday, tuesday) != before


def test_absent_rows_of_months_are_those_of_series_that_have_begun(tmp_path: Path) -> None:
    rows = "2026-08-31,a,1\n2026-09-30,b,2\n2026-10-31,a,3\n"
    of_months = project(
        tmp_path,
        rows,
        grain="month",
        first_day=dt.date(2020, 1, 1),
        columns={**SETTINGS["columns"], "absent": "zero"},  # type: ignore[dict-item]
        constraints={"units": {"min": 0}},
    )
    found = make_source(of_months).read(dt.date(2026, 9, 1), dt.date(2026, 11, 1))
    told = [*zip(found["when"].dt.month, found["shop"], found["units"], strict=True)]
    assert sorted(told) == [(9, "a", 0), (9, "b", 2), (10, "a", 3), (10, "b", 0)]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"first_day": dt.date(2024, 1, 3)}, "2024-01-03 is not the first day of a week"),
        ({"features": {"lags": [1], "calendar": ["day_of_week"]}}, "tells nothing of a week"),
        ({"expected": {"weekdays": ["mon"]}}, "weekdays and holidays are of days, not of a week"),
        ({"features": {"lags": [1], "holidays": "DE"}}, "holidays are of days"),
        ({"features": {"lags": [1], "custom": ["weekday_mean"]}}, "leave out weekday_mean"),
        ({"training": {"window_months": 1, "holdout_days": 4}}, "leave nothing of a window"),
        ({"models": [{"name": "naive", "family": "seasonal_naive"}]}, "add 52 to features.lags"),
    ],
)
def test_what_goes_by_days_is_refused(
    tmp_path: Path, settings: dict[str, object], why: str
) -> None:
    told = {"grain": "week", "first_day": dt.date(2024, 1, 1)} | settings
    with pytest.raises(ValueError, match=why):
        project(tmp_path, "2026-11-15,a,1\n", **told)
